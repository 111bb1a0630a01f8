"""Pictures, by Pillow and pillow-heif.

Dates: EXIF's DateTimeOriginal, else its DateTimeDigitized, each with the digits and the offset that belong to it
(CIPA DC-008, section 4.6.6), also where they stand beside the make and model, and after each what XMP says of the same.
DateTime, which programs set when they change a file, is no capture date.
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
"""The date, the digits after its point, its offset."""

_FORMATS = ("JPEG", "WEBP", "TIFF", "HEIF", "AVIF")
"""Which of Pillow's readers may look at a file, whatever its name. Not PNG's: to find EXIF it decodes the pixels."""


def can_read(mime: str) -> bool:
    images = _pillow()
    if images is None:
        return False
    if mime in ("image/heic", "image/heif"):
        return "HEIF" in images.OPEN
    return mime != "image/avif" or _has_avif()


def read(file: BinaryIO) -> Metadata | None:
    """What Pillow finds; None if it cannot read the file, or is not installed."""
    images = _pillow()
    if images is None:
        return None
    hush("PIL")
    hush("pillow_heif")
    try:
        with images.open(file, formats=[name for name in _FORMATS if name in images.OPEN]) as image:
            exif, packet = image.getexif(), image.info.get("xmp")
            inner = exif.get_ifd(_EXIF_IFD)
            tags = {tag: inner.get(tag) or exif.get(tag) for tag in (*_ORIGINAL, *_DIGITIZED, _MAKER_NOTE)}
    except Exception:  # noqa: BLE001  Pillow's readers let any exception out on a broken file, down to struct.error
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
    """Tag 0x0011 of Apple's MakerNote: ``Apple iOS``, a version, ``MM``, and from byte 14 an IFD as TIFF has them.

    Apple publishes nothing of it; the layout is exiftool's (lib/Image/ExifTool/Apple.pm). Offsets count from its start.
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
    """Pillow's Image module, made ready to look at any file without decoding or printing anything; None without it."""
    try:
        from PIL import Image
    except ImportError:
        return None
    # Only headers are read here, and a panorama is no decompression bomb.
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
