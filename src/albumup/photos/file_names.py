"""Names of files and albums: as text, and as typed in a shell.

A name is bytes, and nearly every program means UTF-8. Python decodes names by the locale: under
ISO-8859-1, and in a cron job without a locale, ``é`` would go to a server as ``Ã©``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence


def text_of(name: bytes) -> str:
    """Decode a name or path as UTF-8, whatever the locale; an undecodable byte becomes a surrogate
    (PEP 383)."""
    return name.decode("utf-8", "surrogateescape")


def name_of(path: bytes) -> bytes:
    """The last part of a path: ``os.path.basename``, in a fifth of its time."""
    return path.rpartition(b"/")[2]


def folder_of(path: bytes) -> bytes:
    """The folder of an absolute path: ``os.path.dirname``, in a tenth of its time."""
    folder, slash, _ = path.rpartition(b"/")
    return folder or slash


def bytes_of(text: str) -> bytes:
    """The inverse of ``text_of``."""
    return text.encode("utf-8", "surrogateescape")


def as_typed(word: str) -> str:
    """A word of the command line, decoded as UTF-8 if it is valid, else by the locale."""
    try:
        return os.fsencode(word).decode()
    except UnicodeError:
        return word


def quoted(text: str) -> str:
    """Quote a name or a path for a shell; invisible characters are escaped."""
    import shlex

    if text.isprintable():
        return shlex.quote(text)
    # The form of bash and zsh.
    return "$'" + "".join(_typed(letter) for letter in text) + "'"


def command(name: str, arguments: Sequence[str] = (), *options: str) -> str:
    """A command of albumup as it is typed.

    ``options``: as they are typed. They come last, unless an argument begins with a dash: that
    would be taken for an option, too.
    """
    words = [quoted(one) for one in arguments]
    if any(one.startswith("-") for one in arguments):
        return " ".join(["albumup", name, *options, "--", *words])
    return " ".join(["albumup", name, *words, *options])


def _typed(letter: str) -> str:
    """A character between ``$'`` and ``'``."""
    number = ord(letter)
    if letter in "\\'":
        return "\\" + letter
    if 0xDC80 <= number <= 0xDCFF:  # an undecodable byte
        return f"\\x{number - 0xDC00:02x}"
    code = f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
    return letter if letter.isprintable() else code
