"""Stories of a computer that sleeps, or changes its network, while photos are sent: nothing that
broke meanwhile counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from albumup.helpers import Work
from albumup.uploader.options import Stop
from albumup.uploader.sleep import SleepWatch
from simulation.line import Cut, Loss
from simulation.manners import Manner
from simulation.plan import Plan
from simulation.scene import Scene
from simulation.single import played, scene_of

NIGHT = 8 * 3600.0
PLAN = Plan(1, (300, 100_000, 200_000, 201_000, 400), jobs=2, latency=0.1, tick=0.5)
MOMENTS = [0.05 + 0.2 * number for number in range(12)]


def at(seconds: float, **how: bool) -> Callable[[Scene], object]:
    return lambda scene: scene.loop.outside(seconds, lambda: scene.sleep(NIGHT, **how))


@pytest.mark.parametrize("runs_on", [False, True])
@pytest.mark.parametrize("kind", ["blind", "asked"])
def test_a_night_costs_no_try_and_calls_nobody_sick(kind: str, runs_on: bool) -> None:
    resend = "safe" if kind == "asked" else "allowed"
    plan = replace(PLAN, kind=kind, resend=resend)
    allowed, cut = {"uploaded", "free", "in_doubt"}, 0
    if kind == "asked":
        allowed.add("not_taken")  # so the server said of one in doubt
    for moment in MOMENTS:
        told = played(plan, at(moment, runs_on=runs_on))
        assert told.end.exit_code == 0, told.trace
        assert "woke" in told.trace
        assert "paused" not in told.trace
        assert set(told.outcomes) <= allowed, told.trace
        assert max(told.tries) <= 1, told.trace
        cut += "free" in told.outcomes
        assert told.seconds < (NIGHT if runs_on else 0) + 20 + 30 * (kind == "asked"), told.trace
    assert cut > 3, "hardly a moment lay within an upload"


def test_what_broke_just_before_the_night_was_the_line() -> None:
    """One of two uploads broke: whose fault that was would show when the other ends, which is
    cut."""
    plan = replace(PLAN, sizes=(200_000, 201_000), retries=0, latency=0.15)

    def prepare(scene: Scene) -> None:
        scene.line.cuts[1] = Cut(up=True, after=0.3, loss=Loss.RESET)
        scene.line.on_cut = lambda _: scene.loop.outside(0.6, lambda: scene.sleep(NIGHT))

    told = played(plan, prepare)
    assert "broken" in told.outcomes
    assert told.end.exit_code == 0, told.trace


def test_a_kept_connection_of_before_is_not_used() -> None:
    """The server hung up unheard: on that connection a minute of silence would pass."""
    plan = replace(PLAN, sizes=(100_000, 200_000), jobs=1, speed=0.0)

    def prepare(scene: Scene) -> None:
        def hold_up() -> None:
            assert scene.life is not None
            scene.life.helpers.hangs[Work.OPEN, 2] = 1.5

        scene.loop.outside(0.0, hold_up)
        scene.loop.outside(2.2, lambda: scene.sleep(NIGHT))

    told = played(plan, prepare)
    assert "woke" in told.trace
    assert told.seconds < 30, told.trace


def test_a_clock_that_is_set_is_no_sleep() -> None:
    def set_clock(scene: Scene, seconds: float) -> None:
        scene.offset += seconds

    for seconds in (NIGHT, -NIGHT):
        for moment in MOMENTS[::3]:
            told = played(
                PLAN,
                lambda scene, moment=moment, seconds=seconds: scene.loop.outside(  # type: ignore[misc]
                    moment, set_clock, scene, seconds
                ),
            )
            assert set(told.outcomes) == {"uploaded"}, told.trace
            assert "woke" not in told.trace


@pytest.mark.parametrize("runs_on", [False, True])
def test_an_answer_that_comes_after_all_is_believed(runs_on: bool) -> None:
    plan = replace(PLAN, sizes=(300,), resend="never", jobs=1)

    def prepare(scene: Scene) -> None:
        scene.server.manners[1] = Manner("slow", seconds=8.0)
        scene.server.on_manner = lambda _: None
        scene.loop.outside(2.0, lambda: scene.sleep(NIGHT, runs_on=runs_on, hangs_up=False))

    told = played(plan, prepare)
    assert told.outcomes == ["uploaded"], told.trace


@pytest.mark.parametrize("runs_on", [False, True])
def test_patience_counts_waking_hours(runs_on: bool) -> None:
    """Given up after five minutes awake, however long the night was between them."""

    def prepare(scene: Scene) -> None:
        scene.line.down_until = 1e9
        at(200.0, runs_on=runs_on)(scene)

    told = played(replace(PLAN, tick=5.0), prepare)
    assert told.end.exit_code == 75
    awake = told.seconds - (NIGHT if runs_on else 0.0)
    assert 300 <= awake < 300 + 70, told.trace


def test_a_pause_looks_at_once_after_the_night() -> None:
    """Its waits have grown to ten minutes; the server is well when the computer wakes."""
    plan = replace(PLAN, patience=86400.0, tick=20.0)

    def prepare(scene: Scene) -> None:
        scene.line.down_until = 4600.0
        scene.loop.outside(4600.0, lambda: scene.sleep(NIGHT))

    told = played(plan, prepare)
    assert told.end.exit_code == 0
    assert told.seconds < 4630, told.trace


def test_cron_gives_the_network_a_moment_after_the_night() -> None:
    """It gives up after one unanswered question, but not while the radio is still looking."""

    def prepare(scene: Scene) -> None:
        def wake() -> None:
            scene.sleep(NIGHT)
            scene.line.down_until = scene.loop.time() + 12.0

        scene.loop.outside(0.6, wake)

    told = played(PLAN, prepare, cron=True)
    assert told.end.exit_code == 0, told.trace


@pytest.mark.parametrize(("seconds", "is_told"), [(12.0, False), (200.0, True)])
def test_a_night_alone_makes_no_target_unreachable(seconds: float, is_told: bool) -> None:
    """It was asleep for more than a day in a pause; then the network takes ``seconds``."""
    with scene_of(replace(PLAN, tick=5.0)) as scene:
        scene.push()
        scene.line.down_until = 1e9

        def wake() -> None:
            scene.sleep(26 * 3600.0)
            scene.line.down_until = scene.loop.time() + seconds

        scene.loop.outside(30.0, wake)
        end = scene.run()
        assert end is not None
        assert end.exit_code == 0
        causes = [row[0] for row in scene.reader.execute("select cause from notice")]
        assert causes.count("unreachable") == causes.count("well") == is_told, scene.told


def test_a_drain_has_the_time_that_it_had_before_the_night() -> None:
    plan = replace(PLAN, sizes=(300,), resend="never", jobs=1)

    def prepare(scene: Scene) -> None:
        scene.server.manners[1] = Manner("slow", seconds=8.0)
        scene.server.on_manner = lambda _: None

        def stop() -> None:
            scene.was_stopped, scene.stopped_at = True, scene.clock()
            scene.drain(Stop(130, hold=True), 30.0)
            scene.sleep(NIGHT, runs_on=True, hangs_up=False)

        scene.loop.outside(2.0, stop)

    told = played(plan, prepare)
    assert told.outcomes == ["uploaded"], told.trace


def test_a_question_that_a_sleep_has_cost_is_asked_again() -> None:
    """The first question of a pause is under way when the computer sleeps; it fails then."""
    plan = replace(PLAN, sizes=(300,), jobs=1, kind="asked", resend="safe")

    def prepare(scene: Scene) -> None:
        small = scene.server.small
        asked = []

        def question(method: str, url: str, what: object) -> object:
            asked.append(url)
            if len(asked) > 1:
                return small(method, url, what)
            scene.sleep(NIGHT)
            scene.line.down_until = scene.loop.time() + 0.001
            return small(method, url, what)

        scene.server.small = question  # type: ignore[method-assign, assignment]
        scene.server.manners[1] = Manner("status", 500)
        scene.server.on_manner = lambda _: None

    told = played(plan, prepare)
    assert told.end.exit_code == 0
    assert "paused" not in told.trace, told.trace


# Another network.


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_move_to_another_network_costs_no_try(jobs: int) -> None:
    """Not even the only upload in flight, though the server answers at once from there."""
    cut = 0
    for moment in MOMENTS:
        plan = replace(PLAN, sizes=(200_000, 201_000, 202_000), jobs=jobs)
        told = played(plan, lambda scene, moment=moment: scene.loop.outside(moment, scene.move))  # type: ignore[misc]
        assert told.end.exit_code == 0
        assert set(told.outcomes) <= {"uploaded", "free", "in_doubt"}, told.trace
        assert max(told.tries) <= 1, told.trace
        assert "paused" not in told.trace
        assert told.seconds < 20, told.trace
        cut += "free" in told.outcomes
    assert cut > 2, "hardly a moment lay within an upload"


def test_a_network_that_comes_and_goes_fails_no_photo() -> None:
    """Oftener than a line that breaks is forgiven."""
    plan = replace(PLAN, sizes=(200_000,), jobs=1, retries=0)

    def prepare(scene: Scene) -> None:
        begun: list[str] = []

        def happened(point: str) -> None:
            begun.extend([point] * (point == "begins"))
            if point == "begins" and len(begun) < 14:
                scene.loop.outside(0.01, scene.move)

        scene.server.on_point = happened

    told = played(plan, prepare)
    assert told.end.exit_code == 0, told.trace
    assert told.outcomes.count("free") > 11


def test_after_a_move_no_connection_of_before_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor those of small requests: their silence would make the target sick."""
    renewed: list[int] = []
    renew = SleepWatch.renew

    def noted(watch: SleepWatch) -> None:
        renew(watch)
        renewed.append(watch.count)

    monkeypatch.setattr(SleepWatch, "renew", noted)
    plan = replace(PLAN, sizes=(200_000,), jobs=1)
    told = played(plan, lambda scene: scene.loop.outside(0.5, scene.move))
    assert "free" in told.outcomes
    assert renewed == [1]
