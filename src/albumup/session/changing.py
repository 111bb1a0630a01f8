"""Asks a run to go on with other options, which it can take over at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from albumup.journal import instructions
from albumup.journal.instructions import Kind
from albumup.journal.journal import Journal
from albumup.journal.runs import Run
from albumup.uploader.options import Options

_AT_ONCE = ("limit_rate", "jobs")
_POLL = 0.1
_SEEN_SECONDS = 3.0
"""The longest wait for an answer from an uploader that the command does not follow."""


class Change(Struct, frozen=True):
    """A change that was asked of a run.

    ``value``: options by name, as the journal has them; ``ids``: of the instructions.
    """

    value: dict[str, Any]
    ids: Sequence[int]


def ask(journal: Journal, run: Run, options: Options) -> Change | None:
    """Ask the run for typed options that differ from its own; None if there are none.

    Call this inside a transaction.
    """
    value = {name: options.shown[name] for name in _differing(run, options) if name in _AT_ONCE}
    if not value:
        return None
    return Change(value, instructions.give(journal, run.id, Kind.CHANGE, value=value))


def ignored(run: Run, options: Options) -> list[str]:
    """The typed options that differ from the run's, and that the run does not take over."""
    differing = [name for name in _differing(run, options) if name not in _AT_ONCE]
    return [f"--{name.replace('_', '-')}" for name in differing]


def _differing(run: Run, options: Options) -> list[str]:
    return [
        name
        for name in options.typed
        if name in run.options and run.options[name] != options.shown[name]
    ]


def wait_until_seen(
    journal: Journal,
    change: Change,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Wait a moment until the run has taken the change over; False if it has not answered."""
    until = clock() + _SEEN_SECONDS
    while not (is_seen := instructions.are_seen(journal, change.ids)) and clock() < until:
        sleep(_POLL)
    return is_seen
