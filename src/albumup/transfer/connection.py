"""One connection to one server, kept alive from photo to photo."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from msgspec.structs import replace

from albumup import __version__
from albumup.transfer.connect import shared_tls_context
from albumup.transfer.exchange import SMALL, Exchange
from albumup.transfer.proxies import proxy_for
from albumup.transfer.values import (
    IDLE_SECONDS,
    Fault,
    Meter,
    Payload,
    Peer,
    Request,
    Sent,
    Stopped,
    Throttle,
)
from albumup.transfer.wire import Network, Wire

_KEEPS_NONE_SECONDS = 3600.0
_PROBATION_SECONDS = 0.025
"""Servers that keep no connection, and do not say so, close it within this time after an answer."""
_MOST_HEAD = 4096
"""Bytes of a request's own head, at most, where a body is handed over at once."""
_FIXED = (
    f"User-Agent: albumup/{__version__}\r\n"
    "Accept: application/json, */*;q=0.5\r\n"
    "Accept-Encoding: identity\r\n"
    "Content-Length: "
)


def _nothing() -> None: ...


class KeepAlive:
    """Whether a server's connections are worth keeping from photo to photo: learned by all connections to it.

    Times are the loop's.
    """

    def __init__(self) -> None:
        self.is_proven = False
        """A kept connection has served a second photo."""
        self._not_before = float("-inf")

    def is_wanted(self, now: float) -> bool:
        return now >= self._not_before

    def lost(self, now: float) -> None:
        """A kept connection was lost, or said what nobody asked for: none is kept for a while."""
        self.is_proven = False
        self._not_before = now + _KEEPS_NONE_SECONDS


class _Outgoing(NamedTuple):
    """One body on its way, and what is to happen before its last byte."""

    request: Request
    head: bytes
    payload: Payload
    tail: bytes
    meter: Meter
    before_last: Callable[[], Awaitable[None]]

    @property
    def length(self) -> int:
        return len(self.head) + self.payload.size + len(self.tail)


