"""``albumup schedule``: has albumup run regularly."""

from __future__ import annotations

import click

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import Command, OneOf, option
from albumup.session.scheduling import KINDS


class _Schedule(Command):
    """A command whose arguments are another command's words."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return click.Command.parse_args(self, ctx, args)
        except click.NoSuchOption as error:
            ctx.fail(
                f"schedule has no option {error.option_name!a}; "
                "those of the command that it runs stand behind --"
            )


@click.command(
    "schedule", cls=_Schedule, short_help="Run albumup regularly: by cron, systemd or launchd."
)
@click.argument("kind", required=False, type=OneOf(KINDS), metavar="[cron|systemd|launchd]")
@option("--install", "installs", is_flag=True, help="Have it run from now on.")
@option("--remove", "removes", is_flag=True, help="Have it run no more.")
@click.argument("words", nargs=-1, metavar="[-- COMMAND...]")
@shared
@pass_app
def schedule(
    app: App, /, kind: str | None, words: tuple[str, ...], installs: bool, removes: bool
) -> int:
    """Have retry-failed, or another command, run regularly. Alone: what is installed.

    \b
      albumup schedule cron               what would be put into your crontab
      albumup schedule systemd --install  every 15 minutes: albumup retry-failed
      albumup schedule cron --install -- push ~/Pictures --album camera
      albumup schedule cron --remove
    """
    from albumup.cli.schedule import run

    return run(app, kind, words, installs=installs, removes=removes)
