"""Runs, their scope, holds and notices: what several invocations tell each other through the journal.

Functions that change something are called inside ``Journal.transaction()``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from albumup.journal import reading
from albumup.journal.journal import Journal
from albumup.journal.rows import Album, Root, Tally, plain
from albumup.journal.states import (
    DONE,
    GOING,
    WANTING,
    Membership,
    Stage,
    State,
    is_asking,
    is_in,
    waits_at,
)

_IS_ASKING = is_asking()
_HAS_MEMBER_PENDING = f"select 1 from task where album_id = ? and {is_in(Membership.PENDING)} limit 1"


class Run(Struct, frozen=True):
    """The life of one uploader."""

    id: int
    pid: int
    started: float
    ended: float | None
    exit: int | None
    unbuilt: list[str]
    options: dict[str, Any]


class Notice(Struct, frozen=True):
    """A message owed to the user: an album settled."""

    id: int
    album_id: int
    created: float
    summary: dict[str, Any]


def begin(journal: Journal, pid: int, options: dict[str, Any], album_ids: Iterable[int]) -> int:
    """A new run with its scope; its id. Runs that were killed are closed: the caller holds the lock."""
    now = journal.clock()
    close_dead(journal)
    cursor = journal.connection.execute(
        "insert into run (pid, started, options) values (?, ?, ?)", (pid, now, json.dumps(options))
    )
    run_id = int(cursor.lastrowid or 0)
    add_to_scope(journal, run_id, album_ids)
    return run_id


def close_dead(journal: Journal) -> None:
    """Runs that were killed are over: nobody may hand over to them. The caller holds the lock."""
    journal.connection.execute("update run set ended = ? where ended is null", (journal.clock(),))


def add_to_scope(journal: Journal, run_id: int, album_ids: Iterable[int]) -> None:
    """Albums that were forgotten meanwhile are left out."""
    journal.connection.executemany(
        "insert or ignore into scope select ?, id from album where id = ?",
        [(run_id, album_id) for album_id in album_ids],
    )


def scope(journal: Journal, run_id: int) -> list[int]:
    """The albums of a run, in the order they were created."""
    return [row[0] for row in journal.rows("select album_id from scope where run_id = ? order by album_id", run_id)]


def running(journal: Journal) -> Run | None:
    """The run that has not ended; alive only if the lock is held too."""
    rows = journal.rows("select * from run where ended is null order by id desc limit 1")
    return _run(rows[0]) if rows else None


def run_of(journal: Journal, run_id: int) -> Run:
    return _run(journal.rows("select * from run where id = ?", run_id)[0])


def join(journal: Journal, album_ids: Iterable[int]) -> Run | None:
    """Hand albums over to the running uploader, or None if it has ended meanwhile."""
    run = running(journal)
    if run is not None:
        add_to_scope(journal, run.id, album_ids)
    return run


def end(journal: Journal, run_id: int, exit_code: int, unbuilt: Iterable[str] = ()) -> None:
    journal.connection.execute(
        "update run set ended = ?, exit = ?, unbuilt = ? where id = ?",
        (journal.clock(), exit_code, json.dumps(sorted(unbuilt)), run_id),
    )


def is_unfinished(journal: Journal, album_id: int) -> bool:
    """True until no task of the album is pending, sending, or in doubt and still to be asked about, each stored photo
    is in the server's album where there is such a thing, and the share link is made if one was asked for."""
    return has_unsent(journal, album_id) or is_pending_there(journal, album_id)


def has_unsent(journal: Journal, album_id: int) -> bool:
    """Is a photo of the album pending, sending, or in doubt and still to be asked about?"""
    count = "select 1 from tally where album_id = ? and state = ? and photos > 0"
    asked = f"select 1 from task where album_id = ? and {_IS_ASKING} limit 1"
    return bool(  # the likeliest first: this is asked in each commit
        journal.rows(count, album_id, State.PENDING.value)
        or journal.rows(count, album_id, State.SENDING.value)
        or journal.rows(asked, album_id)
    )


def asked_about(journal: Journal, album_id: int) -> tuple[int, int]:
    """The photos of an album that are in doubt, and still to be asked about: how many, and their bytes."""
    sql = f"select count(*), coalesce(sum(size), 0) from task where album_id = ? and {_IS_ASKING}"
    count, size = journal.rows(sql, album_id)[0]
    return count, size


def unprepared(journal: Journal, album_id: int) -> tuple[int, int]:
    """Photos of an album that are still to be read, a thousand at most: how many, and the bytes to be copied first."""
    sql = (
        "select count(*), coalesce(sum(spool * size), 0) from"
        f" (select spool, size from task where album_id = ? and {waits_at(Stage.UNREAD)} limit 1000)"
    )
    count, size = journal.rows(sql, album_id)[0]
    return count, size


def asking(journal: Journal, album_id: int) -> int:
    """How many photos of an album are in doubt, and still to be asked about."""
    return asked_about(journal, album_id)[0]


def unsent(journal: Journal, album_id: int) -> int:
    """How many photos of an album wait, are being sent, or are in doubt and still to be asked about."""
    return tally(journal, album_id).count(*GOING) + asking(journal, album_id)


