"""Finds the id of a file system (a disk's UUID, a card's serial number, or none) and its type.

The device number leads to the id where a block device has that number. It does not for btrfs, which
numbers each subvolume, nor for file systems without a block device: there /proc/self/mountinfo
tells the source (proc(5)).
"""

from __future__ import annotations

import os
import re

BY_UUID = "/dev/disk/by-uuid"
"""udev's links from the UUID of every file system to its block device."""
BTRFS = "/sys/fs/btrfs"
"""The kernel's list of btrfs file systems by UUID, with the devices of each."""

_FULL = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{16}")
_ESCAPE = re.compile(r"\\([0-7]{3})")
_uuids: dict[str, tuple[int, dict[int, str]]] = {}


def is_full(volume: str) -> bool:
    """Is an id unique in the world? The serial number of FAT or exFAT is not: factory cards share
    theirs."""
    return _FULL.fullmatch(volume) is not None


def volume_of(device: int, place: bytes | int | None = None, folder: str | None = None) -> str:
    """The id of the file system on ``device`` (``st_dev``), or "" where the system names none.

    ``place``: a path or a descriptor on it, needed for one without a block device number.
    ``folder`` replaces ``BY_UUID``.
    """
    folder = BY_UUID if folder is None else folder
    if volume := _uuid_of(device, folder):
        return volume
    if place is None or os.major(device):
        return ""
    kind, source = mount_of(place)
    if not source.startswith("/"):
        return ""
    first = source.split(":")[0]  # bcachefs names all of its disks
    try:
        number = os.stat(first).st_rdev
    except OSError:
        return ""
    return (number and _uuid_of(number, folder)) or (_btrfs_of(first) if kind == "btrfs" else "")


def file_system_of(folder: str | bytes) -> str:
    """The type of a folder's file system ("ext4", "nfs4"), or "" where the system does not say."""
    return mount_of(folder)[0]


def mount_of(place: str | bytes | int) -> tuple[str, str]:
    """Type and source of the mount of a path or a descriptor; "" where the system does not say."""
    opened = -1
    try:
        descriptor = (
            place
            if isinstance(place, int)
            else (opened := os.open(place, os.O_PATH | os.O_CLOEXEC))
        )
        with open(f"/proc/self/fdinfo/{descriptor}", "rb") as lines:
            number = next(line.split()[1] for line in lines if line.startswith(b"mnt_id:"))
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            begin = number.decode() + " "
            for line in mounts:
                if line.startswith(begin):
                    kind, source = line.partition(" - ")[2].split(" ")[:2]
                    return kind, _ESCAPE.sub(lambda escape: chr(int(escape[1], 8)), source)
    except (OSError, AttributeError, StopIteration, ValueError):  # not Linux, or no such path
        pass
    finally:
        if opened >= 0:
            os.close(opened)
    return "", ""


def _uuid_of(device: int, folder: str) -> str:
    """The name of the link in ``folder`` to a device.

    The links are read again when the folder changed (cards come and go at one device number), and
    when the device is not among them.
    """
    try:
        changed = os.stat(folder).st_mtime_ns
        then, uuids = _uuids.get(folder, (0, {}))
        if changed != then or (device not in uuids and os.major(device)):
            uuids = {
                os.stat(link).st_rdev: link.name
                for link in os.scandir(folder)
                if os.path.exists(link)
            }
            _uuids[folder] = (changed, uuids)
    except OSError:  # not Linux, no udev, or a container
        return ""
    return uuids.get(device, "")


def _btrfs_of(source: str) -> str:
    """The UUID of a device's btrfs file system, of which udev links one device only."""
    name = os.path.basename(os.path.realpath(source))
    try:
        systems = os.listdir(BTRFS)
    except OSError:
        return ""
    return next(
        (uuid for uuid in systems if os.path.exists(os.path.join(BTRFS, uuid, "devices", name))), ""
    )
