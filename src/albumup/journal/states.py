"""The states, stages and memberships of tasks, and the tables of steps between them.

A stage says how far a pending task is on its way to being sent; a membership is that of a photo in
the server's album. The journal makes its statements from the tables, so it refuses any other step.
Tests walk the tables, and docs/design.md draws them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Any, TypeVar


class State(StrEnum):
    """The state of a task. The values are the words of the journal, of ``list`` and of
    ``--json``."""

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
"""The photo is not on the server as far as known, and nobody works on it: exit code 3."""

GOING = frozenset({State.PENDING, State.SENDING})
"""The photo is still to be sent. Doubts that are still to be asked about are worked on, too
(``is_open``)."""

UNDECIDED = GOING | {State.IN_DOUBT}
"""The end is not known: perhaps the server gets the photo yet, or has it."""

MAY_BE_THERE = DONE | {State.SENDING, State.IN_DOUBT}
"""The server has the photo, or may have it."""

RETRIED = frozenset({State.FAILED, State.MISSING})
"""The states that ``retry-failed`` tries again without further options."""

FINAL = frozenset(state for state, allowed in TRANSITIONS.items() if not allowed)
"""The states that no step leads out of."""

CUT = "cut"
"""The error of an attempt that we cut before all of its bytes had left."""
CUT_WHOLE = "cut before the answer came"
"""The error of one that we cut after that."""


class Stage(IntEnum):
    """How far a task has come on its way to being sent."""

    UNREAD = 0
    """The photo was not read yet, so the task has no body."""
    READY = 1
    """The task has its body and can be sent. It stays ready while it is sent, and afterwards."""
    UNASKED = 2
    """The task has its body; the server is asked first whether it has the photo."""
    UNPAIRED = 3
    """A live photo's still, which waits until its clip was sent or given up."""
    STALE = 4
    """The task has a body that would be framed otherwise now, so it is framed anew."""
    HELD = 5
    """The last try is over, or a target that never accepted a photo refused this one. The next
    outcome tells whose fault that was. Only within a run."""


STAGE_TRANSITIONS: Mapping[Stage, frozenset[Stage]] = {
    Stage.UNREAD: frozenset({Stage.READY, Stage.UNASKED, Stage.UNREAD}),
    Stage.UNASKED: frozenset({Stage.READY, Stage.UNPAIRED, Stage.STALE, Stage.UNREAD}),
    Stage.UNPAIRED: frozenset({Stage.READY, Stage.STALE, Stage.UNREAD}),
    Stage.READY: frozenset({Stage.HELD, Stage.STALE, Stage.UNPAIRED, Stage.UNREAD}),
    Stage.STALE: frozenset({Stage.READY, Stage.UNASKED, Stage.UNREAD}),
    Stage.HELD: frozenset({Stage.READY, Stage.UNREAD}),
}


class Membership(IntEnum):
    """The membership of a stored photo in the server's album."""

    SETTLED = 0
    """There is nothing to do: the photo is in the album, needs no place of its own there, or is not
    stored yet."""
    PENDING = 1
    """The photo is to be put into the album."""
    REFUSED = 2
    """The server will not put the photo there; the task's reason says why."""
    WAITING = 3
    """A live photo's clip, stored before its still: it waits while the still may yet follow."""


MEMBERSHIP_TRANSITIONS: Mapping[Membership, frozenset[Membership]] = {
    Membership.SETTLED: frozenset({Membership.PENDING}),
    Membership.PENDING: frozenset({Membership.SETTLED, Membership.REFUSED, Membership.WAITING}),
    Membership.WAITING: frozenset({Membership.PENDING, Membership.SETTLED}),
    Membership.REFUSED: frozenset({Membership.PENDING}),
}


class Together(IntEnum):
    """How a live photo's still is joined to its clip on the server."""

    BY_SENDING = 0
    """The still is, or was, sent with the server's id of its clip."""
    NOT_YET = 1
    """The still was sent without, and is joined to its clip once the clip is there."""
    REFUSED = 2
    """The server would not join them: the clip is a video of its own."""
    JOINED = 3


Word = TypeVar("Word", State, Stage, Membership)
_COLUMNS: Mapping[type, str] = {State: "state", Stage: "stage", Membership: "membership"}
_STEPS: Mapping[type, Mapping[Any, frozenset[Any]]] = {
    State: TRANSITIONS,
    Stage: STAGE_TRANSITIONS,
    Membership: MEMBERSHIP_TRANSITIONS,
}


def sources_of(target: Word) -> frozenset[Word]:
    """The states, stages or memberships from which a step leads to ``target``."""
    return frozenset(word for word, allowed in _STEPS[type(target)].items() if target in allowed)


def is_in(*words: Word, table: str = "") -> str:
    """SQL that is true of a task in any of these states, stages or memberships.

    The form is that of the partial indexes. An IN list would be slower: with more than two values
    SQLite builds a table each time the statement runs.
    """
    column = f"{table}." * bool(table) + _COLUMNS[type(words[0])]
    said = " or ".join(f"{column} = {_literal(word)}" for word in sorted(words))
    return said if len(words) == 1 else f"({said})"


def is_asking(table: str = "") -> str:
    """SQL that is true of a task in doubt that is still to be asked about."""
    return f"{is_in(State.IN_DOUBT, table=table)} and {f'{table}.' * bool(table)}ask_at is not null"


def is_open(table: str = "") -> str:
    """SQL that is true of a task that is still worked on."""
    return f"({is_in(*GOING, table=table)} or ({is_asking(table)}))"


def waits_at(stage: Stage, table: str = "") -> str:
    """SQL that is true of a pending task at this stage."""
    return f"{is_in(State.PENDING, table=table)} and {is_in(stage, table=table)}"


def step(target: Word, *sources: Word) -> tuple[str, str]:
    """A step to ``target`` as SQL: an assignment, and the condition that allows the step.

    ``sources``: take the step only from these, else from all that the table has. Raises ValueError
    if the table does not have one of them.
    """
    allowed = sources_of(target)
    if not allowed.issuperset(sources):
        raise ValueError(f"no step leads there: {sources} -> {target}")
    return f"{_COLUMNS[type(target)]} = {_literal(target)}", is_in(*(sources or allowed))


def change(target: Word, *sources: Word, also: str = "", where: str = "id = ?") -> str:
    """The statement that brings tasks to ``target``. ``sources`` and Raises as for ``step``.

    ``also``: assignments of other columns ("tries = ?"). ``where``: a condition that selects the
    tasks.
    """
    sets, allowed = step(target, *sources)
    return f"update task set {sets}{', ' * bool(also)}{also} where {where} and {allowed}"


def _literal(word: State | Stage | Membership) -> str:
    return f"'{word.value}'" if isinstance(word, State) else str(word.value)
