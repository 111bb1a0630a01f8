"""``albumup cancel`` and ``albumup forget``: give up unsent photos; drop a settled album."""

from __future__ import annotations

import click

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import command, option


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
    from albumup.cli.cancel import cancel as cancel_

    return cancel_(app, album, files, target)


@command(short_help="Drop a settled album from the journal.")
@click.argument("album")
@option("--target", metavar="T", help="Only the album on this target.")
@shared
@pass_app
def forget(app: App, /, album: str, target: str | None) -> int:
    """Drop ALBUM from the journal once it is settled; nothing is deleted on the server or on your
    disk.

    \b
      albumup forget trip
    """
    from albumup.cli.cancel import forget as forget_

    return forget_(app, album, target)
