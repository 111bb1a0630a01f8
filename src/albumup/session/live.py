"""Writes the snapshot of this process's run, for the screens of other commands."""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace as replace_fields
from itertools import islice
from typing import TYPE_CHECKING, Any

from msgspec import Raw
from msgspec.structs import replace

from albumup.journal.rows import plain
from albumup.session.rate import Rate
from albumup.session.snapshot import (
    ROOM,
    Ended,
    Reason,
    Snapshot,
    Writer,
    is_arrival,
    packed,
    packed_event,
)
from albumup.uploader.events import Event, Progress, Upload

if TYPE_CHECKING:
    from albumup.errors import AlbumupError
    from albumup.uploader.engine_thread import Shown
    from albumup.uploader.options import RunEnd
    from albumup.uploader.upstream import Closing

_SECONDS = 0.5
"""The least seconds between two snapshots."""
_AGAIN_SECONDS = 30.0
"""Seconds until the next try after a snapshot could not be written."""
_NAMES = 16 << 10
"""The most bytes of all names of photos in flight."""
_ALBUMS, _TITLES, _PAUSES, _CLOSINGS = 32, 16, 4, 4
_WORDS = 400
"""The most characters of a text."""
_SHORTER: Sequence[dict[str, Any]] = ({"titles": {}}, {"before": {}}, {"albums": []})
"""The parts to leave out, one after the other, until the rest fits."""
_NEWS, _ARRIVALS = 200, 300
"""The most events that are kept: those with a line on screens, and arrivals of photos."""
_LARGEST_EVENT = 4 << 10
"""The most bytes of an event."""


class Ring:
    """The latest events of a run.

    Events with a line on screens are kept apart, so that the many arrivals do not push them out.
    """

    def __init__(self) -> None:
        self.heard = 0
        self._news: deque[tuple[int, Event]] = deque(maxlen=_NEWS)
        self._arrivals: deque[tuple[int, Event]] = deque(maxlen=_ARRIVALS)

    def put(self, event: Event) -> None:
        self.heard += 1
        kept = self._arrivals if is_arrival(event) else self._news
        kept.append((self.heard, event))

    def latest(self, room: int) -> list[tuple[int, Raw]]:
        """The latest events that fit into ``room`` bytes, in their order."""
        fitting: list[tuple[int, Raw]] = []
        for kept, share in ((self._news, room // 2), (self._arrivals, room)):
            left = min(share, room)
            for number, event in reversed(kept):
                data = packed_event(event)
                if len(data) > _LARGEST_EVENT:
                    continue
                left -= len(data) + _NUMBER
                if left < 0:
                    break
                room -= len(data) + _NUMBER
                fitting.append((number, Raw(data)))
        return sorted(fitting, key=lambda one: one[0])


_NUMBER = 10
"""The most bytes of an event's number, with the frame of both."""


class Live:
    """The snapshot of one run: written at most twice a second, and once more at the end.

    A snapshot that cannot be written is only missing; nothing else depends on it.
    """

    def __init__(
        self,
        path: str,
        clock: Callable[[], float] = time.time,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """``clock``: Unix seconds; ``now``: monotonic seconds."""
        self._writer = Writer(path)
        self._clock, self._now = clock, now
        self._ring, self._rate = Ring(), Rate()
        self._titles: dict[str, str] = {}
        self._next_at = float("-inf")

    def hear(self, event: Event) -> None:
        self._ring.put(event)

    def name_target(self, name: str, title: str) -> None:
        """Set the title of a target on screens."""
        if len(self._titles) < _TITLES:
            self._titles[name] = _text(title)

    def show(self, shown: Shown) -> None:
        """Write a snapshot, unless the last one is less than half a second old."""
        now = self._now()
        if now >= self._next_at and shown.run_id:
            self._next_at = now + _SECONDS
            self._write(self._snapshot(shown))

    def end(self, shown: Shown | None, end: RunEnd | None) -> None:
        """Write the last snapshot: the run is over. ``end``: None if the run ended without one."""
        if shown is not None and shown.run_id:
            ended = Ended(1, 0.0) if end is None else _ended(end)
            self._write(replace(self._snapshot(shown), ended=ended, rate=None))
        self._writer.close()

    def _write(self, snapshot: Snapshot) -> None:
        for shorter in _SHORTER:
            if len(packed(snapshot)) <= ROOM:
                break
            snapshot = replace(snapshot, **shorter)
        room = ROOM - len(packed(snapshot)) - _NUMBER
        snapshot = replace(snapshot, events=self._ring.latest(room))
        try:
            self._writer.write(packed(snapshot))
        except OSError:
            self._next_at = self._now() + _AGAIN_SECONDS
            with contextlib.suppress(OSError):
                self._writer.close()

    def _snapshot(self, shown: Shown) -> Snapshot:
        """The snapshot without the events."""
        self._rate.note(self._now(), shown.progress.bytes_done, tuple(shown.albums))
        names = dict.fromkeys(shown.albums)
        return Snapshot(
            pid=os.getpid(),
            run_id=shown.run_id,
            time=self._clock(),
            progress=_short(shown.progress),
            albums=list(names) if len(names) <= _ALBUMS else [],
            rate=self._rate.value(),
            jobs=len(shown.progress.uploads),
            rate_limit=shown.rate_limit,
            is_draining=shown.is_ending_early,
            before=shown.before,
            titles=self._titles,
            heard=self._ring.heard,
        )


def _short(progress: Progress) -> Progress:
    """A progress with shortened texts."""
    most = _NAMES // max(1, len(progress.uploads))
    uploads = tuple(
        upload and Upload(upload.name[-most:], upload.size, upload.moved, upload.album_id)
        for upload in progress.uploads
    )
    pauses = tuple(
        replace_fields(pause, words=_text(pause.words)) for pause in progress.pauses[:_PAUSES]
    )
    return replace_fields(progress, uploads=uploads, pauses=pauses)


def _text(words: str) -> str:
    """Shortened words without lone surrogates, which a server's JSON may hold."""
    return (plain(words) or "")[:_WORDS]


def _ended(end: RunEnd) -> Ended:
    return Ended(
        end.exit_code,
        end.seconds,
        {name: _of_closing(why) for name, why in islice(end.closings.items(), _CLOSINGS)},
        {path[-_WORDS:]: _text(why) for path, why in islice(end.away.items(), _CLOSINGS)},
        _of_fault(end.fault) if end.fault is not None else None,
    )


def _of_closing(closing: Closing) -> Reason:
    return Reason(closing.exit_code, _text(closing.words), _text(closing.hint))


def _of_fault(fault: AlbumupError) -> Reason:
    return Reason(fault.exit_code, _text(str(fault)), _text(fault.hint))
