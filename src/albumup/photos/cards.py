"""Is the card or disk that lies there now the one that photos were queued from?

A full UUID answers that. But factory cards share their serial numbers, and some file systems have
no id. There, the queued photos are compared with their pins, without opening any. If most of those
still there match, it is the same card, whatever became of the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from msgspec import Struct

from albumup.photos.file_names import folder_of
from albumup.photos.pins import Pins, as_pinned, is_loose
from albumup.photos.volumes import volume_of

_SAMPLES = 3


class Medium(Struct, frozen=True):
    """A card or disk. ``volume``: its id, or ""; ``card``: the journal's number for it."""

    volume: str
    card: int


class Seen(Struct, frozen=True):
    """A photo as of the last look. ``volume`` is its file system's id, or "" if unknown then."""

    id: int
    path: bytes
    volume: str
    pins: Pins


class Look(Struct, frozen=True):
    """How many of a card's photos are still there, and how many of these match their pins."""

    there: int = 0
    same: int = 0
    is_named: bool = False
    """The id of their file system was unknown, and is known now."""
    is_untouched: bool = False
    """One photo still has its status change time, which nobody can set, where one is kept."""
    samples: tuple[Seen, ...] = ()
    """A few of those that match: while one of them does, it is still the same card."""

    def __add__(self, other: Look) -> Look:
        """The sum of two looks."""
        return Look(
            self.there + other.there,
            self.same + other.same,
            self.is_named or other.is_named,
            self.is_untouched or other.is_untouched,
            (self.samples + other.samples)[:_SAMPLES],
        )

    @property
    def is_known(self) -> bool:
        """True if most photos match; one of two is enough if nobody touched it."""
        return 2 * self.same > self.there or (2 * self.same == self.there and self.is_untouched)


def device_at(folder: bytes) -> int:
    """The device number (``st_dev``) of a folder, or of its nearest ancestor that exists; 0 if
    there is none.

    Not for files: an overlay file system gives them numbers of their own.
    """
    while True:
        try:
            return os.stat(folder).st_dev
        except OSError:
            if folder == os.path.dirname(folder):
                return 0
            folder = os.path.dirname(folder)


def look_at(photos: Iterable[Seen], odd: bytes = b"", device: int | None = None) -> Look:
    """Compare photos queued from one card with their pins, by stat only. The photo at ``odd`` is
    known to differ.

    ``device``: leave out photos whose folder lies on another device now (``device_at``). Two cards
    may be mounted below one folder, and the photos of one prove nothing about the other.
    """
    there = same = 0
    is_named = is_untouched = False
    samples: list[Seen] = []
    for photo, status, loose, volume in _looked_at(photos, device):
        there += 1
        if photo.path != odd and as_pinned(photo.pins, status, loose=loose):
            same += 1
            is_named = is_named or bool(volume and not photo.volume)
            is_untouched = is_untouched or (not loose and photo.pins.ctime_ns == status.st_ctime_ns)
            if len(samples) < _SAMPLES:
                samples.append(photo)
    return Look(there, same, is_named, is_untouched, tuple(samples))


def named(photos: Iterable[Seen]) -> Iterator[tuple[int, str]]:
    """The ids of the photos that match their pins and had no known volume, each with the volume
    known now."""
    for photo, status, loose, volume in _looked_at(photos):
        if volume and not photo.volume and as_pinned(photo.pins, status, loose=loose):
            yield photo.id, volume


def _looked_at(
    photos: Iterable[Seen], device: int | None = None
) -> Iterator[tuple[Seen, os.stat_result, bool, str]]:
    """The photos that are there, each with its status, whether its file system ``is_loose``, and
    its volume."""
    systems: dict[int, tuple[bool, str]] = {}
    folders: dict[bytes, int] = {}
    for photo in photos:
        if not photo.pins.size:  # the file was never read
            continue
        try:
            status = os.stat(photo.path)
        except OSError:
            continue
        folder = folder_of(photo.path)
        if device is not None and folder not in folders:
            folders[folder] = device_at(folder)
        if device is not None and folders[folder] != device:
            continue
        if status.st_dev not in systems:
            systems[status.st_dev] = is_loose(photo.path), volume_of(status.st_dev, photo.path)
        loose, volume = systems[status.st_dev]
        yield photo, status, loose, volume
