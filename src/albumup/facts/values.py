"""Facts, and how the words of files become them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """``taken``: aware where the file names an offset or means UTC, naive where it does not say; None: no such date.

    ``content_id`` is Apple's, which the still and the clip of a live photo share; "" if there is none.
    """

    taken: datetime | None = None
    content_id: str = ""


_MOMENT = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d+))?\s*(Z|UTC|[+-]\d\d:?\d\d)?", re.ASCII)
_OFFSET = re.compile(r"Z|[+-]\d\d:?\d\d", re.ASCII)
_CONTENT_ID = re.compile(r"[!-~]{1,100}")

_FIRST_PHOTOGRAPH, LAST_YEAR = 1826, 9998
"""Years from and to which a date is believed; at the calendar's own ends no other offset can be computed."""

FIRST_CLIP = 1971
"""Clocks that were never set count from 1904 or 1970."""


def moment(words: str, subsecond: str = "", offset: str = "") -> datetime | None:
    """The moment that EXIF, ISO 8601 or exiftool writes as ``words``; None if they name none.

    ``subsecond`` (digits after the point) and ``offset`` (``+02:00``) are used where ``words`` have none of their own.
    """
    found = _MOMENT.match(words.strip(" \0"))
    if found is None:
        return None
    year, month, day, time, own_subsecond, own_offset = found.groups()
    try:
        when = datetime.fromisoformat(f"{year}-{month}-{day}T{time}")
    except ValueError:
        return None
    if not _FIRST_PHOTOGRAPH <= when.year <= LAST_YEAR:
        return None
    subsecond = own_subsecond or subsecond.strip(" \0")
    if subsecond.isascii() and subsecond.isdecimal():
        when = when.replace(microsecond=int(subsecond[:6].ljust(6, "0")))
    offset = (own_offset or offset.strip(" \0")).replace("UTC", "Z")
    if not _OFFSET.fullmatch(offset):
        return when
    try:
        return when.replace(tzinfo=datetime.strptime(offset, "%z").tzinfo)
    except ValueError:
        return when


def clip_moment(words: str) -> datetime | None:
    """The same for a clip, whose container says 1904 or 1970 when its clock was not set."""
    when = moment(words)
    return when if when is not None and when.year >= FIRST_CLIP else None


def content_id(words: str) -> str:
    """``words`` if they can be an identifier, else ""."""
    words = words.strip(" \0")
    return words if _CONTENT_ID.fullmatch(words) else ""
