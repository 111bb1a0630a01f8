"""Hands owed notices over to the channels of the config, beside the uploads.

Its hands (``hands.py``) run the channels; they take values and return values. The journal belongs
to the caller.
"""

from __future__ import annotations

import math
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from albumup.config.file import Config, TargetTable
from albumup.errors import AlbumupError
from albumup.hooks import LIMIT_SECONDS
from albumup.journal import notices, runs
from albumup.journal.journal import Journal
from albumup.journal.notices import Notice
from albumup.processes import environment, withhold
from albumup.session.channels import (
    Handed,
    Means,
    hand_over,
    is_wanted,
)
from albumup.session.hands import Hands, HandsOver, Threaded
from albumup.uploader import causes
from albumup.uploader.options import TELL_AFTER, RunEnd

T = TypeVar("T")

LAST_SECONDS = 30.0
"""Seconds at a command's end after which no notice is begun: the next command takes it."""
MOST_SECONDS = 70.0
"""Seconds that a notice may still take that was begun just before: two channels."""
CUT_SECONDS = 1.0
_AGAIN_SECONDS = 1.0
"""Seconds until another look at notices that other processes are at."""
_OTHERS_SECONDS = 1.5
"""The most seconds at a command's end for these: a terminal claims one for an instant."""
_POLL = 0.05
_LACK = "notice lack"
"""The journal's key for a report that something is missing on this computer."""


class Change(Protocol):
    """Makes a change of the journal in a transaction, now or soon."""

    def __call__(self, change: Callable[[Journal], T], /) -> Future[T]: ...


def in_own_transaction(journal: Journal, change: Callable[[Journal], T]) -> Future[T]:
    """Make a change at once; the future gets an error of the journal."""
    done: Future[T] = Future()
    try:
        with journal.transaction():
            made = change(journal)
    except (AlbumupError, sqlite3.Error) as fault:
        done.set_exception(fault)
    else:
        done.set_result(made)
    return done


class Fault(Struct, frozen=True):
    """A fault of this computer that ended a run: ``end``, None if the run did not begin."""

    error: AlbumupError
    album_ids: Sequence[int]
    end: RunEnd | None


class _Claimed(Struct, frozen=True):
    """Notices for the channels. ``is_some_left``: other processes are at other ones."""

    notices: list[Notice]
    is_some_left: bool


class _Mark(Struct, frozen=True):
    """The fate of a notice, on its way into the journal. ``made``: gets words to say, or ""."""

    change: Callable[[Journal], str]
    made: Future[str]


