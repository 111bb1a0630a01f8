"""One body out, one answer in, on a non-blocking socket."""

from __future__ import annotations

import contextlib
import errno
import http.client
import io
import os
import re
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable
from typing import Any

from albumup.transfer.connect import words_of
from albumup.transfer.values import BLOCK, MOST_ANSWER, Answer, Fault, Meter, Stopped, Throttle

SMALL = 64 << 10
"""Bytes that are handed over together with the request's head."""
_TICK = 0.2
_MOST_PLAIN_HEADERS = 50
_MOST_INTERIM = 100


class Unreadable(Exception):
    """The payload cannot be read to its size: the source changed or went while it was sent."""


_LINE_ERRNOS = frozenset(
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


class Exchange:
    """One body out, one answer in, on a non-blocking socket."""

    def __init__(self, connection: socket.socket, timeout: float, meter: Meter, throttle: Throttle | None) -> None:
        self._socket = connection
        self._timeout = timeout
        self._meter = meter
        self._throttle = throttle
        self._poll = select.poll()
        self.handed = 0
        """Bytes that the kernel took."""
        self._received = b""
        self._interim = 0
        self._moved_at = time.monotonic()

    def moved(self) -> int:
        """Bytes that have left this machine, as far as it can tell."""
        return max(0, self.handed - _unsent(self._socket))

    def send_at_once(
        self, line: bytes, head: bytes, payload: int, size: int, tail: bytes, before_last: Callable[[], None]
    ) -> None:
        """The check, then everything in one go: for a body that the socket's buffer has room for. Raises Stopped."""
        data = line + head + _read_exactly(payload, 0, size) + tail
        before_last()
        self._send_bytes(data)
        self._meter.whole = True

    def send_body(
        self, line: bytes, head: bytes, payload: int, size: int, tail: bytes, before_last: Callable[[], None]
    ) -> None:
        """Everything up to the tail, the check, the tail. Raises Stopped."""
        held = 0 if tail else min(size, BLOCK)
        start, last = line + head, tail
        if not tail and not held:  # an empty body ends with the request's head
            start, last = b"", start
        if size - held <= SMALL:
            start += _read_exactly(payload, 0, size - held)
            self._send_bytes(start)
        else:
            self._send_bytes(start)
            self._send_file(payload, 0, size - held)
        last += _read_exactly(payload, size - held, held)
        self._look()
        before_last()
        self._send_bytes(last)
        self._meter.whole = True

    def _send_bytes(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            piece = rest[: self._step(len(rest))]
            count = self._move(lambda piece=piece: self._socket.send(piece))  # type: ignore[misc]
            rest = rest[count:]

    def _send_file(self, payload: int, start: int, end: int) -> None:
        if isinstance(self._socket, ssl.SSLSocket):
            buffer = bytearray(min(BLOCK, end - start))
            view = memoryview(buffer)
            # TLS hands over 16 KiB at a time; the kernel is to make full segments of them.
            _cork(self._socket, True)
            while start < end:
                count = _read_into(payload, view[: min(len(buffer), end - start)], start)
                self._send_bytes(view[:count])  # type: ignore[arg-type]
                start += count
            _cork(self._socket, False)
            return
        descriptor = self._socket.fileno()
        while start < end:
            step = self._step(end - start)
            try:
                count = self._move(lambda: os.sendfile(descriptor, payload, start, step))  # noqa: B023 - called at once
            except Stopped as stopped:
                cause = stopped.__cause__
                if isinstance(cause, OSError) and cause.errno not in _LINE_ERRNOS:
                    raise Unreadable(cause.strerror) from stopped
                raise
            if count == 0:
                raise Unreadable("it shrank")
            start += count

    def _step(self, wanted: int) -> int:
        if self._meter.cut:
            raise Stopped(Fault.CUT)
        step = min(wanted, BLOCK)
        if self._throttle is not None and (block := self._throttle.block()):
            step = min(step, block)
            self._throttle.take(step)
            self._moved_at = time.monotonic()
        self._look()
        return step

    def _move(self, send: Callable[[], int]) -> int:
        """Bytes handed over by one call that succeeds, waiting for room. The server may speak first: Stopped."""
        while True:
            try:
                count = send()
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._wait(select.POLLOUT | select.POLLIN)
            except ssl.SSLWantReadError:
                self._wait(select.POLLIN)
            except (OSError, ValueError) as error:
                raise Stopped(Fault.BROKEN, words_of(error)) from error
            else:
                self.handed += count
                self._moved_at = time.monotonic()
                self._meter.moved = self.moved()
                return count

    def _wait(self, events: int) -> None:
        """Until the socket is ready, in ticks; silence (no byte moved) of ``timeout`` seconds is a broken line."""
        self._poll.register(self._socket, events)
        ready = False
        while not ready:
            if self._meter.cut:
                raise Stopped(Fault.CUT)
            self._watch_silence(Fault.BROKEN, "while sending")
            ready = bool(self._poll.poll(_TICK * 1000))
        self._look()

    def _watch_silence(self, fault: Fault, when: str) -> None:
        moved = self.moved()
        if moved != self._meter.moved:
            self._meter.moved = moved
            self._moved_at = time.monotonic()
        elif time.monotonic() - self._moved_at > self._timeout:
            raise Stopped(fault, f"silence of {self._timeout:g} s {when}", silent=True)

    def _look(self) -> None:
        """Has the server spoken before the body's end? Interim answers are dropped; another one stops sending."""
        while (data := self._receive()) is not None:
            if not data:
                raise Stopped(None if self._received else Fault.BROKEN, "closed by the server")
            self._received += data
            self._drop_interim()
        if self._received and not _may_be_interim(self._received):
            raise Stopped(None)

    def _drop_interim(self) -> None:
        while self._received.startswith(b"HTTP/1.1 1") and b"\r\n\r\n" in self._received:
            self._received = self._received.partition(b"\r\n\r\n")[2]
            self._interim += 1
        if self._interim > _MOST_INTERIM or len(self._received) > MOST_ANSWER:
            raise Stopped(Fault.BROKEN, "the server talks without end")

    def _receive(self) -> bytes | None:
        """What has arrived; b"" when the server closed, None when there is nothing now."""
        try:
            return self._socket.recv(MOST_ANSWER)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except OSError as error:
            if self._received:
                return b""
            raise Stopped(Fault.BROKEN, words_of(error)) from error

    def early_answer(self) -> Answer | None:
        """The answer that came before the body's end, or None if there is none to be read."""
        try:
            return self.read_answer()[0]
        except Stopped:
            return None

    def read_answer(self) -> tuple[Answer, bool]:
        """The answer, and whether the connection may be used again. Raises Stopped (LOST, or CUT)."""
        if not self._received:
            self._received = self.next_bytes(None)
            plain = _plain_answer(self._received)
            if plain is not None:
                self._meter.moved = self.handed
                return plain[0], plain[1] and self._meter.whole
        incoming = _Incoming(self)
        response = _Response(incoming)
        try:
            response.begin()
            body, broken = _read_some(response)
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise Stopped(Fault.LOST, words_of(error)) from error
        complete = len(body) <= MOST_ANSWER and not response.length and not broken
        headers = {name.lower(): value for name, value in response.getheaders()}
        if encodings := response.msg.get_all("content-encoding"):
            headers["content-encoding"] = ", ".join(encodings)
        self._meter.moved = self.handed
        keep = complete and self._meter.whole and not response.will_close and not incoming.rest
        return Answer.of(response.status, response.reason, headers, body, complete=complete), keep

    def next_bytes(self, deadline: float | None) -> bytes:
        """More of the answer, b"" at its end. ``deadline`` (monotonic) bounds it once it has begun."""
        if self._received:
            data, self._received = self._received, b""
            return data
        self._moved_at = time.monotonic()
        self._poll.register(self._socket, select.POLLIN)
        looks = isinstance(self._socket, ssl.SSLSocket)  # what TLS has read ahead wakes no poll
        while True:
            is_late = deadline is not None and time.monotonic() > deadline
            if not looks and not self._poll.poll(0 if is_late else _TICK * 1000):
                if is_late:
                    raise Stopped(Fault.LOST, f"the answer took longer than {2 * self._timeout:g} s")
                if self._meter.cut:
                    raise Stopped(Fault.CUT)
                self._watch_silence(Fault.LOST, "after the whole photo was sent")
                continue
            looks = False
            try:
                return self._socket.recv(MOST_ANSWER)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                pass
            except OSError as error:
                raise Stopped(Fault.LOST, words_of(error)) from error


class _Incoming(io.RawIOBase):
    """The receiving side of an exchange as http.client wants it, with a deadline from the first byte on."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._buffer = b""
        self._deadline: float | None = None
        self.is_over = False
        """The server has closed, or nobody reads any more."""
        self.rest = b""
        """What came after the answer: nobody asked for it."""

    def makefile(self, _mode: str) -> io.BufferedReader:
        return _Reader(self, 8192)

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        if not self._buffer and not self.is_over:
            self._buffer = self._exchange.next_bytes(self._deadline)
            self.is_over = not self._buffer
            if self._deadline is None:
                self._deadline = time.monotonic() + 2 * self._exchange._timeout
        count = min(len(target), len(self._buffer))
        target[:count] = self._buffer[:count]
        self._buffer = self._buffer[count:]
        return count


class _Reader(io.BufferedReader):
    """Leaves behind what it had read ahead."""

    def close(self) -> None:
        if not self.closed and isinstance(self.raw, _Incoming):
            self.raw.is_over = True
            self.raw.rest = self.peek()
        super().close()


class _Response(http.client.HTTPResponse):
    """http.client takes every 1xx but 100 for the answer; here the answer is the first that is not interim. Nor is a
    head an answer that the server's closing cut short."""

    def __init__(self, incoming: _Incoming) -> None:
        super().__init__(incoming)  # type: ignore[arg-type]
        self.incoming = incoming

    def begin(self) -> None:
        for _ in range(_MOST_INTERIM):
            super().begin()
            if self.incoming.is_over:
                raise http.client.HTTPException("the answer's head was cut")
            if self.status >= 200:
                return
            self.headers = self.msg = None  # type: ignore[assignment]
        raise http.client.HTTPException("too many interim answers")


_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9]) ([\x20-\x7e]*)")
_HEADER_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?|)[ \t]*")


