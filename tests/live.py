"""Live photos made here: a JPEG and a HEIC with Apple's note, and the boxes of a QuickTime
movie."""

from __future__ import annotations

import io
import struct

import pillow_heif
from PIL import ExifTags, Image

KEY = b"com.apple.quicktime.content.identifier"
DATE = b"com.apple.quicktime.creationdate"


def apple_note(identifier: str) -> bytes:
    """Apple's maker note with one entry: tag 0x11, text, its value after the directory."""
    value = identifier.encode() + b"\0"
    directory = struct.pack(">HHHIII", 1, 0x0011, 2, len(value), 14 + 2 + 12 + 4, 0)
    return b"Apple iOS\0\0\1MM" + directory + value


def still(identifier: str, number: int = 0, form: str = "JPEG") -> bytes:
    """A picture with that content identifier; each number has other pixels."""
    pillow_heif.register_heif_opener()
    picture = Image.new("RGB", (16, 16), (number % 256, number // 256, 7))
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = apple_note(identifier)
    out = io.BytesIO()
    picture.save(out, form, exif=exif.tobytes(), quality=90)
    return out.getvalue()


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def clip(
    identifier: str = "", date: str = "", created: int = 0, number: int = 0, *, wide: bool = False
) -> bytes:
    """A movie's boxes: ftyp, some media (``number`` of it), and a header with that metadata."""
    texts = [(key, text.encode()) for key, text in ((KEY, identifier), (DATE, date)) if text]
    keys = b"".join(box(b"mdta", key) for key, _ in texts)
    values = b"".join(
        box(struct.pack(">I", index), box(b"data", struct.pack(">II", 1, 0) + text))
        for index, (_, text) in enumerate(texts, 1)
    )
    handler = box(b"hdlr", bytes(8) + b"mdta" + bytes(12))
    meta = box(
        b"meta",
        handler + box(b"keys", struct.pack(">II", 0, len(texts)) + keys) + box(b"ilst", values),
    )
    times = struct.pack(">QQ", created, created) if wide else struct.pack(">II", created, created)
    header = box(b"mvhd", bytes([wide]) + bytes(3) + times + bytes(80))
    media = b"media %d" % number * 50
    mdat = struct.pack(">I4sQ", 1, b"mdat", 16 + len(media)) + media
    return box(b"ftyp", b"qt  \0\0\0\0qt  ") + mdat + box(b"moov", header + meta)
