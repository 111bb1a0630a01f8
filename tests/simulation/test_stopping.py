"""Albums stop while a run is on, and come back: played by the engine itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, TypeVar

import pytest

from albumup.config.settings import FormSettings
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.photos.filters import Filters
from albumup.photos.scan import open_root
from albumup.session.destination import Destination
from albumup.session.intake import Intake
from albumup.session.stopping import order
from albumup.targets.form import FormTarget
from albumup.transfer.values import Answer, Sent
from albumup.uploader.events import Event as AnyEvent
from albumup.uploader.events import Progress, Spooled
from albumup.uploader.options import RunEnd
from simulation.disk import emptied
from simulation.manners import Manner
from simulation.outside import held_still
from simulation.plan import Event, Plan
from simulation.scene import Scene
from simulation.story import own_folder

T = TypeVar("T")
LARGE = 600_000
"""More than a kernel keeps: it is seen leaving."""


class Stage:
    """A scene with albums of which each has a folder, and what other commands do meanwhile."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.end: RunEnd | None = None

    def push(
        self, album: str, target: str = "club", most: int = 1000, spool: str | None = None
    ) -> None:
        """Queue the album, of photos whose names begin with its own: ``trip_IMG_0.JPG``."""
        scene = self.scene
        folder = os.path.join(os.path.dirname(scene.disk.journal), f"photos of {album}")
        os.mkdir(folder)
        for number, size in enumerate(scene.plan.sizes[:most]):
            with open(f"{folder}/{album}_IMG_{number}.JPG", "wb") as file:
                file.write(f"\xff\xd8\xff{album}{number}".encode("latin-1").ljust(size, b"x"))
        with closing(scene.open()) as journal:
            there = Destination(target, scene.target(target))
            intake = Intake([open_root(folder)], Filters(), album, there, on_skip=lambda _: None)
            intake.take_in(journal, None, spool)
            with journal.transaction():
                journal.accepted(target, scene.target(target).settings.url)

    def hand_over(self, album: str) -> None:
        """Push another album while the run is on."""
        self.push(album)
        assert self.resume(album)

    def run(self) -> int:
        self.end = self.scene.run(lifts=False)
        assert self.end is not None
        return self.end.exit_code

    def at(self, seconds: float, call: Callable[..., object], *args: object) -> None:
        """Another command at that time."""
        self.scene.loop.outside(seconds, call, *args)

    def stop(self, *names: str, is_now: bool = False) -> None:
        self._do(lambda journal: order(journal, _named(journal, names), is_now=is_now))

    def resume(self, *names: str) -> bool:
        """Whether a run was on that has the albums now."""

        def lift(journal: Journal) -> bool:
            ids = [album.id for album in _named(journal, names)]
            with journal.transaction():
                runs.hold(journal, ids, False)
                return runs.join(journal, ids) is not None

        return self._do(lift)

    def _do(self, change: Callable[[Journal], T]) -> T:
        with closing(self.scene.open()) as journal:
            return change(journal)

    def hangs(self, work: str, seconds: float, job: int = 1) -> None:
        """That job of its kind takes so long."""
        event = Event(f"{work} hangs", job, (seconds - 5.0) / 115.0)
        self.scene.events._jobs.append(event)

    # What is to be seen.

    def states(self, album: str) -> dict[str, int]:
        sql = "select state, count(*) from v_tasks where album = ? group by state"
        return {row[0]: row[1] for row in self.scene.reader.execute(sql, (album,))}

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.scene.reader.execute(statement)]

    def held(self) -> list[str]:
        return [str(row[0]) for row in self.sql("select name from album where held order by name")]

    def scope(self) -> list[str]:
        sql = "select name from album join scope on album_id = album.id order by name"
        return [str(row[0]) for row in self.sql(sql)]

    def ended(self) -> int:
        """The run's exit code in the journal, for joiners."""
        return int(self.sql("select exit from run order by id desc limit 1")[0][0])

    def sent(self) -> list[str]:
        """The names that came to the server, in the order of their coming."""
        return [copy.name for copy in self.scene.server.ledger.copies]


def _named(journal: Journal, names: Sequence[str]) -> list[runs.Album]:
    return [album for album in runs.albums(journal) if album.name in names]


