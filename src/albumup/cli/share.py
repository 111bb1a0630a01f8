"""``albumup share``: make or show an album's share link."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import command, option

if TYPE_CHECKING:
    from albumup.session.sharing import Told


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
    from albumup.cli.words import shown_name
    from albumup.journal.runs import target_definitions
    from albumup.session import sharing
    from albumup.targets.registry import build

    found = opened(app, [album], target)
    assert found is not None  # without a journal there is no such album
    journal, meant = found
    name = shown_name(album)
    for one in meant:
        server = build(one.target, app.config, target_definitions(journal))
        try:
            put(sharing.share(journal, one, server, name, lambda told: app.screen.say(_sentence(name, told))))
        finally:
            server.close()
    return 0


def _sentence(name: str, told: Told) -> str:
    from albumup.session.sharing import LinkGone, UploaderAtWork

    match told:
        case LinkGone():
            return f"{name}: the link it had is gone; this is a new one"
        case UploaderAtWork():
            return f"An uploader is at work; the link of {name} is made by it, or when it has ended."
    return f"{name}: {told.words}"
