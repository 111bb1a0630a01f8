"""What ``status`` and ``list`` show: the public views, read with sqlite3 alone. Works on a read-only connection."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import chain
from typing import Any, NamedTuple, TypedDict
from urllib.parse import quote

from albumup.journal.states import FINAL, RETRIED, WANTING, State, is_asking, is_in


class AlbumStatus(TypedDict):
    """An album as ``status --json`` has it. ``changed``: ISO 8601, UTC; ``address``: the URL of a target that
    ``--url`` described, None for the others."""

    album: str
    target: str
    address: str | None
    settled: bool
    held: bool
    share: str | None
    counts: dict[str, int]
    bytes: dict[str, int]
    changed: str


def statuses(connection: sqlite3.Connection | None) -> list[AlbumStatus]:
    """Every album, in the order of their names."""
    if connection is None:
        return []
    urls = addresses(connection)
    return [
        {
            "album": row["album"],
            "target": row["target"],
            "address": urls.get(row["target"]),
            "settled": bool(row["settled"]),
            "held": bool(row["held"]),
            "share": row["share"],
            "counts": {state.value: row[state.value] for state in State},
            "bytes": {"total": row["bytes_total"], "sent": row["bytes_sent"]},
            "changed": row["changed"],
        }
        for row in connection.execute("select * from v_albums order by album, target")
    ]


def albums(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """The albums and their targets, by name, in the order they were made."""
    rows = connection.execute(
        "select album.name as album, target.name as target from album join target"
        " on target.id = album.target_id order by album.id"
    )
    return [(row["album"], row["target"]) for row in rows]


def has_twin(connection: sqlite3.Connection, album: str, album_id: int) -> bool:
    """Is there another album of that name, on another target?"""
    found = connection.execute("select 1 from album where name = ? and id <> ?", (album, album_id))
    return found.fetchone() is not None


def ends(connection: sqlite3.Connection, album_id: int) -> tuple[bytes, bytes] | None:
    """The first and the last path of an album's photos; None if it has none."""
    first, last = connection.execute(
        "select min(path), max(path) from photo where album_id = ?", (album_id,)
    ).fetchone()
    return None if first is None else (first, last)


def twins(connection: sqlite3.Connection, album_id: int, path: bytes, most: int) -> list[bytes]:
    """The paths of other photos of an album that have the same base name."""
    end = b"/" + os.path.basename(path)
    rows = connection.execute(
        "select distinct path from photo where album_id = ? and substr(path, ?) = ? and path <> ? limit ?",
        (album_id, -len(end), end, path, most),
    )
    return [row[0] for row in rows.fetchall()]


def newest_task(connection: sqlite3.Connection) -> int:
    """The id of the newest task; 0 if there is none."""
    return int(connection.execute("select max(id) from task").fetchone()[0] or 0)


class Queued(NamedTuple):
    """A task as it was queued."""

    path: bytes
    size: int
    state: str
    reason: str | None


def queued(connection: sqlite3.Connection, album_id: int, newest: int, requeued: Sequence[int]) -> Iterator[Queued]:
    """The tasks ``requeued`` of an album, then those that are newer than ``newest``."""
    query = (
        "select photo.path, task.size, task.state, task.reason from task join photo on photo.id = task.photo_id"
        " where task.album_id = ? and "
    )
    old = (row for task in requeued for row in connection.execute(f"{query} task.id = ?", (album_id, task)))
    new = connection.execute(f"{query} task.id > ? order by task.id", (album_id, newest))
    for row in chain(old, new):
        yield Queued(row["path"], row["size"], row["state"], row["reason"])


def album_names(connection: sqlite3.Connection) -> list[str]:
    """The names of albums, the last one that changed first."""
    return [row[0] for row in connection.execute("select album from v_albums order by changed desc")]


def target_names(connection: sqlite3.Connection) -> list[str]:
    """The names of the targets that albums went to."""
    return [row[0] for row in connection.execute("select name from target order by name")]


def unsent_paths(connection: sqlite3.Connection, album: str, most: int) -> list[str]:
    """The paths (escaped) of the first photos of an album that can still be given up."""
    rows = connection.execute(
        f"select path from v_tasks where album = ? and not {is_in(*FINAL)} order by id limit ?",
        (album, most),
    )
    return [row[0] for row in rows]


def is_sending(journal: str, path: str) -> bool:
    """Is that photo on its way, by the journal at a path? Raises sqlite3.Error, also where there is none yet."""
    with closing(sqlite3.connect(f"file:{quote(journal)}?mode=ro", uri=True)) as connection:
        query = "select 1 from v_tasks where state = 'sending' and path = ?"
        return connection.execute(query, (path,)).fetchone() is not None


def asking(connection: sqlite3.Connection) -> dict[tuple[str, str], int]:
    """By album and target, how many photos are in doubt and still to be asked about."""
    rows = connection.execute(
        "select album.name, target.name, count(*) from album join target on target.id = album.target_id"
        f" join task on task.album_id = album.id and {is_asking('task')}"
        " group by album.id"
    )
    return {(album, target): count for album, target, count in rows.fetchall()}


