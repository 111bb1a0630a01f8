"""Group commit: one thread owns the journal's connection and commits whatever has gathered, fsynced, at once.

Workers hand over small functions of the journal and go on; who needs to know that a change is durable waits for its
result. A function that raises LostTask must not have changed anything before; any other error undoes its whole batch
and ends the recorder, for then the journal itself is at fault.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from albumup.journal.journal import Journal, LostTask

T = TypeVar("T")

_MOST = 512
"""Changes in one commit, at most: a joiner waits no longer than that."""


class Pending(Generic[T]):
    """The result of a change that is on its way to the disk."""

    __slots__ = ("_done", "_error", "_value")

    def __init__(self) -> None:
        self._done = threading.Lock()
        self._done.acquire()
        self._value: T | None = None
        self._error: BaseException | None = None

    def settle(self, value: T | None, error: BaseException | None) -> None:
        self._value, self._error = value, error
        self._done.release()

    def wait(self) -> T:
        """The value, once committed; raises what the change raised, or the fault that stopped the recorder."""
        with self._done:
            if self._error is not None:
                raise self._error
            return cast(T, self._value)


class Recorder(threading.Thread):
    """Owns ``journal`` until ``close``. ``after`` of a change runs in this thread once the change is durable."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(name="recorder", daemon=True)
        self.journal = journal
        self.fault: BaseException | None = None
        self._queue: queue.SimpleQueue[
            tuple[Callable[[Journal], Any], Pending[Any], Callable[[], None] | None] | None
        ] = queue.SimpleQueue()
        self._on_fault: Callable[[], None] = lambda: None

    def on_fault(self, call: Callable[[], None]) -> None:
        """``call`` is told when the journal fails; ``fault`` then holds the error."""
        self._on_fault = call

    def do(self, change: Callable[[Journal], T], after: Callable[[], None] | None = None) -> Pending[T]:
        """Queue a change; ``wait()`` on what is returned to know it is durable."""
        pending: Pending[T] = Pending()
        self._queue.put((change, pending, after))
        return pending

    def close(self) -> None:
        """Commit what is queued and end the thread; the journal is the caller's again."""
        self._queue.put(None)
        self.join()

    def run(self) -> None:
        open_ = True
        while open_:
            batch = [self._queue.get()]
            while len(batch) < _MOST:
                try:
                    batch.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            work = [item for item in batch if item is not None]
            open_ = len(work) == len(batch)
            self._commit(work)

    def _commit(self, work: list[tuple[Callable[[Journal], Any], Pending[Any], Callable[[], None] | None]]) -> None:
        results: list[tuple[Any, BaseException | None]] = []
        if self.fault is None and work:
            try:
                with self.journal.transaction():
                    for change, _, _ in work:
                        try:
                            results.append((change(self.journal), None))
                        except LostTask as lost:
                            results.append((None, lost))
            except BaseException as fault:  # noqa: BLE001 - whoever waits must hear of it, whatever it was
                self.fault = fault
        if self.fault is not None:
            for _, pending, _ in work:
                pending.settle(None, self.fault)
            if work:
                self._on_fault()
            return
        for (_, pending, after), (value, error) in zip(work, results, strict=True):
            pending.settle(value, error)
            if after is not None and error is None:
                try:
                    after()
                except BaseException as fault:  # noqa: BLE001 - this thread must not die of it: others wait for it
                    self.fault = self.fault or fault
        if self.fault is not None:
            self._on_fault()
