"""The computer's clock in the tests' hand, for commands within the tests' process (``within``).

Whoever in the program asks what time it is gets the time of a ``Clock``, whether it asks when it
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
_hands: list[Clock] = []
"""The clock that is the computer's, if one is."""


def _time() -> float:
    """A module that is loaded meanwhile keeps this function; later it gives the real time."""
    return _hands[-1].now() if _hands else _REAL()


class StillClock:
    """Stands still until a test changes ``now``, in seconds."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Clock:
    """A clock that is turned by hand, and goes on by itself."""

    def __init__(self, at: float) -> None:
        self.turn_to(at)

    def turn_to(self, at: float) -> None:
        """Be at this time, in Unix seconds, and go on from there."""
        self._at, self._since = at, time.monotonic()

    def now(self) -> float:
        return self._at + time.monotonic() - self._since

    @contextmanager
    def is_the_computers(self) -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(patch.object(time, "time", _time))
            for function in _given_the_time():
                given = function.__defaults__ or ()
                defaults = tuple(_time if one is _REAL else one for one in given)
                stack.enter_context(patch.object(function, "__defaults__", defaults))
            _hands.append(self)
            try:
                yield
            finally:
                _hands.remove(self)


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
