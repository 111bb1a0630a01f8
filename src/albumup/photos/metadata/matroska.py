"""Matroska and WebM: reads the segment's ``DateUTC``, in nanoseconds since 2001.

Sources: RFC 8794 (EBML: sections 4 and 6), RFC 9559 (Matroska: sections 5.1.2.7 DateUTC and 5.1.3
Cluster).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from albumup.photos.metadata.bounded_file import BoundedFile
from albumup.photos.metadata.boxes import Broken, Span, part
from albumup.photos.metadata.values import FIRST_CLIP, LAST_YEAR, Metadata

_SEGMENT, _INFO, _CLUSTER, _DATE = 0x18538067, 0x1549A966, 0x1F43B675, 0x4461

_EPOCH = datetime(2001, 1, 1, tzinfo=UTC)

_MOST_ELEMENTS = 4000
"""The most elements before the date; an hour's film has about as many clusters."""


def read(file: BoundedFile) -> Metadata | None:
    """The date in the segment's information; None if there is none."""
    with contextlib.suppress(OSError, Broken):
        end = file.seek(0, 2)
        for segment in _elements(file, (0, end), _SEGMENT):
            for info in _elements(file, segment, _INFO):
                for date in _elements(file, info, _DATE):
                    taken = _moment(file, date)
                    return Metadata(taken) if taken is not None else None
    return None


def _elements(file: BoundedFile, span: Span, wanted: int) -> Iterator[Span]:
    """The spans of the elements of one kind within an element. Raises OSError, Broken.

    An element of unknown length ends with the outer one; a cluster of unknown length (a live
    stream) ends the search.
    """
    start, end = span
    for _ in range(_MOST_ELEMENTS):
        if end - start < 2:
            return
        head = part(file, start, min(12, end - start))
        kind, after_kind = _number(head, 0, keep_mark=True)
        length, after_length = _number(head, after_kind)
        inside = start + after_length
        is_endless = length == (1 << 7 * (after_length - after_kind)) - 1
        after = end if is_endless else min(inside + length, end)
        if kind == wanted:
            yield inside, after
        elif kind == _CLUSTER and is_endless:
            return
        start = after


def _number(block: bytes, at: int, *, keep_mark: bool = False) -> tuple[int, int]:
    """A number of variable length, and its end: the position of its first 1 bit tells its length.
    Raises Broken."""
    if at >= len(block) or not block[at]:
        raise Broken
    width = 9 - block[at].bit_length()
    number = int.from_bytes(block[at : at + width], "big")
    if at + width > len(block):
        raise Broken
    return number if keep_mark else number & (1 << 7 * width) - 1, at + width


def _moment(file: BoundedFile, span: Span) -> datetime | None:
    start, end = span
    if end - start != 8:
        return None
    nanoseconds = int.from_bytes(part(file, start, 8), "big", signed=True)
    try:
        when = _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return None
    return when if nanoseconds and FIRST_CLIP <= when.year <= LAST_YEAR else None
