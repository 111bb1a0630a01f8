"""``albumup list``: a line per photo. Creates nothing, imports little."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import OneOf, command, option
from albumup.file_names import bytes_of, quoted
from albumup.journal.states import WANTING, State

if TYPE_CHECKING:
    import sqlite3

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
def list(
    app: App, /, albums: tuple[str, ...], target: str | None, states: tuple[str, ...], as_json: bool, nul: bool
) -> int:
    """A line per photo of the albums: state, size, path, and what went wrong.

    \b
      albumup list trip --state failed
      albumup list --json | jq -r 'select(.maybe_twice).path'
      albumup list trip --state missing -0 | xargs -0 ls -l
    """
    from albumup.cli.albums import chosen
    from albumup.cli.escaping import escape
    from albumup.cli.figures import size
    from albumup.cli.screen import put, put_flush, put_json, put_raw
    from albumup.cli.words import shown_name
    from albumup.journal.opening import local_faults
    from albumup.journal.reading import tasks

    with local_faults(app.journal):
        connection = app.reader()
        known = (
            [(row["album"], row["target"]) for row in connection.execute(
                "select album.name as album, target.name as target from album join target"
                " on target.id = album.target_id order by album.id")]
            if connection is not None
            else []
        )  # fmt: skip
        is_empty = True
        meant, last = chosen(known, albums, target), None
        has_headings = len(meant) > 1 and sys.stdout.isatty() and not (as_json or nul)
        for task in tasks(connection, meant, states, asks=not as_json):
            is_empty = False
            here = (task["album"], task["target"])
            if has_headings and here != last:
                put(f"{shown_name(here[0])}, --target {escape(here[1])}:", flush=False)
            last = here
            if as_json:
                put_json(task)
            elif nul:
                put_raw(bytes_of(task["path"]) + b"\0")
            else:
                twice = "  may be there twice" if task["maybe_twice"] else ""
                error = f"  {escape(task['error'])}" if task["error"] else ""
                error += "; still to be asked about" if task["is_asking"] else ""
                path = escape(bytes_of(task["path"]), 4096)
                row = f"{task['state']:<9} {size(task['size']):>9}  "
                put(f"{row}{path}{error}{twice}", flush=False, under=len(row), whole=(path,))
        put_flush()
        others = _others(connection, meant, states) if is_empty else []
    if is_empty and app.screen.is_terminal:
        from albumup.config import shown

        of_state = f" that is {' or '.join(states).replace('_', ' ')}" if states else ""
        app.screen.say(f"no photo{of_state} ({shown(app.journal)})")
        if others:
            typed = [*map(quoted, albums), *([f"--target {quoted(target)}"] if target is not None else [])]
            words = " ".join(["albumup list", *typed, *(f"--state {state}" for state in others)])
            app.screen.say(f"Others did not get there: {words}")
    return 0


def _others(
    connection: sqlite3.Connection | None, albums: Sequence[tuple[str, str]], states: Sequence[str]
) -> Sequence[State]:
    """The other states of failure that photos of these albums are in, if ``states`` names any: ``status`` counts all
    of them under FAILED."""
    from albumup.journal.reading import statuses

    if WANTING.isdisjoint(states):
        return []
    found = set()
    for one in statuses(connection):
        if (one["album"], one["target"]) in albums:
            waiting = set() if one["settled"] else {State.IN_DOUBT}  # perhaps still to be asked about
            found |= {state for state in WANTING - waiting if one["counts"][state.value]}
    return sorted(found - set(states))
