"""Names on the disk, made from a client's names of albums and photos."""

from __future__ import annotations

import functools
import hashlib
import os
import unicodedata

ALBUM_BYTES = 200
PHOTO_BYTES = 255  # NAME_MAX of nearly every file system
EXTENSION_BYTES = 32  # longer suffixes are not extensions


@functools.lru_cache(maxsize=256)
def album_folder_name(album: str) -> str:
    """The folder's name of ``album`` below a store's root; different albums have different folders.

    ``/``, ``%``, control characters, lone surrogates and a leading dot are percent-encoded (UTF-8).
    A name of more than 200 bytes is cut between two characters, and gets 8 hex digits of the
    SHA-256 of the album's UTF-8.

    Raises ValueError for an empty name.
    """
    if not album:
        raise ValueError("an album needs a name")
    characters = _escaped(album, reserved="/%")
    whole = "".join(characters)
    if len(whole.encode()) <= ALBUM_BYTES:
        return whole
    digest = hashlib.sha256(album.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{_fitting(characters, ALBUM_BYTES)}{digest[:8]}"


def photo_name(wanted: str) -> str:
    """The base name of ``wanted`` as a visible file name of 1 to 255 bytes, with its extension."""
    base = wanted.rpartition("/")[2]
    is_plain = base.isascii() and base.isprintable() and not base.startswith(".")
    if is_plain and 0 < len(base) <= PHOTO_BYTES:
        return base
    return with_mark("".join(_escaped(base)) or "photo")


def with_mark(name: str, mark: str = "") -> str:
    """``name`` with ``mark`` before its extension, the stem cut to fit into 255 bytes."""
    stem, extension = os.path.splitext(name)
    if len(extension.encode()) > EXTENSION_BYTES:
        stem, extension = name, ""
    ending = mark + extension
    if len((stem + ending).encode()) <= PHOTO_BYTES:
        return stem + ending
    return _fitting(stem, PHOTO_BYTES - len(ending.encode())) + ending


def _escaped(text: str, reserved: str = "") -> list[str]:
    """The characters of ``text``, each as it is or percent-encoded."""
    return [
        _percent(character)
        if character in reserved
        or unicodedata.category(character) in ("Cc", "Cs")
        or (character == "." and not index)
        else character
        for index, character in enumerate(text)
    ]


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def _fitting(characters: list[str] | str, room: int) -> str:
    """As many of ``characters`` from the front as fit into ``room`` bytes of UTF-8."""
    kept = []
    for character in characters:
        room -= len(character.encode())
        if room < 0:
            break
        kept.append(character)
    return "".join(kept)
