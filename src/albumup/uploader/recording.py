"""What is written down of an outcome, and who is told: the journal first, then the listener."""

from __future__ import annotations

import time
from typing import Any

from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.rows import Task
from albumup.journal.states import DONE, State
from albumup.retry import Finding, Outcome, Step
from albumup.uploader.dispatch import Dispatch
from albumup.uploader.lane import Lane
from albumup.uploader.progress import Counts, Listener


class Recording:
    """The outcomes of one run; its methods that take the journal are called inside a transaction."""

    def __init__(self, dispatch: Dispatch, listener: Listener) -> None:
        self.run_id = 0
        self.counts = Counts()
        self._dispatch = dispatch
        self._listener = listener

    def first_accepted(self, lane: Lane) -> bool:
        """True once: the target at this address has accepted its first photo ever."""
        with self._dispatch.cond:
            first, lane.is_journaled = not lane.is_journaled, True
        return first

    def spooled(self, photos: int) -> None:
        """Every photo that was to be copied is on this disk, and the journal says so."""
        self._listener({"event": "spooled", "time": time.time(), "photos": photos})

    def apply(self, journal: Journal, task: Task, step: Step, finding: Finding) -> None:
        """Bring a task from ``sending`` to where a step says, and owe the user a notice if its album settles."""
        match step.state:
            case State.PENDING:
                journal.try_later(
                    task.id,
                    step.reason,
                    tries=step.tries,
                    frees=task.frees + (finding.outcome is Outcome.BROKEN and step.tries == task.tries),
                    next_at=step.next_at,
                    maybe_twice=step.maybe_twice,
                )
            case State.IN_DOUBT:
                journal.doubt(task.id, step.reason, tries=step.tries, ask_at=step.ask_at)
            case _:
                journal.settle_task(task.id, step.state, step.reason, remote_id=finding.remote_id, url=finding.url)
                journal.spend(task.id, step.tries)
        self.settled(journal, task.album_id)

    def settled(self, journal: Journal, album_id: int) -> None:
        """Owe a notice when the album has just settled; in the transaction of its last change."""
        if self.run_id and not runs.is_unfinished(journal, album_id):
            runs.owe_notice(journal, album_id, {"run": self.run_id})
            runs.touch(journal, album_id)

    def count(self, state: State, size: int) -> None:
        """A task of ``size`` bytes was recorded as ``state``; in the recorder's thread."""
        if state in DONE:
            self.counts.done += 1
            self.counts.done_bytes += size
        elif state is not State.PENDING:
            self.counts.given_up += 1
            self.counts.given_up_bytes += size

    def tell(self, event: str, task: Task, **more: Any) -> None:
        album = self._dispatch.albums.get(task.album_id)
        self._listener(
            {
                "event": event,
                "time": time.time(),
                "album": task.album,
                "target": album.target if album else "",
                "path": task.path,
                **more,
            }
        )
