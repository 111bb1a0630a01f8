"""The journal's connection: transactions, and the steps that all changes of tasks share.

A process has one connection to its journal, for closing a second one would drop the POSIX locks of
the first. One thread at a time uses it (:mod:`albumup.journal.commits`). Call methods that change
something inside ``transaction()``. Times are Unix seconds, UTC.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Hashable, Iterator
from typing import Any

from albumup.errors import LocalError
from albumup.journal import naming, steps
from albumup.journal.opening import journal_fault, open_writer
from albumup.journal.rows import Task, plain, stored, tasks
from albumup.journal.states import (
    State,
)
from albumup.photos.pins import Pins


class LostTask(Exception):
    """The task's state does not allow this change: somebody cancelled or forgot the task."""


class Store:
    """One connection, its transactions, and the steps of tasks."""

    def __init__(
        self,
        path: str,
        clock: Callable[[], float] = time.time,
        reader: sqlite3.Connection | None = None,
    ) -> None:
        """``reader``: a connection that only reads, of a journal that is not to be changed."""
        self.path = path
        self.clock = clock
        self.connection = open_writer(path) if reader is None else reader
        self._cursor = self.connection.cursor()
        """For statements that give no rows, for each photo: a new cursor takes time."""
        self._file = _identity(path)
        self._last: dict[Hashable, Callable[[], None]] = {}
        self._after: list[Callable[[], None]] = []
        self._plain_folders: naming.PlainFolders = {}

    def close(self) -> None:
        self.connection.close()

    def is_in_place(self) -> bool:
        """False if the file was moved or deleted meanwhile, or another one is in its place."""
        return _identity(self.path) == self._file

    def make_whole(self) -> None:
        """Write what lies beside the file into it: it was moved without that."""
        with contextlib.suppress(sqlite3.Error):
            self.connection.execute("pragma wal_checkpoint(truncate)").fetchall()

    def expect_in_place(self) -> None:
        """Raise LocalError if another process set this journal aside as damaged: nobody would read
        it again."""
        if not self.is_in_place():
            raise LocalError(
                f"{self.path}: set aside meanwhile, because it was damaged", "push again"
            )

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """BEGIN IMMEDIATE ... COMMIT. Durable if the block ends well, undone if it raises. Raises
        LocalError."""
        try:
            self.begin()
            yield
            self.finish()
            self.commit()
        except BaseException as error:
            self.undo()
            if isinstance(error, sqlite3.Error):
                raise journal_fault(self.path, error) from error
            raise

    def begin(self) -> None:
        self._last.clear()
        self._after.clear()
        self._plain_folders.clear()
        self.connection.execute("begin immediate")

    def finish(self) -> None:
        """Make the changes that ``before_commit`` gathered."""
        for change in self._last.values():
            change()

    def commit(self) -> None:
        """Commit. Another thread may call this while the thread that made the changes waits."""
        self.connection.execute("commit")

    def undo(self) -> None:
        if self.connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self.connection.execute("rollback")

    def before_commit(self, key: Hashable, change: Callable[[], None]) -> None:
        """Make ``change`` at the end of this transaction, once for each ``key``."""
        self._last[key] = change

    def after_commit(self, call: Callable[[], None]) -> None:
        """Have ``made`` call ``call`` once this transaction is durable."""
        self._after.append(call)

    def made(self) -> None:
        """Make the calls of ``after_commit``: the transaction is durable."""
        calls, self._after = self._after, []
        for call in calls:
            call()

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """All rows of a query."""
        return self.connection.execute(sql, values).fetchall()

    def tasks(self, condition: str, *values: Any) -> list[Task]:
        """The tasks that an SQL condition selects."""
        return tasks(self.connection, condition, values)

    def move(
        self, task_id: int, state: State, reason: str = "", also: str = "", *values: Any
    ) -> None:
        """Bring a task to ``state``. Raises LostTask if the transitions do not allow the step.

        ``also``: SQL for other columns that change with the state (", tries = ?"), with their
        ``values``.
        """
        update, allowed = steps.MOVE[state]
        moved = self._cursor.execute(
            update + also + allowed, (plain(reason), self.clock(), *values, task_id)
        )
        if moved.rowcount != 1:
            raise LostTask(task_id)

    def _make_step(self, step: str, *values: Any) -> None:
        """Execute a step's statement; the last value is the task's id. Raises LostTask if the step
        is not allowed."""
        if self._cursor.execute(step, values).rowcount != 1:
            raise LostTask(values[-1])

    def reason_of(self, task_id: int) -> str:
        """The reason for a task's state, in words; "" if the task was forgotten."""
        found = self.rows("select reason from task where id = ?", task_id)
        return str(found[0]["reason"]) if found else ""

    def wake_clip(self, task_id: int) -> None:
        """Decide anew about the clip of a still, because the still is tried again or cancelled."""
        self.connection.execute(steps.WAKE_CLIP, (task_id,))

    def _note_seen(self, task_id: int, pins: Pins) -> None:
        """Note size, modification time and inode of a task's photo; an unchanged row is not
        written."""
        seen = pins.size, stored(pins.mtime_ns), stored(pins.inode)
        self.connection.execute(
            "update photo set size = ?, mtime_ns = ?, inode = ? where id = (select photo_id"
            " from task where id = ?) and (size, mtime_ns, inode) is not (?, ?, ?)",
            (*seen, task_id, *seen),
        )

    def task(self, task_id: int) -> Task | None:
        """One task, or None if it was forgotten."""
        found = self.tasks("where task.id = ?", task_id)
        return found[0] if found else None


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
