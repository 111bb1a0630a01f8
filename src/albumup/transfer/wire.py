"""One connection of one worker, kept alive from photo to photo."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from albumup import __version__
from albumup.transfer.connect import connect, tls_context
from albumup.transfer.exchange import SMALL, Exchange
from albumup.transfer.kernel import abort, has_spoken, room
from albumup.transfer.proxies import proxy_for
from albumup.transfer.values import IDLE_SECONDS, Fault, Meter, Peer, Request, Sent, Stopped, Throttle


def load_libraries() -> None:
    """Import them now, before threads do: two that import parts of requests side by side see one half-made."""
    import requests  # noqa: F401 - and with it urllib3


_KEEPS_NONE_SECONDS = 3600.0
_PROBATION_SECONDS = 0.025
"""Servers that keep no connection, and do not say so, close it within this time after an answer."""
_MOST_HEAD = 4096
"""Bytes of a request's own head, at most, where a body is handed over at once."""


class Keeping:
    """Whether a server's connections are worth keeping from photo to photo: learned by all wires to it."""

    def __init__(self) -> None:
        self.is_proven = False
        """A kept connection has served a second photo."""
        self._not_before = float("-inf")

    def is_wanted(self) -> bool:
        return time.monotonic() >= self._not_before

    def lost(self) -> None:
        """A kept connection was lost, or said what nobody asked for: none is kept for a while."""
        self.is_proven = False
        self._not_before = time.monotonic() + _KEEPS_NONE_SECONDS


