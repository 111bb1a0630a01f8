"""Reads the identifiers by which the halves of live photos in one folder are found.

Clips are read first, which costs next to nothing. Stills are read only if a clip in their folder
wants one, and stills with a name near the clip's come first.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from albumup.journal.live import Half, Halves, near
from albumup.photos.metadata.reader import MetadataReader, can_read
from albumup.photos.pins import as_pinned, is_loose


def read(halves: Halves, folders: Iterable[bytes], files_in: Iterable[bytes]) -> int:
    """Tell ``halves`` the identifiers; return the number of clips that may want a still which
    cannot be read here.

    ``folders``: were pushed as a whole. ``files_in``: the folders of files that were pushed singly.
    """
    places = _Places(frozenset(folders), frozenset(files_in))
    unreadable = 0
    with MetadataReader() as reader:
        for clip in halves.unheard_clips():
            if places.hold(clip) and _is_there(clip):
                halves.hear(clip, reader.content_id(clip.path, clip.mime))
        for folder, wanted in halves.folders():
            if places.cover(folder):
                unreadable += _read_stills(halves, reader, folder, wanted)
    return unreadable


def _read_stills(
    halves: Halves, reader: MetadataReader, folder: bytes, wanted: dict[str, set[bytes]]
) -> int:
    """Read stills until each identifier was found; return how many were not, 0 if all stills could
    be read."""
    nears = set().union(*wanted.values())
    left = set(wanted)
    is_blind = False
    for still in halves.unheard_stills(folder, nears):
        if not left and near(os.path.basename(still.path)) not in nears:
            break
        if not can_read(still.mime):
            is_blind = True
        elif _is_there(still):
            found = reader.content_id(still.path, still.mime)
            halves.hear(still, found)
            left.discard(found)
    return len(left) if is_blind else 0


def _is_there(half: Half) -> bool:
    """Is the file still the one that the journal knows?"""
    if half.pins is None:
        return True
    try:
        return as_pinned(half.pins, os.stat(half.path), loose=is_loose(half.path))
    except OSError:
        return False


class _Places:
    """The folders and files that were pushed."""

    def __init__(self, folders: frozenset[bytes], files_in: frozenset[bytes]) -> None:
        self._folders, self._files_in = folders, files_in
        self._covered: dict[bytes, bool] = {}

    def hold(self, half: Half) -> bool:
        return half.pins is None or self.cover(os.path.dirname(half.path))

    def cover(self, folder: bytes) -> bool:
        if folder not in self._covered:
            above = folder
            while above not in self._folders and above != os.path.dirname(above):
                above = os.path.dirname(above)
            self._covered[folder] = above in self._folders or folder in self._files_in
        return self._covered[folder]
