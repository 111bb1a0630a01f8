"""Targets are built aside, each once at a time and by its present definition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from albumup.errors import ConfigError
from albumup.journal.journal import Journal
from albumup.uploader import building
from albumup.uploader.bell import Bell
from albumup.uploader.building import Building, Definition

JOURNAL = cast(Journal, None)


class Stage:
    """A run whose helpers do what the test tells them to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.under_way: list[tuple[str, asyncio.Future[Any]]] = []
        self.closed: list[str] = []
        self.faults: list[BaseException] = []
        self.definition: Definition = (None, 1)
        monkeypatch.setattr(building, "_definitions", lambda _, __: self.definition)
        run = SimpleNamespace(
            world=SimpleNamespace(helpers=SimpleNamespace(run=self._run)),
            queue=SimpleNamespace(to_end=Bell()),
            fail=self.faults.append,
            stop=None,
            fault=None,
        )
        self.building = Building(cast(Any, run), cast(Any, None))

    def _run(self, _work: object, _build: object, name: str) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.under_way.append((name, future))
        return future

    async def begin(self) -> None:
        self.building.begin(JOURNAL, ["home"])
        await asyncio.sleep(0)

    async def end(self, target: str | BaseException) -> None:
        future = self.under_way[-1][1]
        if isinstance(target, BaseException):
            future.set_exception(target)
        else:
            future.set_result(SimpleNamespace(close=lambda: self.closed.append(target)))
        await asyncio.sleep(0.001)


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    def play(story: Any) -> None:
        async def tell() -> None:
            stage = Stage(monkeypatch)
            await story(stage)
            await stage.building.close()

        asyncio.run(tell())

    return play


def test_one_that_was_redefined_meanwhile_is_built_anew(play: Callable[[Any], None]) -> None:
    async def story(stage: Stage) -> None:
        await stage.begin()
        stage.definition = (None, 2)
        stage.building.renew(JOURNAL)
        await stage.begin()
        assert len(stage.under_way) == 1, "not twice at once"
        await stage.end("old")
        assert stage.closed == ["old"]
        assert stage.building.take("home") is None
        await stage.begin()
        await stage.end("new")
        assert stage.building.take("home") is not None
        assert stage.closed == ["old"]

    play(story)


def test_one_that_is_not_in_use_yet_is_dropped_likewise(play: Callable[[Any], None]) -> None:
    async def story(stage: Stage) -> None:
        await stage.begin()
        await stage.end("old")
        stage.definition = ("{}", 1)
        stage.building.renew(JOURNAL)
        assert stage.closed == ["old"]
        assert stage.building.take("home") is None

    play(story)


def test_one_that_cannot_be_built_is_not_tried_again_until_it_is_redefined(
    play: Callable[[Any], None],
) -> None:
    async def story(stage: Stage) -> None:
        await stage.begin()
        await stage.end(ConfigError("no token", "see to it"))
        await stage.begin()
        assert len(stage.under_way) == 1
        assert stage.building.unbuilt["home"].words == "no token"
        stage.definition = ("{}", 1)
        stage.building.renew(JOURNAL)
        await stage.begin()
        assert len(stage.under_way) == 2

    play(story)


def test_a_bug_in_a_kind_of_server_ends_the_run(play: Callable[[Any], None]) -> None:
    async def story(stage: Stage) -> None:
        await stage.begin()
        await stage.end(TypeError("odd"))
        assert [str(one) for one in stage.faults] == ["odd"]

    play(story)
