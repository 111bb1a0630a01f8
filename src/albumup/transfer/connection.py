"""Sends photos over one connection to one server, kept alive from photo to photo."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from msgspec.structs import replace

from albumup import __version__
from albumup.transfer.connect import shared_tls_context
from albumup.transfer.exchange import Exchange
from albumup.transfer.proxies import proxy_for
from albumup.transfer.sending import SMALL
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

_KEEP_NONE_SECONDS = 3600.0
"""How long no connection is kept after a kept one was lost."""
_PROBATION_SECONDS = 0.025
"""Servers that keep no connections, and do not say so, close within this time after an answer."""
_MOST_HEAD = 4096
"""The most bytes of a request's head where a body is sent at once."""
_FIXED = (
    f"User-Agent: albumup/{__version__}\r\n"
    "Accept: application/json, */*;q=0.5\r\n"
    "Accept-Encoding: identity\r\n"
    "Content-Length: "
)


def _nothing() -> None: ...


class KeepAlive:
    """Whether to keep connections to a server from photo to photo; shared by all connections to it.

    Times are the event loop's.
    """

    def __init__(self) -> None:
        self.is_proven = False
        """A kept connection has served a second photo."""
        self._not_before = float("-inf")

    def is_wanted(self, now: float) -> bool:
        return now >= self._not_before

    def lost(self, now: float) -> None:
        """Keep no connection for a while: a kept one was lost, or the server spoke on it
        unasked."""
        self.is_proven = False
        self._not_before = now + _KEEP_NONE_SECONDS


class _Outgoing(NamedTuple):
    """One body to send, and what to await before its last byte."""

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
    """One connection to one server, kept alive, which carries one photo at a time."""

    def __init__(
        self,
        url: str,
        peer: Peer,
        network: Network,
        throttle: Throttle | None = None,
        keep_alive: KeepAlive | None = None,
        before_connect: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """For use in the running loop. Raises ConfigError for an unreadable proxy setting or
        certificates.

        ``before_connect`` is awaited before each connecting, and may raise Stopped. It may be
        cancelled at any point.
        """
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
        self._before_connect = before_connect
        self._wire: Wire | None = None
        self._used_at: float | None = None
        """When the connection served its last photo; None while it is fresh."""
        self._connected_at = 0.0
        self._room = 0
        """Bytes that the wire takes at once, as far as is known."""
        self._last_request = ("", "", "")
        """Method and URL of the last request, and the first lines made of them."""

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    async def reach(self, meter: Meter | None = None) -> Sent | None:
        """Connect if need be. None when connected, else the failure; CUT if ``meter`` was cut."""
        if not await self._is_connected():
            connecting = self._connect()
            try:
                await (meter.unless_cut(connecting) if meter is not None else connecting)
            except Stopped as stopped:
                return Sent(None, stopped.fault, stopped.detail, whole=False, bytes=0)
        return None

    async def _connect(self) -> None:
        if self._before_connect is not None:
            await self._before_connect()
        self._wire = await self._network.connect(
            self._host, self._port, context=self._context, proxy=self._proxy
        )
        self._used_at = None
        self._connected_at = self._time()
        self._room = 0

    async def takes_at_once(self, size: int) -> bool:
        """Would the kernel take a body of ``size`` bytes in one go?

        True if the connection is open, the server has said nothing since, and the buffer has room.
        Then ``before_last`` alone has to be journaled before the body.
        """
        is_limited = self._throttle is not None and self._throttle.block() > 0
        if is_limited or size > SMALL or not await self._is_connected():
            return False
        assert self._wire is not None
        wanted = size + _MOST_HEAD
        if self._room < wanted:  # the kernel enlarges the buffer while the line is good
            self._room = self._wire.room()
        return self._room >= wanted

    async def _is_connected(self) -> bool:
        """Is there a usable connection? On probation, wait a moment to see whether the server
        closes it."""
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
        """Send one body and read the answer; ``at_once`` only after ``takes_at_once``.

        ``before_last`` is awaited before the last byte is handed to the kernel: before the tail,
        before the last block of a body without a tail, before everything ``at_once``. Its
        exceptions pass through, and the connection is closed. A cut (``Meter.cut_now``) does not
        interrupt it. An early answer is read, and the connection is then not used again. Raises
        Unreadable, LocalError.

        The server may have closed a kept connection meanwhile, and an early answer on it may be a
        late one to the photo before. If the server cannot have taken anything of this request, it
        is sent once more on a fresh connection, after a call of ``taken_back``.
        """
        meter.began = self._time()
        body = _Outgoing(request, head, payload, tail, meter, before_last)
        sent = await self._send_once(body, at_once=at_once)
        if sent is None:
            taken_back()
            meter.moved, meter.whole = 0, False
            sent = await self._send_once(body)
        assert sent is not None, "only a kept connection may be given up without a result"
        return sent

    async def _send_once(self, body: _Outgoing, *, at_once: bool = False) -> Sent | None:
        """The result; None if this was a kept connection, its answer is not believed, and the
        server took nothing."""
        if not at_once and (unreached := await self.reach(body.meter)) is not None:
            return unreached
        assert self._wire is not None
        is_used = self._used_at is not None
        exchange = Exchange(
            self._wire, self._peer.timeout, body.meter, self._throttle, self._time, is_used=is_used
        )
        keep = False
        try:
            line = self._request_head(body.request, body.length)
            send = exchange.send_at_once if at_once else exchange.send_body
            sending = send(line, body.head, body.payload, body.tail, body.before_last)
            sent, keep = await _exchanged(exchange, body.meter, sending)
            if (
                sent.early
                and sent.answer is not None
                and not is_used
                and not 200 <= sent.answer.status < 300
            ):
                self._wire.abort()  # the server refused the body, so the rest must not arrive
            if sent.fault in (Fault.BROKEN, Fault.LOST) and not self._wire.has_address():
                return replace(sent, moved=True)
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
        """The request line and headers (RFC 9112), with an absolute URL for a plain proxy."""
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


async def _exchanged(
    exchange: Exchange, meter: Meter, sending: Awaitable[None]
) -> tuple[Sent, bool]:
    """The result of one body on one connection, and whether the connection may be used again."""
    try:
        await sending
    except Stopped as stopped:
        if stopped.fault is Fault.CUT:
            return Sent(None, Fault.CUT, "cut", whole=meter.whole, bytes=exchange.moved()), False
        answer = None if stopped.silent else await exchange.early_answer()
        if answer is not None:
            return Sent(
                answer, None, "", whole=meter.whole, bytes=exchange.moved(), early=True
            ), False
        if meter.cut:
            return Sent(None, Fault.CUT, "cut", whole=meter.whole, bytes=exchange.moved()), False
        detail = (
            stopped.detail
            or "the server answered before the photo's end, and the answer cannot be read"
        )
        return Sent(
            None, stopped.fault or Fault.BROKEN, detail, whole=meter.whole, bytes=exchange.moved()
        ), False
    try:
        answer, keep = await exchange.read_answer()
    except Stopped as stopped:
        return Sent(None, stopped.fault, stopped.detail, whole=True, bytes=exchange.moved()), False
    return Sent(answer, None, "", whole=True, bytes=exchange.handed, early=exchange.is_early), keep
