"""Hands notices over beside their caller, one after the other, because a channel takes time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from albumup.journal.notices import Notice
from albumup.session.channels import Handed

HandsOver = Callable[[Notice], Handed | None]
"""A function that hands a notice over. It returns None if it was too late to begin."""


class Hands(Protocol):
    """The object that hands notices over, by a function that it gets when it is made."""

    def give(self, notice: Notice) -> None:
        """Have a notice handed over soon."""

    def back(self) -> Iterator[tuple[Notice, Handed | None]]:
        """The fates of the notices that have come back since the last look. Never waits."""

    def work_for(self, seconds: float) -> None:
        """Wait ``seconds`` for notices to come back."""

    def end(self) -> None:
        """End the work: no notice is given any more, and all are back."""


class Threaded:
    """Hands over in a thread, which starts with the first notice."""

    def __init__(self, hand_over: HandsOver) -> None:
        self._hand_over = hand_over
        self._given: queue.SimpleQueue[Notice | None] = queue.SimpleQueue()
        self._back: queue.SimpleQueue[tuple[Notice, Handed | None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def give(self, notice: Notice) -> None:
        self._given.put(notice)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="notices", daemon=True)
            self._thread.start()

    def back(self) -> Iterator[tuple[Notice, Handed | None]]:
        while not self._back.empty():
            yield self._back.get()

    def work_for(self, seconds: float) -> None:
        time.sleep(seconds)

    def end(self) -> None:
        if self._thread is not None:
            self._given.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (notice := self._given.get()) is not None:
            self._back.put((notice, self._hand_over(notice)))
