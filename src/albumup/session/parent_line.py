"""The line from an uploader in the background to the command that starts it: until it is clear how
it starts.

A pipe, one message a line. The uploader never waits for it: a parent that is gone or stopped
hears nothing.
"""

from __future__ import annotations

import os
import select
from collections.abc import Iterator

import msgspec
from msgspec import Struct

_PIECE = 1 << 16
_LONGEST = 500
"""Characters of a line that the parent is told: a message must fit into PIPE_BUF."""


class Begun(Struct, frozen=True, tag=True):
    """The uploader holds the lock, and its run is journaled. ``log_fault``: why it cannot write its
    log."""

    log_fault: str = ""


class Handed(Struct, frozen=True, tag=True):
    """Process ``pid`` is uploading, and has these albums, too. ``changed``: how it goes on now, if
    it took over other options; in words."""

    pid: int
    changed: str = ""


class Settled(Struct, frozen=True, tag=True):
    """There is nothing to send any more: another process has sent it meanwhile."""


class Said(Struct, frozen=True, tag=True):
    """A line of the log."""

    text: str


Message = Begun | Handed | Settled | Said


class ParentLine:
    """The uploader's end."""

    def __init__(self, descriptor: int) -> None:
        """Raises OSError if that is no descriptor."""
        os.set_blocking(descriptor, False)
        os.set_inheritable(descriptor, False)
        self._descriptor: int | None = descriptor

    def tell(self, message: Message) -> None:
        """Tell the parent, if it still hears."""
        if self._descriptor is None:
            return
        try:
            os.write(self._descriptor, msgspec.json.encode(message) + b"\n")
        except BlockingIOError:
            pass  # a parent that is stopped has heard enough
        except OSError:
            self.close()

    def say(self, text: str) -> None:
        """Tell a line of the log."""
        self.tell(Said(text[:_LONGEST]))

    def close(self) -> None:
        """Nothing is to be told any more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class ChildLine:
    """The parent's end."""

    def __init__(self) -> None:
        self._ours, self.theirs = os.pipe()
        self._begun = b""
        self._decoder = msgspec.json.Decoder(Message)
        self.is_over = False
        """The other end is closed."""

    def hand_over(self) -> None:
        """The other end is the child's alone from now on."""
        os.close(self.theirs)

    def hear(self, seconds: float) -> Iterator[Message]:
        """What was told; waits for something, ``seconds`` at most."""
        if not self.is_over and select.select([self._ours], [], [], seconds)[0]:
            piece = os.read(self._ours, _PIECE)
            self.is_over = not piece
            *lines, self._begun = (self._begun + piece).split(b"\n")
            yield from map(self._decoder.decode, lines)

    def close(self) -> None:
        os.close(self._ours)
