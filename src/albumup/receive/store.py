"""A folder of albums that takes photos in: whole, checked and durable, or not at all.

ROOT/ALBUM/photo.jpg          the photos, flat
ROOT/.albumup/ALBUM.sha256    the index of each album
ROOT/.albumup/id              a random word that tells this store from others
ROOT/.incoming/RANDOM.part    photos on their way in, flocked by whoever writes them
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType

from albumup.disk import fsync_folder, make_folder
from albumup.errors import LocalError
from albumup.leavings import STORE_FOLDERS, STORE_INDEX
from albumup.receive.album import Album, Photo
from albumup.receive.names import album_folder_name, photo_name

STORE_ID = b"id"
DAY = 24 * 60 * 60  # seconds


class Mismatch(ValueError):
    """The bytes that arrived are not the declared ones; its text says in what they differ."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A photo in an album: the album's folder and the photo's file in it, its SHA-256, and whether it is new there."""

    folder: str
    name: str
    sha256: str
    created: bool

    @property
    def id(self) -> str:
        """The photo's place below the store's root."""
        return f"{self.folder}/{self.name}"


class Part:
    """A photo on its way in, a context manager: leaving it removes what was not kept. One thread's own."""

    def __init__(self, folder: bytes) -> None:
        self.path, self._descriptor = _create(folder)
        self.size = 0
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of all that was written so far, in lower-case hex."""
        return self._digest.hexdigest()

    def write(self, block: bytes) -> None:
        """Append ``block``. Raises OSError, ENOSPC when the disk is full."""
        self._digest.update(block)
        self.size += len(block)
        rest = memoryview(block)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def check(self, size: int | None, sha256: str | None) -> None:
        """Compare with what the sender declared (None: nothing). Raises Mismatch."""
        if size is not None and size != self.size:
            raise Mismatch(f"size mismatch: {size} bytes were declared and {self.size} arrived")
        if sha256 is not None and sha256 != self.sha256:
            raise Mismatch(f"sha256 mismatch: {sha256} was declared and {self.sha256} arrived")

    def seal(self, mtime_ns: int | None) -> Photo:
        """Make the bytes durable, dated ``mtime_ns`` (nanoseconds UTC) if given. Raises OSError."""
        if mtime_ns is not None:
            with contextlib.suppress(OSError):  # not every file system lets us; the photo matters more than its date
                os.utime(self._descriptor, ns=(mtime_ns, mtime_ns))
        os.fsync(self._descriptor)
        return Photo(self.sha256, self.size, os.fstat(self._descriptor).st_mtime_ns)

    def __enter__(self) -> Part:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # moved into its album, or left for the next sweep
            os.unlink(self.path)
        os.close(self._descriptor)


class Store:
    """The folder ``root``, made (0700) if need be. Any number of threads and processes may use it at once.

    Raises LocalError when the folder cannot be made or written.
    """

    def __init__(self, root: str | bytes, log: Callable[[str], None] = lambda _: None) -> None:
        """``log`` is told of files that are damaged, by many threads, their names as they are."""
        self.root = os.path.abspath(os.fsencode(root))
        self._indexes, self._incoming = (os.path.join(self.root, name) for name in STORE_FOLDERS)
        self._log = log
        self._albums: dict[str, Album] = {}
        self._lock = threading.Lock()
        try:
            for folder in (self._incoming, self._indexes):
                make_folder(folder)
            _sweep(self._incoming)
            if not self.id:
                _make_id(self._indexes)
        except OSError as error:
            raise LocalError(f"cannot keep photos in {os.fsdecode(self.root)}: {error.strerror}") from error

    @property
    def id(self) -> str:
        """What tells this store from others, read each time: of two processes that make one, the last has it."""
        return store_id(self.root) or ""

    def incoming(self) -> Part:
        """A place for a photo's bytes to arrive in. Raises OSError."""
        return Part(self._incoming)

    def keep(self, part: Part, album: str, name: str, mtime_ns: int | None = None) -> Stored:
        """Put a whole photo into an album, unless the album has these bytes; when it returns, power may fail.

        ``name`` is the wanted one, of any shape; ``mtime_ns`` dates the file. Raises OSError; then nothing is kept.
        """
        photo = part.seal(mtime_ns)
        kept, created = self._album(album).place(part.path, photo, photo_name(name))
        return Stored(album_folder_name(album), kept, photo.sha256, created)

    def have(self, album: str, digests: Iterable[str], *, read: bool = False) -> dict[str, str]:
        """Which of these SHA-256 (lower-case hex) the album has: digest -> name. ``read``: each is read again from
        the disk, which takes its time. Raises OSError."""
        return self._album(album).find(digests, read=read)

    def _album(self, album: str) -> Album:
        folder = album_folder_name(album)
        with self._lock:
            if folder not in self._albums:
                raw = folder.encode()
                index = os.path.join(self._indexes, raw + STORE_INDEX)
                self._albums[folder] = Album(os.path.join(self.root, raw), index, self._log)
            return self._albums[folder]


def _make_id(folder: bytes) -> None:
    """Does without where there is no room for it."""
    new = os.path.join(folder, secrets.token_hex(8).encode() + b".new")
    with contextlib.suppress(OSError):
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with open(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(16) + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, os.path.join(folder, STORE_ID))
            fsync_folder(folder)
        except OSError:
            os.unlink(new)
            raise


def store_id(root: bytes) -> str | None:
    """The id of the receiver's store at ``root``; None if none can be read there."""
    try:
        with open(os.path.join(root, STORE_FOLDERS[0], STORE_ID), encoding="ascii") as file:
            return file.read(100).strip() or None
    except (OSError, ValueError):
        return None


def _create(folder: bytes) -> tuple[bytes, int]:
    """A new part under a random name, locked for as long as its descriptor is open."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        path = os.path.join(folder, secrets.token_hex(16).encode() + b".part")
        descriptor = os.open(path, flags, 0o600)
        with contextlib.suppress(OSError):  # no flock on this file system: _abandoned goes by the age
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)  # another process' sweep came between open and flock


def _sweep(folder: bytes) -> None:
    """Remove the parts that a crash left behind."""
    with os.scandir(folder) as entries:
        parts = [entry.path for entry in entries if entry.name.endswith(b".part")]
    for path in parts:
        with contextlib.suppress(OSError):  # gone meanwhile, or not ours
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                if _abandoned(descriptor):
                    os.unlink(path)
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
