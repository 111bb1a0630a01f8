"""What the journal hands out: frozen values, read in one go."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pins:
    """What is known of a source file without reading it. Times in nanoseconds, sizes in bytes."""

    size: int
    mtime_ns: int
    inode: int
    device: int
    ctime_ns: int = 0
    """0: not known, so that the file is read again before it is sent."""


@dataclass(frozen=True, slots=True)
class Body:
    """A prepared request body: ``head + payload + tail``; see docs/design.md."""

    head: bytes | None
    """None when it holds the token, which is never journaled: then it is framed while sending."""
    tail: bytes
    boundary: str
    content_type: str
    length: int | None
    """Bytes of the whole body; None with ``head``."""
    pins: Pins
    digests: dict[str, str]
    """Algorithm ("sha256", "sha1", "md5") to lower-case hex."""
    taken: str | None
    """The capture date that was put into a field: ISO 8601 with offset."""
    spool: str | None
    """Name of the payload's copy in the spool folder."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task as its worker or preparer needs it."""

    id: int
    album_id: int
    album: str
    root_id: int
    path: bytes
    relative: bytes
    volume: str
    device: int
    mime: str
    size: int
    position: int
    total: int
    tries: int
    attempts: int
    frees: int
    maybe_twice: bool
    spool: bool
    sent_as: str | None
    body: Body | None
    """None until it is prepared."""


@dataclass(frozen=True, slots=True)
class Root:
    """What a push named: where its photos were found, and on what."""

    id: int
    path: bytes
    volume: str
    device: int
    is_folder: bool


@dataclass(frozen=True, slots=True)
class Album:
    """A named batch on one target."""

    id: int
    name: str
    target: str
    held: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """Photos and bytes of an album by state."""

    photos: dict[str, int]
    bytes: dict[str, int]

    def count(self, *states: str) -> int:
        return sum(self.photos.get(state, 0) for state in states)

    def size(self, *states: str) -> int:
        return sum(self.bytes.get(state, 0) for state in states)


@dataclass(frozen=True, slots=True)
class CutOff:
    """A task found ``sending`` while nobody held the lock."""

    task_id: int
    album_id: int
    target: str
    whole_at: float | None


TASK = """
select task.id, task.album_id, album.name as album, task.root_id, photo.path, photo.relative, photo.volume,
    photo.device as photo_device, photo.mime,
    task.size, task.position, task.total, task.tries, task.attempts, task.frees, task.maybe_twice, task.spool,
    task.sent_as, body.task_id as prepared, body.head, body.tail, body.boundary, body.content_type, body.length,
    body.size as pinned_size, body.mtime_ns, body.inode, body.device, body.ctime_ns, body.sha256, body.sha1, body.md5,
    body.taken, body.spool as copy
from task
join photo on photo.id = task.photo_id
join album on album.id = task.album_id
left join body on body.task_id = task.id
"""
"""Selects what ``task_of`` reads; a condition follows."""


def task_of(row: sqlite3.Row) -> Task:
    """The task in a row of ``TASK``."""
    body = None
    if row["prepared"] is not None:
        digests = {name: row[name] for name in ("sha256", "sha1", "md5") if row[name]}
        body = Body(
            head=row["head"],
            tail=row["tail"],
            boundary=row["boundary"],
            content_type=row["content_type"],
            length=row["length"],
            pins=Pins(row["pinned_size"], row["mtime_ns"], row["inode"], row["device"], row["ctime_ns"]),
            digests=digests,
            taken=row["taken"],
            spool=row["copy"],
        )
    return Task(
        id=row["id"],
        album_id=row["album_id"],
        album=row["album"],
        root_id=row["root_id"],
        path=row["path"],
        relative=row["relative"],
        volume=row["volume"],
        device=row["photo_device"],
        mime=row["mime"],
        size=row["size"],
        position=row["position"],
        total=row["total"],
        tries=row["tries"],
        attempts=row["attempts"],
        frees=row["frees"],
        maybe_twice=bool(row["maybe_twice"]),
        spool=bool(row["spool"]),
        sent_as=row["sent_as"],
        body=body,
    )
