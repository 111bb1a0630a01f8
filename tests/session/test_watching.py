"""What a watcher says at the end: of which albums, with which counts, and who is told by it."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest
from clock import StillClock

from albumup.cli.conclusion import Conclusion
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.lock import FileLock
from albumup.session.live import Live
from albumup.session.telling import Watched
from albumup.session.watching import Watch
from albumup.uploader.engine_thread import Shown
from albumup.uploader.events import Progress
from albumup.uploader.options import RunEnd

from .conftest import MakeAlbum

NOTHING_YET = Progress(0, 0, 0, 0, True, 0, 0, (), ())


class Screen:
    """A screen and an app at once, which keep what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.config = SimpleNamespace(targets={"home": None})

    def say(self, line: str) -> None:
        self.said.append(line)

    complain = say


class Audience:
    """Keeps what was watched, and has the closing words made of it."""

    def __init__(self, journal: Journal, names: dict[int, str]) -> None:
        self.screen = Screen()
        screen = self.screen
        app: Any = SimpleNamespace(screen=screen, config=screen.config, journal=journal.path)
        self.conclusion = Conclusion(app, journal, names)
        self.seen: Watched | None = None
        self.words: list[str] = []

    def say(self, word: object) -> None:
        self.words.append(type(word).__name__)

    def end_show(self) -> None: ...

    def hear(self, event: object) -> None: ...

    def recall(self, event: object) -> None: ...

    def name_target(self, name: str, title: str) -> None: ...

    def show(self, *_: object) -> None: ...

    def told(self, _: object) -> list[int]:
        return list(self.conclusion.told)

    def watched(self, seen: Watched) -> int:
        self.seen = seen
        return self.conclusion.watched(seen)


class Stage:
    """A journal with an album from long ago, and another process that sends two others."""

    def __init__(self, journal: Journal, clock: StillClock, album: MakeAlbum) -> None:
        self.journal, self.clock, self.album = journal, clock, album
        self.lock = FileLock(journal.path + ".lock")
        self.live = Live(journal.path + ".live", clock=clock, now=clock)
        self.alpha = album("alpha", uploaded=40)
        self.trip = album("trip", uploaded=60, pending=4)
        self.more = album("more", uploaded=8, pending=12)
        self.run_id = 0
        self.before = {self.trip: (60, 60_000), self.more: (8, 8000)}
        self.audience = Audience(journal, {1: "alpha", 2: "trip", 3: "more"})

    def begin(self) -> None:
        assert self.lock.take(0.0)
        with self.journal.transaction():
            self.run_id = runs.begin(self.journal, os.getpid(), {}, [self.trip, self.more])

    def watch(self, *album_ids: int) -> Watch:
        audience: Any = self.audience
        watch = Watch(self.journal, album_ids, audience)
        self.look(watch)
        return watch

    def look(self, watch: Watch) -> None:
        watch._others.look()
        watch._note_albums()

    def stop(self, album_id: int) -> None:
        with self.journal.transaction():
            runs.hold(self.journal, [album_id], True)
            runs.leave(self.journal, self.run_id, album_id)

    def end(self, code: int) -> None:
        shown = Shown(NOTHING_YET, [], self.run_id, self.before, True, None)
        self.live.end(shown, RunEnd(code, self.run_id, self.before, {}, {}, None, 10.0))
        with self.journal.transaction():
            runs.end(self.journal, self.run_id, code)
        self.lock.release()

    @property
    def said(self) -> list[str]:
        return self.audience.screen.said


@pytest.fixture
def stage(journal: Journal, clock: StillClock, album: MakeAlbum) -> Stage:
    return Stage(journal, clock, album)


def test_the_albums_of_the_run_are_told_with_those_that_were_stopped(stage: Stage) -> None:
    stage.begin()
    watch = stage.watch()
    stage.album("more", uploaded=10, pending=10)
    stage.stop(stage.more)
    stage.album("trip", uploaded=64)
    stage.end(0)
    stage.look(watch)
    assert watch._end(0) == 0
    assert stage.said == [
        "trip: 4 of 4 sent in 10 s (4.0 kB, 400 B/s); 60 were there before",
        "more: stopped, 2 of 12 sent, 10 waiting. On hold until: albumup resume more",
    ]
    assert stage.audience.told(None) == [stage.trip], "the others may be told later"


def test_after_a_run_whose_albums_were_all_stopped_no_others_are_told(stage: Stage) -> None:
    stage.begin()
    watch = stage.watch()
    for one in (stage.trip, stage.more):
        stage.stop(one)
    stage.end(143)
    stage.look(watch)
    watch._end(0)
    assert [line.partition(":")[0] for line in stage.said] == ["trip", "more"]
    assert stage.audience.told(None) == []


def test_after_a_kill_what_this_run_has_sent_is_told(stage: Stage) -> None:
    stage.begin()
    stage.live.show(Shown(NOTHING_YET, [], stage.run_id, stage.before, False, None))
    watch = stage.watch()
    stage.album("more", uploaded=20)
    stage.lock.release()
    stage.look(watch)
    watch._end(0)
    assert stage.audience.words == ["Vanished"]
    assert stage.said == [
        "more: 12 of 12 sent",
        "trip: 0 of 4 sent, 4 waiting. Go on with: albumup resume",
    ]


def test_an_album_that_the_run_does_not_have_is_told_as_status_tells_it(stage: Stage) -> None:
    stage.begin()
    stage.stop(stage.more)
    watch = stage.watch(stage.more)
    assert watch._code() == 143
    watch._end(143)
    assert stage.said == [
        "more: 8 of 20 sent, 12 waiting. On hold until: albumup resume more    (exit 143)"
    ]
    stage.lock.release()


def test_where_nobody_uploads_all_that_is_left_is_told(stage: Stage) -> None:
    stage.watch()._end(0)
    assert stage.audience.words == ["Nobody"]
    assert stage.said == [
        "trip: 60 of 64 sent, 4 waiting. Go on with: albumup resume",
        "more: 8 of 20 sent, 12 waiting. Go on with: albumup resume",
    ]


def test_where_nothing_is_left_all_albums_are_told_and_what_to_type(stage: Stage) -> None:
    for name in ("trip", "more", *map(str, range(11))):
        stage.album(name, uploaded=1)
    stage.watch()._end(0)
    assert stage.audience.words == ["Nobody"]
    assert stage.said[:2] == ["alpha: 40 of 40 sent", "trip: 1 of 1 sent"]
    assert stage.said[12:] == [
        "and 2 more: albumup status",
        "Nothing waits. Next: albumup push FOLDER",
    ]
