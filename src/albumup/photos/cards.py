"""Is the card or disk that photos were queued from the one that lies there now?

Where its id is a full UUID, that tells. Factory cards share their serial numbers, and much has no id at all: then the
photos themselves are looked at, without opening any. If most of those that are still there are as pinned, it is the
same card, whatever became of the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from msgspec import Struct

from albumup.photos.pins import Pins, as_pinned, is_loose
from albumup.photos.volumes import volume_of


class Medium(Struct, frozen=True):
    """``volume``: its id, or ""; ``card``: the number."""

    volume: str
    card: int


class Seen(Struct, frozen=True):
    """A photo as it was when it was last looked at. ``volume`` is its file system's id, as far as it was known then."""

    id: int
    path: bytes
    volume: str
    pins: Pins


class Look(Struct, frozen=True):
    """How many of a card's photos are still there, and how many of these are as pinned."""

    there: int = 0
    same: int = 0
    is_named: bool = False
    """The id of their file system was unknown, and is known now."""
    is_untouched: bool = False
    """One of them has its status change time still, which nobody can set, on a file system that keeps one."""

    def __add__(self, other: Look) -> Look:
        """A look at the photos of both."""
        return Look(
            self.there + other.there,
            self.same + other.same,
            self.is_named or other.is_named,
            self.is_untouched or other.is_untouched,
        )

    @property
    def is_known(self) -> bool:
        """Most are as pinned; of two photos the one that nobody touched is enough."""
        return 2 * self.same > self.there or (2 * self.same == self.there and self.is_untouched)


def device_at(folder: bytes) -> int:
    """The number (``st_dev``) of the file system that a folder lies on, or lay on when it was there: 0 if that cannot
    be told. Of folders, because an overlay gives its files numbers of their own."""
    while True:
        try:
            return os.stat(folder).st_dev
        except OSError:
            if folder == os.path.dirname(folder):
                return 0
            folder = os.path.dirname(folder)


def look_at(photos: Iterable[Seen], odd: bytes = b"", device: int | None = None) -> Look:
    """Look at photos (stat only) that were queued from one card; the one at ``odd`` is known to have other bytes.

    ``device``: of those only that lie on this file system now, by ``device_at``. Two cards may be mounted below one
    folder, and the photos of one say nothing of the other.
    """
    there = same = 0
    is_named = is_untouched = False
    for photo, status, loose, volume in _looked_at(photos, device):
        there += 1
        if photo.path != odd and as_pinned(photo.pins, status, loose=loose):
            same += 1
            is_named = is_named or bool(volume and not photo.volume)
            is_untouched = is_untouched or (not loose and photo.pins.ctime_ns == status.st_ctime_ns)
    return Look(there, same, is_named, is_untouched)


def named(photos: Iterable[Seen]) -> Iterator[tuple[int, str]]:
    """Those of them (by id) that are as pinned and lie on a file system whose id was unknown, with that id."""
    for photo, status, loose, volume in _looked_at(photos):
        if volume and not photo.volume and as_pinned(photo.pins, status, loose=loose):
            yield photo.id, volume


def _looked_at(photos: Iterable[Seen], device: int | None = None) -> Iterator[tuple[Seen, os.stat_result, bool, str]]:
    """Those that are there, with their status; and of the file system, whether it is a loose one, and its id."""
    systems: dict[int, tuple[bool, str]] = {}
    folders: dict[bytes, int] = {}
    for photo in photos:
        if not photo.pins.size:  # it was never seen
            continue
        try:
            status = os.stat(photo.path)
        except OSError:
            continue
        folder = os.path.dirname(photo.path)
        if device is not None and folder not in folders:
            folders[folder] = device_at(folder)
        if device is not None and folders[folder] != device:
            continue
        if status.st_dev not in systems:
            systems[status.st_dev] = is_loose(photo.path), volume_of(status.st_dev, photo.path)
        loose, volume = systems[status.st_dev]
        yield photo, status, loose, volume
