"""Photos on their way in: files under random names, locked by their writers, removed unless they
are kept."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from types import TracebackType
from typing import NamedTuple

from albumup.receive.no_links import enter, names_in

SUFFIX = b".part"
DAY = 24 * 60 * 60  # seconds
_BLOCK = 1 << 20
NO_TIME = -1
"""A time that no file has: for a photo without a place."""


class Mismatch(ValueError):
    """The bytes that arrived are not the declared ones; the text says how they differ."""


class Photo(NamedTuple):
    """One file as the index knows it."""

    sha256: str
    size: int
    mtime_ns: int
    ctime_ns: int | None = None
    """None: an older line has none."""

    def is_unchanged(self, now: os.stat_result) -> bool:
        """Has the file, whose stat is ``now``, the same size and times?"""
        if (self.size, self.mtime_ns) != (now.st_size, now.st_mtime_ns):
            return False
        return self.ctime_ns is None or self.ctime_ns == now.st_ctime_ns


class Place(NamedTuple):
    """A file by its name in an open folder."""

    folder: int
    name: bytes


class Part:
    """A photo on its way in, for one thread; a context manager that removes it unless it was
    kept."""

    def __init__(self, root: int, folder: bytes) -> None:
        """Make a part in ``folder`` below the open ``root``. Raises OSError."""
        self._folder = enter(root, folder)
        try:
            name, self._descriptor = _create(self._folder)
        except OSError:
            os.close(self._folder)
            raise
        self.place = Place(self._folder, name)
        self.size = 0
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The digest of all bytes written so far, in lower-case hex."""
        return self._digest.hexdigest()

    def write(self, block: bytes) -> None:
        """Append ``block``. Raises OSError, ENOSPC when the disk is full."""
        self._digest.update(block)
        self.size += len(block)
        rest = memoryview(block)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def check(self, size: int | None, sha256: str | None) -> None:
        """Compare with size and digest as declared (None: not declared). Raises Mismatch."""
        if size is not None and size != self.size:
            raise Mismatch(f"size mismatch: {size} bytes were declared and {self.size} arrived")
        if sha256 is not None and sha256 != self.sha256:
            raise Mismatch(f"sha256 mismatch: {sha256} was declared and {self.sha256} arrived")

    def seal(self, mtime_ns: int | None) -> Photo:
        """Make the bytes durable, dated ``mtime_ns`` (nanoseconds UTC) if given. Raises OSError.

        The returned photo has no time: it is read once the file has its place.
        """
        if mtime_ns is not None:
            # Some file systems refuse; the photo matters more than its time.
            with contextlib.suppress(OSError):
                os.utime(self._descriptor, ns=(mtime_ns, mtime_ns))
        os.fsync(self._descriptor)
        return Photo(self.sha256, self.size, NO_TIME)

    def __enter__(self) -> Part:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):  # moved into its album, or left for the next sweep
            os.unlink(self.place.name, dir_fd=self._folder)
        os.close(self._descriptor)
        os.close(self._folder)


@contextlib.contextmanager
def carried_over(source: Place, folder: int) -> Iterator[Place]:
    """A durable copy of a part in another file system's folder, hidden; removed at the end. Raises
    OSError."""
    name, descriptor = _create(folder, b".")
    try:
        with open(
            os.open(source.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source.folder),
            "rb",
        ) as file:
            while block := file.read(_BLOCK):
                rest = memoryview(block)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            dated = os.fstat(file.fileno()).st_mtime_ns
        with contextlib.suppress(OSError):
            os.utime(descriptor, ns=(dated, dated))
        os.fsync(descriptor)
        yield Place(folder, name)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=folder)
        os.close(descriptor)


def _create(folder: int, prefix: bytes = b"") -> tuple[bytes, int]:
    """A new part under a random name, locked for as long as its descriptor is open."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        name = prefix + secrets.token_hex(16).encode() + SUFFIX
        descriptor = os.open(name, flags, 0o600, dir_fd=folder)
        # On a file system without flock, _abandoned goes by the age.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return name, descriptor
        os.close(descriptor)  # another process swept between open and flock


def sweep(folder: int, prefix: bytes = b"") -> None:
    """Remove the parts that a crash left behind. Raises OSError."""
    for name in names_in(folder):
        if not (name.startswith(prefix) and name.endswith(SUFFIX)):
            continue
        with contextlib.suppress(OSError):  # gone meanwhile, or not ours
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=folder)
            try:
                if _abandoned(descriptor):
                    os.unlink(name, dir_fd=folder)
            finally:
                os.close(descriptor)


def _abandoned(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # no flock on this file system
        return time.time() - os.fstat(descriptor).st_mtime > DAY
    return True
