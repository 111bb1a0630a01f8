"""Writes the rows of bodies. Called inside a transaction."""

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
# Attempts at sending the same bytes stay in doubt, however the bytes were framed.
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
    """Keep the bodies of tasks, each with the task's id and the number of its attempts so far.

    The number counts only where the task had no body before.
    """
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
