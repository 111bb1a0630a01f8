"""Metadata values, and parsing them from the texts in files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone

from msgspec import Struct


class Metadata(Struct, frozen=True):
    """``taken``: the capture date, aware if the file names an offset or UTC, else naive; None if
    there is none.

    ``content_id`` is Apple's id that the still and the clip of a live photo share; "" if there is
    none.
    """

    taken: datetime | None = None
    content_id: str = ""


Names = tuple[str, str, str]

ORIGINAL: Names = ("DateTimeOriginal", "SubSecTimeOriginal", "OffsetTimeOriginal")
DIGITIZED: Names = ("DateTimeDigitized", "SubSecTimeDigitized", "OffsetTimeDigitized")
"""EXIF's tags of a date, its sub-second digits and its offset (CIPA DC-008, section 4.6.6)."""

_DAY = (
    r"(?P<year>\d{4})(?P<mark>[:/.-]) ?(?P<month>\d{1,2})(?P=mark) ?(?P<day>\d{1,2})"
    r"(?:[/:]?\s+|[:tT_-])"
)
_TIME = r"(?P<hour>\d{1,2})(?P<colon>[:.]) ?(?P<minute>\d{1,2})(?:(?P=colon) ?(?P<second>\d{1,2}))?"
_HALF = r"\s*(?P<half>[apAP])?(?(half)\.?[mM]\.?)"
_ZONE = r"(?P<offset>(?:GMT|UTC)?[+-]\d[\d:]*|(?![AP]\b)[A-Zz]+)?"
_REST = rf"(?:[.,](?P<subsecond>\d+)|:)?{_HALF}\s*{_ZONE}"
_MOMENT = re.compile(f"{_DAY}{_TIME}{_REST}(?: DST)?[\\s\ufffd]*", re.ASCII)
_MOST_LETTERS = 64
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)[tT](\d\d)(\d\d)(\d\d)", re.ASCII)
_OFFSET = re.compile(r"(?:GMT|UTC)?([+-])(\d\d?)(?::?(\d\d))?", re.ASCII)
_CONTENT_ID = re.compile(r"[!-~]{1,100}")

_FIRST_PHOTOGRAPH, LAST_YEAR = 1826, 9998
"""The first and last year of a believable date; at the calendar's very end, not every offset can be
computed."""

FIRST_CLIP = 1971
"""The first believable year of a clip: clocks that were never set count from 1904 or 1970."""

_UNSET = (datetime(1904, 1, 1), datetime(1970, 1, 1))

_MOST_OFFSET = timedelta(hours=16)
"""No place ever had a larger offset."""


def moment(words: str, subsecond: str = "", offset: str = "") -> datetime | None:
    """Parse a date and time of a camera, of ISO 8601 or of exiftool; None if it is invalid or
    incomplete.

    Cameras leave out zeros and seconds, write slashes and dashes, twelve hours with AM and PM, and
    midnight as hour 24 of the day that it begins. ``subsecond`` (digits) and ``offset``
    (``+02:00``) count if ``words`` have none; an invalid offset is ignored.
    """
    words = _COMPACT.sub(r"\1-\2-\3T\4:\5:\6", _plain(words))
    found = _MOMENT.fullmatch(words) if len(words) <= _MOST_LETTERS else None
    if found is None:
        return None
    year, month, day, hour, minute, second = (
        int(found[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second")
    )
    hour = _hour(hour, (found["half"] or "").lower())
    subsecond = found["subsecond"] or _plain(subsecond)
    fraction = (
        int(subsecond[:6].ljust(6, "0")) if subsecond.isascii() and subsecond.isdecimal() else 0
    )
    try:
        when = datetime(year, month, day, hour, minute, second, fraction)
    except ValueError:
        return None
    zone = zone_of(found["offset"] or offset)
    return None if _is_unset(when, zone) else when.replace(tzinfo=zone)


def first(moments: Iterable[datetime | None]) -> datetime | None:
    """The first that is not None; None if all are."""
    return next((when for when in moments if when is not None), None)


def _is_unset(when: datetime, zone: timezone | None) -> bool:
    """Is the year unbelievable, or the time a clock's zero, in local time or in UTC?"""
    if not _FIRST_PHOTOGRAPH <= when.year <= LAST_YEAR:
        return True
    second = when.replace(microsecond=0)
    return second in _UNSET or (zone is not None and second - zone.utcoffset(None) in _UNSET)


def _plain(words: str) -> str:
    """A text up to its closing NUL, without blanks around it."""
    return words.lstrip("\0").partition("\0")[0].strip()


def _hour(hour: int, half: str) -> int:
    """The hour of the day. ``half``: "a", "p" or "". A camera that writes 18 PM means 18
    o'clock."""
    if half and hour <= 12:
        hour = hour % 12 + 12 * (half == "p")
    return 0 if hour == 24 and not half else hour


def zone_of(offset: str) -> timezone | None:
    """Parse an offset: ``Z``, ``UTC``, ``+02:00``, ``+0200`` or ``+02``; None if it is invalid."""
    offset = _plain(offset).upper()
    if offset in ("Z", "UTC", "GMT"):
        return UTC
    found = _OFFSET.fullmatch(offset)
    if found is None:
        return None
    hours, minutes = int(found[2]), int(found[3] or 0)
    distance = timedelta(hours=hours, minutes=minutes)
    if minutes > 59 or distance > _MOST_OFFSET:
        return None
    return timezone(-distance if found[1] == "-" else distance)


def clip_moment(words: str) -> datetime | None:
    """Like ``moment``, for a clip: its container has 1904 or 1970 if the clock was not set, which
    gives None."""
    when = moment(words)
    return when if when is not None and when.year >= FIRST_CLIP else None


def content_id(words: str) -> str:
    """``words`` if they can be a content id, else ""."""
    words = words.strip(" \0")
    return words if _CONTENT_ID.fullmatch(words) else ""