class Notifying:
    """One command's part in delivering notices. ``warn``: gets a sentence for each failure."""

    def __init__(
        self,
        config: Callable[[], Config],
        warn: Callable[[str], None],
        pid: int | None = None,
        hands: Callable[[HandsOver], Hands] = Threaded,
        now: Callable[[], float] = time.monotonic,
        completed: Callable[[str], str] = str,
    ) -> None:
        """``hands``: makes the object that hands over; ``now``: monotonic seconds; ``completed``:
        completes the commands to type in a text, for any shell."""
        self._completed = completed
        self._config = config
        self._warn = warn
        self._pid = os.getpid() if pid is None else pid
        self._hands = hands(self._hand_over)
        self._now = now
        self._is_owed = True
        """The journal may hold notices that no channel had, some from processes that died."""
        self._again_at = math.inf
        """When to look again at notices that other processes are at, by ``now``."""
        self._claiming: Future[_Claimed] | None = None
        self._marks: list[_Mark] = []
        self._seen: set[int] = set()
        """The ids of all notices that were given to the hands."""
        self._waiting: set[int] = set()
        """The ids of notices that have not come back."""
        self._said: Collection[int] = ()
        """The albums whose standing this command has told."""
        self._is_last = self._is_cut = False
        self._is_ending = False
        """No upload goes on, so a fault of this computer that is still owed is not over."""

    def owed(self) -> None:
        """Note that the journal holds another owed notice."""
        self._is_owed = True

    def tell_after(self, target: str) -> float:
        """Seconds that a target may be down before a notice says so."""
        try:
            return self._config().unattended(target).tell_after
        except AlbumupError:
            return TELL_AFTER  # the config was edited meanwhile; its next reader reports that

    def turn(self, change: Change) -> None:
        """Note the fates of notices that came back, and claim owed ones. Never waits."""
        for notice, handed in self._hands.back():
            self._mark(change, notice, handed)
        for mark in [one for one in self._marks if _is_made(one.made)]:
            self._marks.remove(mark)
            self._say(mark.made.result())
        if self._claiming is not None and self._claiming.done():
            claiming, self._claiming = self._claiming, None
            if _is_made(claiming):
                self._give(claiming.result())
            else:
                self._is_owed = True  # the engine was not there yet
        if (self._is_owed or self._now() >= self._again_at) and self._claiming is None:
            self._is_owed, self._again_at = False, math.inf
            self._claiming = change(self._claim)

    def finish(
        self,
        journal: Journal,
        said: Collection[int],
        gives_up: Callable[[], bool],
        fault: Fault | None = None,
    ) -> None:
        """Hand over the remaining notices, and wait for them. The journal is now this thread's.

        ``said``: the ids of albums whose standing was told on a terminal. As soon as ``gives_up()``
        is true, channels that hang are cut off. ``fault``: of this computer, which ended the
        run; it is told even if the journal does not take the notice.
        """
        change = partial(in_own_transaction, journal)
        self._said, self._is_ending = said, True
        if said:
            change(lambda own: notices.said_of_albums(own.connection, own.clock(), said))
        left, self._marks = self._marks, []
        for mark in left:
            made = mark.made if _is_made(mark.made) else change(mark.change)
            self._say(made.result() if _is_made(made) else "")
        self._claiming, self._is_owed = None, _is_owed_in(journal)
        self._wait(change, gives_up, None if fault is None else _unwritten(journal, fault))
        if not self._waiting:
            self._hands.end()

    def _wait(self, change: Change, gives_up: Callable[[], bool], unwritten: Notice | None) -> None:
        """Take turns until all notices are handed over, or hang."""
        others_until = self._now() + _OTHERS_SECONDS
        until = self._now() + LAST_SECONDS
        ends_at = until + MOST_SECONDS
        self.turn(change)
        self.turn(change)  # hands over the notices that the first turn has claimed
        if unwritten is not None:
            self._give_unwritten(unwritten)
        while self._now() < (ends_at if self._waiting else others_until) and self._is_left():
            self._hands.work_for(_POLL)
            if not self._is_cut and gives_up():
                self._is_cut, ends_at = True, self._now() + CUT_SECONDS
            self._is_last = self._is_cut or self._now() >= until
            self.turn(change)
            if not self._waiting:
                self.turn(change)  # hands over what the other processes have given up
        self.turn(change)  # says the words about the last notices

    def _is_left(self) -> bool:
        """Has this process a notice to wait for, its own or another process's?"""
        return bool(self._waiting) or (self._again_at < math.inf and not self._is_cut)

    # The journal's part, within a transaction.

    def _claim(self, journal: Journal) -> _Claimed:
        """Claim the notices for the channels. Unwanted ones are marked as handed over."""
        claimed = notices.claim(journal, self._pid, with_faults=self._is_ending)
        new = [one for one in claimed if one.id not in self._seen]
        wanted = [one for one in new if self._is_wanted(one)]
        kept = {one.id for one in wanted}
        notices.handed_over(journal, [one.id for one in new if one.id not in kept])
        if wanted:
            withhold(token_names(self._config(), runs.target_definitions(journal).values()))
        return _Claimed(wanted, notices.is_owed_by_others(journal, self._pid))

    def _is_wanted(self, notice: Notice) -> bool:
        try:
            return is_wanted(self._config().unattended(notice.target), notice)
        except AlbumupError:
            return False  # the commands themselves report the bad config

    def _mark(self, change: Change, notice: Notice, handed: Handed | None) -> None:
        """Note the fate of a notice. ``handed``: None leaves it to another command."""
        self._waiting.remove(notice.id)
        if handed is not None and handed.fault:
            self._warn(handed.fault)
        waiting = tuple(self._waiting)

        def mark(journal: Journal) -> str:
            notices.keep_claims(journal, self._pid, waiting)
            if handed is None or handed.is_cut:
                notices.release(journal, [notice.id], is_cut=handed is not None)
                return ""
            if not notice.id and handed.is_taken:
                causes.note_unwritten(journal, notice)
            is_said = notice.album_id in self._said
            ids, is_taken, fault = [notice.id], handed.is_taken, handed.fault
            notices.handed_over(journal, ids, is_taken=is_taken, fault=fault, is_said=is_said)
            is_news = handed.lack and runs.tell(journal, _LACK, handed.lack)
            return handed.lack if is_news else ""

        self._marks.append(_Mark(mark, change(mark)))

    def _say(self, words: str) -> None:
        if words:
            self._warn(words)

    def _give(self, claimed: _Claimed) -> None:
        if claimed.is_some_left:
            self._again_at = self._now() + _AGAIN_SECONDS
        for notice in claimed.notices:
            self._seen.add(notice.id)
            self._waiting.add(notice.id)
            self._hands.give(self._to_type(notice))

    def _give_unwritten(self, notice: Notice) -> None:
        """Have a notice handed over that could not be claimed."""
        is_at_work = notice.id in self._seen or self._again_at < math.inf
        if (notice.id and is_at_work) or not self._is_wanted(notice):
            return
        self._claiming, self._is_owed = None, False  # what fails now waits for the next command
        self._give(_Claimed([notice], is_some_left=False))

    def _to_type(self, notice: Notice) -> Notice:
        """A notice whose commands work in any shell."""
        told = notice.message
        hint, command = self._completed(told.hint), self._completed(told.command)
        return replace(notice, message=replace(told, hint=hint, command=command))

    # The hands' part.

    def _hand_over(self, notice: Notice) -> Handed | None:
        if self._is_last:
            return None
        means = Means(environment(), LIMIT_SECONDS, lambda: self._is_cut)
        try:
            handed = hand_over(self._config().unattended(notice.target), notice, means)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the uploads
            return Handed(fault=f"a notice could not be handed over: {type(error).__name__}")
        return Handed(is_cut=True) if self._is_cut and handed.fault else handed


def token_names(config: Config, definitions: Iterable[str]) -> set[str]:
    """The variables of the environment that hold tokens.

    They belong to the config's targets, and to those of ``--url``: ``definitions``, as in the
    journal.
    """
    tables = [table.settings for table in config.targets.values()]
    tables += [TargetTable.from_json(text).settings for text in definitions]
    return {name for one in tables if isinstance(name := one.get("token_env"), str)}


def _is_made(future: Future[Any]) -> bool:
    """Whether the journal has made the change."""
    return future.done() and future.exception() is None


def _unwritten(journal: Journal, fault: Fault) -> Notice | None:
    run_id = fault.end.run_id if fault.end is not None else 0
    try:
        return causes.unwritten(journal, fault.error, fault.album_ids, run_id)
    except (AlbumupError, sqlite3.Error):
        return None  # the journal cannot even be read


def _is_owed_in(journal: Journal) -> bool:
    try:
        return notices.is_owed(journal)
    except sqlite3.Error:
        return False