def rounds_had(connection: sqlite3.Connection) -> dict[tuple[str, str], list[tuple[int, float]]]:
    """By album and target, where retry-failed has given what failed a fresh set of tries: the numbers of sets that
    photos have had, each with when the first of them failed (Unix seconds)."""
    rows = connection.execute(
        "select album.name, target.name, task.rounds, min(task.updated) from album"
        " join target on target.id = album.target_id join task on task.album_id = album.id"
        f" and {is_in(*WANTING, table='task')}"  # as the index has it
        f" where {is_in(*RETRIED, table='task')} group by album.id, task.rounds"
    )
    found: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for album, target, rounds, failed_at in rows.fetchall():
        found.setdefault((album, target), []).append((rounds, failed_at))
    return {album: had for album, had in found.items() if any(rounds for rounds, _ in had)}


def goes_unasked(connection: sqlite3.Connection, album: str, target: str) -> bool:
    """Is a photo of the album in doubt that is sent again only when that is said (``retry-failed --in-doubt``)?"""
    query = (
        "select 1 from task join album on album.id = task.album_id join target on target.id = album.target_id"
        " where album.name = ? and target.name = ? and state = 'in_doubt'"
        " and (reason like '%(resend = never)%' or reason like '%cannot be asked%') limit 1"
    )
    return connection.execute(query, (album, target)).fetchone() is not None


def addresses(connection: sqlite3.Connection) -> dict[str, str]:
    """The URLs of the targets that ``--url`` described, by name: what screens call them."""
    rows = connection.execute(
        "select name, json_extract(definition, '$.settings.url') as url from target where definition is not null"
    )
    return {row["name"]: row["url"] for row in rows}


def target_definitions(connection: sqlite3.Connection) -> dict[str, str]:
    """The targets that ``--url`` described: name to definition."""
    rows = connection.execute("select name, definition from target where definition is not null")
    return {row["name"]: row["definition"] for row in rows}


def pauses(connection: sqlite3.Connection) -> list[tuple[str, float, str]]:
    """The targets that are sick: name, since when (Unix seconds) and why."""
    rows = connection.execute("select name, sick_since, sick_words from target where sick_since is not null")
    return [(row["name"], row["sick_since"], row["sick_words"]) for row in rows]


def running(connection: sqlite3.Connection) -> tuple[int, str] | None:
    """Process id and start (ISO 8601, UTC) of the run that has not ended; alive only if the lock is held too."""
    row = connection.execute(
        "select pid, strftime('%Y-%m-%dT%H:%M:%fZ', started, 'unixepoch') as since from run where ended is null"
        " order by id desc limit 1"
    ).fetchone()
    return (row["pid"], row["since"]) if row else None


TextRow = tuple[bytes, str, int, str | None, int, int]
"""path_raw, state, size, error, maybe_twice, is_asking."""
JsonRow = tuple[
    bytes, str, int, str | None, int, int, str | None, str | None, str | None, str | None, str
]  # fmt: skip
"""path_raw, then what ``list --json`` has after the path, in its order."""

_JSON = "path_raw, state, size, sha256, attempts, maybe_twice, sent_as, error, remote_id, url, updated"
_IS_ASKING = "state = 'in_doubt' and (select ask_at from task where id = v_tasks.id) is not null"
_FEW = 8
"""An album with no more than that part of all tasks is found by its photos, not by going through all."""

_INDEXED = (
    (frozenset(map(str, WANTING)), is_in(*WANTING)),
    (frozenset({"cancelled"}), "state = 'cancelled'"),
)
"""States that a partial index has in the order of tasks, and the condition that SQLite wants to see repeated."""


def text_rows(connection: sqlite3.Connection, album: str, target: str, states: Sequence[str]) -> Iterator[TextRow]:
    """What ``list`` shows of the tasks of an album, oldest first; all states when none is named."""
    columns = f"path_raw, state, size, error, maybe_twice, {_IS_ASKING}"
    found: Iterator[TextRow] = _rows(connection, columns, album, target, states)
    return found


def json_rows(connection: sqlite3.Connection, album: str, target: str, states: Sequence[str]) -> Iterator[JsonRow]:
    """The same, of ``list --json``."""
    found: Iterator[JsonRow] = _rows(connection, _JSON, album, target, states)
    return found


def paths(connection: sqlite3.Connection, album: str, target: str, states: Sequence[str]) -> Iterator[tuple[bytes]]:
    """The same, of ``list -0``."""
    found: Iterator[tuple[bytes]] = _rows(connection, "path_raw", album, target, states)
    return found


def _rows(connection: sqlite3.Connection, columns: str, album: str, target: str, states: Sequence[str]) -> Any:
    """Tuples, as SQLite finds them: nothing is read ahead, and an index tells the order."""
    conditions = ["album = ?", "target = ?"]
    indexed = [condition for held, condition in _INDEXED if states and held.issuperset(states)]
    if states:
        conditions += [f"state in ({', '.join('?' * len(states))})", *indexed]
    if not indexed and _is_small(connection, album, target):
        conditions.append(
            "id in (select task.id from target join album on album.target_id = target.id and album.name = ?1"
            " cross join photo on photo.album_id = album.id cross join task on task.photo_id = photo.id"
            " where target.name = ?2)"
        )
    cursor = connection.cursor()
    cursor.row_factory = None
    query = f"select {columns} from v_tasks where {' and '.join(conditions)} order by id"
    return cursor.execute(query, (album, target, *states))


def _is_small(connection: sqlite3.Connection, album: str, target: str) -> bool:
    """Is an album but a small part of the journal?"""
    query = (
        "select _FEW * coalesce(sum(photos), 0) < (select max(id) from task) from target join album"
        " on album.target_id = target.id left join tally on album_id = album.id"
        " where target.name = ? and album.name = ?"
    )
    return bool(connection.execute(query.replace("_FEW", str(_FEW)), (target, album)).fetchone()[0])
