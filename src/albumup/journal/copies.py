"""What the journal knows of copies in the spool: which are needed, and where any were ever put."""

from __future__ import annotations

from albumup.journal.journal import Journal
from albumup.journal.opening import paths_of
from albumup.journal.states import FINAL, is_in


def note_folder(journal: Journal, folder: str) -> None:
    """Copies are put there; it is swept from now on. Inside a transaction."""
    if folder.isprintable():
        journal.connection.execute("insert or ignore into spool_folder values (?)", (folder,))


def folders(journal: Journal) -> set[str]:
    """Where copies were ever put."""
    return {row[0] for row in journal.rows("select path from spool_folder")}


def was_used(journal: Journal, folder: str) -> bool:
    """Were copies ever put into a folder that may lie on another disk than the journal?"""
    return folder != paths_of(journal.path)["spool"] and folder in folders(journal)


def needed(journal: Journal) -> set[str]:
    """The copies that a task still needs, as they are journaled."""
    rows = journal.rows(
        "select body.spool from body join task on task.id = body.task_id where body.spool is not null"
        f" and not {is_in(*FINAL, table='task')}"
    )
    return {row[0] for row in rows}


def of_album(journal: Journal, album_id: int) -> list[str]:
    """The copies of an album's photos, as they are journaled."""
    rows = journal.rows(
        "select body.spool from task join body on body.task_id = task.id"
        " where task.album_id = ? and body.spool is not null",
        album_id,
    )
    return [row[0] for row in rows]