def _plain_answer(data: bytes) -> tuple[Answer, bool] | None:
    """An answer that came whole at once, and as plain as nearly all are: and whether the connection may be used again.

    None for any other, which is http.client's to read: it takes ten times as long, more than all else about a small
    photo's answer.
    """
    head, end, body = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    status = _STATUS_LINE.fullmatch(first)
    found = [_HEADER_LINE.fullmatch(line) for line in lines]
    if not end or status is None or len(found) > _MOST_PLAIN_HEADERS:
        return None
    headers: dict[str, str] = {}
    for line in found:
        if line is None or (name := line[1].decode().lower()) in headers:
            return None
        headers[name] = line[2].decode()
    if (
        headers.get("content-length") != str(len(body))
        or "transfer-encoding" in headers
        or status[1] in (b"204", b"304")
    ):
        return None
    keep = "close" not in headers.get("connection", "").lower()
    return Answer.of(int(status[1]), status[2].decode().strip(), headers, body, complete=True), keep


def _read_some(response: http.client.HTTPResponse) -> tuple[bytes, bool]:
    """The first bytes of an answer, and whether its framing broke off: its status counts all the same."""
    try:
        return response.read(MOST_ANSWER + 1), False
    except http.client.IncompleteRead as error:
        return error.partial, True


