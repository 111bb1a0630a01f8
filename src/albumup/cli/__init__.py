"""The command line: parse, call one function below, print. A command's module is imported when it is typed."""

from __future__ import annotations

import importlib

import click

from albumup.cli.app import shared
from albumup.cli.commands import COMMANDS


class _Lazy(click.Group):
    """A group whose commands are found by name: completion runs the program at each Tab."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        found = getattr(importlib.import_module(f"albumup.cli.{module}"), cmd_name.replace("-", "_"))
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from albumup.template import did_you_mean

            ctx.fail(f"there is no command {args[0]!a}{did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [
            (name, (self.get_command(ctx, name) or click.Command(name)).get_short_help_str(60)) for name in COMMANDS
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@shared
def cli() -> None:
    """Upload a folder of photos as one album, and survive whatever happens on the way.

    \b
      albumup push ./trip --album trip     queue every photo, then upload
      albumup resume                       go on after any interruption
      albumup retry-failed                 give what failed a fresh set of tries
      albumup status                       where every album stands

    Without any configuration, photos are copied to an inbox on this computer.
    """
