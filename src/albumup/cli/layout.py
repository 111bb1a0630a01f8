"""The layout of text on a terminal: its width in cells, and line breaks.

In a file or a log nothing is broken or cut: there one line stays one line, for grep and for cron's
mail.
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
"""The least cells of a broken line, however narrow the window is."""

# A command to type, up to the punctuation that ends it in a sentence. Quoted parts may hold any
# character.
_WORD = r"""(?:'[^']*'|"[^"]*"|[^\s'"])+(?<![,;)])"""
TYPED = re.compile(
    rf"(?<![\w/.'\"-])"
    rf"(?:albumup (?:--(?:journal|config) {_WORD} )*(?:{'|'.join(COMMANDS)})\b"
    rf"|chmod (?=\d)|(?:kill|rm|mkdir) (?=-)|mount (?=['/])|pip install|pipx inject)"
    rf"(?: ?(?!\(){_WORD}(?=[\s,;)]|$))*"
)
_MEASURE = re.compile(
    r"(?<=\d) (?=(?:[kMGT]?B|s|min|h|days)\b)|(?<=\bpid) (?=\d)|(?<=\(exit) (?=\d)"
)
LONGEST_LINE = 4000
"""Characters that a line has at most; longer lines are cut."""
GLUE = "\N{NO-BREAK SPACE}"


def size_of(stream: IO[str]) -> tuple[int, int] | None:
    """Columns and rows of the terminal behind a stream at present; None if there is no terminal.

    The environment's COLUMNS can make it narrower, but never wider. Unknown sizes are taken as 80
    by 24.
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
    """The columns of the terminal behind a stream; None if there is no terminal."""
    found = size_of(stream)
    return found[0] if found else None


def cells(text: str) -> int:
    """The cells of a text without control characters: two for most of CJK and emoji."""
    if text.isascii():
        return len(text)
    import wcwidth

    return wcwidth.width(text)


def padded(text: str, width: int) -> str:
    """A text with spaces after it, so that it takes at least ``width`` cells."""
    return text + " " * (width - cells(text))


def shortened(text: str, width: int) -> str:
    """A text of at most ``width`` cells; it loses its middle, as names differ at their ends."""
    if cells(text) <= width:
        return text
    import wcwidth

    letters = list(wcwidth.iter_graphemes(text))
    room = max(0, width - 1)
    head = "".join(_fitting(letters, room // 2))
    tail = "".join(reversed(_fitting(letters[::-1], room - cells(head)))) if room > 1 else ""
    return f"{head}…{tail}" if width > 0 else ""


def _fitting(letters: list[str], width: int) -> list[str]:
    """The first letters that together take at most ``width`` cells."""
    taken = 0
    for number, letter in enumerate(letters):
        taken += cells(letter)
        if taken > width:
            return letters[:number]
    return letters


def broken(text: str, stream: IO[str]) -> str:
    """A sentence for a stream: broken at words for a terminal, whole for a file.

    Only here does a sentence get line ends: its own line ends are escaped.
    """
    return wrapped(escape(text, LONGEST_LINE), columns_of(stream))


def wrapped(
    text: str, width: int | None, *, under: int | None = None, whole: Sequence[str] = ()
) -> str:
    """Lines broken at words to ``width`` cells; None leaves them as they are.

    A command to type stays on one line, and so do paths and addresses without spaces. One that is
    wider than the terminal has a line of its own; the terminal breaks that line, but a copy of it
    has no break. ``whole``: parts with spaces that stay on one line, too. ``under``: the column in
    which a line goes on, if the text alone does not tell.
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
    """A hint as a line of its own: it begins with a capital, or with a command to type."""
    return hint if TYPED.match(hint) else hint[:1].upper() + hint[1:]


def glued(text: str) -> str:
    """A text with GLUE for the spaces at which no line may be broken.

    Such spaces are within commands to type, and between a number and its unit.
    """
    text = TYPED.sub(lambda found: found[0].replace(" ", GLUE), text)
    return _MEASURE.sub(GLUE, text)


def _indent(line: str, width: int) -> int:
    """The column in which a line goes on: below its last column, else a little further in."""
    start = len(line) - len(line.lstrip(" "))
    columns = [found.end() for found in re.finditer(r"(?<=\S) {2,}(?=[^\s(])", line)]
    under = cells(line[: columns[-1]]) if columns else 0
    if start and 0 < under <= width // 2 and width - under >= _LEAST:
        return under
    return start + 2 if width - start - 2 >= _LEAST else 0
