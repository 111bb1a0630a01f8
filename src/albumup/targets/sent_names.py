"""The names that servers are told, fit for each of them. ``journal/naming.py`` makes them
unique."""

from __future__ import annotations

import re
import unicodedata

_UNSAFE = re.compile(r'["\\/]|%(?=[0-9A-Fa-f]{2})')
_NAME_BYTES = 255
_SUFFIX_BYTES = 32
"""Longer suffixes are not extensions."""


def sent_name(name: bytes | str, number: int = 1) -> str:
    """A base name that all servers parse alike; ``number`` above 1 gives ``DSC_0001-2.JPG``.

    Raw UTF-8, composed (NFC). Quotes, backslashes, slashes, control characters and the % of
    percent-encodings become ``_``, because servers read them differently. At most 255 bytes; the
    extension is kept.
    """
    text = name.decode(errors="surrogateescape") if isinstance(name, bytes) else name
    if not (text.isascii() and text.isprintable()):
        text = unicodedata.normalize("NFC", text)
        text = "".join(
            "_" if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in text
        )
    elif number == 1 and len(text) <= _NAME_BYTES and _UNSAFE.search(text) is None:
        return text
    text = _UNSAFE.sub("_", text)
    stem, dot, suffix = text.rpartition(".")
    if not stem or len(suffix.encode()) > _SUFFIX_BYTES:
        stem, dot, suffix = text, "", ""
    ending = (f"-{number}" if number > 1 else "") + dot + suffix
    room = _NAME_BYTES - len(ending.encode())
    return stem.encode()[:room].decode(errors="ignore") + ending
