"""Whose is a sidecar? ``IMG_1.xmp`` is what a photo editor wrote of the RAW of that stem, not of a JPG made from it.

The photos are told by suffix: what a file holds says nothing of which one the editor had open.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

from albumup.photos.types import TYPES, Kind, MediaType

MOST_SIDECAR = 1 << 20
"""Bytes; what is larger is no sidecar, and stays where it is."""

_LIKE_RAW = {"image/heic", "image/heif", "image/tiff", "image/vnd.adobe.photoshop"}
_DEVELOPED = {"image/jpeg", "image/jxl"}


def _rank_of(one: MediaType) -> int:
    """The order in which photos and clips of one stem are likely to have been there first."""
    if one.kind is not Kind.PICTURE:
        return 0 if one.kind is Kind.RAW else 4
    if one.mime in _LIKE_RAW:
        return 1
    return 2 if one.mime in _DEVELOPED else 3


_RANKS = {suffix.encode(): _rank_of(one) for one in TYPES for suffix in one.suffixes} | {b".insp": 1, b".svg": 3}
"""The rank of each suffix of our table. Insta360's .insp is a JPEG, and as good as raw; only Immich takes .svg."""


def owner_of(sidecar: bytes, names: Iterable[bytes]) -> bytes | None:
    """Which of the ``names`` in its folder a sidecar (its base name) is of; None: of none.

    ``IMG_1.CR3.xmp`` is that file's. ``IMG_1.xmp`` is the RAW's of that stem, else the picture's, else the clip's.
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
    """Is there another sidecar of the same photo among the ``names`` in its folder, which says the whole name?

    Of IMG_1.xmp and IMG_1.JPG.xmp the second goes with IMG_1.JPG.
    """
    return os.path.splitext(sidecar)[0] != owner and any(
        base == owner and suffix.lower() == b".xmp" for base, suffix in map(os.path.splitext, names)
    )


class Folders:
    """The names in folders, each listed once: sidecars come folder by folder."""

    def __init__(self) -> None:
        self._last: tuple[bytes, dict[bytes, list[bytes]]] = (b"", {})

    def beside(self, path: bytes) -> list[bytes]:
        """The names in a file's folder that begin as its own does, up to the first point; none if nobody can look."""
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
    """Its SHA-256 (hex); "" if it cannot be read, or is too large for one."""
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_SIDECAR + 1)
    except OSError:
        return ""
    return hashlib.sha256(content).hexdigest() if len(content) <= MOST_SIDECAR else ""


def fits(path: bytes) -> bool:
    """Is there something in it, and no more than a sidecar holds?"""
    try:
        return 0 < os.stat(path).st_size <= MOST_SIDECAR
    except OSError:
        return False
