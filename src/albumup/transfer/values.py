"""What goes to the wire and what comes of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum
from typing import Protocol, TypeVar

from msgspec import Struct

from albumup.transfer.reading import decoded, readings, text_of

T = TypeVar("T")

BLOCK = 1 << 20
"""Bytes handed to TLS, and to sendfile, at a time."""
CONNECT_SECONDS = 10.0
IDLE_SECONDS = 2.0
"""A connection idle for longer is dropped before it is used again: Node servers close theirs at 5 s."""
MOST_ANSWER = 64 << 10
"""Bytes of an answer that are read; what is longer is cut."""


class Fault(StrEnum):
    """Why there is no answer."""

    UNKNOWN_HOST = "unknown host"
    BAD_CERTIFICATE = "bad certificate"
    NOT_REACHED = "not reached"
    BROKEN = "broken"
    """Reset, closed or silent before the body's end."""
    LOST = "lost"
    """The whole body was sent; the answer was lost, late, or is no HTTP."""
    CUT = "cut"
    """We cut it ourselves."""


class Answer(Struct, frozen=True):
    """A server's answer, at most the first 64 KiB of it. Header names are lower-case.

    ``body`` is what its Content-Encoding stands for, empty if that ``is_opaque``; ``complete``: that is all of it.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    complete: bool
    is_opaque: bool = False
    """Its Content-Encoding is not known here, or is not what came."""

    @classmethod
    def of(
        cls,
        status: int,
        reason: str,
        headers: Mapping[str, str],
        raw: bytes,
        *,
        complete: bool,
        most: int = MOST_ANSWER,
    ) -> Answer:
        """An answer as it came: at most ``most`` bytes of its body are kept, before and after they are decoded."""
        encoding = headers.get("content-encoding", "")
        found = decoded(raw[:most], encoding, most)
        if found is None:
            return cls(status, reason, headers, b"", complete, is_opaque=True)
        body, is_all = found
        return cls(status, reason, headers, body, complete and is_all and len(raw) <= most)

    @property
    def text(self) -> str | None:
        """The body's characters; None if they cannot be read, and then the answer proves nothing."""
        if self.is_opaque:
            return None
        return text_of(self.body, self.headers.get("content-type", ""), is_all=self.complete)

    def search(self, pattern: str) -> re.Match[str] | None:
        """Where a regular expression first matches the text, however that spells its characters."""
        found = (re.search(pattern, one) for one in readings(self.text or "", is_page=self.is_page))
        return next((match for match in found if match), None)

    @property
    def is_page(self) -> bool:
        """True for an HTML page, by its type or its first characters."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind in ("text/html", "application/xhtml+xml"):
            return True
        return (self.text or "").lstrip()[:20].lower().startswith(("<!doctype html", "<html"))


class Sent(Struct, frozen=True):
    """What came of sending a body: an answer or a fault; ``whole`` if the last byte went to the kernel."""

    answer: Answer | None
    fault: Fault | None
    detail: str
    whole: bool
    bytes: int
    early: bool = False
    """The answer was there before every byte of the body was acknowledged."""
    used: bool = False
    """The connection had served another photo before: an early answer may be a late one to that."""


class Request(Struct, frozen=True):
    """A request to send a photo with: everything but the body. ``headers`` may hold secrets and are never journaled."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Peer:
    """How to reach a server: timeouts in seconds, certificates to trust instead of the system's."""

    timeout: float = 60.0
    ca_file: str | None = None
    direct: bool = False
    """Past any proxy: it is within this process."""


class Unreadable(Exception):
    """The payload cannot be read to its size: the source changed or went while it was sent."""


class Payload(Protocol):
    """What is sent between a body's head and its tail."""

    size: int
    """Bytes."""
    content: bytes | None
    """All of it, where it is small and was read already."""
    descriptor: int
    """Of the open file, for sendfile."""

    async def is_at_hand(self, start: int, size: int) -> bool:
        """May the loop's thread have the kernel send these bytes: will it not wait for a disk?"""

    async def read(self, start: int, size: int) -> bytes:
        """Exactly so many bytes from ``start``. Raises Unreadable."""


class Throttle(Protocol):
    """Shares a rate between uploads."""

    def block(self) -> int:
        """The most bytes to hand over at a time; 0 for no limit."""

    async def take(self, size: int) -> None:
        """Returns when ``size`` bytes may go."""


class Stopped(Exception):
    """Sending ended before the body did; ``fault`` None means that the server spoke first, ``silent`` that it said
    nothing for as long as it may."""

    def __init__(self, fault: Fault | None, detail: str = "", *, silent: bool = False) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail
        self.silent = silent


class Meter:
    """How far one upload is, and the way to end it."""

    __slots__ = ("_is_called", "_measure", "_waiting", "began", "cut", "moved", "whole")

    def __init__(self) -> None:
        self.began = 0.0
        """When sending began: the loop's time."""
        self.moved = 0
        """Bytes that have left this machine, as of the last look."""
        self.whole = False
        """The last byte went to the kernel."""
        self.cut = False
        """It is to end: said by ``cut_now``."""
        self._measure: Callable[[], int] | None = None
        self._waiting: asyncio.Task[object] | None = None
        self._is_called = False
        """The task that waits was woken to be told of the cut."""

    def measured_by(self, measure: Callable[[], int] | None) -> None:
        """From now on, the bytes that have left are to be asked for there."""
        self._measure = measure

    def look(self) -> int:
        """Bytes that have left this machine by now."""
        if self._measure is not None:
            self.moved = self._measure()
        return self.moved

    def cut_now(self) -> None:
        """End the upload at once, whatever it waits for: its line, its disk, or its turn."""
        self.cut = True
        if self._waiting is not None and not self._is_called:
            self._is_called = True
            self._waiting.cancel()

    async def unless_cut(self, awaited: Coroutine[object, object, T]) -> T:
        """What ``awaited`` comes to. Raises Stopped (CUT) if the upload is cut before; ``awaited`` is then cancelled.

        For whatever may be broken off at any point, and by the task that sends alone.
        """
        if self.cut:
            awaited.close()
            raise Stopped(Fault.CUT, "cut")
        task = self._waiting = asyncio.current_task()
        assert task is not None
        try:
            return await awaited
        except asyncio.CancelledError:
            if self._is_called and task.cancelling() == 1:
                raise Stopped(Fault.CUT, "cut") from None
            raise
        finally:
            self._waiting = None
            if self._is_called:
                self._is_called = False
                task.uncancel()


def retry_after(answer: Answer, now: float) -> float | None:
    """Seconds from a Retry-After header (RFC 9110 section 10.2.3), a number or a date; None without a sane one."""
    text = answer.headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:9])
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(text)
        # All HTTP dates are in UTC; asctime's form does not say so.
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, OverflowError):
        return None
