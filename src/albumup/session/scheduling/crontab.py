"""Lines of a crontab: written, found, and removed. Every other line stays as it is.

A schedule is one line, with its name in a shell comment at its end. So it is still known after it
was moved, sorted, or switched off by a # before it.
"""

from __future__ import annotations

import re
import shlex

from albumup.session.scheduling import SCHEDULE
from albumup.session.scheduling.schedule import Entry, Schedule

_MARKED = re.compile(rb"# (albumup-[a-z-]+-[0-9a-f]{8}) \(albumup schedule\)\s*$")
_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")


def line_of(schedule: Schedule) -> bytes:
    """The schedule's line, with its newline."""
    minutes = ",".join(map(str, schedule.minutes))
    environment = dict(schedule.environment)
    if schedule.command[0] != "retry-failed":  # which waits for no other process
        environment[SCHEDULE] = schedule.name
    carried = [f"{name}={quoted(text)}" for name, text in environment.items()]
    command = " ".join([*carried, *map(quoted, schedule.words)])
    return f"{minutes} * * * * {command} # {schedule.name} (albumup schedule)\n".encode()


def quoted(word: str) -> str:
    """A word for the shell that cron starts.

    Some crons turn a percent sign into a newline, and remove a backslash before it. In others the
    percent sign means nothing, and the shell removes the backslash, if it is outside quotes. Some
    crons also join two backslashes, so none follows another here.
    """
    if _PLAIN.fullmatch(word):
        return word
    safe = {"\\": "\\''", "%": "'\\%'", "'": "'\"'\"'"}
    return "'" + "".join(safe.get(letter, letter) for letter in word) + "'"


def with_line(text: bytes, schedule: Schedule) -> bytes:
    """A crontab with the schedule once: at its first line's place, or else at the end."""
    line, is_placed = line_of(schedule), False
    lines: list[bytes] = []
    for one in _lines(text):
        if _name(one) != schedule.name:
            lines.append(one)
        elif not is_placed:
            lines.append(line)
            is_placed = True
    if not is_placed:
        if lines and not lines[-1].endswith(b"\n"):
            lines[-1] += b"\n"
        lines.append(line)
    return b"".join(lines)


def without(text: bytes, name: str) -> bytes:
    """A crontab without the schedule ``name``."""
    return b"".join(line for line in _lines(text) if _name(line) != name)


def lines_of(text: bytes, name: str) -> list[bytes]:
    """The lines of the schedule ``name``: one, unless somebody has copied it."""
    return [line for line in _lines(text) if _name(line) == name]


def entries(text: bytes) -> list[Entry]:
    """The schedules in a crontab."""
    return [_entry(name, line) for line in _lines(text) if (name := _name(line))]


def _lines(text: bytes) -> list[bytes]:
    """The lines with their newlines; ``bytes.splitlines`` would also split at other characters."""
    return re.findall(rb"[^\n]*\n|[^\n]+", text)


def _name(line: bytes) -> str:
    """The name of the schedule in this line; "" for any other line."""
    found = _MARKED.search(line)
    return found[1].decode() if found else ""


def _entry(name: str, line: bytes) -> Entry:
    """The schedule in a line; without words if an edit has made it unreadable."""
    told = _MARKED.sub(b"", line).decode("utf-8", "replace")
    is_on = not told.lstrip().startswith("#")
    try:
        words = shlex.split(told.lstrip("# \t"))
    except ValueError:
        return Entry("cron", name, [], is_on=is_on)
    count = 1 if words[:1] and words[0].startswith("@") else 5
    when, command = words[:count], words[count:]
    while command and re.match(r"[A-Z_]+=", command[0]):
        del command[0]
    return Entry("cron", name, command, " ".join(when), is_on)
