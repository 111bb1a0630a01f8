"""Folders: names that survive a power cut, and room."""

from __future__ import annotations

import fcntl
import os
import sys
from contextlib import suppress
from typing import AnyStr


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


def fsync_folder(folder: str | bytes) -> None:
    """Make the names in a folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def room_for(path: str) -> int:
    """Bytes that a file at ``path`` may still grow by, as far as the system says; without a word, plenty."""
    try:
        found = os.statvfs(os.path.dirname(path) or ".")
    except OSError:
        return sys.maxsize
    return found.f_bavail * found.f_frsize


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
