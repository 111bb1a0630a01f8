"""``albumup list``: a line per photo. Creates nothing, imports little."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import OneOf, command, option
from albumup.journal.states import WANTING, State
from albumup.photos.file_names import quoted

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
    from albumup.journal import reading
    from albumup.journal.opening import local_faults
    from albumup.session.albums import chosen

    with local_faults(app.journal):
        connection = app.reader()
        known = reading.albums(connection) if connection is not None else []
        meant = chosen(known, albums, target)
        is_empty = connection is None or not _put_all(connection, meant, states, as_json=as_json, nul=nul)
        others = _others(connection, meant, states) if is_empty else []
    if is_empty and app.screen.is_terminal:
        from albumup.config.file import shown

        of_state = f" that is {' or '.join(states).replace('_', ' ')}" if states else ""
        app.screen.say(f"no photo{of_state} ({shown(app.journal)})")
        if others:
            typed = [*map(quoted, albums), *([f"--target {quoted(target)}"] if target is not None else [])]
            words = " ".join(["albumup list", *typed, *(f"--state {state}" for state in others)])
            app.screen.say(f"Others did not get there: {words}")
    return 0


def _put_all(
    connection: sqlite3.Connection,
    albums: Sequence[tuple[str, str]],
    states: Sequence[str],
    *,
    as_json: bool,
    nul: bool,
) -> int:
    """The lines of all albums; how many there were."""
    from albumup.cli.screen import put_pieces
    from albumup.cli.task_lines import json_lines
    from albumup.journal.reading import json_rows, paths

    if not (as_json or nul):
        return _put_for_people(connection, albums, states)
    count = 0
    for album, target in albums:
        if as_json:
            count += put_pieces(json_lines(album, target, json_rows(connection, album, target, states)))
        else:
            count += put_pieces(path + b"\0" for (path,) in paths(connection, album, target, states))
    return count


def _put_for_people(connection: sqlite3.Connection, albums: Sequence[tuple[str, str]], states: Sequence[str]) -> int:
    """The same as text; on a terminal each of several albums has a heading."""
    from albumup.cli.escaping import escape
    from albumup.cli.screen import put, put_flush, put_lines
    from albumup.cli.task_lines import text_lines
    from albumup.cli.words import shown_name
    from albumup.journal.reading import text_rows

    is_terminal, count = sys.stdout.isatty(), 0
    for album, target in albums:
        lines = text_lines(text_rows(connection, album, target, states))
        if not is_terminal:
            count += put_lines("".join(line) for line in lines)
            continue
        for number, line in enumerate(lines):
            if not number and len(albums) > 1:
                put(f"{shown_name(album)}, --target {escape(target)}:", flush=False)
            put("".join(line), flush=not count, under=len(line.head), whole=(line.path,))
            count += 1
    put_flush()
    return count


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
