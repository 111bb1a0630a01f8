"""A run that is on goes on with another rate, or another number of uploads at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from albumup.journal import instructions, runs
from albumup.journal.instructions import Kind
from albumup.journal.journal import Journal
from simulation.manners import Manner
from simulation.test_stopping import LARGE, Stage, staged


@pytest.fixture
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    yield from staged(**{"albums": ("trip",), **getattr(request, "param", {})})


def change(stage: Stage, **value: Any) -> None:
    def ask(journal: Journal) -> None:
        with journal.transaction():
            run = runs.running(journal)
            assert run is not None
            instructions.give(journal, run.id, Kind.CHANGE, value=value)

    stage._do(ask)


def in_flight(stage: Stage, seconds: float) -> list[int]:
    """Filled, at each of these seconds, with the number of uploads that are in flight."""
    seen: list[int] = []

    def look() -> None:
        assert stage.scene.life is not None
        assert stage.scene.life.engine is not None
        uploads = stage.scene.life.engine.progress().uploads
        seen.append(sum(upload is not None for upload in uploads))

    for second in range(1, int(seconds)):
        stage.at(second - 0.1, look)
    return seen


@pytest.mark.parametrize("stage", [{"jobs": 1, "sizes": (300,) * 12}], indirect=True, ids=[""])
def test_more_uploads_begin(stage: Stage) -> None:
    seen = in_flight(stage, 6.0)
    stage.at(2.5, lambda: change(stage, jobs=3))
    assert stage.run() == 0
    assert seen == [1, 1, 3, 3, 3]
    assert stage.sql("select json_extract(options, '$.jobs') from run") == [(3,)]
    assert len(stage.sent()) == 12


@pytest.mark.parametrize("stage", [{"jobs": 4, "sizes": (300,) * 16}], indirect=True, ids=[""])
def test_fewer_uploads_end_after_their_photos(stage: Stage) -> None:
    seen = in_flight(stage, 6.0)
    stage.at(2.5, lambda: change(stage, jobs=1))
    assert stage.run() == 0
    assert seen == [4, 4, 4, 1, 1]
    assert stage.sql("select count(*), max(tries) from task") == [(16, 1)]


@pytest.mark.parametrize("stage", [{"jobs": 3, "sizes": (300,) * 16}], indirect=True, ids=[""])
def test_a_slot_that_was_to_end_goes_on_if_that_is_taken_back(stage: Stage) -> None:
    stage.at(2.1, lambda: change(stage, jobs=1))
    stage.at(2.4, lambda: change(stage, jobs=2))
    slots: list[int] = []

    def look() -> None:
        assert stage.scene.life is not None
        assert stage.scene.life.engine is not None
        slots.append(len(stage.scene.life.engine.progress().uploads))

    stage.at(4.5, look)
    assert stage.run() == 0
    assert slots == [2]
    assert len(stage.sent()) == 16


@pytest.mark.parametrize("stage", [{"jobs": 4, "sizes": (300,) * 16}], indirect=True, ids=[""])
def test_a_target_that_had_too_many_at_once_keeps_having_fewer(stage: Stage) -> None:
    answers = iter([Manner("status", 429, retry_after=1)])
    stage.scene.server.manner_of = lambda *_: next(answers, Manner("slow", seconds=1.0))  # type: ignore[method-assign]
    seen = in_flight(stage, 9.0)
    stage.at(2.5, lambda: change(stage, jobs=6))
    assert stage.run() == 0
    assert max(seen) == 5


@pytest.mark.parametrize(
    "stage",
    [{"jobs": 1, "sizes": (LARGE,) * 2, "takes": 0.0, "tick": 0.01}],
    indirect=True,
    ids=[""],
)
def test_a_rate_holds_at_once_for_an_upload_in_flight(stage: Stage) -> None:
    stage.at(0.05, lambda: change(stage, limit_rate="10K"))
    stage.at(10.0, lambda: change(stage, limit_rate="off"))
    assert stage.run() == 0
    assert 10 < stage.scene.loop.time() < 20, "all of it would take two minutes"
    assert stage.sql("select json_extract(options, '$.limit_rate') from run") == [("off",)]


@pytest.mark.parametrize(
    "stage",
    [{"jobs": 1, "sizes": (LARGE,) * 2, "takes": 0.0, "tick": 0.01}],
    indirect=True,
    ids=[""],
)
def test_a_limit_holds_from_the_next_block(stage: Stage) -> None:
    """Of a megabyte: the first photo was handed over by then."""
    stage.at(0.05, lambda: change(stage, limit_rate="10K"))
    assert stage.run() == 0
    assert 50 < stage.scene.loop.time() < 70
