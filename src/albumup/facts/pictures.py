"""Pictures, by Pillow and pillow-heif; PNG and RAW by exifread, which needs neither to decode nor to know the pixels.

Dates: EXIF DateTimeOriginal with SubSecTimeOriginal and OffsetTimeOriginal (CIPA DC-008, section 4.6.6).
DateTimeDigitized is no capture date: cameras write both, and whoever writes it alone is a scanner.
"""

from __future__ import annotations

import functools
import logging
import struct
import warnings
from types import ModuleType

from albumup.facts.patience import PatientFile
from albumup.facts.values import Facts, content_id, moment

_EXIF_IFD, _MAKER_NOTE = 0x8769, 0x927C
_DATE, _SUBSECOND, _OFFSET = 0x9003, 0x9291, 0x9011

_FORMATS = ("JPEG", "WEBP", "TIFF", "HEIF", "AVIF")
"""Which of Pillow's readers may look at a file, whatever its name. Not PNG's: to find EXIF it decodes the pixels."""


def can_read(mime: str) -> bool:
    images = _pillow()
    if images is None:
        return False
    if mime in ("image/heic", "image/heif"):
        return "HEIF" in images.OPEN
    return mime != "image/avif" or _has_avif()


def read(file: PatientFile) -> Facts | None:
    """What Pillow finds; None if it cannot read the file, or is not installed."""
    images = _pillow()
    if images is None:
        return None
    try:
        with images.open(file, formats=[name for name in _FORMATS if name in images.OPEN]) as image:
            exif = image.getexif().get_ifd(_EXIF_IFD)
            taken = moment(*(str(exif.get(tag, "")) for tag in (_DATE, _SUBSECOND, _OFFSET)))
            note = exif.get(_MAKER_NOTE)
    except Exception:  # noqa: BLE001  Pillow's readers let any exception out on a broken file, down to struct.error
        return None
    return Facts(taken, _id_in_note(note) if isinstance(note, bytes) else "")


def can_read_tiff() -> bool:
    return _exifread() is not None


def read_tiff(file: PatientFile) -> Facts | None:
    """What exifread finds in a PNG or in a RAW file built on TIFF; None if it finds no date, or is not installed."""
    reader = _exifread()
    if reader is None:
        return None
    try:
        tags = reader.process_file(file, details=False, extract_thumbnail=False, builtin_types=False)
        # TIFF/EP, and so DNG, also allows the date beside the make and model.
        taken = moment(
            *(
                str(getattr(tags.get(f"EXIF {name}") or tags.get(f"Image {name}"), "values", ""))
                for name in ("DateTimeOriginal", "SubSecTimeOriginal", "OffsetTimeOriginal")
            )
        )
    except Exception:  # noqa: BLE001  as Pillow's
        return None
    return Facts(taken) if taken is not None else None


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
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").setLevel(logging.CRITICAL + 1)  # nor is a broken file news
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


@functools.cache
def _exifread() -> ModuleType | None:
    try:
        import exifread
    except ImportError:
        return None
    logging.getLogger("exifread").setLevel(logging.CRITICAL + 1)  # a broken file is no news
    return exifread
