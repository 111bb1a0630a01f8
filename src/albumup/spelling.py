"""One folder in two spellings: some disks do not tell Trip from TRIP (macOS, NTFS, exFAT, FAT, SMB, ext4's casefold),
or one Unicode form from the other (macOS). They have one name of each file all the same, which their listings show.

A disk is asked, never guessed: a name is looked up in another spelling, and where that is there its folder is listed.
On a disk that tells names apart this costs a look-up or two for a folder, and changes nothing.
"""

from __future__ import annotations

import functools
import os
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from albumup.file_names import bytes_of, text_of
from albumup.journal import media
from albumup.volumes import file_system_of

_FOLDERS = 1 << 14
"""Folders whose names are remembered."""
_LISTINGS = 16


def folded(path: bytes) -> str:
    """Equal for all spellings of a path that some disk may take for one; for some that it tells apart, too."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text_of(path)).casefold())


class Spelling:
    """Names as the disk has them, while one command looks."""

    def __init__(self) -> None:
        self._folder = functools.lru_cache(_FOLDERS)(self._on_disk)
        self._names_in = functools.lru_cache(_LISTINGS)(_listing)
        self._mounts = functools.lru_cache(_FOLDERS)(_mounts_what_is_looked_up)

    def of(self, path: bytes) -> bytes:
        """An absolute path as the disk spells it, its links as they were named; as it is where nothing is there."""
        return self._on_disk(path)[0]

    def is_ambiguous(self, folder: bytes) -> bool:
        """Does another spelling of a folder's absolute path lead to the same?"""
        return self._folder(folder)[1]

    def _on_disk(self, path: bytes) -> tuple[bytes, bool]:
        folder, name = os.path.split(path)
        if not name:
            return path, False
        folder, is_ambiguous = self._folder(folder)
        others = [] if self._mounts(folder) else list(resolved(folder, name))
        if not others:
            return os.path.join(folder, name), is_ambiguous
        likely = self._names_in(folder)[0].get(folded(name), [])
        if name in likely:  # and where the others are in the listing, too, they are other files
            return os.path.join(folder, name), is_ambiguous or not set(others) <= set(likely)
        return os.path.join(folder, self._name(folder, name, likely)), True

    def _name(self, folder: bytes, name: bytes, likely: Sequence[bytes]) -> bytes:
        """The name by which a folder's listing has a file that is there, but not listed under ``name``.

        By inode, and where those are made up for each spelling (some FUSE, some CIFS), by what is the only likely one.
        """
        path = os.path.join(folder, name)
        try:
            inode = os.lstat(path).st_ino
        except OSError:
            return name
        # A short name of FAT's, HOLIDA~1 for Holidays, is like the long one in nothing but the file.
        names = [*likely, *self._names_in(folder)[1].get(inode, [])]
        only = likely[0] if len(likely) == 1 else name
        return next((other for other in names if is_same(path, os.path.join(folder, other))), only)


def _mounts_what_is_looked_up(folder: bytes) -> bool:
    """Is each name in a folder that of a server, so that another spelling would be looked for on the network?"""
    return file_system_of(folder) == "autofs"


def resolved(folder: bytes, name: bytes) -> Iterator[bytes]:
    """Other spellings of a file's name under which a folder has a file as well: that one, or another one."""
    if os.path.lexists(os.path.join(folder, name)):
        yield from (other for other in _others(name) if os.path.lexists(os.path.join(folder, other)))


def is_same(path: bytes, other: bytes) -> bool:
    """Do two names lead to one file, or to one link?"""
    try:
        return os.path.samestat(os.lstat(path), os.lstat(other))
    except OSError:
        return False


def _others(name: bytes) -> Iterator[bytes]:
    """Other spellings of a name, one for each way in which a disk may be blind."""
    text = text_of(name)
    forms = [bytes_of(text.swapcase())]
    if not name.isascii():
        forms += [bytes_of(unicodedata.normalize(form, text)) for form in ("NFC", "NFD")]
    yield from dict.fromkeys(form for form in (name.swapcase(), *forms) if form != name)


_Names = tuple[dict[str, list[bytes]], dict[int, list[bytes]]]


