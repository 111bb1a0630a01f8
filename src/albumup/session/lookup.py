"""Looks up what the journal has at the paths of a push, on the cards and disks there now."""

from __future__ import annotations

import os
import sqlite3

from albumup.journal.known import Known, known_photos, sidecar_with_photo
from albumup.photos.cards import device_at
from albumup.photos.file_names import folder_of
from albumup.photos.pins import same_time
from albumup.photos.scan import Found, Root
from albumup.photos.sidecars import digest_of_sidecar
from albumup.photos.source import SourceChanged, SourceGone, read_source
from albumup.session.cards import Place, find
from albumup.session.journaled import Journaled


class Lookup:
    """The tasks that an album has for the photos of one push."""

    def __init__(
        self,
        connection: sqlite3.Connection | None,
        album_id: int | None,
        spelled: Journaled | None,
        *,
        edited: bool,
    ) -> None:
        """``connection``, ``spelled``: the journal's; None if there is none yet.

        ``edited``: on a card without an id, photos that differ were edited.
        """
        self._connection, self._album_id, self._spelled = connection, album_id, spelled
        self._edited = edited
        self._places: dict[tuple[bytes, str, int | None], Place] = {}
        self._device: tuple[bytes, int] = (b"", 0)
        self._seen: tuple[bytes, list[Known]] = (b"", [])
        self._here: tuple[tuple[Root, bytes, str] | None, list[Known]] = (None, [])

    def mime_of(self, root: Root, path: bytes, volume: str, status: os.stat_result) -> str | None:
        """The journaled type of a photo that has not changed; None for any other file."""
        known = self.as_seen(root, path, volume, status.st_size, status.st_mtime_ns)
        return known.mime if known is not None else None

    def as_seen(
        self, root: Root, path: bytes, volume: str, size: int, mtime_ns: int
    ) -> Known | None:
        """The newest task of a photo on this medium with the same size and time, if any."""
        for known in self.of_this_card(root, path, volume):
            if known.size == size and same_time(known.mtime_ns, mtime_ns, path):
                return known
        return None

    def of_this_card(self, root: Root, path: bytes, volume: str) -> list[Known]:
        """The tasks of a photo on the card or disk that is there now.

        The last answer is cached: a photo is looked up when it is scanned, and again when it is
        classified.
        """
        if self._album_id is None:
            return []
        if self._here[0] != (asked := (root, path, volume)):
            self._here = asked, self._found_here(*asked)
        return self._here[1]

    def _found_here(self, root: Root, path: bytes, volume: str) -> list[Known]:
        tasks = self.tasks(path)
        if not tasks:
            return []
        media = self.place(root, volume, path).known
        if tasks[0].path != path:  # journaled in another spelling, with other photos beside it
            media |= self._look_up(folder_of(tasks[0].path), volume, self._device[1]).known
        return [task for task in tasks if task.medium in media]

    def place(self, root: Root, volume: str, path: bytes | None = None) -> Place:
        """The card or disk of a root; with a ``path`` in it, by that file system's photos."""
        folder = root.path if root.is_folder else folder_of(root.path)
        device = None
        if path is not None:
            if self._device[0] != (inner := folder_of(path)):
                self._device = inner, device_at(inner)
            device = self._device[1]
        return self._look_up(folder, volume, device)

    def _look_up(self, folder: bytes, volume: str, device: int | None) -> Place:
        key = folder, volume, device
        if key not in self._places:
            self._places[key] = find(
                self._connection, folder, volume, edited=self._edited, device=device
            )
        return self._places[key]

    def tasks(self, path: bytes) -> list[Known]:
        """All tasks of a photo, in whatever spelling, on any card, the newest first."""
        if self._connection is None or self._album_id is None or self._spelled is None:
            return []
        if self._seen[0] != path:
            known = known_photos(self._connection, self._album_id, path)
            if not known and (other := self._spelled.photo(self._album_id, path)):
                known = known_photos(self._connection, self._album_id, other)
            self._seen = path, known
        return self._seen[1]

    def with_same_bytes(self, found: Found) -> Known | None:
        """The newest task with the bytes there now, on any card, but not of another volume."""
        tasks = [
            task
            for task in self.tasks(found.path)
            if task.length == found.size
            and (not found.volume or task.medium.volume in ("", found.volume))
        ]
        if not tasks:
            return None
        try:
            sha256 = read_source(found.path, ["sha256"])[1]["sha256"]
        except (SourceGone, SourceChanged):
            return None
        return next((task for task in tasks if task.sha256 == sha256), None)

    def went_along(self, path: bytes) -> bool:
        """Did the sidecar, as it is now, go with its photo, or does it wait with it?"""
        if self._connection is None or self._album_id is None:
            return False
        found = sidecar_with_photo(self._connection, self._album_id, path)
        return found is not None and (not found.sent or digest_of_sidecar(path) == found.sha256)
