"""Text of others, fit for a terminal."""

from __future__ import annotations

import json
import re
import unicodedata

_LONGEST = 400
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]")
"""Letters by their category that show nothing."""


def escape(text: str | bytes, most: int = _LONGEST) -> str:
    """Text of others, fit for a terminal: no control, bidi or undecodable character gets through;
    not too long."""
    if isinstance(text, bytes):
        text = text.decode(errors="surrogateescape")
    if len(text) > most:
        text = text[: most - 1] + "…"
    return _escaped(text)


def tame(text: str) -> str:
    """Lines for a terminal: nothing in them but letters, whatever was forgotten to be escaped.

    What was escaped stays as it is.
    """
    if text.isascii() and text.isprintable():
        return text
    return "\n".join(map(_escaped, text.split("\n")))


def offered(text: str) -> str:
    """Lines and columns for a shell that completes words: as they are, but for what would act on
    its terminal."""
    return "".join(
        letter if letter in "\t\n" or _is_text(letter) else _shown(letter) for letter in text
    )


def _is_text(letter: str) -> bool:
    return unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp")


def _escaped(text: str) -> str:
    if text.isprintable() and (text.isascii() or not _UNSEEN.search(text)):
        return text
    return "".join(letter if _is_plain(letter) else _shown(letter) for letter in text)


def _is_plain(letter: str) -> bool:
    """Spaces of other widths are: macOS names screenshots with one, and Japanese has its own."""
    category = unicodedata.category(letter)
    return category == "Zs" or (
        letter.isprintable() and category != "Cf" and not _UNSEEN.match(letter)
    )


def _shown(letter: str) -> str:
    """A character by its number; of one that stands for a byte that is no text, by the byte."""
    number = ord(letter)
    if 0xDC80 <= number <= 0xDCFF:
        number -= 0xDC00
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def json_line(value: object) -> bytes:
    """A value as a line of JSON, ASCII that any terminal can be shown: also DEL is escaped, which
    ``json`` lets be."""
    return json.dumps(value, ensure_ascii=True).replace("\x7f", "\\u007f").encode() + b"\n"
