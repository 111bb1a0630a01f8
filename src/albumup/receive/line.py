"""One connection as bytes: heads within their limits, bodies, answers, and faults on purpose."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections.abc import Callable

from albumup.receive.head import BadHead, end_of_head

HEAD_BLOCK = 64 * 1024
"""Bytes to read at once while a head comes; a small photo comes with its head."""
LINGER = 5.0  # seconds to go on reading from a client that was refused before its body's end


class Gone(Exception):
    """Nobody is left to answer: the client went away, or a fault ended the connection."""


class Line:
    """A socket, and the bytes that were read ahead. For one thread."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Each change of a Python socket's time-out costs a system call.
        connection.setblocking(False)
        self._connection = connection
        self._readable = select.poll()
        self._readable.register(connection, select.POLLIN)
        self._ahead = b""

    def _recv(self, most: int, seconds: float) -> bytes:
        """The next bytes, b"" at the end. Raises TimeoutError after ``seconds``, and OSError."""
        deadline = time.monotonic() + seconds
        while self._readable.poll(max(0.0, deadline - time.monotonic()) * 1000):
            with contextlib.suppress(BlockingIOError):
                return self._connection.recv(most)
        raise TimeoutError("timed out")

    def read_head(self, most: int, seconds: float, idle: float) -> bytes:
        """Request line, headers and the empty line after them; b"" when the client leaves, or when
        nothing comes for ``idle`` seconds.

        Raises BadHead for a head of more than ``most`` bytes, or one that takes more than
        ``seconds`` from its first byte to its last, and OSError if the line breaks.
        """
        data, deadline = bytearray(self._ahead), 0.0
        self._ahead = b""
        searched = 0
        while True:
            end = end_of_head(data, max(0, searched - 2))
            if (end or len(data)) > most:
                raise BadHead(431, f"a request's head has at most {most} bytes")
            if end:
                self._ahead = bytes(memoryview(data)[end:])
                return bytes(memoryview(data)[:end])
            searched = len(data)
            if data:
                deadline = deadline or time.monotonic() + seconds
            try:
                came = self._recv(HEAD_BLOCK, _left(deadline) if deadline else idle)
            except TimeoutError:
                if not data:
                    return b""
                words = f"a request's head is to be there within {seconds:.0f} seconds"
                raise BadHead(408, words) from None
            if not came:
                return b""
            data += came

    def read(self, count: int, seconds: float) -> bytes:
        """The next ``count`` bytes. Raises Gone if the line breaks, or is silent for
        ``seconds``."""
        pieces = [self._ahead[:count]]
        self._ahead = self._ahead[count:]
        missing = count - len(pieces[0])
        try:
            while missing:
                pieces.append(self._recv(missing, seconds))
                if not pieces[-1]:
                    raise Gone("the body broke off")
                missing -= len(pieces[-1])
        except OSError as error:
            raise Gone(f"the body broke off: {error}") from error
        return b"".join(pieces)

    def has(self, count: int) -> bool:
        """Are the next ``count`` bytes here already?"""
        return len(self._ahead) >= count

    def is_ahead(self) -> bool:
        """Has the client sent more than one request?"""
        if self._ahead:
            return True
        try:
            return bool(self._connection.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False
        except OSError:
            return True

    def write(self, data: bytes, seconds: float) -> None:
        """Send bytes. Raises Gone if the client does not take them."""
        try:
            rest = memoryview(data)
            while rest:
                try:
                    rest = rest[self._connection.send(rest) :]
                except BlockingIOError:
                    self._wait_to_write(seconds)
        except OSError as error:
            raise Gone(f"the answer was not taken: {error}") from error

    def _wait_to_write(self, seconds: float) -> None:
        writable = select.poll()
        writable.register(self._connection, select.POLLOUT)
        if not writable.poll(seconds * 1000):
            raise TimeoutError("timed out")

    def linger(self) -> None:
        """Read what still comes: closing at once would reset, and the answer might be lost."""
        end = time.monotonic() + LINGER
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_WR)
            while time.monotonic() < end and self._recv(16 * 1024, 1.0):
                pass

    def reset(self) -> Gone:
        """Close the socket in such a way that the client sees a reset."""
        linger = struct.pack("ii", 1, 0)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._connection.close()
        return Gone("the connection was reset")

    def stall(self, is_over: Callable[[], bool]) -> Gone:
        """Read no more until the client has left or ``is_over``."""
        poll = select.poll()
        left = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
        poll.register(self._connection, left)
        while not is_over() and not poll.poll(100):
            pass
        return Gone("stalled to the end")


def _left(deadline: float) -> float:
    """Seconds. Raises TimeoutError when there are none."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
