"""Finds the journal's spelling of a path, on disks that take several."""

from __future__ import annotations

import functools
import os
import sqlite3
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from albumup.journal import media
from albumup.photos.file_names import bytes_of
from albumup.photos.scan import Root
from albumup.photos.spelling import Spelling, folded, resolved


class Journaled:
    """Paths in the journal's spelling: a photo keeps the name under which it was first found."""

    def __init__(self, connection: sqlite3.Connection, spelling: Spelling) -> None:
        self._connection, self._spelling = connection, spelling
        self._folders: tuple[int, dict[str, list[bytes]]] | None = None
        self._names: tuple[bytes, dict[str, list[bytes]]] = (b"", {})
        self._spelled: dict[bytes, bytes] = {}
        self._told_apart = b""
        """The last folder found to tell spellings apart."""

    def folder(self, path: bytes) -> bytes:
        """A folder in the spelling in which it, or a folder below or above it, was first pushed."""
        if path not in self._spelled:
            self._spelled[path] = self._as_journaled(path)
        return self._spelled[path]

    def _as_journaled(self, path: bytes) -> bytes:
        if not self._spelling.is_ambiguous(path) or media.has_below(self._connection, path):
            return path
        true = self._spelling.of(path)
        first = path
        # Roots are few, and usually enough. If not, look at the folders of all photos.
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
        folders = {
            one
            for album in media.albums(self._connection)
            for one in media.folders(self._connection, album)
        }
        return [(folded(folder), folder) for folder in sorted(folders)]

    def album(self, name: str, path: bytes) -> str:
        """The name of the folder's album if it is another spelling of ``name``, else ``name``."""
        names = media.albums_of_root(self._connection, self.folder(path))
        like = [one for one in names if folded(bytes_of(one)) == folded(bytes_of(name))]
        return name if name in names or not like else like[0]

    def photo(self, album_id: int, path: bytes) -> bytes | None:
        """Another spelling of ``path`` under which the album has the photo; None without one."""
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
        """Typed names of photos; where one leads to a photo of the album, the journal's path of
        that photo instead."""
        return [self.photo(album_id, os.path.abspath(name)) or name for name in names]


def _likely(path: bytes, roots: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """Spellings of a folder, taken from earlier folders that equal it, or lie below or above it,
    ignoring case."""
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


def as_journaled(roots: Iterable[Root], journaled: Journaled) -> list[Root]:
    """The roots, with their folders in the journal's spelling and without doubles."""
    found: dict[bytes, Root] = {}
    for root in roots:
        if root.is_folder:
            path = journaled.folder(root.path)
        else:
            path = os.path.join(
                journaled.folder(os.path.dirname(root.path)), os.path.basename(root.path)
            )
        found.setdefault(path, replace(root, path=path))
    return list(found.values())