def _listing(folder: bytes) -> _Names:
    """The names in a folder, by what their spellings have in common, and by inode."""
    by_name: dict[str, list[bytes]] = {}
    by_inode: dict[int, list[bytes]] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                by_name.setdefault(folded(entry.name), []).append(entry.name)
                by_inode.setdefault(entry.inode(), []).append(entry.name)
    except OSError:
        pass
    return by_name, by_inode


class Journaled:
    """Places as the journal spells them: a photo keeps the name under which it was first found."""

    def __init__(self, connection: sqlite3.Connection, spelling: Spelling) -> None:
        self._connection, self._spelling = connection, spelling
        self._folders: tuple[int, dict[str, list[bytes]]] | None = None
        self._names: tuple[bytes, dict[str, list[bytes]]] = (b"", {})
        self._spelled: dict[bytes, bytes] = {}
        self._told_apart = b""
        """The last folder that turned out to tell names apart."""

    def folder(self, path: bytes) -> bytes:
        """A folder, spelled as that or one below or above it was when it was pushed first."""
        if path not in self._spelled:
            self._spelled[path] = self._as_journaled(path)
        return self._spelled[path]

    def _as_journaled(self, path: bytes) -> bytes:
        if not self._spelling.is_ambiguous(path) or media.has_below(self._connection, path):
            return path
        true = self._spelling.of(path)
        first = path
        # Roots are few, and most often tell; if not, one of the folders below or above them may.
        for known in (self._by_root, self._by_photo):
            for likely in _likely(path, known):
                if self._spelling.of(likely) != true:
                    continue
                if media.has_below(self._connection, likely):
                    return likely
                if first == path:
                    first = likely
        return first

    @functools.cached_property
    def _by_root(self) -> list[tuple[str, bytes]]:
        return [(folded(root), root) for root in media.roots(self._connection)]

    @functools.cached_property
    def _by_photo(self) -> list[tuple[str, bytes]]:
        folders = {one for album in media.albums(self._connection) for one in media.folders(self._connection, album)}
        return [(folded(folder), folder) for folder in sorted(folders)]

    def album(self, name: str, path: bytes) -> str:
        """The name of a folder's album, where that is another spelling of ``name``; else ``name``."""
        names = media.albums_of_root(self._connection, self.folder(path))
        like = [one for one in names if folded(bytes_of(one)) == folded(bytes_of(name))]
        return name if name in names or not like else like[0]

    def photo(self, album_id: int, path: bytes) -> bytes | None:
        """Under which other spelling an album has the photo that lies at ``path``; None: under none."""
        folder, name = os.path.split(path)
        if folder == self._told_apart:
            return None
        if not any(resolved(folder, name)):
            if name.swapcase() != name:
                self._told_apart = folder
            return None
        if self._folders is None or self._folders[0] != album_id:
            self._folders = album_id, _by_spelling(media.folders(self._connection, album_id))
        for other in self._folders[1].get(folded(folder), ()):
            if self._names[0] != other:
                self._names = other, _by_spelling(media.names_in(self._connection, album_id, other))
            for likely in self._names[1].get(folded(name), ()):
                place = os.path.join(other, likely)
                if place != path and self._spelling.of(place) == self._spelling.of(path):
                    return place
        return None

    def named(self, album_id: int, names: Iterable[bytes]) -> list[bytes]:
        """Names of photos, as they were typed: those that lead to one of the album's as that is spelled there."""
        return [self.photo(album_id, os.path.abspath(name)) or name for name in names]


def _likely(path: bytes, roots: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """Spellings of a folder in what was pushed before: of the folder itself, one below it, or one above."""
    parts, common = path.split(b"/"), folded(path)
    for root_folded, root in roots:
        of_root = root.split(b"/")
        if f"{root_folded}/".startswith(f"{common}/"):
            yield b"/".join(of_root[: len(parts)])
        elif common.startswith(f"{root_folded}/"):
            yield b"/".join(of_root + parts[len(of_root) :])


def _by_spelling(names: Iterable[bytes]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for name in names:
        found.setdefault(folded(name), []).append(name)
    return found
