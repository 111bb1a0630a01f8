"""A command of albumup that runs regularly, and where it may be run from."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from hashlib import sha256

from msgspec import Struct, field

from albumup.errors import LocalError, UsageError
from albumup.session.scheduling import COMMANDS, KINDS

MARK = "albumup-"
"""The beginning of the names of schedules."""


class Schedule(Struct, frozen=True):
    """A command that runs regularly. Paths are absolute."""

    command: tuple[str, ...]
    """The command and its words, as ``("push", "/home/anna/Pictures")``."""
    journal: str
    config: str
    """"": there is no config file, so that the usual place is looked at."""
    program: tuple[str, ...]
    """What starts albumup."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that a scheduler does not have, and that say where files are."""

    @property
    def name(self) -> str:
        """The schedule's name: the same for the same command and journal."""
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
        """The minutes of an hour at which it runs, which are others for other people: a server
        would not like to hear from all of them at once."""
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
    """cron, systemd or launchd."""
    name: str
    words: Sequence[str]
    """Its whole command line; empty where an edit has made it unreadable."""
    when: str = ""
    """When it runs, in the scheduler's own words."""
    is_on: bool = True

    @property
    def journal(self) -> str:
        """The journal that it names; "" where that cannot be told."""
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
    """What installing a schedule came to."""

    entry: Schedule
    former: str | None = None
    """What stood in its place, if that was something else."""
    was_there: bool = False
    """It was installed before, just so."""
    notes: Sequence[str] = ()
    """What else is to be known."""


def program_of(argv0: str) -> tuple[str, ...]:
    """What starts this albumup at any time: its script if that is on the disk, else its
    interpreter. ``argv0``: what it was started as."""
    beside = os.path.join(os.path.dirname(sys.executable), "albumup")
    for script in (os.path.abspath(argv0), beside):
        is_named = os.path.basename(script) == "albumup"
        if is_named and os.path.isfile(script) and os.access(script, os.X_OK):
            return (script,)
    return (sys.executable, "-m", "albumup")


def environment_of(*, has_config: bool) -> dict[str, str]:
    """The variables to carry over: those that say where the inbox is, and the config file, as long
    as there is none. A scheduler has neither."""
    wanted = ["XDG_DATA_HOME"] if has_config else ["XDG_DATA_HOME", "XDG_CONFIG_HOME"]
    found = {name: os.environ.get(name, "") for name in wanted}
    return {name: path for name, path in found.items() if os.path.isabs(path)}


def missing(kind: str, words: str) -> LocalError:
    """The error that this kind of scheduler cannot be had here; it names the others."""
    others = " or ".join(f"albumup schedule {one}" for one in KINDS if one != kind)
    return LocalError(f"{words}, so nothing was changed", f"{others}; by hand: man albumup-cron")


def is_here(tool: str) -> bool:
    """Is there such a program on PATH?"""
    return shutil.which(tool) is not None
