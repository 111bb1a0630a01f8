"""Copies in the spool: which ones are needed, which are to come, and the folders that ever held
some."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from albumup.journal.journal import Journal
from albumup.journal.opening import paths_of
from albumup.journal.rows import Root
from albumup.journal.states import FINAL, Stage, is_in, waits_at


def note_folder(journal: Journal, folder: str) -> None:
    """Note a folder for copies, which is swept from now on. Inside a transaction."""
    if folder.isprintable():
        journal.connection.execute("insert or ignore into spool_folder values (?)", (folder,))


def folders(journal: Journal) -> set[str]:
    """The folders that ever held copies."""
    return {row[0] for row in journal.rows("select path from spool_folder")}


def was_used(journal: Journal, folder: str) -> bool:
    """Did the folder ever hold copies, and is it not the one beside the journal? It may lie on
    another disk then."""
    return folder != paths_of(journal.path)["spool"] and folder in folders(journal)


def needed(journal: Journal) -> set[str]:
    """The names of all copies that a task still needs."""
    rows = journal.rows(
        "select body.spool from body join task on task.id = body.task_id"
        f" where body.spool is not null and not {is_in(*FINAL, table='task')}"
    )
    return {row[0] for row in rows}


def of_album(journal: Journal, album_id: int) -> list[str]:
    """The names of the copies of an album's photos."""
    rows = journal.rows(
        "select body.spool from task join body on body.task_id = task.id"
        " where task.album_id = ? and body.spool is not null",
        album_id,
    )
    return [row[0] for row in rows]


class ToCopy(Struct, frozen=True):
    """Photos of one root that are to be copied first, and are not yet. ``size`` in bytes."""

    root: Root
    photos: int
    size: int


def to_come(journal: Journal, album_ids: Iterable[int]) -> list[ToCopy]:
    """The photos of these albums that are to be copied first, and are not yet, by root."""
    sql = (
        "select root.*, count(*) as photos, sum(task.size) as bytes"
        " from task join root on root.id = task.root_id"
        f" where task.album_id = ? and task.spool and {waits_at(Stage.UNREAD, table='task')}"
        " group by root.id"
    )
    rows = [row for album_id in album_ids for row in journal.rows(sql, album_id)]
    return [
        ToCopy(
            Root(row["id"], row["path"], row["volume"], row["card"], bool(row["is_folder"])),
            row["photos"],
            row["bytes"],
        )
        for row in rows
    ]