def staged(
    albums: Sequence[str] = ("trip", "more"),
    *,
    sizes: Sequence[int] = (300,) * 6,
    takes: float = 1.0,
    tick: float = 0.25,
    **more: object,
) -> Iterator[Stage]:
    plan = Plan(
        1, tuple(sizes), patience=300.0, tick=tick, speed=0.0, helpers_slow=0.0, fifo=True, **more  # type: ignore[arg-type]
    )  # fmt: skip
    scene = Scene(plan, emptied(own_folder()))
    scene.server.manner_of = lambda *_: Manner("slow", seconds=takes)  # type: ignore[method-assign]
    with held_still(scene):
        stage = Stage(scene)
        stage.push(albums[0])
        for album in albums[1:]:
            stage.at(0.5, stage.hand_over, album)
        yield stage
        assert scene.leaks == set()
        assert scene.loop.errors == []
        assert scene.left == [], "no coroutine is left behind"
        scene.close()
        scene.disk.close()
        scene.loop.close()


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    yield from staged(**getattr(request, "param", {}))


def one_at_a_time(**more: object) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("stage", [{"jobs": 1, **more}], indirect=True, ids=[""])


@one_at_a_time()
def test_one_album_stops_and_the_other_goes_on(stage: Stage) -> None:
    stage.at(2.5, stage.stop, "trip")
    assert stage.run() == 143
    assert stage.states("trip") == {"uploaded": 3, "pending": 3}, "one in flight has finished"
    assert stage.states("more") == {"uploaded": 6}
    assert stage.held() == ["trip"]
    assert stage.ended() == 0, "of those that were left"
    assert len(stage.sent()) == 9


@one_at_a_time()
def test_a_run_ends_when_its_last_album_was_stopped(stage: Stage) -> None:
    stage.at(1.2, stage.stop, "trip")
    stage.at(4.2, stage.stop, "more")
    assert stage.run() == 143
    assert stage.ended() == 143
    assert stage.held() == ["more", "trip"]
    assert stage.scene.loop.time() < 6
    assert stage.states("trip") == {"uploaded": 2, "pending": 4}


@one_at_a_time()
def test_copies_are_told_as_those_of_their_album(stage: Stage) -> None:
    told: list[Spooled] = []
    listen = stage.scene._listen

    def hear(event: AnyEvent) -> None:
        listen(event)
        told.extend([event] if isinstance(event, Spooled) else [])

    stage.scene._listen = hear  # type: ignore[method-assign]
    for name, most in (("card", 2), ("film", 3)):
        stage.push(name, most=most, spool=stage.scene.disk.spool)
    stage.resume("card", "film")
    assert stage.run() == 0
    found = sorted((str(one.album), one.target, one.photos) for one in told)
    assert found == [("card", "club", 2), ("film", "club", 3)]


@one_at_a_time()
def test_the_next_run_sends_the_rest_once(stage: Stage) -> None:
    stage.at(2.5, stage.stop, "trip", "more")
    assert stage.run() == 143
    stage.resume("trip", "more")
    assert stage.run() == 0
    assert stage.held() == []
    assert len(stage.sent()) == 12


@one_at_a_time()
def test_an_album_that_is_resumed_comes_back_into_the_same_run(stage: Stage) -> None:
    stage.at(2.5, stage.stop, "trip")
    stage.at(4.5, stage.resume, "trip")
    assert stage.run() == 0
    assert stage.sql("select count(*) from run") == [(1,)]
    assert len(stage.sent()) == 12
    assert stage.held() == []


@one_at_a_time(albums=("trip",))
def test_the_later_word_counts_before_the_run_has_heard_the_first(stage: Stage) -> None:
    stage.at(2.5, stage.stop, "trip")
    stage.at(2.5001, stage.resume, "trip")
    assert stage.run() == 0
    assert len(stage.sent()) == 6
    assert stage.sql("select count(*) from instruction where seen is null") == [(0,)]


@one_at_a_time(albums=("trip",))
def test_an_album_resumed_while_its_last_upload_finishes_goes_on(stage: Stage) -> None:
    stage.at(2.1, stage.stop, "trip")
    stage.at(2.6, stage.resume, "trip")
    assert stage.run() == 0
    assert stage.sql("select count(*) from run") == [(1,)]
    assert len(stage.sent()) == 6


