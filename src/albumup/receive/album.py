"""One album on the disk: a flat folder of photos, and an index that knows which bytes lie in it.

The index is a text file, a line per photo: ``sha256 size mtime_ns:ctime_ns name`` (before, without
ctime). It is only ever appended to, the last line about a name counts, and it is a memory aid and
never the truth: a line is believed as long as the file still has that size and those times,
everything else is read and hashed. Hence it may be lost, torn or old. Disks forget without touching
a time: so what shall be a proof is read again from the disk, and a damaged file is left where it
is, under the digest that it has now.

The index is the lock too: whoever looks for bytes in order to place them holds its flock, so that
several processes (an uploader's inbox and `albumup receive`) may share one folder. Under the lock
each first reads what others appended.
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

# What os.link says where the file system has no hard links (FAT, exFAT, some FUSE and network file
# systems).
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
        """Where these bytes were seen; to be looked at again."""
        self._read_to = 0
        self._loaded = False
        self._fsync_of: tuple[int, int] | None = None
        self._fsync = SharedFsync()

    def find(self, digests: Iterable[str], *, read: bool = False) -> dict[str, str]:
        """Which of these SHA-256 (lower-case hex) lie in the album: digest -> name. Only what is
        durable is named.

        ``read``: each is read again from the disk. Raises OSError when folder or index cannot be
        read.
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
        """The file that has these bytes when it is read from the disk, be it ``name`` or another;
        None if none has.

        Not under the lock: reading takes its time.
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
        """For people."""
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
        """Put the finished file ``part`` into the album, unless its bytes are there already, under
        any name.

        ``part`` is fsynced; ``wanted`` is a safe base name. Nothing is ever overwritten: under a
        taken name the photo becomes ``NAME~<8 hex of sha256>.EXT``. Returns its name and whether it
        is new, when this would survive a power cut. ``part`` is left to its owner, except where it
        was moved.

        Raises OSError; then the album is as it was.
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
            # For known bytes too, since the one who placed them may not have come this far.
            now = os.fstat(folder)
            self._shared_fsync(now).fsync(folder)
            if not is_still(root, self._name, now):
                raise OSError(errno.ESTALE, "the album's folder was replaced meanwhile")
        return _text(name), new

    def _shared_fsync(self, folder: os.stat_result) -> SharedFsync:
        """That of this very folder, which may be another than before."""
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
        """The index, open and locked, once all it says and all that lies in the folder is known."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        with self._lock:
            with inside(at.root, STORE_FOLDERS[0]) as indexes:
                descriptor = os.open(self._name + STORE_INDEX, flags, 0o600, dir_fd=indexes)
            try:
                # Without flock (some network file systems) two processes may at worst store the
                # same bytes twice.
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
        """Learn the lines appended since the last reading, by this process or another."""
        now = os.fstat(index.descriptor)
        if not stat.S_ISREG(now.st_mode):
            raise OSError(errno.EINVAL, "the album's index is no file")
        size = now.st_size
        if size < self._read_to:  # another file by now: someone deleted or replaced it
            self._read_to = 0
        if size == self._read_to:
            return
        lines = os.pread(index.descriptor, size - self._read_to, self._read_to)
        if not lines.endswith(b"\n"):  # a writer died within the line; ours shall not continue it
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
        """Meet the folder for the first time: hash what the index does not know, and make sure that
        it is durable."""
        sweep(at.folder, b".")
        for name in names_in(at.folder):
            if not name.startswith(b"."):
                self._drop_reservation(name, at)
                self._sha256_of(name, at, index)
        os.fsync(at.folder)
        os.fsync(at.root)

    def _drop_reservation(self, name: bytes, at: _Open) -> None:
        """Remove the empty file that a crash left of a placing without links (see _move)."""
        known = self._photos.get(name)
        with contextlib.suppress(FileNotFoundError):
            if known and known.size and not os.lstat(name, dir_fd=at.folder).st_size:
                os.unlink(name, dir_fd=at.folder)

    def _find(self, sha256: str, at: _Open, index: _Index) -> bytes | None:
        names = sorted(self._names.get(sha256, ()))  # a copy: looking at a file may teach us others
        return next((name for name in names if self._sha256_of(name, at, index) == sha256), None)

    def _sha256_of(self, name: bytes, at: _Open, index: _Index) -> str | None:
        """The digest of what lies under ``name`` now, read again if it changed; None if that is no
        readable file."""
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
                # Put there by hand since we looked.
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
        """Give the part its name in the album in one step. Raises FileExistsError if taken."""
        folders: dict[str, Any] = {"src_dir_fd": part.folder, "dst_dir_fd": to.folder}
        try:
            os.link(part.name, to.name, **folders, follow_symlinks=False)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
        else:
            # Now, since it is a change of the inode; else a sweep does it.
            with contextlib.suppress(OSError):
                os.unlink(part.name, dir_fd=part.folder)
            return
        # Without links: reserve the name, then replace our own reservation. A crash in between
        # would leave an empty file, so the index durably says beforehand that this name is to have
        # more; dated as no file ever is, since it must not be believed of another file that came
        # first.
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
        # It fits on no line; such a file, put there by hand, is hashed at each start.
        if b"\n" in name:
            return
        # A full disk costs the next start a little hashing, and the photo is safe without its line.
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
    # Non-blocking, should a pipe have taken its place. The stat is from before: what changes
    # meanwhile differs later.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(place.name, flags, dir_fd=place.folder)
    with open(descriptor, "rb", buffering=0) as file:
        before = os.fstat(descriptor)
        os.fsync(descriptor)  # once it counts as stored it has to survive a power cut
        drop_from_cache(descriptor)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Photo(sha256, before.st_size, before.st_mtime_ns, before.st_ctime_ns)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
