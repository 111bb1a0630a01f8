"""Names of files and albums: as text, and as they are typed in a shell.

A name is bytes, and nearly every program means UTF-8 by them. Python reads them by the locale, so that under
ISO-8859-1, and in a cron without a locale, ``é`` would go to a server as ``Ã©``.
"""

from __future__ import annotations

import os


def text_of(name: bytes) -> str:
    """A name or path as text, whatever the locale; a byte that is no UTF-8 becomes a surrogate (PEP 383)."""
    return name.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """The bytes that ``text_of`` was given."""
    return text.encode("utf-8", "surrogateescape")


def as_typed(word: str) -> str:
    """A word of the command line, read as UTF-8 where that is what it is, else as the locale says."""
    try:
        return os.fsencode(word).decode()
    except UnicodeError:
        return word


def quoted(text: str) -> str:
    """A name, or a path, as it is typed in a shell; nothing in it is invisible."""
    import shlex

    if text.isprintable():
        return shlex.quote(text)
    # As bash and zsh read it.
    return "$'" + "".join(_typed(letter) for letter in text) + "'"


def _typed(letter: str) -> str:
    """A character between ``$'`` and ``'``."""
    number = ord(letter)
    if letter in "\\'":
        return "\\" + letter
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is no text
        return f"\\x{number - 0xDC00:02x}"
    code = f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
    return letter if letter.isprintable() else code
