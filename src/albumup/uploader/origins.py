"""Whether the card or disk that photos were queued from is the one that is there in this run."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from albumup.body import ANOTHER_VOLUME
from albumup.cards import device_at, look_at, named
from albumup.journal import media
from albumup.journal.journal import Journal
from albumup.journal.media import Medium, Seen
from albumup.journal.recorder import Recorder
from albumup.journal.rows import Task
from albumup.uploader.dispatch import Dispatch
from albumup.volumes import is_full, volume_of

STRANGER = f"{ANOTHER_VOLUME}, or its photos were edited"
"""Why photos wait when the disk itself does not tell."""
_SHORT, _GOOD_FOR = 0.1, 10
"""A look that takes longer (seconds) counts as long as ten do: of thousands of edited photos not each one is a reason
for another."""


@dataclass(frozen=True, slots=True)
class _Known:
    is_known: bool
    until: float


class Origins:
    """What was found of the media of a run's roots; asked by workers and the preparer."""

    def __init__(self, recorder: Recorder, dispatch: Dispatch) -> None:
        self._recorder = recorder
        self._dispatch = dispatch
        self._lock = threading.Lock()
        self._found: dict[tuple[int, Medium, int, bool], _Known] = {}

    def is_known(self, task: Task, *, again: bool = False) -> bool:
        """Is it the medium the task was queued from? Looked at once a run, and ``again`` where something is odd; by the
        photos that lie on the same file system, for another card may lie below the same folder.

        If not, nothing is to be believed of its photos but their bytes.
        """
        device = device_at(os.path.dirname(task.path))
        is_there = not again or os.path.lexists(task.path)
        key = task.root_id, Medium(task.volume, task.card), device, is_there
        with self._lock:
            found = self._found.get(key)
            if found is None or (again and time.monotonic() >= found.until):
                began = time.monotonic()
                is_known = self._look(task, task.path if again else b"", device, is_there=is_there)
                now = time.monotonic()
                took = now - began
                found = self._found[key] = _Known(is_known, now + _GOOD_FOR * took if took > _SHORT else began)
            return found.is_known

    def stranger(self, task: Task) -> str:
        """Looked at again because this photo is gone or another: "" if it is that medium, else why it waits."""
        return "" if self.is_known(task, again=True) else STRANGER

    def _look(self, task: Task, odd: bytes, device: int, *, is_there: bool) -> bool:
        now = _volume_at(os.path.dirname(task.path))
        if task.volume and now and (now != task.volume or is_full(now)):
            return now == task.volume
        with self._dispatch.cond:
            root = self._dispatch.roots.get(task.root_id)
        folder = root.path if root is not None else os.path.dirname(task.path)
        medium = Medium(task.volume, task.card)
        look = look_at(self._photos(folder, medium), odd, device)
        if not look.there and not is_there:  # its card was pulled, perhaps, of several below the folder
            look = look_at(self._photos(folder, medium), odd)
        if look.is_known and look.is_named:
            self._write_in(task.root_id, folder, medium)
        return look.is_known

    def _photos(self, folder: bytes, medium: Medium) -> Iterator[Seen]:
        for album_id in self._recorder.do(lambda journal: media.albums(journal.connection)).wait():
            after = b""
            while page := self._page(album_id, folder, medium, after):
                yield from page
                after = page[-1].path

    def _page(self, album_id: int, folder: bytes, medium: Medium, after: bytes) -> list[Seen]:
        return self._recorder.do(
            lambda journal: media.page_of(journal.connection, album_id, folder, medium, after)
        ).wait()

    def _write_in(self, root_id: int, folder: bytes, medium: Medium) -> None:
        """The id of what had none is known by now."""
        names = list(named(self._photos(folder, medium)))
        volume = _volume_at(folder)

        def record(journal: Journal) -> None:
            media.name(journal.connection, names, root_id, volume)

        self._recorder.do(record).wait()


def _volume_at(folder: bytes) -> str:
    """The id of the file system that a folder lies on, or lay on when it was there."""
    while True:
        try:
            return volume_of(os.stat(folder).st_dev, folder)
        except OSError:
            if folder == os.path.dirname(folder):
                return ""
            folder = os.path.dirname(folder)
