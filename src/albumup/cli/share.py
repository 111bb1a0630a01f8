"""``albumup share``: make or show an album's share link."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import command, option

if TYPE_CHECKING:
    from albumup.journal.journal import Journal
    from albumup.journal.rows import Album
    from albumup.targets.base import Target

_POLL = 0.1


@command(short_help="Make or show an album's share link.")
@click.argument("album")
@option("--target", metavar="T", help="Only the album on this target.")
@shared
@pass_app
def share(app: App, /, album: str, target: str | None) -> int:
    """Make ALBUM's share link, or show the one it has: whoever has the link sees the album.

    \b
      albumup share trip
    """
    from albumup.cli.albums import opened
    from albumup.cli.screen import put
    from albumup.journal.runs import target_definitions
    from albumup.targets.building import build

    found = opened(app, [album], target)
    assert found is not None  # without a journal there is no such album
    journal, meant = found
    for one in meant:
        server = build(one.target, app.config, target_definitions(journal))
        try:
            put(_living(app, journal, one, server) or _made(app, journal, replace(one, share=None), server))
        finally:
            server.close()
    return 0


def _living(app: App, journal: Journal, album: Album, server: Target) -> str | None:
    """The link that the album has, if the server still has it; None also where there is none."""
    from albumup.cli import words
    from albumup.errors import TryLater
    from albumup.targets.base import Unasked

    if album.share is None or not server.can_share:
        return album.share
    try:
        if server.has_link(server.http(), album.share):
            return album.share
    except Unasked as unasked:
        raise TryLater(f"{album.target} could not be asked for its link: {unasked}", "try again later") from None
    with journal.transaction():
        journal.unshared(album.id)
    app.screen.say(f"{words.shown_name(album.name)}: the link it had is gone; this is a new one")
    return None


def _made(app: App, journal: Journal, album: Album, server: Target) -> str:
    """The link, asked for in the journal first: a run makes it, too, if this does not get that far."""
    import asyncio

    from albumup.cli import words
    from albumup.errors import TryLater, UsageError
    from albumup.journal import runs
    from albumup.journal.lock import FileLock
    from albumup.journal.opening import paths_of
    from albumup.journal.states import DONE
    from albumup.targets.base import Unasked
    from albumup.uploader.albums import AlbumWork, directly

    name = words.shown_name(album.name)
    if not server.can_share:
        raise UsageError(
            f"{album.target} makes no share links",
            "a form of the config file may name one for its albums: its key share",
        )
    if not runs.tally(journal, album.id).count(*DONE):
        raise TryLater(f"nothing of {name} is on {server.address} yet", "send it first: albumup resume")
    with journal.transaction():
        journal.want_share(album.id)
    lock = FileLock(paths_of(journal.path)["lock"])
    if not lock.take(0.0):
        app.screen.say(f"An uploader is at work; the link of {name} is made by it, or when it has ended.")
    while not lock.take(0.0):
        if (url := _link_of(journal, album)) is not None:
            return url
        time.sleep(_POLL)

    def tell(about: Album, what: str) -> None:
        app.screen.say(f"{words.shown_name(about.name)}: {what}")

    try:
        if album.id not in {one.id for one in runs.albums(journal)}:
            raise UsageError(words.forgotten(album.name))
        work = AlbumWork(server, server.http(), directly(journal), tell)
        return _link_of(journal, album) or asyncio.run(work.share(album))
    except Unasked as unasked:
        hint = f"the link of {name} is made by the next: albumup resume"
        raise TryLater(f"{album.target}: {unasked}", hint) from None
    finally:
        lock.release()


def _link_of(journal: Journal, album: Album) -> str | None:
    """The link that the journal has by now."""
    from albumup.journal import runs

    return next((one.share for one in runs.albums(journal) if one.id == album.id), None)