def unsent_bytes(journal: Journal, album_id: int) -> int:
    """How large the photos are that ``unsent`` counts."""
    return tally(journal, album_id).size(*GOING) + asked_about(journal, album_id)[1]


def wanting(journal: Journal, album_id: int) -> int:
    """How many photos of an album are wanting, but for those that are still to be asked about."""
    return tally(journal, album_id).count(*WANTING) - asking(journal, album_id)


def last_touched(journal: Journal, album_id: int) -> float | None:
    """When an album that runs were about last changed, or one of them began or ended (Unix seconds)."""
    sql = (
        "select max(changed, max(coalesce(ended, started))) from album join scope on album_id = album.id"
        " join run on run.id = run_id where album.id = ?"
    )
    last = journal.rows(sql, album_id)[0][0]
    return None if last is None else float(last)


def is_pending_there(journal: Journal, album_id: int) -> bool:
    """Is a photo to be put into the server's album, or a share link to be made?"""
    return bool(journal.rows(_HAS_MEMBER_PENDING, album_id)) or is_share_pending(journal, album_id)


def is_share_pending(journal: Journal, album_id: int) -> bool:
    """Was a share link asked for, and is it not made yet? One for an album without photos is nobody's wish."""
    return bool(
        journal.rows(
            "select 1 from album where id = ? and wants_share and share is null and exists (select 1 from tally"
            f" where album_id = album.id and photos > 0 and {is_in(*DONE)})",
            album_id,
        )
    )


def is_wanting(journal: Journal, album_id: int) -> bool:
    """Is a photo of the album not on the server, or not in its album there, and nobody at work on it?"""
    return bool(tally(journal, album_id).count(*WANTING) or members(journal, album_id, Membership.REFUSED))


def members(journal: Journal, album_id: int, membership: Membership) -> int:
    """Of how many photos of an album that is said."""
    sql = f"select count(*) from task where album_id = ? and {is_in(membership)}"
    return int(journal.rows(sql, album_id)[0][0])


def hold(journal: Journal, album_ids: Iterable[int], held: bool) -> None:
    """Put albums on hold (only those with something unsent), or lift it."""
    for album_id in album_ids:
        if not held or is_unfinished(journal, album_id):
            journal.connection.execute("update album set held = ? where id = ?", (held, album_id))


def touch(journal: Journal, album_id: int) -> None:
    journal.connection.execute("update album set changed = ? where id = ?", (journal.clock(), album_id))


def owe_notice(journal: Journal, album_id: int, summary: dict[str, Any]) -> None:
    """An album settled: the user is owed a word about it, once."""
    journal.connection.execute(
        "insert into notice (album_id, created, summary) values (?, ?, ?)",
        (album_id, journal.clock(), json.dumps(summary)),
    )


def owed_notices(journal: Journal) -> list[Notice]:
    """Those that were not delivered yet, the oldest first."""
    return [
        Notice(row["id"], row["album_id"], row["created"], json.loads(row["summary"]))
        for row in journal.rows("select * from notice where delivered is null order by id")
    ]


def delivered(journal: Journal, notice_ids: Iterable[int]) -> None:
    journal.connection.executemany(
        "update notice set delivered = ? where id = ?", [(journal.clock(), notice_id) for notice_id in notice_ids]
    )


def albums(journal: Journal) -> list[Album]:
    """Every album, in the order they were created."""
    return [
        Album(
            row["id"],
            row["name"],
            row["target"],
            bool(row["held"]),
            row["remote_id"],
            row["share"],
        )
        for row in journal.rows(
            "select album.id, album.name, target.name as target, album.held, remote_id, share"
            " from album join target on target.id = album.target_id order by album.id"
        )
    ]


def tell(journal: Journal, what: str, words: str) -> bool:
    """Note what cron is told about something; True if it is not what it was told last."""
    now = plain(words)
    last = journal.rows("select words from told where what = ?", what)
    journal.connection.execute("insert or replace into told values (?, ?)", (what, now))
    return not last or last[0]["words"] != now


def roots_of(journal: Journal, album_id: int) -> list[Root]:
    """The roots under which an album's pending photos lie."""
    return [
        Root(row["id"], row["path"], row["volume"], row["card"], bool(row["is_folder"]))
        for row in journal.rows(
            "select * from root where exists (select 1 from task where album_id = ? and root_id = root.id"
            f" and {is_in(State.PENDING)} and {is_in(*set(Stage) - {Stage.HELD})})",
            album_id,
        )
    ]


def tally(journal: Journal, album_id: int) -> Tally:
    rows = journal.rows("select state, photos, bytes from tally where album_id = ?", album_id)
    return Tally({row["state"]: row["photos"] for row in rows}, {row["state"]: row["bytes"] for row in rows})


def target_definitions(journal: Journal) -> dict[str, str]:
    """Targets given by ``--url``: name to definition."""
    return reading.target_definitions(journal.connection)


def _run(row: Any) -> Run:
    return Run(
        row["id"],
        row["pid"],
        row["started"],
        row["ended"],
        row["exit"],
        json.loads(row["unbuilt"]),
        json.loads(row["options"]),
    )
