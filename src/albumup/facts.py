"""What a media file says of itself besides its picture: when it was taken, and which live photo it is a part of.

EXIF is read by Pillow (the extra ``photos``), the headers of MOV and MP4 here: a few boxes of ISO/IEC 14496-12 and of
Apple's QuickTime File Format (https://developer.apple.com/documentation/quicktime-file-format). Only headers are read,
and nothing that is wrong with a file raises anything.
"""

from __future__ import annotations

import functools
import re
import struct
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import BinaryIO

_EXIF, _MAKER_NOTE = 0x8769, 0x927C
_APPLE = b"Apple iOS\0"
_APPLE_CONTENT_ID = 0x0011
_APPLE_IFD = 14
"""Where the directory begins within Apple's note: after its name, its version and the mark of its byte order."""
_EXIF_TIME = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)")
_QUICKTIME_ID = b"com.apple.quicktime.content.identifier"
_QUICKTIME_DATE = b"com.apple.quicktime.creationdate"
_QUICKTIME_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)
_MOST_MOOV = 64 << 20
"""Bytes of a movie's header; what is larger is none."""
_MOST_BOXES = 10_000
_VIDEO = frozenset({"video/mp4", "video/quicktime", "video/x-m4v", "video/3gpp", "video/3gpp2"})


def content_id(path: bytes, mime: str) -> str:
    """Apple's content identifier, equal in the still and the clip of a live photo; "" if there is none to be read."""
    if mime in _VIDEO:
        return _movie(path).get(_QUICKTIME_ID, "")
    try:
        note = _exif(path)[_MAKER_NOTE]
        return _apple_content_id(note if isinstance(note, bytes) else b"")
    except Exception:  # noqa: BLE001  Pillow's readers let any exception out on a broken file, down to struct.error
        return ""


def can_read_ids() -> bool:
    """Are the identifiers of stills read on this machine?"""
    return _pillow() is not None


def capture_date(path: bytes, mime: str = "") -> datetime | None:
    """When it was taken; naive where the file names no offset, None where it holds no readable date.

    EXIF DateTimeOriginal with SubSecTimeOriginal and OffsetTimeOriginal (CIPA DC-008); of a movie the creation date of
    the camera, with its offset, else the time of its header, which is UTC.
    """
    if mime in _VIDEO:
        return _movie_date(_movie(path))
    try:
        exif = _exif(path)
        taken = _EXIF_TIME.match(str(exif[0x9003]))
        if taken is None:
            return None
        moment = datetime.fromisoformat("{}-{}-{}T{}:{}:{}".format(*taken.groups()))
        subsecond, offset = str(exif.get(0x9291, "")).strip(" \0"), str(exif.get(0x9011, "")).strip(" \0")
    except Exception:  # noqa: BLE001  as above
        return None
    if subsecond.isdecimal():
        moment = moment.replace(microsecond=int(subsecond[:6].ljust(6, "0")))
    try:
        return moment.replace(tzinfo=datetime.strptime(offset, "%z").tzinfo)
    except ValueError:
        return moment


def can_read_dates(mime: str = "") -> bool:
    """Are the dates of such files read on this machine? Movies always are, pictures with Pillow (extra ``photos``)."""
    return mime in _VIDEO or _pillow() is not None


# Pictures.


def _exif(path: bytes) -> dict[int, object]:
    """The EXIF directory of a picture. Raises whatever Pillow does, LookupError without it."""
    images = _pillow()
    if images is None:
        raise LookupError("Pillow is not installed")
    with open(path, "rb") as file, images.open(file) as image:
        return dict(image.getexif().get_ifd(_EXIF))


def _apple_content_id(note: bytes) -> str:
    """From Apple's maker note: a directory as TIFF has it, big-endian, its offsets counted from the note's begin."""
    if not note.startswith(_APPLE):
        return ""
    (count,) = struct.unpack_from(">H", note, _APPLE_IFD)
    for entry in range(count):
        tag, kind, length, where = struct.unpack_from(">HHII", note, _APPLE_IFD + 2 + 12 * entry)
        if tag == _APPLE_CONTENT_ID and kind == 2 and 4 < length <= 256:
            return note[where : where + length].rstrip(b"\0").decode("ascii")
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
    try:
        import pillow_heif
    except ImportError:
        return Image
    pillow_heif.register_heif_opener()
    return Image


# Movies.


def _movie(path: bytes) -> dict[bytes, str]:
    """What a movie's header says: its metadata by key, and under ``mvhd`` the seconds since 1904 of its creation."""
    try:
        with open(path, "rb") as file:
            moov = _moov(file)
        return _metadata(moov)
    except (OSError, struct.error, ValueError, IndexError):
        return {}


def _moov(file: BinaryIO) -> bytes:
    """The movie box's content; what is before it, gigabytes perhaps, is passed over."""
    for _ in range(_MOST_BOXES):
        head = file.read(8)
        size, kind = struct.unpack(">I4s", head)
        begin = 8
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
            begin = 16
        if kind == b"moov":
            length = size - begin if size else _MOST_MOOV
            return file.read(length) if 0 < length <= _MOST_MOOV else b""
        if size < begin:
            return b""
        file.seek(size - begin, 1)
    return b""


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes in ``data``, with 32-bit sizes as headers have them: kind and content."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8:
            return
        yield kind, data[at + 8 : at + size]
        at += size


def _metadata(moov: bytes) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    for kind, content in _boxes(moov):
        if kind == b"mvhd":
            wide = content[:1] == b"\1"
            found[b"mvhd"] = str(struct.unpack_from(">Q" if wide else ">I", content, 4)[0])
        elif kind == b"meta":
            # MP4 has four bytes of version before its boxes, QuickTime has not.
            boxes = dict(_boxes(content if content[4:8] == b"hdlr" else content[4:]))
            found |= _keyed(boxes.get(b"keys", b""), boxes.get(b"ilst", b""))
    return found


def _keyed(keys: bytes, values: bytes) -> dict[bytes, str]:
    """Metadata of QuickTime: a list of names, and text values by their number in it."""
    names = [name for _, name in _boxes(keys[8:])]
    found = {}
    for number, content in _boxes(values):
        index = int.from_bytes(number, "big")
        for kind, data in _boxes(content):
            if kind == b"data" and 0 < index <= len(names) and data[:4] == b"\0\0\0\1":  # UTF-8 text
                found[names[index - 1]] = data[8:].decode(errors="replace").strip()
    return found


def _movie_date(movie: dict[bytes, str]) -> datetime | None:
    for form in ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"):
        try:
            return datetime.strptime(movie.get(_QUICKTIME_DATE, ""), form)
        except ValueError:
            continue
    seconds = int(movie.get(b"mvhd", "0"))
    try:
        moment = _QUICKTIME_EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        return None
    # Cameras without a clock write nothing, or the beginning of some time.
    return moment if moment.year > 1970 else None
