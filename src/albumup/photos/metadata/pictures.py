"""Reads pictures with Pillow and pillow-heif.

The date is EXIF's DateTimeOriginal, else DateTimeDigitized, each with its sub-second digits and
offset (CIPA DC-008, section 4.6.6), also if they are in the main IFD; after each comes XMP's date
of the same meaning. DateTime is not a capture date: programs set it when they change a file.
"""

from __future__ import annotations

import functools
import struct
from types import ModuleType
from typing import BinaryIO

from albumup.photos.metadata import xmp
from albumup.photos.metadata.quiet import hush
from albumup.photos.metadata.values import Metadata, content_id, first, moment

_EXIF_IFD, _MAKER_NOTE = 0x8769, 0x927C
_ORIGINAL, _DIGITIZED = (0x9003, 0x9291, 0x9011), (0x9004, 0x9292, 0x9012)
"""The tags of a date, its sub-second digits, and its offset."""

_FORMATS = ("JPEG", "WEBP", "TIFF", "HEIF", "AVIF")
"""Pillow's readers that may look at a file, whatever its name. Not PNG's, which decodes the pixels
to find EXIF."""


def can_read(mime: str) -> bool:
    """Can the installed Pillow read files of this type?"""
    images = _pillow()
    if images is None:
        return False
    if mime in ("image/heic", "image/heif"):
        return "HEIF" in images.OPEN
    return mime != "image/avif" or _has_avif()


def read(file: BinaryIO) -> Metadata | None:
    """The metadata that Pillow finds; None if it cannot read the file, or is not installed."""
    images = _pillow()
    if images is None:
        return None
    hush("PIL")
    hush("pillow_heif")
    try:
        with images.open(file, formats=[name for name in _FORMATS if name in images.OPEN]) as image:
            exif, packet = image.getexif(), image.info.get("xmp")
            inner = exif.get_ifd(_EXIF_IFD)
            tags = {
                tag: inner.get(tag) or exif.get(tag)
                for tag in (*_ORIGINAL, *_DIGITIZED, _MAKER_NOTE)
            }
    except Exception:  # noqa: BLE001  Pillow's readers raise any exception on a broken file, even struct.error
        return None
    packet = packet if isinstance(packet, bytes) else b""
    taken = first(
        when
        for tags_of, in_xmp in ((_ORIGINAL, xmp.original), (_DIGITIZED, xmp.digitized))
        for when in (moment(*(_text(tags[tag]) for tag in tags_of)), in_xmp(packet))
    )
    note = tags[_MAKER_NOTE]
    return Metadata(taken, _id_in_note(note) if isinstance(note, bytes) else "")


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value or "")


def _id_in_note(note: bytes) -> str:
    """Tag 0x0011 of Apple's MakerNote, which is ``Apple iOS``, a version, ``MM``, and from byte 14
    an IFD as in TIFF.

    Apple does not document it; the layout is from exiftool (lib/Image/ExifTool/Apple.pm). Offsets
    count from its start.
    """
    if not note.startswith(b"Apple iOS\0") or note[12:14] != b"MM":
        return ""
    count = int.from_bytes(note[14:16], "big")
    for start in range(16, min(16 + 12 * count, len(note) - 11), 12):
        tag, kind, length, value = struct.unpack_from(">HHI4s", note, start)
        if tag == 0x0011 and kind == 2:
            at = start + 8 if length <= 4 else int.from_bytes(value, "big")
            return content_id(note[at : at + length].decode("latin-1"))
    return ""


@functools.cache
def _pillow() -> ModuleType | None:
    """Pillow's Image module, set up to read headers of any file; None if Pillow is not
    installed."""
    try:
        from PIL import Image
    except ImportError:
        return None
    # Only headers are read, and Pillow would take a panorama for a decompression bomb.
    Image.MAX_IMAGE_PIXELS = None
    Image.init()
    try:
        import pillow_heif
    except ImportError:
        return Image
    pillow_heif.register_heif_opener()
    return Image


def _has_avif() -> bool:
    from PIL import features

    return bool(features.check("avif"))
