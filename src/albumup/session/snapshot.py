"""The snapshot of a running uploader for other commands' screens: the file ``JOURNAL.live``.

The uploader rewrites the file in place, twice a second. The file's size is fixed, so a disk that
fills up later does no harm. The file's head has the form, the number of the writing, and the length
and checksum of the content. By these a reader notices a writing that is under way or was cut off.
Nothing depends on the file: without it, others see the totals of the journal. Readers believe it
only while the uploader's lock is held, and the run's number fits. It holds no token.
"""

from __future__ import annotations

import os
import stat
import time
import zlib
from functools import reduce
from operator import or_
from struct import Struct as Layout

import msgspec
from msgspec import Struct

from albumup.journal.rows import plain
from albumup.journal.states import DONE
from albumup.uploader.events import Answered, Event, Progress, Queued, Recorded

SIZE = 64 << 10
"""Bytes of the file."""
_FORM = 1
"""The form of the content. Within one form, keys may come and go."""
_MARK = b"albumup-live\n\0\0\0"
_HEAD = Layout(">16sHxxIIQ")
"""Mark, form, length, checksum, number of the writing."""
ROOM = SIZE - _HEAD.size
"""The most bytes of the content."""
SILENT_SECONDS = 10.0
"""A run without a new snapshot for so many seconds is suspended, or its disk hangs."""
_LOOKS = 5
_LOOK_SECONDS = 0.002
"""A torn snapshot is read again up to _LOOKS times, after a pause of so many seconds."""


def _kinds(kind: type[Event]) -> list[type[Event]]:
    """All kinds of events, which are the subclasses of ``kind``."""
    found = kind.__subclasses__()
    return [*found, *(one for below in found for one in _kinds(below))]


_event = msgspec.msgpack.Decoder(reduce(or_, _kinds(Event)))
_packed = msgspec.msgpack.Encoder()


class Reason(Struct, frozen=True):
    """Why something was not sent; ``hint``: the next step, or ""."""

    exit_code: int
    words: str
    hint: str = ""


class Ended(Struct, frozen=True):
    """The end of the run, as in ``RunEnd``. ``exit_code``: of the whole run."""

    exit_code: int
    seconds: float
    closings: dict[str, Reason] = {}
    away: dict[bytes, str] = {}
    fault: Reason | None = None


class Snapshot(Struct, frozen=True):
    """A run at one moment. Lists are cut to the room."""

    pid: int
    run_id: int
    time: float
    """The time of writing, in Unix seconds."""
    progress: Progress
    """Names of photos may lack their beginning."""
    albums: list[str]
    """The names of the albums with work in the run; empty if there are too many."""
    rate: float | None = None
    """Bytes a second."""
    jobs: int = 0
    rate_limit: int | None = None
    """Bytes a second; None: no limit."""
    is_draining: bool = False
    """Whether nothing new starts."""
    before: dict[int, tuple[int, int]] = {}
    """Album id to the photos and bytes that were on the server before the run."""
    titles: dict[str, str] = {}
    """The targets' titles on screens, by name."""
    heard: int = 0
    """The number of all events of the run so far."""
    events: list[tuple[int, msgspec.Raw]] = []
    """The latest events, each with its number, from 1."""
    ended: Ended | None = None
    told: str = ""
    """The key of a notice that was told after the run, and that the journal could not take."""

    def since(self, number: int) -> list[tuple[int, Event]]:
        """The events after that number, without kinds that only another version knows."""
        found = []
        for own, raw in self.events:
            if own > number and (event := _read_event(raw)) is not None:
                found.append((own, event))
        return found


_decoder = msgspec.msgpack.Decoder(Snapshot)


def packed_event(event: Event) -> bytes:
    """An event for ``Snapshot.events``. A server's words are escaped if they cannot be encoded."""
    try:
        return _packed.encode(event)
    except UnicodeEncodeError:
        return _packed.encode(_plain(msgspec.to_builtins(event, builtin_types=(bytes,))))


def _plain(value: object) -> object:
    """A value without lone surrogates in its texts."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value


def is_arrival(event: Event) -> bool:
    """Whether an event is one of the many without trouble: a photo was queued, or got there."""
    return isinstance(event, Queued) or (
        isinstance(event, Recorded | Answered) and event.state in DONE
    )


def packed(snapshot: Snapshot) -> bytes:
    """The content of the file."""
    return _packed.encode(snapshot)


def _read_event(raw: msgspec.Raw) -> Event | None:
    try:
        event: Event = _event.decode(raw)
        return event
    except msgspec.MsgspecError:
        return None


class Writer:
    """Rewrites one file. Its methods raise OSError."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._number = time.time_ns()
        """The number of the last writing; a later run's numbers are higher."""

    def write(self, content: bytes) -> None:
        """Write a snapshot of at most ``ROOM`` bytes."""
        if self._descriptor is not None and not self._is_in_place(self._descriptor):
            self.close()
        if self._descriptor is None:
            self._descriptor = _opened(self._path)
        self._number += 1
        checksum = zlib.crc32(content)
        head = _HEAD.pack(_MARK, _FORM, len(content), checksum, self._number)
        os.pwrite(self._descriptor, head + content, 0)

    def _is_in_place(self, descriptor: int) -> bool:
        """Whether the open file is at its path; somebody may have removed or replaced it."""
        try:
            return os.path.samestat(os.lstat(self._path), os.fstat(descriptor))
        except FileNotFoundError:
            return False

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _opened(path: str) -> int:
    """Open the file, made at full size if it is missing; return the descriptor.

    No link is followed, and only a file of our own is written to.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_uid != os.geteuid():
            raise PermissionError(f"{path}: not a file of our own")
        if found.st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
        if found.st_size != SIZE:
            os.ftruncate(descriptor, 0)
            _reserve(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _reserve(descriptor: int) -> None:
    """Take the room on the disk now."""
    os.pwrite(descriptor, bytes(SIZE), 0)


class Reader:
    """Looks at a file again and again, and reads it when it has changed."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen = b""
        self._snapshot: Snapshot | None = None
        self.is_foreign = False
        """Another version of albumup wrote the file, in a form that this one does not know."""

    def look(self) -> Snapshot | None:
        """The present snapshot; None if there is none that can be read.

        It is the same object as before if the file has not changed.
        """
        try:
            for _ in range(_LOOKS):
                head = _read(self._path, _HEAD.size)
                if head == self._seen:
                    return self._snapshot
                if self._take(_read(self._path, SIZE)):
                    return self._snapshot
                time.sleep(_LOOK_SECONDS)
        except OSError:
            self._seen, self._snapshot = b"", None
        return self._snapshot

    def _take(self, found: bytes) -> bool:
        """Take over a file's content; return False if the content is torn."""
        head, content = found[: _HEAD.size], found[_HEAD.size :]
        if len(head) < _HEAD.size:
            return False
        mark, form, length, checksum, _ = _HEAD.unpack(head)
        self.is_foreign = mark == _MARK and form != _FORM
        if mark != _MARK or form != _FORM:
            self._seen, self._snapshot = head, None
            return True
        if len(content) < length or zlib.crc32(content[:length]) != checksum:
            return False
        self._seen, self._snapshot = head, self._decoded(content[:length])
        return True

    def _decoded(self, content: bytes) -> Snapshot | None:
        try:
            return _decoder.decode(content)
        except (msgspec.MsgspecError, RecursionError):
            self.is_foreign = True
            return None


def _read(path: str, most: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        return os.pread(descriptor, most, 0)
    finally:
        os.close(descriptor)
