"""The photos that a server has of an album according to the journal, to be asked about again."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator

from msgspec import Struct

from albumup.journal.journal import Journal
from albumup.journal.states import DONE, Membership, is_in
from albumup.photos.file_names import text_of

_IS_PLACED = (
    f"album_id = ? and {is_in(*DONE)} and {is_in(Membership.SETTLED)} and remote_id not null"
)
_PUSHED = (
    "id in (select root_id from photo where album_id = ?"
    " union select root_id from pushed where album_id = ?)"
)


class Stored(Struct, frozen=True):
    """A photo that a server has. ``size``: bytes; ``digests``: algorithm to lower-case hex."""

    id: int
    path: bytes
    name: str
    size: int
    digests: dict[str, str]


def placed(journal: Journal, album_id: int) -> bool:
    """Was any photo put into the server's album?"""
    return bool(journal.rows(f"select 1 from task where {_IS_PLACED} limit 1", album_id))


def placed_ids(journal: Journal, album_id: int, after: int, most: int) -> list[tuple[int, str]]:
    """Tasks after a task whose photos were put into the server's album, in order, with the server's
    ids of these."""
    rows = journal.rows(
        f"select id, remote_id from task where {_IS_PLACED} and id > ? order by id limit ?",
        album_id,
        after,
        most,
    )
    return [(row["id"], row["remote_id"]) for row in rows]


def stored(journal: Journal, album_id: int, after: int, most: int) -> list[Stored]:
    """Done photos of an album, each by its newest task, in order, after a task."""
    rows = journal.rows(
        "select task.id, photo.path, task.sent_as, task.size, body.sha256, body.sha1, body.md5"
        " from task join photo on photo.id = task.photo_id join body on body.task_id = task.id"
        f" where task.album_id = ? and task.id > ? and {is_in(*DONE, table='task')} and not exists"
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


def all_photos(journal: Journal, album_id: int, at_a_time: int) -> Iterator[list[sqlite3.Row]]:
    """All tasks of an album in order, with digests and sidecars, ``at_a_time`` in each list."""
    last = 0
    while rows := journal.rows(
        "select task.id, task.state, task.reason, photo.path,"
        " coalesce(body.size, task.size) as size, task.sent_as, body.sha256, body.sha1, body.md5,"
        " sidecar.path as beside, sidecar.sha256 as beside_sha256, sidecar.sent as beside_sent"
        " from task join photo on photo.id = task.photo_id"
        " left join body on body.task_id = task.id left join sidecar on sidecar.task_id = task.id"
        " where task.album_id = ? and task.id > ? order by task.id limit ?",
        album_id,
        last,
        at_a_time,
    ):
        yield rows
        last = rows[-1]["id"]


def has_files_by_name(journal: Journal, album_id: int) -> bool:
    """Were single files pushed, whose folders do not belong to the album?"""
    sql = f"select 1 from root where not is_folder and {_PUSHED} limit 1"
    return bool(journal.rows(sql, album_id, album_id))


def pushed_folders(journal: Journal, album_id: int) -> list[bytes]:
    """The folders that were pushed to an album, sorted."""
    sql = f"select distinct path from root where is_folder and {_PUSHED}"
    return sorted(row["path"] for row in journal.rows(sql, album_id, album_id))
