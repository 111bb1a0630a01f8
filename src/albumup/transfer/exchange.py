"""One body out, one answer in, on a non-blocking socket."""

from __future__ import annotations

import contextlib
import errno
import http.client
import os
import select
import socket
import ssl
import time
from collections.abc import Callable

from albumup.transfer.answers import MOST_INTERIM, Incoming, Response, plain_answer, read_some
from albumup.transfer.connect import words_of
from albumup.transfer.kernel import acked, cork, half_close, unacked
from albumup.transfer.values import BLOCK, MOST_ANSWER, Answer, Fault, Meter, Stopped, Throttle

SMALL = 64 << 10
"""Bytes that are handed over together with the request's head."""
_TICK = 0.2
_HASTE = 0.5
"""Seconds of silence within an early answer until the server is told that no more is sent."""
_GRACE = 5.0
"""Seconds of it until what was read of the answer has to do."""


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

    def __init__(
        self,
        connection: socket.socket,
        timeout: float,
        meter: Meter,
        throttle: Throttle | None,
        *,
        is_used: bool = False,
    ) -> None:
        """``is_used``: the connection has served another exchange before."""
        self._socket = connection
        self._is_secure = isinstance(connection, ssl.SSLSocket)
        self._timeout = timeout
        self._meter = meter
        self._throttle = throttle
        self._poll = select.poll()
        self.handed = 0
        """Bytes that the kernel took."""
        self.is_early = False
        """The answer was there before every byte of the body was acknowledged."""
        self.is_heard = False
        """The server has said something."""
        self._is_closed = self._is_reset = False
        self._is_hasty = False
        """Nobody waits long for the rest of an answer."""
        self._acked_before = acked(connection) if is_used else None
        self._received = b""
        self._interim = 0
        self._moved_at = time.monotonic()

    def moved(self) -> int:
        """Bytes that have left this machine, as far as it can tell."""
        return max(0, self.handed - unacked(self._socket))

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
        if self._is_secure:
            buffer = bytearray(min(BLOCK, end - start))
            view = memoryview(buffer)
            # TLS hands over 16 KiB at a time; the kernel is to make full segments of them.
            cork(self._socket, True)
            while start < end:
                count = _read_into(payload, view[: min(len(buffer), end - start)], start)
                self._send_bytes(view[:count])  # type: ignore[arg-type]
                start += count
            cork(self._socket, False)
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
                self._note_end(error)
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
            self._drop_interim(Fault.BROKEN)
        if self._received and not _may_be_interim(self._received):
            raise Stopped(None)

    def _drop_interim(self, fault: Fault) -> None:
        while self._received.startswith(b"HTTP/1.1 1") and b"\r\n\r\n" in self._received:
            self._received = self._received.partition(b"\r\n\r\n")[2]
            self._interim += 1
        if self._interim > MOST_INTERIM or len(self._received) > MOST_ANSWER:
            raise Stopped(fault, "the server talks without end")

    def _receive(self) -> bytes | None:
        """What has arrived; b"" when the server closed, None when there is nothing now."""
        try:
            return self._recv()
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except OSError as error:
            self._note_end(error)
            if self._received:
                return b""
            raise Stopped(Fault.BROKEN, words_of(error)) from error

    def early_answer(self) -> Answer | None:
        """The answer that came before the body's end, or None if there is none to be read."""
        self._is_hasty = True
        try:
            return self.read_answer()[0]
        except Stopped:
            return None

    def read_answer(self) -> tuple[Answer, bool]:
        """The answer, and whether the connection may be used again. Raises Stopped (LOST, or CUT)."""
        deadline: float | None = None
        while not self._received or _may_be_interim(self._received):
            data = self._next_bytes(deadline)
            deadline = deadline or time.monotonic() + 2 * self._timeout
            if not data:
                break
            self._received += data
            self._drop_interim(Fault.LOST)
        # Now, not later: an honest answer brings the acknowledgement of all it answers with it.
        self.is_early = not self._meter.whole or unacked(self._socket) > 0
        self._is_hasty = self.is_early
        self._meter.moved = self.handed
        if (plain := plain_answer(self._received)) is not None:
            return plain[0], plain[1] and not self.is_early
        deadline = deadline or time.monotonic() + 2 * self._timeout
        return self._read_other(deadline)

    def _read_other(self, deadline: float) -> tuple[Answer, bool]:
        """An answer that is not plain, or has not come whole."""

        def receive() -> bytes:
            data, self._received = self._received, b""
            return data or self._next_bytes(deadline)

        incoming = Incoming(receive)
        response = Response(incoming)
        try:
            response.begin()
            body, broken = read_some(response, is_hasty=self._is_hasty)
        except (http.client.HTTPException, OSError, ValueError) as error:
            raise Stopped(Fault.LOST, words_of(error)) from error
        complete = len(body) <= MOST_ANSWER and not response.length and not broken
        # The white space about a value is no part of it (RFC 9112, section 5.1); http.client leaves what is at its end.
        headers = {name.lower(): value.strip(" \t") for name, value in response.getheaders()}
        if encodings := response.msg.get_all("content-encoding"):
            headers["content-encoding"] = ", ".join(encodings)
        keep = complete and not self.is_early and not response.will_close and not incoming.rest
        return Answer.of(response.status, response.reason, headers, body, complete=complete), keep

    def _next_bytes(self, deadline: float | None) -> bytes:
        """More of the answer, b"" at its end. ``deadline`` (monotonic) bounds it once it has begun."""
        self._moved_at = time.monotonic()
        self._poll.register(self._socket, select.POLLIN)
        looks = self._is_secure  # what TLS has read ahead wakes no poll
        while True:
            is_late = deadline is not None and time.monotonic() > deadline
            if not looks and not self._poll.poll(0 if is_late else _TICK * 1000):
                if is_late:
                    raise Stopped(Fault.LOST, f"the answer took longer than {2 * self._timeout:g} s")
                if self._meter.cut:
                    raise Stopped(Fault.CUT)
                if self._is_hasty:
                    self._hasten()
                else:
                    self._watch_silence(Fault.LOST, "after the whole photo was sent")
                continue
            looks = False
            try:
                return self._recv()
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                continue
            except OSError as error:
                self._note_end(error)
                raise Stopped(Fault.LOST, words_of(error)) from error

    def _hasten(self) -> None:
        """Nothing more comes of an early answer. A server that closes only once it has read to the end (Django's
        runserver) is told that there is no more; what does not come then is done without."""
        silence = time.monotonic() - self._moved_at
        if silence > _HASTE:
            half_close(self._socket)
        if silence > min(self._timeout, _GRACE):
            raise Stopped(Fault.LOST, "the early answer has no end", silent=True)

    # What is heard, and how it ended.

    def _recv(self) -> bytes:
        """What is there, b"" at the end. Raises what ``socket.recv`` does."""
        is_seen = not self._is_secure  # TLS makes an orderly end of a reset
        if self._is_secure and self._acked_before is not None and not self.is_heard:
            with contextlib.suppress(BlockingIOError):
                socket.socket.recv(self._socket, 1, socket.MSG_PEEK)
                is_seen = True
        data = self._socket.recv(MOST_ANSWER)
        if data:
            self.is_heard = True
        elif is_seen and not self._is_reset:
            self._is_closed = True
        return data

    def _note_end(self, error: Exception) -> None:
        """An end by a reset, unless the server had closed before: then the kernel says "broken pipe"."""
        if isinstance(error, BrokenPipeError) and not self._is_secure and not self._is_reset:
            self._is_closed = True
        else:
            self._is_reset = True

    def took_nothing(self, *, whole: bool) -> bool:
        """Is it certain that the server has nothing of this request? ``whole``: all of it was handed over.

        It has not where the kernel took nothing, or where nothing was acknowledged and the server closed: its closing
        would have brought the acknowledgement of what it had got. A reset brings none: then it may have read a small
        body to its end, and only a body that was not handed over whole was surely not taken.
        """
        if self.is_heard:
            return False
        if not self.handed:
            return True
        now = acked(self._socket)
        if now is None or self._acked_before is None or now != self._acked_before:
            return False
        return self._is_closed or not whole


def _may_be_interim(data: bytes) -> bool:
    """True while ``data`` could still be the beginning of a 1xx."""
    start = b"HTTP/1.1 1"
    return data.startswith(start) or start.startswith(data[: len(start)])


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
