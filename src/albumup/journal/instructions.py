"""Instructions: what another command wants of a run that is on.

The command journals an instruction and waits until the run has seen it. A run that died sees
nothing more; whoever waits looks at the lock, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct

from albumup.journal.journal import Journal


class Kind(StrEnum):
    """What is wanted."""

    STOP = "stop"
    """Take an album, or all, out of the run; what is in flight finishes."""
    STOP_NOW = "stop_now"
    """Likewise, but what is in flight is cut."""
    CHANGE = "change"
    """Go on with other options."""


class Instruction(Struct, frozen=True):
    """One instruction. ``album_id`` None: the whole run. ``value``: the options of a change."""

    id: int
    kind: Kind
    album_id: int | None
    value: dict[str, Any]


def give(
    journal: Journal,
    run_id: int,
    kind: Kind,
    album_ids: Sequence[int | None] = (None,),
    value: dict[str, Any] | None = None,
) -> list[int]:
    """Journal an instruction for each album, or for the whole run; return the ids. Call this inside
    a transaction."""
    now, given = journal.clock(), []
    for album_id in album_ids:
        cursor = journal.connection.execute(
            "insert into instruction (run_id, kind, album_id, value, given) values (?, ?, ?, ?, ?)",
            (run_id, kind.value, album_id, json.dumps(value or {}), now),
        )
        given.append(int(cursor.lastrowid or 0))
    return given


def unseen(journal: Journal, run_id: int) -> list[Instruction]:
    """The instructions that a run has not seen, the oldest first."""
    sql = "select * from instruction where run_id = ? and seen is null order by id"
    return [
        Instruction(row["id"], Kind(row["kind"]), row["album_id"], json.loads(row["value"]))
        for row in journal.rows(sql, run_id)
    ]


def note_seen(journal: Journal, instructions: Iterable[Instruction]) -> None:
    """Note that the run has taken these over. Call this inside a transaction."""
    journal.connection.executemany(
        "update instruction set seen = ? where id = ?",
        [(journal.clock(), one.id) for one in instructions],
    )


def are_seen(journal: Journal, ids: Iterable[int]) -> bool:
    """Has the run taken over all of these?"""
    sql = "select 1 from instruction where id = ? and seen is null"
    return not any(journal.rows(sql, one) for one in ids)