def _may_be_interim(data: bytes) -> bool:
    """True while ``data`` could still be the beginning of a 1xx."""
    start = b"HTTP/1.1 1"
    return data.startswith(start) or start.startswith(data[: len(start)])


def room(connection: socket.socket) -> int:
    """Bytes that the kernel surely takes at once on an idle connection: half its buffer, the rest is bookkeeping
    (Linux: socket(7), SO_SNDBUF)."""
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 2


def _cork(connection: socket.socket, on: bool) -> None:
    """Hold back segments that are not full (Linux: tcp(7), TCP_CORK)."""
    if hasattr(socket, "TCP_CORK"):
        with contextlib.suppress(OSError):  # the next byte will tell
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, on)


def has_spoken(connection: socket.socket) -> bool:
    """True if an idle connection is readable: closed by the server, or out of step."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def _unsent(connection: socket.socket) -> int:
    """Bytes in the socket's queue that the peer has not acknowledged (Linux: SIOCOUTQ); 0 where unknown."""
    try:
        import fcntl
        import termios

        return int(struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0\0\0\0"))[0])
    except (OSError, AttributeError, ValueError):
        return 0


def _read_into(descriptor: int, target: memoryview, start: int) -> int:
    try:
        count = os.preadv(descriptor, [target], start)
    except OSError as error:
        raise Unreadable(error.strerror) from error
    if count == 0:
        raise Unreadable("it shrank")
    return count


def _read_exactly(descriptor: int, start: int, size: int) -> bytes:
    data = bytearray(size)
    view = memoryview(data)
    done = 0
    while done < size:
        done += _read_into(descriptor, view[done:], start + done)
    return bytes(data)
