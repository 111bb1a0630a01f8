"""Asks the user's command ``may_run`` whether uploads may start: at first, then each minute."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from albumup.helpers import Work
from albumup.uploader.events import GoesOn, Waits
from albumup.uploader.run import Run
from albumup.uploader.sleep import Gap
from albumup.uploader.upstream import Closing, Upstream

ASK_SECONDS = 60.0
"""Seconds between two questions."""
_CLOSE_SECONDS = 1.0


@dataclass(slots=True)
class _Asked:
    """A command's last answer. ``answer``: as in ``Upstream.waits``."""

    answer: str | None = None
    due: float = float("-inf")
    """The time of the next question, by the loop's time."""
    task: asyncio.Task[None] | None = None
    """The question under way."""


class Leave:
    """Asks for permission to upload to a run's targets.

    While a target has no permission, nothing new starts there, uploads in flight end, and its
    patience stands still.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._asked: dict[Sequence[str], _Asked] = {}
        self._ticked_at = run.now()
        run.sleep.on_wake.append(self._woke)

    def tick(self, now: float) -> None:
        """Ask the commands whose time has come, and note answers. ``now``: the loop's time."""
        passed, self._ticked_at = now - self._ticked_at, now
        for upstream in self._run.queue.upstreams.values():
            if not upstream.may_run or upstream.closing is not None:
                continue
            asked = self._asked.setdefault(upstream.may_run, _Asked())
            if asked.task is None and now >= asked.due:
                asked.task = asyncio.create_task(self._ask(upstream.may_run, asked))
            if upstream.waits != "":
                upstream.breaker.stand_still(passed)
            if upstream.waits != asked.answer:
                self._take(upstream, asked.answer)

    async def close(self) -> None:
        """Wait for commands that are being killed at the end of the run."""
        if tasks := [one.task for one in self._asked.values() if one.task is not None]:
            await asyncio.wait(tasks, timeout=_CLOSE_SECONDS)
        for task in tasks:
            task.cancel()

    async def _ask(self, command: Sequence[str], asked: _Asked) -> None:
        run = self._run
        ask = partial(run.world.may_run, command, lambda: run.queue.has_ended)
        try:
            asked.answer = await run.world.helpers.run(Work.PROGRAM, ask)
        except Exception as error:  # noqa: BLE001 - without an answer the run would wait for ever
            run.fail(error)
        asked.due, asked.task = run.now() + ASK_SECONDS, None

    def _take(self, upstream: Upstream, answer: str | None) -> None:
        """Let a target's uploads start, or wait; tell the audience if that changes."""
        queue, outcomes = self._run.queue, self._run.outcomes
        before, upstream.waits = upstream.waits, answer
        about = self._run.world.clock(), None, upstream.target.name
        if answer:
            upstream.waits_since = upstream.waits_since or about[0]
            if self._run.options.is_cron:
                queue.close(upstream, Closing(75, answer, is_waiting=True))
            elif not before:
                outcomes.tell(Waits(*about, answer))
            return
        upstream.waits_since = None
        if before:
            outcomes.tell(GoesOn(*about))
        queue.changed.wake()
        for bell in (queue.to_ask, queue.to_place):
            bell.ring()

    def _woke(self, gap: Gap) -> None:
        """Ask at once after a sleep, because the computer may be elsewhere."""
        self._ticked_at += gap.ran_on
        for asked in self._asked.values():
            asked.due = float("-inf")
