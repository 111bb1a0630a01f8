"""A run begins before its first target is built, whose token may take a minute."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from albumup.config.settings import FormSettings
from albumup.targets.form import FormTarget
from simulation.plan import Event
from simulation.test_stopping import Stage, staged

TOKEN_SECONDS = 50.0


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The token of ``club`` takes its time in each run; that of ``quick`` does not."""
    for stage in staged(("trip",), **{"jobs": 1, **getattr(request, "param", {})}):
        slow_down(stage)
        yield stage


def slow_down(stage: Stage) -> None:
    scene, of_club = stage.scene, stage.scene.target

    def target(name: str = "club") -> FormTarget:
        if name == "club" and scene.life is not None:
            scene.life.helpers.more_seconds = TOKEN_SECONDS
        settings = FormSettings(url=f"http://{name}.example.org/{{album}}", resend="safe")
        return of_club(name) if name == "club" else FormTarget(name, settings, None, "config.toml")

    scene.target = target  # type: ignore[method-assign, assignment]


def test_others_see_the_run_at_once_and_can_hand_over(stage: Stage) -> None:
    stage.at(1.0, stage.hand_over, "more")
    assert stage.run() == 0
    assert len(stage.sent()) == 12
    assert stage.scene.loop.time() == pytest.approx(TOKEN_SECONDS + 12, abs=3.0)


def test_it_can_be_stopped_meanwhile(stage: Stage) -> None:
    stage.at(5.0, stage.stop, "trip")
    assert stage.run() == 143
    assert stage.scene.loop.time() < 6
    assert stage.held() == ["trip"]


def test_other_targets_do_not_wait_for_it(stage: Stage) -> None:
    found: list[dict[str, int]] = []
    stage.push("more", "quick")
    stage.at(TOKEN_SECONDS - 1, lambda: found.extend([stage.states("trip"), stage.states("more")]))
    assert stage.run() == 0
    assert found == [{"pending": 6}, {"uploaded": 6}]
    assert stage.states("trip") == {"uploaded": 6}


@pytest.mark.parametrize(
    "stage", [{"kind": "blind", "resend": "allowed", "events": (Event("kill", 2, 0.4, "whole"),)}],
    indirect=True, ids=[""],
)  # fmt: skip
def test_what_was_cut_off_is_settled_by_the_rules_of_its_target(stage: Stage) -> None:
    assert stage.scene.run() is None, "it was killed"
    assert stage.states("trip")["sending"] == 1
    assert stage.run() == 0
    assert stage.states("trip") == {"uploaded": 6}
    assert stage.sql("select count(*) from task where maybe_twice") == [(1,)]


@pytest.mark.parametrize(
    "stage", [{"events": (Event("kill", 2, 0.4, "whole"),)}], indirect=True, ids=[""]
)
def test_what_was_cut_off_and_is_stopped_meanwhile_is_in_doubt(stage: Stage) -> None:
    assert stage.scene.run() is None, "it was killed"
    began = stage.scene.loop.time()
    stage.at(5.0, stage.stop, "trip")
    assert stage.run() == 143
    assert stage.scene.loop.time() < began + 6
    assert stage.states("trip").keys() == {"uploaded", "in_doubt", "pending"}
    waits = "select ask_at - whole_at from task join attempt on task_id = task.id where ask_at"
    assert stage.sql(waits) == [(30.0,)], "a no that comes sooner proves nothing"
