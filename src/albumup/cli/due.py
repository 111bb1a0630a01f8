"""The words for cron's next round. Loads few modules."""

from __future__ import annotations

from collections.abc import Sequence

from albumup.cli.figures import span
from albumup.session.ladder import due_in


def next_round(tasks: Sequence[tuple[int, float]], most: int, now: float) -> str:
    """The time of the next fresh set of tries for failed photos, by ``due_in``, in words."""
    left = due_in(tasks, most, now)
    if left is None:
        return "cron gives no more rounds"
    return f"next round in {span(left)}" if left > 0 else "next round at cron's next turn"
