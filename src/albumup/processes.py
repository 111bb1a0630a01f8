"""Other processes: whether one is there, and the environment of those that are started."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable

_withheld: set[str] = set()


def withhold(names: Iterable[str]) -> None:
    """Keep these variables, which hold tokens, from the commands that this process starts."""
    _withheld.update(names)


def environment() -> dict[str, str]:
    """The environment for commands. It has none of the variables that are withheld."""
    return {name: text for name, text in os.environ.items() if name not in _withheld}


def why_not_run(program: str, error: Exception) -> str:
    """Why a program that was found by its path could not be started, in words for people.

    ``error``: of ``subprocess``. Its own words say "Permission denied" of a folder, too.
    """
    if not isinstance(error, OSError):
        return "not a command"
    words = error.strerror or str(error)
    try:
        mode = os.stat(program).st_mode if "/" in program else None
    except OSError:
        return words
    if mode is None:
        return words
    if stat.S_ISDIR(mode):
        return "it is a folder"
    if not stat.S_ISREG(mode):
        return "it is no file"
    if error.errno == errno.EACCES and not mode & 0o111:
        return "it is not executable: chmod +x"
    if error.errno == errno.ENOENT:
        return "what its first line names (#!) is not there"
    if error.errno == errno.ENOEXEC:
        return "it is no program, and begins with no line such as #!/bin/sh"
    return words


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
