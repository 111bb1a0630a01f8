"""A folder of albums. It takes a photo in whole, checked and durable, or not at all.

ROOT/ALBUM/photo.jpg          the photos, flat
ROOT/.albumup/ALBUM.sha256    the index of each album
ROOT/.albumup/id              a random word that tells this store from others
ROOT/.incoming/RANDOM.part    photos on their way in, flocked by their writers
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from albumup.disk import make_folder
from albumup.errors import LocalError
from albumup.photos.file_names import text_of
from albumup.photos.leftovers import STORE_FOLDERS
from albumup.receive.album import Album
from albumup.receive.names import album_folder_name, photo_name
from albumup.receive.no_links import LinkInTheWay, inside, make, opened
from albumup.receive.parts import Part, sweep

INDEXES, INCOMING = STORE_FOLDERS
STORE_ID = b"id"


@dataclass(frozen=True, slots=True)
class Stored:
    """A photo in an album: the folder, the name of the file, its SHA-256, and whether it is new."""

    folder: str
    name: str
    sha256: str
    created: bool

    @property
    def id(self) -> str:
        """The photo's place below the store's root."""
        return f"{self.folder}/{self.name}"


class Tally:
    """Counts of a receiver since it began: new photos and their bytes, photos that came again, and
    the folders of their albums. For many threads."""

    def __init__(self) -> None:
        self.photos = self.size = self.again = 0
        self.folders: set[str] = set()
        self._lock = threading.Lock()

    def note(self, stored: Stored, size: int) -> None:
        """``size`` in bytes."""
        with self._lock:
            self.folders.add(stored.folder)
            self.photos += stored.created
            self.size += size * stored.created
            self.again += not stored.created


class Store:
    """The folder ``root``, made (0700) if it is missing, for any number of threads and processes.

    Raises LocalError if the folder cannot be made or written.
    """

    def __init__(self, root: str | bytes, log: Callable[[str], None] = lambda _: None) -> None:
        """``log`` gets words about damaged files, from many threads, with their names as they
        are."""
        self.root = os.path.abspath(os.fsencode(root))
        self._log = log
        self._albums: dict[str, Album] = {}
        self._lock = threading.Lock()
        try:
            make_folder(self.root)
            with opened(self.root) as folder:
                for name in STORE_FOLDERS:
                    make(folder, name)
                with inside(folder, INCOMING) as incoming:
                    sweep(incoming)
                with inside(folder, INDEXES) as indexes:
                    if not self.id:
                        _make_id(indexes)
        except LinkInTheWay as error:
            where = text_of(self.root)
            raise LocalError(
                f"cannot keep photos in {where}: {error.strerror}", "remove that link"
            ) from error
        except OSError as error:
            raise LocalError(
                f"cannot keep photos in {text_of(self.root)}: {error.strerror}"
            ) from error

    @property
    def id(self) -> str:
        """The word that tells this store from others. It is read each time: if two processes make
        the store at once, the later one's word holds."""
        return store_id(self.root) or ""

    def incoming(self) -> Part:
        """A part for a photo's bytes. Raises OSError."""
        with opened(self.root) as root:
            return Part(root, INCOMING)

    def keep(self, part: Part, album: str, name: str, mtime_ns: int | None = None) -> Stored:
        """Put a whole photo into an album, durably, unless the album has these bytes.

        ``name``: the wanted one, of any form; ``mtime_ns``: the file's time. Raises OSError; then
        nothing is kept.
        """
        photo = part.seal(mtime_ns)
        kept, created = self._album(album).place(part.place, photo, photo_name(name))
        return Stored(album_folder_name(album), kept, photo.sha256, created)

    def have(self, album: str, digests: Iterable[str], *, read: bool = False) -> dict[str, str]:
        """The photos of these SHA-256 (lower-case hex) that the album has: digest -> name.
        ``read``: read each again from the disk, which takes time. Raises OSError."""
        return self._album(album).find(digests, read=read)

    def _album(self, album: str) -> Album:
        folder = album_folder_name(album)
        with self._lock:
            if folder not in self._albums:
                self._albums[folder] = Album(self.root, folder.encode(), self._log)
            return self._albums[folder]


def _make_id(folder: int) -> None:
    """Make the store's id; a store on a full disk has none."""
    new = secrets.token_hex(8).encode() + b".new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with contextlib.suppress(OSError):
        try:
            descriptor = os.open(new, flags, 0o600, dir_fd=folder)
            with open(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(16) + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, STORE_ID, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
        except OSError:
            os.unlink(new, dir_fd=folder)
            raise


def store_id(root: bytes) -> str | None:
    """The id of the receiver's store at ``root``; None if none can be read there."""
    try:
        with opened(root) as folder, inside(folder, INDEXES) as indexes:
            descriptor = os.open(
                STORE_ID, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=indexes
            )
            with open(descriptor, encoding="ascii") as file:
                return file.read(100).strip() or None
    except (OSError, ValueError):
        return None
