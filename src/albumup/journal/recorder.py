"""Group commit: many small changes of the journal in one transaction, fsynced, made by whoever waits for one of them.

Everybody hands over small functions of the journal. What has gathered is committed by the first thread that needs to
know one of them durable; others that need the same wait for that commit, and find theirs done. So there is no thread
between a worker and the disk: with one, more time went into waking it, and into waiting for the interpreter's lock,
than into the journal.

A function that raises LostTask must not have changed anything before; any other error undoes its whole batch and ends
the recorder, for then the journal itself is at fault.
"""

from __future__ import annotations

import collections
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from albumup.errors import LocalError
from albumup.journal.journal import Journal, LostTask

T = TypeVar("T")

_MOST = 512
"""Changes in one commit, at most: a joiner waits no longer than that."""


class Pending(Generic[T]):
    """The result of a change that is on its way to the disk."""

    __slots__ = ("_error", "_recorder", "_value", "is_settled", "woken")

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._value: T | None = None
        self._error: BaseException | None = None
        self.is_settled = False
        self.woken: queue.SimpleQueue[None] | None = None
        """Gets something when whoever sleeps for this is to look again."""

    def settle(self, value: T | None, error: BaseException | None) -> None:
        self._value, self._error = value, error
        self.is_settled = True
        if self.woken is not None:
            self.woken.put(None)

    def wait(self) -> T:
        """The value, once committed; raises what the change raised, or the fault that stopped the recorder."""
        self._recorder.commit_until(self)
        if self._error is not None:
            raise self._error
        return cast(T, self._value)


class Recorder:
    """Owns ``journal`` until ``close``. ``after`` of a change runs once the change is durable, in the order of commits.

    Both run in the thread that commits, one such thread at a time; neither may wait for another change.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.fault: BaseException | None = None
        self._mutex = threading.Lock()
        """Guards who leads and who sleeps, for no longer than it takes to look."""
        self._is_led = False
        self._is_closed = False
        self._gathered: collections.deque[tuple[Callable[[Journal], Any], Pending[Any], Callable[[], None] | None]] = (
            collections.deque()
        )
        self._asleep: collections.deque[Pending[Any]] = collections.deque()
        self._on_fault: Callable[[], None] = lambda: None

    def on_fault(self, call: Callable[[], None]) -> None:
        """``call`` is told when the journal fails; ``fault`` then holds the error."""
        self._on_fault = call

    def do(self, change: Callable[[Journal], T], after: Callable[[], None] | None = None) -> Pending[T]:
        """Hand a change over. It is made when somebody waits for it or for a later one, or at the next ``flush``."""
        pending: Pending[T] = Pending(self)
        self._gathered.append((change, pending, after))
        return pending

    def flush(self) -> None:
        """Return once what has gathered is committed, if it can be."""
        if self._gathered or self._is_led:
            with contextlib.suppress(Exception):  # whoever waits hears of it
                self.do(_nothing).wait()

    def commit_until(self, pending: Pending[Any]) -> None:
        """Return once ``pending`` is settled: by our own commit, or by that of whoever is at it already."""
        while not pending.is_settled:
            if self._leads(pending):
                try:
                    if not pending.is_settled:
                        self._commit()
                finally:
                    self._pass_on()
            elif not pending.is_settled:
                assert pending.woken is not None
                pending.woken.get()

    def _leads(self, pending: Pending[Any]) -> bool:
        """Is it for this thread to commit? If not, ``pending`` is woken when it is settled or the next to lead."""
        with self._mutex:
            if self._is_led:
                pending.woken = pending.woken or queue.SimpleQueue()
                self._asleep.append(pending)
                return False
            self._is_led = True
            return True

    def _pass_on(self) -> None:
        """One that waits and was not in the last commit makes the next."""
        with self._mutex:
            self._is_led = False
            while self._asleep:
                pending = self._asleep.popleft()
                if not pending.is_settled:
                    assert pending.woken is not None
                    pending.woken.put(None)
                    return

    def close(self) -> None:
        """Commit what has gathered; the journal is the caller's again, and what comes later is never made."""
        self.flush()
        self._is_closed = True

    def _commit(self) -> None:
        work = [self._gathered.popleft() for _ in range(min(len(self._gathered), _MOST))]
        results: list[tuple[Any, BaseException | None]] = []
        if self._is_closed:
            for _, pending, _ in work:
                pending.settle(None, LocalError(f"{self.journal.path}: closed"))
            return
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
        for (_, pending, _), (value, error) in zip(work, results, strict=True):
            pending.settle(value, error)
        try:
            self.journal.made()
        except BaseException as fault:  # noqa: BLE001 - a worker must not die of it
            self.fault = self.fault or fault
        for (_, _, after), (_, error) in zip(work, results, strict=True):
            if after is not None and error is None:
                try:
                    after()
                except BaseException as fault:  # noqa: BLE001 - a worker must not die of it
                    self.fault = self.fault or fault
        if self.fault is not None:
            self._on_fault()


def _nothing(_: Journal) -> None:
    """What is waited for when it is the changes before it that matter."""
