"""What another process's run shows: of all of it, or of some albums."""

from __future__ import annotations

import os
from collections.abc import Iterable

import pytest
from clock import StillClock

from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.runs import Run
from albumup.journal.states import State
from albumup.session import looking
from albumup.session.live import Live
from albumup.session.looking import Looker, Missed
from albumup.session.telling import Ebbing, Silent, Word
from albumup.uploader.engine_thread import Shown
from albumup.uploader.events import (
    Event,
    Pause,
    Paused,
    Progress,
    Recorded,
    Spooled,
    Tried,
    Upload,
)

from .conftest import MakeAlbum

UPLOADS = (
    Upload(b"/trip/a.jpg", 1000, 400, 1),
    Upload(b"/more/b.jpg", 1000, 500, 2),
    None,
)
PAUSES = (Pause("home", "502 Bad Gateway", 3.0, 297.0), Pause("nas", "no route", 3.0, 297.0))
WHOLE = Progress(3, 10, 3900, 10_000, False, 0, 0, UPLOADS, PAUSES)


class Screen:
    """An audience that only remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.recalled: list[Event] = []
        self.words: list[Word] = []
        self.shown: list[tuple[Progress, list[str]]] = []
        self.titles: dict[str, str] = {}

    def hear(self, event: Event) -> None:
        self.events.append(event)

    def recall(self, event: Event) -> None:
        self.recalled.append(event)

    def say(self, word: Word) -> None:
        self.words.append(word)

    def show(self, progress: Progress, albums: Iterable[str]) -> None:
        self.shown.append((progress, list(albums)))

    def name_target(self, name: str, title: str) -> None:
        self.titles[name] = title


class Stage:
    """A run of two albums, trip (1) and more (2), and who looks at it."""

    def __init__(self, journal: Journal, clock: StillClock, album: MakeAlbum) -> None:
        self.journal, self.clock = journal, clock
        self.screen = Screen()
        self.live = Live(journal.path + ".live", clock=clock, now=clock)
        self.trip = album("trip", uploaded=5, pending=3, failed=1)
        self.more = album("more", uploaded=1, pending=4)
        with journal.transaction():
            self.run: Run = runs.run_of(
                journal, runs.begin(journal, os.getpid(), {}, [self.trip, self.more])
            )

    def looker(self, *album_ids: int, before: dict[int, tuple[int, int]] | None = None) -> Looker:
        return Looker(self.journal, self.screen, album_ids, before, now=self.clock)  # type: ignore[arg-type]

    def write(
        self, progress: Progress = WHOLE, *, run_id: int = 0, is_ending: bool = False
    ) -> None:
        before = {1: (2, 2000), 2: (0, 0)}
        self.clock.now += 1.0
        albums = ["trip", "more"]
        self.live.show(Shown(progress, albums, run_id or self.run.id, before, is_ending, None))


@pytest.fixture
def stage(journal: Journal, clock: StillClock, album: MakeAlbum) -> Stage:
    return Stage(journal, clock, album)


def sent(number: int, album: str = "trip") -> Event:
    return Recorded(float(number), album, "home", b"/x.jpg", State.UPLOADED, None, 1000)


def failed(number: int, album: str = "trip") -> Event:
    name = b"/%d.jpg" % number
    return Tried(float(number), album, "home", name, "not_taken", "503", 1, 4, True, False, 9.0)


def test_all_of_a_run_is_shown_as_it_shows_itself(stage: Stage) -> None:
    stage.live.name_target("home", "photos.example.org")
    stage.write()
    stage.looker().look(stage.run)
    assert stage.screen.shown == [(WHOLE, ["trip", "more"])]
    assert stage.screen.titles == {"home": "photos.example.org"}


def test_albums_that_are_all_of_it_are_shown_so_too(stage: Stage) -> None:
    stage.write()
    stage.looker(stage.trip, stage.more).look(stage.run)
    assert stage.screen.shown[0][0] == WHOLE


def test_one_album_is_shown_with_its_own_totals_uploads_and_pauses(stage: Stage) -> None:
    stage.write()
    stage.looker(stage.trip).look(stage.run)
    ((shown, names),) = stage.screen.shown
    assert names == ["trip"]
    assert (shown.photos_done, shown.photos_total) == (3, 6)
    assert (shown.bytes_done, shown.bytes_total) == (3400, 6000)
    assert shown.uploads == (UPLOADS[0], None, None)
    assert shown.pauses == PAUSES[:1]
    assert not shown.is_complete
    assert not shown.is_queued


def test_an_album_whose_turn_has_not_come_is_queued(stage: Stage) -> None:
    stage.write(Progress(3, 10, 3900, 10_000, True, 0, 0, (UPLOADS[0], None), ()))
    stage.looker(stage.more).look(stage.run)
    assert stage.screen.shown[0][0].is_queued


def test_a_follower_counts_from_its_own_beginning(stage: Stage) -> None:
    stage.write()
    stage.looker(stage.trip, before={stage.trip: (4, 4000)}).look(stage.run)
    shown = stage.screen.shown[0][0]
    assert (shown.photos_done, shown.photos_total) == (1, 4)


@pytest.mark.parametrize("is_there", [True, False])
def test_without_a_snapshot_of_this_run_the_journal_tells_the_totals(
    stage: Stage, is_there: bool
) -> None:
    if is_there:
        stage.write(run_id=stage.run.id + 1)
    stage.looker().look(stage.run)
    ((shown, names),) = stage.screen.shown
    assert names == ["trip", "more"]
    assert (shown.photos_done, shown.photos_total, shown.uploads) == (0, 7, ())


def test_nothing_is_painted_twice_within_a_second(stage: Stage) -> None:
    stage.write()
    looker = stage.looker()
    looker.look(stage.run)
    stage.clock.now += 0.5
    looker.look(stage.run)
    assert len(stage.screen.shown) == 1
    stage.clock.now += 0.6
    looker.look(stage.run)
    assert len(stage.screen.shown) == 2


def test_who_comes_late_is_reminded_of_the_last_troubles_and_hears_what_follows(
    stage: Stage,
) -> None:
    for number in range(1, 9):
        stage.live.hear(failed(number))
    stage.live.hear(Paused(8.5, None, "home", "502", 0.0, 300.0))  # the bars say it, while it lasts
    stage.live.hear(sent(9))
    stage.write()
    looker = stage.looker()
    looker.look(stage.run)
    assert stage.screen.recalled == [failed(number) for number in range(4, 9)]
    assert stage.screen.events == []
    stage.live.hear(failed(10))
    stage.live.hear(sent(11))
    stage.write()
    looker.look(stage.run)
    assert stage.screen.events == [failed(10), sent(11)]


def test_what_was_missed_is_counted(stage: Stage) -> None:
    stage.write()
    looker = stage.looker()
    looker.look(stage.run)
    for number in range(1000):
        stage.live.hear(sent(number))
    stage.write()
    looker.look(stage.run)
    missed, *heard = stage.screen.events
    assert isinstance(missed, Missed)
    assert 0 < missed.count < 1000
    assert len(heard) == 1000 - missed.count


def test_only_events_of_the_albums_that_are_shown_are_told(stage: Stage) -> None:
    looker = stage.looker(stage.more)
    stage.write()
    looker.look(stage.run)
    pause = Paused(1.0, None, "home", "502", 0.0, 300.0)
    other = Paused(1.0, None, "nas", "502", 0.0, 300.0)
    for event in (failed(1), failed(2, "more"), pause, other, sent(3), sent(4, "more")):
        stage.live.hear(event)
    stage.write()
    looker.look(stage.run)
    assert stage.screen.events == [failed(2, "more"), pause, sent(4, "more")]


def test_the_end_of_a_run_is_looked_back_at(stage: Stage) -> None:
    stage.write()
    looker = stage.looker()
    looker.look(stage.run)
    stage.live.hear(failed(1))
    stage.live.end(Shown(WHOLE, ["trip"], stage.run.id, {}, False, None), None)
    snapshot = looker.look_back(stage.run)
    assert snapshot is not None
    assert snapshot.ended is not None
    assert stage.screen.events == [failed(1)]
    looker.look_back(stage.run)
    assert stage.screen.events == [failed(1)]


def test_a_run_that_stops_is_said_to_once(stage: Stage) -> None:
    looker = stage.looker()
    for is_ending in (False, True, True):
        stage.write(is_ending=is_ending)
        looker.look(stage.run)
    assert stage.screen.words == [Ebbing()]


def test_a_run_that_is_suspended_is_said_to_be_once_each_time(stage: Stage) -> None:
    looker = stage.looker()
    stage.write()
    looker.look(stage.run)
    written = stage.clock.now

    def pass_by(seconds: float) -> None:
        stage.clock.now += seconds
        looker.look(stage.run)

    pass_by(9.0)
    assert stage.screen.words == []
    pass_by(2.0)
    pass_by(50.0)
    assert stage.screen.words == [Silent(os.getpid(), written, 11.0)]
    stage.write()
    looker.look(stage.run)
    pass_by(20.0)
    assert len(stage.screen.words) == 2


def test_a_computer_that_slept_is_no_suspended_run(stage: Stage, journal: Journal) -> None:
    looker = stage.looker()
    stage.write()
    looker.look(stage.run)
    stage.write()
    looker.look(stage.run)
    journal.clock = lambda: stage.clock.now + 8 * 3600  # monotonic seconds stood still
    stage.clock.now += 1.1
    looker.look(stage.run)
    assert stage.screen.words == []


def test_the_last_of_albums_is_waited_for(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    looker = stage.looker()
    stage.write()
    looker.look(stage.run)
    stage.clock.now += 0.3
    stage.live.hear(failed(1))
    monkeypatch.setattr(looking.time, "sleep", lambda _: stage.write())
    looker.look_back(stage.run)
    assert stage.screen.events == [failed(1)]


def test_a_killed_run_is_not_waited_for(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    looker = stage.looker()
    stage.write()
    looker.look(stage.run)
    stage.clock.now += 0.3
    monkeypatch.setattr(looking.time, "sleep", lambda _: pytest.fail("it was waited for"))
    assert looker.look_back(stage.run, is_alive=False) is not None


def test_a_run_after_another_is_shown_from_its_beginning(stage: Stage, journal: Journal) -> None:
    looker = stage.looker()
    stage.write()
    looker.look(stage.run)
    with journal.transaction():
        second = runs.run_of(journal, runs.begin(journal, 2, {}, [stage.trip]))
    stage.live.hear(failed(1))
    stage.write(run_id=second.id)
    looker.look(second)
    assert stage.screen.recalled == [failed(1)]
    assert stage.screen.events == []


def test_nobody_takes_out_a_card_because_another_album_is_copied(stage: Stage) -> None:
    copied = Spooled(1.0, "trip", "home", 20)
    stage.live.hear(copied)
    stage.write()
    mine, others, all_of_it = stage.looker(stage.trip), stage.looker(stage.more), stage.looker()
    for looker, recalled in ((mine, [copied]), (others, []), (all_of_it, [copied])):
        looker.look(stage.run)
        assert stage.screen.recalled == recalled
        stage.screen.recalled.clear()


def test_an_album_that_is_forgotten_meanwhile_is_left_out(stage: Stage, journal: Journal) -> None:
    looker = stage.looker(stage.trip)
    stage.write()
    journal.connection.execute("delete from album where id = ?", (stage.trip,))
    looker.look(stage.run)
    assert stage.screen.shown[0][1] == []


def test_what_happens_before_the_first_look_at_a_run_that_was_met_is_news(stage: Stage) -> None:
    stage.live.hear(failed(1))
    stage.write()
    looker = stage.looker()
    looker.meet(stage.run)
    stage.live.hear(sent(2))
    stage.write()
    looker.look(stage.run)
    assert (stage.screen.recalled, stage.screen.events) == ([failed(1)], [sent(2)])


def test_all_is_news_to_who_came_before_the_first_snapshot(stage: Stage) -> None:
    looker = stage.looker()
    looker.look(stage.run)
    stage.live.hear(failed(1))
    stage.live.hear(sent(2))
    stage.write()
    looker.look(stage.run)
    assert (stage.screen.recalled, stage.screen.events) == ([], [failed(1), sent(2)])
