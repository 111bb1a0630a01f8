"""Stories of a user's own command that says whether uploads may start."""

from __future__ import annotations

import errno
import os
from dataclasses import replace

import pytest

from albumup.helpers import Work
from albumup.uploader.options import Stop
from simulation.manners import Manner
from simulation.plan import Plan
from simulation.scene import NO_LEAVE, Scene
from simulation.single import played

PLAN = Plan(1, (300, 100_000, 200_000, 400), jobs=2, latency=0.1, tick=0.5)


def leave_from(scene: Scene, opens: float, closes: float = 1e9) -> list[float]:
    """Leave from ``opens`` to ``closes``, virtual seconds; the times at which it was asked."""
    asked: list[float] = []

    def leave() -> str:
        asked.append(scene.loop.time())
        return "" if opens <= asked[-1] < closes else NO_LEAVE

    scene.leave = leave
    return asked


def test_nothing_starts_before_the_first_yes_and_all_goes_then() -> None:
    asked: list[list[float]] = []
    told = played(PLAN, lambda scene: asked.append(leave_from(scene, 200.0)))
    assert told.end.exit_code == 0
    begun = [line for line in told.trace.splitlines() if "begins" in line]
    assert all(float(line.split()[0]) >= 200 for line in begun), told.trace
    assert told.trace.count("engine: waits") == told.trace.count("engine: goes_on") == 1
    waits = [later - earlier for earlier, later in zip(asked[0], asked[0][1:], strict=False)]
    assert len(waits) >= 4
    assert all(60 <= wait < 62 for wait in waits), waits


def test_nothing_starts_while_the_first_answer_is_awaited() -> None:
    def prepare(scene: Scene) -> None:
        leave_from(scene, 0.0)
        scene.events.prepare = lambda helpers: helpers.hangs.update({(Work.PROGRAM, 1): 8.0})  # type: ignore[method-assign]

    told = played(PLAN, prepare)
    begun = [line for line in told.trace.splitlines() if "begins" in line]
    assert all(float(line.split()[0]) >= 8 for line in begun), told.trace
    assert "waits" not in told.trace


def test_that_it_waits_is_told_once_whatever_the_words() -> None:
    def prepare(scene: Scene) -> None:
        asked = leave_from(scene, 200.0)
        leave = scene.leave
        assert leave is not None
        scene.leave = lambda: f"{said} {len(asked)}" if (said := leave()) else ""

    told = played(PLAN, prepare)
    assert told.trace.count("engine: waits") == told.trace.count("engine: goes_on") == 1


def test_a_yes_at_once_is_not_worth_a_word() -> None:
    told = played(PLAN, lambda scene: leave_from(scene, 0.0))
    assert told.end.exit_code == 0
    assert "waits" not in told.trace
    assert "goes_on" not in told.trace


def test_a_question_that_cannot_be_asked_ends_the_run() -> None:
    def leave() -> str:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    def prepare(scene: Scene) -> None:
        scene.leave = leave

    told = played(PLAN, prepare)
    assert told.end.exit_code == 1
    assert told.end.fault is not None
    assert told.end.seconds < 60


def test_what_is_in_flight_ends_when_the_leave_does() -> None:
    """The server takes minutes with each photo; the second question finds none left."""
    plan = replace(PLAN, speed=0.0, jobs=1, patience=86400.0)

    def prepare(scene: Scene) -> None:
        leave_from(scene, 0.0, 50.0)
        scene.server.manner_of = lambda *_: Manner("slow", seconds=40.0)  # type: ignore[method-assign]
        scene.loop.outside(300.0, lambda: leave_from(scene, 400.0))

    told = played(plan, prepare)
    assert told.outcomes == ["uploaded"] * 4, told.trace
    begun = [float(line.split()[0]) for line in told.trace.splitlines() if "begins" in line]
    assert [time for time in begun if 61 < time < 400] == [], told.trace
    assert told.trace.count("engine: waits") == 1


def test_no_question_and_no_look_goes_out_without_leave() -> None:
    plan = replace(PLAN, kind="asked", resend="safe")

    def prepare(scene: Scene) -> None:
        leave_from(scene, 0.0, 1.0)
        scene.server.manner_of = lambda *_: Manner("lost", ends="hang")  # type: ignore[method-assign]
        scene.loop.outside(500.0, scene.drain, Stop(143, hold=False), 5.0)

    told = played(plan, prepare)
    assert told.end.exit_code == 143
    assert "in_doubt" in told.trace
    lines = [line for line in told.trace.splitlines() if "is asked" in line or "begins" in line]
    assert [line for line in lines if float(line.split()[0]) > 75] == [], told.trace


def test_patience_stands_still_without_leave() -> None:
    """The server is down; a minute of patience is spent before the leave ends, four after."""

    def prepare(scene: Scene) -> None:
        scene.line.down_until = 1e9
        leave_from(scene, 0.0, 50.0)
        scene.loop.outside(3000.0, lambda: leave_from(scene, 0.0))

    told = played(replace(PLAN, tick=2.0), prepare)
    assert told.end.exit_code == 75
    assert 3000 + 200 < told.seconds < 3000 + 420, told.trace


def test_cron_ends_at_the_first_no() -> None:
    told = played(PLAN, lambda scene: leave_from(scene, 1e9), cron=True)
    assert told.end.exit_code == 75
    assert told.end.closings["club"].is_waiting
    assert told.outcomes == []
    assert told.seconds < 5


def test_a_stop_ends_a_run_that_waits() -> None:
    def prepare(scene: Scene) -> None:
        leave_from(scene, 1e9)
        scene.loop.outside(10.0, scene.drain, Stop(130, hold=True), 30.0)

    told = played(PLAN, prepare)
    assert told.end.exit_code == 130
    assert told.seconds < 12


@pytest.mark.parametrize("runs_on", [False, True])
def test_after_a_sleep_it_is_asked_at_once(runs_on: bool) -> None:
    asked: list[list[float]] = []

    def prepare(scene: Scene) -> None:
        asked.append(leave_from(scene, 10.0))
        scene.loop.outside(10.0, lambda: scene.sleep(3600.0, runs_on=runs_on))

    told = played(PLAN, prepare)
    assert told.end.exit_code == 0
    assert asked[0][1] - (3600 if runs_on else 0) < 15, asked
