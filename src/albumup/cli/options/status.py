"""``albumup status``: where every album stands. Creates nothing, imports little."""

from __future__ import annotations

import click

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import command, option


@command(short_help="Where every album stands, and who is uploading.")
@click.argument("albums", nargs=-1, metavar="[ALBUM...]")
@option("--target", metavar="T", help="Only albums on this target.")
@option("--json", "as_json", is_flag=True, help="One JSON object.")
@shared
@pass_app
def status(app: App, /, albums: tuple[str, ...], target: str | None, as_json: bool) -> int:
    """A line per album: what is sent, what waits, what failed, who is uploading.

    \b
      albumup status
      albumup status --json
    """
    from albumup.cli.status import run

    return run(app, albums, target, as_json)
