"""The options of a run, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from albumup.config.file import Timetable
from albumup.errors import AlbumupError
from albumup.uploader.upstream import SAYS_NO, Closing

TELL_AFTER = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a run. ``patience`` in seconds.

    ``is_cron``: nobody waits for the run, so a pause is given up after one unanswered question or a
    few photos. ``spends_again``: a pause that has put its most photos in doubt, for a target that
    is sent none twice, may do so again.
    """

    retries: int = 3
    jobs: int = 4
    patience: float = 300.0
    limit: Timetable | None = None
    spool_folder: str = ""
    is_cron: bool = False
    spends_again: bool = True
    shown: dict[str, Any] = field(default_factory=dict)
    """The options as journaled, from which a joiner can tell those that differ."""
    typed: tuple[str, ...] = ()
    """The names of the options that were given on the command line."""
    may_run: Callable[[str], Sequence[str]] = lambda _: ()
    """The command (argv) that says whether uploads to a target may start; empty: they may."""
    is_watched: bool = True
    """Somebody sees how the run ends: it was begun on a terminal, and not by ``--detach``."""
    is_detached: bool = False
    """The run is in the background: no terminal's end is its own."""
    tell_after: Callable[[str], float] = lambda _: TELL_AFTER
    """For a target, how many seconds it does not work before a notice says so."""


@dataclass(frozen=True, slots=True)
class Stop:
    """An early end of a run: the exit code, and whether to put its albums on hold.

    ``why``: a fault of this computer that the user has to be told of.
    """

    exit_code: int
    hold: bool
    why: AlbumupError | None = None


STOPPED = Stop(143, hold=True)
"""What ``albumup stop`` does to an album."""


@dataclass(frozen=True, slots=True)
class Draining:
    """The effect of a drain on uploads in flight. ``cutting``: name, and bytes to send again."""

    finishing: tuple[bytes, ...]
    cutting: tuple[tuple[bytes, int], ...]


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended. ``closings`` by target name; ``away``: roots that are not there, with the
    reason."""

    exit_code: int
    run_id: int
    before: dict[int, tuple[int, int]]
    """For each album of the run, the photos and bytes that were on the server before it."""
    closings: dict[str, Closing]
    away: dict[bytes, str]
    fault: AlbumupError | None
    seconds: float

    @property
    def only_waits(self) -> bool:
        """Nothing went wrong: the user's own command says no, and so uploads have to wait."""
        says_no = all(
            one.is_waiting and one.words.startswith(SAYS_NO) for one in self.closings.values()
        )
        return self.exit_code == 75 and bool(self.closings) and says_no and not self.away
