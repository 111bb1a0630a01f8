"""What ends an uploader in the background on this computer, or delays it: a logout, sleep.

Sources: logind.conf(5), systemd.exec(5), loginctl(1), file-hierarchy(7), sysfs.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from enum import Enum

from msgspec import Struct

_FOLDERS = ("etc", "run", "usr/local/lib", "usr/lib")
"""The folders of systemd's configuration; an earlier one wins."""
_TRUE = frozenset({"1", "yes", "y", "true", "t", "on"})
_UNDER_MANAGER = re.compile(r"/user@\d+\.service(?:/|$)", re.MULTILINE)
_IN_SESSION = re.compile(r"/session-[^/]+\.scope(?:/|$)", re.MULTILINE)


class System(Enum):
    """The kinds of schedulers, one of which a computer may have."""

    SYSTEMD = "systemd"
    LAUNCHD = "launchd"
    CRON = "cron"


class Logout(Enum):
    """Why a logout ends a process in the background."""

    KILLS = "logind kills what a session leaves behind"
    STOPS_MANAGER = "it belongs to the user's manager, which ends with the last session"


class Machine(Struct, frozen=True):
    """The facts about a computer that matter to a process in the background."""

    system: System | None
    """The scheduler that could start the process again after a reboot; None: there is none."""
    logout: Logout | None
    lingers: bool
    """Whether the user's manager goes on after the last logout."""
    may_sleep: bool


def this_user() -> str:
    """The name of this process's user; the user's number if there is no name."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def goes_on(journal: str) -> bool:
    """Whether a schedule goes on with everything that waits in a journal."""
    from albumup.session.scheduling.kinds import installed_for

    found, _ = installed_for(journal)
    return any(one.is_on and {"retry-failed", "resume"} & {*one.command[:1]} for one in found)


def look(
    user: str,
    root: str = "/",
    platform: str = sys.platform,
    which: Callable[[str], str | None] = shutil.which,
) -> Machine:
    """Look what this computer does to this process.

    ``user``: the user's name. Files that cannot be read count as empty.
    """
    if platform == "darwin":
        return Machine(System.LAUNCHD, None, False, True)
    if not os.path.isdir(os.path.join(root, "run/systemd/system")):  # sd_booted(3)
        return Machine(System.CRON if which("crontab") else None, None, False, False)
    lingers = os.path.exists(os.path.join(root, "var/lib/systemd/linger", user))
    groups = _text(os.path.join(root, "proc/self/cgroup"))
    logout = None
    if _UNDER_MANAGER.search(groups):
        logout = None if lingers else Logout.STOPS_MANAGER
    elif _IN_SESSION.search(groups) and _kills(user, root):
        logout = Logout.KILLS
    return Machine(System.SYSTEMD, logout, lingers, _has_battery(root))


def _kills(user: str, root: str) -> bool:
    """Whether logind kills the processes of this user's session at its end."""
    found = {"KillUserProcesses": "no", "KillOnlyUsers": "", "KillExcludeUsers": "root"}
    for file in _files(root):
        for line in _text(file).splitlines():
            key, _, value = line.partition("=")
            # A build's default stands as a comment in its main file.
            if key.strip() == "#KillUserProcesses" and file.endswith("logind.conf"):
                found["KillUserProcesses"] = value.strip()
            if key.strip() in found:
                found[key.strip()] = value.strip()
    only, excluded = found["KillOnlyUsers"].split(), found["KillExcludeUsers"].split()
    is_meant = user not in excluded and (not only or user in only)
    return is_meant and found["KillUserProcesses"].lower() in _TRUE


def _files(root: str) -> Iterator[str]:
    """The files of logind's configuration; a setting in a later file wins."""
    mains = (os.path.join(root, folder, "systemd/logind.conf") for folder in _FOLDERS)
    yield from [main for main in mains if os.path.exists(main)][:1]
    dropped: dict[str, str] = {}
    for folder in reversed(_FOLDERS):
        for path in glob.glob(os.path.join(root, folder, "systemd/logind.conf.d/*.conf")):
            dropped[os.path.basename(path)] = path
    for _, path in sorted(dropped.items()):
        yield path


def _has_battery(root: str) -> bool:
    """Whether the computer has a battery; others hardly ever sleep."""
    supplies = os.path.join(glob.escape(root), "sys/class/power_supply/*")
    return any(
        _text(os.path.join(one, "type")).strip() == "Battery"
        and _text(os.path.join(one, "scope")).strip() != "Device"  # a mouse has one, too
        for one in glob.glob(supplies)
    )


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
