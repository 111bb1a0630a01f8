"""A process in the background beside an uploader that is not: when it goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from clock import StillClock

from albumup.errors import LocalError
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.lock import FileLock
from albumup.session import inheriting
from albumup.session.inheriting import inherit
from albumup.session.others import Others

from .conftest import MakeAlbum


class Uploader:
    """Another process that uploads the album trip. ``next``: what happens at the next look."""

    def __init__(self, journal: Journal, album: MakeAlbum) -> None:
        self._journal = journal
        self._lock = FileLock(journal.path + ".lock")
        self.trip = album("trip", pending=2)
        assert self._lock.take(0.0)
        with journal.transaction():
            run_id = runs.begin(journal, 4121, {}, [self.trip])
            runs.note_heir(journal, run_id, [self.trip])
        self.run = runs.run_of(journal, run_id)
        self.next = list[str]()
        self.signals: list[int] = []
        self._album = album

    def sleep(self, _: float) -> None:
        match self.next.pop(0):
            case "killed":
                self._lock.release()
            case "sent":
                self._album("trip", uploaded=2)
            case "stopped":
                with self._journal.transaction():
                    runs.hold(self._journal, [self.trip], True)
                    runs.leave(self._journal, self.run.id, self.trip)
            case "moved":
                os.rename(self._journal.path, self._journal.path + ".away")
            case "interrupted":
                self.signals.append(signal.SIGTERM)
            case code:
                self.end(int(code))

    def end(self, code: int) -> None:
        with self._journal.transaction():
            runs.end(self._journal, self.run.id, code)
        self._lock.release()

    def close(self) -> None:
        self._lock.release()


@pytest.fixture
def uploader(
    journal: Journal, album: MakeAlbum, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Uploader]:
    uploader = Uploader(journal, album)
    monkeypatch.setattr(inheriting.time, "sleep", uploader.sleep)
    yield uploader
    uploader.close()


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        ("killed", None), ("130", None), ("75", None), ("4", None), ("1", None),
        ("sent", 0), ("stopped", 143), ("interrupted", 143),
    ],
)  # fmt: skip
def test_it_goes_on_with_what_is_left_and_may_go_on(
    journal: Journal, uploader: Uploader, happens: str, code: int | None
) -> None:
    uploader.next = [happens]
    assert inherit(journal, uploader.run, [uploader.trip], uploader.signals) == code
    assert uploader.next == []


def test_an_album_on_hold_stays_so_when_the_run_ends(journal: Journal, uploader: Uploader) -> None:
    with journal.transaction():
        runs.hold(journal, [uploader.trip], True)
    uploader.next = ["130"]
    assert inherit(journal, uploader.run, [uploader.trip], ()) == 143


def test_a_journal_that_is_gone_is_named(journal: Journal, uploader: Uploader) -> None:
    uploader.next = ["moved"]
    with pytest.raises(LocalError, match=r"journal\.db"):
        inherit(journal, uploader.run, [uploader.trip], ())


def test_others_wait_a_while_for_whoever_goes_on(
    journal: Journal, uploader: Uploader, clock: StillClock
) -> None:
    others = Others(journal, now=clock)
    others.look()
    uploader.end(130)
    others.look()
    assert others.code([uploader.trip]) is None
    clock.now += 60.0
    others.look()
    assert others.code([uploader.trip]) == 130


@pytest.mark.parametrize("code", [130, None])
def test_whoever_comes_in_between_waits_for_it_too(
    journal: Journal, uploader: Uploader, clock: StillClock, code: int | None
) -> None:
    if code is None:
        uploader.close()
    else:
        uploader.end(code)
    others = Others(journal, now=clock)
    others.look()
    assert others.code([uploader.trip]) is None
    clock.now += 60.0
    others.look()
    assert others.code([uploader.trip]) == 75
