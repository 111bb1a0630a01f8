"""``albumup list``: a line per photo. Creates nothing, imports little."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from albumup.cli.app import App
from albumup.cli.escaping import escape
from albumup.cli.screen import put, put_flush, put_lines, put_pieces
from albumup.cli.task_lines import json_lines, text_lines
from albumup.cli.typed import ListOptions
from albumup.cli.words import shown_name
from albumup.journal import reading
from albumup.journal.opening import local_faults
from albumup.journal.reading import json_rows, paths, statuses, text_rows
from albumup.journal.states import WANTING, State
from albumup.photos.file_names import command, quoted
from albumup.session.albums import chosen

if TYPE_CHECKING:
    import sqlite3


def run(app: App, albums: tuple[str, ...], given: ListOptions) -> int:
    """Print a line for each photo of the albums: state, size, path, and error."""
    target, states = given["target"], given["states"]
    with local_faults(app.journal):
        connection = app.reader()
        known = reading.albums(connection) if connection is not None else []
        meant = chosen(known, albums, target)
        is_empty = connection is None or not _put_all(connection, meant, given)
        others = _others(connection, meant, states) if is_empty else []
    if is_empty and app.screen.is_terminal:
        from albumup.config.file import shown

        of_state = f" that is {' or '.join(states).replace('_', ' ')}" if states else ""
        app.screen.say(f"no photo{of_state} ({shown(app.journal)})")
        if others:
            options = [f"--target {quoted(target)}"] if target is not None else []
            options += [f"--state {state}" for state in others]
            app.screen.say(f"Others did not get there: {command('list', albums, *options)}")
    return 0


def _put_all(
    connection: sqlite3.Connection, albums: Sequence[tuple[str, str]], given: ListOptions
) -> int:
    """Print the lines of all albums; return their number."""
    states = given["states"]
    if not (given["as_json"] or given["nul"]):
        return _put_for_people(connection, albums, states)
    count = 0
    for album, target in albums:
        if given["as_json"]:
            count += put_pieces(
                json_lines(album, target, json_rows(connection, album, target, states))
            )
        else:
            count += put_pieces(
                path + b"\0" for (path,) in paths(connection, album, target, states)
            )
    return count


def _put_for_people(
    connection: sqlite3.Connection, albums: Sequence[tuple[str, str]], states: Sequence[str]
) -> int:
    """Print the lines as text, on a terminal with a heading for each of several albums.

    Returns their number.
    """
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
    """Other states of failure that these albums' photos are in, if ``states`` names any.

    ``status`` counts all these states under FAILED.
    """
    if WANTING.isdisjoint(states):
        return []
    found = set()
    for one in statuses(connection):
        if (one["album"], one["target"]) in albums:
            # The server may still be asked about photos in doubt.
            waiting = set() if one["settled"] else {State.IN_DOUBT}
            found |= {state for state in WANTING - waiting if one["counts"][state.value]}
    return sorted(found - set(states))
