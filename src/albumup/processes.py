"""Other processes: whether one is there, and the environment of those that are started."""

from __future__ import annotations

import os
from collections.abc import Iterable

_withheld: set[str] = set()


def withhold(names: Iterable[str]) -> None:
    """Keep these variables, which hold tokens, from the commands that this process starts."""
    _withheld.update(names)


def environment() -> dict[str, str]:
    """The environment for commands. It has none of the variables that are withheld."""
    return {name: text for name, text in os.environ.items() if name not in _withheld}


def is_alive(pid: int) -> bool:
    """Whether there is a process ``pid``, of any user. A zombie has ended. See proc(5)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return not stat.read().rpartition(b")")[2].lstrip().startswith(b"Z")
    except OSError:
        return True  # not Linux
