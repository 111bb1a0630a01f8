"""Makes foreign text fit for a terminal."""

from __future__ import annotations

import json
import re
import unicodedata

_LONGEST = 400
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]")
"""Characters that show nothing, although their category says letter or symbol."""


def escape(text: str | bytes, most: int = _LONGEST) -> str:
    """A foreign text for a terminal, without control, bidi or undecodable characters.

    A text of more than ``most`` characters is cut.
    """
    if isinstance(text, bytes):
        text = text.decode(errors="surrogateescape")
    if len(text) > most:
        text = text[: most - 1] + "…"
    return _escaped(text)


def tame(text: str) -> str:
    """Lines for a terminal, with all control characters escaped, even those that a caller forgot.

    Escaped text stays as it is.
    """
    if text.isascii() and text.isprintable():
        return text
    return "\n".join(map(_escaped, text.split("\n")))


def offered(text: str) -> str:
    """Lines and columns for a shell that completes words, with control characters escaped."""
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
    """Whether a character is shown as it is.

    Wide and narrow spaces are: macOS puts one into the names of screenshots, and Japanese has its
    own.
    """
    category = unicodedata.category(letter)
    return category == "Zs" or (
        letter.isprintable() and category != "Cf" and not _UNSEEN.match(letter)
    )


def _shown(letter: str) -> str:
    """A character as an escape with its number; for an undecodable byte, with the byte."""
    number = ord(letter)
    if 0xDC80 <= number <= 0xDCFF:
        number -= 0xDC00
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def json_line(value: object) -> bytes:
    """A value as a line of JSON, in ASCII that any terminal can show.

    DEL is escaped, too; ``json`` leaves it as it is.
    """
    return json.dumps(value, ensure_ascii=True).replace("\x7f", "\\u007f").encode() + b"\n"
