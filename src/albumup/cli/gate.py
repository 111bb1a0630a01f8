"""The one way out to a terminal: what others say is shown there, and never obeyed.

A terminal obeys what it is sent: control characters retitle its window, clear it, type into the
shell that reads it. Each text for people passes ``tame``, whoever wrote it: a sentence whose words
were not escaped, click, tqdm, a traceback. ``install`` puts it before stdout and stderr; what is
composed here (colours, bars) goes by ``Own``.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from typing import IO

from albumup.cli.escaping import offered, tame

_OWN = re.compile(r"(\r|\n|\x1b[78]|\x1b\[(?:[ABJK]|2K|\?7[lh]|[0-9]{1,2}m))")
"""All that a terminal is sent besides letters: line ends, a line up or down, to and from a place
that it is to remember, to erase, to break lines or not, a colour."""


class Gate(io.TextIOWrapper):
    """A standard stream that lets out nothing but letters and line ends, whoever writes to it."""

    fit: Callable[[str], str] = staticmethod(tame)
    """Makes a text fit for who reads it."""

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError("a text, not bytes")  # click finds out so which of them a stream takes
        self.pass_on(self.fit(text))
        return len(text)

    def pass_on(self, text: str) -> None:
        """Write what is fit for a terminal already."""
        super().write(text)


class Own:
    """Writes what was composed here: colours, and the moves that bars are painted with. All else is
    as in a gate."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.encoding: str = getattr(stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        pieces = _OWN.split(text)
        pieces[::2] = map(tame, pieces[::2])
        fit = "".join(pieces)
        if isinstance(self._stream, Gate):
            self._stream.pass_on(fit)
        else:
            self._stream.write(fit)
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


def install(*, for_a_shell: bool = False) -> None:
    """Put gates before stdout and stderr. ``for_a_shell``: it completes words, and takes them
    letter by letter."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, Gate) or not isinstance(stream, io.TextIOWrapper):
            continue
        is_by_line, encoding = stream.line_buffering, stream.encoding
        stream.flush()
        # A strict stream would raise on a name that is no UTF-8.
        gate = Gate(stream.detach(), encoding, "backslashreplace", line_buffering=is_by_line)
        if for_a_shell:
            gate.fit = offered
        setattr(sys, name, gate)
        setattr(sys, f"__{name}__", gate)
