"""A photo's pins: its file's metadata as of the last reading, and comparing it with the present."""

from __future__ import annotations

import os

from msgspec import Struct

from albumup.photos.volumes import file_system_of

_LOOSE_SYSTEMS = frozenset({"vfat", "msdos", "exfat", "cifs", "smb3", "smbfs", "fuse", "fuseblk"})
_FAT_SECONDS = 2
_HOUR_NS = 3600 * 10**9
YOUNG_SECONDS = 2.0 * _FAT_SECONDS
"""Within that time after a change another one may leave the same time, as ``same_time`` compares
times of FAT."""


class Pins(Struct, frozen=True):
    """The metadata of a source file. Times in nanoseconds, sizes in bytes."""

    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int = 0
    """0: unknown, so the file is read again before it is sent."""


def read_pins(status: os.stat_result) -> Pins:
    return Pins(status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)


def same_pins(pinned: Pins, now: Pins, path: bytes) -> bool:
    """True if nothing hints at a change. Inodes and exact times mean little on FAT, SMB and FUSE.

    The status change time counts because the modification time can be set back. A whole hour's
    difference does hint at one: it need not come from a change of the clocks.
    """
    if pinned.size != now.size:
        return False
    if (pinned.mtime_ns, pinned.inode, pinned.ctime_ns) == (now.mtime_ns, now.inode, now.ctime_ns):
        return True
    return abs(pinned.mtime_ns - now.mtime_ns) <= _FAT_SECONDS * 10**9 and is_loose(path)


def as_pinned(pinned: Pins, now: os.stat_result, *, loose: bool) -> bool:
    """Does a file match its pins by size, time and inode? ``loose``: the result of ``is_loose`` for
    its path.

    An inode of 0 is unknown.
    """
    if pinned.size != now.st_size:
        return False
    if loose:
        return _near(pinned.mtime_ns, now.st_mtime_ns)
    return pinned.mtime_ns == now.st_mtime_ns and pinned.inode in (0, now.st_ino)


def same_time(pinned_ns: int, now_ns: int, path: bytes) -> bool:
    """Are two modification times equal, as exactly as the file system of ``path`` keeps them?"""
    return pinned_ns == now_ns or (_near(pinned_ns, now_ns) and is_loose(path))


def is_young(pins: Pins, now: float) -> bool:
    """Was the file changed so recently (``now`` in Unix seconds) that, on FAT, the next change may
    leave the same time? Then its pins prove nothing."""
    return abs(now - pins.mtime_ns / 1e9) <= YOUNG_SECONDS


def is_loose(path: bytes) -> bool:
    """Does the file system of ``path`` keep inodes and exact times only until it is mounted again?
    (FAT, SMB, FUSE.)"""
    system = file_system_of(os.path.dirname(path))
    return system in _LOOSE_SYSTEMS or system.startswith(("fuse.", "fuseblk."))


def _near(one_ns: int, other_ns: int) -> bool:
    """Do times differ by a whole number of hours, within 2 s? FAT keeps local time, in steps of two
    seconds."""
    off = abs(one_ns - other_ns) % _HOUR_NS
    return min(off, _HOUR_NS - off) <= _FAT_SECONDS * 10**9
