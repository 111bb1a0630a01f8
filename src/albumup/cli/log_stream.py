"""The log as the standard output and error of an uploader in the background."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable

from albumup.cli.escaping import tame
from albumup.session.log import Log

_LONGEST = 1 << 16
"""Characters of an unended line; beyond, it is ended."""


class LogStream(io.TextIOBase):
    """A stream that turns all output into lines of the log, fit for a terminal.

    ``heard`` is also called with each line. The stream has no descriptor, so nobody can bypass it.
    """

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, log: Log, heard: Callable[[str], None] = lambda _: None) -> None:
        super().__init__()
        self.log, self._heard = log, heard
        self._begun = threading.local()

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError("a text, not bytes")  # click learns by this that a stream takes text
        *lines, rest = (getattr(self._begun, "line", "") + text).split("\n")
        if len(rest) > _LONGEST:
            lines.append(rest)
            rest = ""
        self._begun.line = rest
        for line in map(tame, lines):
            self.log.line(line)
            self._heard(line)
        return len(text)

    def writable(self) -> bool:
        return True
