"""Rounds: the fresh sets of tries that ``retry-failed`` gives to photos that did not get there."""

from __future__ import annotations

from msgspec import Struct

from albumup.journal.journal import Journal
from albumup.journal.states import RETRIED, WANTING, State, is_in

_FAILED = f"from task where album_id = ? and {is_in(*RETRIED)}"
_DOUBTED = f"from task where album_id = ? and {is_in(State.IN_DOUBT)} and ask_at is null"


def most(journal: Journal, album_id: int) -> int:
    """The highest number of sets that a failed photo of the album has had."""
    return int(journal.rows(f"select max(rounds) {_FAILED}", album_id)[0][0] or 0)


def most_of_doubts(journal: Journal, album_id: int) -> int:
    """The highest number of sets that a photo in doubt has had, of those nobody is asked about."""
    return int(journal.rows(f"select max(rounds) {_DOUBTED}", album_id)[0][0] or 0)


def total(journal: Journal, album_id: int) -> int:
    """The sum of the sets that the album's failed photos and those in doubt have had."""
    sums = (journal.rows(f"select sum(rounds) {of}", album_id) for of in (_FAILED, _DOUBTED))
    return sum(int(rows[0][0] or 0) for rows in sums)


def had(journal: Journal, album_id: int) -> list[tuple[int, float]]:
    """For each failed photo of the album: the number of sets it has had, and when it failed (Unix
    seconds)."""
    return [
        (row["rounds"], row["updated"])
        for row in journal.rows(f"select rounds, updated {_FAILED}", album_id)
    ]


class Candidate(Struct, frozen=True):
    """A task that may get a fresh set. ``updated``: Unix seconds."""

    id: int
    rounds: int
    updated: float
    is_former: bool
    """Its body was framed under a former definition of its target."""


def candidates(journal: Journal, album_id: int, state: State) -> list[Candidate]:
    """The tasks of an album in a wanting state, without those still to be asked about."""
    rows = journal.rows(
        "select id, rounds, updated, exists (select 1"
        " from body join album on album.id = task.album_id join target on target.id = target_id"
        " where task_id = task.id and body.definition_id <> target.definition_id) as is_former"
        f" from task where album_id = ? and ask_at is null and {is_in(*WANTING)} and state = ?",
        album_id,
        state,
    )
    return [
        Candidate(row["id"], row["rounds"], row["updated"], bool(row["is_former"])) for row in rows
    ]
