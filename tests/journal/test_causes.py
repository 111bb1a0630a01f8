"""When a notice is owed, and what it says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import asdict
from test_staging import arrival, push, settle

from albumup.config.settings import FormSettings
from albumup.errors import AlbumupError, LocalError, TryLater
from albumup.journal import notices, pauses, runs
from albumup.journal.journal import Journal
from albumup.journal.notices import Notice
from albumup.journal.rows import Root
from albumup.journal.states import State
from albumup.retry import Rules
from albumup.targets.form import FormTarget
from albumup.uploader.breaker import Breaker
from albumup.uploader.causes import Causes
from albumup.uploader.causes import unwritten as unwritten_of
from albumup.uploader.events import Event
from albumup.uploader.options import Options
from albumup.uploader.queue import Queue
from albumup.uploader.upstream import Closing, Upstream
from albumup.uploader.world import World

HOUR, DAY = 3600.0, 86400.0
REVOKED = Closing(4, "home: refused: 401 Unauthorized", "see to its token")
FULL = Closing(4, "home: refused: 507 Insufficient Storage")
DOWN = Closing(75, "502 Bad Gateway")


class Home:
    """A journal with the album trip of three photos, and a run that sends it."""

    def __init__(self, path: Path) -> None:
        self.now = 1_800_000_000.0
        self.journal = Journal(str(path), clock=lambda: self.now)
        self.trip = push(self.journal, [arrival(b"%d.jpg" % number) for number in range(3)])
        self.heard: list[Event] = []
        self.begin()

    def begin(self, **options: Any) -> None:
        """A new run."""
        self.queue = Queue(
            cast(Any, None), 1, World(cast(Any, None), cast(Any, None)), time.monotonic
        )
        settings = FormSettings(url="https://photos.example.org/up")
        target = FormTarget("home", settings, None, "config.toml")
        rules = Rules(3, False, "allowed", settle=30.0)
        self.upstream = Upstream(target, rules, Breaker(300.0, 3, proven=True, jobs=1))
        self.queue.upstreams["home"] = self.upstream
        self.queue.albums = {album.id: album for album in runs.albums(self.journal)}
        own = {"is_watched": False, **options}
        self.causes = Causes(self.queue, Options(**own), self.heard.append)
        self.causes.run_id = 1

    def begins_anew(self) -> None:
        """A new run, which the journal knows."""
        with self.journal.transaction():
            runs.begin(self.journal, 1, {}, [self.trip])
        self.begin()

    def settled(self) -> None:
        with self.journal.transaction():
            self.causes.settled(self.journal, self.trip)

    def sick(self, words: str = "502 Bad Gateway") -> None:
        with self.journal.transaction():
            self.causes.sick(self.journal, self.upstream, words, 0)

    def well(self) -> None:
        with self.journal.transaction():
            self.causes.well(self.journal, self.upstream)

    def ends(self, closing: Closing | None = None, *, accepted: bool = False) -> None:
        """A run that leaves the album unfinished."""
        if accepted:
            self.upstream.breaker.accepted(1.0)
        closings = {} if closing is None else {"home": closing}
        with self.journal.transaction():
            self.causes.ended(self.journal, closings, [self.trip])

    def fails(self, fault: AlbumupError) -> None:
        with self.journal.transaction():
            self.causes.failed(self.journal, fault, [self.trip])

    def owed(self) -> list[dict[str, Any]]:
        """What is owed since the last time: cause, target and message."""
        with self.journal.transaction():
            found = notices.claim(self.journal, 1, lambda _: False)
            notices.handed_over(self.journal, [one.id for one in found])
        return [
            {"cause": one.cause.value, "target": one.target, **asdict(one.message)} for one in found
        ]

    def words(self) -> list[str]:
        return [f"{one['cause']}: {one['words']}" for one in self.owed()]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "journal.db")
    yield home
    home.journal.close()


def only(found: list[dict[str, Any]]) -> dict[str, Any]:
    (one,) = found
    return one


# An album has settled.


def test_an_album_that_settled_well_says_what_is_there(home: Home) -> None:
    settle(home.journal, 1, State.UPLOADED)
    settle(home.journal, 2, State.DUPLICATE)
    settle(home.journal, 3, State.UPLOADED)
    home.settled()
    found = only(home.owed())
    assert found == {
        "cause": "settled",
        "target": "home",
        "album": "trip",
        "title": "home",
        "exit": 0,
        "counts": {state.value: 0 for state in State} | {"uploaded": 2, "duplicate": 1},
        "bytes": {"total": 300, "sent": 300},
        "words": "trip: 3 photos sent",
        "hint": "",
        "command": "",
        "run": 1,
    }


def test_an_album_that_lacks_photos_says_how_to_get_them_there(home: Home) -> None:
    settle(home.journal, 1, State.UPLOADED)
    settle(home.journal, 2, State.REJECTED)
    settle(home.journal, 3, State.FAILED)
    home.settled()
    found = only(home.owed())
    assert (found["exit"], found["words"]) == (3, "trip: 1 photo sent, 2 not")
    assert found["command"] == "albumup retry-failed trip --rejected"
    assert found["bytes"] == {"total": 300, "sent": 100}


def test_an_album_that_settles_again_with_the_same_counts_is_no_news(home: Home) -> None:
    for number in (1, 2):
        settle(home.journal, number, State.UPLOADED)
    settle(home.journal, 3, State.FAILED)
    home.settled()
    home.begin()
    home.settled()
    assert len(home.owed()) == 1
    with home.journal.transaction():
        home.journal.fresh_set(3, rounds=1)
    settle(home.journal, 3, State.UPLOADED)
    home.settled()
    assert home.words() == ["settled: trip: 3 photos sent"]


def test_the_session_hears_of_a_notice_once_it_is_durable(home: Home) -> None:
    home.settled()
    assert home.heard == [], "it is told by ``made``"
    home.journal.made()
    assert [type(one).__name__ for one in home.heard] == ["NoticeOwed"]


# A run has stopped.


def test_a_run_that_nobody_watches_and_that_stops_says_why_once(home: Home) -> None:
    home.ends(REVOKED)
    found = only(home.owed())
    assert (found["cause"], found["album"], found["exit"]) == ("stopped", "trip", 4)
    assert (found["words"], found["hint"]) == (REVOKED.words, REVOKED.hint)
    assert found["command"] == "albumup target check home"
    for _ in range(3):
        home.begin()
        home.ends(REVOKED)
    assert home.owed() == []


@pytest.mark.parametrize(
    ("between", "is_news"),
    [
        (lambda home: home.ends(FULL), False),  # another trouble does not end this one
        (lambda home: home.ends(DOWN), False),
        (lambda home: home.ends(), False),  # nothing was sent, so nothing is known
        (lambda home: home.ends(accepted=True), True),
    ],
)
def test_a_trouble_is_news_again_when_it_was_over(home: Home, between: Any, is_news: bool) -> None:
    home.ends(REVOKED)
    home.begin()
    between(home)
    home.owed()
    home.begin()
    home.ends(REVOKED)
    assert home.words() == ([f"stopped: {REVOKED.words}"] if is_news else [])


def test_two_troubles_of_one_target_are_two(home: Home) -> None:
    home.ends(REVOKED)
    home.ends(FULL)
    assert home.words() == [f"stopped: {REVOKED.words}", f"stopped: {FULL.words}"]


def test_a_server_that_is_down_is_no_stop(home: Home) -> None:
    home.ends(DOWN)
    assert home.owed() == []


def test_who_watches_has_seen_it_and_is_not_told_by_cron_again(home: Home) -> None:
    home.begin(is_watched=True)
    home.ends(REVOKED)
    home.begin()
    home.ends(REVOKED)
    assert home.owed() == []


def test_a_card_that_is_away_is_named_until_it_is_back(home: Home) -> None:
    def away() -> None:
        home.begin()
        home.queue.roots = {1: Root(1, b"/media/card", "UUID", 0, True)}
        home.queue.album_roots = {home.trip: {1}}
        home.queue.away = {1: "it is not there"}

    away()
    home.ends()
    found = only(home.owed())
    assert (found["exit"], found["words"]) == (75, "/media/card: it is not there")
    assert found["hint"] == "Bring back its card or disk, then: albumup resume"
    assert found["command"] == "albumup resume trip"
    away()
    home.ends()
    assert home.owed() == []
    home.begin()
    home.queue.roots = {1: Root(1, b"/media/card", "UUID", 0, True)}
    home.ends()
    away()
    home.ends()
    assert len(home.owed()) == 1


def test_one_of_two_cards_of_a_path_that_is_needed_no_more_makes_no_news(home: Home) -> None:
    for _ in range(2):
        home.begin()
        home.queue.roots = {
            1: Root(1, b"/media/card", "", 1, True),
            2: Root(2, b"/media/card", "", 2, True),
        }
        home.queue.album_roots = {home.trip: {2}}  # all of the first is there
        home.queue.away = {2: "another card is there"}
        home.ends()
    assert home.words() == ["stopped: /media/card: another card is there"]


def test_two_cards_of_a_path_that_are_both_away_are_told_in_one_notice(home: Home) -> None:
    party = push(home.journal, [arrival(b"4.jpg")], album="party")
    home.begin()
    home.queue.roots = {
        1: Root(1, b"/media/card", "", 1, True),
        2: Root(2, b"/media/card", "", 2, True),
    }
    home.queue.album_roots = {home.trip: {1}, party: {2}}
    home.queue.away = {1: "another card is there", 2: "it does not exist"}
    with home.journal.transaction():
        home.causes.ended(home.journal, {}, [home.trip, party])
    found = only(home.owed())
    assert found["words"] == "/media/card: it does not exist"
    assert (found["album"], found["command"]) == (None, "albumup resume")
    assert found["counts"]["pending"] == 4


def test_a_fault_of_this_computer_is_told_once_until_a_run_ends_well(home: Home) -> None:
    fault = LocalError("journal.db: the disk is full", "make room, then: albumup resume")
    home.fails(fault)
    found = only(home.owed())
    assert (found["exit"], found["target"], found["words"]) == (1, "home", str(fault))
    assert (found["hint"], found["command"]) == (fault.hint, "albumup resume trip")
    home.begin()
    home.fails(fault)
    assert home.owed() == []
    home.begin()
    home.ends()
    home.fails(fault)
    assert len(home.owed()) == 1


def test_a_disk_with_copies_that_is_away_is_told_once_until_a_photo_is_sent(home: Home) -> None:
    fault = TryLater("/media/usb: it is empty; copies of photos are to be there", "Bring it back")
    home.fails(fault)
    found = only(home.owed())
    assert (found["exit"], found["words"], found["hint"]) == (75, str(fault), fault.hint)
    home.begins_anew()
    home.ends()  # the server was away: no copy was looked for
    home.begins_anew()
    home.fails(fault)
    assert home.owed() == []
    home.begins_anew()
    home.ends(accepted=True)
    home.begins_anew()
    home.fails(fault)
    assert len(home.owed()) == 1


FAULT = LocalError("journal.db: the disk is full", "make room, then: albumup resume")


def test_a_fault_that_the_journal_does_not_take_has_one_notice_for_all_processes(
    home: Home,
) -> None:
    def unwritten(run_id: int = 1) -> Notice | None:
        return unwritten_of(home.journal, FAULT, [home.trip], run_id)

    first, again = unwritten(), unwritten(2)
    assert first is not None and again is not None
    assert (first.id, first.target, first.message.command) == (0, "home", "albumup resume trip")
    assert first.message.counts["pending"] == 3
    assert first.key == again.key
    home.fails(FAULT)
    row = unwritten()
    assert row is not None and row.id, "the run that owes it may not be able to claim it"
    assert row.key == first.key
    assert unwritten(2) is None, "it was told before"
    home.owed()
    assert unwritten() is None
    home.begin()
    home.ends()
    next_one = unwritten()
    assert next_one is not None and next_one.key != first.key


def test_a_fault_that_is_over_before_it_was_told_is_not_told(home: Home) -> None:
    home.fails(FAULT)
    with home.journal.transaction():
        assert notices.claim(home.journal, 1, with_faults=False) == []
    home.begin()
    home.ends(REVOKED)
    assert home.words() == [f"stopped: {REVOKED.words}"]
    home.fails(FAULT)
    assert home.words() == [f"stopped: {FAULT}"]


def test_what_differs_each_time_makes_no_news(home: Home) -> None:
    for number in (11, 12):
        home.ends(Closing(4, f"home: refused: 403 Forbidden, request 7f{number}a9"))
    assert len(home.owed()) == 1


# A target does not work, and works again.


def test_a_target_that_does_not_work_for_a_day_is_told_once(home: Home) -> None:
    home.sick()
    home.now += DAY - 1
    home.sick()
    assert home.owed() == []
    home.now += 1
    home.sick("503 Service Unavailable")
    found = only(home.owed())
    assert (found["cause"], found["album"], found["exit"]) == ("unreachable", "trip", 75)
    assert found["words"] == "home has not worked for 24 h: 503 Service Unavailable"
    assert found["command"] == "albumup target check home"
    assert found["counts"]["pending"] == 3
    home.now += 5 * DAY
    home.sick()
    assert home.owed() == []


def test_that_it_works_again_is_told_where_that_was_told(home: Home) -> None:
    home.sick()
    home.now += HOUR
    home.well()
    assert home.owed() == []
    home.sick()
    home.now += 3 * DAY
    home.sick()
    assert [one["cause"] for one in home.owed()] == ["unreachable"]
    home.well()
    found = only(home.owed())
    assert (found["cause"], found["exit"], found["command"]) == ("well", 0, "")
    assert found["words"] == "home works again, after 3 days"
    home.well()
    assert home.owed() == []


@pytest.mark.parametrize(("seconds", "words"), [(600, "10 min"), (59, "59 s"), (3600, "1 h")])
def test_how_long_is_the_targets_own_word(home: Home, seconds: int, words: str) -> None:
    home.begin(tell_after=lambda target: {"home": seconds}[target])
    home.sick()
    home.now += seconds
    home.sick("no answer")
    assert home.words() == [f"unreachable: home has not worked for {words}: no answer"]


def test_a_pause_that_ends_because_nothing_waits_is_not_told(home: Home) -> None:
    home.sick()
    home.now += 2 * DAY
    home.sick()
    assert home.words() == ["unreachable: home has not worked for 2 days: 502 Bad Gateway"]
    for number in (1, 2, 3):
        settle(home.journal, number, State.CANCELLED)
    with home.journal.transaction():
        pauses.end_idle(home.journal)
    home.well()
    assert home.owed() == []
    home.sick()
    home.now += 2 * DAY
    home.sick()
    assert len(home.owed()) == 1, "another pause, another notice"
