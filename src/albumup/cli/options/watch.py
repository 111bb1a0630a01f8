"""``albumup watch``: the work of the uploading process, on another terminal."""

from __future__ import annotations

import click

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import command, option


@command(short_help="Push's own screen, from another terminal.")
@click.argument("albums", nargs=-1, metavar="[ALBUM]")
@option("--target", metavar="T", help="Only albums on this target.")
@option("--json", "as_json", is_flag=True, help="Events on stdout, one JSON object a line.")
@shared
@pass_app
def watch(app: App, /, albums: tuple[str, ...], target: str | None, as_json: bool) -> int:
    """Watch the process that uploads: its bars, what goes wrong, and how it ends.

    \b
      albumup watch             all that is being uploaded
      albumup watch trip        until trip is done; ends with its exit code

    Ctrl-C leaves it, and stops nothing. If nobody uploads, it says where things stand.
    """
    from albumup.cli.watch import run

    return run(app, albums, target, as_json)
