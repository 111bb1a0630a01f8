"""The signals that end a run, and the grace that each gives."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

GRACE = {signal.SIGINT: 30.0, signal.SIGTERM: 5.0, signal.SIGHUP: 5.0}
"""Seconds for uploads to finish."""


class Handlers:
    """Within the ``with`` block, SIGINT, SIGTERM and SIGHUP go on a list. Ignored ones stay ignored
    (nohup)."""

    def __init__(self, heard: list[int]) -> None:
        self._heard = heard
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in GRACE:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._hear)

    def _hear(self, number: int, _: FrameType | None) -> None:
        self._heard.append(number)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
