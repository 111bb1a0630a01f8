"""How text is laid out on a terminal: its width in cells, and the breaking of lines.

Off a terminal, in a file or a log, nothing is broken or cut: there a line is a line, for grep and
for cron's mail.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import IO

from albumup.cli.commands import COMMANDS
from albumup.cli.escaping import escape

_COLUMNS = 80
_ROWS = 24
_LEAST = 20
"""Cells that a broken line gets at least, however narrow the window is."""

# A command to be typed, up to the punctuation that ends it in a sentence. Quoted parts may hold
# anything.
_WORD = r"""(?:'[^']*'|"[^"]*"|[^\s'"])+(?<![,;)])"""
_TYPED = re.compile(
    rf"(?<![\w/.'\"-])(?:albumup (?:{'|'.join(COMMANDS)})\b|chmod (?=\d)|(?:kill|rm|mkdir) (?=-)"
    rf"|mount (?=['/])|pip install|pipx inject)"
    rf"(?: ?(?!\(){_WORD}(?=[\s,;)]|$))*"
)
_MEASURE = re.compile(
    r"(?<=\d) (?=(?:[kMGT]?B|s|min|h|days)\b)|(?<=\bpid) (?=\d)|(?<=\(exit) (?=\d)"
)
LONGEST_LINE = 4000
"""Characters of a line; more are cut."""
GLUE = "\N{NO-BREAK SPACE}"


def size_of(stream: IO[str]) -> tuple[int, int] | None:
    """Columns and rows of the terminal behind a stream, as it is now; None where there is no
    terminal.

    The environment's COLUMNS makes it narrower, never wider than it is; where nothing tells, it is
    80 by 24.
    """
    try:
        if not stream.isatty():
            return None
        found = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return None
    named = os.environ.get("COLUMNS", "")
    columns = found.columns or _COLUMNS
    wanted = int(named) if named.isascii() and named.isdigit() else 0
    return min(wanted or columns, columns), found.lines or _ROWS


def columns_of(stream: IO[str]) -> int | None:
    """The columns of the terminal behind a stream; None where there is none."""
    found = size_of(stream)
    return found[0] if found else None


def cells(text: str) -> int:
    """The cells that a text without control characters takes: two for most of CJK and emoji."""
    if text.isascii():
        return len(text)
    import wcwidth

    return wcwidth.width(text)


def padded(text: str, width: int) -> str:
    """A text with spaces behind it, so that it takes ``width`` cells at least."""
    return text + " " * (width - cells(text))


def shortened(text: str, width: int) -> str:
    """A text of at most ``width`` cells: it loses its middle, for names differ at their ends."""
    if cells(text) <= width:
        return text
    import wcwidth

    letters = list(wcwidth.iter_graphemes(text))
    room = max(0, width - 1)
    head = "".join(_fitting(letters, room // 2))
    tail = "".join(reversed(_fitting(letters[::-1], room - cells(head)))) if room > 1 else ""
    return f"{head}…{tail}" if width > 0 else ""


def _fitting(letters: list[str], width: int) -> list[str]:
    """The first letters that take at most ``width`` cells."""
    taken = 0
    for number, letter in enumerate(letters):
        taken += cells(letter)
        if taken > width:
            return letters[:number]
    return letters


def broken(text: str, stream: IO[str]) -> str:
    """A sentence for a stream: broken at words where that is a terminal, whole elsewhere.

    Only here does a sentence get line ends: those that come with it are shown as text.
    """
    return wrapped(escape(text, LONGEST_LINE), columns_of(stream))


def wrapped(
    text: str, width: int | None, *, under: int | None = None, whole: Sequence[str] = ()
) -> str:
    """Lines broken at words to ``width`` cells, which go on under their text; None: as they are.

    What is to be typed in a shell stays on one line, and so do paths and addresses without spaces:
    where one is wider than the terminal, it has a line of its own, which the terminal breaks and a
    copy of it does not. ``whole`` are parts with spaces that are kept so, too; ``under`` is the
    column to go on in, where the text alone does not tell.
    """
    if width is None:
        return text
    return "\n".join(_wrapped(line, width, under, whole) for line in text.split("\n"))


def _wrapped(line: str, width: int, under: int | None, whole: Sequence[str]) -> str:
    if cells(line) <= width:
        return line
    for part in whole:
        line = line.replace(part, part.replace(" ", GLUE))
    indent = _indent(line, width) if under is None or width - under < min(_LEAST, width) else under
    glued_line = glued(line)
    start = line[: len(line) - len(line.lstrip(" "))]
    wrap: Callable[..., list[str]]
    if line.isascii():
        from textwrap import wrap
    else:
        from wcwidth import wrap
    broken = wrap(
        glued_line[len(start) :],
        width,
        initial_indent=start,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(broken).replace(GLUE, " ")


def sentence(hint: str) -> str:
    """A hint as a line of its own: it begins with a capital, or with a command to be typed."""
    return hint if _TYPED.match(hint) else hint[:1].upper() + hint[1:]


def glued(text: str) -> str:
    """A text with GLUE for the spaces that no line is broken at: within what is typed, before a
    number's unit."""
    text = _TYPED.sub(lambda found: found[0].replace(" ", GLUE), text)
    return _MEASURE.sub(GLUE, text)


def _indent(line: str, width: int) -> int:
    """Where a line goes on: under its last column where it has columns, else a little further in
    than it began."""
    start = len(line) - len(line.lstrip(" "))
    columns = [found.end() for found in re.finditer(r"(?<=\S) {2,}(?=[^\s(])", line)]
    under = cells(line[: columns[-1]]) if columns else 0
    if start and 0 < under <= width // 2 and width - under >= _LEAST:
        return under
    return start + 2 if width - start - 2 >= _LEAST else 0
