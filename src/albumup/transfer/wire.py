"""The stream that the rest of this package sends on: non-blocking, watched by the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Protocol

from albumup.helpers import Helpers, Work
from albumup.resuming import Resuming
from albumup.transfer import kernel
from albumup.transfer.connect import connect
from albumup.transfer.proxies import Proxy

NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""Raised by a wire that has no room, or nothing to read."""
LINE_ERRNOS = frozenset(
    {
        errno.EPIPE,
        errno.ECONNRESET,
        errno.ECONNABORTED,
        errno.ENOTCONN,
        errno.ETIMEDOUT,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.EHOSTUNREACH,
        errno.EHOSTDOWN,
        errno.EADDRNOTAVAIL,
    }
)
"""Errors of sendfile that concern the socket; all others concern the file."""


class Wire(Protocol):
    """A connected stream. Only ``wait`` waits."""

    is_secure: bool
    """The stream goes through TLS."""

    def send(self, data: bytes | memoryview) -> int:
        """Send; the number of bytes taken. Raises BlockingIOError or ssl.SSLWant*Error when it has
        no room, OSError."""

    def send_all(self, *parts: bytes) -> int:
        """Send several parts in one go; in all other ways as ``send``."""

    def sendfile(self, descriptor: int, start: int, count: int) -> int:
        """Send from an open file, not through TLS; the number of bytes taken, 0 at its end.

        Raises BlockingIOError, OSError.
        """

    def recv(self, most: int) -> bytes:
        """The bytes that have come, b"" at the end.

        Raises BlockingIOError or ssl.SSLWant*Error when there are none, OSError.
        """

    def is_unbroken(self) -> bool:
        """True if an end that ``recv`` reports is an orderly one: TLS reports a reset as one, too.

        Raises OSError, as ``recv`` would without TLS.
        """

    async def wait(self, *, writing: bool, seconds: float) -> bool:
        """Wait for something to read or, with ``writing``, room to write; False if too late."""

    def has_spoken(self) -> bool:
        """Is there something to read, or the end?"""

    def room(self) -> int:
        """Bytes that an idle line surely takes at once."""

    def unsent(self) -> int:
        """Bytes that were taken and not yet acknowledged by the other side; 0 where that is
        unknown."""

    def acked(self) -> int | None:
        """Bytes that the other side has acknowledged since the beginning; None where that is
        unknown."""

    def has_address(self) -> bool:
        """Does this computer still have the address that the stream goes out from?"""

    def cork(self, on: bool) -> None:
        """Start or stop holding back segments that are not full."""

    def half_close(self) -> None:
        """Shut down sending, and go on receiving."""

    def abort(self) -> None:
        """Make the close a reset, which drops the bytes still in the queue."""

    def close(self) -> None: ...


class Network(Protocol):
    """Makes connections."""

    async def connect(
        self, host: str, port: int, *, context: ssl.SSLContext | None, proxy: Proxy | None
    ) -> Wire:
        """Connect to a server, with TLS if there is a context. Raises Stopped, LocalError."""


class SocketNetwork:
    """The real network. Helper threads look up names, connect, and do the TLS handshake."""

    def __init__(self, helpers: Helpers) -> None:
        self._helpers = helpers

    async def connect(
        self, host: str, port: int, *, context: ssl.SSLContext | None, proxy: Proxy | None
    ) -> SocketWire:
        return SocketWire(
            await self._helpers.run(
                Work.CONNECT, partial(connect, host, port, context=context, proxy=proxy)
            )
        )


class SocketWire:
    """A socket that the loop watches from photo to photo: each registration costs a system call.

    When bytes come that nobody waits for, the loop stops watching until somebody does; otherwise it
    would spin.
    """

    def __init__(self, connection: socket.socket) -> None:
        """``connection`` is non-blocking; the wire closes it."""
        self.socket = connection
        self.is_secure = isinstance(connection, ssl.SSLSocket)
        self.send: Callable[[bytes | memoryview], int] = connection.send
        self._secure = connection if isinstance(connection, ssl.SSLSocket) else None
        self._descriptor = connection.fileno()
        self._ear = kernel.ear_of(self._descriptor)
        self._loop = asyncio.get_running_loop()
        self._waiting: Resuming[bool] | None = None
        self._is_watched = False
        self._has_come = False
        """Bytes came while nobody waited."""
        self._until = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0

    def send_all(self, *parts: bytes) -> int:
        if self.is_secure:
            return self.send(b"".join(parts))
        return self.socket.sendmsg(parts)

    def sendfile(self, descriptor: int, start: int, count: int) -> int:
        return os.sendfile(self._descriptor, descriptor, start, count)

    def recv(self, most: int) -> bytes:
        self._has_come = False
        return self.socket.recv(most)

    def is_unbroken(self) -> bool:
        if self._secure is None:
            return True
        try:
            socket.socket.recv(self.socket, 1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        return True

    async def wait(self, *, writing: bool, seconds: float) -> bool:
        # The selector does not see bytes that TLS has read already.
        if self._has_come or (self._secure is not None and self._secure.pending()):
            return True
        if not self._is_watched:
            self._loop.add_reader(self._descriptor, self._readable)
            self._is_watched = True
        self._until = self._loop.time() + seconds
        if self._alarm is None or self._until < self._alarm_at:
            self._set_alarm()
        waiting = self._waiting = Resuming(self._loop)
        if writing:
            self._loop.add_writer(self._descriptor, self._end_wait, True)
        try:
            return await waiting
        finally:
            self._waiting = None
            if writing and self._is_watched:
                self._loop.remove_writer(self._descriptor)

    def _readable(self) -> None:
        if self._waiting is not None:
            self._end_wait(True)
        else:
            self._has_come = True
            self._unwatch()

    def _end_wait(self, is_ready: bool) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.resume(is_ready)

    def _set_alarm(self) -> None:
        """Set the one timer, which is set again when it rings too early: a timer for each wait
        would cost too much."""
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = self._until
        self._alarm = self._loop.call_at(self._alarm_at, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        if self._waiting is None:
            return
        if self._loop.time() < self._until:
            self._set_alarm()
        else:
            self._end_wait(False)

    def _unwatch(self) -> None:
        if self._is_watched:
            self._loop.remove_reader(self._descriptor)
            self._is_watched = False

    def has_spoken(self) -> bool:
        if self._has_come or (self._secure is not None and self._secure.pending()):
            return True
        return bool(self._ear())

    def room(self) -> int:
        return kernel.room(self.socket)

    def unsent(self) -> int:
        return kernel.unacked(self.socket)

    def acked(self) -> int | None:
        return kernel.acked(self.socket)

    def has_address(self) -> bool:
        return kernel.has_address(self.socket)

    def cork(self, on: bool) -> None:
        kernel.cork(self.socket, on)

    def half_close(self) -> None:
        kernel.half_close(self.socket)

    def abort(self) -> None:
        kernel.abort(self.socket)

    def close(self) -> None:
        self._unwatch()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._waiting is not None:  # the waiter wakes up, and finds the socket closed
            self._loop.remove_writer(self._descriptor)
            self._loop.call_soon(self._end_wait, True)
        with contextlib.suppress(OSError):
            self.socket.close()
