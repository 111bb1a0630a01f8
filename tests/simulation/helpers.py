"""What stands in for helper threads: functions run at drawn virtual times, in the loop's thread."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

from albumup.helpers import THREADS, Work
from simulation.line import Line

T = TypeVar("T")
_Job = tuple[Callable[..., Any], tuple[Any, ...], "asyncio.Future[Any]", Work]


class SimulatedHelpers:
    """The helpers of one life. ``slow``: how often one takes seconds; ``hangs``: the numbers of
    jobs, by kind of work, that take ``hangs_for`` seconds."""

    def __init__(self, line: Line, chance: random.Random, *, slow: float = 0.02) -> None:
        self.hangs: dict[tuple[Work, int], float] = {}
        self.on_hang: Callable[[Work, int], None] = lambda *_: None
        self.more_seconds = 0.0
        """What the function that runs says it takes besides: it waited for a server."""
        self._line, self._chance, self._slow = line, chance, slow
        self._is_over = False
        self._running: Counter[Work] = Counter()
        self._waiting: dict[Work, list[_Job]] = {}
        self._numbers: Counter[Work] = Counter()
        self._build_chance = random.Random(chance.getstate()[1][0])
        """Of its own, so that what follows does not hang on how many targets are built."""

    def run(self, work: Work, function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self._line.loop.create_future()
        self._waiting.setdefault(work, []).append((function, args, future, work))
        self._start(work)
        return future

    @property
    def is_busy(self) -> bool:
        """Is a function under way?"""
        return any(self._running.values())

    def close(self) -> None:
        """What still runs is left alone."""

    def end(self) -> None:
        """The life is over: nothing that was not done is done."""
        self._is_over = True

    def _start(self, work: Work) -> None:
        waiting = self._waiting[work]
        while waiting and self._running[work] < THREADS[work]:
            self._running[work] += 1
            self._numbers[work] += 1
            hangs = self.hangs.get((work, self._numbers[work]), 0.0)
            if hangs:
                self.on_hang(work, self._numbers[work])
            self._line.loop.outside(hangs + self._seconds(work), self._work, waiting.pop(0))

    def _seconds(self, work: Work) -> float:
        if work is Work.BUILD:  # mostly at once: when a run begins is no matter of chance
            is_slow = self._build_chance.random() < 5 * self._slow
            return self._build_chance.uniform(0.1, 20.0) if is_slow else 0.0
        if self._chance.random() < self._slow:
            return self._chance.uniform(0.1, 5.0)
        return self._chance.uniform(0.0, 0.002)

    def _work(self, job: _Job) -> None:
        if self._is_over:
            return
        function, args, future, work = job
        self.more_seconds = 0.0
        value, error = None, None
        try:
            value = function(*args)
        except Exception as raised:  # noqa: BLE001 - whoever waits must hear of it
            error = raised
        self._line.loop.outside(self.more_seconds, self._deliver, future, value, error, work)

    def _deliver(
        self, future: asyncio.Future[Any], value: Any, error: BaseException | None, work: Work
    ) -> None:
        if self._is_over:
            return
        self._running[work] -= 1
        self._start(work)
        self._line.last_heard = self._line.loop.time()
        if future.done():
            return
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
