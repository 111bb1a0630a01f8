"""A run's uploads in flight, its cuts, and the photos done before it; for other commands."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from albumup.journal.journal import Journal
from albumup.journal.states import CUT, CUT_WHOLE, DONE, State, is_in


class Upload(Struct, frozen=True):
    """An upload of a photo. ``bytes``: the photo's size, or the bytes that were sent in vain.

    ``is_whole``: it was cut after all of its bytes had left, before the answer came.
    """

    path: bytes
    bytes: int
    is_whole: bool = False


def in_flight(journal: Journal, album_ids: Iterable[int]) -> list[Upload]:
    """The uploads of these albums that are in flight, as far as the journal knows."""
    sql = (
        "select photo.path, task.size from task join photo on photo.id = task.photo_id"
        f" where task.album_id = ? and {is_in(State.SENDING, table='task')} order by task.id"
    )
    return [Upload(*row) for album_id in album_ids for row in journal.rows(sql, album_id)]


def cut_since(
    journal: Journal, run_id: int, album_ids: Iterable[int], since: float
) -> list[Upload]:
    """The uploads of these albums that a run has cut since ``since`` (Unix seconds)."""
    sql = (
        "select photo.path, attempt.bytes, outcome = 'in_doubt' from attempt"
        " join task on task.id = task_id join photo on photo.id = task.photo_id"
        " where run_id = ? and task.album_id = ? and attempt.ended >= ?"
        " and (outcome, attempt.error)"
        f" in (values ('free', '{CUT}'), ('in_doubt', '{CUT_WHOLE}'))"
        " order by attempt.id"
    )
    return [
        Upload(path, count, bool(is_whole))
        for album_id in album_ids
        for path, count, is_whole in journal.rows(sql, run_id, album_id, since)
    ]


def done_before(journal: Journal, album_id: int, run_id: int) -> tuple[int, int]:
    """The number and the bytes of an album's photos that the server had before a run began."""
    sql = (
        "select count(*), coalesce(sum(size), 0) from task where album_id = ?"
        f" and {is_in(*DONE)} and updated < (select started from run where id = ?)"
    )
    count, size = journal.rows(sql, album_id, run_id)[0]
    return count, size
