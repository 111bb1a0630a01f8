"""Opens folders one by one, by descriptor: no link below a store's root is followed, not even one
that comes later."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class LinkInTheWay(OSError):
    """A link stands in the place of a store's folder."""

    def __init__(self, name: bytes) -> None:
        self.link = os.fsdecode(name)
        super().__init__(errno.ELOOP, f"{self.link} is a link, and links are not followed")


@contextlib.contextmanager
def opened(folder: bytes) -> Iterator[int]:
    """A store's root, open; the root itself may be a link. Raises OSError."""
    descriptor = os.open(folder, _FLAGS)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def inside(parent: int, name: bytes) -> Iterator[int]:
    """The folder ``name`` in ``parent``, open. Raises LinkInTheWay, FileNotFoundError, OSError."""
    descriptor = enter(parent, name)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def enter(parent: int, name: bytes) -> int:
    """As ``inside``; the caller closes it."""
    try:
        return os.open(name, _FLAGS | os.O_NOFOLLOW, dir_fd=parent)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EMLINK) and _is_link(parent, name):
            raise LinkInTheWay(name) from None
        raise


def make(parent: int, name: bytes) -> None:
    """Make the folder ``name`` (0700) in ``parent``, durably, unless it is there. Raises
    OSError."""
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        return
    os.fsync(parent)


@contextlib.contextmanager
def made(parent: int, name: bytes) -> Iterator[int]:
    """As ``inside``; a missing folder is made."""
    try:
        descriptor = enter(parent, name)
    except FileNotFoundError:
        make(parent, name)
        descriptor = enter(parent, name)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def is_still(parent: int, name: bytes, folder: os.stat_result) -> bool:
    """Is ``folder``, which was opened as ``name``, still there?"""
    try:
        now = os.lstat(name, dir_fd=parent)
    except FileNotFoundError:
        return False
    return os.path.samestat(now, folder)


def names_in(folder: int) -> list[bytes]:
    """The names of a folder's entries, unsorted. Raises OSError."""
    return [os.fsencode(name) for name in os.listdir(folder)]


def _is_link(parent: int, name: bytes) -> bool:
    try:
        return stat.S_ISLNK(os.lstat(name, dir_fd=parent).st_mode)
    except OSError:
        return False
