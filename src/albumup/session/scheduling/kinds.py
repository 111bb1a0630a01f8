"""The kinds of schedulers, and their schedules for a journal."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

from albumup.errors import LocalError
from albumup.session.scheduling import KINDS
from albumup.session.scheduling.schedule import Entry, Installed, Missing, Schedule

INSTALL_ONE = "install cron (the package cron, cronie or dcron)"


class Scheduler(Protocol):
    """The interface of each kind's module."""

    def text_of(self, schedule: Schedule) -> str:
        """The text that ``install`` would write, for people to read or to install themselves."""

    def check(self) -> None:
        """Raise Missing if this kind is not here."""

    def install(self, schedule: Schedule) -> Installed:
        """Install the schedule once. Raises LocalError, and then changes nothing."""

    def remove(self, name: str) -> bool:
        """Remove the schedule ``name``; return False if there was none. Raises LocalError."""

    def installed(self) -> list[Entry]:
        """The schedules that albumup has made. Raises LocalError if they cannot be read."""


def scheduler(kind: str) -> Scheduler:
    """The module of a kind, one of KINDS."""
    return cast(Scheduler, importlib.import_module(f"albumup.session.scheduling.{kind}"))


def usable(kind: str) -> Scheduler:
    """The module of a kind that is here. Raises LocalError, which names those that are."""
    found = scheduler(kind)
    try:
        found.check()
    except Missing as error:
        ways = " or ".join(f"albumup schedule {one}" for one in here())
        ways = ways or f"{INSTALL_ONE}, then albumup schedule cron; else type albumup retry-failed"
        by_hand = f"{ways}; by hand: man albumup-cron"
        raise LocalError(f"{error}, so nothing was changed", by_hand) from None
    return found


def here() -> list[str]:
    """The kinds that are on this computer."""
    return [kind for kind in KINDS if _is_here(kind)]


def _is_here(kind: str) -> bool:
    try:
        scheduler(kind).check()
    except LocalError:
        return False
    return True


def installed_for(journal: str) -> tuple[list[Entry], list[str]]:
    """The schedules of a journal, or of an unknown one; and the errors of unreadable schedulers."""
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
