"""The only way out to a terminal, which shows foreign text and never obeys it.

A terminal obeys control characters: they change its title, clear it, or type into the shell that
reads from it. So each text for people passes ``tame``, whoever wrote it: an unescaped sentence,
click, tqdm, a traceback. ``install`` puts this gate before stdout and stderr. Text that albumup
itself composes (colours, bars) goes through ``Own``.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from typing import IO

from albumup.cli.escaping import offered, tame

_OWN = re.compile(r"(\r|\n|\x1b[78]|\x1b\[(?:[ABJK]|2K|\?7[lh]|[0-9]{1,2}m))")
"""All that albumup sends to a terminal besides text.

These are line ends, moves by a line up or down, saving and restoring the cursor, erasing, line
wrapping on and off, and colours.
"""


class Gate(io.TextIOWrapper):
    """A standard stream that lets out nothing but letters and line ends, whoever writes to it."""

    fit: Callable[[str], str] = staticmethod(tame)
    """Makes a text fit for its readers."""

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError("a text, not bytes")  # click learns by this that a stream takes text
        self.pass_on(self.fit(text))
        return len(text)

    def pass_on(self, text: str) -> None:
        """Write a text that is fit for a terminal already."""
        super().write(text)


class Own:
    """Writes text that albumup composed: colours, and the moves that paint bars.

    Everything else in it is tamed, as in a gate.
    """

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
    """Put gates before stdout and stderr.

    ``for_a_shell``: the reader is a shell that completes words, and takes them letter by letter.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, Gate) or not isinstance(stream, io.TextIOWrapper):
            continue
        is_by_line, encoding = stream.line_buffering, stream.encoding
        stream.flush()
        # A strict stream would raise an error on a name that is not UTF-8.
        gate = Gate(stream.detach(), encoding, "backslashreplace", line_buffering=is_by_line)
        if for_a_shell:
            gate.fit = offered
        setattr(sys, name, gate)
        setattr(sys, f"__{name}__", gate)
