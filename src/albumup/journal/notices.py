"""Notices: messages owed to the user, journaled with the change that causes them.

A notice is owed until it is delivered. It is handed over to the channels of the config first, if
there are any; a process claims it for that, so that two do not deliver it at once. Call functions
that change something inside ``Journal.transaction()``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from msgspec import Struct

from albumup.journal.journal import Journal

CLAIM_SECONDS = 120.0
"""A claim that is older was left by a process that died or hangs."""


class Cause(StrEnum):
    """Why a notice is owed."""

    SETTLED = "settled"
    STOPPED = "stopped"
    UNREACHABLE = "unreachable"
    WELL = "well"


class Notice(Struct, frozen=True):
    """One notice. Times are Unix seconds."""

    id: int
    key: str
    """What receivers know it by: the same if a crash makes them get it twice."""
    cause: Cause
    album_id: int | None
    target: str
    created: float
    summary: dict[str, Any]
    handed_over: float | None
    """When all the config's channels had taken it; None: not yet, or one did not."""
    fault: str
    """Why a channel did not take it; "": none failed."""


def owe(
    journal: Journal,
    cause: Cause,
    summary: dict[str, Any],
    *,
    album_id: int | None = None,
    target: str = "",
) -> int:
    """Owe the user a notice; return its id."""
    cursor = journal.connection.execute(
        "insert into notice (key, cause, album_id, target, created, summary)"
        " values (?, ?, ?, ?, ?, ?)",
        (
            os.urandom(8).hex(),
            cause.value,
            album_id,
            target,
            journal.clock(),
            json.dumps(summary),
        ),
    )
    return int(cursor.lastrowid or 0)


def owed(journal: Journal) -> list[Notice]:
    """The notices that were not delivered yet, the oldest first."""
    rows = journal.rows("select * from notice where delivered is null order by id")
    return [_notice(row) for row in rows]


def delivered(journal: Journal, notice_ids: Iterable[int]) -> None:
    """Note that the user has these notices."""
    journal.connection.executemany(
        "update notice set delivered = ? where id = ?",
        [(journal.clock(), notice_id) for notice_id in notice_ids],
    )


def _notice(row: Any) -> Notice:
    return Notice(
        row["id"],
        row["key"],
        Cause(row["cause"]),
        row["album_id"],
        row["target"],
        row["created"],
        json.loads(row["summary"]),
        row["handed_over"],
        row["fault"],
    )
