"""What becomes of albums that another process has, as its lock and the journal tell it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from clock import StillClock

from albumup.errors import LocalError
from albumup.journal import opening, runs
from albumup.journal.journal import Journal
from albumup.journal.lock import FileLock
from albumup.session import waiting
from albumup.session.live import Live
from albumup.session.others import Others
from albumup.session.waiting import wait
from albumup.uploader.engine_thread import Shown
from albumup.uploader.events import Progress
from albumup.uploader.options import RunEnd

from .conftest import MakeAlbum


@pytest.fixture
def lock(journal: Journal) -> Iterator[FileLock]:
    """The uploader's, not taken yet."""
    lock = FileLock(journal.path + ".lock")
    yield lock
    lock.release()


@pytest.fixture
def others(journal: Journal, clock: StillClock) -> Others:
    return Others(journal, now=clock)


def begin(journal: Journal, lock: FileLock, *album_ids: int) -> int:
    """A run of another process."""
    assert lock.take(0.0)
    with journal.transaction():
        return runs.begin(journal, 4121, {}, album_ids)


def end(journal: Journal, lock: FileLock, run_id: int, code: int | None, *unbuilt: str) -> None:
    """Its end; ``code`` None: it is killed."""
    if code is not None:
        with journal.transaction():
            runs.end(journal, run_id, code, unbuilt)
    lock.release()


@pytest.mark.parametrize(("photos", "code"), [({"uploaded": 2}, 0), ({"failed": 1}, 3), ({}, 0)])
def test_a_settled_album_has_its_own_code(
    others: Others, album: MakeAlbum, photos: dict[str, int], code: int
) -> None:
    ids = [album("trip", **photos)]
    assert others.look() is None
    assert others.code(ids) == code


def test_without_an_uploader_what_is_left_is_for_later(others: Others, album: MakeAlbum) -> None:
    others.look()
    assert others.code([album("trip", pending=2)]) == 75
    assert others.code([album("done", failed=2), album("trip", pending=2)]) == 75


def test_a_run_has_to_be_waited_for(
    others: Others, journal: Journal, lock: FileLock, album: MakeAlbum
) -> None:
    trip = album("trip", pending=2, uploaded=1)
    begin(journal, lock, trip)
    run = others.look()
    assert run is not None
    assert (run.pid, others.code([trip])) == (4121, None)
    album("trip", uploaded=3)
    others.look()
    assert others.code([trip]) == 0


def test_a_lock_without_a_run_is_a_run_that_begins(
    others: Others, lock: FileLock, album: MakeAlbum
) -> None:
    trip = album("trip", pending=2)
    assert lock.take(0.0)
    assert others.look() is None
    assert others.code([trip]) is None


@pytest.mark.parametrize("code", [1, 4, 75, 129, 130, 143])
def test_a_run_that_ends_before_gives_its_code(
    others: Others, journal: Journal, lock: FileLock, album: MakeAlbum, clock: StillClock, code: int
) -> None:
    trip = album("trip", pending=2)
    run_id = begin(journal, lock, trip)
    others.look()
    end(journal, lock, run_id, code)
    others.look()
    clock.now += 60.0 if code == 1 else 0.0
    others.look()
    assert others.code([trip]) == code


def test_an_end_that_the_journal_had_no_room_for_is_known_from_the_snapshot(
    others: Others, journal: Journal, lock: FileLock, album: MakeAlbum, clock: StillClock
) -> None:
    trip, later = album("trip", pending=2), album("later", pending=1)
    run_id = begin(journal, lock, trip)
    others.look()
    live = Live(journal.path + ".live", clock=clock, now=clock)
    nothing = Progress(0, 0, 0, 0, True, 0, 0, (), ())
    for number in (run_id + 1, run_id):
        lock.release()
        others.look()
        clock.now += 60.0
        assert others.code([trip]) == 75  # it was killed, as far as can be told
        shown = Shown(nothing, [], number, {}, True, None)
        live.end(shown, RunEnd(1, number, {}, {}, {}, LocalError("the disk is full"), 1.0))
    assert others.code([trip]) == 1
    assert others.code([later]) == 75


@pytest.mark.parametrize(("code", "unbuilt"), [(None, ()), (1, ()), (4, ("home",))])
def test_another_process_may_go_on_for_a_while_after_a_kill(
    others: Others, journal: Journal, lock: FileLock, album: MakeAlbum, clock: StillClock,
    code: int | None, unbuilt: tuple[str, ...],
) -> None:  # fmt: skip
    trip = album("trip", pending=2)
    run_id = begin(journal, lock, trip)
    others.look()
    end(journal, lock, run_id, code, *unbuilt)
    others.look()
    assert others.code([trip]) is None
    clock.now += 1.0
    second = begin(journal, lock, trip)
    found = others.look()
    assert found is not None
    assert (found.id, others.code([trip])) == (second, None)
    end(journal, lock, second, code, *unbuilt)
    others.look()
    clock.now += 60.0
    others.look()
    assert others.code([trip]) == (75 if code is None else code)


