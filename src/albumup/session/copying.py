"""The copies that an uploader makes for ``push --spool``, seen from another process.

The journal tells of them: it has a copy only after the copy is durable.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from albumup.journal import copies, runs
from albumup.journal.copies import ToCopy
from albumup.journal.journal import Journal
from albumup.journal.states import State
from albumup.journal.summary import summary_of
from albumup.photos.source import Place, root_is_away
from albumup.session.totals import Before, totals, totals_now
from albumup.uploader.events import Progress

_LOOK = 1.0
"""The least seconds between two looks for the folders that photos are copied from."""


class Copying:
    """The photos of some albums that were to be copied when this object was made."""

    def __init__(self, journal: Journal, album_ids: Sequence[int]) -> None:
        self._journal, self._album_ids = journal, album_ids
        self.left = copies.to_come(journal, album_ids)
        """Photos that are still to be copied, by root."""
        self.away: dict[bytes, str] = {}
        """The roots from which photos cannot be copied now, with the reason."""
        self.is_needed = bool(self.left)
        self._photos = sum(one.photos for one in self.left)
        self._size = sum(one.size for one in self.left)
        self._missing = self._missing_now() if self.left else 0
        self._before: Before | None = None
        """The photos and bytes that were on the server at the first look."""
        self._looked = 0.0

    def look(self) -> bool:
        """Look again; return True as soon as nothing is left that can be copied."""
        self.left = copies.to_come(self._journal, self._album_ids)
        now = time.monotonic()
        if self.left and now >= self._looked + _LOOK:
            self._looked = now
            self.away = {one.root.path: why for one in self.left if (why := _why_away(one))}
        return all(one.root.path in self.away for one in self.left)

    def copied(self) -> int:
        """The number of photos that were copied, without unreadable ones."""
        left = sum(one.photos for one in self.left)
        return self._photos - left - (self._missing_now() - self._missing)

    def progress(self) -> Progress:
        left = sum(one.size for one in self.left)
        if self._before is None:
            self._before = totals_now(self._journal, self._album_ids)
        return replace(
            totals(self._journal, self._album_ids, self._before),
            is_complete=False,
            spooled_bytes=max(0, self._size - left),
            spool_total=self._size,
        )

    def albums(self) -> list[str]:
        """The albums' names."""
        known = {album.id: album.name for album in runs.albums(self._journal)}
        return [known[one] for one in self._album_ids if one in known]

    def _missing_now(self) -> int:
        known = [one.id for one in runs.albums(self._journal) if one.id in self._album_ids]
        return sum(summary_of(self._journal, one).count(State.MISSING) for one in known)


def _why_away(one: ToCopy) -> str:
    return root_is_away(one.root.path, Place(one.root.volume), is_folder=one.root.is_folder)
