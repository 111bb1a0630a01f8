"""A command of albumup that runs regularly, with the environment that it needs."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from hashlib import sha256

from msgspec import Struct, field

from albumup.errors import LocalError, UsageError
from albumup.session.scheduling import COMMANDS

MARK = "albumup-"
"""The beginning of all schedules' names."""


class Schedule(Struct, frozen=True):
    """A command that runs regularly. Paths are absolute."""

    command: tuple[str, ...]
    """The command and its words, such as ``("push", "/home/anna/Pictures")``."""
    journal: str
    config: str
    """"" if there is no config file, so each run looks at the usual place."""
    program: tuple[str, ...]
    """The words that start albumup."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables with places of files, which a scheduler would not have."""

    @property
    def name(self) -> str:
        """The schedule's name, always the same for the same command and journal."""
        whole = "\0".join((self.journal, *self.command))
        digest = sha256(whole.encode("utf-8", "surrogateescape")).hexdigest()
        return f"{MARK}{self.command[0]}-{digest[:8]}"

    @property
    def words(self) -> list[str]:
        """The whole command line."""
        config = ["--config", self.config] if self.config else []
        return [*self.program, "--journal", self.journal, *config, *self.command]

    @property
    def every(self) -> int:
        """Minutes between two runs."""
        return COMMANDS[self.command[0]]

    @property
    def minutes(self) -> list[int]:
        """The minutes of an hour at which the command runs.

        They differ from user to user, so that not all users' uploads reach a server at once.
        """
        digest = sha256(f"{os.getuid()} {self.name}".encode()).digest()
        return list(range(int.from_bytes(digest[:4]) % self.every, 60, self.every))

    def check(self) -> None:
        """Raise UsageError for a word that cannot be written into the files of schedulers."""
        for word in [*self.words, *self.environment.values()]:
            if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in word):
                raise UsageError(
                    f"{word!r} cannot be scheduled: it is no UTF-8 text, or has a control "
                    "character in it",
                    "rename it, or push the folder above it",
                )


class Entry(Struct, frozen=True):
    """A schedule that is installed."""

    kind: str
    """One of KINDS: cron, systemd or launchd."""
    name: str
    words: Sequence[str]
    """The whole command line; empty if an edit has made it unreadable."""
    when: str = ""
    """The times of its runs, in the scheduler's own words."""
    is_on: bool = True

    @property
    def journal(self) -> str:
        """The journal that the schedule names; "" if the command line does not tell."""
        return self._after("--journal")

    @property
    def command(self) -> Sequence[str]:
        """The command and its words, without program, journal and config."""
        for number, word in enumerate(self.words):
            if word in COMMANDS:
                return self.words[number:]
        return ()

    def _after(self, option: str) -> str:
        words = list(self.words)
        return words[words.index(option) + 1] if option in words[:-1] else ""


class Installed(Struct, frozen=True):
    """The result of an installation."""

    entry: Schedule
    former: str | None = None
    """The schedule that was replaced, if it was another one."""
    was_there: bool = False
    """The same schedule was installed before."""
    notes: Sequence[str] = ()
    """Further facts for the user, a sentence each."""


class Missing(LocalError):
    """A kind of scheduler is not on this computer."""


def program_of(argv0: str) -> tuple[str, ...]:
    """The words that start this albumup at any time: its script, or else its interpreter.

    ``argv0``: the name by which this process was started.
    """
    beside = os.path.join(os.path.dirname(sys.executable), "albumup")
    for script in (os.path.abspath(argv0), beside):
        is_named = os.path.basename(script) == "albumup"
        if is_named and os.path.isfile(script) and os.access(script, os.X_OK):
            return (script,)
    return (sys.executable, "-m", "albumup")


def environment_of(*, has_config: bool) -> dict[str, str]:
    """The variables to carry over, because a scheduler has none of them.

    They tell the place of the inbox and, while there is no config file, the place of that.
    """
    wanted = ["XDG_DATA_HOME"] if has_config else ["XDG_DATA_HOME", "XDG_CONFIG_HOME"]
    found = {name: os.environ.get(name, "") for name in wanted}
    return {name: path for name, path in found.items() if os.path.isabs(path)}


def is_here(tool: str) -> bool:
    """Whether PATH has the program."""
    return shutil.which(tool) is not None
