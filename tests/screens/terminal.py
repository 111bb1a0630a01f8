"""A terminal of 80 columns with a command in it, and what stands there."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import termios
import time
from collections.abc import Callable
from typing import Any

import pyte
import zygote

COLUMNS, LINES = 80, 200
PATIENCE = 20.0  # seconds until a command that shows nothing new is given up


class Terminal:
    """One command's terminal. ``reacts``: what is done, once each, when these words stand on the
    screen."""

    def __init__(self, words: list[str], env: dict[str, str], cwd: str, columns: int) -> None:
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
        streams: dict[str, Any] = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        if words[0] == "albumup":
            self.process: Any = zygote.Started(
                words[1:], env=env, cwd=cwd, start_new_session=True, **streams
            )
        else:
            self.process = zygote.subprocess.Popen(
                words, env=env, cwd=cwd, start_new_session=True, **streams
            )
        os.close(theirs)
        self._screen = pyte.Screen(columns, LINES)
        self._stream = pyte.ByteStream(self._screen)
        self.reacts: list[tuple[str, Callable[[], None]]] = []

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip("\n")

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def read_on(self, until: str | None = None) -> str:
        """Read to the command's end, or until this pattern is found there."""
        deadline = time.monotonic() + PATIENCE
        while until is None or not re.search(until, self.text, re.DOTALL):
            if not select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"it goes no further than this:\n{self.text}")
            try:
                data = os.read(self._ours, 1 << 16)
            except OSError:  # the last one has closed it
                data = b""
            if not data:
                self.process.wait(PATIENCE)
                break
            self._stream.feed(data)
            self._react()
        return self.text

    def _react(self) -> None:
        unbroken = " ".join(self.text.split())
        for one in [one for one in self.reacts if one[0] in unbroken]:
            self.reacts.remove(one)
            one[1]()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)
