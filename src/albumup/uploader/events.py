"""Events of a run, each told after its commit, and the snapshot for progress bars.

An event's fields are its keys in ``--json``; UNSET ones are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from msgspec import UNSET, Struct, UnsetType

from albumup.journal.states import State


class Event(Struct, frozen=True, tag=True):
    """Something that happened. ``time``: Unix seconds; ``album``, ``target``: names, None where
    there is none."""

    kind: ClassVar[str]
    time: float
    album: str | None
    target: str | None


class Spooled(Event, frozen=True):
    """All photos of an album to be copied are on this disk and journaled."""

    kind = "spooled"
    photos: int


class FramedAnew(Event, frozen=True):
    """Ready bodies for a target are framed anew by its present definition."""

    kind = "framed_anew"


class Paused(Event, frozen=True):
    """A target is paused. ``lasted``: seconds until now; ``seconds``: until it is given up."""

    kind = "paused"
    reason: str
    lasted: float
    seconds: float


class Woke(Event, frozen=True):
    """The computer slept, or this process stood still, for ``seconds``; the run goes on."""

    kind = "woke"
    seconds: float


class Waits(Event, frozen=True):
    """Nothing new starts for a target, for a ``reason``; what is in flight ends."""

    kind = "waits"
    reason: str


class GoesOn(Event, frozen=True):
    """A target that waited goes on."""

    kind = "goes_on"


class AddressNote(Event, frozen=True):
    """Something was found or done about a target's several addresses; ``words`` say what."""

    kind = "address"
    words: str


class Regulated(Event, frozen=True):
    """The run goes on with other options. ``limit_rate``: as it was typed."""

    kind = "options"
    jobs: int | UnsetType = UNSET
    limit_rate: str | UnsetType = UNSET


class AlbumNote(Event, frozen=True):
    """Something was found or done about an album on its server; ``words`` say what."""

    kind = "album"
    words: str


class Shared(Event, frozen=True):
    """An album has a link for people."""

    kind = "shared"
    url: str


class NoticeOwed(Event, frozen=True):
    """The user is owed a notice."""

    kind = "notice"
    cause: str


class PhotoEvent(Event, frozen=True):
    """Something that happened to a photo."""

    path: bytes


class Queued(PhotoEvent, frozen=True):
    """A photo was queued, or would be. ``size`` in bytes."""

    kind = "queued"
    size: int


class Recorded(PhotoEvent, frozen=True):
    """A photo's upload ended, at least for now, and its state is recorded. ``size`` in bytes.

    ``asks_in``: seconds until the server is asked about the photo.
    """

    state: State
    error: str | None
    size: int
    asks_in: float | None = None


class Tried(PhotoEvent, frozen=True):
    """An attempt failed, and another one follows at ``next_at`` (Unix seconds). ``of``: the tries
    that there are.

    ``costs``: the attempt cost a try. ``held``: it was the last try, and the next outcomes show
    whose fault it was.
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
    """The server was asked about a photo; its state is recorded. ``pending``: it is sent again."""

    state: State
    outcome: str = "asked"
    error: str | UnsetType | None = UNSET
    asks_in: float | UnsetType = UNSET


class Missing(PhotoEvent, frozen=True):
    """A photo's source is gone or unreadable."""

    kind = "missing"
    error: str | None


class Changed(PhotoEvent, frozen=True):
    """A photo has new bytes and is read again."""

    kind = "changed"
    error: str


def name_of(event: Event) -> str:
    """An event's name in ``--json``: its kind, or the photo's new state."""
    if isinstance(event, Recorded):
        return event.state.value
    if isinstance(event, Answered):
        return Tried.kind if event.state is State.PENDING else event.state.value
    return event.kind


Listener = Callable[[Event], None]
"""Called in the loop's thread after the event's commit; it must neither wait nor raise."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload in flight. ``size`` in bytes, of which ``moved`` have left this machine."""

    name: bytes
    size: int
    moved: int
    album_id: int = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """A paused target: the seconds that the pause ``lasted``, and those until it is given up."""

    target: str
    words: str
    lasted: float
    gives_up: float
    is_waiting: bool = False
    """Nothing is wrong: the user's own command says that uploads have to wait."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A snapshot of a run. Photos and bytes uploaded before this run are not counted."""

    photos_done: int
    photos_total: int
    bytes_done: int
    bytes_total: int
    is_complete: bool
    """False while photos are still being read: the totals are then a lower bound."""
    spooled_bytes: int
    spool_total: int
    uploads: tuple[Upload | None, ...]
    pauses: tuple[Pause, ...]
    is_queued: bool = False
    """Only other albums' photos are in flight."""


@dataclass(slots=True)
class AlbumCounts:
    """Counts of a run so far, of one album or of several."""

    done: int = 0
    done_bytes: int = 0
    given_up: int = 0
    given_up_bytes: int = 0
    total: int = 0
    total_bytes: int = 0


@dataclass(slots=True)
class Counts:
    """Counts of a run so far."""

    albums: defaultdict[int, AlbumCounts] = field(default_factory=lambda: defaultdict(AlbumCounts))
    """By album id, also of albums that have left the run."""
    unprepared: int = 0
    spooled_bytes: int = 0
    """Bytes copied, unfinished copies included."""
    spool_journaled: int = 0
    """Bytes of journaled copies; those of all others are in ``spool_left``."""
    spool_left: int = 0

    def of(self, album_ids: Iterable[int]) -> AlbumCounts:
        """The counts of these albums together."""
        found = [self.albums[one] for one in album_ids]
        return AlbumCounts(
            sum(one.done for one in found),
            sum(one.done_bytes for one in found),
            sum(one.given_up for one in found),
            sum(one.given_up_bytes for one in found),
            sum(one.total for one in found),
            sum(one.total_bytes for one in found),
        )

    @property
    def spool_total(self) -> int:
        return max(self.spooled_bytes, self.spool_journaled + self.spool_left)
