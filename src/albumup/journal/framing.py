"""Definitions of targets, and the bodies framed under them; those of former ones go stale.

Call functions that change something inside ``Journal.transaction()``.
"""

from __future__ import annotations

from collections.abc import Iterable

from albumup.journal import steps
from albumup.journal.journal import Journal
from albumup.journal.rows import Task
from albumup.journal.states import Stage, waits_at
from albumup.journal.steps import HAS_COPY


def define(journal: Journal, target: str, fingerprint: str, settings: str) -> int:
    """Note a target's present definition; return its number. Ready tasks framed under another one
    become stale.

    ``settings``: JSON from which the target can be built later, to ask about photos in doubt.
    """
    target_id, before = journal.rows("select id, definition_id from target where name = ?", target)[
        0
    ]
    number = int(
        journal.rows(
            "insert into definition (target_id, fingerprint, settings) values (?, ?, ?)"
            " on conflict do update set settings = excluded.settings returning id",
            target_id,
            fingerprint,
            settings,
        )[0][0]
    )
    if number != before:
        journal.connection.execute(steps.DEFINE, (target_id, number))
        journal.connection.execute(
            "update target set definition_id = ? where id = ?", (number, target_id)
        )
    return number


def settings_of(journal: Journal, number: int) -> str:
    """The settings (JSON) that ``define`` was given for a definition."""
    return str(journal.rows("select settings from definition where id = ?", number)[0][0])


def numbers(journal: Journal) -> dict[str, int]:
    """Target name to the number of its present definition."""
    return {
        row["name"]: row["definition_id"]
        for row in journal.rows(
            "select name, definition_id from target where definition_id is not null"
        )
    }


def make_stale(journal: Journal, task_ids: Iterable[int]) -> None:
    """Have ready tasks framed anew, because their target's definition has changed."""
    journal.connection.executemany(steps.MAKE_STALE, [(task_id,) for task_id in task_ids])


def stale(
    journal: Journal, album_id: int, root_id: int, limit: int, *, copies: bool = False
) -> list[Task]:
    """Tasks to frame anew; ``copies``: only those with a copy in the spool."""
    return journal.tasks(
        f"where task.album_id = ? and task.root_id = ? and {waits_at(Stage.STALE, 'task')}"
        f"{HAS_COPY if copies else ''} order by task.next_at, task.id limit ?",
        album_id,
        root_id,
        limit,
    )


def timezone_of(journal: Journal, definition: int | None) -> str | None:
    """The ``timezone`` of a definition; "" if it names none, None if it is not known."""
    found = journal.rows(
        "select coalesce(json_extract(settings, '$.settings.timezone'), '')"
        " from definition where id = ?",
        definition,
    )
    return str(found[0][0]) if found else None
