"""Notices: messages owed to the user, journaled with the change that causes them.

Each notice goes two ways. The channels of the config get it once, if there are any. And the user is
owed it until a channel has taken it, or until it was said on a terminal. A process claims it for
either way, so that two do not do it at once. Call functions that change something inside
``Journal.transaction()``.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from albumup.journal.rows import plain
from albumup.processes import is_alive

if TYPE_CHECKING:
    from albumup.journal.journal import Journal

CLAIM_SECONDS = 120.0
"""A claim that is older was left by a process that died or hangs."""
KEPT_SECONDS = 30 * 86400.0
"""The time after which finished notices are dropped, except for the last one of each kind.

Notices of albums that have settled again since are dropped, too: the user is told of the last one
only, and cron may run for years without a terminal.
"""

_OF_FAULT = "cause = 'stopped' and json_extract(summary, '$.exit') = 1"
"""SQL: the notice is of a fault of this computer, such as a full disk."""
_CUT = "cut off"
"""The fault of a notice that is not handed over yet, and that a channel perhaps has told."""


class Cause(StrEnum):
    """Why a notice is owed."""

    SETTLED = "settled"
    STOPPED = "stopped"
    UNREACHABLE = "unreachable"
    WELL = "well"


class Message(Struct, frozen=True):
    """What a notice says: it is written when the notice is owed, and true of that time."""

    album: str | None = None
    """The name of the album; None: it is about several, or none."""
    title: str = ""
    """What screens call the target."""
    exit: int = 0
    counts: dict[str, int] = {}
    """The number of photos by state, all nine."""
    bytes: dict[str, int] = {}
    """``total`` and ``sent``."""
    words: str = ""
    """What happened, in a sentence without its full stop."""
    hint: str = ""
    """How to mend it."""
    command: str = ""
    """What to type now; "": nothing."""
    run: int = 0


class Notice(Struct, frozen=True):
    """One notice. Times are Unix seconds."""

    id: int
    key: str
    """What receivers know it by: the same if a crash makes them get it twice."""
    cause: Cause
    album_id: int | None
    target: str
    created: float
    message: Message
    fault: str
    """Why a channel did not take it; "": none failed."""

    @property
    def is_trouble(self) -> bool:
        """Does it need somebody? Not if an album settled well, or a target works again."""
        return self.cause is not Cause.WELL and self.message.exit != 0


def owe(
    journal: Journal,
    cause: Cause,
    message: Message,
    *,
    album_id: int | None = None,
    target: str = "",
    key: str = "",
) -> int:
    """Owe the user a notice; return its id. ``key``: as in ``Notice``; "" for a new one."""
    now = journal.clock()
    journal.connection.execute(
        "delete from notice where (max(delivered, handed_over) < ?1 or cause = ?2 and"
        " handed_over < ?1) and id not in"
        " (select max(id) from notice group by cause, album_id, target)",
        (now - KEPT_SECONDS, Cause.SETTLED.value),
    )
    text = json.dumps(msgspec.to_builtins(message))
    cursor = journal.connection.execute(
        "insert into notice (key, cause, album_id, target, created, summary)"
        " values (?, ?, ?, ?, ?, ?)",
        (key or os.urandom(8).hex(), cause.value, album_id, target, now, text),
    )
    return int(cursor.lastrowid or 0)


def last_settled(journal: Journal, album_id: int) -> Message | None:
    """What was said when the album settled the last time; None: it never did."""
    rows = journal.rows(
        "select * from notice where album_id = ? and cause = ? order by id desc limit 1",
        album_id,
        Cause.SETTLED.value,
    )
    return _notice(rows[0]).message if rows else None


# The channels.


def is_owed(journal: Journal) -> bool:
    """Is there a notice that the channels have not had?"""
    return bool(journal.rows("select 1 from notice where handed_over is null limit 1"))


def is_owed_by_others(journal: Journal, pid: int) -> bool:
    """Is there a notice that the channels have not had, and that ``pid`` could not claim?"""
    sql = "select 1 from notice where handed_over is null and claimed_by <> ? limit 1"
    return bool(journal.rows(sql, pid))


def claim(
    journal: Journal,
    pid: int,
    is_alive: Callable[[int], bool] = is_alive,
    *,
    with_faults: bool = True,
) -> list[Notice]:
    """Claim for process ``pid`` the notices that the channels have not had, the oldest first.

    Those that another living process claims stay its own (``CLAIM_SECONDS``). Those that the user
    was told after a channel was cut off are not handed over again. ``with_faults``: also those of a
    fault of this computer (see ``withdraw_faults``).
    """
    journal.connection.execute(
        "update notice set handed_over = ?, fault = '' where handed_over is null"
        " and delivered is not null and fault = ?",
        (journal.clock(), _CUT),
    )
    rows = journal.rows(
        f"select * from notice where handed_over is null and (? or not ({_OF_FAULT})) order by id",
        with_faults,
    )
    now = journal.clock()
    free = [row for row in rows if row["claimed_by"] == pid or not _is_claimed(row, now, is_alive)]
    _claim(journal, pid, [row["id"] for row in free])
    return [_notice(row) for row in free]


def withdraw_faults(journal: Journal) -> None:
    """Owe no longer what no channel has begun to tell of faults of this computer: they are over."""
    journal.connection.execute(
        "update notice set handed_over = ?1, delivered = coalesce(delivered, ?1)"
        f" where handed_over is null and claimed_by is null and {_OF_FAULT}",
        (journal.clock(),),
    )


def of_fault(journal: Journal, run_id: int) -> Notice | None:
    """What no channel has begun to tell of a fault of this computer that ended a run."""
    rows = journal.rows(
        f"select * from notice where handed_over is null and claimed_by is null and {_OF_FAULT}"
        " and json_extract(summary, '$.run') = ? order by id desc limit 1",
        run_id,
    )
    return _notice(rows[0]) if rows else None


def last_of_fault(journal: Journal) -> int:
    """The id of the last notice of a fault of this computer; 0 if there was none."""
    return int(journal.rows(f"select coalesce(max(id), 0) from notice where {_OF_FAULT}")[0][0])


def keep_claims(journal: Journal, pid: int, notice_ids: Iterable[int]) -> None:
    """Claim anew what waits for its turn, so that the claims do not grow old."""
    _claim(journal, pid, notice_ids)


def release(journal: Journal, notice_ids: Iterable[int], *, is_cut: bool = False) -> None:
    """Give claims up: another process may hand these over.

    ``is_cut``: a channel was at work and is cut off. It may have told the user, so the notice is
    handed over again only if nobody else tells it before.
    """
    fault = _CUT if is_cut else ""
    journal.connection.executemany(
        "update notice set claimed_by = null, claimed_at = null, fault = ? where id = ?",
        [(fault, notice_id) for notice_id in notice_ids],
    )


def handed_over(
    journal: Journal,
    notice_ids: Iterable[int],
    *,
    is_taken: bool = False,
    fault: str = "",
    is_said: bool = False,
) -> None:
    """Note that the channels are done with notices. ``is_taken``: one took them, and none failed.

    ``fault``: why one failed; the user then still hears of them on a terminal, even if another
    command has told them meanwhile. ``is_said``: this command itself has told them, and the fault.
    """
    now = journal.clock()
    delivered = now if is_taken and not fault else None
    is_owed_again = bool(fault) and not is_said
    journal.connection.executemany(
        "update notice set handed_over = ?, fault = ?, claimed_by = null, claimed_at = null,"
        " delivered = iif(?, null, coalesce(delivered, ?)) where id = ?",
        [(now, plain(fault), is_owed_again, delivered, notice_id) for notice_id in notice_ids],
    )


# The screens.


def unsaid(
    connection: sqlite3.Connection,
    now: float,
    is_alive: Callable[[int], bool] = is_alive,
    *,
    is_running: bool = False,
) -> list[Notice]:
    """The notices that the user was not told, the oldest first.

    Without those that another process may tell any moment: claimed ones, and while an uploader
    ``is_running`` those that its channels have not had.
    """
    rows = connection.execute("select * from notice where delivered is null order by id").fetchall()
    return [
        _notice(row)
        for row in rows
        if (row["handed_over"] is not None or not is_running)
        and not _is_claimed(row, now, is_alive)
    ]


def claim_to_say(
    connection: sqlite3.Connection,
    now: float,
    pid: int,
    notice_ids: Collection[int],
    is_alive: Callable[[int], bool] = is_alive,
) -> set[int]:
    """Claim, in a transaction of its own, for process ``pid`` those of the notices that still are
    unsaid, and that no other living process claims; return their ids."""
    connection.execute("begin immediate")
    free = {one.id for one in unsaid(connection, now, is_alive)}.intersection(notice_ids)
    connection.execute(
        "update notice set claimed_by = ?, claimed_at = ? where id in (select value from"
        " json_each(?))",
        (pid, now, json.dumps(list(free))),
    )
    connection.execute("commit")
    return free


def said(
    connection: sqlite3.Connection, now: float, pid: int, told: Iterable[int], untold: Iterable[int]
) -> None:
    """Note, in one statement, that process ``pid`` has told the user these notices on a terminal.

    ``told``, ``untold``: the ids of notices; the claims of both are given up.
    """
    connection.execute(
        "update notice set claimed_by = nullif(claimed_by, ?1),"
        " claimed_at = iif(claimed_by = ?1, null, claimed_at),"
        " delivered = iif(id in (select value from json_each(?2)), coalesce(delivered, ?4),"
        " delivered) where id in (select value from json_each(?2) union"
        " select value from json_each(?3))",
        (pid, json.dumps(list(told)), json.dumps(list(untold)), now),
    )


def said_of_albums(
    connection: sqlite3.Connection,
    now: float,
    album_ids: Iterable[int],
    *,
    of_another: bool = False,
) -> None:
    """Note, in one statement, that the user was told on a terminal how these albums settled.

    ``of_another``: by a command that watched another process; it does not know whether a channel
    fails, so notices stay owed of which one is at work or has failed.
    """
    connection.execute(
        "update notice set delivered = ? where delivered is null and cause = ?"
        " and album_id in (select value from json_each(?))"
        " and not (? and (claimed_by is not null or fault <> ''))",
        (now, Cause.SETTLED.value, json.dumps(list(album_ids)), of_another),
    )


def _claim(journal: Journal, pid: int, notice_ids: Iterable[int]) -> None:
    journal.connection.executemany(
        "update notice set claimed_by = ?, claimed_at = ? where id = ?",
        [(pid, journal.clock(), notice_id) for notice_id in notice_ids],
    )


def _is_claimed(row: Any, now: float, is_alive: Callable[[int], bool]) -> bool:
    """Is a process at it? A clock that was set back makes a claim old, too."""
    pid, since = row["claimed_by"], row["claimed_at"]
    return pid is not None and abs(now - since) <= CLAIM_SECONDS and is_alive(pid)


def _notice(row: Any) -> Notice:
    return Notice(
        row["id"],
        row["key"],
        Cause(row["cause"]),
        row["album_id"],
        row["target"],
        row["created"],
        msgspec.convert(json.loads(row["summary"]), Message),
        row["fault"] if row["handed_over"] is not None else "",
    )
