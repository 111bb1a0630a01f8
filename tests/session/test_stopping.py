"""``stop`` waits for an uploader that a test plays between two looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from albumup.errors import TryLater
from albumup.journal import instructions, runs
from albumup.journal.journal import Journal
from albumup.journal.lock import FileLock
from albumup.session.stopping import (
    Fate,
    Finishing,
    Left,
    Stopping,
    Stops,
    Told,
    Unheard,
)

from .conftest import MakeAlbum


class Uploader:
    """Holds the lock, and does at each look what comes next; the last thing again and again."""

    def __init__(self, journal: Journal, album_ids: Sequence[int]) -> None:
        self.journal, self.now, self.looks = journal, 0.0, 0
        self.told: list[Told] = []
        self.signals: list[int] = []
        self.lock = FileLock(journal.path + ".lock")
        assert self.lock.take(0.0)
        with journal.transaction():
            self.run_id = runs.begin(journal, 4121, {}, album_ids)

    def stop(
        self, names: Sequence[str], *does: Callable[[], object], is_now: bool = False
    ) -> Stops:
        albums = [one for one in runs.albums(self.journal) if one.name in names]

        def sleep(seconds: float) -> None:
            self.now += seconds
            if does:
                does[min(self.looks, len(does) - 1)]()
            self.looks += 1
            assert self.looks < 2000, "it waits for ever"

        tell, clock = self.told.append, lambda: self.now
        stopping = Stopping(self.journal, albums, is_now, tell, self.signals, sleep, clock)
        return stopping.stop()

    def sees(self) -> None:
        with self.journal.transaction():
            found = instructions.unseen(self.journal, self.run_id)
            instructions.note_seen(self.journal, found)

    def lets_go(self, album_id: int) -> Callable[[], None]:
        def leave() -> None:
            with self.journal.transaction():
                runs.leave(self.journal, self.run_id, album_id)

        return leave

    def ends(self) -> None:
        with self.journal.transaction():
            runs.end(self.journal, self.run_id, 143)

    def nothing(self) -> None:
        """Hangs, or is busy."""


@pytest.fixture
def trip(album: MakeAlbum) -> int:
    return album("trip", pending=2, uploaded=3)


@pytest.fixture
def more(album: MakeAlbum) -> int:
    return album("more", pending=1)


@pytest.fixture
def uploader(journal: Journal, trip: int, more: int) -> Iterator[Uploader]:
    uploader = Uploader(journal, [trip, more])
    yield uploader
    uploader.lock.release()


def fates(stops: Stops) -> list[Fate]:
    return [one.fate for one in stops.albums]


def held(journal: Journal) -> list[str]:
    return [album.name for album in runs.albums(journal) if album.held]


def test_it_waits_until_the_album_has_left_the_run(
    uploader: Uploader, journal: Journal, trip: int
) -> None:
    stops = uploader.stop(["trip"], uploader.sees, uploader.nothing, uploader.lets_go(trip))
    assert uploader.looks == 3
    assert (fates(stops), stops.pid, stops.goes_on) == ([Fate.STOPPED], 4121, ["more"])
    assert held(journal) == ["trip"]


def test_it_goes_on_with_those_albums_alone_that_are_not_settled(
    uploader: Uploader, journal: Journal, trip: int, album: MakeAlbum
) -> None:
    with journal.transaction():
        runs.add_to_scope(journal, uploader.run_id, [album("old", uploaded=2)])
    assert uploader.stop(["trip"], uploader.sees, uploader.lets_go(trip)).goes_on == ["more"]


def test_a_run_without_albums_is_given_the_time_to_end(
    uploader: Uploader, trip: int, more: int
) -> None:
    left = uploader.lets_go(trip), uploader.lets_go(more)
    stops = uploader.stop(["trip", "more"], uploader.sees, *left, uploader.nothing, uploader.ends)
    assert uploader.looks == 5
    assert (stops.pid, stops.goes_on) == (4121, [])


def test_a_run_without_albums_that_does_not_end_is_left_to_it(
    uploader: Uploader, trip: int, more: int
) -> None:
    left = uploader.lets_go(trip), uploader.lets_go(more)
    uploader.stop(["trip", "more"], uploader.sees, *left, uploader.nothing)
    assert 9 < uploader.now < 12


def test_an_uploader_that_does_not_answer_is_waited_for_a_minute(
    uploader: Uploader, journal: Journal
) -> None:
    with pytest.raises(TryLater) as raised:
        uploader.stop(["trip"], uploader.nothing)
    assert "4121" in str(raised.value)
    assert 59 < uploader.now < 61
    assert uploader.told == [Unheard(4121)], "once"
    assert held(journal) == ["trip"]


def test_what_finishes_is_waited_for_without_an_end_and_named_once(
    uploader: Uploader, trip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from albumup.journal import flight
    from albumup.journal.flight import Upload

    flying = (Upload(b"/trip/IMG_1.JPG", 9),)
    looks: list[float] = []

    def in_flight(*_: object) -> Sequence[Upload]:
        looks.append(uploader.now)
        return flying

    monkeypatch.setattr(flight, "in_flight", in_flight)
    waits = [uploader.nothing] * 1000
    stops = uploader.stop(["trip"], uploader.sees, *waits, uploader.lets_go(trip))
    assert fates(stops) == [Fate.STOPPED]
    assert uploader.now > 90
    assert uploader.told == [Finishing(flying)]
    assert 40 < len(looks) < 60, "a look reads all of an album's photos"


def test_how_long_it_takes_is_told_as_far_as_the_uploader_shows_it(
    uploader: Uploader, trip: int, more: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from albumup.journal import flight
    from albumup.journal.flight import Upload
    from albumup.session.snapshot import Snapshot, Writer, packed
    from albumup.uploader.events import Progress
    from albumup.uploader.events import Upload as Shown

    monkeypatch.setattr(flight, "in_flight", lambda *_: [Upload(b"/trip/IMG_1.MOV", 4_000)])
    shown = (Shown(b"IMG_1.MOV", 4_000, 1_000, trip), None, Shown(b"B.MOV", 9_000, 0, more))
    progress = Progress(0, 2, 1_000, 13_000, True, 0, 0, shown, ())
    writer = Writer(uploader.journal.path + ".live")
    writer.write(packed(Snapshot(4121, uploader.run_id, 0.0, progress, [], rate=100.0)))
    waits = [uploader.nothing] * 30
    uploader.stop(["trip"], uploader.sees, *waits, uploader.lets_go(trip))
    assert [told.seconds for told in uploader.told if isinstance(told, Finishing)] == [30.0]


def test_an_uploader_that_dies_has_let_go(uploader: Uploader) -> None:
    stops = uploader.stop(["trip"], uploader.nothing, uploader.lock.release)
    assert (fates(stops), stops.pid) == ([Fate.STOPPED], 4121)
    assert uploader.looks == 2


def test_a_dead_run_is_nobodys(uploader: Uploader) -> None:
    uploader.lock.release()
    stops = uploader.stop(["trip"])
    assert (fates(stops), stops.pid, uploader.looks) == ([Fate.WAITS], None, 0)
    assert fates(uploader.stop(["trip"])) == [Fate.WAITED]


def test_a_signal_ends_the_wait_and_the_instruction_stays(
    uploader: Uploader, journal: Journal
) -> None:
    uploader.signals.append(2)
    with pytest.raises(Left) as left:
        uploader.stop(["trip"], uploader.nothing)
    assert left.value.code == 130
    assert len(instructions.unseen(journal, uploader.run_id)) == 1
    assert held(journal) == ["trip"]


def test_an_album_resumed_meanwhile_is_waited_for_no_longer(
    uploader: Uploader, journal: Journal, trip: int
) -> None:
    def resume() -> None:
        with journal.transaction():
            runs.hold(journal, [trip], False)

    stops = uploader.stop(["trip"], uploader.sees, resume)
    assert fates(stops) == [Fate.RESUMED]
    assert uploader.looks == 2


def test_an_album_that_is_done_by_then_is_not_on_hold(
    uploader: Uploader, journal: Journal, trip: int, album: MakeAlbum
) -> None:
    def finish() -> None:
        album("trip", uploaded=5)
        with journal.transaction():
            runs.hold(journal, [trip], False)

    stops = uploader.stop(["trip"], uploader.sees, finish, uploader.lets_go(trip))
    assert fates(stops) == [Fate.FINISHED]


def test_an_album_that_nobody_sends_is_put_on_hold_at_once(
    uploader: Uploader, journal: Journal, album: MakeAlbum
) -> None:
    album("late", pending=1)
    album("done", uploaded=1)
    stops = uploader.stop(["late", "done"], uploader.nothing)
    assert fates(stops) == [Fate.WAITS, Fate.SETTLED]
    assert uploader.looks == 0
    assert held(journal) == ["late"]
    assert instructions.unseen(journal, uploader.run_id) == []


def test_now_is_another_instruction(uploader: Uploader, journal: Journal, trip: int) -> None:
    kinds: list[str] = []

    def look() -> None:
        kinds.extend(one.kind for one in instructions.unseen(journal, uploader.run_id))
        uploader.sees()

    uploader.stop(["trip"], look, uploader.lets_go(trip), is_now=True)
    assert kinds == ["stop_now"]
