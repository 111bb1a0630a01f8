"""Leaves out files that are still being written: a push that nobody watches looks twice."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from albumup.config.file import Config
from albumup.journal.journal import Journal
from albumup.journal.looks import Looks


class Settling:
    """Two looks at files, ``seconds`` apart.

    A file is settled if both looks find it the same, and neither its mtime nor its ctime is within
    ``seconds`` before the second look. A time in the future says nothing: it may come from a
    camera's clock, or another computer's. Then the other time counts, and the comparison of both
    looks.
    """

    def __init__(
        self,
        seconds: float,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``clock``: Unix seconds."""
        self._seconds, self._clock, self._sleep = seconds, clock, sleep
        self._looks: Looks | None = None
        self.has_seen_young = False
        """Whether the first look has found a file that had just changed."""

    def begin(self, journal: Journal) -> None:
        """Begin the first look."""
        self._looks = Looks(journal)

    def first(self, path: bytes, info: os.stat_result | None) -> bool:
        """Note a file's state; return whether it is there. ``info``: None if it has vanished."""
        assert self._looks is not None
        if info is not None:
            self._looks.note(path, info)
        self.has_seen_young = self.has_seen_young or info is None or self._is_young(info)
        return info is not None

    def wait(self) -> None:
        """Wait until it is time for the second look."""
        self._sleep(self._seconds)

    def second(self, path: bytes, info: os.stat_result | None) -> bool:
        """Whether a file is settled. ``info``: None if it has vanished since the listing."""
        assert self._looks is not None
        if info is None:
            return False
        return not self._is_young(info) and self._looks.is_as_noted(path, info)

    def _is_young(self, info: os.stat_result) -> bool:
        now = self._clock()
        return any(0 <= now - at < self._seconds for at in (info.st_mtime, info.st_ctime))


def settling_of(config: Config, target: str, *, is_watched: bool) -> Settling | None:
    """The looks of a push to ``target`` at files that may be incomplete; None: it takes all files.

    ``is_watched``: a person pushes, and knows which files are there. Raises ConfigError.
    """
    seconds = config.unattended(target).stable_for
    return Settling(seconds) if seconds and not is_watched else None
