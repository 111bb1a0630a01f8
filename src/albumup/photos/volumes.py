"""File systems as the system names them: a disk's UUID, a card's serial number, or nothing; and of which type they are.

The device number is asked first, where a block device has one of its own. btrfs numbers each subvolume by itself, and
so does what lies on no block device at all; there /proc/self/mountinfo says what is mounted from where (proc(5)).
"""

from __future__ import annotations

import os
import re

BY_UUID = "/dev/disk/by-uuid"
"""Where udev links every file system's UUID to its block device."""
BTRFS = "/sys/fs/btrfs"
"""Where the kernel lists the devices of each btrfs file system under its UUID."""

_FULL = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{16}")
_ESCAPE = re.compile(r"\\([0-7]{3})")
_uuids: dict[str, tuple[int, dict[int, str]]] = {}


def is_full(volume: str) -> bool:
    """Does an id name one disk in the world? A FAT or exFAT serial number does not: factory cards share them."""
    return _FULL.fullmatch(volume) is not None


def volume_of(device: int, place: bytes | int | None = None, folder: str | None = None) -> str:
    """The id of the file system on ``device`` (``st_dev``), or "" where the system names none.

    ``place``: the path or a descriptor of something on it, by which one without a block device number is found.
    ``folder`` stands in for ``BY_UUID``.
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
    """The type of the file system a folder lies on ("ext4", "nfs4"), or "" where the system does not say."""
    return mount_of(folder)[0]


def mount_of(place: str | bytes | int) -> tuple[str, str]:
    """Type and source of the mount that a path or a descriptor lies on; empty where the system does not say."""
    opened = -1
    try:
        descriptor = place if isinstance(place, int) else (opened := os.open(place, os.O_PATH | os.O_CLOEXEC))
        with open(f"/proc/self/fdinfo/{descriptor}", "rb") as lines:
            number = next(line.split()[1] for line in lines if line.startswith(b"mnt_id:"))
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            begin = number.decode() + " "
            for line in mounts:
                if line.startswith(begin):
                    kind, source = line.partition(" - ")[2].split(" ")[:2]
                    return kind, _ESCAPE.sub(lambda escape: chr(int(escape[1], 8)), source)
    except (OSError, AttributeError, StopIteration, ValueError):  # no Linux; or nothing is there
        pass
    finally:
        if opened >= 0:
            os.close(opened)
    return "", ""


def _uuid_of(device: int, folder: str) -> str:
    """The name under which ``folder`` links to a device. Its links are read again when it changed (cards come and go
    at one device number) and when the device is not among them."""
    try:
        changed = os.stat(folder).st_mtime_ns
        then, uuids = _uuids.get(folder, (0, {}))
        if changed != then or (device not in uuids and os.major(device)):
            uuids = {os.stat(link).st_rdev: link.name for link in os.scandir(folder) if os.path.exists(link)}
            _uuids[folder] = (changed, uuids)
    except OSError:  # no Linux, no udev, or a container
        return ""
    return uuids.get(device, "")


def _btrfs_of(source: str) -> str:
    """The UUID of the btrfs file system that a device is part of: udev links to one of its devices only."""
    name = os.path.basename(os.path.realpath(source))
    try:
        systems = os.listdir(BTRFS)
    except OSError:
        return ""
    return next((uuid for uuid in systems if os.path.exists(os.path.join(BTRFS, uuid, "devices", name))), "")
