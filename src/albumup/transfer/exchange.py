"""Sends one body and reads its answer, on one wire."""

from __future__ import annotations

from albumup.transfer.answers import Unsound
from albumup.transfer.connect import words_of
from albumup.transfer.sending import LOOKS, Sending
from albumup.transfer.values import Answer, Fault, Stopped
from albumup.transfer.wire import NOT_NOW

_HASTE = 0.5
"""Seconds of silence within an early answer before the server is told that no more is sent."""
_LONGEST = 2
"""An answer may take this many times the timeout, from its first byte to its last."""
_GRACE = 5.0
"""Seconds of silence before an early answer counts as far as it was read."""
_LEAST = 0.001
"""The least seconds to wait: a clock with coarser steps would not move in less."""


class Exchange(Sending):
    """One body and its answer, on one wire."""

    is_early = False
    """The answer was there before every byte of the body was acknowledged."""
    _is_hasty = False
    """The rest of the answer is not worth a long wait."""

    async def early_answer(self) -> Answer | None:
        """The answer that came before the body's end; None if it cannot be read."""
        self._is_hasty = True
        try:
            return (await self.read_answer())[0]
        except Stopped:
            return None

    async def read_answer(self) -> tuple[Answer, bool]:
        """The answer, and whether the connection may be used again. Raises Stopped."""
        incoming = self._incoming
        deadline: float | None = None
        while not incoming.has_begun:
            data = await self._next_bytes(deadline)
            # Look now, not later: an honest answer also acknowledges the whole body.
            self.is_early = not self._meter.whole or self._wire.unsent() > 0
            self._feed(data)
            deadline = deadline or self._time() + _LONGEST * self._timeout
        self.is_early = self.is_early or not self._meter.whole
        self._is_hasty = self.is_early
        self._meter.moved = self.handed
        if not incoming.is_over:
            await self._read_rest(deadline or self._time() + _LONGEST * self._timeout)
        if not incoming.is_headed:
            raise Stopped(Fault.LOST, "what came back is not HTTP")
        answer, keeps = incoming.answer()
        return answer, keeps and not self.is_early

    async def _read_rest(self, deadline: float) -> None:
        """Read the answer's body. In haste, a complete head is enough: its status counts."""
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
        """More bytes of the answer, b"" at its end; ``deadline`` in the loop's time."""
        self._moved_at = self._time()
        seconds = _HASTE if self._is_hasty else self._timeout / LOOKS
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
                raise Stopped(
                    Fault.LOST, f"the answer took longer than {_LONGEST * self._timeout:g} s"
                )
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

    def took_nothing(self, *, whole: bool) -> bool:
        """Is it certain that the server took nothing of this request?

        ``whole``: the kernel has all of it. It is certain if the kernel took nothing, or if the
        server closed and acknowledged nothing: its close would have carried the acknowledgement.
        A reset carries none, so the server may have read a small body to its end; then only a body
        that was not handed over whole was surely not taken.
        """
        if self.is_heard:
            return False
        if not self.handed:
            return True
        now = self._wire.acked()
        if now is None or self._acked_before is None or now != self._acked_before:
            return False
        return self._is_closed or not whole
