"""The state machine of a task, as data: the journal obeys it, the tests walk it, docs/design.md draws it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum, StrEnum


class State(StrEnum):
    """Where a task stands. The values are the words of the journal, of ``list`` and of ``--json``."""

    PENDING = "pending"
    SENDING = "sending"
    UPLOADED = "uploaded"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    FAILED = "failed"
    IN_DOUBT = "in_doubt"
    MISSING = "missing"
    CANCELLED = "cancelled"


TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.PENDING: frozenset(
        {
            State.SENDING,
            State.DUPLICATE,
            State.REJECTED,
            State.MISSING,
            State.FAILED,
            State.IN_DOUBT,
            State.CANCELLED,
        }
    ),
    State.SENDING: frozenset(
        {
            State.UPLOADED,
            State.DUPLICATE,
            State.REJECTED,
            State.FAILED,
            State.IN_DOUBT,
            State.MISSING,
            State.PENDING,
            State.CANCELLED,
        }
    ),
    State.IN_DOUBT: frozenset({State.UPLOADED, State.DUPLICATE, State.PENDING, State.CANCELLED}),
    State.FAILED: frozenset({State.PENDING, State.CANCELLED}),
    State.MISSING: frozenset({State.PENDING, State.CANCELLED}),
    State.REJECTED: frozenset({State.PENDING, State.CANCELLED}),
    State.UPLOADED: frozenset(),
    State.DUPLICATE: frozenset(),
    State.CANCELLED: frozenset(),
}

DONE = frozenset({State.UPLOADED, State.DUPLICATE})
"""The server has the photo."""

WANTING = frozenset({State.FAILED, State.REJECTED, State.MISSING, State.IN_DOUBT})
"""Not on the server, or not known to be, and nobody is working on it: what makes exit code 3."""


class Prepared(IntEnum):
    """How far a pending task has come on its way to being sent."""

    UNREAD = 0
    """Its source was not read yet: it has no body."""
    READY = 1
    UNASKED = 2
    """It has its body, and the server is to be asked first whether it has the photo."""
    UNPAIRED = 3
    """The still of a live photo: it goes when its clip has gone, or is given up."""
    STALE = 4
    """It has its body, framed under another definition of its target: it is framed anew."""
    HELD = 5
    """It was tried for the last time, or refused by a target that never accepted a photo: what comes next tells
    whose fault that was. Only within a run."""


class Owed(IntEnum):
    """What the server's album is owed of a stored photo."""

    NOTHING = 0
    PLACE = 1
    WAITS = 3
    """A live photo's clip whose still did not get there and may yet: until that is clear it is no photo of its own."""
    GIVEN_UP = 2
    """The server will not put it there; the task's reason says why."""


class Together(IntEnum):
    """How a live photo's still becomes one with its clip on the server."""

    BY_SENDING = 0
    """It goes, or went, with the server's id of its clip."""
    NOT_YET = 1
    """It went without, and is joined to its clip once that is there."""
    REFUSED = 2
    """The server did not join them: the clip is a video of its own."""
    JOINED = 3


def is_one_of(states: Iterable[State], column: str = "state") -> str:
    """SQL that is true in any of these states, in the form that indexes have it.

    For an IN list of more than two SQLite builds a table each time the statement runs.
    """
    return "(" + " or ".join(f"{column} = '{state.value}'" for state in sorted(states)) + ")"


def sources_of(target: State) -> frozenset[State]:
    """The states from which a task may move to ``target``."""
    return frozenset(state for state, allowed in TRANSITIONS.items() if target in allowed)
