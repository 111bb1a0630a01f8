"""Sends one body and reads its answer, on one wire."""

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
    Answer,
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
_HASTE = 0.5
"""Seconds of silence within an early answer before the server is told that no more is sent."""
_GRACE = 5.0
"""Seconds of silence before an early answer counts as far as it was read."""
_LEAST = 0.001
"""The least seconds to wait: a clock with coarser steps would not move in less."""
_LOOKS = 16
"""How often the bytes that left are counted within the longest silence: nothing announces their
leaving."""


class Exchange:
    """Sends one body and reads its answer, on one wire."""

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
        """``time``: the event loop's; ``is_used``: the connection has served another exchange
        before."""
        self._wire = wire
        self._timeout = timeout
        self._longest_answer = 2 * timeout
        """Seconds from an answer's first byte to its last."""
        self._meter, self._throttle, self._time = meter, throttle, time
        self._allowed = 0
        """Bytes that may still go before the cut, the rate and the server are looked at again."""
        self.handed = 0
        """Bytes that the kernel took."""
        self.is_early = False
        """The answer was there before every byte of the body was acknowledged."""
        self.is_heard = False
        """The server has said something."""
        self._is_closed = self._is_reset = False
        self._is_hasty = False
        """The rest of the answer is not worth a long wait."""
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
        """Await ``before_last``, then send everything in one go. The wire should have room for it.
        Raises Stopped."""
        content = payload.content
        if content is None:
            content = await self._read(payload, 0, payload.size)
        data = b"".join((line, head, content, tail))
        await before_last()
        if self._meter.cut:
            raise Stopped(Fault.CUT)
        self._look()
        try:
            self.handed = self._wire.send(data)
        except NOT_NOW:
            pass
        except (OSError, ValueError) as error:
            raise self._broken(error) from error
        if self.handed < len(data):  # the wire had less room than it said
            await self._send_bytes(data[self.handed :])
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
        """Send the first ``end`` bytes by sendfile; by read and send where sendfile would wait for
        a disk."""
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
        """Send the first ``end`` bytes by read and send; the next block is read while one is
        sent."""
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
        """How many of ``wanted`` bytes to send next. Before each block, heed the cut, the rate and
        the server."""
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
        """Wait until the wire is ready. When no byte moves for ``timeout`` seconds, the line is
        broken."""
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
        if silence > self._timeout:
            raise Stopped(fault, f"silence of {self._timeout:g} s {when}", silent=True)
        return self._timeout / _LOOKS

    # Early answers.

    def _look(self) -> None:
        """Read what the server says before the body's end. Interim answers are dropped; a final one
        stops sending."""
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
        """The bytes that have arrived; b"" when the server closed, None when there is nothing
        now."""
        try:
            return self._recv()
        except NOT_NOW:
            return None
        except OSError as error:
            self._note_end(error)
            if self._incoming.has_any:
                return b""
            raise Stopped(Fault.BROKEN, words_of(error)) from error

    # The answer.

    async def early_answer(self) -> Answer | None:
        """The answer that came before the body's end; None if it cannot be read."""
        self._is_hasty = True
        try:
            return (await self.read_answer())[0]
        except Stopped:
            return None

    async def read_answer(self) -> tuple[Answer, bool]:
        """The answer, and whether the connection may be used again. Raises Stopped (LOST, or
        CUT)."""
        incoming = self._incoming
        deadline: float | None = None
        while not incoming.has_begun:
            data = await self._next_bytes(deadline)
            # Look now, not later: an honest answer brings the acknowledgement of the whole body
            # with it.
            self.is_early = not self._meter.whole or self._wire.unsent() > 0
            self._feed(data)
            deadline = deadline or self._time() + self._longest_answer
        self.is_early = self.is_early or not self._meter.whole
        self._is_hasty = self.is_early
        self._meter.moved = self.handed
        if not incoming.is_over:
            await self._read_rest(deadline or self._time() + self._longest_answer)
        if not incoming.is_headed:
            raise Stopped(Fault.LOST, "what came back is not HTTP")
        answer, keeps = incoming.answer()
        return answer, keeps and not self.is_early

    async def _read_rest(self, deadline: float) -> None:
        """Read the answer's body. In haste, a complete head is enough: its status counts without
        the body."""
        while not self._incoming.is_over:
            try:
                data = await self._next_bytes(deadline)
            except Stopped:
                if not (self._is_hasty and self._incoming.is_headed):
                    raise
                return
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        try:
            if data:
                self._incoming.feed(data)
            else:
                self._incoming.end()
        except Unsound as unsound:
            raise Stopped(Fault.LOST, str(unsound)) from unsound

    async def _next_bytes(self, deadline: float | None) -> bytes:
        """More bytes of the answer, b"" at its end. ``deadline`` (the loop's time) applies once it
        has begun."""
        self._moved_at = self._time()
        seconds = _HASTE if self._is_hasty else self._timeout / _LOOKS
        while True:
            if deadline is not None:
                seconds = min(seconds, deadline - self._time())
            if await self._meter.unless_cut(self._wire.wait(writing=False, seconds=seconds)):
                try:
                    return self._recv()
                except NOT_NOW:
                    continue
                except OSError as error:
                    self._note_end(error)
                    raise Stopped(Fault.LOST, words_of(error)) from error
            if deadline is not None and self._time() >= deadline:
                raise Stopped(Fault.LOST, f"the answer took longer than {self._longest_answer:g} s")
            if self._is_hasty:
                seconds = self._hasten()
            else:
                seconds = self._watch_silence(Fault.LOST, "after the whole photo was sent")

    def _hasten(self) -> float:
        """Seconds until the next look, while nothing more comes of an early answer.

        A server that closes only after it has read to the end (Django's runserver) is told that
        nothing more is sent. Raises Stopped when the rest of the answer does not come even then.
        """
        silence = self._time() - self._moved_at
        if silence < _HASTE:
            return max(_HASTE - silence, _LEAST)
        self._wire.half_close()
        if silence < min(self._timeout, _GRACE):
            return max(min(self._timeout, _GRACE) - silence, _LEAST)
        raise Stopped(Fault.LOST, "the early answer has no end", silent=True)

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

    def took_nothing(self, *, whole: bool) -> bool:
        """Is it certain that the server took nothing of this request? ``whole``: the kernel has all
        of it.

        It is certain if the kernel took nothing, or if the server closed and acknowledged nothing:
        its close would have carried the acknowledgement. A reset carries none, so the server may
        have read a small body to its end; then only a body that was not handed over whole was
        surely not taken.
        """
        if self.is_heard:
            return False
        if not self.handed:
            return True
        now = self._wire.acked()
        if now is None or self._acked_before is None or now != self._acked_before:
            return False
        return self._is_closed or not whole
