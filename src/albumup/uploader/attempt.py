"""One attempt at sending a photo: its row in the journal, and the photo's data in memory."""

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
    """The journal's row of an attempt; ``id`` is 0 until the row exists.

    ``began``: the loop's time; ``wakes``: the number of sleeps until then (``SleepWatch``).
    """

    def __init__(
        self, task: Task, commits: Commits, run_id: int, *, began: float, wakes: int
    ) -> None:
        self._task = task
        self._commits = commits
        self._run_id = run_id
        self.has_begun = False
        """The attempt is journaled, or will be by the next commit."""
        self.id = 0
        self.is_whole = False
        self.began, self.wakes = began, wakes

    def begin(self) -> None:
        """Have the attempt journaled by the next commit, if that is not done yet."""
        if not self.has_begun:
            self.has_begun = True
            self._commits.note(self._start)

    async def end_leaves(self) -> None:
        """Journal durably that the body's last byte is about to leave; with the attempt's
        beginning, if need be.

        Raises LostTask if the task was cancelled meanwhile: its last byte must not leave.
        """
        await self._commits.durable(self._whole if self.has_begun else self._start_whole)
        self.has_begun = self.is_whole = True

    def end_stayed(self) -> None:
        """Take ``end_leaves`` back: the server took nothing, and the body is sent once more."""
        if self.is_whole:
            self.is_whole = False
            self._commits.note(lambda journal: journal.stayed(self.id))

    def end_refunded(self, journal: Journal, error: str, reason: str = "") -> None:
        """End the attempt, if it has begun, without a cost: its task waits again, for a ``reason``.
        Raises LostTask."""
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
    """A photo that is being sent, with its target and its attempt."""

    upstream: Upstream
    task: Task
    body: Body
    attempt: Attempt
    photo: Photo | None = None
    """The values for the form, if they are known from the reading."""
    at: str = ""
    """The target's address that it was sent to."""
    may_be_there: bool = False
    """The whole body left, and the server may have it: it said so, or did not answer."""
