"""Waits for albums that another process uploads. Only reads, stops nothing, loads little."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

from albumup.errors import TryLater
from albumup.journal.journal import Journal
from albumup.session.aside import aside
from albumup.session.others import Others
from albumup.session.signals import Handlers

_POLL = 0.5
_SIGNAL_POLL = 0.1
_HANGS_SECONDS = 1.5
"""Seconds after a signal until a look counts as hanging on a disk, and is left behind."""


class Leaving:
    """Ends the process if its work hangs after a signal."""

    def __init__(self) -> None:
        self.signals: list[int] = []
        self._since: float | None = None

    @property
    def code(self) -> int:
        """The exit code of the first signal; 0 if none has come."""
        return 128 + self.signals[0] if self.signals else 0

    def watch(self) -> None:
        if not self.signals:
            return
        self._since = self._since or time.monotonic()
        if time.monotonic() > self._since + _HANGS_SECONDS:
            os._exit(self.code)


def wait(
    journal: Journal,
    album_ids: Sequence[int],
    timeout: float | None = None,
    now: Callable[[], float] = time.monotonic,
) -> int:
    """Wait until albums are settled, or nothing more is to be expected; return the exit code.

    ``timeout``: seconds; None: no limit. ``now``: monotonic seconds. Raises LocalError.
    """
    leaving, others = Leaving(), Others(journal, now)
    until = float("inf") if timeout is None else now() + timeout

    def work() -> int:
        looked = float("-inf")
        while not leaving.code:
            if now() >= looked + _POLL:
                looked = now()
                others.look()
                if (code := others.code(album_ids)) is not None:
                    return code
            if now() >= until:
                return TryLater.exit_code
            time.sleep(max(0.0, min(_SIGNAL_POLL, until - now())))
        return leaving.code

    with Handlers(leaving.signals):
        return aside(work, meanwhile=leaving.watch)
