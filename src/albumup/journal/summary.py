"""The sums and lists of an album's photos for a run's closing words."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from albumup.journal.journal import Journal
from albumup.journal.states import DONE, WANTING, Membership, State, is_in

_AT_A_TIME = 1000


class Sidecar(Struct, frozen=True):
    """A sidecar whose photo got there. ``is_read``: it could be read, and was not too large."""

    path: bytes
    was_sent: bool
    is_read: bool
    state: State
    """The state of its photo."""


def sidecars(journal: Journal, album_id: int, run_id: int) -> list[Sidecar]:
    """The sidecars of the photos that got there in a run, in the order of the photos."""
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
    """The first ``most`` photos that the server would not put into its album: path and reason."""
    rows = journal.rows(
        f"select photo.path, task.reason from task join photo on photo.id = task.photo_id"
        f" where task.album_id = ? and {is_in(Membership.REFUSED, table='task')}"
        " order by task.id limit ?",
        album_id,
        most,
    )
    return [(row["path"], row["reason"]) for row in rows]


class FoundThere(Struct, frozen=True):
    """The numbers of a run's photos that the server had when their turn came."""

    known: int
    """Found there before they were sent."""
    twins: int
    """Found there because another photo of the run has the same bytes."""
    sent_to_it: int
    """Sent before the server said that it has them."""
    photos: int
    """Not counted as sent."""
    bytes: int
    """The bytes of photos that were not sent at all."""


def found_there(journal: Journal, album_id: int, run_id: int) -> FoundThere:
    """Count the photos of an album that the server had when their turn came in a run."""
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
    """The number of wanting photos that were so before a command, and that it did not touch.

    ``newest``: the id of the newest task before the command; None if it queued nothing. This leaves out photos that
    became missing when the command queued them, before its run began.
    """
    sql = (
        f"select count(*) from task where album_id = ? and {is_in(*WANTING)}"
        " and ask_at is null and updated < (select started from run where id = ?) and id <= coalesce(?, id)"
    )
    return int(journal.rows(sql, album_id, run_id, newest)[0][0])


def share_of(journal: Journal, album_id: int) -> str:
    """The URL of the album's share link or page; "" if it has none."""
    rows = journal.rows("select share from album where id = ?", album_id)
    return str(rows[0][0] or "") if rows else ""


class Wanting(Struct, frozen=True):
    """A photo that did not get there. ``sent_as``: its name on the server, if it was given one."""

    path: bytes
    state: State
    reason: str
    sent_as: str


def wanting(journal: Journal, album_id: int) -> Iterator[Wanting]:
    """The wanting photos of an album, without those that are still to be asked about."""
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