def test_a_run_that_another_one_went_on_for_between_two_looks_is_not_the_last(
    others: Others, journal: Journal, lock: FileLock, album: MakeAlbum, clock: StillClock
) -> None:
    trip, later = album("trip", pending=2), album("later", pending=1)
    first = begin(journal, lock, trip, later)
    others.look()
    end(journal, lock, first, None)
    others.look()
    for code, scope in ((4, trip), (0, album("more", uploaded=1))):
        end(journal, lock, begin(journal, lock, scope), code)
    clock.now += 60.0
    others.look()
    assert others.code([trip]) == 4
    assert others.code([later]) == 75


@pytest.mark.parametrize("room", [(1 << 20) - 1, 1 << 20])
def test_a_run_that_could_leave_no_word_on_a_full_disk_ended_because_of_it(
    others: Others, journal: Journal, lock: FileLock, album: MakeAlbum, clock: StillClock,
    monkeypatch: pytest.MonkeyPatch, room: int,
) -> None:  # fmt: skip
    trip = album("trip", pending=2)
    run_id = begin(journal, lock, trip)
    others.look()
    monkeypatch.setattr(opening, "room_for", lambda _: room)
    end(journal, lock, run_id, None)
    others.look()
    clock.now += 60.0
    assert others.code([trip]) == (1 if room < 1 << 20 else 75)


@pytest.mark.parametrize("is_seen", [True, False])
def test_a_run_that_a_full_disk_let_not_begin_is_not_for_later(
    others: Others, lock: FileLock, album: MakeAlbum, clock: StillClock,
    monkeypatch: pytest.MonkeyPatch, is_seen: bool,
) -> None:  # fmt: skip
    trip = album("trip", pending=2)
    monkeypatch.setattr(opening, "room_for", lambda _: 0)
    if is_seen:
        assert lock.take(0.0)
    others.look()
    lock.release()
    others.look()
    clock.now += 60.0
    assert others.code([trip]) == (1 if is_seen else 75)


def test_an_album_that_the_run_does_not_have_is_for_later(
    others: Others, journal: Journal, lock: FileLock, album: MakeAlbum
) -> None:
    trip, more = album("trip", pending=2), album("more", pending=1)
    begin(journal, lock, more)
    others.look()
    assert others.code([trip]) == 75
    assert others.code([trip, more]) is None


def test_an_album_that_was_stopped_says_so_once_nothing_of_it_is_in_flight(
    others: Others, journal: Journal, lock: FileLock, album: MakeAlbum
) -> None:
    trip, more = album("trip", pending=2, sending=1), album("more", pending=1)
    run_id = begin(journal, lock, trip, more)
    others.look()
    with journal.transaction():
        runs.hold(journal, [trip], True)
        journal.connection.execute(
            "delete from scope where run_id = ? and album_id = ?", (run_id, trip)
        )
    others.look()
    assert others.code([trip]) is None
    album("trip", pending=2, uploaded=1)
    others.look()
    assert others.code([trip]) == 143


def test_an_album_that_is_forgotten_meanwhile_is_well(
    others: Others, journal: Journal, lock: FileLock, album: MakeAlbum
) -> None:
    trip = album("trip", pending=1)
    begin(journal, lock, trip)
    others.look()
    journal.connection.execute("delete from album where id = ?", (trip,))
    others.look()
    assert others.code([trip]) == 0


def test_a_journal_that_is_gone_is_said_to_be(
    others: Others, journal: Journal, lock: FileLock, album: MakeAlbum
) -> None:
    begin(journal, lock, album("trip", pending=1))
    others.look()
    os.rename(journal.path, journal.path + ".elsewhere")
    with pytest.raises(LocalError, match=r"moved or deleted while process 4121 uploads") as found:
        others.look()
    assert "kill -INT 4121" in found.value.hint
    os.rename(journal.path + ".elsewhere", journal.path)
    assert others.look() is not None


# wait


def test_waiting_ends_at_the_time_out(
    journal: Journal, lock: FileLock, album: MakeAlbum, clock: StillClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    trip = album("trip", pending=1)
    begin(journal, lock, trip)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.now += max(seconds, 0.001)

    monkeypatch.setattr(waiting.time, "sleep", sleep)
    assert wait(journal, [trip], 7.25, now=clock) == 75
    assert sum(slept) == pytest.approx(7.25)
    assert wait(journal, [trip], 0.0, now=clock) == 75


def test_waiting_looks_twice_a_second(
    journal: Journal, lock: FileLock, album: MakeAlbum, clock: StillClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    trip = album("trip", pending=1)
    begin(journal, lock, trip)
    looks: list[float] = []
    real = Others.look

    def look(others: Others) -> runs.Run | None:
        looks.append(clock.now)
        return real(others)

    def sleep(seconds: float) -> None:
        clock.now += seconds
        if clock.now >= 1010.0:
            album("trip", uploaded=1)

    monkeypatch.setattr(Others, "look", look)
    monkeypatch.setattr(waiting.time, "sleep", sleep)
    assert wait(journal, [trip], now=clock) == 0
    assert 18 <= len(looks) <= 22
