"""``albumup verify``: prove an album's photos, and say whether the folder may be erased."""

from __future__ import annotations

import click

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import command, option


@command(short_help="Prove every photo: may the folder be erased?")
@click.argument("album")
@option("--target", metavar="T", help="Only the album on this target.")
@option("--deep", is_flag=True, help="Download every original, and compare its SHA-256.")
@option("-0", "nul", is_flag=True, help="Print the proven paths, NUL after each, for xargs -0.")
@shared
@pass_app
def verify(app: App, /, album: str, target: str | None, deep: bool, nul: bool) -> int:
    """Ask the server for every photo of ALBUM and look at its original there, read what lies in the
    folder again from the disk, and say whether that is safe to erase.

    \b
      albumup verify trip
      albumup verify trip --deep
      albumup verify trip -0 | xargs -0 -r rm --

    Exit code 0 only if it is; nothing is changed anywhere.
    """
    from albumup.cli.verify import run

    return run(app, album, target, deep, nul)
