"""Clips in QuickTime's container and its heirs (MOV, MP4, M4V, 3GP): the few boxes that say when, read here.

MediaInfo's library reads them too, but files of two kilobytes can make it take gigabytes and minutes, in our process.

Dates: Apple's ``com.apple.quicktime.creationdate``, which has an offset; else the creation time of the movie header,
which is UTC (ISO/IEC 14496-12, section 8.2.2), though some cameras write their own clock's time there.
Sources: ISO/IEC 14496-12, section 4.2 (boxes) and 8.2.2 (mvhd); QuickTime File Format, "Metadata" (keys and ilst).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from albumup.facts.patience import PatientFile
from albumup.facts.values import FIRST_CLIP, LAST_YEAR, Facts, clip_moment, content_id

_MOST_LENGTH = 1 << 20
"""Bytes of names, or of a value, that are looked at."""

_PREFIX = b"com.apple.quicktime."
_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)


class _Broken(Exception):
    """No container of this kind, or a torn one."""


def read(file: PatientFile) -> Facts | None:
    """What the movie's boxes say; None if there is no movie to be read."""
    try:
        end = file.seek(0, 2)
        movie = next((inside for kind, inside in _boxes(file, 0, end) if kind == b"moov"), None)
        if movie is None:
            return None
    except (OSError, _Broken):
        return None
    made: datetime | None = None
    said: dict[bytes, str] = {}
    # What comes before the damage still counts.
    with contextlib.suppress(OSError, _Broken):
        for kind, inside in _boxes(file, *movie):
            if kind == b"mvhd":
                made = _creation_time(file, *inside)
            elif kind == b"meta":
                said = _metadata(file, *inside)
    taken = clip_moment(said.get(b"creationdate", ""))
    return Facts(taken if taken is not None else made, content_id(said.get(b"content.identifier", "")))


def _boxes(file: PatientFile, start: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Each box between two offsets: its kind, and where its content starts and ends. Raises OSError, _Broken.

    However many there are, the file's patience ends.
    """
    while end - start >= 8:
        head = _bytes(file, start, 8)
        length, kind, inside = int.from_bytes(head[:4], "big"), head[4:], start + 8
        if length == 1:
            length, inside = int.from_bytes(_bytes(file, inside, 8), "big"), inside + 8
        after = start + length if length else end  # 0: up to the end
        if not inside <= after <= end:
            raise _Broken
        yield kind, (inside, after)
        start = after


def _bytes(file: PatientFile, start: int, length: int) -> bytes:
    file.seek(start)
    block = file.read(min(length, _MOST_LENGTH))
    if len(block) < length:
        raise _Broken
    return block


def _creation_time(file: PatientFile, start: int, end: int) -> datetime | None:
    """Of a movie header: seconds since 1904, in 32 bits or in 64."""
    version = _bytes(file, start, 1)[0]
    width = 8 if version == 1 else 4
    if end - start < 4 + width:
        raise _Broken
    try:
        made = _EPOCH + timedelta(seconds=int.from_bytes(_bytes(file, start + 4, width), "big"))
    except OverflowError:
        return None
    return made if FIRST_CLIP <= made.year <= LAST_YEAR else None


def _metadata(file: PatientFile, start: int, end: int) -> dict[bytes, str]:
    """Apple's texts by their names without ``com.apple.quicktime.``."""
    names: list[bytes] = []
    values: dict[int, str] = {}
    if _bytes(file, start, 8)[4:] != b"hdlr":
        start += 4  # ISO's has a version and flags before its boxes, QuickTime's has not
    for kind, (inside, after) in _boxes(file, start, end):
        if kind == b"keys":  # version and flags, a count, then a box for each name, numbered from 1
            names = [_bytes(file, at, to - at) for _, (at, to) in _boxes(file, inside + 8, after)]
        elif kind == b"ilst":  # a box for each value; its kind is the number of its name
            for number, item in _boxes(file, inside, after):
                for what, (at, to) in _boxes(file, *item):
                    # The type of the value (1: UTF-8), its language, the value.
                    if what == b"data" and to - at > 8 and _bytes(file, at, 4) == b"\0\0\0\1":
                        text = _bytes(file, at + 8, to - at - 8).decode(errors="replace")
                        values.setdefault(int.from_bytes(number, "big"), text)
    return {
        name.removeprefix(_PREFIX): values[number]
        for number, name in enumerate(names, 1)
        if name.startswith(_PREFIX) and number in values
    }
