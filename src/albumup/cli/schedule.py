"""``albumup schedule``: has albumup run regularly."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from albumup.cli.app import App
from albumup.cli.escaping import escape
from albumup.cli.figures import counted
from albumup.cli.screen import put_lines, put_raw, put_table
from albumup.config.file import shown
from albumup.errors import UsageError
from albumup.photos.file_names import quoted
from albumup.session.scheduling import KINDS
from albumup.session.scheduling.kinds import INSTALL_ONE, here, installed_for, scheduler, usable
from albumup.session.scheduling.schedule import (
    Entry,
    Installed,
    Schedule,
    environment_of,
    program_of,
)
from albumup.session.scheduling.surroundings import lacking

if TYPE_CHECKING:
    from albumup.cli.scheduled import Scheduled

_USUAL = ("retry-failed",)
_MOST_LINES = 5
"""The most lines that are shown of a replaced schedule."""


def run(app: App, kind: str | None, words: Sequence[str], *, installs: bool, removes: bool) -> int:
    """Print, install or remove a schedule; without a kind, list the installed ones."""
    if installs and removes:
        raise UsageError("--install and --remove: one of them, please")
    if kind is None:
        if installs or removes:
            raise UsageError("by what shall it be run?", f"name one: {', '.join(KINDS)}")
        return _list(app)
    from albumup.cli.scheduled import check, read

    command = read(words or _USUAL, app)
    if removes:
        return _remove(app, kind, Schedule(command.words, command.app.journal, "", ()))
    targets = check(command)
    schedule = _schedule(command)
    schedule.check()
    if not installs:
        _print(scheduler(kind).text_of(schedule))
        install = _typed(kind, command, "--install")
        app.screen.say(f"Nothing is installed yet; to do that: {install}")
        return 0
    _install(app, kind, command, schedule)
    for line in [*_warnings(command), *lacking(kind, command.app.config, targets)]:
        app.screen.complain(escape(line, 500))
    return 0


def _print(text: str) -> None:
    """Print a file's exact content, except for characters that a terminal would obey."""
    if sys.stdout.isatty():
        put_lines(text.splitlines())
    else:
        put_raw(text.encode())


def _schedule(command: Scheduled) -> Schedule:
    """The schedule of a command that was read. It names the config file if there is one."""
    path = command.app.config.path
    has_config = os.path.lexists(path)
    return Schedule(
        command.words,
        command.app.journal,
        path if has_config else "",
        program_of(sys.argv[0]),
        environment_of(has_config=has_config),
    )


def _install(app: App, kind: str, command: Scheduled, schedule: Schedule) -> None:
    found = usable(kind).install(schedule)
    for line in _said(kind, found):
        app.screen.say(line)
    app.screen.say(f"To have it run no more: {_typed(kind, command, '--remove')}")
    others = [
        one.kind
        for one in installed_for(schedule.journal)[0]
        if one.name == schedule.name and one.kind != kind
    ]
    for other in others:
        remove = _typed(other, command, "--remove")
        app.screen.complain(f"It is also run by {other}; to have one of them: {remove}")


def _said(kind: str, found: Installed) -> Iterator[str]:
    """Lines about the installed schedule, and about the one that it replaced."""
    schedule = found.entry
    often = "every hour" if schedule.every == 60 else f"every {schedule.every} minutes"
    head = "Installed before, and as it was" if found.was_there else "Installed"
    yield f"{head}: {_command(schedule.command)}, {often}, by {kind} ({schedule.name})"
    if found.former is not None:
        now = scheduler(kind).text_of(schedule).splitlines()
        gone = [line for line in found.former.splitlines() if line.strip() and line not in now]
        yield "It was edited since, and is as made here again. Without effect now:"
        yield from (f"  {escape(line, 2000)}" for line in gone[:_MOST_LINES])
        if more := gone[_MOST_LINES:]:
            yield f"  and {counted(len(more), 'more line')}"
    yield from found.notes


def _warnings(command: Scheduled) -> Iterator[str]:
    """Warnings about effects of each run that the user may not have meant."""
    if command.name == "resume":
        yield "Each run lifts the holds of Ctrl-C and stop; retry-failed respects them."
    if command.name == "retry-failed" and (command.given["albums"] or command.given["every"]):
        yield (
            "Each run begins the rounds of what failed anew, and tells all; retry-failed without "
            "names gives up after some rounds, and tells news only."
        )


def _remove(app: App, kind: str, schedule: Schedule) -> int:
    if usable(kind).remove(schedule.name):
        app.screen.say(f"{_command(schedule.command)} is no longer run by {kind}")
        return 0
    app.screen.say(
        f"{_command(schedule.command)} is not run by {kind} for {shown(schedule.journal)}"
    )
    left, _ = installed_for(schedule.journal)
    if left:
        app.screen.say("What is: albumup schedule")
    return 0


def _list(app: App) -> int:
    found, faults = installed_for(app.journal)
    for fault in faults:
        app.screen.complain(escape(fault))
    if found:
        rows = [_row(one) for one in found]
        put_table(("BY", "WHEN", "COMMAND", "NAME"), rows, broken=("COMMAND", "WHEN"))
    elif not faults:
        ways = " or ".join(f"albumup schedule {kind} --install" for kind in here())
        ways = ways or f"{INSTALL_ONE}, then albumup schedule cron --install"
        app.screen.say(f"Nothing is run regularly for {shown(app.journal)}. To have that: {ways}")
    return 0


def _row(entry: Entry) -> tuple[str, str, str, str]:
    kind = entry.kind if entry.is_on else f"{entry.kind} (off)"
    command = _command(entry.command) if entry.command else "unreadable: it was edited"
    return kind, entry.when, command, entry.name


def _command(words: Sequence[str]) -> str:
    """A command as it is typed."""
    return escape(" ".join(["albumup", *map(quoted, words)]), 400)


def _typed(kind: str, command: Scheduled, option: str) -> str:
    """The command that installs or removes a schedule, with the journal and config of its own."""
    is_usual = command.words == _USUAL
    words = "" if is_usual else f" -- {' '.join(map(quoted, command.words))}"
    return command.app.completed(f"albumup schedule {kind} {option}{words}")
