"""Goes on after a sleep, on new connections; broken uploads cost no tries."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from albumup.transfer import Meter
from albumup.uploader.events import Woke
from albumup.uploader.run import Run
from albumup.uploader.sleep import Gap
from albumup.uploader.upstream import Upstream

ANSWER_SECONDS = 10.0
"""Seconds to wait after a sleep for the answer to a photo that was sent whole."""


class Waking:
    """The reaction of a run to a sleep. ``upstreams``: all of the run's."""

    def __init__(self, run: Run, upstreams: Callable[[], Iterable[Upstream]]) -> None:
        self._run, self._upstreams = run, upstreams
        self._whole: list[Meter] = []
        """Uploads that were sent whole before the sleep."""
        self._cut_at = 0.0
        run.sleep.on_wake.append(self._wake)
        run.sleep.on_renew.append(self._seek)

    def tick(self, now: float) -> None:
        """Cut the uploads without an answer since the sleep. ``now``: the loop's time."""
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
