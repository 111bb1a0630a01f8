"""Schedules as agents of launchd, on macOS."""

from __future__ import annotations

import os
import plistlib
from contextlib import suppress
from typing import Any
from xml.parsers.expat import ExpatError

from albumup.errors import LocalError
from albumup.session.scheduling import files
from albumup.session.scheduling.schedule import MARK, Entry, Installed, Missing, Schedule, is_here
from albumup.session.scheduling.tools import must, run


def folder() -> str:
    """The folder of the user's agents."""
    return os.path.expanduser("~/Library/LaunchAgents")


def text_of(schedule: Schedule) -> str:
    """The agent's property list. Its output is appended to a file among the user's logs."""
    log = os.path.expanduser("~/Library/Logs/albumup.log")
    agent: dict[str, Any] = {
        "Label": schedule.name,
        "ProgramArguments": schedule.words,
        "StartCalendarInterval": [{"Minute": minute} for minute in schedule.minutes],
        "StandardOutPath": log,
        "StandardErrorPath": log,
        "Nice": 10,
    }
    if schedule.environment:
        agent["EnvironmentVariables"] = dict(schedule.environment)
    return plistlib.dumps(agent, sort_keys=False).decode()


def check() -> None:
    """Raise Missing if there is no launchd."""
    if not is_here("launchctl"):
        raise Missing("there is no launchctl command here")


def install(schedule: Schedule) -> Installed:
    """Write the agent and load it. Raises LocalError, and then undoes all of it."""
    path, new = _path(schedule.name), text_of(schedule).encode()
    before = files.read(path)
    was_loaded = _is_loaded(schedule.name)
    if before == new and was_loaded:
        return Installed(schedule, was_there=True)
    try:
        files.put({path: new})
        if was_loaded:
            must("launchctl", "bootout", _service(schedule.name))
        must("launchctl", "bootstrap", _domain(), path)
    except BaseException:
        with suppress(LocalError):
            files.put({path: before})
            if was_loaded and before is not None and not _is_loaded(schedule.name):
                run("launchctl", "bootstrap", _domain(), path)
        raise
    is_other = before is not None and before != new
    former = before.decode("utf-8", "replace") if before is not None and is_other else None
    return Installed(schedule, former, was_there=before == new)


def remove(name: str) -> bool:
    """Unload the agent and delete it; False if there was none. Raises LocalError."""
    path = _path(name)
    if not os.path.exists(path):
        return False
    if _is_loaded(name):
        must("launchctl", "bootout", _service(name))
    files.put({path: None})
    return True


def installed() -> list[Entry]:
    """The schedules among the user's agents."""
    with suppress(FileNotFoundError, NotADirectoryError):
        names = sorted(os.listdir(folder()))
        agents = [name for name in names if name.startswith(MARK) and name.endswith(".plist")]
        return [_entry(name.removesuffix(".plist")) for name in agents]
    return []


def _entry(name: str) -> Entry:
    try:
        agent = plistlib.loads(files.read(_path(name)) or b"")
        words = [str(word) for word in agent["ProgramArguments"]]
        minutes = [str(one["Minute"]) for one in agent["StartCalendarInterval"]]
        is_on = not agent.get("Disabled", False)
    except (ExpatError, ValueError, KeyError, TypeError, AttributeError):
        return Entry("launchd", name, [])
    return Entry("launchd", name, words, f"minutes {', '.join(minutes)}", is_on)


def _is_loaded(name: str) -> bool:
    return run("launchctl", "print", _service(name)).code == 0


def _path(name: str) -> str:
    return os.path.join(folder(), f"{name}.plist")


def _domain() -> str:
    return f"gui/{os.getuid()}"


def _service(name: str) -> str:
    return f"{_domain()}/{name}"
