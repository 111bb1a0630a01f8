"""The queries of ``status``, ``list`` and other readers. They need sqlite3 alone, and a read-only
connection."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import chain
from typing import Any, NamedTuple, TypedDict
from urllib.parse import quote

from albumup.config.shown_address import shown_address
from albumup.journal.states import FINAL, RETRIED, WANTING, State, is_in
from albumup.journal.summary import Summary, summaries
from albumup.photos.file_names import quoted


class AlbumStatus(TypedDict):
    """An album in the form of ``status --json``.

    ``changed``: ISO 8601, UTC. ``address``: the URL of a target that ``--url`` described, None for
    other targets.
    """

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
    """All albums, sorted by name."""
    if connection is None:
        return []
    return [status_of(found) for found in summaries(connection)]


def status_of(found: Summary) -> AlbumStatus:
    """An album's sums in the form of ``status --json``."""
    return {
        "album": found.album.name,
        "target": found.album.target,
        "address": found.address,
        "settled": not found.is_unfinished,
        "held": found.album.held,
        "share": found.album.share,
        "counts": {state.value: found.count(state) for state in State},
        "bytes": {"total": found.total_bytes, "sent": found.there_bytes},
        "changed": found.changed,
    }


def albums(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """The names of all albums with those of their targets, in the order the albums were made."""
    rows = connection.execute(
        "select album.name as album, target.name as target from album join target"
        " on target.id = album.target_id order by album.id"
    )
    return [(row["album"], row["target"]) for row in rows]


def has_twin(connection: sqlite3.Connection, album: str, album_id: int) -> bool:
    """Is there an album of the same name on another target?"""
    found = connection.execute("select 1 from album where name = ? and id <> ?", (album, album_id))
    return found.fetchone() is not None


def narrowing(connection: sqlite3.Connection, album: str, target: str) -> list[str]:
    """The option by which a command means this album alone; none if no other has its name."""
    found = connection.execute(
        "select 1 from album join target on target.id = album.target_id"
        " where album.name = ? and target.name <> ?",
        (album, target),
    )
    return [f"--target {quoted(target)}"] if found.fetchone() is not None else []


def ends(connection: sqlite3.Connection, album_id: int) -> tuple[bytes, bytes] | None:
    """The first and the last path of an album's photos; None if it has none."""
    first, last = connection.execute(
        "select min(path), max(path) from photo where album_id = ?", (album_id,)
    ).fetchone()
    return None if first is None else (first, last)


def twins(connection: sqlite3.Connection, album_id: int, path: bytes, most: int) -> list[bytes]:
    """The paths of up to ``most`` other photos of an album that have the same base name."""
    end = b"/" + os.path.basename(path)
    rows = connection.execute(
        "select distinct path from photo"
        " where album_id = ? and substr(path, ?) = ? and path <> ? limit ?",
        (album_id, -len(end), end, path, most),
    )
    return [row[0] for row in rows.fetchall()]


def was_pushed(connection: sqlite3.Connection, path: bytes) -> bool:
    """Has a folder been pushed, or a photo in it?"""
    return bool(connection.execute("select 1 from root where path = ?", (path,)).fetchall())


def newest_task(connection: sqlite3.Connection) -> int:
    """The id of the newest task; 0 if there is none."""
    return int(connection.execute("select max(id) from task").fetchone()[0] or 0)


class Queued(NamedTuple):
    """A task as it was queued."""

    path: bytes
    size: int
    state: str
    reason: str | None


def queued(
    connection: sqlite3.Connection, album_id: int, newest: int, requeued: Sequence[int]
) -> Iterator[Queued]:
    """The ``requeued`` tasks of an album, then its tasks with an id greater than ``newest``."""
    query = (
        "select photo.path, task.size, task.state, task.reason"
        " from task join photo on photo.id = task.photo_id where task.album_id = ? and "
    )
    old = (
        row
        for task in requeued
        for row in connection.execute(f"{query} task.id = ?", (album_id, task))
    )
    new = connection.execute(f"{query} task.id > ? order by task.id", (album_id, newest))
    for row in chain(old, new):
        yield Queued(row["path"], row["size"], row["state"], row["reason"])


def album_names(connection: sqlite3.Connection) -> list[str]:
    """The names of all albums, the one that changed last first."""
    return [
        row[0] for row in connection.execute("select album from v_albums order by changed desc")
    ]


def target_names(connection: sqlite3.Connection) -> list[str]:
    """The names of all targets in the journal."""
    return [row[0] for row in connection.execute("select name from target order by name")]


def unsent_paths(connection: sqlite3.Connection, album: str, most: int) -> list[str]:
    """The escaped paths of the first ``most`` photos of an album that can still be cancelled."""
    rows = connection.execute(
        f"select path from v_tasks where album = ? and not {is_in(*FINAL)} order by id limit ?",
        (album, most),
    )
    return [row[0] for row in rows]


def is_sending(journal: str, path: str) -> bool:
    """Is the photo at ``path`` in state ``sending``? ``journal``: a path. Raises sqlite3.Error, as
    without one."""
    with closing(sqlite3.connect(f"file:{quote(journal)}?mode=ro", uri=True)) as connection:
        query = "select 1 from v_tasks where state = 'sending' and path = ?"
        return connection.execute(query, (path,)).fetchone() is not None


def rounds_had(connection: sqlite3.Connection) -> dict[tuple[str, str], list[tuple[int, float]]]:
    """The rounds of albums whose failed photos got fresh sets of tries from ``retry-failed``, by
    album and target.

    Pairs: a number of sets that some photos have had, and when the first of these failed (Unix
    seconds).
    """
    rows = connection.execute(
        "select album.name, target.name, task.rounds, min(task.updated) from album"
        " join target on target.id = album.target_id join task on task.album_id = album.id"
        f" and {is_in(*WANTING, table='task')}"  # repeated so that SQLite uses the partial index
        f" where {is_in(*RETRIED, table='task')} group by album.id, task.rounds"
    )
    found: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for album, target, rounds, failed_at in rows.fetchall():
        found.setdefault((album, target), []).append((rounds, failed_at))
    return {album: had for album, had in found.items() if any(rounds for rounds, _ in had)}


def goes_unasked(connection: sqlite3.Connection, album: str, target: str) -> bool:
    """Does the album have a photo in doubt that only ``retry-failed --in-doubt`` sends again?"""
    query = (
        "select 1 from task join album on album.id = task.album_id"
        " join target on target.id = album.target_id"
        " where album.name = ? and target.name = ? and state = 'in_doubt'"
        " and (reason like '%(resend = never)%' or reason like '%cannot be asked%') limit 1"
    )
    return connection.execute(query, (album, target)).fetchone() is not None


def addresses(connection: sqlite3.Connection) -> dict[str, str]:
    """The URLs of targets that ``--url`` described, by name, as screens may show them."""
    rows = connection.execute(
        "select name, json_extract(definition, '$.settings.url') as url"
        " from target where definition is not null"
    )
    return {row["name"]: shown_address(row["url"]) for row in rows}


def target_definitions(connection: sqlite3.Connection) -> dict[str, str]:
    """Name to definition (JSON) of the targets that ``--url`` described."""
    rows = connection.execute("select name, definition from target where definition is not null")
    return {row["name"]: row["definition"] for row in rows}


def servers(connection: sqlite3.Connection) -> dict[str, str]:
    """Target name to what its server is known by, for targets of several addresses."""
    rows = connection.execute("select name, server from target where server <> ''")
    return {row["name"]: row["server"] for row in rows}


def pauses(connection: sqlite3.Connection) -> list[tuple[str, float, str]]:
    """The sick targets: name, beginning of the pause (Unix seconds), reason."""
    rows = connection.execute(
        "select name, sick_since, sick_words from target where sick_since is not null"
    )
    return [(row["name"], row["sick_since"], row["sick_words"]) for row in rows]


class Running(NamedTuple):
    """The life of one uploader. ``since``: ISO 8601, UTC; ``scope``: the ids of its albums."""

    id: int
    pid: int
    since: str
    scope: frozenset[int]


def running(connection: sqlite3.Connection) -> Running | None:
    """The run that has not ended. It lives only if the lock is held, too."""
    return _newest_run(connection, "where ended is null")


def last_run(connection: sqlite3.Connection) -> Running | None:
    """The run that began last, whether it has ended or not."""
    return _newest_run(connection, "")


def _newest_run(connection: sqlite3.Connection, condition: str) -> Running | None:
    row = connection.execute(
        "select id, pid, strftime('%Y-%m-%dT%H:%M:%fZ', started, 'unixepoch') as since from run"
        f" {condition} order by id desc limit 1"
    ).fetchone()
    if row is None:
        return None
    scope = connection.execute("select album_id from scope where run_id = ?", (row["id"],))
    return Running(row["id"], row["pid"], row["since"], frozenset(one[0] for one in scope))


TextRow = tuple[bytes, str, int, str | None, int, int]
"""path_raw, state, size, error, maybe_twice, is_asking."""
JsonRow = tuple[
    bytes, str, int, str | None, int, int, str | None, str | None, str | None, str | None, str
]  # fmt: skip
"""path_raw, then the keys of ``list --json`` after the path, in its order."""

_JSON = (
    "path_raw, state, size, sha256, attempts, maybe_twice, sent_as, error, remote_id, url, updated"
)
_IS_ASKING = "state = 'in_doubt' and (select ask_at from task where id = v_tasks.id) is not null"
_FEW = 8
"""An album with less than one in so many of all tasks is read by photos, without a scan."""

_INDEXED = (
    (frozenset(map(str, WANTING)), is_in(*WANTING)),
    (frozenset({"cancelled"}), "state = 'cancelled'"),
)
"""States with a partial index sorted by task, and the condition that makes SQLite use it."""


def text_rows(
    connection: sqlite3.Connection, album: str, target: str, states: Sequence[str]
) -> Iterator[TextRow]:
    """The rows of ``list``: an album's tasks in these states, or in any, oldest first."""
    columns = f"path_raw, state, size, error, maybe_twice, {_IS_ASKING}"
    found: Iterator[TextRow] = _rows(connection, columns, album, target, states)
    return found


def json_rows(
    connection: sqlite3.Connection, album: str, target: str, states: Sequence[str]
) -> Iterator[JsonRow]:
    """Like ``text_rows``, for ``list --json``."""
    found: Iterator[JsonRow] = _rows(connection, _JSON, album, target, states)
    return found


def paths(
    connection: sqlite3.Connection, album: str, target: str, states: Sequence[str]
) -> Iterator[tuple[bytes]]:
    """Like ``text_rows``, for ``list -0``."""
    found: Iterator[tuple[bytes]] = _rows(connection, "path_raw", album, target, states)
    return found


def _rows(
    connection: sqlite3.Connection, columns: str, album: str, target: str, states: Sequence[str]
) -> Any:
    """Tuples, streamed: nothing is read ahead, and an index gives the order."""
    conditions = ["album = ?", "target = ?"]
    indexed = [condition for held, condition in _INDEXED if states and held.issuperset(states)]
    if states:
        conditions += [f"state in ({', '.join('?' * len(states))})", *indexed]
    if not indexed and _is_small(connection, album, target):
        conditions.append(
            "id in (select task.id from target join album on album.target_id = target.id"
            " and album.name = ?1 cross join photo on photo.album_id = album.id"
            " cross join task on task.photo_id = photo.id where target.name = ?2)"
        )
    cursor = connection.cursor()
    cursor.row_factory = None
    query = f"select {columns} from v_tasks where {' and '.join(conditions)} order by id"
    return cursor.execute(query, (album, target, *states))


def _is_small(connection: sqlite3.Connection, album: str, target: str) -> bool:
    """Is an album only a small part of the journal?"""
    query = (
        "select _FEW * coalesce(sum(photos), 0) < (select max(id) from task) from target join album"
        " on album.target_id = target.id left join tally on album_id = album.id"
        " where target.name = ? and album.name = ?"
    )
    return bool(connection.execute(query.replace("_FEW", str(_FEW)), (target, album)).fetchone()[0])
