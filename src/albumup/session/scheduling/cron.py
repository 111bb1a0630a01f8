"""Schedules in the user's crontab."""

from __future__ import annotations

import re

from albumup.errors import LocalError
from albumup.session.scheduling import crontab
from albumup.session.scheduling.schedule import Entry, Installed, Missing, Schedule, is_here
from albumup.session.scheduling.tools import must, run

_NONE = re.compile(r"\bno crontab\b|can't open '[^']*': No such file", re.IGNORECASE)
"""The errors of ``crontab -l`` without a crontab: Vixie, Debian, cronie, macOS; busybox."""


def text_of(schedule: Schedule) -> str:
    """The line for a crontab."""
    return crontab.line_of(schedule).decode()


def check() -> None:
    """Raise Missing if there is no crontab(1)."""
    if not is_here("crontab"):
        raise Missing("there is no crontab command here")


def install(schedule: Schedule) -> Installed:
    """Put the schedule into the crontab once. Raises LocalError, and then changes nothing."""
    before, line = _read(), crontab.line_of(schedule)
    former = crontab.lines_of(before, schedule.name)
    if former == [line]:
        return Installed(schedule, was_there=True)
    _write(crontab.with_line(before, schedule))
    if line not in _read():
        raise LocalError("crontab has taken the schedule, and does not show it: crontab -l")
    words = " ".join(one.decode("utf-8", "replace").strip() for one in former)
    return Installed(schedule, words or None)


def remove(name: str) -> bool:
    """Remove the schedule ``name``; return False if there was none. Raises LocalError."""
    before = _read()
    left = crontab.without(before, name)
    if left == before:
        return False
    if left:
        _write(left)
    else:
        must("crontab", "-r")
    return True


def installed() -> list[Entry]:
    """The schedules in the crontab. Raises LocalError if the crontab cannot be read."""
    return crontab.entries(_read()) if is_here("crontab") else []


def _read() -> bytes:
    """The crontab's content; b"" if there is no crontab.

    Raises LocalError if the crontab cannot be read, because then it must not be overwritten.
    """
    done = run("crontab", "-l")
    if done.code == 0:
        return done.out
    if _NONE.search(done.said):
        return b""
    raise LocalError(f"the crontab cannot be read, and was left as it is: {done.said}")


def _write(text: bytes) -> None:
    done = run("crontab", "-", stdin=text)
    if done.code != 0:
        raise LocalError(f"the crontab was not changed: {done.said}")
