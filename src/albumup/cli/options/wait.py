"""``albumup wait``: wait for albums, in scripts."""

from __future__ import annotations

import click

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import command, option


@command(short_help="Return when albums are done; for scripts.")
@click.argument("albums", nargs=-1, required=True, metavar="ALBUM...")
@option("--target", metavar="T", help="Only albums on this target.")
@option("--timeout", metavar="TIME", help="How long to wait at most, as in 30s, 10m, 2h.")
@shared
@pass_app
def wait(app: App, /, albums: tuple[str, ...], target: str | None, timeout: str | None) -> int:
    """Wait until albums are done, say nothing, and end with their exit code.

    \b
      albumup wait trip && eject /media/card
      albumup wait trip --timeout 8h

    0: all of it is sent. 3: done, but some photos did not get there. 75: the time is over, or
    nobody uploads what is left. If the uploader ends before, the code is that of its run.
    """
    from albumup.cli.wait import run

    return run(app, albums, target, timeout)
