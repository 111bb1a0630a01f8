"""The computer's clock in the tests' hand, for commands within the tests' process (``within``).

Whoever in the program asks what time it is gets the time of this clock, whether it asks when it
needs it or was given ``time.time`` when its module was loaded. Monotonic time is left as it is: no
timer runs out sooner.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import FunctionType
from unittest.mock import patch

_REAL = time.time


class Clock:
    """A clock that is turned by hand, and goes on by itself."""

    def __init__(self, at: float) -> None:
        self._is_the_computers = False
        self.turn_to(at)

    def turn_to(self, at: float) -> None:
        """Be at this time, in Unix seconds, and go on from there."""
        self._at, self._since = at, time.monotonic()

    def now(self) -> float:
        return self._at + time.monotonic() - self._since

    @contextmanager
    def is_the_computers(self) -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(patch.object(time, "time", self._time))
            for function in _given_the_time():
                defaults = tuple(self._of(one) for one in function.__defaults__ or ())
                stack.enter_context(patch.object(function, "__defaults__", defaults))
            self._is_the_computers = True
            try:
                yield
            finally:
                self._is_the_computers = False

    def _of(self, default: object) -> object:
        return self._time if default is _REAL else default

    def _time(self) -> float:
        """A module that is loaded meanwhile keeps this function, and gets the real time later."""
        return self.now() if self._is_the_computers else _REAL()


def _given_the_time() -> list[FunctionType]:
    """The functions of the program that have ``time.time`` as a default."""
    found: dict[int, FunctionType] = {}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "albumup":
            for one in _functions(vars(module).values()):
                if any(default is _REAL for default in one.__defaults__ or ()):
                    found[id(one)] = one
    return list(found.values())


def _functions(values: Iterable[object]) -> Iterator[FunctionType]:
    for value in list(values):
        if isinstance(value, FunctionType):
            yield value
        elif isinstance(value, type):
            yield from (one for one in vars(value).values() if isinstance(one, FunctionType))