class Wire:
    """One connection to one server, for one worker: kept alive from photo to photo."""

    def __init__(self, url: str, peer: Peer, throttle: Throttle | None = None, keeping: Keeping | None = None) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._secure else 80)
        self._peer = peer
        self._throttle = throttle
        self._keeping = keeping or Keeping()
        self._proxy = None if peer.direct else proxy_for(url)
        self._context = tls_context(peer.ca_file) if self._secure else None
        self._socket: socket.socket | None = None
        self._used_at: float | None = None
        """When the connection has served its last photo; None for a fresh one."""
        self._connected_at = 0.0

    def close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def reach(self) -> Sent | None:
        """Connect if need be; None when there is a connection, else what went wrong."""
        if not self._is_connected():
            try:
                self._socket = connect(self._host, self._port, context=self._context, proxy=self._proxy)
            except Stopped as stopped:
                return Sent(None, stopped.fault, stopped.detail, whole=False, bytes=0)
            self._used_at = None
            self._connected_at = time.monotonic()
        return None

    def takes_at_once(self, size: int) -> bool:
        """Would a body of ``size`` bytes leave us in one go? The connection is there, nothing was said on it since, and
        its buffer has room. Then nothing needs to be journaled before what ``before_last`` journals."""
        if self._throttle is not None or size > SMALL or not self._is_connected():
            return False
        assert self._socket is not None
        return room(self._socket) >= size + _MOST_HEAD

    def _is_connected(self) -> bool:
        """Is there a connection to be used? Whether the server keeps it is seen in the first moment after an answer."""
        if self._socket is None:
            return False
        now = time.monotonic()
        idle = now - (self._connected_at if self._used_at is None else self._used_at)
        wait = 0.0
        if self._used_at is not None and not self._keeping.is_proven and not self._peer.direct:
            wait = max(0.0, _PROBATION_SECONDS - idle)
        if idle > IDLE_SECONDS:
            self.close()
        elif has_spoken(self._socket, wait):
            if wait:
                self._keeping.lost()
            self.close()
        return self._socket is not None

    def send(
        self,
        request: Request,
        head: bytes,
        payload: int,
        size: int,
        tail: bytes,
        meter: Meter,
        before_last: Callable[[], None],
        *,
        at_once: bool = False,
        taken_back: Callable[[], None] = lambda: None,
    ) -> Sent:
        """Send one body and read the answer; ``at_once`` if it ``takes_at_once``.

        ``payload`` is a descriptor of ``size`` bytes. ``before_last`` runs before the last byte is handed over (the
        tail's first; for a body without one, the last block's first; at once, the first of all); what it raises goes
        through, with the connection closed. Answers that come early are read; the connection is then not used again.

        A kept connection may have been closed meanwhile, and what is read on it early may be a late answer to the photo
        before. If nothing of this request can have been taken there, it goes once more on a fresh one; ``taken_back``
        is called first.
        """
        body = (request, head, payload, size, tail, meter)
        sent = self._send_once(*body, before_last, at_once=at_once)
        if sent is None:
            taken_back()
            meter.moved, meter.whole = 0, False
            sent = self._send_once(*body, before_last)
        assert sent is not None, "only a kept connection is done without"
        return sent

    def _send_once(
        self,
        request: Request,
        head: bytes,
        payload: int,
        size: int,
        tail: bytes,
        meter: Meter,
        before_last: Callable[[], None],
        *,
        at_once: bool = False,
    ) -> Sent | None:
        """What came of it; None: it was a kept connection, what was said there is not believed, nothing was taken."""
        if not at_once and (unreached := self.reach()) is not None:
            return unreached
        assert self._socket is not None
        is_used = self._used_at is not None
        exchange = Exchange(self._socket, self._peer.timeout, meter, self._throttle, is_used=is_used)
        keep = False
        try:
            line = self._request_head(request, len(head) + size + len(tail))
            send = exchange.send_at_once if at_once else exchange.send_body
            sent, keep = _exchanged(exchange, meter, lambda: send(line, head, payload, size, tail, before_last))
            if sent.early and sent.answer is not None and not is_used and not 200 <= sent.answer.status < 300:
                abort(self._socket)  # it said no to it: the rest is not to arrive after all
            if not is_used or sent.fault is Fault.CUT:
                return sent
            if sent.answer is not None and not sent.early:
                self._keeping.is_proven = True
                return sent
            self._keeping.lost()
            is_unbelieved = exchange.is_heard and not sent.whole
            if is_unbelieved or exchange.took_nothing(whole=sent.whole):
                return None
            return replace(sent, used=True)
        finally:
            if keep and self._keeping.is_wanted():
                self._used_at = time.monotonic()
            else:
                self.close()

    def _request_head(self, request: Request, length: int) -> bytes:
        """The request line and headers (RFC 9112); the target in absolute form for a plain proxy."""
        parts = urlsplit(request.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        host = f"[{self._host}]" if ":" in self._host else self._host
        if self._port != (443 if self._secure else 80):
            host += f":{self._port}"
        lines = []
        if self._proxy and not self._secure:
            target = f"http://{host}{target}"
            lines += [f"{name}: {value}" for name, value in self._proxy.headers.items()]
        lines += [f"{name}: {value}" for name, value in request.headers]
        return "\r\n".join(
            [
                f"{request.method} {target} HTTP/1.1",
                f"Host: {host}",
                f"User-Agent: albumup/{__version__}",
                "Accept: application/json, */*;q=0.5",
                "Accept-Encoding: identity",
                f"Content-Length: {length}",
                *lines,
                "\r\n",
            ]
        ).encode()


def _exchanged(exchange: Exchange, meter: Meter, send: Callable[[], None]) -> tuple[Sent, bool]:
    """What came of one body on one connection, and whether that may be used again."""
    try:
        send()
    except Stopped as stopped:
        if stopped.fault is Fault.CUT:
            return Sent(None, Fault.CUT, "cut", whole=meter.whole, bytes=exchange.moved()), False
        answer = None if stopped.silent else exchange.early_answer()
        if answer is not None:
            return Sent(answer, None, "", whole=meter.whole, bytes=exchange.moved(), early=True), False
        if meter.cut:
            return Sent(None, Fault.CUT, "cut", whole=meter.whole, bytes=exchange.moved()), False
        detail = stopped.detail or "the server answered before the photo's end, and the answer cannot be read"
        return Sent(None, stopped.fault or Fault.BROKEN, detail, whole=meter.whole, bytes=exchange.moved()), False
    try:
        answer, keep = exchange.read_answer()
    except Stopped as stopped:
        return Sent(None, stopped.fault, stopped.detail, whole=True, bytes=exchange.moved()), False
    return Sent(answer, None, "", whole=True, bytes=exchange.handed, early=exchange.is_early), keep
