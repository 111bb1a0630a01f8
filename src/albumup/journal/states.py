"""What is said of a task by words, and which steps lead from one to another: as data.

Its state, its stage (how far it has come on its way to being sent) and its membership in the server's album. The
journal makes its statements from the tables, so that it refuses any other step; the tests walk them, docs/design.md
draws them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Any, TypeVar


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

GOING = frozenset({State.PENDING, State.SENDING})
"""To be sent yet. What is in doubt and still to be asked about is worked on besides (``is_open``)."""

UNDECIDED = GOING | {State.IN_DOUBT}
"""What becomes of it is not clear yet."""

MAY_BE_THERE = DONE | {State.SENDING, State.IN_DOUBT}
"""The server has the photo, or may have it."""

RETRIED = frozenset({State.FAILED, State.MISSING})
"""What ``retry-failed`` tries again without being told to."""

FINAL = frozenset(state for state, allowed in TRANSITIONS.items() if not allowed)
"""Nothing more is done with it."""


class Stage(IntEnum):
    """How far a task has come on its way to being sent."""

    UNREAD = 0
    """Its source was not read yet: it has no body."""
    READY = 1
    """It has its body, and can be sent. One that is being sent, or was, stays so."""
    UNASKED = 2
    """It has its body, and the server is to be asked first whether it has the photo."""
    UNPAIRED = 3
    """The still of a live photo: it goes when its clip has gone, or is given up."""
    STALE = 4
    """It has its body, which was framed otherwise than it would be now: it is framed anew."""
    HELD = 5
    """It was tried for the last time, or refused by a target that never accepted a photo: what comes next tells
    whose fault that was. Only within a run."""


STAGE_TRANSITIONS: Mapping[Stage, frozenset[Stage]] = {
    Stage.UNREAD: frozenset({Stage.READY, Stage.UNASKED, Stage.UNREAD}),
    Stage.UNASKED: frozenset({Stage.READY, Stage.UNPAIRED, Stage.STALE, Stage.UNREAD}),
    Stage.UNPAIRED: frozenset({Stage.READY, Stage.STALE, Stage.UNREAD}),
    Stage.READY: frozenset({Stage.HELD, Stage.STALE, Stage.UNPAIRED, Stage.UNREAD}),
    Stage.STALE: frozenset({Stage.READY, Stage.UNASKED, Stage.UNREAD}),
    Stage.HELD: frozenset({Stage.READY, Stage.UNREAD}),
}


class Membership(IntEnum):
    """Of a stored photo in the server's album."""

    SETTLED = 0
    """Nothing is to be done: it is in the album, or has no place of its own there; or it is not stored yet."""
    PENDING = 1
    """It is to be put into the album."""
    REFUSED = 2
    """The server will not put it there; the task's reason says why."""
    WAITING = 3
    """A live photo's clip whose still did not get there and may yet: until that is clear it is no photo of its own."""


MEMBERSHIP_TRANSITIONS: Mapping[Membership, frozenset[Membership]] = {
    Membership.SETTLED: frozenset({Membership.PENDING}),
    Membership.PENDING: frozenset({Membership.SETTLED, Membership.REFUSED, Membership.WAITING}),
    Membership.WAITING: frozenset({Membership.PENDING, Membership.SETTLED}),
    Membership.REFUSED: frozenset({Membership.PENDING}),
}


class Together(IntEnum):
    """How a live photo's still becomes one with its clip on the server."""

    BY_SENDING = 0
    """It goes, or went, with the server's id of its clip."""
    NOT_YET = 1
    """It went without, and is joined to its clip once that is there."""
    REFUSED = 2
    """The server did not join them: the clip is a video of its own."""
    JOINED = 3


Word = TypeVar("Word", State, Stage, Membership)
_COLUMNS: Mapping[type, str] = {State: "state", Stage: "stage", Membership: "membership"}
_STEPS: Mapping[type, Mapping[Any, frozenset[Any]]] = {
    State: TRANSITIONS,
    Stage: STAGE_TRANSITIONS,
    Membership: MEMBERSHIP_TRANSITIONS,
}


def sources_of(target: Word) -> frozenset[Word]:
    """The words from which a task may come to ``target``."""
    return frozenset(word for word, allowed in _STEPS[type(target)].items() if target in allowed)


def is_in(*words: Word, table: str = "") -> str:
    """SQL that is true of a task in any of these states, stages or memberships, in the form that indexes have it.

    For an IN list of more than two SQLite builds a table each time the statement runs.
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
    """A step to ``target``, in SQL: what it sets, and from where it may be taken.

    ``sources``: those that the statement is for, else all that the table has. ValueError if it does not have one.
    """
    allowed = sources_of(target)
    if not allowed.issuperset(sources):
        raise ValueError(f"no step leads there: {sources} -> {target}")
    return f"{_COLUMNS[type(target)]} = {_literal(target)}", is_in(*(sources or allowed))


def change(target: Word, *sources: Word, also: str = "", where: str = "id = ?") -> str:
    """The statement that brings tasks to ``target``; ``sources`` and ValueError as of ``step``.

    ``also``: other columns that change with it ("tries = ?"). ``where``: of which tasks it is said.
    """
    sets, allowed = step(target, *sources)
    return f"update task set {sets}{', ' * bool(also)}{also} where {where} and {allowed}"


def _literal(word: State | Stage | Membership) -> str:
    return f"'{word.value}'" if isinstance(word, State) else str(word.value)
