"""What a server has already of photos that are not queued: a dry run asks it, and changes nothing there."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from albumup.cli.escaping import escape
from albumup.cli.figures import photos, size
from albumup.cli.screen import Screen
from albumup.errors import AlbumupError
from albumup.photos.file_names import text_of
from albumup.photos.source import AnotherVolume, SourceChanged, SourceGone, read_source
from albumup.targets.base import Asked, Unasked, VerdictKind
from albumup.uploader.events import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from albumup.journal.gathering import Arrival
    from albumup.targets.base import Target

_ASKED_AT_ONCE = 500


class Already:
    """Reads photos and asks the server about their digests, some at a time; only counts are kept."""

    def __init__(self, server: Target, album: str, screen: Screen) -> None:
        self._server, self._album, self._screen = server, album, screen
        self._batch: list[Asked] = []
        self._read = self._bytes = 0
        self._there = self._new = self._new_bytes = 0
        self._refused: Counter[str] = Counter()
        """Photos that it will not take, by the reason."""
        self._fault = ""

    def add(self, arrival: Arrival) -> None:
        """Take in a photo that would be queued; one that cannot be read counts as not there."""
        if self._fault or arrival.error:
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
        """Show how far it has read: how much there is nobody knows before the scan has ended."""
        self._bytes += length
        snapshot = Progress(self._read, self._read + 1, self._bytes, self._bytes, False, 0, 0, (), ())
        self._screen.show(snapshot, "reading")

    def _ask(self) -> None:
        batch, self._batch = self._batch, []
        try:
            answers = self._server.ask(self._server.http(), self._album, batch)
        except (Unasked, AlbumupError) as error:
            self._fault = str(error)
            return
        for photo, answer in zip(batch, answers, strict=True):
            if answer is None:
                self._new += 1
                self._new_bytes += photo.size
            elif answer.kind is VerdictKind.REJECTED:
                self._refused[answer.reason] += 1
            else:
                self._there += 1

    def lines(self) -> Sequence[str]:
        """How many of the photos are there, and how many would be sent; once all were added."""
        if self._batch and not self._fault:
            self._ask()
        self._screen.end_bars()
        address = escape(self._server.address)
        if self._fault:
            return [f"What {address} has already could not be asked: {escape(self._fault)}"]
        there = photos(self._there) if self._there else "none"
        sent = f"{photos(self._new)} would be sent ({size(self._new_bytes)})"
        refused = [f"It would refuse {photos(count)}: {escape(why)}" for why, count in self._refused.items()]
        return [f"{address} has {there} of them already; {sent}.", *refused]
