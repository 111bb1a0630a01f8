"""Goes on after the computer slept: on new connections, and what broke meanwhile costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from albumup.transfer import Meter
from albumup.uploader.events import Woke
from albumup.uploader.run import Run
from albumup.uploader.sleep import Gap
from albumup.uploader.upstream import Upstream

ANSWER_SECONDS = 10.0
"""How long the answer to a whole photo is waited for after a sleep."""


class Waking:
    """What a run does when a sleep was noticed. ``upstreams``: all of the run's."""

    def __init__(self, run: Run, upstreams: Callable[[], Iterable[Upstream]]) -> None:
        self._run, self._upstreams = run, upstreams
        self._whole: list[Meter] = []
        """Uploads that had left whole before the sleep."""
        self._cut_at = 0.0
        run.sleep.on_wake.append(self._wake)
        run.sleep.on_renew.append(self._seek)

    def tick(self, now: float) -> None:
        """Cut the uploads whose answers have not come since the sleep. ``now``: the loop's time."""
        if self._whole and now >= self._cut_at:
            for meter in self._whole:
                meter.cut_now()
            self._whole.clear()

    def _seek(self) -> None:
        for upstream in self._upstreams():
            upstream.seek_again()
        self._run.queue.changed.wake()

    def _wake(self, gap: Gap) -> None:
        run, queue, now = self._run, self._run.queue, self._run.now()
        for upstream in self._upstreams():
            queue.decide(upstream.line.went())
            upstream.breaker.woke(gap.seconds, gap.ran_on, now)
        for slot in queue.busy_slots():
            if slot.meter.whole:
                self._whole.append(slot.meter)
            elif slot.meter.began:
                slot.meter.cut_now()
        self._cut_at = now + ANSWER_SECONDS
        for bell in (queue.to_ask, queue.to_place, queue.to_prepare):
            bell.ring()
        queue.changed.wake()
        run.outcomes.tell(Woke(run.world.clock(), None, None, gap.seconds))
