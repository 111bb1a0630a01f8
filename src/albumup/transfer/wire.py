"""One connected stream, as the rest of this package wants it: non-blocking, and waited for by the loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Callable, Generator
from contextvars import Context
from functools import partial
from typing import Any, Protocol

from albumup.helpers import Helpers, Work
from albumup.transfer import kernel
from albumup.transfer.connect import connect
from albumup.transfer.proxies import Proxy

NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What a wire raises that has no room, or nothing to read."""
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
    }
)
"""What sendfile says of the socket; anything else it says of the file."""


class Wire(Protocol):
    """A connected stream. Nothing but ``wait`` waits."""

    is_secure: bool
    """It goes through TLS."""

    def send(self, data: bytes | memoryview) -> int:
        """Bytes that were taken. Raises BlockingIOError or ssl.SSLWant*Error when there is no room, OSError."""

    def sendfile(self, descriptor: int, start: int, count: int) -> int:
        """Bytes of an open file that were taken; 0 at its end. Not through TLS. Raises BlockingIOError, OSError."""

    def recv(self, most: int) -> bytes:
        """What has come, b"" at the end. Raises BlockingIOError or ssl.SSLWant*Error when nothing has, OSError."""

    def is_unbroken(self) -> bool:
        """Can an end, if ``recv`` tells of one, be told from a reset, of which TLS makes an orderly end?

        Raises OSError, as ``recv`` would without TLS.
        """

    async def wait(self, *, writing: bool, seconds: float) -> bool:
        """Until there is something to read or, ``writing``, room to write; False when the time is over."""

    def has_spoken(self) -> bool:
        """Is something to be read there, or the end?"""

    def room(self) -> int:
        """Bytes that are surely taken at once while the line is idle."""

    def unsent(self) -> int:
        """Bytes that were taken and that the other side has not acknowledged; 0 where nobody knows."""

    def acked(self) -> int | None:
        """Bytes that the other side has acknowledged since the beginning; None where nobody knows."""

    def cork(self, on: bool) -> None:
        """Hold back segments that are not full, or no longer."""

    def half_close(self) -> None:
        """Say that no more comes, and go on listening."""

    def abort(self) -> None:
        """Closing it will be a reset: what is still in its queue goes nowhere."""

    def close(self) -> None: ...


class Network(Protocol):
    """Makes connections."""

    async def connect(self, host: str, port: int, *, context: ssl.SSLContext | None, proxy: Proxy | None) -> Wire:
        """A stream to a server, through TLS if there is a context. Raises Stopped, LocalError."""


class SocketNetwork:
    """The real network. Names are looked up, connections made and keys agreed upon by helpers."""

    def __init__(self, helpers: Helpers) -> None:
        self._helpers = helpers

    async def connect(self, host: str, port: int, *, context: ssl.SSLContext | None, proxy: Proxy | None) -> SocketWire:
        return SocketWire(
            await self._helpers.run(Work.CONNECT, partial(connect, host, port, context=context, proxy=proxy))
        )


class SocketWire:
    """A socket that the loop watches for as long as it lives: registering it costs a system call each time.

    When something comes that nobody waits for, it is watched no more until somebody does: the loop would spin.
    """

    def __init__(self, connection: socket.socket) -> None:
        """``connection`` is non-blocking, and is closed with the wire."""
        self.socket = connection
        self.is_secure = isinstance(connection, ssl.SSLSocket)
        self.send: Callable[[bytes | memoryview], int] = connection.send
        self._secure = connection if isinstance(connection, ssl.SSLSocket) else None
        self._descriptor = connection.fileno()
        self._come = kernel.ear_of(self._descriptor)
        self._loop = asyncio.get_running_loop()
        self._waiting: _Resuming | None = None
        self._is_watched = False
        self._has_come = False
        """Something came while nobody waited."""
        self._until = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0

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
        # What TLS has read ahead wakes no selector.
        if self._has_come or (self._secure is not None and self._secure.pending()):
            return True
        if not self._is_watched:
            self._loop.add_reader(self._descriptor, self._readable)
            self._is_watched = True
        self._until = self._loop.time() + seconds
        if self._alarm is None or self._until < self._alarm_at:
            self._set_alarm()
        waiting = self._waiting = _Resuming(self._loop)
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
        """One timer that is late more often than it rings: one a photo would cost more than all else about waiting."""
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
        return bool(self._come())

    def room(self) -> int:
        return kernel.room(self.socket)

    def unsent(self) -> int:
        return kernel.unacked(self.socket)

    def acked(self) -> int | None:
        return kernel.acked(self.socket)

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
        if self._waiting is not None:  # whoever it is will find it closed
            self._loop.remove_writer(self._descriptor)
            self._loop.call_soon(self._end_wait, True)
        with contextlib.suppress(OSError):
            self.socket.close()


class _Resuming:
    """A future that resumes its task within the callback that sets it, not in the loop's next turn.

    So what is readable is read before the selector looks again, and would tell of it a second time. It is what
    ``asyncio.isfuture`` takes for a future, as far as a task needs one.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_callback",
        "_context",
        "_is_cancelled",
        "_is_ready",
        "_loop",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._asyncio_future_blocking = False
        self._loop = loop
        self._callback: Callable[[Any], object] | None = None
        self._context: Context | None = None
        self._is_cancelled = self._is_ready = False

    def __await__(self) -> Generator[Any, None, bool]:
        self._asyncio_future_blocking = True
        yield self
        return self.result()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def add_done_callback(self, callback: Callable[[Any], object], *, context: Context) -> None:
        self._callback, self._context = callback, context

    def result(self) -> bool:
        if self._is_cancelled:
            raise asyncio.CancelledError
        return self._is_ready

    def resume(self, is_ready: bool) -> None:
        """Called by the loop, not by a task."""
        self._is_ready = is_ready
        callback, self._callback = self._callback, None
        if callback is not None and self._context is not None:
            self._context.run(callback, self)

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002 - as a task calls it
        """The canceller may be a task, within which no other can run: this one is resumed in the next turn."""
        if self._callback is None:
            return False
        self._is_cancelled = True
        self._loop.call_soon(self.resume, False)
        return True
