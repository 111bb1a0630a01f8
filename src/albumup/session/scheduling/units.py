"""The units of a schedule for systemd: a service that runs it, and the service's timer."""

from __future__ import annotations

import re

from albumup.session.scheduling.schedule import Schedule

_PLAIN = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
_ENV = "/usr/bin/env"
_UNFIT = set("'\"\\$")
"""Characters that systemd refuses in a program's path; the last one cannot be escaped there."""


def service_of(schedule: Schedule) -> str:
    """The service unit. Exit status 75, "try again later", is no failure for systemd."""
    carried = "".join(
        f"Environment={quoted(f'{name}={text}', is_command=False)}\n"
        for name, text in schedule.environment.items()
    )
    return (
        "[Unit]\n"
        f"Description={schedule.name}, made by albumup schedule\n"
        "Documentation=man:albumup-cron(7)\n"
        "\n"
        "[Service]\n"
        "Type=oneshot\n"
        f"ExecStart={_command(schedule)}\n"
        f"{carried}"
        "SuccessExitStatus=75\n"
        "SuccessExitStatus=143\n"
        "Nice=10\n"
    )


def timer_of(schedule: Schedule) -> str:
    """The timer unit; it makes up for runs that were due while the computer was off.

    A fifth of the time between two runs is left to chance.
    """
    minutes = ",".join(map(str, schedule.minutes))
    return (
        "[Unit]\n"
        f"Description={schedule.name}, made by albumup schedule\n"
        "Documentation=man:albumup-cron(7)\n"
        "\n"
        "[Timer]\n"
        f"OnCalendar=*:{minutes}\n"
        f"RandomizedDelaySec={schedule.every * 12}\n"
        "Persistent=true\n"
        "\n"
        "[Install]\n"
        "WantedBy=timers.target\n"
    )


def quoted(word: str, *, is_command: bool = True) -> str:
    """A word of a unit. ``is_command``: it stands in ExecStart, where $ begins a variable."""
    if _PLAIN.fullmatch(word):
        return word
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    if is_command:
        text = text.replace("$", "$$")
    return f'"{text}"'


def words_of(service: str) -> list[str]:
    """The command line in a service unit; empty if an edit has made it unreadable."""
    found = re.search(r"^ExecStart=(.*)$", service, re.MULTILINE)
    if found is None:
        return []
    parts = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', found[1])
    words = [re.sub(r"\\(.)", r"\1", inside) if inside else plain for inside, plain in parts]
    words = [word.replace("%%", "%").replace("$$", "$") for word in words]
    return words[1:] if words[:1] == [_ENV] else words


def when_of(timer: str) -> str:
    """The times of a timer's runs, in systemd's own words."""
    return ", ".join(re.findall(r"^OnCalendar=(.+)$", timer, re.MULTILINE))


def _command(schedule: Schedule) -> str:
    """The value of ExecStart: env(1) starts programs whose paths systemd refuses."""
    program = schedule.program[0]
    words = [_ENV, *schedule.words] if set(program) & _UNFIT else schedule.words
    return " ".join(map(quoted, words))
