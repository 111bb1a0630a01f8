"""Sends one body, on one wire that may say something before the body's end."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from albumup.transfer.answers import Endless, Incoming, Unsound
from albumup.transfer.connect import words_of
from albumup.transfer.payload import block_of, read_ahead
from albumup.transfer.values import (
    BLOCK,
    MOST_ANSWER,
    Fault,
    Meter,
    Payload,
    Stopped,
    Throttle,
    Unreadable,
)
from albumup.transfer.wire import LINE_ERRNOS, NOT_NOW, Wire

SMALL = 64 << 10
"""Up to this many bytes of payload go out together with the request's head."""
LOOKS = 16
"""How often the bytes that left are counted within the longest silence: nothing tells of them."""


class Sending:
    """The way of one body over one wire, as far as it gets before the server answers."""

    def __init__(
        self,
        wire: Wire,
        timeout: float,
        meter: Meter,
        throttle: Throttle | None,
        time: Callable[[], float],
        *,
        is_used: bool = False,
    ) -> None:
        """``time``: the event loop's; ``is_used``: the connection has served before."""
        self._wire = wire
        self._timeout = timeout
        self._meter, self._throttle, self._time = meter, throttle, time
        self._allowed = 0
        """Bytes that may still go before the cut, the rate and the server are looked at again."""
        self.handed = 0
        """Bytes that the kernel took."""
        self.is_heard = False
        """The server has said something."""
        self._is_closed = self._is_reset = False
        self._acked_before = wire.acked() if is_used else None
        self._incoming = Incoming()
        self._moved, self._moved_at = 0, self._time()
        """The bytes that had left at the last look, and the time since when that number stands."""
        meter.measured_by(self.moved)

    def end(self) -> None:
        """Let go of the wire, which is closed now or serves the next exchange."""
        self._meter.measured_by(None)

    def moved(self) -> int:
        """Bytes that have left this machine, as far as the kernel can tell."""
        return max(0, self.handed - self._wire.unsent())

    # Sending.

    async def send_at_once(
        self,
        line: bytes,
        head: bytes,
        payload: Payload,
        tail: bytes,
        before_last: Callable[[], Awaitable[None]],
    ) -> None:
        """Await ``before_last``, then send everything in one go. Raises Stopped.

        The wire should have room for it.
        """
        content = payload.content
        if content is None:
            content = await self._read(payload, 0, payload.size)
        parts = line, head, content, tail
        await before_last()
        if self._meter.cut:
            raise Stopped(Fault.CUT)
        self._look()
        try:
            self.handed = self._wire.send_all(*parts)
        except NOT_NOW:
            pass
        except (OSError, ValueError) as error:
            raise self._broken(error) from error
        if self.handed < sum(map(len, parts)):  # the wire had less room than it said
            await self._send_bytes(b"".join(parts)[self.handed :])
        self._meter.whole = True

    async def send_body(
        self,
        line: bytes,
        head: bytes,
        payload: Payload,
        tail: bytes,
        before_last: Callable[[], Awaitable[None]],
    ) -> None:
        """Send everything up to the tail, await ``before_last``, send the tail. Raises Stopped."""
        held = 0 if tail else min(payload.size, BLOCK)
        end = payload.size - held
        start, last = line + head, tail
        if not tail and not held:  # an empty body ends with the request's head
            start, last = b"", start
        if end <= SMALL:
            await self._send_bytes(start + await self._read(payload, 0, end))
        else:
            await self._send_bytes(start)
            send = (
                self._send_blocks
                if self._wire.is_secure or payload.content is not None
                else self._send_file
            )
            await send(payload, end)
        last += await self._read(payload, end, held)
        self._look()
        await before_last()
        await self._send_bytes(last)
        self._meter.whole = True

    async def _read(self, payload: Payload, start: int, size: int) -> bytes:
        if payload.content is not None:
            return payload.content[start : start + size]
        return await self._meter.unless_cut(payload.read(start, size)) if size else b""

    async def _send_file(self, payload: Payload, end: int) -> None:
        """Send the first ``end`` bytes by sendfile, or by read and send where it would block."""
        start = 0
        while start < end:
            size = min(end - start, BLOCK)
            if await self._meter.unless_cut(payload.is_at_hand(start, size)):
                await self._send_range(payload, start, start + size)
            else:
                await self._send_bytes(await self._read(payload, start, size))
            start += size
            await asyncio.sleep(0)

    async def _send_range(self, payload: Payload, start: int, end: int) -> None:
        while start < end:
            count = await self._allow(end - start)
            try:
                sent = self._wire.sendfile(payload.descriptor, start, count)
            except BlockingIOError:
                await self._wait(writing=True)
            except OSError as error:
                if error.errno not in LINE_ERRNOS:
                    raise Unreadable(error.strerror) from error
                raise self._broken(error) from error
            else:
                if sent == 0:
                    raise Unreadable("it shrank")
                self._note_sent(sent)
                self._meter.look()
                start += sent

    async def _send_blocks(self, payload: Payload, end: int) -> None:
        """Send the first ``end`` bytes; the next block is read while one is sent."""
        # TLS writes records of 16 KiB; corked, the kernel makes full segments of them.
        self._wire.cork(True)
        start = 0
        ahead = asyncio.ensure_future(read_ahead(payload, start, min(end, BLOCK)))
        try:
            while start < end:
                block = await self._meter.unless_cut(block_of(ahead))
                start += len(block)
                if start < end:
                    ahead = asyncio.ensure_future(
                        read_ahead(payload, start, min(end - start, BLOCK))
                    )
                await self._send_bytes(block)
                await asyncio.sleep(0)
        finally:
            ahead.cancel()
        self._wire.cork(False)

    async def _send_bytes(self, data: bytes) -> None:
        view, start, end = memoryview(data), 0, len(data)
        while start < end:
            count = await self._allow(end - start)
            try:
                sent = self._wire.send(view[start : start + count])
            except (BlockingIOError, ssl.SSLWantWriteError):
                await self._wait(writing=True)
            except ssl.SSLWantReadError:
                await self._wait(writing=False)
            except (OSError, ValueError) as error:
                raise self._broken(error) from error
            else:
                start += sent
                self._note_sent(sent)
                if start < end:
                    self._meter.look()

    async def _allow(self, wanted: int) -> int:
        """How many of ``wanted`` bytes to send next; heeds the cut, the rate and the server."""
        if not self._allowed:
            if self._meter.cut:
                raise Stopped(Fault.CUT)
            step = min(wanted, BLOCK)
            if self._throttle is not None and (block := self._throttle.block()):
                step = min(step, block)
                await self._meter.unless_cut(self._throttle.take(step))
                self._moved_at = self._time()
            self._look()
            self._allowed = step
        return self._allowed

    def _note_sent(self, count: int) -> None:
        self.handed += count
        self._allowed -= count
        self._moved_at = self._time()

    def _broken(self, error: Exception) -> Stopped:
        self._note_end(error)
        return Stopped(Fault.BROKEN, words_of(error))

    async def _wait(self, *, writing: bool) -> None:
        """Wait until the wire is ready; if nothing moves for the timeout, the line is broken."""
        is_ready = False
        while not is_ready:
            seconds = self._watch_silence(Fault.BROKEN, "while sending")
            is_ready = await self._meter.unless_cut(
                self._wire.wait(writing=writing, seconds=seconds)
            )
        self._look()

    def _watch_silence(self, fault: Fault, when: str) -> float:
        """Seconds until the next look. Raises Stopped when the silence has lasted too long."""
        moved, now = self._meter.look(), self._time()
        if moved != self._moved:
            self._moved, self._moved_at = moved, now
        silence = now - self._moved_at
        if silence >= self._timeout / LOOKS and not self._wire.has_address():
            raise Stopped(fault, "this computer has left the network", silent=True)
        if silence > self._timeout:
            raise Stopped(fault, f"silence of {self._timeout:g} s {when}", silent=True)
        return self._timeout / LOOKS

    # Early answers.

    def _look(self) -> None:
        """Read what the server says before the body's end; a final answer stops sending."""
        while not self._incoming.has_begun and self._wire.has_spoken():
            data = self._receive()
            if data is None:
                break
            if not data:
                raise Stopped(
                    None if self._incoming.has_any else Fault.BROKEN, "closed by the server"
                )
            try:
                self._incoming.feed(data)
            except Endless as endless:
                raise Stopped(Fault.BROKEN, str(endless)) from endless
            except Unsound as unsound:
                raise Stopped(None) from unsound
        if self._incoming.has_begun:
            raise Stopped(None)

    def _receive(self) -> bytes | None:
        """The bytes that have arrived; b"" after the server closed, None if there are none now."""
        try:
            return self._recv()
        except NOT_NOW:
            return None
        except OSError as error:
            self._note_end(error)
            if self._incoming.has_any:
                return b""
            raise Stopped(Fault.BROKEN, words_of(error)) from error

    # How the connection ended.

    def _recv(self) -> bytes:
        """The bytes that have arrived, b"" at the end. Raises what ``Wire.recv`` does."""
        is_first = self._acked_before is not None and not self.is_heard
        is_seen = not self._wire.is_secure or (is_first and self._wire.is_unbroken())
        data = self._wire.recv(MOST_ANSWER)
        if data:
            self.is_heard = True
        elif is_seen and not self._is_reset:
            self._is_closed = True
        return data

    def _note_end(self, error: Exception) -> None:
        """Note a reset, or a close: after a close by the server, the kernel says "broken pipe"."""
        if isinstance(error, BrokenPipeError) and not self._wire.is_secure and not self._is_reset:
            self._is_closed = True
        else:
            self._is_reset = True
