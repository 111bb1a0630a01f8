"""Folders and their disks: durable names, mount points, free space, the page cache."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import sys
from contextlib import suppress
from typing import AnyStr

FSTAB, MOUNTS = "/etc/fstab", "/proc/self/mountinfo"
REMOVABLE = ("/media", "/mnt", "/Volumes")
"""Where a plugged-in disk gets a folder, which vanishes with it. (Below /run/media, users cannot
make one.)"""
_ESCAPE = re.compile(r"\\([0-7]{3})")


def open_own(path: str, flags: int) -> int:
    """Open a file of albumup's own, made private (0600) if the flags make it; the descriptor.

    No link is followed, and nothing is waited for. Raises OSError; if something else is in the
    file's place, its text says what, and what to do.
    """
    own = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    try:
        descriptor = os.open(path, flags | own, 0o600)
    except OSError as error:
        try:
            found = os.lstat(path)
        except OSError:
            raise error from None  # nothing is there, so that is not why
        _refuse_other(path, found.st_mode)
        raise
    try:
        _refuse_other(path, os.fstat(descriptor).st_mode)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _refuse_other(path: str, mode: int) -> None:
    """Raise OSError unless ``mode`` is a file's."""
    if stat.S_ISREG(mode):
        return
    what = "it is no file"
    if stat.S_ISLNK(mode):
        what = "it is a link, and symbolic links are not followed here"
    elif stat.S_ISDIR(mode):
        what = "it is a folder"
    raise OSError(errno.EINVAL, f"{what}; move it away: a file of albumup belongs there", path)


def make_folder(folder: AnyStr) -> None:
    """Make a private folder (0700) and missing ones above it, durably. ``folder`` is absolute.
    Raises OSError."""
    if os.path.isdir(folder):
        return
    parent = os.path.dirname(folder)
    make_folder(parent)
    with suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    fsync_folder(parent)


def unmounted(path: str, fstab: str = FSTAB, mounts: str = MOUNTS) -> str:
    """The mount point at or above ``path`` that fstab(5) names and where nothing is mounted; "" if
    there is none.

    Files made there now would lie on another disk, and be hidden once the right one is mounted.
    """
    wanted = {place for place in _places_in(fstab, 1) if place.startswith("/") and place != "/"}
    above = {
        place
        for place in wanted
        if f"{os.path.realpath(path)}/".startswith(f"{place.rstrip('/')}/")
    }
    return max(above - set(_places_in(mounts, 4)), default="") if above else ""


def missing_disk(path: str, removable: tuple[str, ...] = REMOVABLE) -> str:
    """The missing folder at or above ``path`` where a removable disk would be mounted; "" if there
    is none."""
    for place in removable:
        if path.startswith(f"{place}/"):
            disk = os.path.join(place, path[len(place) + 1 :].partition("/")[0])
            return "" if os.path.isdir(disk) else disk
    return ""


def _places_in(table: str, column: int) -> list[str]:
    """The mount points in a column of a system table; none if there is no such table."""
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
    """The folder itself, or the nearest one above it that exists. ``folder`` is absolute."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def room_in(folder: str) -> int:
    """Free bytes on the disk of an existing folder. Raises OSError."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def room_for(path: str) -> int:
    """Bytes by which a file at ``path`` may grow; ``sys.maxsize`` if the system does not say."""
    try:
        return room_in(os.path.dirname(path) or ".")
    except OSError:
        return sys.maxsize


def drop_from_cache(descriptor: int) -> bool:
    """Drop an open file from the page cache, so that it is read from its disk; False if parts are
    still cached.

    Linux drops pages that are on the disk already, and begins to write the others: a later call may
    succeed, except on a file system in memory. macOS is told to bypass its cache, and does not say
    whether it does.
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
    """Can a byte be read without waiting for a disk?"""
    if not hasattr(os, "RWF_NOWAIT"):
        return False
    try:
        return os.preadv(descriptor, [bytearray(1)], offset, os.RWF_NOWAIT) > 0
    except OSError:  # it would wait, or the file system does not say
        return False
