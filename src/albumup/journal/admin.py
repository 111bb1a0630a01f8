"""Cancel photos, forget albums. Called inside ``Journal.transaction()``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from albumup.errors import UsageError
from albumup.journal import pauses, reading, runs, steps
from albumup.journal.definitions import drop_unused
from albumup.journal.journal import Journal
from albumup.journal.states import DONE, State
from albumup.photos.file_names import command, text_of

_MOST_PATHS = 10


@dataclass(frozen=True, slots=True)
class Cancelled:
    """How many photos ``cancel`` cancelled, and how many it left as they were."""

    cancelled: int
    sending: int
    sent: int
    paths: tuple[bytes, ...] = field(default=(), compare=False)
    """The paths of the first cancelled photos."""
    before: int = 0
    """Photos that had been cancelled before."""


def cancel(
    journal: Journal, album_id: int, files: Sequence[bytes], *, alone: bool = False
) -> Cancelled:
    """Cancel the unsent photos of an album, or only those that ``files`` name by a path or the end
    of one.

    Photos that are being sent are left to the uploader. ``alone``: there is no uploader, so these
    were cut off, and are cancelled too. Raises UsageError for a file that is not in the album.
    """
    wanted = _named(journal, album_id, files) if files else None
    cancelled = sending = sent = before = 0
    paths: list[bytes] = []
    for row in journal.rows(
        "select task.id, task.state, photo.path from task join photo on photo.id = task.photo_id"
        " where task.album_id = ? order by task.id",
        album_id,
    ):
        if wanted is not None and row["id"] not in wanted:
            continue
        state = State(row["state"])
        if state is State.SENDING and not alone:
            sending += 1
        elif state in DONE:
            sent += 1
        elif state is State.CANCELLED:
            before += 1
        else:
            journal.move(row["id"], State.CANCELLED, "given up: albumup cancel")
            journal.wake_clip(row["id"])
            journal.connection.execute("update task set ask_at = null where id = ?", (row["id"],))
            cancelled += 1
            if len(paths) < _MOST_PATHS:
                paths.append(row["path"])
    if wanted is None:
        # The server's album gets nothing more either.
        journal.connection.execute(steps.CANCEL, (album_id,))
        journal.connection.execute(
            "update album set wants_share = 0 where id = ? and share is null", (album_id,)
        )
    if cancelled:
        runs.touch(journal, album_id)
    if alone:
        pauses.end_idle(journal)
    return Cancelled(cancelled, sending, sent, tuple(paths), before)


def _named(journal: Journal, album_id: int, files: Sequence[bytes]) -> set[int]:
    """The ids of the tasks that ``files`` name: by absolute path, path within the pushed folder, or
    end of a path."""
    rows = journal.rows(
        "select task.id, photo.path, photo.relative"
        " from task join photo on photo.id = task.photo_id where task.album_id = ?",
        album_id,
    )
    found: set[int] = set()
    for file in files:
        path = os.path.abspath(file)
        ids = {row["id"] for row in rows if row["path"] == path}
        ids = ids or {row["id"] for row in rows if row["relative"] == file}
        ids = ids or {row["id"] for row in rows if row["path"].endswith(b"/" + file)}
        if not ids:
            raise UsageError(
                f"{text_of(file)!r} is no photo of this album",
                f"see: {_list(journal, album_id)}",
            )
        found |= ids
    return found


def forget(journal: Journal, album_id: int) -> None:
    """Delete an album from the journal, with all rows that only this album needed."""
    connection = journal.connection
    in_album = "select id from task where album_id = ?"
    journal.forget_names(album_id)
    for statement in (
        f"delete from attempt where task_id in ({in_album})",
        f"delete from body where task_id in ({in_album})",
        "delete from sent_name where album_id = ?",
        "delete from task where album_id = ?",
        "delete from photo where album_id = ?",
        "delete from notice where album_id = ?",
        "delete from scope where album_id = ?",
        "delete from pushed where album_id = ?",
        "delete from tally where album_id = ?",
        "delete from told where what = 'album ' || ?",
        "delete from album where id = ?",
        "delete from forgotten where album_id < ?",
        "insert or replace into forgotten values (?)",
    ):
        connection.execute(statement, (album_id,))
    connection.execute(
        "delete from root where id not in (select root_id from photo)"
        " and id not in (select root_id from task) and id not in (select root_id from pushed)"
    )
    drop_unused(journal)


def _list(journal: Journal, album_id: int) -> str:
    """The command that lists an album's photos."""
    album = next(one for one in runs.albums(journal) if one.id == album_id)
    where = reading.narrowing(journal.connection, album.name, album.target)
    return command("list", [album.name], *where)
