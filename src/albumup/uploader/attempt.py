"""One try at sending a photo: its row in the journal, and what is known of the photo in hand."""

from __future__ import annotations

from dataclasses import dataclass

from albumup.journal.commits import Commits
from albumup.journal.journal import Journal
from albumup.journal.rows import Body, Task
from albumup.journal.states import State
from albumup.journal.store import LostTask
from albumup.retry import Outcome
from albumup.targets.base import Photo
from albumup.uploader.upstream import Upstream


class Attempt:
    """The journal's row of an attempt: its id is known once that is made."""

    def __init__(self, task: Task, commits: Commits, run_id: int, began: float) -> None:
        self._task = task
        self._commits = commits
        self._run_id = run_id
        self.has_begun = False
        """It is journaled, or on its way there."""
        self.id = 0
        self.is_whole = False
        self.began = began

    def begin(self) -> None:
        """It is to be journaled, if it is not yet on its way there."""
        if not self.has_begun:
            self.has_begun = True
            self._commits.note(self._start)

    async def end_leaves(self) -> None:
        """Returns once it is durable that the body's last byte is about to leave; with the beginning, if need be.

        LostTask if the task was cancelled meanwhile, and its last byte must not leave.
        """
        await self._commits.do(self._whole if self.has_begun else self._start_whole)
        self.has_begun = self.is_whole = True

    def end_stayed(self) -> None:
        """What was handed over was not taken: it is sent once more, and until its end leaves there is no doubt."""
        if self.is_whole:
            self.is_whole = False
            self._commits.note(lambda journal: journal.stayed(self.id))

    def end_refunded(self, journal: Journal, error: str, reason: str = "") -> None:
        """If it had begun, it costs nothing, and its task waits again, for a ``reason``. LostTask."""
        if self.has_begun:
            if not self.id:
                raise LostTask(self._task.id)
            journal.end_attempt(self.id, Outcome.REFUNDED, error=error)
            journal.move(self._task.id, State.PENDING, reason)

    def _start(self, journal: Journal, *, whole: bool = False) -> None:
        assert self._task.body is not None
        self.id = journal.start(self._task.id, self._run_id, self._task.body.boundary, whole=whole)

    def _start_whole(self, journal: Journal) -> None:
        self._start(journal, whole=True)

    def _whole(self, journal: Journal) -> None:
        if not self.id:
            raise LostTask(self._task.id)
        journal.whole(self.id)


@dataclass(slots=True)
class InHand:
    """What is known of the photo in hand."""

    upstream: Upstream
    task: Task
    body: Body
    attempt: Attempt
    photo: Photo | None = None
    """What its form may be filled with, where its reading has told."""
    may_be_there: bool = False
    """All of it left, and the server may have it, by its answer or for want of one."""
