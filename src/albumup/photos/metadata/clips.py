"""Reads the date of clips in QuickTime's container and its successors (MOV, MP4, M4V, 3GP).

MediaInfo's library would do it, too, but two kilobytes of file can cost it gigabytes and minutes,
in our process.

Dates count in this order: Apple's ``com.apple.quicktime.creationdate``, which has an offset;
``date`` of phones, ``IDIT`` of dashcams, and ``©day`` of others, if it has a time of day; the
creation time in the movie's header, else in its first track's. Headers are in UTC (ISO/IEC
14496-12, sections 8.2.2, 8.3.2 and 8.4.2), though some cameras write local time, and phones the end
of the recording.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from albumup.photos.metadata.bounded_file import BoundedFile
from albumup.photos.metadata.boxes import Broken, Span, boxes, part, texts
from albumup.photos.metadata.values import (
    FIRST_CLIP,
    LAST_YEAR,
    Metadata,
    clip_moment,
    content_id,
    first,
)

_PREFIX = "com.apple.quicktime."
_DATES = (_PREFIX + "creationdate", "date", "IDIT", "\xa9day")

_HEADERS = {b"moov": (b"mvhd", b"trak"), b"trak": (b"tkhd", b"mdia"), b"mdia": (b"mdhd", b"")}
"""For each box, its header and the inner box that also has a header."""

_EPOCH, _UNIX_EPOCH = (datetime(year, 1, 1, tzinfo=UTC) for year in (1904, 1970))
_FIRST_MOVIE = 1991
"""The year of QuickTime's first version."""


def read(file: BoundedFile) -> Metadata | None:
    """The movie's metadata; None if there is no readable movie."""
    try:
        end = file.seek(0, 2)
        movie = next((inside for kind, inside in boxes(file, 0, end) if kind == b"moov"), None)
    except (OSError, Broken):
        return None
    if movie is None:
        return None
    said = texts(file, movie)
    taken = first(clip_moment(said.get(name, "")) for name in _DATES)
    if taken is None:
        taken = next(_until_damage(_header_times(file, movie)), None)
    return Metadata(taken, content_id(said.get(_PREFIX + "content.identifier", "")))


def _until_damage(times: Iterator[datetime]) -> Iterator[datetime]:
    with contextlib.suppress(OSError, Broken):
        yield from times


def _header_times(file: BoundedFile, span: Span, within: bytes = b"moov") -> Iterator[datetime]:
    """The creation times in the headers of a movie, its tracks and their media. Raises OSError,
    Broken."""
    header, deeper = _HEADERS[within]
    for kind, inside in boxes(file, *span):
        if kind == header and (made := _creation_time(file, *inside)) is not None:
            yield made
        elif kind == deeper:
            yield from _header_times(file, inside, kind)


def _creation_time(file: BoundedFile, start: int, end: int) -> datetime | None:
    """A header's creation time, in seconds since 1904; None if the clock was not set.

    Some programs count from 1970: a time before that year is taken for theirs.
    """
    version = part(file, start, 1)[0]
    width = 8 if version == 1 else 4
    if end - start < 4 + width:
        raise Broken
    try:
        seconds = timedelta(seconds=int.from_bytes(part(file, start + 4, width), "big"))
        made, oldest = _EPOCH + seconds, FIRST_CLIP
        if made < _UNIX_EPOCH:
            made, oldest = _UNIX_EPOCH + seconds, _FIRST_MOVIE
    except OverflowError:
        return None
    return made if oldest <= made.year <= LAST_YEAR else None
