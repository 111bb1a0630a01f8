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

    A file is settled if it is the same at both, and neither its mtime nor its ctime lies within
    ``seconds`` before the second. A time in the future, as of a camera's clock or another
    computer's, says nothing: the other one counts, and whether the looks differ.
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
        """Did the first look find a file that has just changed?"""

    def begin(self, journal: Journal) -> None:
        """Begin the first look."""
        self._looks = Looks(journal)

    def first(self, path: bytes, info: os.stat_result | None) -> bool:
        """Note how a file is. ``info`` None: it vanished since its folder was listed; False."""
        assert self._looks is not None
        if info is not None:
            self._looks.note(path, info)
        self.has_seen_young = self.has_seen_young or info is None or self._is_young(info)
        return info is not None

    def wait(self) -> None:
        """Let the time between both looks pass."""
        self._sleep(self._seconds)

    def second(self, path: bytes, info: os.stat_result | None) -> bool:
        """Is a file settled? ``info`` None: it vanished since its folder was listed."""
        assert self._looks is not None
        if info is None:
            return False
        return not self._is_young(info) and self._looks.is_as_noted(path, info)

    def _is_young(self, info: os.stat_result) -> bool:
        now = self._clock()
        return any(0 <= now - at < self._seconds for at in (info.st_mtime, info.st_ctime))


def settling_of(config: Config, target: str, *, is_watched: bool) -> Settling | None:
    """How a push to ``target`` tells files that are still being written; None: it takes all.

    ``is_watched``: a person pushes, who knows what is there. Raises ConfigError.
    """
    seconds = config.unattended(target).stable_for
    return Settling(seconds) if seconds and not is_watched else None
