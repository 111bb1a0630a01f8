"""Folders: names that survive a power cut, and room."""

from __future__ import annotations

import fcntl
import os
import re
import sys
from contextlib import suppress
from typing import AnyStr

FSTAB, MOUNTS = "/etc/fstab", "/proc/self/mountinfo"
REMOVABLE = ("/media", "/mnt", "/Volumes")
"""Where a disk that is plugged in gets a folder, which is gone with it. (Below /run/media nobody else may make one.)"""
_ESCAPE = re.compile(r"\\([0-7]{3})")


def make_folder(folder: AnyStr) -> None:
    """Make a folder of ours (0700), and those above it that are missing, durably. ``folder`` is absolute.

    Raises OSError.
    """
    if os.path.isdir(folder):
        return
    parent = os.path.dirname(folder)
    make_folder(parent)
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    fsync_folder(parent)


def unmounted(path: str, fstab: str = FSTAB, mounts: str = MOUNTS) -> str:
    """The mount point at or above ``path`` that fstab(5) names and where nothing is mounted now; "" if there is none.

    What is made there lies on another disk, and out of sight once that one is back.
    """
    wanted = {place for place in _places_in(fstab, 1) if place.startswith("/") and place != "/"}
    above = {place for place in wanted if f"{os.path.realpath(path)}/".startswith(f"{place.rstrip('/')}/")}
    return max(above - set(_places_in(mounts, 4)), default="") if above else ""


def missing_disk(path: str, removable: tuple[str, ...] = REMOVABLE) -> str:
    """The folder at or above ``path`` that would be the mount point of a removable disk, and is not there; else ""."""
    for place in removable:
        if path.startswith(f"{place}/"):
            disk = os.path.join(place, path[len(place) + 1 :].partition("/")[0])
            return "" if os.path.isdir(disk) else disk
    return ""


def _places_in(table: str, column: int) -> list[str]:
    """The mount points that a table of the system has in a column; none where there is no such table."""
    try:
        with open(table, encoding="utf-8", errors="surrogateescape") as lines:
            rows = [line.split() for line in lines if not line.startswith("#")]
    except OSError:
        return []
    places = [row[column] for row in rows if len(row) > column]
    return [_ESCAPE.sub(lambda escape: chr(int(escape[1], 8)), place) for place in places]


def fsync_folder(folder: str | bytes) -> None:
    """Make the names in a folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def existing(folder: str) -> str:
    """The folder itself, or the nearest above it that is there. ``folder`` is absolute."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def room_in(folder: str) -> int:
    """Bytes that are free on the disk of a folder that is there. Raises OSError."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def room_for(path: str) -> int:
    """Bytes that a file at ``path`` may still grow by, as far as the system says; without a word, plenty."""
    try:
        return room_in(os.path.dirname(path) or ".")
    except OSError:
        return sys.maxsize


def drop_from_cache(descriptor: int) -> bool:
    """Have what is read of an open file next come from its disk; False if the system is seen to remember it still.

    Linux drops what is on the disk already, and begins to write what is not: False may come true in a moment. Of a file
    system in memory it never does. macOS is told to read past its cache, and does not say whether it did.
    """
    try:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        elif hasattr(fcntl, "F_NOCACHE"):
            fcntl.fcntl(descriptor, fcntl.F_NOCACHE, 1)
        size = os.fstat(descriptor).st_size
    except OSError:
        return True
    return not any(_is_remembered(descriptor, offset) for offset in (0, size - 1) if offset < size)


def _is_remembered(descriptor: int, offset: int) -> bool:
    """Can a byte be had without waiting for a disk?"""
    if not hasattr(os, "RWF_NOWAIT"):
        return False
    try:
        return os.preadv(descriptor, [bytearray(1)], offset, os.RWF_NOWAIT) > 0
    except OSError:  # not without waiting, or not to be told
        return False
