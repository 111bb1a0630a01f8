"""AVI: reads the date of recording.

``IDIT`` has it in the format of the C library or of EXIF. Some cameras write ``ICRD``, Nikon's
write a list of their own, others EXIF beside a stream's description. None of these names an offset.
Sources: Microsoft's "AVI RIFF File Reference"; exiftool (lib/Image/ExifTool/RIFF.pm, Nikon.pm) for
what cameras add.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from albumup.photos.metadata import raws
from albumup.photos.metadata.bounded_file import BoundedFile
from albumup.photos.metadata.boxes import Broken, Span, part
from albumup.photos.metadata.values import Metadata, clip_moment, first

_MOST_CHUNKS = 2000
_MOST_LENGTH = 1 << 16
"""The most bytes of a value that are read."""

_LISTS = (b"hdrl", b"strl", b"INFO", b"ncdt")
_DEEPEST = 3

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_PRINTED = re.compile(
    r"[a-z]{3} +([a-z]{3}) +(\d{1,2}) +(\d\d?:\d\d:\d\d) +(?:[a-z]{3,4} +)?(\d{4})", re.I
)

_NIKONS_DATE = 0x13


def read(file: BoundedFile) -> Metadata | None:
    """The date in the chunks; None if there is none."""
    found: dict[bytes, datetime] = {}
    with contextlib.suppress(OSError, Broken):
        end = file.seek(0, 2)
        for kind, span in islice(_chunks(file, (12, end)), _MOST_CHUNKS):
            when = _date(file, kind, span)
            if when is not None:
                found.setdefault(kind, when)
    taken = first(found.get(kind) for kind in (b"IDIT", b"nctg", b"strd", b"ICRD"))
    return Metadata(taken) if taken is not None else None


def _chunks(file: BoundedFile, span: Span, depth: int = 0) -> Iterator[tuple[bytes, Span]]:
    """Every chunk, also within lists that can hold a date; each ends no later than its list. Raises
    OSError, Broken."""
    start, end = span
    while end - start >= 8:
        head = part(file, start, 8)
        kind, inside = head[:4], start + 8
        after = min(inside + int.from_bytes(head[4:], "little"), end)
        if kind == b"LIST" and after - inside >= 4:
            if depth < _DEEPEST and part(file, inside, 4) in _LISTS:
                yield from _chunks(file, (inside + 4, after), depth + 1)
        else:
            yield kind, (inside, after)
        start = after + (after - inside) % 2


def _date(file: BoundedFile, kind: bytes, span: Span) -> datetime | None:
    start, end = span
    if kind in (b"IDIT", b"ICRD"):
        return _moment(_text(file, span))
    if kind == b"nctg":
        return _nikons(part(file, start, min(end - start, _MOST_LENGTH)))
    if kind == b"strd" and end - start > 8 and part(file, start, 4) == b"AVIF":
        exif = raws.read(io.BytesIO(part(file, start + 8, min(end - start - 8, _MOST_LENGTH))))
        return exif.taken if exif is not None else None
    return None


def _text(file: BoundedFile, span: Span) -> str:
    start, end = span
    return part(file, start, min(end - start, _MOST_LENGTH)).decode("latin-1")


def _nikons(block: bytes) -> datetime | None:
    """The date in Nikon's list, which is a sequence of number, length and value."""
    at = 0
    while at + 4 <= len(block):
        number, length = (int.from_bytes(block[at + n : at + n + 2], "little") for n in (0, 2))
        if number == _NIKONS_DATE:
            return _moment(block[at + 4 : at + 4 + length].decode("latin-1"))
        at += 4 + length
    return None


def _moment(words: str) -> datetime | None:
    """Like ``clip_moment``, and also reads ``Tue Oct 27 12:14:00 2009``."""
    printed = _PRINTED.match(words.strip(" \0"))
    if printed is None:
        return clip_moment(words)
    month, day, time, year = printed.groups()
    if month.lower() not in _MONTHS:
        return None
    return clip_moment(f"{year}:{_MONTHS.index(month.lower()) + 1}:{day} {time}")
