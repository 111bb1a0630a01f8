"""Asks the user's own command whether uploads may start (``may_run``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from albumup.hooks import run_hook
from albumup.processes import environment
from albumup.uploader.upstream import SAYS_NO

LIMIT_SECONDS = 10.0
"""The longest run of the command, in seconds."""


def ask(command: Sequence[str], gives_up: Callable[[], bool]) -> str:
    """Ask a command whether uploads may start; return "", or the reason why not.

    After ``LIMIT_SECONDS``, or when ``gives_up()`` is true, the command's process group is killed.
    """
    end = run_hook(command, b"", environment(), limit=LIMIT_SECONDS, gives_up=gives_up)
    if not end.fault:
        return ""
    if not end.fault.startswith("exit "):
        return f"may_run does not answer: {end.words}"
    return f"{SAYS_NO} ({end.words.removeprefix(end.fault).removeprefix('; ') or end.fault})"
