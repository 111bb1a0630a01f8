"""Whose is a sidecar? ``IMG_1.xmp`` is what a photo editor wrote of the RAW of that stem, not of a JPG made from it.

The photos are told by suffix: what a file holds says nothing of which one the editor had open.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable

MOST_SIDECAR = 1 << 20
"""Bytes; what is larger is no sidecar, and stays where it is."""

_RANKS: tuple[frozenset[bytes], ...] = (
    # What cameras write raw: of Immich's own table (server/src/utils/mime-types.ts), of dcraw and of libraw.
    frozenset(
        b".3fr .ari .arw .bay .cap .cin .cr2 .cr3 .crw .dcr .dcs .dng .drf .eip .erf .fff .gpr .iiq .k25 .kdc .mdc"
        b" .mef .mos .mrw .nef .nrw .orf .ori .pef .ptx .pxn .raf .raw .rw2 .rwl .rwz .sr2 .srf .srw .x3f".split()
    ),
    frozenset(b".heic .heif .hif .tif .tiff .psd .insp".split()),
    frozenset(b".jpg .jpeg .jpe .jxl".split()),
    frozenset(b".avif .bmp .gif .jp2 .png .svg .webp".split()),
    frozenset(
        b".3g2 .3gp .3gpp .avi .flv .insv .m2t .m2ts .m4v .mkv .mov .mp4 .mpe .mpeg .mpg .mts .mxf .qt .vob .webm"
        b" .wmv".split()
    ),
)
"""Suffixes of photos and clips, in the order in which they are likely to have been there first."""


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
        if stem == base and (rank := _rank(suffix.lower())) is not None:
            found.append((rank, name))
    return min(found)[1] if found else None


def is_named_as_media(name: bytes) -> bool:
    """Does its suffix say that it is a photo or a clip?"""
    return _rank(os.path.splitext(name)[1].lower()) is not None


def _rank(suffix: bytes) -> int | None:
    return next((rank for rank, suffixes in enumerate(_RANKS) if suffix in suffixes), None)


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
