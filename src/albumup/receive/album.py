"""One album on the disk: a flat folder of photos, and an index that knows which bytes lie in it.

The index is a text file with a line for each photo: ``sha256 size mtime_ns:ctime_ns name`` (older
lines have no ctime). Lines are only appended, and the last line about a name counts. The index
saves time, but is never the truth: a line is believed while the file has that size and those times;
any other file is read and hashed. So the index may be lost, torn or old. A disk can lose bytes
without a change of times, so a proof needs a new reading from the disk. A damaged file stays where
it is, under its new digest.

The index is also the lock: whoever looks for bytes to place them holds its flock, so several
processes (an uploader's inbox and `albumup receive`) may share one folder. Under the lock each
process first reads the lines of the others.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from albumup.disk import drop_from_cache
from albumup.photos.leftovers import STORE_FOLDERS, STORE_INDEX
from albumup.receive.names import with_mark
from albumup.receive.no_links import enter, inside, is_still, made, names_in, opened
from albumup.receive.parts import NO_TIME, Photo, Place, carried_over, sweep
from albumup.receive.together import SharedFsync

# The errors of os.link on file systems without hard links (FAT, exFAT, some FUSE and network ones).
NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS})


class _Open(NamedTuple):
    """Descriptors of the store's root and of the album's folder."""

    root: int
    folder: int


class _Index(NamedTuple):
    """An album's index, open. ``is_ours``: nobody else writes to it meanwhile."""

    descriptor: int
    is_ours: bool


