"""One connection of one worker, kept alive from photo to photo."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from albumup import __version__
from albumup.transfer.connect import connect, proxy_for, proxy_headers, tls_context
from albumup.transfer.exchange import SMALL, Exchange, has_spoken, room
from albumup.transfer.values import IDLE_SECONDS, Fault, Meter, Peer, Request, Sent, Stopped, Throttle


def load_libraries() -> None:
    """Import them now, before threads do: two that import parts of requests side by side see one half-made."""
    import requests  # noqa: F401 - and with it urllib3


_MOST_HEAD = 4096
"""Bytes of a request's own head, at most, where a body is handed over at once."""


class Wire:
    """One connection to one server, for one worker: kept alive from photo to photo."""

    def __init__(self, url: str, peer: Peer, throttle: Throttle | None = None) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._secure else 80)
        self._peer = peer
        self._throttle = throttle
        self._proxy = None if peer.direct else proxy_for(url)
        self._context = tls_context(peer.ca_file) if self._secure else None
        self._socket: socket.socket | None = None
        self._used = 0.0

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
        return None

    def takes_at_once(self, size: int) -> bool:
        """Would a body of ``size`` bytes leave us in one go? The connection is there, nothing was said on it since, and
        its buffer has room. Then nothing needs to be journaled before what ``before_last`` journals."""
        if self._throttle is not None or size > SMALL or not self._is_connected():
            return False
        assert self._socket is not None
        return room(self._socket) >= size + _MOST_HEAD

    def _is_connected(self) -> bool:
        if self._socket is not None and (time.monotonic() - self._used > IDLE_SECONDS or has_spoken(self._socket)):
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
    ) -> Sent:
        """Send one body and read the answer; ``at_once`` if it ``takes_at_once``.

        ``payload`` is a descriptor of ``size`` bytes. ``before_last`` runs before the last byte is handed over (the
        tail's first; for a body without one, the last block's first; at once, the first of all); what it raises goes
        through, with the connection closed. Answers that come early are read; the connection is then not used again.
        """
        if not at_once and (unreached := self.reach()) is not None:
            return unreached
        assert self._socket is not None
        exchange = Exchange(self._socket, self._peer.timeout, meter, self._throttle)
        keep = False
        try:
            line = self._request_head(request, len(head) + size + len(tail))
            try:
                send = exchange.send_at_once if at_once else exchange.send_body
                send(line, head, payload, size, tail, before_last)
            except Stopped as stopped:
                if stopped.fault is Fault.CUT:
                    return Sent(None, Fault.CUT, "cut", whole=meter.whole, bytes=exchange.moved())
                answer = None if stopped.silent else exchange.early_answer()
                if answer is None:
                    fault = stopped.fault or Fault.BROKEN
                    return Sent(None, fault, stopped.detail, whole=meter.whole, bytes=exchange.moved())
                return Sent(answer, None, "", whole=meter.whole, bytes=exchange.moved())
            try:
                answer, keep = exchange.read_answer()
            except Stopped as stopped:
                return Sent(None, stopped.fault, stopped.detail, whole=True, bytes=exchange.moved())
            return Sent(answer, None, "", whole=True, bytes=exchange.handed)
        finally:
            if keep:
                self._used = time.monotonic()
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
            lines += [f"{name}: {value}" for name, value in proxy_headers(self._proxy).items()]
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
