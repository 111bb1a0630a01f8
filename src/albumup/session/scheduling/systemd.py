"""Schedules as timers of the user's systemd."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import suppress

from albumup.errors import LocalError
from albumup.session.scheduling import files, units
from albumup.session.scheduling.schedule import MARK, Entry, Installed, Missing, Schedule, is_here
from albumup.session.scheduling.tools import must, run

_CTL = ("systemctl", "--user")


def folder() -> str:
    """The folder of the user's units."""
    config = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return os.path.join(config, "systemd", "user")


def text_of(schedule: Schedule) -> str:
    """Both units, each below its file's path."""
    texts = _files(schedule)
    return "\n".join(f"# {path}\n{text.decode()}" for path, text in texts.items())


def check() -> None:
    """Raise Missing if the user has no systemd that runs timers."""
    if not is_here("systemctl"):
        raise Missing("there is no systemctl command here")
    # This fails if it cannot reach the manager.
    done = run(*_CTL, "show", "--property=Version")
    if done.code != 0:
        raise Missing(f"no systemd of this user answers ({done.said})")


def install(schedule: Schedule) -> Installed:
    """Write the units and start the timer. Raises LocalError, and then undoes all of it."""
    new = _files(schedule)
    before: dict[str, bytes | None] = {path: files.read(path) for path in new}
    former = [text.decode("utf-8", "replace") for text in before.values() if text is not None]
    is_same = before == new
    try:
        files.put(new)
        must(*_CTL, "daemon-reload")
        must(*_CTL, "enable", "--now", f"{schedule.name}.timer")
    except BaseException:
        _undo(schedule.name, before)
        raise
    is_other = bool(former) and not is_same
    return Installed(schedule, "".join(former) if is_other else None, is_same, list(_notes()))


def remove(name: str) -> bool:
    """Stop the timer and delete the units; False if there were none. Raises LocalError."""
    paths = _paths(name)
    if not any(map(os.path.exists, paths)):
        return False
    must(*_CTL, "disable", "--now", f"{name}.timer")
    files.put(dict.fromkeys(paths))
    must(*_CTL, "daemon-reload")
    return True


def installed() -> list[Entry]:
    """The schedules in the user's folder of units."""
    with suppress(FileNotFoundError, NotADirectoryError):
        names = sorted(os.listdir(folder()))
        timers = [name for name in names if name.startswith(MARK) and name.endswith(".timer")]
        return [_entry(name.removesuffix(".timer")) for name in timers]
    return []


def _entry(name: str) -> Entry:
    service, timer = ((files.read(path) or b"").decode("utf-8", "replace") for path in _paths(name))
    wants = os.path.join(folder(), "timers.target.wants", f"{name}.timer")
    return Entry(
        "systemd", name, units.words_of(service), units.when_of(timer), os.path.lexists(wants)
    )


def _files(schedule: Schedule) -> dict[str, bytes]:
    service, timer = _paths(schedule.name)
    return {
        service: units.service_of(schedule).encode(),
        timer: units.timer_of(schedule).encode(),
    }


def _paths(name: str) -> tuple[str, str]:
    stem = os.path.join(folder(), name)
    return f"{stem}.service", f"{stem}.timer"


def _undo(name: str, before: dict[str, bytes | None]) -> None:
    """Restore the former files, remove the new ones, and have systemd read them again."""
    is_new = None in before.values()
    with suppress(LocalError):
        if is_new:
            run(*_CTL, "disable", "--now", f"{name}.timer")
        files.put(before)
        run(*_CTL, "daemon-reload")


def _notes() -> Iterator[str]:
    """A note that a user's timers stop with the last session, unless the user lingers."""
    if not is_here("loginctl"):
        return
    with suppress(LocalError, OSError, KeyError):
        user = getpass.getuser()
        lingers = run("loginctl", "show-user", user, "--property=Linger", "--value")
        if lingers.out.strip() == b"no":
            yield "It does not run while you are logged out; to change that: loginctl enable-linger"
