"""Finds the tasks and sidecars that the journal already has at the paths of a push."""

from __future__ import annotations

import os
import sqlite3

from msgspec import Struct

from albumup.journal.states import UNDECIDED, State, is_in
from albumup.photos.cards import Medium

_STATES = {state.value: state for state in State}


class Known(Struct, frozen=True):
    """A task that the journal has for a path, with the photo's size (bytes) and time (ns) then."""

    task_id: int
    state: State
    size: int
    mtime_ns: int
    mime: str
    spool: bool
    sha256: str | None
    """Of the bytes that it sends or has sent; None, like ``length``, until they were read."""
    length: int | None
    medium: Medium
    path: bytes
    """In the journal's spelling."""
    is_asking: bool = False
    """The photo is in doubt and still to be asked about."""


class Beside(Struct, frozen=True):
    """A journaled sidecar."""

    sent: bool
    """It went with its photo; else it waits with it."""
    sha256: str | None
    """In hex; None until it was read."""


def sidecar_with_photo(connection: sqlite3.Connection, album_id: int, path: bytes) -> Beside | None:
    """The sidecar at ``path`` of the newest task that it went along with, or waits with."""
    found = connection.execute(
        "select sidecar.sent, sidecar.sha256 from photo join task on task.photo_id = photo.id"
        " join sidecar on task_id = task.id where photo.album_id = ? and photo.path between ? and ?"
        f" and sidecar.path = ? and (sent or {is_in(*UNDECIDED, table='task')})"
        " order by task.id desc limit 1",
        (album_id, *beside(path), path),
    ).fetchone()
    return Beside(bool(found[0]), found[1]) if found is not None else None


def album_id_of(connection: sqlite3.Connection, name: str, target: str) -> int | None:
    """The id of the album of that name on that target, if there is one."""
    row = connection.execute(
        "select album.id from album join target on target.id = album.target_id"
        " where album.name = ? and target.name = ?",
        (name, target),
    ).fetchone()
    return int(row["id"]) if row else None


def known_photos(connection: sqlite3.Connection, album_id: int, path: bytes) -> list[Known]:
    """All tasks of photos at this path, on any card, the newest first."""
    rows = connection.execute(
        "select task.id, task.state, photo.size, photo.mtime_ns, photo.mime,"
        " task.spool, body.sha256, body.size, photo.volume, photo.card, task.ask_at is not null"
        " from photo join task on task.photo_id = photo.id left join body on body.task_id = task.id"
        " where photo.album_id = ? and photo.path = ? order by task.id desc",
        (album_id, path),
    )
    return [
        Known(
            task_id, _STATES[state], size, int(mtime_ns), mime, bool(spool),
            sha256, length, Medium(*medium), path, bool(asks),
        )
        for task_id, state, size, mtime_ns, mime, spool, sha256, length, *medium, asks in rows
    ]  # fmt: skip


def beside(path: bytes) -> tuple[bytes, bytes]:
    """Two paths between which all files sort that share folder and name up to the first dot."""
    folder, name = os.path.split(path)
    stem = os.path.join(folder, name.partition(b".")[0])
    return stem + b".", stem + b"/"
