"""The progress of albums that another process uploads, by their totals in the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from albumup.journal.journal import Journal
from albumup.journal.states import UNDECIDED
from albumup.journal.summary import Summary, summary_of
from albumup.uploader.events import Progress

Before = Mapping[int, tuple[int, int]]
"""Album id to the photos and bytes that were done before."""


def totals(journal: Journal, album_ids: Sequence[int], before: Before) -> Progress:
    """The progress of albums by their present totals. ``before``: subtracted from the totals."""
    sums = [summary_of(journal, album) for album in album_ids]
    counted = [before.get(album, (0, 0)) for album in album_ids]
    return progress_of(sums, sum(one[0] for one in counted), sum(one[1] for one in counted))


def totals_now(journal: Journal, album_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """The photos and bytes that are done by now, as a ``before`` of a later ``totals``."""
    found = ((album, summary_of(journal, album)) for album in album_ids)
    return {album: (one.there, one.there_bytes) for album, one in found}


def progress_of(sums: Sequence[Summary], before: int, bytes_before: int) -> Progress:
    """The progress of another process's run. ``before``: the photos that were done before it."""
    done = sum(one.there for one in sums) - before
    done_bytes = sum(one.there_bytes for one in sums) - bytes_before
    left = sum(one.count(*UNDECIDED) for one in sums)
    left_bytes = sum(one.size(*UNDECIDED) for one in sums)
    return Progress(done, done + left, done_bytes, done_bytes + left_bytes, True, 0, 0, (), ())
