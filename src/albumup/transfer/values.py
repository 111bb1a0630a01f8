"""The values that go into transfer and come out of it: requests, payloads, answers, faults."""

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
"""Bytes handed at a time to TLS and to sendfile."""
CONNECT_SECONDS = 10.0
IDLE_SECONDS = 2.0
"""A connection idle for longer is not used again: Node servers close theirs after 5 s."""
MOST_ANSWER = 64 << 10
"""The most bytes of an answer that are read; longer answers are cut."""


DOWN = frozenset({429, 502, 503, 504, *range(520, 531)})
"""Statuses of a server that is not well, or of the proxy in front of one, whatever it is asked."""
FAULTY = DOWN | {500}
"""Those of one that is not well now, or fails at this very question."""


class Fault(StrEnum):
    """Why there is no answer."""

    UNKNOWN_HOST = "unknown host"
    BAD_CERTIFICATE = "bad certificate"
    NOT_REACHED = "not reached"
    BROKEN = "broken"
    """The connection was reset, closed or silent before the body's end."""
    LOST = "lost"
    """The whole body was sent; the answer was lost, came too late, or is not HTTP."""
    CUT = "cut"
    """We ended the upload ourselves."""


class Answer(Struct, frozen=True):
    """A server's answer, at most the first 64 KiB of it. Header names are in lower case.

    ``body`` is decoded by its Content-Encoding, and empty if it ``is_opaque``. ``complete``:
    ``body`` is all of it.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    complete: bool
    is_opaque: bool = False
    """The Content-Encoding is unknown, or the body is not encoded so."""

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
        """An answer from its raw body, of which at most ``most`` bytes are kept, before and after
        decoding."""
        encoding = headers.get("content-encoding", "")
        found = decoded(raw[:most], encoding, most)
        if found is None:
            return cls(status, reason, headers, b"", complete, is_opaque=True)
        body, is_all = found
        return cls(status, reason, headers, body, complete and is_all and len(raw) <= most)

    @property
    def text(self) -> str | None:
        """The body as text; None if it cannot be decoded, and then the answer proves nothing."""
        if self.is_opaque:
            return None
        return text_of(self.body, self.headers.get("content-type", ""), is_all=self.complete)

    def search(self, pattern: str) -> re.Match[str] | None:
        """The first match of a regular expression in the text, in any spelling of its
        characters."""
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
    """The result of sending a body: answer or fault. ``whole``: the kernel took the last byte."""

    answer: Answer | None
    fault: Fault | None
    detail: str
    whole: bool
    bytes: int
    early: bool = False
    """The answer was there before every byte of the body was acknowledged."""
    used: bool = False
    """The connection had served another photo before: an early answer may be that one's."""
    moved: bool = False
    """It broke because this computer is in another network now, or in none: its address is gone."""


class Request(Struct, frozen=True):
    """The request that carries a photo, without the body. ``headers`` may hold secrets and are
    never journaled."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Peer:
    """How to reach a server: timeouts in seconds, certificates to trust instead of the system's."""

    timeout: float = 60.0
    ca_file: str | None = None
    direct: bool = False
    """Use no proxy: the server runs within this process."""


class Unreadable(Exception):
    """The payload cannot be read to its full size: the source changed or vanished meanwhile."""


class Payload(Protocol):
    """The part of a body between its head and its tail."""

    size: int
    """Bytes."""
    content: bytes | None
    """The whole payload, if it is small and was read already."""
    descriptor: int
    """The open file's, for sendfile."""

    async def is_at_hand(self, start: int, size: int) -> bool:
        """May the loop's thread call sendfile for these bytes, without waiting for a disk?"""

    async def read(self, start: int, size: int) -> bytes:
        """Exactly ``size`` bytes from ``start``. Raises Unreadable."""


class Throttle(Protocol):
    """Shares a rate between uploads."""

    def block(self) -> int:
        """The most bytes to send at a time; 0 for no limit."""

    async def take(self, size: int) -> None:
        """Return when ``size`` bytes may be sent."""


class Stopped(Exception):
    """Sending ended before the body did.

    ``fault`` None: the server answered first. ``silent``: no byte moved within the timeout.
    """

    def __init__(self, fault: Fault | None, detail: str = "", *, silent: bool = False) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = detail
        self.silent = silent


class Meter:
    """The progress of one upload, and the way to cut it."""

    __slots__ = ("_is_called", "_measure", "_waiting", "began", "cut", "moved", "whole")

    def __init__(self) -> None:
        self.began = 0.0
        """When sending began: the loop's time."""
        self.moved = 0
        """Bytes that have left this machine, as of the last look."""
        self.whole = False
        """The kernel took the last byte."""
        self.cut = False
        """The upload is to end: ``cut_now`` was called."""
        self._measure: Callable[[], int] | None = None
        self._waiting: asyncio.Task[object] | None = None
        self._is_called = False
        """The waiting task was cancelled because of the cut."""

    def measured_by(self, measure: Callable[[], int] | None) -> None:
        """From now on, ``measure`` tells the bytes that have left; None: nobody does."""
        self._measure = measure

    def look(self) -> int:
        """Bytes that have left this machine by now."""
        if self._measure is not None:
            self.moved = self._measure()
        return self.moved

    def cut_now(self) -> None:
        """End the upload at once, whatever it waits for: line, disk, or its turn."""
        self.cut = True
        if self._waiting is not None and not self._is_called:
            self._is_called = True
            self._waiting.cancel()

    async def unless_cut(self, awaited: Coroutine[object, object, T]) -> T:
        """Await ``awaited``. Raises Stopped (CUT) if the upload is cut before; ``awaited`` is then
        cancelled.

        Only for coroutines that may be cancelled at any point, and only for the task that sends.
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
    """Seconds from a Retry-After header (RFC 9110 section 10.2.3), a number or a date; None without
    a sane one."""
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
