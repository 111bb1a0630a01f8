"""What a run tells while it goes: events, each after its commit, and a snapshot for the bars.

An event's fields are the keys that ``--json`` shows of it; those that are UNSET are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from msgspec import UNSET, Struct, UnsetType

from albumup.journal.rows import Task
from albumup.journal.states import State
from albumup.transfer import Meter


class Event(Struct, frozen=True):
    """Something that happened. ``time``: Unix seconds; ``album``, ``target``: by name, None where it is of none."""

    kind: ClassVar[str]
    time: float
    album: str | None
    target: str | None


class Spooled(Event, frozen=True):
    """Every photo that was to be copied is on this disk, and the journal says so."""

    kind = "spooled"
    photos: int


class FramedAnew(Event, frozen=True):
    """What was ready for a target is framed by its present definition."""

    kind = "framed_anew"


class Paused(Event, frozen=True):
    """A target is paused. Seconds: for how long it has been, ``lasted``, and for how long at most it will be."""

    kind = "paused"
    reason: str
    lasted: float
    seconds: float


class AlbumNote(Event, frozen=True):
    """What was found, or done, about an album on its server, in words."""

    kind = "album"
    words: str


class Shared(Event, frozen=True):
    """An album has a link for people."""

    kind = "shared"
    url: str


class PhotoEvent(Event, frozen=True):
    """Something that happened to a photo."""

    path: bytes


class Queued(PhotoEvent, frozen=True):
    """A photo was queued, or would be. ``size`` in bytes."""

    kind = "queued"
    size: int


class Recorded(PhotoEvent, frozen=True):
    """A photo's upload came to an end, for now at least: its state is recorded. ``size`` in bytes.

    ``asks_in``: seconds until the server is asked about it.
    """

    state: State
    error: str | None
    size: int
    asks_in: float | None = None


class Tried(PhotoEvent, frozen=True):
    """An attempt ended without success, and another one follows: at ``next_at`` (Unix seconds), of ``of`` tries.

    ``costs``: it was a try. ``held``: it was the last, and what comes next tells whose fault it was.
    """

    kind = "attempt"
    outcome: str
    error: str
    tries: int
    of: int
    costs: bool
    held: bool
    next_at: float


class Answered(PhotoEvent, frozen=True):
    """The server was asked about a photo, whose state is recorded; pending: it is sent again."""

    state: State
    outcome: str = "asked"
    error: str | UnsetType | None = UNSET
    asks_in: float | UnsetType = UNSET


class Missing(PhotoEvent, frozen=True):
    """A photo's source is gone, or cannot be read."""

    kind = "missing"
    error: str | None


class Changed(PhotoEvent, frozen=True):
    """A photo has other bytes now, and is read again."""

    kind = "changed"
    error: str


def name_of(event: Event) -> str:
    """What ``--json`` calls it: its kind, or the photo's new state."""
    if isinstance(event, Recorded):
        return event.state.value
    if isinstance(event, Answered):
        return Tried.kind if event.state is State.PENDING else event.state.value
    return event.kind


Listener = Callable[[Event], None]
"""Called after the commit that made an event true, in the loop's thread; it must neither wait nor raise."""


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
