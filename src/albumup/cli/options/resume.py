"""``albumup resume``: go on after any interruption."""

from __future__ import annotations

from typing import Unpack

import click

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import WHAT, command, option
from albumup.cli.options.uploading import detach_option, upload_options
from albumup.cli.typed import ResumeOptions


@command(short_help="Go on after any interruption.")
@click.argument("albums", nargs=-1, metavar="[ALBUM...]")
@option("--target", group=WHAT, metavar="T", help="Only albums on this target.")
@detach_option()
@option("--in-background", type=int, hidden=True)
@option("--album-id", "album_ids", type=int, multiple=True, hidden=True)
@option("--spool-dir", hidden=True)
@upload_options()
@shared
@pass_app
def resume(
    app: App, /, albums: tuple[str, ...], target: str | None, **given: Unpack[ResumeOptions]
) -> int:
    """Settle what was cut off, lift holds, then send all that is waiting.

    \b
      albumup resume            every album
      albumup resume trip
      albumup resume --detach   in the background; close the window
    """
    from albumup.cli.resume import run

    return run(app, albums, target, given)
