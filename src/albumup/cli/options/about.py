"""``albumup help`` and ``albumup version``, which people try before they know the options."""

from __future__ import annotations

import click

from albumup.cli.app import shared
from albumup.cli.help import command, help_of


@command(short_help="The help of a command.")
@click.argument("words", nargs=-1, metavar="[COMMAND...]")
@shared
@click.pass_context
def help(ctx: click.Context, /, words: tuple[str, ...]) -> int:
    """What a command does and its options, as its --help shows them.

    \b
      albumup help push
      albumup help target add
    """
    from albumup.cli.screen import put

    put(help_of(ctx, words))
    return 0


@command(short_help="The version.")
@shared
def version() -> int:
    """The version of albumup, as -V shows it.

    \b
      albumup version
    """
    from albumup import __version__
    from albumup.cli.screen import put

    put(f"albumup {__version__}")
    return 0
