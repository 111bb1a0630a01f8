"""What a run tells while it goes: events, each after its commit, and a snapshot for the bars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from albumup.journal.rows import Task
from albumup.transfer import Meter

Listener = Callable[[dict[str, Any]], None]
"""Takes an event: ``event``, ``time`` (Unix seconds), ``album``, ``target``, ``path`` (bytes) and more by its kind.

Called after the commit that made it true, in the loop's thread; it must neither wait nor raise.
"""


@dataclass(slots=True)
class Slot:
    """The place of one upload: the photo that is being sent, if any."""

    name: bytes = b""
    size: int = 0
    task_id: int = 0
    album_id: int = 0
    meter: Meter = field(default_factory=Meter)

    def begin(self, task: Task) -> None:
        self.name, self.size = task.path, task.size
        self.task_id, self.album_id = task.id, task.album_id
        self.meter = Meter()


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload in flight. Bytes; ``moved`` have left this machine."""

    name: bytes
    size: int
    moved: int


@dataclass(frozen=True, slots=True)
class Pause:
    """A target that is paused: for how long it has been, and for how long at most it will be asked, in seconds."""

    target: str
    words: str
    lasted: float
    gives_up: float


@dataclass(frozen=True, slots=True)
class Progress:
    """A snapshot. Counts and bytes are this run's: what was there before it is not in them."""

    photos_done: int
    photos_total: int
    bytes_done: int
    bytes_total: int
    is_complete: bool
    """False while photos are still being read: then the totals are a lower bound."""
    spooled_bytes: int
    spool_total: int
    uploads: tuple[Upload | None, ...]
    pauses: tuple[Pause, ...]


@dataclass(slots=True)
class Counts:
    """What a run has done so far."""

    done: int = 0
    done_bytes: int = 0
    given_up: int = 0
    given_up_bytes: int = 0
    total: int = 0
    total_bytes: int = 0
    unprepared: int = 0
    spooled_bytes: int = 0
    """All that was copied, also of copies that are not whole yet."""
    spool_journaled: int = 0
    """Of copies that the journal knows; of all others ``spool_left``."""
    spool_left: int = 0

    @property
    def spool_total(self) -> int:
        return max(self.spooled_bytes, self.spool_journaled + self.spool_left)
