"""Runs an engine in a thread of its own, for a command that shows its progress and handles
signals."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from albumup.journal.journal import Journal
from albumup.uploader.engine import Engine
from albumup.uploader.events import Event, Listener, Progress
from albumup.uploader.options import Draining, RunEnd, Stop
from albumup.uploader.world import World, this_world

T = TypeVar("T")

_SHOWN_SECONDS = 0.1
_MOST_NEW = 5000
"""New objects before a garbage collection: each photo makes some hundred."""
_ANSWER_SECONDS = 1.0
"""How long an engine may take to answer: it takes longer only where something hangs."""

Make = Callable[[Listener, World], Engine]
"""Makes the engine, within its loop."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A run at one moment: its progress, and the names of its albums."""

    progress: Progress
    albums: list[str]
    run_id: int
    before: dict[int, tuple[int, int]]
    """As in ``RunEnd``."""
    is_ending_early: bool
    rate_limit: int | None
    """Bytes a second; None: no limit."""


class EngineThread:
    """Runs an engine in a thread. The caller takes ``events`` out at any time. A thread that hangs
    is left behind."""

    def __init__(self, make: Make) -> None:
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.shown: Shown | None = None
        self.end: RunEnd | None = None
        self.fault: BaseException | None = None
        """The exception that ended the engine without a ``RunEnd``."""
        self._make = make
        self._loop: asyncio.AbstractEventLoop | None = None
        self._engine: Engine | None = None
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Wait until the run is over: True; False after ``seconds``."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def has_begun(self) -> bool:
        """Is the run journaled?"""
        return self._engine is not None and self._engine.has_begun

    def drain(self, stop: Stop, grace: float) -> Draining | None:
        """Call ``Engine.drain``; None if the engine does not answer."""
        return self._ask(lambda engine: engine.drain(stop, grace))

    def cut(self) -> None:
        """Call ``Engine.cut``."""
        self._ask(lambda engine: engine.cut())

    def change(self, change: Callable[[Journal], T]) -> concurrent.futures.Future[T]:
        """Have the engine make a change of the journal, in one of its commits. If the run ends
        before, the future may never be done."""
        made: concurrent.futures.Future[T] = concurrent.futures.Future()

        def ask() -> None:
            assert self._engine is not None
            self._engine.change(change).add_done_callback(lambda done: _pass_on(done, made))

        try:
            assert self._loop is not None
            self._loop.call_soon_threadsafe(ask)
        except (RuntimeError, AssertionError) as error:  # the engine has just ended, or is starting
            made.set_exception(error)
        return made

    def _ask(self, question: Callable[[Engine], T]) -> T | None:
        answer: concurrent.futures.Future[T] = concurrent.futures.Future()

        def ask() -> None:
            try:
                assert self._engine is not None
                answer.set_result(question(self._engine))
            except BaseException as error:  # noqa: BLE001 - the caller must get it
                answer.set_exception(error)

        try:
            assert self._loop is not None
            self._loop.call_soon_threadsafe(ask)
            return answer.result(_ANSWER_SECONDS)
        # The engine has just ended, or is starting, or hangs.
        except (RuntimeError, AssertionError, TimeoutError):
            return None

    def _run(self) -> None:
        try:
            asyncio.run(self._work())
        except BaseException as fault:  # noqa: BLE001 - the caller reports it
            self.fault = fault

    async def _work(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.time = time.monotonic  # type: ignore[method-assign]  # saves a call, ten times a photo
        self._engine = engine = self._make(self.events.put, this_world())
        gc.freeze()  # the objects made so far stay until the end
        gc.set_threshold(_MOST_NEW, 20, 50)
        showing = self._loop.create_task(self._show(engine))
        try:
            self.end = await engine.run()
            self._look(engine)  # a short run has not been looked at
        finally:
            showing.cancel()

    async def _show(self, engine: Engine) -> None:
        while True:
            self._look(engine)
            await asyncio.sleep(_SHOWN_SECONDS)

    def _look(self, engine: Engine) -> None:
        run = engine.run_id, engine.before(), engine.is_ending_early, engine.rate_limit
        self.shown = Shown(engine.progress(), engine.album_names, *run)


def _pass_on(done: asyncio.Future[T], made: concurrent.futures.Future[T]) -> None:
    """Give the result of one future to another one."""
    if done.cancelled():
        made.cancel()
    elif (error := done.exception()) is not None:
        made.set_exception(error)
    else:
        made.set_result(done.result())
