"""``albumup stop``: stop uploading all albums, or some."""

from __future__ import annotations

import click

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import command, option


@command(short_help="Stop uploading, all of it or some albums.")
@click.argument("albums", nargs=-1, metavar="[ALBUM...]")
@option("--target", metavar="T", help="Only albums on this target.")
@option("--now", is_flag=True, help="Cut what is in flight; it is sent again, at no try's cost.")
@shared
@pass_app
def stop(app: App, /, albums: tuple[str, ...], target: str | None, now: bool) -> int:
    """Put albums on hold, and return when the uploader has let go of them.

    \b
      albumup stop              all albums; the uploader then ends
      albumup stop trip         one; the others go on
      albumup stop --now        and do not wait for what is in flight

    What is in flight finishes first. Albums stay on hold until resume or push: cron's retry-failed
    leaves them alone.
    """
    from albumup.cli.stop import run

    return run(app, albums, target, is_now=now)
