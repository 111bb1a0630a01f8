"""Runs, their scopes and holds: the means by which several commands work together.

Call functions that change something inside ``Journal.transaction()``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from albumup.journal import reading
from albumup.journal.journal import Journal
from albumup.journal.rows import Album, Root, plain
from albumup.journal.states import (
    DONE,
    Membership,
    Stage,
    State,
    is_asking,
    is_in,
    waits_at,
)

_IS_ASKING = is_asking()
_HAS_MEMBER_PENDING = (
    f"select 1 from task where album_id = ? and {is_in(Membership.PENDING)} limit 1"
)
_IS_SHARE_PENDING = (
    "select 1 from album where id = ? and wants_share and share is null"
    f" and exists (select 1 from tally where album_id = album.id and photos > 0 and {is_in(*DONE)})"
)


class Run(Struct, frozen=True):
    """The life of one uploader. Times are Unix seconds."""

    id: int
    pid: int
    started: float
    ended: float | None
    exit: int | None
    unbuilt: list[str]
    options: dict[str, Any]
    is_detached: bool = False
    """No terminal's end is its own."""


def begin(
    journal: Journal,
    pid: int,
    options: dict[str, Any],
    album_ids: Iterable[int],
    *,
    is_watched: bool = True,
    is_detached: bool = False,
) -> int:
    """Begin a run with these albums in its scope; return its id. The caller holds the lock.

    ``is_watched``: somebody sees how it ends. ``is_detached``: no terminal's end is its own.
    """
    now = journal.clock()
    close_dead(journal)
    cursor = journal.connection.execute(
        "insert into run (pid, started, options, watched, detached) values (?, ?, ?, ?, ?)",
        (pid, now, json.dumps(options), is_watched, is_detached),
    )
    run_id = int(cursor.lastrowid or 0)
    add_to_scope(journal, run_id, album_ids)
    return run_id


def close_dead(journal: Journal) -> None:
    """End runs that were killed, so that nobody hands over to them. The caller holds the lock."""
    journal.connection.execute("update run set ended = ? where ended is null", (journal.clock(),))


def add_to_scope(journal: Journal, run_id: int, album_ids: Iterable[int]) -> None:
    """Add albums to a run's scope, except those that were forgotten meanwhile."""
    journal.connection.executemany(
        "insert or ignore into scope (run_id, album_id) select ?, id from album where id = ?",
        [(run_id, album_id) for album_id in album_ids],
    )


def note_heir(journal: Journal, run_id: int, album_ids: Iterable[int]) -> None:
    """Note that another process goes on with these albums of a run when it ends early."""
    journal.connection.executemany(
        "update scope set has_heir = 1 where run_id = ? and album_id = ?",
        [(run_id, album_id) for album_id in album_ids],
    )


def with_heirs(journal: Journal, run_id: int) -> set[int]:
    """The ids of a run's albums with which another process goes on when it ends early."""
    return {
        row[0]
        for row in journal.rows("select album_id from scope where run_id = ? and has_heir", run_id)
    }


def leave(journal: Journal, run_id: int, album_id: int) -> None:
    """Take an album out of a run's scope."""
    journal.connection.execute(
        "delete from scope where run_id = ? and album_id = ?", (run_id, album_id)
    )


def scope(journal: Journal, run_id: int) -> list[int]:
    """The ids of a run's albums, in the order they were made."""
    return [
        row[0]
        for row in journal.rows(
            "select album_id from scope where run_id = ? order by album_id", run_id
        )
    ]


def running(journal: Journal) -> Run | None:
    """The run that has not ended, if there is one. It lives only if the lock is held, too."""
    rows = journal.rows("select * from run where ended is null order by id desc limit 1")
    return _run(rows[0]) if rows else None


def run_of(journal: Journal, run_id: int) -> Run:
    return _run(journal.rows("select * from run where id = ?", run_id)[0])


def last(journal: Journal) -> Run | None:
    """The run that began last, whether it has ended or not."""
    rows = journal.rows("select * from run order by id desc limit 1")
    return _run(rows[0]) if rows else None


def last_with(journal: Journal, album_ids: Iterable[int], since: int) -> Run | None:
    """The last run that has any of these albums in its scope; None if it began before run
    ``since``."""
    rows = journal.rows(
        "select * from run where id >= ? and id in (select run_id from scope where album_id in"
        " (select value from json_each(?))) order by id desc limit 1",
        since,
        json.dumps(list(album_ids)),
    )
    return _run(rows[0]) if rows else None


def join(journal: Journal, album_ids: Iterable[int]) -> Run | None:
    """Hand albums over to the running uploader and return its run; None if it has ended."""
    run = running(journal)
    if run is not None:
        add_to_scope(journal, run.id, album_ids)
    return run


