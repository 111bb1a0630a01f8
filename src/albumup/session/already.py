"""What a server has already of photos that are not queued: a dry run asks it, and changes nothing there."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

from msgspec import Struct, field

from albumup.errors import AlbumupError
from albumup.journal.staging import Arrival
from albumup.photos.file_names import text_of
from albumup.photos.source import AnotherVolume, SourceChanged, SourceGone, read_source
from albumup.targets.base import Asked, Target, Unasked, VerdictKind

_ASKED_AT_ONCE = 500


class There(Struct):
    """What the server says; counts are photos."""

    known: int = 0
    new: int = 0
    new_bytes: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Those that it will not take, by the reason."""
    fault: str = ""
    """Why it could not be asked."""


class Already:
    """Reads photos and asks the server about their digests, some at a time; only counts are kept.

    ``on_read`` is called with the photos and bytes that were read so far.
    """

    def __init__(self, server: Target, album: str, on_read: Callable[[int, int], None]) -> None:
        self._server, self._album, self._on_read = server, album, on_read
        self._batch: list[Asked] = []
        self._read = self._bytes = 0
        self._there = There()

    @property
    def address(self) -> str:
        """The server's, for people."""
        return self._server.address

    def add(self, arrival: Arrival) -> None:
        """Take in a photo that would be queued; one that cannot be read counts as not there."""
        if self._there.fault or arrival.error:
            return
        try:
            pins, digests = read_source(arrival.path, self._server.digests, on_block=self._count)
        except (SourceGone, SourceChanged, AnotherVolume):
            return
        self._read += 1
        self._batch.append(Asked(text_of(os.path.basename(arrival.path)), digests, pins.size))
        if len(self._batch) >= _ASKED_AT_ONCE:
            self._ask()

    def _count(self, length: int) -> None:
        self._bytes += length
        self._on_read(self._read, self._bytes)

    def _ask(self) -> None:
        batch, self._batch = self._batch, []
        try:
            answers = self._server.ask(self._server.http(), self._album, batch)
        except (Unasked, AlbumupError) as error:
            self._there.fault = str(error)
            return
        for photo, answer in zip(batch, answers, strict=True):
            if answer is None:
                self._there.new += 1
                self._there.new_bytes += photo.size
            elif answer.kind is VerdictKind.REJECTED:
                self._there.refused[answer.reason] += 1
            else:
                self._there.known += 1

    def all(self) -> There:
        """What is there and what is not, once all were added."""
        if self._batch and not self._there.fault:
            self._ask()
        return self._there
