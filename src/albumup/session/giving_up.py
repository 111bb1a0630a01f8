"""Cancels unsent photos, and forgets settled albums. Only journal and spool lose something."""

from __future__ import annotations

import os
from collections.abc import Sequence

from albumup.errors import UsageError
from albumup.journal import admin, copies, runs
from albumup.journal.admin import Cancelled
from albumup.journal.journal import Journal
from albumup.journal.lock import FileLock
from albumup.journal.opening import paths_of
from albumup.journal.rows import Album
from albumup.journal.states import WANTING
from albumup.journal.summary import summary_of
from albumup.photos.spelling import Spelling
from albumup.session.journaled import Journaled
from albumup.uploader.commands import album_command
from albumup.uploader.spooling import drop_copies, sweep


def cancel(journal: Journal, albums: Sequence[Album], files: Sequence[str]) -> list[Cancelled]:
    """Cancel the unsent photos of albums, or only those that ``files`` name; return the numbers of
    each album.

    Photos that are being sent are left to the uploader. Raises UsageError for a file that is not in
    an album.
    """
    names = [os.fsencode(name) for name in files]
    places = Journaled(journal.connection, Spelling())
    lock = FileLock(paths_of(journal.path)["lock"])
    alone = lock.take(0.0)
    try:
        with journal.transaction():
            if alone:
                runs.close_dead(journal)
            done = [
                admin.cancel(journal, one.id, places.named(one.id, names), alone=alone)
                for one in albums
            ]
        if alone:
            sweep(journal, paths_of(journal.path)["spool"])
    finally:
        lock.release()
    return done


def forget(journal: Journal, albums: Sequence[Album]) -> dict[str, int]:
    """Delete settled albums from the journal; return the numbers of the unsent photos by state.

    Raises UsageError if an album is not settled.
    """
    with journal.transaction():
        for one in albums:
            if runs.is_unfinished(journal, one.id):
                send, give_up = (album_command(journal, do, one) for do in ("resume", "cancel"))
                raise UsageError(
                    f"{one.name!r} on {one.target} is not settled: "
                    "photos of it are still to be sent",
                    f"send them: {send}; or give them up: {give_up}",
                )
        sums = [summary_of(journal, one.id) for one in albums]
        lost = {
            state.value: count
            for state in sorted(WANTING)
            if (count := sum(one.count(state) for one in sums))
        }
        unneeded = [copy for one in albums for copy in copies.of_album(journal, one.id)]
        for one in albums:
            admin.forget(journal, one.id)
    drop_copies(unneeded, paths_of(journal.path)["spool"])
    return lost
