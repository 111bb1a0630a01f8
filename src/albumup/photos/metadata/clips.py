"""Clips in QuickTime's container and its heirs (MOV, MP4, M4V, 3GP): the few boxes that say when, read here.

MediaInfo's library reads them too, but files of two kilobytes can make it take gigabytes and minutes, in our process.

Dates, in this order: Apple's ``com.apple.quicktime.creationdate``, which has an offset; what phones write as ``date``,
dashcams as ``IDIT``, and others as ``©day``, where it names a time of day; the creation time of the movie's header,
else of its first track's. Headers are UTC (ISO/IEC 14496-12, sections 8.2.2, 8.3.2 and 8.4.2), though some cameras
write their own clock's time there, and phones the end of the recording.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from albumup.photos.metadata.bounded_file import BoundedFile
from albumup.photos.metadata.boxes import Broken, Span, boxes, part, texts
from albumup.photos.metadata.values import FIRST_CLIP, LAST_YEAR, Metadata, clip_moment, content_id, first

_PREFIX = "com.apple.quicktime."
_SAID = (_PREFIX + "creationdate", "date", "IDIT", "\xa9day")

_HEADERS = {b"moov": (b"mvhd", b"trak"), b"trak": (b"tkhd", b"mdia"), b"mdia": (b"mdhd", b"")}
"""The header in a box, and the box in it that has a header too."""

_EPOCH, _UNIX_EPOCH = (datetime(year, 1, 1, tzinfo=UTC) for year in (1904, 1970))
_FIRST_MOVIE = 1991
"""QuickTime is no older."""


def read(file: BoundedFile) -> Metadata | None:
    """What the movie's boxes say; None if there is no movie to be read."""
    try:
        end = file.seek(0, 2)
        movie = next((inside for kind, inside in boxes(file, 0, end) if kind == b"moov"), None)
    except (OSError, Broken):
        return None
    if movie is None:
        return None
    said = texts(file, movie)
    taken = first(clip_moment(said.get(name, "")) for name in _SAID)
    if taken is None:
        taken = next(_damaged(_header_times(file, movie)), None)
    return Metadata(taken, content_id(said.get(_PREFIX + "content.identifier", "")))


def _damaged(times: Iterator[datetime]) -> Iterator[datetime]:
    """What comes before damage counts."""
    with contextlib.suppress(OSError, Broken):
        yield from times


def _header_times(file: BoundedFile, span: Span, within: bytes = b"moov") -> Iterator[datetime]:
    """What the headers of a movie, of its tracks, and of their media say. Raises OSError, Broken."""
    header, deeper = _HEADERS[within]
    for kind, inside in boxes(file, *span):
        if kind == header and (made := _creation_time(file, *inside)) is not None:
            yield made
        elif kind == deeper:
            yield from _header_times(file, inside, kind)


def _creation_time(file: BoundedFile, start: int, end: int) -> datetime | None:
    """Of a header: seconds since 1904, in 32 bits or in 64; None where its clock was not set.

    Some programs count from 1970: what they write would be long before there were movies.
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
