"""Text of others, fit for a terminal."""

from __future__ import annotations

import os
import unicodedata

_LONGEST = 400


def escape(text: str | bytes, most: int = _LONGEST) -> str:
    """Text of others, fit for a terminal: no control, bidi or undecodable character gets through; not too long."""
    if isinstance(text, bytes):
        text = text.decode(errors="surrogateescape")
    if len(text) > most:
        text = text[: most - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    if letter.isprintable() and unicodedata.category(letter) != "Cf":
        return letter
    number = ord(letter)
    if 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def name_of(path: bytes) -> str:
    """A photo's base name, escaped."""
    return escape(os.path.basename(path))
