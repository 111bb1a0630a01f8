"""Helper threads for work that may block: disks, resolvers, small requests. They take values and
return values.

The loop's thread owns all state, and helpers change none of it. Each kind of work has a small pool
of its own, so a disk or a resolver that hangs holds up its own kind only. The program does not wait
for these threads at its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Work(StrEnum):
    """A kind of work, with a pool of its own."""

    READ = "read"
    """Reading photos to prepare them."""
    COPY = "copy"
    """Copying photos into the spool."""
    SYNC = "sync"
    """Fsyncing the spool folder, while more copies are made."""
    OPEN = "open"
    """Opening and reading the photos to send next."""
    LOOK = "look"
    """Looking at folders, volumes and file names."""
    CONNECT = "connect"
    """Looking up names, connecting, TLS handshakes."""
    ASK = "ask"
    """Small requests about photos."""
    ALBUMS = "albums"
    """Small requests about albums."""
    PROGRAM = "program"
    """Running commands of the user's."""
    BUILD = "build"
    """Building targets: the commands that print their tokens may take a minute."""
    COMMIT = "commit"
    """Committing to the journal, if its disk is slow."""


THREADS = {
    Work.READ: 4,
    Work.COPY: 1,
    Work.SYNC: 1,
    Work.OPEN: 4,
    Work.LOOK: 4,
    Work.CONNECT: 16,
    Work.ASK: 4,
    Work.ALBUMS: 2,
    Work.PROGRAM: 4,
    Work.BUILD: 4,
    Work.COMMIT: 1,
}
"""The most threads of each pool. A further one starts only if the others seem to hang: a disk is
fastest when jobs run one after the other, in their order."""
_AT_ONCE = frozenset({Work.CONNECT, Work.ASK, Work.ALBUMS, Work.PROGRAM, Work.BUILD})
"""Pools that wait for other computers: each job may start a further thread."""
_STUCK_SECONDS = 0.5
"""If no job ends for so long, a further thread starts."""


class Helpers(Protocol):
    """Runs functions outside the loop's thread."""

    def run(self, work: Work, function: Callable[..., T], *args: Any) -> Awaitable[T]:
        """Start ``function(*args)``. Awaiting the result returns its value, or raises its
        exception."""

    def close(self) -> None:
        """Accept no more work. Functions that still run are left alone."""


_Job = tuple[Callable[..., Any], tuple[Any, ...], "asyncio.Future[Any]"]


class Threads:
    """Helpers as threads. Made within a running loop, and used by its thread alone."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pools: dict[Work, _Pool] = {}
        self._done: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._is_woken = False

    def run(self, work: Work, function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        pool = self._pools.get(work)
        if pool is None:
            pool = self._pools[work] = _Pool(work, self._finish)
        future: asyncio.Future[T] = self._loop.create_future()
        pool.put((function, args, future))
        return future

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()

    def _finish(self, future: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
        """Called by a helper thread. One wake-up of the loop delivers all results so far."""
        self._done.append((future, value, error))
        if not self._is_woken:
            self._is_woken = True
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._is_woken = False
        while self._done:
            future, value, error = self._done.popleft()
            if future.done():
                continue  # cancelled
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)


class _Pool:
    """Threads for one kind of work; ``finish`` is called with (future, value, error)."""

    def __init__(
        self, work: Work, finish: Callable[[asyncio.Future[Any], Any, BaseException | None], None]
    ) -> None:
        self._work = work
        self._finish = finish
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._started = 0
        self._open = 0
        """Jobs that are not finished."""
        self._watch: asyncio.TimerHandle | None = None
        self._is_stuck = False
        """No job has ended since the last look."""

    def put(self, job: _Job) -> None:
        self._open += 1
        job[2].add_done_callback(self._ended)
        if not self._started or (self._work in _AT_ONCE and self._started < self._open):
            self._start()
        self._jobs.put(job)
        if self._watch is None and self._started < THREADS[self._work]:
            self._look_later(job[2].get_loop())

    def close(self) -> None:
        for _ in range(self._started):
            self._jobs.put(None)
        if self._watch is not None:
            self._watch.cancel()

    def _start(self) -> None:
        if self._started < THREADS[self._work]:
            self._started += 1
            threading.Thread(
                target=self._serve, name=f"{self._work}-{self._started}", daemon=True
            ).start()

    def _look_later(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_stuck = True
        self._watch = loop.call_later(_STUCK_SECONDS, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._watch = None
        if self._is_stuck and self._open > self._started:
            self._start()
        if self._open and self._started < THREADS[self._work]:
            self._look_later(loop)

    def _ended(self, _: object) -> None:
        self._open -= 1
        self._is_stuck = False

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            function, args, future = job
            del job
            try:
                value, error = function(*args), None
            except BaseException as raised:  # noqa: BLE001 - the awaiting coroutine must get it
                value, error = None, raised
            self._finish(future, value, error)
            del function, args, future, value, error
