"""Runs that cannot begin because the journal fails, and who is told of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from albumup.config.file import Config, Defaults
from albumup.config.unattended import Unattended
from albumup.errors import LocalError
from albumup.journal.journal import Journal
from albumup.journal.lock import FileLock
from albumup.journal.notices import Notice
from albumup.journal.opening import paths_of
from albumup.session import notifying
from albumup.session.channels import Handed
from albumup.session.live import Live
from albumup.session.snapshot import Reader
from albumup.session.telling import Configs
from albumup.session.unbegun import telling
from albumup.uploader.engine_thread import Shown
from albumup.uploader.events import Progress

from .conftest import MakeAlbum


class Stage:
    """A journal on a full disk, and a channel that keeps what it gets."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.got: list[Notice] = []
        unattended = Defaults(unattended=Unattended(on_done=("tell",)))
        config = Config("config.toml", defaults=unattended)
        self.configs = cast(
            Configs, SimpleNamespace(config=config, completed_elsewhere=lambda text: text)
        )

    def hand_over(self, _settings: object, notice: Notice, _means: object) -> Handed:
        self.got.append(notice)
        return Handed(is_taken=True)

    def fails(self, words: str = "", *, is_watched: bool = False) -> None:
        fault = LocalError(words or f"{self.journal.path}: the disk is full", "make room")
        with (
            pytest.raises(LocalError) as raised,
            telling(self.journal.path, self.configs, lambda _: None, is_watched=is_watched),
        ):
            raise fault
        assert raised.value is fault

    def has_run(self) -> None:
        """A run has left its snapshot, with as many events as fit."""
        live = Live(paths_of(self.journal.path)["live"])
        live.end(Shown(Progress(0, 0, 0, 0, True, 0, 0, (), ()), [], 7, {}, True, None), None)


@pytest.fixture
def stage(journal: Journal, album: MakeAlbum, monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage(journal)
    album("trip", pending=3)
    monkeypatch.setattr(notifying, "hand_over", stage.hand_over)
    return stage


def test_it_is_told_once_by_the_mark_that_it_leaves(stage: Stage) -> None:
    stage.has_run()
    for _ in range(3):
        stage.fails()
    (told,) = stage.got
    assert (told.message.exit, told.message.counts["pending"]) == (1, 3)
    assert told.message.command == "albumup resume trip"
    found: Any = Reader(paths_of(stage.journal.path)["live"]).look()
    assert (found.told, found.run_id, found.ended.exit_code) == (told.key, 7, 1)
    stage.fails(f"{stage.journal.path}: input/output error")
    assert len(stage.got) == 2, "that is another one"


def test_without_a_place_for_the_mark_it_keeps_its_id(stage: Stage) -> None:
    for _ in range(2):
        stage.fails()
    first, again = stage.got
    assert first.key == again.key


def test_who_sees_it_and_what_is_no_fault_of_the_journal_needs_no_notice(stage: Stage) -> None:
    stage.fails(is_watched=True)
    stage.fails("/media/spool: no room for the copies")
    assert stage.got == []


def test_a_run_that_is_on_tells_of_it_itself(stage: Stage) -> None:
    with FileLock(paths_of(stage.journal.path)["lock"]):
        stage.fails()
    assert stage.got == []
