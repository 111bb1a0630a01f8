"""The names of photos on screens: base names, with folders if several photos share a base name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from albumup.cli.escaping import escape
from albumup.cli.layout import shortened
from albumup.journal import reading

if TYPE_CHECKING:
    from albumup.journal.journal import Journal

WIDEST = 44
"""Cells that a name takes at most; a wider name loses its middle."""
_MOST_KNOWN = 1000
_MOST_LOOKED_UP = 200
"""The most names whose twins are looked up, each in the whole album.

Further names are paths below the folder that all photos share.
"""
_MOST_TWINS = 1000


def telling(path: bytes, others: Iterable[bytes]) -> bytes:
    """The shortest end of a path, at a folder's border, that none of the other paths has.

    If there is none, it is the whole path.

        >>> telling(b"/card/DCIM/100/IMG_1.JPG", [b"/card/DCIM/101/IMG_1.JPG"])
        b'100/IMG_1.JPG'
    """
    parts = path.split(b"/")
    twins = [other.split(b"/") for other in others if other != path]
    for length in range(1, len(parts)):
        end = parts[-length:]
        twins = [twin for twin in twins if twin[-length:] == end]
        if not twins:
            return b"/".join(end)
    return path


class Names:
    """The names of some albums' photos. ``album_ids`` is called each time, as albums may join."""

    def __init__(self, journal: Journal, album_ids: Callable[[], Iterable[int]]) -> None:
        self._journal, self._album_ids = journal, album_ids
        self._known: dict[bytes, str] = {}
        self._looked_up = 0

    def of(self, path: bytes, most: int = WIDEST) -> str:
        """A photo's name, escaped, and at most ``most`` cells wide."""
        if path not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[path] = escape(self._told_apart(path), 4096)
        return shortened(self._known[path], most)

    def _told_apart(self, path: bytes) -> bytes:
        ids = list(self._album_ids())
        self._looked_up += 1
        if self._looked_up <= _MOST_LOOKED_UP:
            return telling(path, self._twins(ids, path))
        return path.removeprefix(os.path.join(self._shared(ids), b""))

    def _shared(self, ids: list[int]) -> bytes:
        """The folder that holds all photos; an index makes this two lookups per album."""
        ends: list[bytes] = []
        for album_id in ids:
            ends += map(os.path.dirname, reading.ends(self._journal.connection, album_id) or ())
        return os.path.commonpath(ends) if ends else b""

    def _twins(self, ids: list[int], path: bytes) -> list[bytes]:
        """The other photos with the same base name."""
        connection = self._journal.connection
        return [
            twin
            for album_id in ids
            for twin in reading.twins(connection, album_id, path, _MOST_TWINS)
        ]
