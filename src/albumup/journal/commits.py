"""Group commit: all changes of one turn of the loop are one transaction, fsynced once.

A change is a small function of the journal. Changes gather, and are made in the loop's thread at
the end of its turn. While the disk is quick the loop commits too. While it is slow a helper
commits, and the loop gathers the next changes. One thread at a time uses the connection: nobody
touches it while a helper has it.

A change may raise LostTask if it has not changed anything yet. Any other error undoes its whole
batch and ends the commits, because then the journal itself is at fault.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import Struct

from albumup.errors import LocalError
from albumup.helpers import Helpers, Work
from albumup.journal.connecting import BUSY_SECONDS
from albumup.journal.journal import Journal
from albumup.journal.opening import journal_fault
from albumup.journal.store import LostTask
from albumup.resuming import Resuming

T = TypeVar("T")

_MOST = 512
"""The most changes in one commit: other processes wait for it."""
SLOW_SECONDS = 0.004
"""After a commit that took longer, a helper makes the next one."""


class _Change(Struct, frozen=True):
    make: Callable[[Journal], Any]
    future: asyncio.Future[Any] | None = None
    after: Callable[[], None] | None = None
    resuming: Resuming[Any] | None = None


class Commits:
    """Owns ``journal`` until ``close``, and makes its changes in group commits.

    Made within a running loop, and used by its thread alone. ``slow``: seconds, as
    ``SLOW_SECONDS``.
    """

    def __init__(self, journal: Journal, helpers: Helpers, slow: float = SLOW_SECONDS) -> None:
        self.journal = journal
        self.fault: BaseException | None = None
        self._helpers = helpers
        self._loop = asyncio.get_running_loop()
        self._gathered: deque[_Change] = deque()
        self._is_due = False
        """A commit is scheduled for the end of this turn."""
        self._is_away = False
        """A helper has the connection."""
        self._slow = slow
        self._took = 0.0
        self._is_closed = False
        self._idle: list[asyncio.Future[None]] = []
        self._on_fault: Callable[[BaseException], None] = lambda _: None
        self._wait_for_others(0.0)

    def on_fault(self, call: Callable[[BaseException], None]) -> None:
        """Have ``call`` called with the error when the journal fails."""
        self._on_fault = call

    def do(self, change: Callable[[Journal], T]) -> asyncio.Future[T]:
        """Hand a change over. The future gives what it returned, once that is durable.

        The future raises what the change raised, or the fault that ended the commits.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        self._gather(_Change(change, future))
        return future

    async def durable(self, change: Callable[[Journal], T]) -> T:
        """As ``await do(change)``. The caller goes on in the turn of the commit, after all that
        this commit tells others: a photo is sent that much sooner."""
        resuming: Resuming[T] = Resuming(self._loop)
        self._gather(_Change(change, resuming=resuming))
        return await resuming

    def note(
        self, change: Callable[[Journal], Any], after: Callable[[], None] | None = None
    ) -> None:
        """Hand over a change that nobody awaits; ``after`` is called once it is durable, not if it
        raised LostTask."""
        self._gather(_Change(change, after=after))

    async def read(self, query: Callable[[Journal], T]) -> T:
        """Look something up, at once unless a helper has the connection. Changes still gathered are
        not seen."""
        if self._is_away or self.fault is not None:
            return await self.do(query)
        return query(self.journal)

    async def flush(self) -> None:
        """Wait until all gathered changes are committed, or have failed."""
        while (self._gathered or self._is_away) and not self._is_closed:
            idle = self._loop.create_future()
            self._idle.append(idle)
            await idle

    async def close(self) -> None:
        """Commit all gathered changes and give the journal back. Later changes are refused."""
        await self.flush()
        self._is_closed = True
        if self.fault is None:
            self._wait_for_others(BUSY_SECONDS)

    def _gather(self, change: _Change) -> None:
        if self.fault is not None or self._is_closed:
            refusal = self.fault or LocalError(f"{self.journal.path}: closed")
            _settle(change, None, refusal)
            _resume(change, None, refusal)
            return
        self._gathered.append(change)
        if not (self._is_due or self._is_away):
            self._is_due = True
            # A timer runs after the sockets that are readable by then: more answers share a commit.
            self._loop.call_later(0, self._turn)

    # A turn: begin, make the changes, commit, tell. A helper has the connection while beginning or
    # committing waits.

    def _turn(self) -> None:
        self._is_due = False
        if self._is_away:
            return
        if not self._gathered:
            self._be_idle()
            return
        try:
            self.journal.begin()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                self._fail(journal_fault(self.journal.path, error), [])
                return
            self._lend(self._begin_patiently, self._make)
        except sqlite3.Error as error:
            self._fail(journal_fault(self.journal.path, error), [])
        else:
            self._make()

    def _begin_patiently(self) -> None:
        """Wait for another process that writes, then begin."""
        self._wait_for_others(BUSY_SECONDS)
        try:
            self.journal.begin()
        finally:
            self._wait_for_others(0.0)

    def _make(self) -> None:
        work = [self._gathered.popleft() for _ in range(min(len(self._gathered), _MOST))]
        made: list[tuple[_Change, Any, LostTask | None]] = []
        changes = self.journal.connection.total_changes
        try:
            for change in work:
                try:
                    made.append((change, change.make(self.journal), None))
                except LostTask as lost:
                    made.append((change, None, lost))
            self.journal.finish()
        except BaseException as error:  # noqa: BLE001 - those who wait must hear of any error
            self._fail(_fault_of(self.journal, error), work)
            return
        is_written = self.journal.connection.total_changes > changes
        if is_written and self._took > self._slow:
            self._lend(self._commit, lambda: self._tell(made), work)
            return
        took = self._took
        try:
            self._commit()
        except BaseException as error:  # noqa: BLE001 - as above
            self._fail(_fault_of(self.journal, error), work)
            return
        if not is_written:
            self._took = (
                took  # an empty commit does not wait for the disk, and says nothing about it
            )
        self._tell(made)

    def _commit(self) -> None:
        began = time.perf_counter()
        self.journal.commit()
        self._took = time.perf_counter() - began

    def _tell(self, made: list[tuple[_Change, Any, LostTask | None]]) -> None:
        """Tell all who wait that the batch is durable, before any other call that may fail."""
        for change, value, lost in made:
            _settle(change, value, lost)
        afters = [
            change.after for change, _, lost in made if change.after is not None and lost is None
        ]
        faults = [
            fault for tell in (self.journal.made, *afters) if (fault := _fault_in(tell)) is not None
        ]
        for change, value, lost in made:
            _resume(change, value, lost)
        if faults:
            self._fail(faults[0], [])
        elif not self._gathered:
            self._be_idle()
        elif not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._turn)

    def _lend(
        self, wait: Callable[[], None], then: Callable[[], None], work: list[_Change] | None = None
    ) -> None:
        """Let a helper have the connection while it runs ``wait``; go on with ``then``."""
        self._is_away = True

        def returned(waited: asyncio.Future[None]) -> None:
            self._is_away = False
            error = waited.exception()
            if error is not None:
                self._fail(_fault_of(self.journal, error), work or [])
            else:
                then()

        waiting = asyncio.ensure_future(self._helpers.run(Work.COMMIT, wait))
        waiting.add_done_callback(returned)

    def _fail(self, error: BaseException, work: list[_Change]) -> None:
        self.fault = error
        self.journal.undo()
        failed = [*work, *self._gathered]
        self._gathered.clear()
        for change in failed:
            _settle(change, None, error)
        self._on_fault(error)
        self._be_idle()
        for change in failed:
            _resume(change, None, error)

    def _be_idle(self) -> None:
        idle, self._idle = self._idle, []
        for waiting in idle:
            if not waiting.done():
                waiting.set_result(None)

    def _wait_for_others(self, seconds: float) -> None:
        self.journal.connection.execute(f"pragma busy_timeout = {int(seconds * 1000)}")


def _fault_in(tell: Callable[[], None]) -> BaseException | None:
    try:
        tell()
    except BaseException as error:  # noqa: BLE001 - the run must end and say why
        return error
    return None


def _settle(change: _Change, value: Any, error: BaseException | None) -> None:
    future = change.future
    if future is None or future.done():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
        future.exception()  # else asyncio would complain where the one who waited has left


def _resume(change: _Change, value: Any, error: BaseException | None) -> None:
    if change.resuming is None:
        return
    if error is None:
        change.resuming.resume(value)
    else:
        change.resuming.fail(error)


def _fault_of(journal: Journal, error: BaseException) -> BaseException:
    return journal_fault(journal.path, error) if isinstance(error, sqlite3.Error) else error
