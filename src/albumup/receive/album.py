"""One album on the disk: a flat folder of photos, and an index that knows which bytes lie in it.

The index is a text file, a line per photo: ``sha256 size mtime_ns name``. It is only ever appended to, the last line
about a name counts, and it is a memory aid and never the truth: a line is believed as long as the file still has that
size and mtime, everything else is read and hashed. Hence it may be lost, torn or old.

The index is the lock too: whoever looks for bytes in order to place them holds its flock, so that several processes
(an uploader's inbox and `albumup receive`) may share one folder. Under the lock each first reads what others appended.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import threading
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from albumup.disk import fsync_folder
from albumup.receive.names import with_mark

# What os.link says where the file system has no hard links (FAT, exFAT, some FUSE and network file systems).
NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS})


class Photo(NamedTuple):
    """What the index holds of one file."""

    sha256: str
    size: int
    mtime_ns: int


class Album:
    """An album's folder and index, for any number of threads. The folder may not exist yet; ``place`` makes it."""

    def __init__(self, folder: bytes, index: bytes) -> None:
        self._folder = folder
        self._index_path = index
        self._lock = threading.Lock()
        self._photos: dict[bytes, Photo] = {}
        self._names: dict[str, set[bytes]] = {}  # where these bytes were seen; to be looked at again
        self._read_to = 0
        self._loaded = False

    def find(self, digests: Iterable[str]) -> dict[str, str]:
        """Which of these SHA-256 (lower-case hex) lie in the album: digest -> name. Only what is durable is named.

        Raises OSError when folder or index cannot be read.
        """
        if not os.path.isdir(self._folder):
            return {}
        with self._opened() as index:
            found = {digest: _text(name) for digest in digests if (name := self._find(digest, index)) is not None}
        if found:
            fsync_folder(self._folder)
        return found

    def place(self, part: bytes, photo: Photo, wanted: str) -> tuple[str, bool]:
        """Put the finished file ``part`` into the album, unless its bytes are there already, under any name.

        ``part`` is fsynced and on the same file system; ``wanted`` is a safe base name. Nothing is ever overwritten:
        under a taken name the photo becomes ``NAME~<8 hex of sha256>.EXT``. Returns its name and whether it is new,
        when this would survive a power cut. ``part`` is left to its owner, except where it was moved.

        Raises OSError; then the album is as it was.
        """
        self._make_folder()
        with self._opened() as index:
            name, new = self._find(photo.sha256, index), False
            if name is None:
                name, new = self._put(part, photo, wanted, index)
        # Outside the lock, so that those who place at the same time share one journal commit of the file system; for
        # known bytes too, since the one who placed them may not have come this far.
        fsync_folder(self._folder)
        return _text(name), new

    def _make_folder(self) -> None:
        try:
            os.mkdir(self._folder, 0o700)
        except FileExistsError:
            return
        fsync_folder(os.path.dirname(self._folder))

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        """The index, open and locked, when all that it says and all that lies in the folder is known."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        with self._lock:
            index = os.open(self._index_path, flags, 0o600)
            try:
                # Without flock (some network file systems) two processes may at worst store the same bytes twice.
                with contextlib.suppress(OSError):
                    fcntl.flock(index, fcntl.LOCK_EX)
                self._read_on(index)
                if not self._loaded:
                    self._load(index)
                    self._loaded = True
                yield index
            finally:
                os.close(index)

    def _read_on(self, index: int) -> None:
        """Learn the lines appended since the last reading, by this process or another."""
        size = os.fstat(index).st_size
        if size < self._read_to:  # another file by now: someone deleted or replaced it
            self._read_to = 0
        if size == self._read_to:
            return
        lines = os.pread(index, size - self._read_to, self._read_to)
        if not lines.endswith(b"\n"):  # a writer died within the line; ours shall not continue it
            os.write(index, b"\n")
        self._read_to = size
        for line in lines.split(b"\n"):
            with contextlib.suppress(ValueError):  # torn, or zeros after a power cut
                sha256, length, mtime_ns, name = line.split(b" ", 3)
                self._learn(name, Photo(sha256.decode("ascii"), int(length), int(mtime_ns)))

    def _load(self, index: int) -> None:
        """Meet the folder for the first time: hash what the index does not know, and make sure that it is durable."""
        with os.scandir(self._folder) as entries:
            names = [entry.name for entry in entries if not entry.name.startswith(b".")]
        for name in names:
            self._drop_reservation(name)
            self._sha256_of(name, index)
        fsync_folder(self._folder)
        fsync_folder(os.path.dirname(self._folder))

    def _drop_reservation(self, name: bytes) -> None:
        """Remove the empty file that a crash left of a placing without links (see _move)."""
        path = os.path.join(self._folder, name)
        known = self._photos.get(name)
        with contextlib.suppress(FileNotFoundError):
            if known and known.size and not os.lstat(path).st_size:
                os.unlink(path)

    def _find(self, sha256: str, index: int) -> bytes | None:
        names = sorted(self._names.get(sha256, ()))  # a copy: looking at a file may teach us others
        return next((name for name in names if self._sha256_of(name, index) == sha256), None)

    def _sha256_of(self, name: bytes, index: int) -> str | None:
        """The digest of what lies under ``name`` now, read again if it changed; None if that is no readable file."""
        path = os.path.join(self._folder, name)
        known = self._photos.get(name)
        try:
            now = os.lstat(path)
            if not stat.S_ISREG(now.st_mode):
                raise FileNotFoundError(path)
            if known is None or (known.size, known.mtime_ns) != (now.st_size, now.st_mtime_ns):
                known = _hashed(path)
                self._record(name, known, index)
        except OSError:
            self._photos.pop(name, None)
            return None
        return known.sha256

    def _put(self, part: bytes, photo: Photo, wanted: str, index: int) -> tuple[bytes, bool]:
        for digits in (0, 8, 16, 64):
            mark = f"~{photo.sha256[:digits]}" if digits else ""
            name = with_mark(wanted, mark).encode()
            try:
                self._move(part, photo, name, index)
            except FileExistsError:
                if self._sha256_of(name, index) == photo.sha256:  # put there by hand since we looked
                    return name, False
            else:
                placed = os.lstat(os.path.join(self._folder, name))
                self._record(name, photo._replace(mtime_ns=placed.st_mtime_ns), index)
                return name, True
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.path.join(self._folder, name))

    def _move(self, part: bytes, photo: Photo, name: bytes, index: int) -> None:
        """Give the part its name in the album in one step. Raises FileExistsError if the name is taken."""
        path = os.path.join(self._folder, name)
        try:
            os.link(part, path)
            return
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
        # Without links: reserve the name, then replace our own reservation. A crash in between would leave an empty
        # file, so the index durably says beforehand that this name is to have more; dated as no file ever is, since
        # it must not be believed of another file that came first.
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        self._record(name, photo._replace(mtime_ns=-1), index)
        os.fsync(index)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        try:
            os.replace(part, path)
        except OSError:
            os.unlink(path)
            raise

    def _record(self, name: bytes, photo: Photo, index: int) -> None:
        self._learn(name, photo)
        if b"\n" in name:  # fits on no line; such a file, put there by hand, is hashed at each start
            return
        # A full disk costs the next start a little hashing, and the photo is safe without its line.
        with contextlib.suppress(OSError):
            os.write(index, b"%s %d %d %s\n" % (photo.sha256.encode(), photo.size, photo.mtime_ns, name))

    def _learn(self, name: bytes, photo: Photo) -> None:
        self._photos[name] = photo
        self._names.setdefault(photo.sha256, set()).add(name)


def _hashed(path: bytes) -> Photo:
    """Read a file that we did not write. Raises OSError."""
    # Non-blocking, should a pipe have taken its place. The stat is from before: what changes meanwhile differs later.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as file:
        before = os.fstat(descriptor)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(descriptor)  # once it counts as stored it has to survive a power cut
    return Photo(sha256, before.st_size, before.st_mtime_ns)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
