"""For a dry run: asks the server which of the photos it already has, and changes nothing there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from msgspec import Struct, field

from albumup.errors import AlbumupError
from albumup.journal.staging import Arrival
from albumup.photos.source import AnotherVolume, SourceChanged, SourceGone, read_source
from albumup.targets.base import Asked, Target, Unasked, VerdictKind
from albumup.targets.bodies import photo_of
from albumup.targets.sent_names import sent_name
from albumup.uploader.alone import task_of

_ASKED_AT_ONCE = 500


class There(Struct):
    """The server's answers, as numbers of photos."""

    known: int = 0
    new: int = 0
    new_bytes: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Reason to the number of photos that the server will not take."""
    fault: str = ""
    """Why the server could not be asked; "" if it could."""


class Already:
    """Reads photos and asks the server about digests, 500 at a time. Only the numbers are kept.

    ``on_read`` is called with the numbers of photos and bytes read so far.
    """

    def __init__(self, server: Target, album: str, on_read: Callable[[int, int], None]) -> None:
        self._server, self._album, self._on_read = server, album, on_read
        self._batch: list[Asked] = []
        self._read = self._bytes = 0
        self._there = There()

    @property
    def address(self) -> str:
        """The server's address, for people."""
        return self._server.address

    def add(self, arrival: Arrival) -> None:
        """Add a photo that would be queued. One that cannot be read is not counted."""
        if self._there.fault or arrival.error:
            return
        try:
            pins, digests = read_source(arrival.path, self._server.digests, on_block=self._count)
        except (SourceGone, SourceChanged, AnotherVolume):
            return
        self._read += 1
        task = task_of(arrival.path, arrival.relative, arrival.mime, pins, self._album)
        photo = photo_of(task, pins, digests, None, self._server)
        self._batch.append(Asked(sent_name(self._server.filename(photo)), digests, pins.size))
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
        """The numbers, once all photos were added."""
        if self._batch and not self._there.fault:
            self._ask()
        return self._there
