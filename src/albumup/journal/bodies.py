"""The rows of bodies. Called inside a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from albumup.journal.rows import Body, stored

_COLUMNS = (
    "head",
    "tail",
    "boundary",
    "content_type",
    "length",
    "size",
    "mtime_ns",
    "inode",
    "ctime_ns",
    "sha256",
    "sha1",
    "md5",
    "taken",
    "spool",
    "definition_id",
)
# Doubts about attempts with these very bytes stay, however they are framed.
_KEEP = """
insert into body (task_id, {}, earlier) values (?, {}, ?)
on conflict (task_id) do update set {},
    earlier = iif(sha256 = excluded.sha256, earlier,
        (select attempts from task where id = excluded.task_id))
""".format(
    ", ".join(_COLUMNS),
    ", ".join("?" for _ in _COLUMNS),
    ", ".join(f"{column} = excluded.{column}" for column in _COLUMNS),
)


def keep(connection: sqlite3.Connection, bodies: Iterable[tuple[int, Body, int]]) -> None:
    """Keep what tasks got as their bodies: the task, its body, and how many attempts it had
    before, which count where it had no body."""
    connection.executemany(_KEEP, [_values_of(*one) for one in bodies])


def _values_of(task_id: int, body: Body, attempts: int) -> tuple[Any, ...]:
    pins, digests = body.pins, body.digests
    return (
        task_id,
        body.head,
        body.tail,
        body.boundary,
        body.content_type,
        body.length,
        pins.size,
        stored(pins.mtime_ns),
        stored(pins.inode),
        stored(pins.ctime_ns),
        digests["sha256"],
        digests.get("sha1"),
        digests.get("md5"),
        body.taken,
        body.spool,
        body.definition,
        attempts,
    )
