"""Finds the photo of a sidecar. An editor writes ``IMG_1.xmp`` for the RAW of that stem, not for a
JPG made from it.

Suffixes decide, not contents: the content does not tell which file the editor had open.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

from albumup.photos.types import TYPES, Kind, MediaType

XMP = b".xmp"
"""What goes along with its photo, on servers that take it."""
SUFFIXES = (XMP, b".aae")
"""What photo editors write beside a photo; Apple's .aae is sent nowhere."""
MOST_SIDECAR = 1 << 20
"""The most bytes of a sidecar; a larger file is not sent as one."""

_LIKE_RAW = {"image/heic", "image/heif", "image/tiff", "image/vnd.adobe.photoshop"}
_DEVELOPED = {"image/jpeg", "image/jxl"}


def _rank_of(one: MediaType) -> int:
    """Orders photos and clips of one stem by how likely they were there first; 0 is the
    likeliest."""
    if one.kind is not Kind.PICTURE:
        return 0 if one.kind is Kind.RAW else 4
    if one.mime in _LIKE_RAW:
        return 1
    return 2 if one.mime in _DEVELOPED else 3


_RANKS = {suffix.encode(): _rank_of(one) for one in TYPES for suffix in one.suffixes} | {
    b".insp": 1,
    b".svg": 3,
}
"""The rank of each suffix. Insta360's .insp is a JPEG used like a RAW; only Immich takes .svg."""


def owner_of(sidecar: bytes, names: Iterable[bytes]) -> bytes | None:
    """The photo among ``names``, those of the folder, to which a sidecar (a base name) belongs;
    None if there is none.

    ``IMG_1.CR3.xmp`` belongs to IMG_1.CR3. ``IMG_1.xmp`` belongs to the RAW of that stem, else to
    the picture, else to the clip.
    """
    base = os.path.splitext(sidecar)[0]
    found: list[tuple[int, bytes]] = []
    for name in names:
        if name == base:
            return name
        stem, suffix = os.path.splitext(name)
        if stem == base and (rank := _RANKS.get(suffix.lower())) is not None:
            found.append((rank, name))
    return min(found)[1] if found else None


def gives_way(sidecar: bytes, owner: bytes, names: Iterable[bytes]) -> bool:
    """Is there another sidecar of the same photo among ``names``, those of the folder, with the
    photo's whole name?

    Of IMG_1.xmp and IMG_1.JPG.xmp, the second one is sent with IMG_1.JPG.
    """
    return os.path.splitext(sidecar)[0] != owner and any(
        base == owner and suffix.lower() == XMP for base, suffix in map(os.path.splitext, names)
    )


class Folders:
    """Lists folders, remembering the last one: sidecars come folder by folder."""

    def __init__(self) -> None:
        self._last: tuple[bytes, dict[bytes, list[bytes]]] = (b"", {})

    def beside(self, path: bytes) -> list[bytes]:
        """The names in a file's folder that equal its own up to the first dot; none if the folder
        is unreadable."""
        folder, name = os.path.split(path)
        if self._last[0] != folder:
            by_start: dict[bytes, list[bytes]] = {}
            try:
                for one in os.listdir(folder):
                    by_start.setdefault(one.partition(b".")[0], []).append(one)
            except OSError:
                pass
            self._last = folder, by_start
        return self._last[1].get(name.partition(b".")[0], [])


def digest_of_sidecar(path: bytes) -> str:
    """A sidecar's SHA-256 (hex); "" if the file is unreadable or too large."""
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_SIDECAR + 1)
    except OSError:
        return ""
    return hashlib.sha256(content).hexdigest() if len(content) <= MOST_SIDECAR else ""


def fits(path: bytes) -> bool:
    """Is the file neither empty nor too large for a sidecar?"""
    try:
        return 0 < os.stat(path).st_size <= MOST_SIDECAR
    except OSError:
        return False