class Album:
    """An album's folder and index, for any number of threads. The folder may not exist yet;
    ``place`` makes it."""

    def __init__(
        self, root: bytes, name: bytes, log: Callable[[str], None] = lambda _: None
    ) -> None:
        """``name`` is a safe base name of a folder in the store's ``root``."""
        self._root, self._name = root, name
        self._log = log
        self._lock = threading.Lock()
        self._photos: dict[bytes, Photo] = {}
        self._names: dict[str, set[bytes]] = {}
        """By digest, the names under which these bytes were seen; to be looked at again."""
        self._read_to = 0
        self._loaded = False
        self._fsync_of: tuple[int, int] | None = None
        self._fsync = SharedFsync()

    def find(self, digests: Iterable[str], *, read: bool = False) -> dict[str, str]:
        """The photos of these SHA-256 (lower-case hex) that the album has, durably: digest -> name.

        ``read``: read each again from the disk. Raises OSError if folder or index cannot be read.
        """
        with opened(self._root) as root:
            try:
                folder = enter(root, self._name)
            except (FileNotFoundError, NotADirectoryError):
                return {}
            try:
                return self._find_in(_Open(root, folder), digests, read)
            finally:
                os.close(folder)

    def _find_in(self, at: _Open, digests: Iterable[str], read: bool) -> dict[str, str]:
        with self._locked(at) as index:
            names = {
                digest: name
                for digest in digests
                if (name := self._find(digest, at, index)) is not None
            }
        if read:
            again = {digest: self._read_again(digest, name, at) for digest, name in names.items()}
            names = {digest: name for digest, name in again.items() if name is not None}
        if names:
            os.fsync(at.folder)
        return {digest: _text(name) for digest, name in names.items()}

    def _read_again(self, sha256: str, name: bytes | None, at: _Open) -> bytes | None:
        """The name of a file that has these bytes when it is read from the disk: ``name`` or
        another; None if there is none.

        It reads without the lock, because reading takes time.
        """
        while name is not None:
            now = self._hashed_again(name, at)
            if now is not None and now.sha256 == sha256:
                return name
            if now is not None:
                self._tell_changed(name, sha256)
            with self._locked(at) as index:
                known = self._photos.get(name)
                if now is None:
                    self._photos.pop(name, None)
                elif known is not None and known.sha256 == sha256:
                    self._record(name, now, index)
                name = self._find(sha256, at, index)
        return None

    def _path(self, name: bytes) -> str:
        """A path as people read it."""
        return _text(os.path.join(self._root, self._name, name))

    def _tell_changed(self, name: bytes, sha256: str) -> None:
        self._log(
            f"{self._path(name)} was changed or damaged: it had SHA-256 {sha256}; "
            "it is left as it is"
        )

    def _hashed_again(self, name: bytes, at: _Open) -> Photo | None:
        try:
            return _hashed(Place(at.folder, name))
        except OSError as error:
            self._log(f"{self._path(name)} cannot be read: {error.strerror}; it is left as it is")
            return None

    def place(self, part: Place, photo: Photo, wanted: str) -> tuple[str, bool]:
        """Put the finished file ``part`` into the album, unless the album has its bytes.

        ``part`` is fsynced; ``wanted`` is a safe base name. Nothing is ever overwritten: if the
        name is taken the photo becomes ``NAME~<8 hex of sha256>.EXT``. Returns the name, and
        whether the photo is new; both would survive a power cut by then. ``part`` stays with its
        owner, unless it was moved.

        Raises OSError; then the album is as before.
        """
        with opened(self._root) as root, made(root, self._name) as folder:
            at = _Open(root, folder)
            try:
                name, new = self._placed(part, photo, wanted, at)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                # Another file system is mounted there.
                with carried_over(part, folder) as copy:
                    name, new = self._placed(copy, photo, wanted, at)
            # Also for known bytes: the process that placed them may not have come this far.
            now = os.fstat(folder)
            self._shared_fsync(now).fsync(folder)
            if not is_still(root, self._name, now):
                raise OSError(errno.ESTALE, "the album's folder was replaced meanwhile")
        return _text(name), new

    def _shared_fsync(self, folder: os.stat_result) -> SharedFsync:
        """The shared fsync of this folder; the album's folder may have been replaced."""
        with self._lock:
            if self._fsync_of != (folder.st_dev, folder.st_ino):
                self._fsync_of, self._fsync = (folder.st_dev, folder.st_ino), SharedFsync()
            return self._fsync

    def _placed(self, part: Place, photo: Photo, wanted: str, at: _Open) -> tuple[bytes, bool]:
        name, new = None, False
        while name is None:
            with self._locked(at) as index:
                known = self._find(photo.sha256, at, index)
                if known is None:
                    name, new = self._put(part, photo, wanted, at, index)
            name = name or self._read_again(photo.sha256, known, at)
        return name, new

    @contextlib.contextmanager
    def _locked(self, at: _Open) -> Iterator[_Index]:
        """Open and lock the index; its lines and the folder's files are known then."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        with self._lock:
            with inside(at.root, STORE_FOLDERS[0]) as indexes:
                descriptor = os.open(self._name + STORE_INDEX, flags, 0o600, dir_fd=indexes)
            try:
                # Without flock (some network file systems) two processes may store the same bytes
                # twice at worst.
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                    index = _Index(descriptor, is_ours=True)
                except OSError:
                    index = _Index(descriptor, is_ours=False)
                self._read_on(index)
                if not self._loaded:
                    self._load(at, index)
                    self._loaded = True
                yield index
            finally:
                os.close(descriptor)

    def _read_on(self, index: _Index) -> None:
        """Read the lines that this process or another has appended since the last reading."""
        now = os.fstat(index.descriptor)
        if not stat.S_ISREG(now.st_mode):
            raise OSError(errno.EINVAL, "the album's index is no file")
        size = now.st_size
        if size < self._read_to:  # somebody deleted or replaced the file
            self._read_to = 0
        if size == self._read_to:
            return
        lines = os.pread(index.descriptor, size - self._read_to, self._read_to)
        if not lines.endswith(b"\n"):  # a writer died within its line
            os.write(index.descriptor, b"\n")
        self._read_to = size
        for line in lines.split(b"\n"):
            with contextlib.suppress(ValueError):  # torn, or zeros after a power cut
                sha256, length, times, name = line.split(b" ", 3)
                mtime_ns, _, ctime_ns = times.partition(b":")
                known = Photo(
                    sha256.decode("ascii"),
                    int(length),
                    int(mtime_ns),
                    int(ctime_ns) if ctime_ns else None,
                )
                self._learn(name, known)

    def _load(self, at: _Open, index: _Index) -> None:
        """Hash the files that the index does not know, and make the folder durable; once."""
        sweep(at.folder, b".")
        for name in names_in(at.folder):
            if not name.startswith(b"."):
                self._drop_reservation(name, at)
                self._sha256_of(name, at, index)
        os.fsync(at.folder)
        os.fsync(at.root)

    def _drop_reservation(self, name: bytes, at: _Open) -> None:
        """Remove the empty file that a crash has left, on a disk without hard links (see _move)."""
        known = self._photos.get(name)
        with contextlib.suppress(FileNotFoundError):
            if known and known.size and not os.lstat(name, dir_fd=at.folder).st_size:
                os.unlink(name, dir_fd=at.folder)

    def _find(self, sha256: str, at: _Open, index: _Index) -> bytes | None:
        names = sorted(self._names.get(sha256, ()))  # a copy: a look at a file may add names
        return next((name for name in names if self._sha256_of(name, at, index) == sha256), None)

    def _sha256_of(self, name: bytes, at: _Open, index: _Index) -> str | None:
        """The present digest of the file ``name``, read again if the file changed; None if there is
        no readable file."""
        known = self._photos.get(name)
        try:
            now = os.lstat(name, dir_fd=at.folder)
            if not stat.S_ISREG(now.st_mode):
                raise FileNotFoundError(name)
            if known is None or not known.is_unchanged(now):
                before, known = known, _hashed(Place(at.folder, name))
                self._record(name, known, index)
                if before is not None and before.sha256 != known.sha256:
                    self._tell_changed(name, before.sha256)
        except OSError:
            self._photos.pop(name, None)
            return None
        return known.sha256

    def _put(
        self, part: Place, photo: Photo, wanted: str, at: _Open, index: _Index
    ) -> tuple[bytes, bool]:
        for digits in (0, 8, 16, 64):
            mark = f"~{photo.sha256[:digits]}" if digits else ""
            name = with_mark(wanted, mark).encode()
            try:
                self._move(part, photo, Place(at.folder, name), index)
            except FileExistsError:
                # Somebody has put it there since our look.
                if self._sha256_of(name, at, index) == photo.sha256:
                    return name, False
            else:
                placed = os.lstat(name, dir_fd=at.folder)
                placed_photo = photo._replace(
                    mtime_ns=placed.st_mtime_ns, ctime_ns=placed.st_ctime_ns
                )
                self._record(name, placed_photo, index)
                return name, True
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self._path(name))

    def _move(self, part: Place, photo: Photo, to: Place, index: _Index) -> None:
        """Give the part its name in the album, in one step. Raises FileExistsError if the name is
        taken."""
        folders: dict[str, Any] = {"src_dir_fd": part.folder, "dst_dir_fd": to.folder}
        try:
            os.link(part.name, to.name, **folders, follow_symlinks=False)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
        else:
            # Now, because it changes the inode; if it fails, a sweep does it later.
            with contextlib.suppress(OSError):
                os.unlink(part.name, dir_fd=part.folder)
            return
        # Without links: reserve the name by an empty file, then replace that. A crash in between
        # leaves the empty file, so the index says first, durably, how large the photo will be. The
        # line has a time that no file has: it must not be believed of another file of that name.
        if _is_taken(to):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self._path(to.name))
        self._record(to.name, photo._replace(mtime_ns=NO_TIME), index)
        os.fsync(index.descriptor)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        os.close(os.open(to.name, flags, 0o600, dir_fd=to.folder))
        try:
            os.replace(part.name, to.name, **folders)
        except OSError:
            os.unlink(to.name, dir_fd=to.folder)
            raise

    def _record(self, name: bytes, photo: Photo, index: _Index) -> None:
        self._learn(name, photo)
        # Such a name fits on no line; the file was put there by hand, and is hashed at each start.
        if b"\n" in name:
            return
        # The photo is safe without its line; on a full disk the next start hashes it again.
        with contextlib.suppress(OSError):
            times = b"%d" % photo.mtime_ns + (
                b":%d" % photo.ctime_ns if photo.ctime_ns is not None else b""
            )
            line = b"%s %d %s %s\n" % (photo.sha256.encode(), photo.size, times, name)
            written = os.write(index.descriptor, line)
            if index.is_ours and written == len(line):  # and nobody else's line came between
                self._read_to += written

    def _learn(self, name: bytes, photo: Photo) -> None:
        self._photos[name] = photo
        self._names.setdefault(photo.sha256, set()).add(name)


def _is_taken(place: Place) -> bool:
    try:
        os.lstat(place.name, dir_fd=place.folder)
    except FileNotFoundError:
        return False
    return True


def _hashed(place: Place) -> Photo:
    """Read a file from the disk, not from the page cache. Raises OSError."""
    # Non-blocking: a pipe may have taken its place. The stat comes first, so that a change during
    # the reading is seen later.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(place.name, flags, dir_fd=place.folder)
    with open(descriptor, "rb", buffering=0) as file:
        before = os.fstat(descriptor)
        os.fsync(descriptor)  # what counts as stored has to survive a power cut
        drop_from_cache(descriptor)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Photo(sha256, before.st_size, before.st_mtime_ns, before.st_ctime_ns)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
