"""The tasks to send next, the attempts at sending them, and their ends."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping

from albumup.journal import steps
from albumup.journal.rows import CutOff, Task, plain
from albumup.journal.states import (
    WANTING,
    Membership,
    State,
)
from albumup.journal.store import LostTask, Store

_UNTRIED = (-math.inf, 0.0)
"""The range of ``next_at`` of tasks that were never tried in this set."""


class Attempts(Store):
    """Attempts at sending, from the choice of a task to its end."""

    def ready(
        self,
        album_id: int,
        root_id: int,
        now: float,
        limit: int,
        untried: bool,
        *,
        copies: bool = False,
        skip: Collection[int] = (),
    ) -> list[Task]:
        """Ready tasks whose time has come: those ``untried`` in this set, or the others.

        ``copies``: only tasks with a copy in the spool, which can be sent while their root is away.
        ``skip``: ids of tasks to leave out. ``now``: Unix seconds.
        """
        times = _UNTRIED if untried else (0.0, now)
        return self._prepared(album_id, root_id, times, limit, copies=copies, skip=skip)

    def _prepared(
        self,
        album_id: int,
        root_id: int,
        times: tuple[float, float],
        limit: int,
        *,
        copies: bool,
        skip: Collection[int] = (),
    ) -> list[Task]:
        """Ready tasks whose ``next_at`` is later than the first of ``times`` and no later than the
        second."""
        return self.tasks(
            f"where task.album_id = ? and task.root_id = ? and {steps.IS_READY}"
            f" and task.next_at > ? and task.next_at <= ?{steps.HAS_COPY if copies else ''}"
            f" and {steps.UNSKIPPED} order by task.next_at, task.id limit ?",
            album_id,
            root_id,
            *times,
            json.dumps([*skip]),
            limit,
        )

    def of_another_type(self, album_ids: Iterable[int], mime: str) -> Task | None:
        """A pending task of these albums whose photo is not of type ``mime``; a ready one is
        preferred."""
        for album_id in album_ids:
            found = self.tasks(
                f"where task.album_id = ? and {steps.IS_UNHELD} and photo.mime <> ?"
                f" order by {steps.AT_READY} desc, task.id limit 1",
                album_id,
                mime,
            )
            if found:
                return found[0]
        return None

    def next_time(self, album_id: int, root_id: int, *, copies: bool = False) -> float | None:
        """When the next ready task of an album and root may be tried (Unix seconds); ``copies`` as
        for ``ready``."""
        found = self.rows(
            f"select next_at from task where album_id = ? and root_id = ? and {steps.IS_READY}"
            f"{steps.HAS_COPY if copies else ''} order by next_at limit 1",
            album_id,
            root_id,
        )
        return found[0][0] if found else None

    def bring_forward(self, places: Iterable[tuple[int, int]], after: float, to: float) -> None:
        """Let ready tasks of these albums and roots wait only until ``to`` if they would wait
        beyond ``after``."""
        self.connection.executemany(
            f"update task set next_at = ? where album_id = ? and root_id = ? and {steps.IS_READY} "
            "and next_at > ?",
            [(to, album_id, root_id, after) for album_id, root_id in places],
        )

    def start(self, task_id: int, run_id: int, boundary: str, *, whole: bool = False) -> int:
        """Begin an attempt at sending the body with this boundary; return the attempt's id.

        ``whole``: the body is about to be sent in one go, so ``whole_at`` is set at once. Raises
        LostTask if the task is no longer ready, or has another body now because its photo changed.
        """
        now = self.clock()
        started = self._cursor.execute(steps.START, ("", now, task_id, boundary))
        if started.rowcount != 1:
            raise LostTask(task_id)
        self._cursor.execute(
            "insert into attempt (task_id, run_id, boundary, number, started, whole_at)"
            " values (?, ?, ?, (select attempts from task where id = ?), ?, ?)",
            (task_id, run_id, boundary, task_id, now, now if whole else None),
        )
        return int(self._cursor.lastrowid or 0)

    def whole(self, attempt_id: int) -> None:
        """Set ``whole_at``. The caller waits until this is durable, then sends the last byte."""
        self.connection.execute(
            "update attempt set whole_at = ? where id = ?", (self.clock(), attempt_id)
        )

    def stayed(self, attempt_id: int) -> None:
        """Take ``whole_at`` back: the last byte of the body is known not to have left."""
        self.connection.execute("update attempt set whole_at = null where id = ?", (attempt_id,))

    def end_attempt(
        self,
        attempt_id: int,
        outcome: str,
        *,
        status: int | None = None,
        sent: int = 0,
        error: str = "",
        stayed: bool = False,
    ) -> None:
        """Note how an attempt ended; the task's own change belongs in the same transaction.

        ``status``: of HTTP. ``sent``: bytes. ``stayed``: as the method ``stayed``.
        """
        self._cursor.execute(
            "update attempt set ended = ?, outcome = ?, http_status = ?, bytes = ?, error = ?,"
            " whole_at = iif(?, null, whole_at) where id = ?",
            (self.clock(), outcome, status, sent, plain(error) or None, stayed, attempt_id),
        )

    def settle_task(
        self,
        task_id: int,
        state: State,
        reason: str = "",
        *,
        tries: int | None = None,
        remote_id: str = "",
        url: str = "",
        membership: Membership = Membership.SETTLED,
    ) -> None:
        """Bring a task to a state in which it is not worked on. ``tries`` None: the number stays.

        ``remote_id``, ``url``: the photo's on the server. ``membership``: PENDING to have the photo
        put into the server's album. Raises LostTask.
        """
        self.move(
            task_id,
            state,
            reason,
            ", tries = coalesce(?, tries),"
            " remote_id = coalesce(?, remote_id), url = coalesce(?, url)",
            tries,
            plain(remote_id) or None,
            plain(url) or None,
        )
        if membership is Membership.PENDING:
            self.connection.execute(steps.TO_PLACE, (task_id,))
        # Perhaps a still that was there before its clip: decide about the clip anew.
        if state is State.DUPLICATE:
            self.connection.execute(steps.TO_PLACE_CLIP, (task_id,))

    def try_later(
        self,
        task_id: int,
        reason: str,
        *,
        tries: int,
        refunds: int,
        next_at: float,
        maybe_twice: bool,
        is_held: bool = False,
    ) -> None:
        """Bring a task back to pending, to be tried again at ``next_at`` (Unix seconds; 0: as if
        never tried).

        ``is_held``: it is not tried before ``pauses.unhold``. Raises LostTask.
        """
        self.move(
            task_id,
            State.PENDING,
            reason,
            ", tries = ?, refunds = ?, next_at = ?, ask_at = null",
            tries,
            refunds,
            next_at,
        )
        if maybe_twice:
            self.mark_twice(task_id)
        if is_held:
            self.connection.execute(steps.HOLD, (task_id,))

    def least_tried(self, places: Iterable[tuple[int, int, bool]], limit: int) -> list[Task]:
        """Ready tasks, due or not, at most ``limit``: first those that were not tried in this set.

        A place is an album, a root, and whether only tasks with a copy in the spool are wanted.
        """
        found: list[Task] = []
        for times in (_UNTRIED, (0.0, math.inf)):
            for album_id, root_id, copies in places:
                if (room := limit - len(found)) > 0:
                    found += self._prepared(album_id, root_id, times, room, copies=copies)
        return found

    def cut_off(self) -> list[CutOff]:
        """The tasks in state ``sending``. The caller holds the lock, so all of them were cut off.

        No index has this state, because each photo would enter and leave the index. If the tally
        has such tasks, this scans the table.
        """
        if not self.rows("select 1 from tally where state = 'sending' and photos > 0 limit 1"):
            return []
        return [
            CutOff(row["id"], row["album_id"], row["target"], row["whole_at"])
            for row in self.rows(
                "select task.id, task.album_id, target.name as target, (select whole_at"
                " from attempt where task_id = task.id order by number desc limit 1) as whole_at"
                " from task join album on album.id = task.album_id"
                " join target on target.id = album.target_id where task.state = 'sending'"
            )
        ]

    def last_attempt(self, task_id: int) -> int:
        """The id of a task's newest attempt; 0 if it has none."""
        return int(self.rows("select max(id) from attempt where task_id = ?", task_id)[0][0] or 0)

    def fresh_set(self, task_id: int, *, rounds: int, is_safe: bool = False) -> None:
        """Give a wanting task a fresh set of tries; a missing photo is also read again.

        ``rounds``: how many fresh sets the task has had with this one. ``is_safe``: the target
        makes sending again safe; else a photo in doubt may be on the server twice afterwards.
        Raises LostTask if the task is not wanting.
        """
        rows = self.rows("select state from task where id = ?", task_id)
        if not rows or rows[0]["state"] not in WANTING:
            raise LostTask(task_id)
        row = rows[0]
        self.move(
            task_id,
            State.PENDING,
            "",
            ", tries = 0, next_at = 0, ask_at = null, rounds = ?",
            rounds,
        )
        self.wake_clip(task_id)
        # A still that was framed without its clip goes with the clip if that is on the server by
        # now.
        self.connection.execute(steps.PAIR_AGAIN, (task_id,))
        if row["state"] == State.MISSING:  # a task with a copy tries the copy first
            self.connection.execute(steps.READ_AGAIN, (task_id,))
        # Perhaps because of its fields, which may be configured otherwise now.
        if row["state"] == State.REJECTED:
            self.connection.execute(steps.FRAME_ANEW, (task_id,))
        if row["state"] == State.IN_DOUBT and not is_safe:
            self.mark_twice(task_id)

    def mark_twice(self, task_id: int) -> None:
        """Note that a task's photo may be on the server twice."""
        self.connection.execute(steps.MARK_TWICE, (task_id,))

    def accepted(self, target: str, url: str) -> None:
        """Note that the target accepted a photo at this URL: the address is known to be right from
        now on."""
        self.connection.execute("update target set accepted_url = ? where name = ?", (url, target))

    def server_is(self, target: str, server: str) -> None:
        """Note by what the server is known behind the target's addresses; "" forgets it."""
        self.connection.execute("update target set server = ? where name = ?", (server, target))

    def accepted_urls(self) -> Mapping[str, str]:
        """Target name to the URL that accepted a photo."""
        return {
            row[0]: row[1]
            for row in self.rows(
                "select name, accepted_url from target where accepted_url not null"
            )
        }