@one_at_a_time()
def test_an_album_is_in_the_scope_until_nothing_of_it_is_in_flight(stage: Stage) -> None:
    seen: list[tuple[list[str], object]] = []

    def look() -> None:
        unseen = stage.sql("select count(*) from instruction where seen is null")
        seen.append((stage.scope(), unseen[0][0]))

    stage.at(2.1, stage.stop, "trip")
    stage.at(2.11, look)
    stage.at(2.6, look)
    stage.at(3.6, look)
    assert stage.run() == 143
    assert seen == [(["more", "trip"], 1), (["more", "trip"], 0), (["more"], 0)]


@pytest.mark.parametrize(
    "stage", [{"jobs": 1, "sizes": (LARGE,) * 3, "albums": ("trip",), "takes": 0.0}], indirect=True
)
def test_now_cuts_what_is_in_flight_and_no_try_is_spent(stage: Stage) -> None:
    stage.scene.server.manner_of = lambda *_: Manner(pace=50.0)  # type: ignore[method-assign]
    stage.at(100.0, lambda: stage.stop("trip", is_now=True))
    assert stage.run() == 143
    assert stage.scene.loop.time() < 105
    assert stage.sent() == []
    assert stage.sql("select outcome, error, bytes > 0 from attempt") == [("free", "cut", 1)]
    assert stage.sql("select max(tries) from task") == [(0,)]


@pytest.mark.parametrize("stage", [{"jobs": 4, "sizes": (LARGE,) * 2, "takes": 0.0}], indirect=True)
def test_now_cuts_nothing_of_the_other_album(stage: Stage) -> None:
    stage.scene.server.manner_of = lambda *_: Manner(pace=2.0)  # type: ignore[method-assign]
    stage.at(5.0, lambda: stage.stop("trip", is_now=True))
    assert stage.run() == 143
    assert stage.states("more") == {"uploaded": 2}
    assert stage.sql("select distinct album, outcome from v_attempts order by album, outcome") == [
        ("more", "uploaded"),
        ("trip", "free"),
    ]


@one_at_a_time(albums=("trip",), takes=30.0)
def test_now_gives_a_whole_photo_a_second_for_its_answer(stage: Stage) -> None:
    stage.at(29.5, lambda: stage.stop("trip", is_now=True))
    assert stage.run() == 143
    assert stage.states("trip") == {"uploaded": 1, "pending": 5}


@one_at_a_time(albums=("trip",), takes=30.0, kind="asked", resend="safe")
def test_a_photo_in_doubt_is_asked_about_by_the_next_run(stage: Stage) -> None:
    stage.at(20.0, lambda: stage.stop("trip", is_now=True))
    assert stage.run() == 143
    assert stage.scene.loop.time() < 25
    assert stage.states("trip") == {"in_doubt": 1, "pending": 5}
    stage.scene.server.manner_of = lambda *_: Manner()  # type: ignore[method-assign]
    stage.resume("trip")
    assert stage.run() == 0
    assert stage.states("trip") == {"uploaded": 6}


@one_at_a_time(albums=("trip",), kind="asked", resend="safe")
def test_doubts_of_a_stopped_album_are_left_to_the_next_run(stage: Stage) -> None:
    stage.scene.server.manner_of = lambda *_: Manner("lost", stores=True, ends="close")  # type: ignore[method-assign]
    stage.at(2.0, stage.stop, "trip")
    assert stage.run() == 143
    assert stage.scene.loop.time() < 5, "and no question was waited for"
    doubts = stage.states("trip")["in_doubt"]
    assert doubts
    stage.scene.server.manner_of = lambda *_: Manner()  # type: ignore[method-assign]
    stage.resume("trip")
    assert stage.run() == 0
    assert len(stage.sent()) == 6, "none was sent twice"


@one_at_a_time(albums=("trip",), sizes=(300,))
def test_an_album_whose_last_photo_finishes_is_settled_and_not_on_hold(stage: Stage) -> None:
    stage.at(0.5, stage.stop, "trip")
    assert stage.run() == 0
    assert stage.held() == []
    assert stage.states("trip") == {"uploaded": 1}


@one_at_a_time(albums=("trip",))
def test_an_album_put_on_hold_before_the_run_began_is_not_begun(stage: Stage) -> None:
    stage.stop("trip")
    assert stage.run() == 143
    assert stage.sent() == []