class Connection:
    """One connection to one server, kept alive from photo to photo; for one photo at a time."""

    def __init__(
        self,
        url: str,
        peer: Peer,
        network: Network,
        throttle: Throttle | None = None,
        keep_alive: KeepAlive | None = None,
    ) -> None:
        """For use in the running loop. Raises ConfigError for a proxy that cannot be read, or certificates."""
        self._time = asyncio.get_running_loop().time
        parts = urlsplit(url)
        self._is_secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._is_secure else 80)
        self._peer = peer
        self._network = network
        self._throttle = throttle
        self._keep_alive = keep_alive or KeepAlive()
        self._proxy = None if peer.direct else proxy_for(url)
        self._context = shared_tls_context(peer.ca_file) if self._is_secure else None
        self._wire: Wire | None = None
        self._used_at: float | None = None
        """When the connection has served its last photo; None for a fresh one."""
        self._connected_at = 0.0
        self._room = 0
        """Bytes that it takes at once, as far as we know."""
        self._last_request = ("", "", "")
        """Method and URL of the last request, and the first lines that they stand for."""

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    async def reach(self, meter: Meter | None = None) -> Sent | None:
        """Connect if need be; None when there is a connection, else what went wrong, or that ``meter`` was cut."""
        if not await self._is_connected():
            connecting = self._connect()
            try:
                await (meter.unless_cut(connecting) if meter is not None else connecting)
            except Stopped as stopped:
                return Sent(None, stopped.fault, stopped.detail, whole=False, bytes=0)
        return None

    async def _connect(self) -> None:
        self._wire = await self._network.connect(self._host, self._port, context=self._context, proxy=self._proxy)
        self._used_at = None
        self._connected_at = self._time()
        self._room = 0

    async def takes_at_once(self, size: int) -> bool:
        """Would a body of ``size`` bytes leave us in one go? The connection is there, nothing was said on it since, and
        its buffer has room. Then nothing needs to be journaled before what ``before_last`` journals."""
        if self._throttle is not None or size > SMALL or not await self._is_connected():
            return False
        assert self._wire is not None
        wanted = size + _MOST_HEAD
        if self._room < wanted:  # it grows as the line proves good
            self._room = self._wire.room()
        return self._room >= wanted

    async def _is_connected(self) -> bool:
        """Is there a connection to be used? Whether the server keeps it is seen in the first moment after an answer."""
        if self._wire is None:
            return False
        idle = self._time() - (self._connected_at if self._used_at is None else self._used_at)
        probation = 0.0
        if self._used_at is not None and not self._keep_alive.is_proven and not self._peer.direct:
            probation = max(0.0, _PROBATION_SECONDS - idle)
        if idle > IDLE_SECONDS:
            self.close()
        elif probation and await self._wire.wait(writing=False, seconds=probation):
            self._keep_alive.lost(self._time())
            self.close()
        elif self._wire.has_spoken():
            self.close()
        return self._wire is not None

    async def send(
        self,
        request: Request,
        head: bytes,
        payload: Payload,
        tail: bytes,
        meter: Meter,
        before_last: Callable[[], Awaitable[None]],
        *,
        at_once: bool = False,
        taken_back: Callable[[], None] = _nothing,
    ) -> Sent:
        """Send one body and read the answer; ``at_once`` if it ``takes_at_once``.

        ``before_last`` is awaited before the last byte is handed over (the tail's first; for a body without one, the
        last block's first; at once, the first of all); what it raises goes through, with the connection closed. A cut
        (``Meter.cut_now``) does not end it. Answers that come early are read; the connection is then not used again.
        Raises Unreadable, LocalError.

        A kept connection may have been closed meanwhile, and what is read on it early may be a late answer to the photo
        before. If nothing of this request can have been taken there, it goes once more on a fresh one; ``taken_back``
        is called first.
        """
        meter.began = self._time()
        body = _Outgoing(request, head, payload, tail, meter, before_last)
        sent = await self._send_once(body, at_once=at_once)
        if sent is None:
            taken_back()
            meter.moved, meter.whole = 0, False
            sent = await self._send_once(body)
        assert sent is not None, "only a kept connection is done without"
        return sent

    async def _send_once(self, body: _Outgoing, *, at_once: bool = False) -> Sent | None:
        """What came of it; None: it was a kept connection, what was said there is not believed, nothing was taken."""
        if not at_once and (unreached := await self.reach(body.meter)) is not None:
            return unreached
        assert self._wire is not None
        is_used = self._used_at is not None
        exchange = Exchange(self._wire, self._peer.timeout, body.meter, self._throttle, self._time, is_used=is_used)
        keep = False
        try:
            line = self._request_head(body.request, body.length)
            send = exchange.send_at_once if at_once else exchange.send_body
            sending = send(line, body.head, body.payload, body.tail, body.before_last)
            sent, keep = await _exchanged(exchange, body.meter, sending)
            if sent.early and sent.answer is not None and not is_used and not 200 <= sent.answer.status < 300:
                self._wire.abort()  # it said no to it: the rest is not to arrive after all
            if not is_used or sent.fault is Fault.CUT:
                return sent
            if sent.answer is not None and not sent.early:
                self._keep_alive.is_proven = True
                return sent
            self._keep_alive.lost(self._time())
            is_unbelieved = exchange.is_heard and not sent.whole
            if is_unbelieved or exchange.took_nothing(whole=sent.whole):
                return None
            return replace(sent, used=True)
        finally:
            exchange.end()
            now = self._time()
            if keep and self._keep_alive.is_wanted(now):
                self._used_at = now
            else:
                self.close()

    def _request_head(self, request: Request, length: int) -> bytes:
        """The request line and headers (RFC 9112); the target in absolute form for a plain proxy."""
        if self._last_request[:2] != (request.method, request.url):
            self._last_request = (request.method, request.url, self._first_lines(request))
        text = f"{self._last_request[2]}{length}\r\n"
        for name, value in request.headers:
            text += f"{name}: {value}\r\n"
        return f"{text}\r\n".encode()

    def _first_lines(self, request: Request) -> str:
        parts = urlsplit(request.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        host = f"[{self._host}]" if ":" in self._host else self._host
        if self._port != (443 if self._is_secure else 80):
            host += f":{self._port}"
        told = ""
        if self._proxy and not self._is_secure:
            target = f"http://{host}{target}"
            told = "".join(f"{name}: {value}\r\n" for name, value in self._proxy.headers.items())
        return f"{request.method} {target} HTTP/1.1\r\nHost: {host}\r\n{told}{_FIXED}"


async def _exchanged(exchange: Exchange, meter: Meter, sending: Awaitable[None]) -> tuple[Sent, bool]:
    """What came of one body on one connection, and whether that may be used again."""
    try:
        await sending
    except Stopped as stopped:
        if stopped.fault is Fault.CUT:
            return Sent(None, Fault.CUT, "cut", whole=meter.whole, bytes=exchange.moved()), False
        answer = None if stopped.silent else await exchange.early_answer()
        if answer is not None:
            return Sent(answer, None, "", whole=meter.whole, bytes=exchange.moved(), early=True), False
        if meter.cut:
            return Sent(None, Fault.CUT, "cut", whole=meter.whole, bytes=exchange.moved()), False
        detail = stopped.detail or "the server answered before the photo's end, and the answer cannot be read"
        return Sent(None, stopped.fault or Fault.BROKEN, detail, whole=meter.whole, bytes=exchange.moved()), False
    try:
        answer, keep = await exchange.read_answer()
    except Stopped as stopped:
        return Sent(None, stopped.fault, stopped.detail, whole=True, bytes=exchange.moved()), False
    return Sent(answer, None, "", whole=True, bytes=exchange.handed, early=exchange.is_early), keep