def note_options(journal: Journal, run_id: int, options: dict[str, Any]) -> None:
    """Note the options with which a run goes on."""
    journal.connection.execute(
        "update run set options = ? where id = ?", (json.dumps(options), run_id)
    )


def end(journal: Journal, run_id: int, exit_code: int, unbuilt: Iterable[str] = ()) -> None:
    journal.connection.execute(
        "update run set ended = ?, exit = ?, unbuilt = ? where id = ?",
        (journal.clock(), exit_code, json.dumps(sorted(unbuilt)), run_id),
    )


def is_unfinished(journal: Journal, album_id: int) -> bool:
    """``Summary.is_unfinished`` without the sums: the likeliest first, for each commit."""
    count = "select 1 from tally where album_id = ? and state = ? and photos > 0"
    return bool(
        journal.rows(count, album_id, State.PENDING.value)
        or journal.rows(count, album_id, State.SENDING.value)
        or journal.rows(f"select 1 from task where album_id = ? and {_IS_ASKING} limit 1", album_id)
        or journal.rows(_HAS_MEMBER_PENDING, album_id)
        or is_share_pending(journal, album_id)
    )


def is_share_pending(journal: Journal, album_id: int) -> bool:
    """``Summary.is_share_pending`` without the sums."""
    return bool(journal.rows(_IS_SHARE_PENDING, album_id))


def unprepared(journal: Journal, album_id: int) -> tuple[int, int]:
    """The number of an album's unread photos, a thousand at most, and the bytes of them to copy
    into the spool."""
    sql = (
        "select count(*), coalesce(sum(spool * size), 0) from (select spool, size"
        f" from task where album_id = ? and {waits_at(Stage.UNREAD)} limit 1000)"
    )
    count, size = journal.rows(sql, album_id)[0]
    return count, size


def last_touched(journal: Journal, album_id: int) -> float | None:
    """When an album last changed, or a run with it began or ended (Unix seconds); None if there was
    no such run."""
    sql = (
        "select max(changed, max(coalesce(ended, started))) from album"
        " join scope on album_id = album.id join run on run.id = run_id where album.id = ?"
    )
    last = journal.rows(sql, album_id)[0][0]
    return None if last is None else float(last)


def hold(journal: Journal, album_ids: Iterable[int], held: bool) -> None:
    """Put albums on hold, except settled ones, or lift their holds."""
    for album_id in album_ids:
        if not held or is_unfinished(journal, album_id):
            journal.connection.execute("update album set held = ? where id = ?", (held, album_id))


def on_hold(journal: Journal) -> set[int]:
    """The ids of the albums on hold."""
    return {album.id for album in albums(journal) if album.held}


def touch(journal: Journal, album_id: int) -> None:
    journal.connection.execute(
        "update album set changed = ? where id = ?", (journal.clock(), album_id)
    )


def albums(journal: Journal) -> list[Album]:
    """All albums, in the order they were made."""
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


def told(journal: Journal, what: str) -> str:
    """The last words that were told about something; "" if there were none."""
    found = journal.rows("select words from told where what = ?", what)
    return str(found[0]["words"]) if found else ""


def tell(journal: Journal, what: str, words: str) -> bool:
    """Note the words that cron is told about something; True if they differ from the last ones."""
    now = plain(words)
    last = journal.rows("select words from told where what = ?", what)
    journal.connection.execute("insert or replace into told values (?, ?)", (what, now))
    return not last or last[0]["words"] != now


def roots_of(journal: Journal, album_id: int) -> list[Root]:
    """The roots of an album's pending photos, without those that only have held ones."""
    return [
        Root(row["id"], row["path"], row["volume"], row["card"], bool(row["is_folder"]))
        for row in journal.rows(
            "select * from root where exists"
            " (select 1 from task where album_id = ? and root_id = root.id"
            f" and {is_in(State.PENDING)} and {is_in(*set(Stage) - {Stage.HELD})})",
            album_id,
        )
    ]


def target_definitions(journal: Journal) -> dict[str, str]:
    """Name to definition (JSON) of the targets that ``--url`` described."""
    return reading.target_definitions(journal.connection)


def servers(journal: Journal) -> dict[str, str]:
    """Target name to what its server is known by, for targets of several addresses."""
    return reading.servers(journal.connection)


def _run(row: Any) -> Run:
    return Run(
        row["id"],
        row["pid"],
        row["started"],
        row["ended"],
        row["exit"],
        json.loads(row["unbuilt"]),
        json.loads(row["options"]),
        bool(row["detached"]),
    )
