"""An event loop without a selector: time jumps to the next timer, and the seed draws what runs
next.

What belongs to the program under test is fenced by lives: ``bury`` ends one as a kill does, and
none of its coroutines is ever run again, not even by the garbage collector.
"""

from __future__ import annotations

import asyncio
import ctypes
import heapq
import random
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Stuck(Exception):
    """Nothing is ready and no timer runs: somebody waits for what never comes."""


class Endless(Exception):
    """More virtual time or more steps than any honest story takes."""


class Killed(Exception):
    """The life that ran is over; ``power``: so is all that was not fsynced."""

    def __init__(self, *, power: bool = False) -> None:
        super().__init__("power cut" if power else "killed")
        self.power = power


class Outside(asyncio.TimerHandle):
    """A timer of the world's own, which outlives the program under test."""


class Timer(asyncio.TimerHandle):
    """A timer of the program under test. ``waits``: it was set for later, and not for the end of
    the turn."""

    waits = False


class SimulatedLoop(asyncio.BaseEventLoop):
    """``chance`` draws among what is ready; None: first come, first served, as in asyncio
    itself."""

    def __init__(
        self, chance: random.Random | None, *, most_seconds: float, most_steps: int
    ) -> None:
        super().__init__()
        self.steps = 0
        """Handles that have run."""
        self.fired = 0
        """Timers of the program under test that were waited for, and have fired."""
        self.errors: list[str] = []
        """What callbacks and forgotten tasks raised."""
        self.after_step: Callable[[], None] = lambda: None
        self._chance = chance
        self._now = 0.0
        self._most_seconds, self._most_steps = most_seconds, most_steps
        self._buried: list[Any] = []
        self._begun: list[asyncio.Task[Any]] = []
        """Tasks of this loop. (To ask asyncio takes a look at those of all stories so far.)"""
        self.set_exception_handler(self._heard)

    # What the program under test calls.

    def time(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Timer:  # type: ignore[override]
        timer = Timer(when, callback, args, self, context)
        timer.waits = when > self._now
        timer._scheduled = True  # type: ignore[attr-defined]
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        return timer

    def create_task(self, *args: Any, **how: Any) -> asyncio.Task[Any]:  # type: ignore[override]
        task: asyncio.Task[Any] = super().create_task(*args, **how)
        self._begun.append(task)
        return task

    # What the world calls.

    def outside(self, delay: float, call: Callable[..., object], *args: Any) -> Outside:
        """Have the world's ``call`` made after ``delay`` seconds, whoever lives then."""
        handle = Outside(self._now + delay, call, args, self)
        heapq.heappush(self._scheduled, handle)  # type: ignore[attr-defined]
        return handle

    def play(self, life: Coroutine[Any, Any, T]) -> T:
        """Run a life to its end. Raises Killed, Stuck, Endless."""
        task = self.create_task(life, name="life")
        self._buried.append(task)  # whoever raises out of here leaves it as it is
        value = self.run_until_complete(task)
        self._buried.remove(task)
        return value

    def settle(self) -> None:
        """Let all run that is ready, without time passing."""
        for _ in range(100):
            if not self._ready:  # type: ignore[attr-defined]
                break
            self.run_until_complete(self._a_turn())

    async def _a_turn(self) -> None:
        """Nothing, once."""

    def pass_time(self, seconds: float) -> None:
        """Let the world go on while nobody lives."""
        over = self.create_future()
        self.outside(seconds, over.set_result, None)
        self.run_until_complete(over)

    def stand_still(self, seconds: float) -> None:
        """Run nothing for a while: all that falls due meanwhile is late."""
        self._now += seconds

    def bury(self) -> None:
        """All that the program under test has begun stays as it is for ever."""
        handles = [*self._ready, *self._scheduled]  # type: ignore[attr-defined]
        dead: list[Any] = [handle for handle in handles if not isinstance(handle, Outside)]
        for task in self._unfinished():
            dead.append(task)
            asyncio.tasks._unregister_task(task)
        for thing in (*dead, *self._buried):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
        self._buried.clear()
        self._begun.clear()
        self._ready.clear()  # type: ignore[attr-defined]
        kept = [handle for handle in handles if isinstance(handle, Outside)]
        heapq.heapify(kept)
        self._scheduled[:] = kept  # type: ignore[attr-defined]

    def _unfinished(self) -> list[asyncio.Task[Any]]:
        self._begun = [task for task in self._begun if not task.done()]
        return self._begun

    def waiting(self) -> list[str]:
        """Who waits, and where."""
        found = []
        for task in self._unfinished():
            frames = task.get_stack()
            places = [f"{frame.f_code.co_name}:{frame.f_lineno}" for frame in frames]
            inner = getattr(task.get_coro(), "cr_await", None)
            while inner is not None and getattr(inner, "cr_frame", None) is not None:
                places.append(f"{inner.cr_code.co_name}:{inner.cr_frame.f_lineno}")
                inner = inner.cr_await
            found.append(f"{task.get_name()} at {' > '.join(places)}")
        return sorted(found)

    # What asyncio calls.

    def _run_once(self) -> None:
        ready = self._ready  # type: ignore[attr-defined]
        self._due(ready)
        while not ready:
            scheduled = self._scheduled  # type: ignore[attr-defined]
            if not scheduled:
                raise Stuck("nothing is ready and no timer runs; " + "; ".join(self.waiting()))
            self._now = max(self._now, scheduled[0]._when)
            self._due(ready)
        if self._now > self._most_seconds or self.steps > self._most_steps:
            raise Endless(f"{self._now:.0f} s, {self.steps} steps; " + "; ".join(self.waiting()))
        index = (
            self._chance.randrange(len(ready)) if self._chance is not None and len(ready) > 1 else 0
        )
        handle = ready[index]
        del ready[index]
        if handle._cancelled:
            return
        self.steps += 1
        handle._run()
        self.after_step()

    def _due(self, ready: Any) -> None:
        """Move what is due, and drop what was cancelled."""
        scheduled = self._scheduled  # type: ignore[attr-defined]
        while scheduled and (scheduled[0]._cancelled or scheduled[0]._when <= self._now):
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            if not handle._cancelled:
                self.fired += isinstance(handle, Timer) and handle.waits
                ready.append(handle)

    def _heard(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.errors.append(
            f"{context['message']}: {type(error).__name__}: {error}"
            if error
            else context["message"]
        )

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are dropped when they are due."""

    def _process_events(self, _: Any) -> None:
        """There is no selector."""

    def _write_to_self(self) -> None:
        """Nobody sleeps. (Who calls is the collector of forgotten generators.)"""
