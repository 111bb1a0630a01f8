"""What stands in for a socket: windows, back-pressure, latency, loss and resets. TLS is not
simulated."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import Protocol

from simulation.line import Cut, Line, Loss


class Peer(Protocol):
    """A server's side of one connection."""

    arrived: int
    """Bytes of the present request that have come."""

    def room(self) -> int:
        """Bytes that it takes now: its window."""

    def received(self, data: bytes) -> None: ...

    def foresee(self, data: bytes) -> tuple[int, int] | None:
        """The number and the length of the request that ``data`` begins, if it begins one."""

    def ended(self) -> None:
        """The client says that no more comes."""

    def lost(self) -> None:
        """The connection was reset."""


class _Piece:
    """Bytes in a kernel's queue: as they are, or pages of a file, which can change until they
    leave."""

    __slots__ = ("data", "descriptor", "size", "start")

    def __init__(self, data: bytes, descriptor: int = -1, start: int = 0, size: int = 0) -> None:
        self.data, self.descriptor, self.start = data, descriptor, start
        self.size = size or len(data)

    def take(self, most: int) -> bytes:
        count = min(most, self.size)
        if self.descriptor < 0:
            taken, self.data = self.data[:count], self.data[count:]
        else:
            taken = os.pread(self.descriptor, count, self.start).ljust(count, b"\0")
            self.start += count
        self.size -= count
        if not self.size:
            self.drop()
        return taken

    def drop(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class SimulatedWire:
    """One connection, as the program's kernel has it. The server's side calls ``say``, ``hang_up``
    and ``reset``."""

    is_secure = False

    def __init__(
        self, line: Line, number: int, on_handed: Callable[[SimulatedWire, bytes | None, int], None]
    ) -> None:
        self.number = number
        self.peer: Peer
        self.is_homeless = False
        """The computer has moved to another network."""
        self.pace = 0.0
        """Seconds that each segment takes more than the line's."""
        self._line = line
        self._on_handed = on_handed
        """Told of bytes that the kernel took: themselves (None for pages of a file), and how
        many."""
        self._out: deque[_Piece] = deque()
        self._in = bytearray()
        self._coming: deque[tuple[bytes, bool, int]] = deque()
        self._queued = self._handed = self._delivered = self._acked = 0
        self._is_pumping = self._fin_due = self._fin_told = self._fin_came = False
        self._errors: list[OSError] = []
        self._is_closed = self._is_reset = self._is_mute = self._lingers_not = False
        self._waiter: asyncio.Future[bool] | None = None
        self._waits_for_room = False
        self._request = 0
        """The number of the request that is under way, over all connections."""
        self._cut: Cut | None = None
        self._length = 0

    # What the program calls.

    def send(self, data: bytes | memoryview) -> int:
        count = self._room_for(len(data))
        taken = bytes(data[:count])
        self._put(_Piece(taken), taken, count)
        return count

    def send_all(self, *parts: bytes) -> int:
        return self.send(b"".join(parts))

    def sendfile(self, descriptor: int, start: int, count: int) -> int:
        count = min(self._room_for(count), max(0, os.fstat(descriptor).st_size - start))
        if count:
            self._put(_Piece(b"", os.dup(descriptor), start, count), None, count)
        return count

    def recv(self, most: int) -> bytes:
        if self._is_closed:
            raise OSError(9, "Bad file descriptor")
        if self._in:
            data = bytes(self._in[:most])
            del self._in[:most]
            return data
        if self._errors:
            raise self._errors.pop(0)
        if self._fin_came or self._is_reset:
            return b""
        raise BlockingIOError

    def is_unbroken(self) -> bool:
        return True

    async def wait(self, *, writing: bool, seconds: float) -> bool:
        loop = self._line.loop
        if self._is_ready(writing):
            await asyncio.sleep(0)
            return True
        self._waiter, self._waits_for_room = loop.create_future(), writing
        waiter = self._waiter
        timer = loop.call_later(seconds, _end_wait, waiter)
        try:
            return await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def has_spoken(self) -> bool:
        return bool(self._in or self._errors or self._fin_came or self._is_reset)

    def room(self) -> int:
        return self._line.buffer // 2

    def unsent(self) -> int:
        return self._handed - self._acked if self._line.tells else 0

    def has_address(self) -> bool:
        return not self.is_homeless

    def acked(self) -> int | None:
        return self._acked if self._line.tells else None

    def cork(self, on: bool) -> None:
        """Nothing to hold back here."""

    def half_close(self) -> None:
        self._fin_due = True
        self._pump_soon()

    def abort(self) -> None:
        self._lingers_not = True

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        if self._lingers_not or self._in:
            self._drop()
            self._tell_peer(self.peer.lost)
        else:
            self.half_close()

    # What becomes of it.

    def owner_died(self) -> None:
        """The kernel closes what a killed process leaves behind."""
        self._waiter = None
        self._on_handed = lambda *_: None
        self.close()

    def power_went(self) -> None:
        """Nothing leaves any more, and nobody is told."""
        self._waiter = None
        self._is_closed = self._is_mute = True
        self._drop()

    def fall_silent(self) -> None:
        """The other side has hung up, and its word did not arrive: nothing ever comes again."""
        if not self._is_closed and not self._is_reset:
            self._tell_peer(self.peer.lost)
        self._is_mute = True
        self._drop()

    def _room_for(self, count: int) -> int:
        if self._is_closed:
            raise OSError(9, "Bad file descriptor")
        if self._errors:
            raise self._errors.pop(0)
        if self._is_reset or self._fin_due:
            raise BrokenPipeError(32, "Broken pipe")
        room = self._line.buffer - (self._handed - self._acked)
        if room <= 0:
            raise BlockingIOError
        return min(count, room)

    def _put(self, piece: _Piece, data: bytes | None, count: int) -> None:
        self._out.append(piece)
        self._queued += count
        self._handed += count
        self._on_handed(self, data, count)
        self._pump_soon()

    def _is_ready(self, writing: bool) -> bool:
        if self.has_spoken() or self._is_closed:
            return True
        return writing and self._handed - self._acked < self._line.buffer

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done() and self._is_ready(self._waits_for_room):
            waiter.set_result(True)

    # Up: from the kernel's queue to the server.

    def _pump_soon(self) -> None:
        if not self._is_pumping and not self._is_mute:
            self._is_pumping = True
            self._line.loop.outside(self._line.delay() + self.pace, self._pump)

    def server_reads(self) -> None:
        """The server has made room."""
        self._pump_soon()

    def _pump(self) -> None:
        self._is_pumping = False
        if self._is_mute or self._is_reset:
            return
        budget = min(self._line.segment, self.peer.room())
        segment = b""
        while len(segment) < budget and self._out:
            segment += self._out[0].take(budget - len(segment))
            if not self._out[0].size:
                self._out.popleft()
        if segment and not self._deliver(segment):
            return
        if self._out:
            if self.peer.room() > 0:
                self._pump_soon()
        elif self._fin_due and not self._fin_told:
            self._fin_told = True
            self.peer.ended()

    def _deliver(self, data: bytes) -> bool:
        """Hand it to the server; False if the line is lost there."""
        if self._line.is_down and self._line.how_down == "silent":
            self._stall(self._line.down_until - self._line.loop.time(), data)
            return False
        if (foreseen := self.peer.foresee(data)) is not None:
            self._request, self._length = foreseen
            self._cut = self._line.cuts.get(self._request)
        cut, is_cut = self._cut, False
        if cut is not None and cut.up:
            left = int(cut.after * self._length) - self.peer.arrived
            is_cut = left <= len(data)
            if is_cut:
                data, rest = data[: max(0, left)], data[max(0, left) :]
                self._out.appendleft(_Piece(rest)) if rest else None
        if data:
            self._delivered += len(data)
            self.peer.received(data)
        if cut is not None and is_cut:
            self._cut = None
            self._line.on_cut(self._request)
            self._lose(cut)
        elif not self._is_mute:
            self._down(b"", False)
        return not (self._is_mute or self._is_reset or is_cut)

    def _stall(self, seconds: float, data: bytes) -> None:
        self._out.appendleft(_Piece(data))
        self._is_pumping = True
        self._line.loop.outside(max(0.0, seconds) + self._line.delay(), self._pump)

    def _lose(self, cut: Cut) -> None:
        if cut.lasts is not None:
            self._is_pumping = True
            self._line.loop.outside(cut.lasts, self._pump)
        elif cut.loss is Loss.SILENCE:
            self._is_mute = True
            self._drop()
        else:
            self.peer.lost()
            self._line.loop.outside(self._line.delay(), self._reset_came)

    # Down: from the server to the program.

    def say(self, data: bytes, *, last: bool = False) -> None:
        """The server sends something; ``last``: and closes."""
        if self._is_mute or self._is_reset:
            return
        cut = self._cut
        if cut is not None and not cut.up and data:
            self._cut = None
            self._line.on_cut(self._request)
            first = int(cut.after * len(data))
            self._down(data[:first], False)
            if cut.lasts is None:
                self._lose(cut)
            else:
                self._down(data[first:], last, cut.lasts)
            return
        self._down(data, last)

    def hang_up(self) -> None:
        """The server closes."""
        self._down(b"", True)

    def reset(self) -> None:
        """The server resets it."""
        if not self._is_mute:
            self._line.loop.outside(self._line.latency * 1.5, self._reset_came)

    def _down(self, data: bytes, last: bool, later: float = 0.0) -> None:
        if self._is_mute:
            return
        if self._line.is_down and self._line.how_down == "silent":
            later = max(later, self._line.down_until - self._line.loop.time())
        self._coming.append((data, last, self._delivered))
        self._line.loop.outside(self._line.latency + later, self._came)

    def _came(self) -> None:
        """Segments do not overtake each other: it is the first of those that are on their way."""
        data, last, acked = self._coming.popleft()
        if self._is_mute or self._is_reset:
            return
        self._acked = max(self._acked, acked)
        if self._is_closed:
            if data:
                self._drop()
                self._tell_peer(self.peer.lost)
            return
        self._in += data
        self._fin_came = self._fin_came or last
        self._line.last_heard = self._line.loop.time()
        self._wake()

    def _reset_came(self) -> None:
        if self._is_mute or self._is_reset:
            return
        self._drop()
        self._is_reset = True
        self._errors.append(
            BrokenPipeError(32, "Broken pipe")
            if self._fin_came
            else ConnectionResetError(104, "Connection reset by peer")
        )
        self._line.last_heard = self._line.loop.time()
        self._wake()

    def _tell_peer(self, how: Callable[[], None]) -> None:
        if not self._is_mute:
            self._line.loop.outside(self._line.delay(), how)

    def _drop(self) -> None:
        for piece in self._out:
            piece.drop()
        self._out.clear()


def _end_wait(waiter: asyncio.Future[bool]) -> None:
    if not waiter.done():
        waiter.set_result(False)