def down(stage: Stage, asked: list[float]) -> None:
    """The server of ``trip`` is down, and when it was asked is put down."""

    def manner_of(_: int, name: str) -> Manner:
        is_down = name.startswith("trip")
        return Manner("status", 503) if is_down else Manner("slow", seconds=2.0)

    def small(_: str, url: str, __: object) -> Sent:
        if "club" in url:
            asked.append(stage.scene.loop.time())
        return Sent(Answer.of(503, "Down", {}, b"", complete=True), None, "", whole=True, bytes=0)

    stage.scene.server.manner_of = manner_of  # type: ignore[method-assign]
    stage.scene.server.small = small  # type: ignore[method-assign, assignment]


@one_at_a_time(albums=("trip",), sizes=(300,) * 20)
def test_a_sick_target_is_not_asked_for_a_stopped_album(stage: Stage) -> None:
    def target(name: str = "club") -> FormTarget:
        settings = FormSettings(url=f"http://{name}.example.org/{{album}}")
        return FormTarget(name, settings, None, "config.toml")

    stage.scene.target = target  # type: ignore[method-assign, assignment]
    stage.push("more", "other")
    asked: list[float] = []
    down(stage, asked)
    stage.at(20.0, stage.stop, "trip")
    assert stage.run() == 143
    assert stage.states("more") == {"uploaded": 20}
    assert len(asked) > 2
    assert max(asked) < 20.5
    words = stage.sql("select name, sick_words <> '' from target order by name")
    assert words == [("club", 1), ("other", 0)], "the next run begins with the question"


@one_at_a_time(retries=0)
def test_a_held_task_of_a_stopped_album_waits_for_the_next_run(stage: Stage) -> None:
    """Its last try is over, and nobody knows whose fault that was."""
    stage.scene.server.manner_of = lambda *_: Manner("status", 500)  # type: ignore[method-assign]
    stage.at(0.4, stage.stop, "trip", "more")
    assert stage.run() == 143
    stages = stage.sql("select distinct stage from task where state = 'pending'")
    assert (5,) not in stages
    assert sum(stage.states("trip").values()) == 6


@pytest.mark.parametrize("stage", [{"sizes": (LARGE,) * 6, "takes": 0.0}], indirect=True, ids=[""])
@pytest.mark.parametrize(("work", "most"), [("open", 10), ("read", 4)])
def test_now_waits_for_no_disk_that_hangs(stage: Stage, work: str, most: int) -> None:
    stage.hangs(work, 60.0)
    stage.at(1.0, lambda: stage.stop("trip", "more", is_now=True))
    assert stage.run() == 143
    assert stage.scene.fired[f"{work} hangs"] == 1
    assert stage.scene.loop.time() < most
    assert stage.sql("select count(*) from task where state = 'sending'") == [(0,)]


@one_at_a_time(albums=("trip",), kind="asked", resend="safe", sizes=(300,))
def test_no_question_under_way_is_waited_for(stage: Stage) -> None:
    stage.hangs("ask", 60.0, job=2)  # the first one asks how the server is
    stage.scene.server.manner_of = lambda *_: Manner("lost", stores=True, ends="close")  # type: ignore[method-assign]
    stage.at(45.0, stage.stop, "trip")
    assert stage.run() == 143
    assert stage.scene.fired["ask hangs"] == 1
    assert stage.scene.loop.time() < 47


@pytest.mark.parametrize(
    "stage", [{"jobs": 8, "sizes": (LARGE,) * 2, "takes": 20.0}], indirect=True, ids=[""]
)
def test_a_photo_read_when_its_album_has_stopped_is_not_sent(stage: Stage) -> None:
    stage.hangs("read", 7.0)
    stage.at(1.0, stage.stop, "trip")
    assert stage.run() == 143
    assert stage.scene.fired["read hangs"] == 1
    assert "trip_IMG_0.JPG" not in stage.sent()
    assert stage.states("more") == {"uploaded": 2}


@one_at_a_time(albums=("trip",), sizes=(300,) * 150)
def test_photos_of_a_stopped_album_are_not_read(stage: Stage) -> None:
    stage.push("more", most=30)
    stage.at(2.5, stage.stop, "trip")
    assert stage.run() == 143
    read = "select name, count(*) from body join task on task.id = task_id join album"
    counts = dict(stage.sql(f"{read} on album.id = album_id group by name order by name"))
    assert counts["more"] == 30
    assert counts["trip"] < 150


