"""What became of an album's photos in a run: the sums and lists that its closing words are made of."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from albumup.journal.journal import Journal
from albumup.journal.states import DONE, WANTING, Membership, State, is_in

_AT_A_TIME = 1000


class Sidecar(Struct, frozen=True):
    """A sidecar whose photo got there. ``is_read``: it could be read, and was no larger than one is."""

    path: bytes
    was_sent: bool
    is_read: bool
    state: State
    """Its photo's."""


def sidecars(journal: Journal, album_id: int, run_id: int) -> list[Sidecar]:
    """The sidecars of what got there in a run, in the order of their photos."""
    rows = journal.rows(
        "select sidecar.path, sidecar.sent, sidecar.sha256, task.state from sidecar join task on task.id = task_id"
        f" where task.album_id = ? and {is_in(*DONE, table='task')} and case when task.attempts"
        " then exists (select 1 from attempt where attempt.task_id = task.id and run_id = ?)"
        " else task.updated >= (select started from run where id = ?) end order by task.id",
        album_id,
        run_id,
        run_id,
    )
    return [Sidecar(path, bool(sent), sha256 is not None, State(state)) for path, sent, sha256, state in rows]


def refused_places(journal: Journal, album_id: int, most: int) -> list[tuple[bytes, str]]:
    """The first photos that could not be put into the album on the server, each with the reason."""
    rows = journal.rows(
        f"select photo.path, task.reason from task join photo on photo.id = task.photo_id"
        f" where task.album_id = ? and {is_in(Membership.REFUSED, table='task')}"
        " order by task.id limit ?",
        album_id,
        most,
    )
    return [(row["path"], row["reason"]) for row in rows]


class FoundThere(Struct, frozen=True):
    """Photos of a run that the server had when their turn came."""

    known: int
    """Found there before they were sent."""
    twins: int
    """Found there because another photo of the run has the same bytes."""
    sent_to_it: int
    """Sent whole first: only then did the server say so."""
    photos: int
    """Those that are not counted as sent."""
    bytes: int
    """The bytes of photos that were not sent at all."""


def found_there(journal: Journal, album_id: int, run_id: int) -> FoundThere:
    """The photos of an album that the server had when their turn came in a run."""
    row = journal.rows(
        "select coalesce(sum(attempts = 0), 0) as known, coalesce(sum(attempts > 0), 0) as sent_to_it,"
        " coalesce(sum(iif(attempts, 0, size)), 0) as bytes from task where album_id = ? and state = 'duplicate'"
        " and updated >= (select started from run where id = ?)",
        album_id,
        run_id,
    )[0]
    known, sent_to_it, unsent_bytes = row
    if not known + sent_to_it:
        return FoundThere(0, 0, 0, 0, 0)
    equal = journal.rows(
        "select sum(state = 'duplicate') as there, sum(state = 'duplicate' and attempts > 0) as sent_to_it,"
        " count(*) as photos from task join body on task_id = task.id where album_id = ?"
        f" and {is_in(*DONE)} and updated >= (select started from run where id = ?)"
        " group by sha256 having photos > 1 and there > 0",
        album_id,
        run_id,
    )
    twins = sum(min(one["there"], one["photos"] - 1) for one in equal)
    sent_twins = sum(min(one["there"], one["photos"] - 1, one["sent_to_it"]) for one in equal)
    return FoundThere(known - (twins - sent_twins), twins, sent_to_it - sent_twins, known + sent_twins, unsent_bytes)


def given_up_before(journal: Journal, album_id: int, run_id: int, newest: int | None) -> int:
    """Photos that are not there since before a command, and that it did not touch.

    ``newest``: the newest task before it; None where it queued nothing. What could not be read when it was queued is
    missing before the command's own run begins.
    """
    sql = (
        f"select count(*) from task where album_id = ? and {is_in(*WANTING)}"
        " and ask_at is null and updated < (select started from run where id = ?) and id <= coalesce(?, id)"
    )
    return int(journal.rows(sql, album_id, run_id, newest)[0][0])


def share_of(journal: Journal, album_id: int) -> str:
    """The album's address for people; "" where it has none."""
    rows = journal.rows("select share from album where id = ?", album_id)
    return str(rows[0][0] or "") if rows else ""


class Wanting(Struct, frozen=True):
    """A photo that did not get there. ``sent_as``: its name on the server, if it was given one."""

    path: bytes
    state: State
    reason: str
    sent_as: str


def wanting(journal: Journal, album_id: int) -> Iterator[Wanting]:
    """The photos of an album that did not get there, but for those that are still to be asked about."""
    last = 0
    while rows := journal.rows(
        "select task.id, photo.path, task.state, task.reason, task.sent_as from task"
        " join photo on photo.id = task.photo_id where task.album_id = ?"
        f" and {is_in(*WANTING, table='task')} and task.ask_at is null"
        " and task.id > ? order by task.id limit ?",
        album_id,
        last,
        _AT_A_TIME,
    ):
        for row in rows:
            yield Wanting(row["path"], State(row["state"]), row["reason"], row["sent_as"] or "")
        last = rows[-1]["id"]
