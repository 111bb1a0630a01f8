"""Commands of one schedule that begin while a run lasts: one of them waits for it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.session import in_line, sending
from albumup.session.sending import Session
from albumup.uploader.options import Options

from .conftest import MakeAlbum

FOLLOWED = 3
PUSH = "albumup-push-1a2b3c4d"


class Stage:
    """A run that goes on, and commands that find it, each a process of its own."""

    def __init__(self, journal: Journal, album_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.journal, self.album_id = journal, album_id
        self.alive = {4121}
        self.pid = 5000
        monkeypatch.setattr(in_line, "is_alive", lambda pid: pid in self.alive)
        monkeypatch.setattr(sending, "is_alive", lambda _: True)
        follower = SimpleNamespace(follow=lambda *_: FOLLOWED)
        monkeypatch.setattr(Session, "_follower", lambda _: follower)
        monkeypatch.setattr(Session, "_take_lock", lambda *_: False)
        monkeypatch.setattr(in_line, "os", SimpleNamespace(getpid=lambda: self.pid))
        self.begin()

    def begin(self) -> None:
        with self.journal.transaction():
            runs.begin(self.journal, 4121, {}, [])

    def comes(self, schedule: str) -> int:
        """Another command comes; its exit code."""
        self.pid += 1
        self.alive.add(self.pid)
        audience: Any = MagicMock()
        audience.handed_over.return_value = 0
        own = Journal(self.journal.path)
        session = Session(own, [self.album_id], Options(), MagicMock(), audience, False, schedule)
        return session.run()


@pytest.fixture
def stage(journal: Journal, album: MakeAlbum, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(journal, album("trip", pending=2), monkeypatch)


def test_one_waits_and_the_next_ones_hand_over(stage: Stage) -> None:
    assert [stage.comes(PUSH) for _ in range(3)] == [FOLLOWED, 0, 0]
    assert runs.scope(stage.journal, 1) == [stage.album_id]


def test_other_schedules_and_people_wait_beside_it(stage: Stage) -> None:
    assert [stage.comes(one) for one in (PUSH, "albumup-push-5e6f7a8b", "", "")] == [FOLLOWED] * 4


def test_when_it_is_gone_or_the_run_is_another_one_the_next_one_waits(stage: Stage) -> None:
    assert stage.comes(PUSH) == FOLLOWED
    stage.alive.remove(stage.pid)
    assert [stage.comes(PUSH) for _ in range(2)] == [FOLLOWED, 0]
    stage.begin()
    assert [stage.comes(PUSH) for _ in range(2)] == [FOLLOWED, 0]
