"""Runs albumup and kills it with SIGKILL at the N-th time that it comes to a point.

    python tests/faults/failpoint.py committed:3 push ./trip python tests/faults/failpoint.py
    count:FILE push ./trip      counts how often each point is come to

Points: ``sql`` (before a statement of the journal), ``committed`` (after a commit), and before and
after each operation on files, as ``fsync`` and ``fsync-done``. The program is the real one; only
its way down is instrumented.
"""

from __future__ import annotations

import atexit
import itertools
import json
import os
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

FILE_OPERATIONS = (
    "open", "write", "fsync", "link", "unlink", "rename", "replace", "mkdir", "makedirs",
    "sendfile",
)  # fmt: skip
"""Functions of ``os`` with which the journal, the spool and the receiver touch the disk."""

_point, _, _when = sys.argv[1].partition(":")
_counts: Counter[str] = Counter()
_turns = itertools.count(1)


def _reach(point: str) -> None:
    if _point == "count":
        _counts[point] += 1
    elif point == _point and next(_turns) == int(_when):
        os.kill(os.getpid(), signal.SIGKILL)


class _Connection(sqlite3.Connection):
    """A connection with points, of the class that the program asks for."""

    def execute(self, sql: str, /, *values: Any) -> sqlite3.Cursor:
        _reach("sql")
        done = super().execute(sql, *values)
        if sql.strip().lower() == "commit":
            _reach("committed")
        return done


def _watched(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def watched(*arguments: Any, **named: Any) -> Any:
        _reach(name)
        done = call(*arguments, **named)
        _reach(f"{name}-done")
        return done

    return watched


def main() -> None:
    connect = sqlite3.connect

    def connected(*given: Any, factory: type = sqlite3.Connection, **named: Any) -> Any:
        return connect(*given, factory=type("_Connection", (_Connection, factory), {}), **named)

    sqlite3.connect = connected  # type: ignore[assignment]
    for name in FILE_OPERATIONS:
        if name != "open":
            setattr(os, name, _watched(name, getattr(os, name)))
    opened = os.open

    def watched_open(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if not flags & os.O_CREAT:
            return opened(path, flags, *more, **named)
        _reach("open")
        descriptor = opened(path, flags, *more, **named)
        _reach("open-done")
        return descriptor

    os.open = watched_open
    if _point == "count":
        leave = os._exit

        def write() -> None:
            with open(_when, "w", encoding="utf-8") as file:
                json.dump(_counts, file)

        def write_and_leave(code: int) -> None:
            write()
            leave(code)

        atexit.register(write)
        os._exit = write_and_leave  # type: ignore[assignment]
    from albumup.__main__ import main

    sys.argv[:] = ["albumup", *sys.argv[2:]]
    main()


if __name__ == "__main__":
    main()
