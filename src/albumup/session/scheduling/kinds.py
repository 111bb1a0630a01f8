"""The kinds of schedulers, and what they have of a journal."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

from albumup.errors import LocalError
from albumup.session.scheduling import KINDS
from albumup.session.scheduling.schedule import Entry, Installed, Schedule


class Scheduler(Protocol):
    """What each kind's module does."""

    def text_of(self, schedule: Schedule) -> str:
        """What it would write, for people to look at or to put there themselves."""

    def install(self, schedule: Schedule) -> Installed:
        """Have the schedule once. Raises LocalError; then nothing has changed."""

    def remove(self, name: str) -> bool:
        """Have it no more; False if it was not there. Raises LocalError."""

    def installed(self) -> list[Entry]:
        """The schedules that albumup has made. Raises LocalError where they cannot be read."""


def scheduler(kind: str) -> Scheduler:
    """The module of a kind, of KINDS."""
    return cast(Scheduler, importlib.import_module(f"albumup.session.scheduling.{kind}"))


def installed_for(journal: str) -> tuple[list[Entry], list[str]]:
    """The schedules of a journal, with those whose journal cannot be told; and what could not be
    looked at."""
    found: list[Entry] = []
    faults = []
    for kind in KINDS:
        try:
            found += scheduler(kind).installed()
        except LocalError as error:
            faults.append(str(error))
        except OSError as error:
            faults.append(f"{error.filename}: cannot be read: {error.strerror}")
    return [one for one in found if one.journal in (journal, "")], faults
