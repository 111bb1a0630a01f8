"""The command line: parse the arguments, call one function, and print.

A command's module is imported only when that command is typed.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click
from click.exceptions import NoArgsIsHelpError

from albumup.cli.app import App, shared
from albumup.cli.commands import COMMANDS
from albumup.cli.help import Group


class _Lazy(Group):
    """A group that finds its commands by name: completion runs the program at each Tab."""

    unsuggested = frozenset({"forget"})

    def main(self, *args: Any, **extra: Any) -> Any:  # this is click's own signature
        if "_ALBUMUP_COMPLETE" in os.environ:
            from albumup.cli.completing import install

            install()
        return super().main(*args, **extra)

    def before(self, ctx: click.Context) -> None:
        """On a terminal, first tell the notices that the user has not seen yet."""
        if sys.stderr.isatty() and not ctx.params.get("as_json"):
            from albumup.cli.late import tell_late

            tell_late(ctx.ensure_object(App))

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        found = getattr(
            importlib.import_module(f"albumup.cli.options.{module}"), cmd_name.replace("-", "_")
        )
        assert isinstance(found, click.Command)
        if ctx.resilient_parsing:  # the program runs to complete a word
            from albumup.cli.completing import equip

            equip(found)
        return found


@click.group(
    cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True
)
@shared
@click.pass_context
def cli(context: click.Context) -> int:
    """Upload a folder of photos as one album, and survive whatever happens on the way.

    \b
      albumup push ./trip --album trip     queue every photo, then upload
      albumup resume                       go on after any interruption
      albumup retry-failed                 give what failed a fresh set of tries
      albumup status                       where every album stands

    Without any configuration, photos are copied to an inbox on this computer.
    """
    if context.invoked_subcommand is not None:
        context.ensure_object(App).command = context.invoked_subcommand
        return 0
    if not sys.stdout.isatty():
        raise NoArgsIsHelpError(context)
    from albumup.cli.status import alone

    context.command.before(context)  # type: ignore[attr-defined]  # it is a _Lazy
    return alone(context.ensure_object(App))
