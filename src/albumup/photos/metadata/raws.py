"""Reads EXIF with exifread, which decodes no pixels: PNG, JPEG XL, RAW formats based on TIFF."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import BinaryIO

from albumup.photos.metadata.quiet import hush
from albumup.photos.metadata.values import DIGITIZED, ORIGINAL, Metadata, Names, first, moment


def can_read() -> bool:
    """Is exifread installed?"""
    return _exifread() is not None


def read(file: BinaryIO) -> Metadata | None:
    """The metadata that exifread finds; None if it finds no date, or is not installed."""
    reader = _exifread()
    if reader is None:
        return None
    hush("exifread")
    try:
        tags = reader.process_file(
            file, details=False, extract_thumbnail=False, builtin_types=False
        )

        def said(names: Names) -> list[str]:
            # TIFF/EP, and so DNG, also allows the date in the main IFD.
            found = (tags.get(f"EXIF {name}") or tags.get(f"Image {name}") for name in names)
            return [str(getattr(tag, "values", "")) for tag in found]

        taken = first(moment(*said(names)) for names in (ORIGINAL, DIGITIZED))
    except Exception:  # noqa: BLE001  exifread raises any exception on a broken file
        return None
    return Metadata(taken) if taken is not None else None


@functools.cache
def _exifread() -> ModuleType | None:
    try:
        import exifread
    except ImportError:
        return None
    return exifread
