"""What a server has of an album, by all that the journal knows: what is asked about again."""

from __future__ import annotations

import os

from msgspec import Struct

from albumup.journal.journal import Journal
from albumup.photos.file_names import text_of


class Stored(Struct, frozen=True):
    """A photo that a server has said it has. ``size`` in bytes, ``digests`` in lower-case hex."""

    id: int
    path: bytes
    name: str
    size: int
    digests: dict[str, str]


def placed(journal: Journal, album_id: int) -> bool:
    """Was a photo put into the server's album?"""
    return bool(
        journal.rows(
            "select 1 from task where album_id = ? and state in ('uploaded', 'duplicate') and owed = 0"
            " and remote_id not null limit 1",
            album_id,
        )
    )


def placed_ids(journal: Journal, album_id: int, after: int, most: int) -> list[tuple[int, str]]:
    """Tasks whose photos were put into the server's album, in order, from a task on; and what it calls them."""
    rows = journal.rows(
        "select id, remote_id from task where album_id = ? and state in ('uploaded', 'duplicate') and owed = 0"
        " and remote_id not null and id > ? order by id limit ?",
        album_id,
        after,
        most,
    )
    return [(row["id"], row["remote_id"]) for row in rows]


def stored(journal: Journal, album_id: int, after: int, most: int) -> list[Stored]:
    """Photos of an album that are done, as the newest of their tasks has them, in order, from a task on."""
    rows = journal.rows(
        "select task.id, photo.path, task.sent_as, task.size, body.sha256, body.sha1, body.md5 from task"
        " join photo on photo.id = task.photo_id join body on body.task_id = task.id"
        " where task.album_id = ? and task.id > ? and task.state in ('uploaded', 'duplicate') and not exists"
        " (select 1 from task newer where newer.photo_id = task.photo_id and newer.id > task.id)"
        " order by task.id limit ?",
        album_id,
        after,
        most,
    )
    return [
        Stored(
            row["id"],
            row["path"],
            row["sent_as"] or os.path.basename(text_of(row["path"])),
            row["size"],
            {name: row[name] for name in ("sha256", "sha1", "md5") if row[name]},
        )
        for row in rows
    ]
