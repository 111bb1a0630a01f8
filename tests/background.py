"""Uploaders in the background, as the tests see them from outside."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from pathlib import Path

from home import Home, until

from albumup.journal.lock import is_locked
from albumup.journal.opening import paths_of

IN_BACKGROUND = re.compile(r"(\d+ photos?) queued; uploading in the background \(pid (\d+)\); (.*)")


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def gone(pid: int, home: Home) -> int:
    """Wait for the end of an orphan; its exit code.

    One that ends before the command that started it was waited for by that command: the journal
    has the code.
    """
    code: list[int] = []

    def has_ended() -> bool:
        with contextlib.suppress(ChildProcessError):
            found, status = os.waitpid(pid, os.WNOHANG)
            if not found:
                return False
            code.append(os.waitstatus_to_exitcode(status))
        return True

    until(has_ended, f"the end of {pid}")
    if not code:
        code += [int(said) for (said,) in home.sql("select exit from run where pid = ?", pid)]
    return code[-1]


def pid_in(said: str) -> int:
    found = IN_BACKGROUND.search(said)
    assert found, said
    return int(found[2])


def log_of(home: Home) -> str:
    return Path(paths_of(str(home.journal))["log"]).read_text()


def is_held(home: Home) -> bool:
    return is_locked(paths_of(str(home.journal))["lock"])


def end_all(home: Home) -> None:
    """End all uploaders in the background of a home whose orphans become the tests' children."""
    for pid in [int(name) for name in os.listdir("/proc") if name.isdigit()]:
        command = command_of(pid)
        if str(home.journal) in command and "--in-background" in command:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
