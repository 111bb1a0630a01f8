"""The signals that end a run, and the grace that each gives."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

GRACE = {signal.SIGINT: 30.0, signal.SIGTERM: 5.0, signal.SIGHUP: 5.0}
"""Seconds for uploads to finish."""


ASKING = (signal.SIGUSR1, *(one for one in signal.Signals if one.name == "SIGINFO"))
"""The signals that ask how it goes. A terminal of macOS and the BSDs sends SIGINFO for Ctrl-T."""


def grace_over(
    heard: Sequence[int], now: Callable[[], float] = time.monotonic
) -> Callable[[], bool]:
    """A function: is the grace over of a signal that comes on the list ``heard`` from now on?

    Ctrl-C and a second signal give none: somebody waits. ``now``: monotonic seconds.
    """
    before = len(heard)
    until: list[float] = []

    def is_over() -> bool:
        came = heard[before:]
        if not came:
            return False
        if len(came) > 1 or came[0] == signal.SIGINT:
            return True
        until.append(now() + GRACE[signal.Signals(came[0])])
        return now() >= until[0]

    return is_over


Handler = Callable[[int, FrameType | None], None]


class Handlers:
    """Within the ``with`` block, SIGINT, SIGTERM and SIGHUP go on a list, and ``on_ask`` is called
    for those that ask. Ignored ones stay ignored (nohup)."""

    def __init__(self, heard: list[int], on_ask: Callable[[], None] | None = None) -> None:
        self._heard, self._on_ask = heard, on_ask
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        handlers: dict[int, Handler] = dict.fromkeys(GRACE, self._hear)
        if self._on_ask is not None:
            handlers |= dict.fromkeys(ASKING, self._ask)
        for number, handler in handlers.items():
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, handler)

    def _ask(self, _: int, __: FrameType | None) -> None:
        assert self._on_ask is not None
        self._on_ask()

    def _hear(self, number: int, _: FrameType | None) -> None:
        self._heard.append(number)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
