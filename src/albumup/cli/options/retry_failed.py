"""``albumup retry-failed``: failed photos get fresh tries. Without names, it works for cron."""

from __future__ import annotations

from typing import Unpack

import click

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import WHAT, Whole, command, option
from albumup.cli.options.uploading import upload_options
from albumup.cli.typed import RetryOptions


@command(
    "retry-failed", short_help="Give what failed a fresh set of tries (from cron, or by name)."
)
@click.argument("albums", nargs=-1, metavar="[ALBUM...]")
@option("--target", group=WHAT, metavar="T", help="Only albums on this target.")
@option("--all", "every", group=WHAT, is_flag=True, help="All albums, their rounds begun anew.")
@option("--rejected", group=WHAT, is_flag=True, help="What was rejected, too.")
@option(
    "--in-doubt",
    group=WHAT,
    is_flag=True,
    help="What is in doubt, too, even where it may then be there twice.",
)
@option(
    "--rounds",
    group=WHAT,
    type=Whole(0),
    metavar="N",
    help="Fresh sets a photo gets from cron (5).",
)
@upload_options(patience="not at all")
@shared
@pass_app
def retry_failed(
    app: App,
    /,
    albums: tuple[str, ...],
    target: str | None,
    every: bool,
    **given: Unpack[RetryOptions],
) -> int:
    """Give failed and missing photos a fresh set of tries, then send all that is waiting.

    \b
      albumup retry-failed           from cron: 5 rounds, silent without news
      albumup retry-failed trip      now, the rounds begun anew
    """
    from albumup.cli.retry_failed import run

    return run(app, albums, target, every, given)
