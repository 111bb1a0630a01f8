"""The times of cron's fresh sets of tries for failed photos. Loads no module."""

from __future__ import annotations

from collections.abc import Sequence

LADDER = (0.0, 15 * 60.0, 3600.0, 6 * 3600.0, 24 * 3600.0)
"""Seconds from a failure to the next fresh set, by the number of sets the photo has had."""


def round_is_due(rounds_had: int, failed_at: float, now: float, most: int) -> bool:
    """Whether cron may give a failed photo its next fresh set. Times are Unix seconds.

    If the clock was set back, the set is due at once.
    """
    if rounds_had >= most:
        return False
    wait = wait_after(rounds_had)
    return now >= failed_at + wait or now < failed_at - 1


def wait_after(had: int) -> float:
    """Seconds from the failure of a photo that ``had`` so many sets to its next fresh set."""
    return LADDER[min(had, len(LADDER) - 1)]


def due_in(tasks: Sequence[tuple[int, float]], most: int, now: float) -> float | None:
    """Seconds until the next fresh set is due, negative if one is; None if no photo gets one.

    ``tasks``: for each failed photo its number of sets so far, and the time of its failure (Unix
    seconds). ``most``: the most sets of a photo.
    """
    dues = [failed_at + wait_after(had) for had, failed_at in tasks if had < most]
    return min(dues) - now if dues else None
