"""``albumup share``: make or show an album's share link."""

from __future__ import annotations

import click

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import command, option


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
    from albumup.cli.share import run

    return run(app, album, target)
