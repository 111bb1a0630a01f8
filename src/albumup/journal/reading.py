"""What ``status`` and ``list`` show: the public views, read with sqlite3 alone. Works on a read-only connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from albumup.file_names import text_of
from albumup.journal.states import State


def statuses(connection: sqlite3.Connection | None) -> list[dict[str, Any]]:
    """Every album, as ``status --json`` has it, with ``changed`` (ISO 8601, UTC) besides.

    ``address``: the URL of a target that ``--url`` described; None for the others.
    """
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


def asking(connection: sqlite3.Connection) -> dict[tuple[str, str], int]:
    """By album and target, how many photos are in doubt and still to be asked about."""
    rows = connection.execute(
        "select album.name, target.name, count(*) from album join target on target.id = album.target_id"
        " join task on task.album_id = album.id and task.state = 'in_doubt' and task.ask_at is not null"
        " group by album.id"
    )
    return {(album, target): count for album, target, count in rows.fetchall()}


def rounds_had(connection: sqlite3.Connection) -> dict[tuple[str, str], list[tuple[int, float]]]:
    """By album and target, where retry-failed has given what failed a fresh set of tries: the numbers of sets that
    photos have had, each with when the first of them failed (Unix seconds)."""
    rows = connection.execute(
        "select album.name, target.name, task.rounds, min(task.updated) from album"
        " join target on target.id = album.target_id join task on task.album_id = album.id"
        " and task.state in ('failed', 'rejected', 'missing', 'in_doubt')"  # as the index has it
        " where task.state in ('failed', 'missing') group by album.id, task.rounds"
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


def tasks(
    connection: sqlite3.Connection | None,
    albums: Sequence[tuple[str, str]],
    states: Sequence[str],
    *,
    asks: bool = False,
) -> Iterator[dict[str, Any]]:
    """A task a row, as ``list --json`` has it, for albums given as (name, target); all states when none is named.
    ``asks``: besides, for those in doubt and still to be asked about, ``is_asking``.

    ``path`` has undecodable bytes as lone surrogates, which ASCII JSON writes as ``\\udcXX``.
    """
    if connection is None:
        return
    marks = ", ".join("?" * len(states)) or "state"
    for album, target in albums:
        doubt = ", state = 'in_doubt' and (select ask_at from task where id = v_tasks.id) is not null as is_asking"
        columns = "*" + (doubt if asks else "")
        query = f"select {columns} from v_tasks where album = ? and target = ? and state in ({marks}) order by id"
        for row in connection.execute(query, (album, target, *states)):
            found = dict(row)
            yield {
                **{name: found[name] for name in ("album", "target")},
                "path": text_of(found["path_raw"]),
                **{name: found[name] for name in ("state", "size", "sha256", "attempts")},
                "maybe_twice": bool(found["maybe_twice"]),
                **{name: found[name] for name in ("sent_as", "error", "remote_id", "url", "updated")},
                **({"is_asking": bool(found["is_asking"])} if asks else {}),
            }