@one_at_a_time(kind="asked", resend="safe")
def test_nothing_is_asked_about_a_stopped_album(stage: Stage) -> None:
    def manner_of(_: int, name: str) -> Manner:
        is_lost = name.startswith("trip")
        return Manner("lost", stores=True, ends="close") if is_lost else Manner("slow", seconds=9.0)

    stage.scene.server.manner_of = manner_of  # type: ignore[method-assign]
    stage.at(5.0, stage.stop, "trip")
    assert stage.run() == 143
    assert stage.scene.loop.time() > 40, "long enough for a question"
    assert stage.states("trip")["in_doubt"]


@one_at_a_time(albums=("trip",))
def test_a_photo_that_was_to_wait_is_tried_when_its_album_comes_back(stage: Stage) -> None:
    came: list[str] = []

    def manner_of(_: int, name: str) -> Manner:
        is_first = name == "trip_IMG_0.JPG" and name not in came
        came.append(name)
        return Manner("status", 503, retry_after=200) if is_first else Manner("slow", seconds=1.0)

    stage.scene.server.manner_of = manner_of  # type: ignore[method-assign]
    stage.at(4.2, stage.stop, "trip")
    stage.at(4.5, stage.resume, "trip")
    assert stage.run() == 0
    assert stage.scene.loop.time() < 60
    assert came.count("trip_IMG_0.JPG") == 2


def test_whoever_is_handed_over_to_a_run_is_sent_by_it() -> None:
    """At each step of the loop near the run's end, its last album is resumed."""
    ended_at = _resumed_at(0)[1]
    found = [_resumed_at(ended_at - before)[0] for before in range(-2, 8)]
    assert set(found) == {True, False}, "before the end, and after it"


def _resumed_at(step: int) -> tuple[bool, int]:
    """Whether the run had the album then; and the step at which the run's end was durable."""
    joined: list[bool] = []
    ended: list[int] = []
    for stage in staged(("trip",), sizes=(300,) * 3, jobs=1):

        def after_step(stage: Stage = stage) -> None:
            now = stage.scene.loop.steps
            if not ended and stage.sql("select 1 from run where ended is not null"):
                ended.append(now)
            if now == step:
                joined.append(stage.resume("trip"))

        stage.scene.loop.after_step = after_step
        stage.at(0.5, stage.stop, "trip")
        code = stage.run()
        had = bool(joined and joined[0])
        assert code == (0 if had else 143)
        assert (stage.states("trip") == {"uploaded": 3}) == had
    return had, ended[0]


@pytest.mark.parametrize(
    "stage", [{"jobs": 1, "sizes": (LARGE,) * 3, "albums": ("trip",), "takes": 0.0}], indirect=True
)
def test_what_is_in_flight_of_a_stopped_album_is_part_of_the_whole(stage: Stage) -> None:
    stage.scene.server.manner_of = lambda *_: Manner(pace=2.0)  # type: ignore[method-assign]
    seen: list[Progress] = []

    def look() -> None:
        assert stage.scene.life is not None
        assert stage.scene.life.engine is not None
        seen.append(stage.scene.life.engine.progress())

    stage.at(20.0, stage.stop, "trip")
    stage.at(21.0, look)
    assert stage.run() == 143
    (now,) = seen
    assert (now.photos_done, now.photos_total) == (0, 1)
    assert 0 < now.bytes_done < now.bytes_total == LARGE


@one_at_a_time(sizes=(300,) * 4)
def test_the_counts_are_those_of_the_albums_that_are_shown(stage: Stage) -> None:
    """Without the stopped album's, and with it again when it comes back."""
    seen: list[tuple[list[str], int, int, int]] = []

    def look() -> None:
        assert stage.scene.life is not None
        engine = stage.scene.life.engine
        assert engine is not None
        now = engine.progress()
        seen.append((engine.album_names, now.photos_done, now.photos_total, now.bytes_total))

    stage.at(3.1, look)
    stage.at(3.2, stage.stop, "trip")
    stage.at(3.8, look)
    stage.at(5.9, look)
    stage.at(6.0, stage.resume, "trip")
    stage.at(6.9, look)
    assert stage.run() == 0
    names = [sorted(one[0]) for one in seen]
    assert names == [["more", "trip"], ["more"], ["more"], ["more", "trip"]]
    totals = [one[2:] for one in seen]
    assert totals == [(8, 2400), (4, 1200), (4, 1200), (8, 2400)]
    done = [one[1] for one in seen]
    assert done[0] == 3
    assert done[1] < done[2] < 4
    assert done[3] > done[2]
