"""A future that resumes its task at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


class Resuming(Generic[T]):
    """A future that resumes its task within the callback that sets it, not in the loop's next turn.

    So a task reads before the selector looks again, which would report the same bytes a second
    time, and a photo is sent as soon as its beginning is durable. It has what ``asyncio.isfuture``
    and a task need of a future, and no more.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_callback",
        "_context",
        "_error",
        "_is_done",
        "_loop",
        "_value",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._asyncio_future_blocking = self._is_done = False
        self._loop = loop
        self._callback: Callable[[Any], object] | None = None
        self._context: Context | None = None
        self._error: BaseException | None = None
        self._value: T | None = None

    def __await__(self) -> Generator[Any, None, T]:
        if not self._is_done:
            self._asyncio_future_blocking = True
            yield self
        return self.result()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def add_done_callback(self, callback: Callable[[Any], object], *, context: Context) -> None:
        self._callback, self._context = callback, context

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return cast(T, self._value)

    def resume(self, value: T) -> None:
        """Resume the task with a value. To be called by the loop, not within a task."""
        self._value, self._is_done = value, True
        self._go_on()

    def fail(self, error: BaseException) -> None:
        """Resume the task with an error; in all other ways as ``resume``."""
        if self._error is None:  # else it was cancelled, and resumes with that
            self._error = error
        self._is_done = True
        self._go_on()

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002 - the signature that a task calls
        """Cancel, and resume in the loop's next turn: the caller may be a task, within which no
        other task can run."""
        if self._callback is None:
            return False
        self._error, self._is_done = asyncio.CancelledError(), True
        self._loop.call_soon(self._go_on)
        return True

    def _go_on(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None and self._context is not None:
            self._context.run(callback, self)
