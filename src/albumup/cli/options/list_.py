"""``albumup list``: a line per photo. Creates nothing, imports little."""

from __future__ import annotations

from typing import Unpack

import click

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import OneOf, command, option
from albumup.cli.typed import ListOptions
from albumup.journal.states import State

_STATES = tuple(map(str, State))


@command("list", short_help="A line per photo: its state, and why.")
@click.argument("albums", nargs=-1, metavar="[ALBUM...]")
@option("--target", metavar="T", help="Only albums on this target.")
@option(
    "--state",
    "states",
    multiple=True,
    type=OneOf(_STATES),
    metavar="S",
    help=f"Only these (repeatable): {', '.join(_STATES)}.",
)
@option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@option("-0", "nul", is_flag=True, help="Paths only, NUL-separated.")
@shared
@pass_app
def list(app: App, /, albums: tuple[str, ...], **given: Unpack[ListOptions]) -> int:
    """A line per photo of the albums: state, size, path, and what went wrong.

    \b
      albumup list trip --state failed
      albumup list --json | jq -r 'select(.maybe_twice).path'
      albumup list trip --state missing -0 | xargs -0 ls -l
    """
    from albumup.cli.list_ import run

    return run(app, albums, given)
