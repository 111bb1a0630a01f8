"""What a run is asked for, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from albumup.errors import AlbumupError
from albumup.uploader.limits import RateLimit
from albumup.uploader.upstream import Closing


@dataclass(frozen=True, slots=True)
class Options:
    """How a run goes. ``patience`` in seconds. ``is_cron``: nobody waits for it, so that a pause is given up after one
    question unanswered or a few photos. ``spends_again``: it may spend more photos of a target that is sent none twice,
    although a pause has spent what it may."""

    retries: int = 3
    jobs: int = 4
    patience: float = 300.0
    limit: RateLimit | None = None
    spool_folder: str = ""
    is_cron: bool = False
    spends_again: bool = True
    shown: dict[str, Any] = field(default_factory=dict)
    """The options as journaled, so that a joiner can name those that differ."""
    typed: tuple[str, ...] = ()
    """Those of them that were given on the command line."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a run is ended before its work: the exit code, and whether its albums are put on hold."""

    exit_code: int
    hold: bool


@dataclass(frozen=True, slots=True)
class Draining:
    """What a drain does to the uploads in flight: name and bytes to send again of those that are cut."""

    finishing: tuple[bytes, ...]
    cutting: tuple[tuple[bytes, int], ...]


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended. ``closings`` by target name, ``away`` the roots that are not there, with the reason."""

    exit_code: int
    run_id: int
    before: dict[int, tuple[int, int]]
    """The albums of the run, and how many photos and bytes of each were on the server before it."""
    closings: dict[str, Closing]
    away: dict[bytes, str]
    fault: AlbumupError | None
    seconds: float
