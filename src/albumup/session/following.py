"""Follows another process that uploads, by the albums' totals in the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.states import UNDECIDED
from albumup.journal.summary import Summary, summary_of
from albumup.uploader.events import Progress


class Follower:
    """The progress of albums, read from the journal. ``before``: album id to the number of photos
    done before."""

    def __init__(
        self, journal: Journal, album_ids: Sequence[int], before: Mapping[int, int]
    ) -> None:
        self._journal, self._album_ids, self._before = journal, album_ids, before
        self._bytes_before = sum(summary_of(journal, album).there_bytes for album in album_ids)

    def albums(self) -> list[str]:
        """The albums' names, without albums that were forgotten meanwhile."""
        known = {album.id: album.name for album in runs.albums(self._journal)}
        return [known[one] for one in self._album_ids if one in known]

    def progress(self) -> Progress:
        """The albums' totals now."""
        sums = [summary_of(self._journal, album) for album in self._album_ids]
        return progress_of(sums, sum(self._before.values()), self._bytes_before)


def progress_of(sums: Sequence[Summary], before: int, bytes_before: int) -> Progress:
    """The progress of a run that others make. ``before``: the number of photos that were done
    before it."""
    done = sum(one.there for one in sums) - before
    done_bytes = sum(one.there_bytes for one in sums) - bytes_before
    left = sum(one.count(*UNDECIDED) for one in sums)
    left_bytes = sum(one.size(*UNDECIDED) for one in sums)
    return Progress(done, done + left, done_bytes, done_bytes + left_bytes, True, 0, 0, (), ())
