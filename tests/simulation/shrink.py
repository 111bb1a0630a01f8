"""A bad story with fewer events and photos that is bad in the same way."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from simulation.plan import Plan
from simulation.story import Result, play

_NUMBERS = re.compile(r"\d+(\.\d+)?|[0-9a-f]{6,}")


def shrunk(bad: Result, is_bad: Callable[[Result], bool] | None = None, most: int = 300) -> Result:
    """The smallest story that was found; ``most``: stories that may be played for it."""
    kind = _kind(bad)
    same = is_bad or (lambda result: bool(result.broken) and _kind(result) == kind)
    best, played, is_smaller = bad, 0, True
    while is_smaller and played < most:
        is_smaller = False
        for plan in _smaller(best.plan):
            played += 1
            result = play(plan)
            if same(result):
                best, is_smaller = result, True
                break
            if played >= most:
                break
    return best


def _kind(result: Result) -> str:
    """The law that was broken, without its numbers."""
    return _NUMBERS.sub("#", result.broken)[:60]


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Plans that lack something of this one: the larger cuts first."""
    count = len(plan.events)
    if count > 2:
        half = count // 2
        yield plan.without(set(range(half)))
        yield plan.without(set(range(half, count)))
    for number in range(count):
        yield plan.without({number})
    photos = len(plan.sizes)
    if photos > 1:
        yield replace(plan, sizes=plan.sizes[: photos // 2])
        yield replace(plan, sizes=plan.sizes[:-1])
    if any(size > 1000 for size in plan.sizes):
        yield replace(plan, sizes=tuple(300 + number for number in range(photos)))
    plain = Plan(plan.seed, plan.sizes)
    for name in (
        "cron", "spool", "volume", "fifo", "keeps", "tells", "latency", "speed", "helpers_slow",
        "jobs",
    ):  # fmt: skip
        if getattr(plan, name) != getattr(plain, name):
            yield replace(plan, **{name: getattr(plain, name)})
