"""``albumup cancel`` and ``albumup forget``: give up what is not sent; drop a settled album from the journal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import command, option

if TYPE_CHECKING:
    from albumup.journal.journal import Journal
    from albumup.journal.rows import Album

_MOST_LINES = 3


@command(short_help="Give up what is not sent.")
@click.argument("album")
@click.argument("files", nargs=-1, metavar="[FILE...]")
@option("--target", metavar="T", help="Only the album on this target.")
@shared
@pass_app
def cancel(app: App, /, album: str, files: tuple[str, ...], target: str | None) -> int:
    """Give up the unsent photos of ALBUM, or only those named; nothing is deleted anywhere.

    \b
      albumup cancel trip
      albumup cancel trip IMG_4107.HEIC
    """
    from albumup.cli.albums import opened
    from albumup.cli.figures import photos
    from albumup.journal import admin, runs
    from albumup.journal.lock import FileLock
    from albumup.journal.opening import paths_of
    from albumup.photos.spelling import Spelling
    from albumup.session.journaled import Journaled
    from albumup.uploader.spooling import sweep

    found = opened(app, [album], target)
    assert found is not None  # without a journal there is no such album
    journal, meant = found
    names = [os.fsencode(name) for name in files]
    places = Journaled(journal.connection, Spelling())
    lock = FileLock(paths_of(journal.path)["lock"])
    alone = lock.take(0.0)
    try:
        with journal.transaction():
            if alone:
                runs.close_dead(journal)
            done = [admin.cancel(journal, one.id, places.named(one.id, names), alone=alone) for one in meant]
        if alone:
            sweep(journal, paths_of(journal.path)["spool"])
    finally:
        lock.release()
    cancelled = sum(one.cancelled for one in done)
    is_named = bool(files) and cancelled > len(files)  # a name is that of several
    app.screen.say(f"{photos(cancelled)} cancelled" + (":" if is_named else ""))
    if is_named:
        for line in _named(journal, meant, [path for one in done for path in one.paths], cancelled):
            app.screen.say(line)
    if sending := sum(one.sending for one in done):
        app.screen.say(f"{photos(sending)} being sent right now: left to the uploader")
    if sent := sum(one.sent for one in done) if files or not cancelled else 0:
        app.screen.say(f"{photos(sent)} sent before: left as {'it is' if sent == 1 else 'they are'}")
    if (before := sum(one.before for one in done)) and not cancelled:
        app.screen.say(f"{photos(before)} cancelled before")
    return 0


def _named(journal: Journal, albums: Sequence[Album], paths: Sequence[bytes], count: int) -> list[str]:
    """The first of ``count`` photos, told apart by their folders."""
    from albumup.cli.names import Names
    from albumup.cli.reasons import named

    names = Names(journal, lambda: [album.id for album in albums])
    return named(map(names.of, paths), count, _MOST_LINES)


@command(short_help="Drop a settled album from the journal.")
@click.argument("album")
@option("--target", metavar="T", help="Only the album on this target.")
@shared
@pass_app
def forget(app: App, /, album: str, target: str | None) -> int:
    """Drop ALBUM from the journal once it is settled; nothing is deleted on the server or on your disk.

    \b
      albumup forget trip
    """
    from albumup.cli.albums import opened
    from albumup.cli.words import by_state, title_of
    from albumup.errors import UsageError
    from albumup.journal import admin, copies, runs
    from albumup.journal.opening import paths_of
    from albumup.journal.states import WANTING
    from albumup.photos.file_names import quoted
    from albumup.uploader.spooling import drop_copies

    found = opened(app, [album], target)
    assert found is not None  # without a journal there is no such album
    journal, meant = found
    with journal.transaction():
        for one in meant:
            if runs.is_unfinished(journal, one.id):
                raise UsageError(
                    f"{album!r} on {one.target} is not settled: photos of it are still to be sent",
                    f"send them: albumup resume {quoted(album)}; or give them up: albumup cancel {quoted(album)}",
                )
        titles = [title_of(journal, one) for one in meant]
        tallies = [runs.tally(journal, one.id) for one in meant]
        lost = {state.value: count for state in sorted(WANTING) if (count := sum(one.count(state) for one in tallies))}
        unneeded = [copy for one in meant for copy in copies.of_album(journal, one.id)]
        for one in meant:
            admin.forget(journal, one.id)
    drop_copies(unneeded, paths_of(journal.path)["spool"])
    for title in titles:
        app.screen.say(f"{title} is forgotten; what was sent stays where it is")
    if lost:
        app.screen.say(f"Forgotten too, and not known to be there: {by_state(lost)}")
    return 0
