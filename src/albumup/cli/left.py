"""Why photos wait while nobody uploads, as the last run knew it. Loads few modules."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from albumup.cli.escaping import escape
from albumup.cli.layout import sentence
from albumup.errors import KNOWN_TARGETS, ConfigError
from albumup.journal.media import waiting_at
from albumup.journal.opening import paths_of
from albumup.journal.reading import Running
from albumup.journal.summary import Summary
from albumup.session.snapshot import Ended, Reader, Reason, Snapshot
from albumup.uploader.commands import target_command, way_back


class Why(NamedTuple):
    """The reasons in lines, and the command that looks into them, or ""."""

    lines: Sequence[str] = ()
    command: str = ""
    misled: Collection[str] = ()
    """The targets whose settings are wrong, however their servers are."""


def why_left(
    journal: str,
    connection: sqlite3.Connection,
    last: Running | None,
    albums: Sequence[Summary],
    sick: Sequence[str] = (),
) -> Why:
    """Why some albums wait since the last run, by its last snapshot.

    ``journal``: a path. ``last``: the newest run; none is on now. ``sick``: targets whose pauses
    are told already.
    """
    found = Reader(paths_of(journal)["live"]).look()
    if last is None or found is None or found.run_id != last.id or found.ended is None:
        return Why()
    waiting = [
        one
        for one in albums
        if one.is_unfinished and not one.album.held and one.album.id in last.scope
    ]
    if not waiting:
        return Why()
    ended = found.ended
    if ended.fault is not None:
        return Why(_sentences(ended.fault.words, ended.fault.hint))
    targets = {one.album.target for one in waiting}
    closings = {name: why for name, why in ended.closings.items() if name in targets}
    misled = {name for name, why in closings.items() if why.exit_code == ConfigError.exit_code}
    lines = [
        line
        for name, why in closings.items()
        if name in misled or name not in sick
        for line in _closed(found, name, why)
    ]
    away = _away(connection, ended, waiting)
    return Why([*lines, *away], _command(closings, waiting), misled)


def _closed(found: Snapshot, target: str, why: Reason) -> Sequence[str]:
    title = f"{found.titles.get(target, target)}: " if why.exit_code == 75 else ""
    return _sentences(title + why.words, why.hint)


def _sentences(words: str, hint: str) -> Sequence[str]:
    said = [escape(words, 1000)]
    return [*said, sentence(escape(hint, 1000))] if hint else said


def _away(
    connection: sqlite3.Connection, ended: Ended, waiting: Sequence[Summary]
) -> Iterator[str]:
    albums = {(one.album.name, one.album.target) for one in waiting}
    for path, why in ended.away.items():
        if albums.intersection(waiting_at(connection, path)):
            yield f"{escape(path)}: {escape(why)}. {way_back(why)}, then: albumup resume"


def _command(closings: Mapping[str, Reason], waiting: Sequence[Summary]) -> str:
    """The look at a target whose settings do not work, if all that waits is for such targets."""
    names = list(dict.fromkeys(one.album.target for one in waiting))
    if all(name in closings and _is_of_settings(closings[name]) for name in names):
        return target_command(names[0], closings[names[0]].hint)
    return ""


def _is_of_settings(why: Reason) -> bool:
    return "albumup target " in why.hint or why.hint.startswith(KNOWN_TARGETS)
