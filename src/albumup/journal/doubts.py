"""Photos in doubt: to be asked about, or in doubt for good."""

from __future__ import annotations

from collections.abc import Iterable

from albumup.journal import steps
from albumup.journal.rows import Task, plain
from albumup.journal.states import (
    State,
)
from albumup.journal.store import Store


class Doubts(Store):
    """Changes of photos in doubt, and when to ask about them. Times are Unix seconds."""

    def doubt(self, task_id: int, reason: str, *, tries: int, ask_at: float | None) -> None:
        """Put a task in doubt. The server is asked at ``ask_at``; None: the doubt is final."""
        self.move(task_id, State.IN_DOUBT, reason, ", tries = ?, ask_at = ?", tries, ask_at)

    def seen(self, task_id: int, again_at: float) -> None:
        """Note that the original of a photo in doubt was seen there; look once more at
        ``again_at``."""
        now = self.clock()  # if the clock was set back, the first look is later than this
        self.connection.execute(
            "update task set seen_at = min(coalesce(seen_at, ?1), ?1), ask_at = ?2, updated = ?1"
            " where id = ?3 and state = 'in_doubt'",
            (now, again_at, task_id),
        )

    def seen_at(self, task_id: int) -> float | None:
        """When the original of a photo in doubt was first seen there."""
        found = self.rows("select seen_at from task where id = ?", task_id)
        return found[0][0] if found else None

    def met_a_fault(self, task_id: int) -> bool:
        """Did the server answer 5xx to a whole body of this photo? The photo may have arrived
        nevertheless."""
        return bool(
            self.rows(
                "select 1 from attempt join body using (task_id, boundary)"
                " where attempt.task_id = ?"
                " and outcome = 'in_doubt' and http_status between 500 and 599 limit 1",
                task_id,
            )
        )

    def ask_again(self, task_id: int, rounds: int) -> None:
        """Ask about a photo once more that stayed in doubt, and give it a fresh set of tries."""
        self.connection.execute(
            "update task set ask_at = ?, tries = 0, next_at = 0, seen_at = null, rounds = ?"
            " where id = ? and state = 'in_doubt'",
            (self.clock(), rounds, task_id),
        )
        self.wake_clip(task_id)

    def has_doubts(self, task_id: int) -> bool:
        """True if an attempt at sending the photo's present bytes, in whatever frame, may have
        reached the server."""
        return bool(
            self.rows(
                "select 1 from attempt join body using (task_id)"
                " where attempt.task_id = ? and outcome = 'in_doubt' and number > earlier limit 1",
                task_id,
            )
        )

    def was_ever_doubted(self, task_id: int) -> bool:
        """True if an attempt at sending the photo, with these bytes or others, may have reached
        the server."""
        sql = "select 1 from attempt where task_id = ? and outcome = 'in_doubt' limit 1"
        return bool(self.rows(sql, task_id))

    def was_unconfirmed(self, task_id: int) -> bool:
        """Did the last attempt end with an unconfirmed "duplicate"?"""
        return bool(
            self.rows(
                "select 1 from attempt where id = (select max(id) from attempt where task_id = ?)"
                " and outcome = 'duplicate'",
                task_id,
            )
        )

    def clear_doubts(self, task_id: int) -> None:
        """Note that no attempt arrived: the server said that it does not have the photo."""
        self.connection.execute("update task set seen_at = null where id = ?", (task_id,))
        self.connection.execute(
            "update attempt set outcome = 'not_taken' where task_id = ? and outcome = 'in_doubt'",
            (task_id,),
        )

    def doubts_due(self, album_id: int, now: float, limit: int) -> list[Task]:
        """Tasks in doubt that are due to be asked about."""
        return self.tasks(
            "where task.album_id = ? and task.state = 'in_doubt' and task.ask_at <= ?"
            " order by task.ask_at limit ?",
            album_id,
            now,
            limit,
        )

    def ask_no_later(self, album_id: int, then: float) -> None:
        """Let no doubt of an album wait beyond ``then``, in case a wrong clock set a later time."""
        self.connection.execute(
            "update task set ask_at = ? where album_id = ? and state = 'in_doubt' and ask_at > ?",
            (then, album_id, then),
        )

    def doubt_stays(self, task_id: int, reason: str) -> None:
        """Make a doubt final: nothing more is asked."""
        self.connection.execute(
            "update task set ask_at = null, seen_at = null, reason = ?, updated = ?"
            " where id = ? and state = 'in_doubt'",
            (plain(reason), self.clock(), task_id),
        )

    def next_doubt(self, album_ids: Iterable[int]) -> float | None:
        """When the next doubt of these albums is due; None if none is."""
        times = [
            row[0]
            for album_id in album_ids
            for row in self.rows(
                f"select min(ask_at) from task where album_id = ? and {steps.IS_ASKING}",
                album_id,
            )
            if row[0] is not None
        ]
        return min(times, default=None)
