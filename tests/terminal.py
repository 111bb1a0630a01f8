"""Terminals of the tests: a window with an emulator (pyte), and a command in it."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import termios
from collections.abc import Callable
from typing import Any

import pyte

PATIENCE = 60.0
"""Seconds until a test gives up on a command that shows nothing new."""


class _Screen(pyte.Screen):
    """One that keeps what leaves it at its top. pyte's own with a history looks up each letter's
    attributes by a detour, and takes twice the time."""

    def __init__(self, columns: int, rows: int) -> None:
        self.gone: list[str] = []
        super().__init__(columns, rows)

    def index(self) -> None:
        if self.cursor.y == self.lines - 1:
            row = self.buffer[0]
            self.gone.append("".join(row[x].data for x in sorted(row)).rstrip())
        super().index()


class Window:
    """What stands in a terminal's window, and what has left it at its top."""

    def __init__(self, columns: int = 80, rows: int = 24) -> None:
        self.screen = _Screen(columns, rows)
        self._stream = pyte.Stream(self.screen)
        self._bytes = pyte.ByteStream(self.screen)

    def feed(self, data: str | bytes) -> None:
        if isinstance(data, str):
            self._stream.feed(data)
        else:
            self._bytes.feed(data)

    def resize(self, columns: int, rows: int) -> None:
        self.screen.resize(rows, columns)

    def rows(self) -> list[str]:
        """What stands there now."""
        return [row.rstrip() for row in self.screen.display]

    def lines(self) -> list[str]:
        """All lines with something in them, those that have left it, too."""
        return [line for line in (*self.screen.gone, *self.rows()) if line]


class Terminal:
    """A command's terminal. ``start`` is given the descriptor that is its end of it.

    ``painted`` is all that was sent to it, as bytes; the emulator comes to it when somebody looks.
    Close it: ``end`` does, at the command's end, and ``close``, which hangs up.
    """

    def __init__(self, start: Callable[[int], Any], columns: int = 80, rows: int = 24) -> None:
        self.painted = bytearray()
        self._window = Window(columns, rows)
        self._shown = 0
        self._ours, theirs = os.openpty()
        self._set_size(columns, rows)
        try:
            self.process = start(theirs)
        finally:
            os.close(theirs)

    # What a person sees.

    @property
    def said(self) -> str:
        """All that was sent to it, moves and colours, too."""
        return self.painted.decode(errors="replace")

    @property
    def window(self) -> Window:
        self._window.feed(bytes(self.painted[self._shown :]))
        self._shown = len(self.painted)
        return self._window

    @property
    def text(self) -> str:
        """What stands in the window now."""
        return "\n".join(self.window.rows()).rstrip("\n")

    def lines(self) -> list[str]:
        return self.window.lines()

    # What a person does.

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def resize(self, columns: int, rows: int = 24) -> None:
        self._set_size(columns, rows)
        self.window.resize(columns, rows)

    def _set_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self) -> bool:
        """Wait for what it is sent next; False at its end."""
        if not select.select([self._ours], [], [], PATIENCE)[0]:
            raise AssertionError(f"it goes no further than this:\n{self.said}")
        try:
            data = os.read(self._ours, 1 << 16)
        except OSError:  # Linux: the last one has closed it
            data = b""
        self.painted += data
        return bool(data)

    def until(self, is_so: Callable[[], object]) -> None:
        """Read on until something is so."""
        while not is_so():
            assert self.read(), f"it ended before its time:\n{self.said}"

    def until_said(self, pattern: str) -> re.Match[str]:
        """Read on until this was sent to it."""
        self.until(lambda: re.search(pattern, self.said))
        found = re.search(pattern, self.said)
        assert found is not None
        return found

    def end(self) -> int:
        """Read to the command's end; its exit code."""
        try:
            while self.read():
                pass
            return int(self.process.wait(PATIENCE))
        finally:
            self.close()

    def close(self) -> None:
        """Hang up. A command that goes on is not waited for."""
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1
