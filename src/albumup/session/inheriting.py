"""Waits beside an uploader that was begun at a terminal, to go on with albums when that ends early.

Whoever detaches does not want a Ctrl-C at another terminal, or its end, to end the work.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.lock import is_locked
from albumup.journal.opening import journal_gone, paths_of
from albumup.session.others import STOPPED, was_stopped

_POLL = 0.5
"""Seconds between two looks, fewer than others wait for a run that goes on for another one."""


def inherit(
    journal: Journal, run: runs.Run, album_ids: Sequence[int], signals: Sequence[int]
) -> int | None:
    """Wait until a run has ended, or is done with the albums; return this process's exit code, or
    None if it has to send them. ``signals``: those that came.

    Raises LocalError if the journal is gone from its place.
    """
    lock = paths_of(journal.path)["lock"]
    while not signals:
        is_over = not is_locked(lock) or runs.run_of(journal, run.id).ended is not None
        unfinished = [album for album in album_ids if runs.is_unfinished(journal, album)]
        if not unfinished:
            return 0
        if was_stopped(journal, run.id, unfinished):
            return STOPPED
        if is_over:
            return STOPPED if runs.on_hold(journal).issuperset(unfinished) else None
        if not journal.is_in_place():
            raise journal_gone(journal.path, run.pid)
        time.sleep(_POLL)
    return 128 + signals[0]
