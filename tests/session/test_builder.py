"""Targets as a run makes them, and what is said while their tokens are waited for."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from clock import StillClock

from albumup.cli.telling import lines_of
from albumup.journal.journal import Journal
from albumup.session import builder as module
from albumup.session.builder import Builder
from albumup.session.telling import TokenAwaited


def test_a_token_that_takes_its_time_is_told_of_once(
    journal: Journal, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.time, "monotonic", clock)
    monkeypatch.setattr(module, "token_names", lambda *_: ())
    configs, named = cast(Any, SimpleNamespace(config=None)), list[tuple[str, str]]()
    made = Builder(journal.path, configs, lambda *one: named.append(one))
    told: list[list[str]] = []

    def build(*_: object) -> Any:
        for seconds in (2.0, 2.0, 60.0):
            clock.now += seconds
            told.append(made.slow())
        return SimpleNamespace(title="photos.example.org")

    monkeypatch.setattr(module, "build", cast(Callable[..., Any], build))
    made.build("home")
    assert told == [[], ["home"], []]
    clock.now += 60.0
    assert made.slow() == []
    assert named == [("home", "photos.example.org")]


def test_what_is_said_of_it() -> None:
    assert lines_of(TokenAwaited("home")) == [
        "Waiting for the token of home: its token_command still runs."
    ]
