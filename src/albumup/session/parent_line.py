"""The line from an uploader in the background to its parent, the command that starts it.

The line is a pipe with one message a line. It is open until the start is clear. The uploader never
waits for it: a parent that is gone or stopped hears nothing.
"""

from __future__ import annotations

import os
import select
from collections.abc import Iterator

import msgspec
from msgspec import Struct

_PIECE = 1 << 16
_LONGEST = 500
"""The most characters of a log line for the parent: a message must fit into PIPE_BUF."""


class Begun(Struct, frozen=True, tag=True):
    """The uploader holds the lock, and its run is in the journal.

    ``log_fault``: why it cannot write its log, or "".
    """

    log_fault: str = ""


class Handed(Struct, frozen=True, tag=True):
    """Process ``pid`` is uploading, and has these albums, too.

    ``changed``: in words, the options that it took over and goes on with; "" for none.
    ``ignored``: typed options that differ from its own. ``inherits``: the process in the background
    goes on when that one ends early.
    """

    pid: int
    changed: str = ""
    ignored: tuple[str, ...] = ()
    inherits: bool = False


class Settled(Struct, frozen=True, tag=True):
    """Nothing is left to send: another process has sent it meanwhile."""


class Said(Struct, frozen=True, tag=True):
    """A line of the log."""

    text: str


Message = Begun | Handed | Settled | Said


class ParentLine:
    """The uploader's end of the line."""

    def __init__(self, descriptor: int) -> None:
        """Raises OSError if there is no such descriptor."""
        os.set_blocking(descriptor, False)
        os.set_inheritable(descriptor, False)
        self._descriptor: int | None = descriptor

    def tell(self, message: Message) -> None:
        """Send the parent a message, if it still listens."""
        if self._descriptor is None:
            return
        try:
            os.write(self._descriptor, msgspec.json.encode(message) + b"\n")
        except BlockingIOError:
            pass  # a stopped parent has heard enough
        except OSError:
            self.close()

    def say(self, text: str) -> None:
        """Send the parent a line of the log."""
        self.tell(Said(text[:_LONGEST]))

    def close(self) -> None:
        """Close the line: no message follows."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class ChildLine:
    """The parent's end of the line."""

    def __init__(self) -> None:
        self._ours, self.theirs = os.pipe()
        self._begun = b""
        self._decoder = msgspec.json.Decoder(Message)
        self.is_over = False
        """The other end is closed."""

    def hand_over(self) -> None:
        """Close the child's end in this process, so that only the child has it."""
        os.close(self.theirs)

    def hear(self, seconds: float) -> Iterator[Message]:
        """The messages that have come; waits at most ``seconds`` for one."""
        if not self.is_over and select.select([self._ours], [], [], seconds)[0]:
            piece = os.read(self._ours, _PIECE)
            self.is_over = not piece
            *lines, self._begun = (self._begun + piece).split(b"\n")
            yield from map(self._decoder.decode, lines)

    def close(self) -> None:
        os.close(self._ours)
