"""Refunds of tries, held tasks, and pauses of sick targets.

Call functions that change something inside ``Journal.transaction()``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from albumup.journal import steps
from albumup.journal.journal import Journal
from albumup.journal.rows import Pause, TryCounts, plain
from albumup.journal.states import GOING, UNDECIDED, Stage, is_in, is_open, waits_at
from albumup.journal.store import LostTask

_BACK = {"whole": "back_whole", "cut": "back_cut", "429": "back_429"}
"""The column that counts refunds, by how the attempt ended: a whole body, a cut one, a 429."""
_END = "update target set sick_since = null, sick_words = '', spent = 0, unreachable_told = null"


def counts(journal: Journal, task_id: int) -> TryCounts:
    """The tries and refunds of a task. Raises LostTask if the task was forgotten."""
    rows = journal.rows(
        "select tries, refunds, back_whole, back_cut, back_429 from task where id = ?", task_id
    )
    if not rows:
        raise LostTask(task_id)
    return TryCounts(*rows[0])


def count_back(journal: Journal, task_id: int, spent: str) -> None:
    """Count a refund for the attempt that just ended, which takes no try. ``spent``: "whole", "cut"
    or "429"."""
    journal.connection.execute(
        f"update task set {_BACK[spent]} = {_BACK[spent]} + 1 where id = ?", (task_id,)
    )


def give_back(journal: Journal, task_id: int, spent: str, most: int) -> bool:
    """Refund an earlier try, which was not the photo's fault; False if ``most`` were refunded
    before.

    ``spent``: as for ``count_back``. A waiting task may be sent again at once.
    """
    column = _BACK[spent]
    changed = journal.connection.execute(
        f"update task set tries = tries - 1, {column} = {column} + 1, next_at = min(next_at, ?)"
        f" where id = ? and tries > 0 and {column} < ? and {is_open()}",
        (journal.clock(), task_id, most),
    )
    return changed.rowcount == 1


def unhold(journal: Journal, task_id: int, *, maybe_twice: bool = False) -> None:
    """Hold a task no longer: it may be sent again, or has reached its end.

    ``maybe_twice``: the photo may have arrived already.
    """
    journal.connection.execute(steps.UNHOLD, (task_id,))
    if maybe_twice:
        journal.mark_twice(task_id)


def is_held(journal: Journal, task_id: int) -> bool:
    """Is a task still held? If not, its photo was edited, and it has tries of its own."""
    found = journal.rows(
        f"select 1 from task where id = ? and {waits_at(Stage.HELD, 'task')}", task_id
    )
    return bool(found)


def held(journal: Journal) -> list[tuple[int, str]]:
    """The ids of all held tasks, with the names of their targets."""
    rows = journal.rows(
        # Albums first: the index of pending tasks begins with the album.
        "select task.id, target.name from album cross join task on task.album_id = album.id"
        f" join target on target.id = album.target_id where {waits_at(Stage.HELD, 'task')}"
    )
    return [(row["id"], row["name"]) for row in rows]


def sick(journal: Journal, target: str, words: str, spent: int) -> None:
    """Begin or continue a target's pause. Its beginning is kept. ``spent``: photos that the pause
    has spent."""
    journal.connection.execute(
        "update target set sick_since = coalesce(sick_since, ?), sick_words = ?, spent = ?"
        " where name = ?",
        (journal.clock(), plain(words), spent, target),
    )


def well(journal: Journal, target: str) -> float | None:
    """End a target's pause. Returns when it began (Unix seconds) if a notice has said that the
    target does not work, else None."""
    rows = journal.rows("select sick_since, unreachable_told from target where name = ?", target)
    journal.connection.execute(f"{_END} where name = ?", (target,))
    is_told = bool(rows) and rows[0]["unreachable_told"] is not None
    return rows[0]["sick_since"] if is_told else None


def tell_unreachable(journal: Journal, target: str, tell_after: float) -> float | None:
    """When a target's pause began (Unix seconds), once it has lasted that many seconds and nobody
    was told; from then on somebody was."""
    now = journal.clock()
    told = journal.rows(
        "update target set unreachable_told = ? where name = ? and sick_since <= ? and"
        " unreachable_told is null returning sick_since",
        now,
        target,
        now - tell_after,
    )
    return told[0]["sick_since"] if told else None


def waiting(journal: Journal) -> set[str]:
    """The names of the targets that photos of any album wait for."""
    rows = journal.rows(
        "select distinct target.name from tally join album on album.id = tally.album_id"
        " join target on target.id = album.target_id"
        f" where tally.photos > 0 and {is_in(*GOING, table='tally')}"
    )
    return {row["name"] for row in rows}


def end_idle(journal: Journal) -> None:
    """End the pauses of targets for which nothing waits: no run needs to ask there."""
    journal.connection.execute(
        f"{_END} where sick_since is not null and not exists (select 1"
        " from tally join album on album.id = tally.album_id where album.target_id = target.id"
        f" and tally.photos > 0 and {is_in(*UNDECIDED, table='tally')})"
    )


def may_spend_again(journal: Journal, targets: Iterable[str]) -> None:
    """Let the pauses of these targets spend photos again."""
    journal.connection.executemany(
        "update target set spent = 0 where name = ?", [(name,) for name in targets]
    )


def left(journal: Journal) -> Mapping[str, Pause]:
    """The pauses left by earlier runs, by target name."""
    rows = journal.rows(
        "select name, sick_since, sick_words, spent from target where sick_since is not null"
    )
    return {row["name"]: Pause(row["sick_since"], row["sick_words"], row["spent"]) for row in rows}
