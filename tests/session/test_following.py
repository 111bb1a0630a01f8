"""A command that follows the process that has its albums."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.lock import FileLock
from albumup.session.following import Follower
from albumup.uploader.options import Options

from .conftest import MakeAlbum


class Audience:
    """Remembers how it ended."""

    def __init__(self) -> None:
        self.codes: list[int | None] = []

    def followed(self, code: int | None, _: object = None) -> int:
        self.codes.append(code)
        return code or 0

    def show(self, *_: object) -> None: ...

    def say(self, *_: object) -> None: ...

    def end_show(self) -> None: ...


@pytest.fixture(autouse=True)
def lock(journal: Journal) -> Iterator[FileLock]:
    lock = FileLock(journal.path + ".lock")
    assert lock.take(0.0)
    yield lock
    lock.release()


def followed(journal: Journal, scope: Iterable[int], album_ids: list[int]) -> list[int | None]:
    """What came of following a run that has the albums ``scope``."""
    with journal.transaction():
        run_id = runs.begin(journal, 4121, {}, scope)
    audience: Any = Audience()
    follower = Follower(journal, album_ids, {}, Options(), audience, [], lambda _: pytest.fail(""))
    follower.follow(runs.run_of(journal, run_id))
    return audience.codes  # type: ignore[no-any-return]


def test_an_album_that_is_stopped_is_followed_no_more(journal: Journal, album: MakeAlbum) -> None:
    trip, more = album("trip", pending=2, uploaded=1), album("more", pending=1)
    done = album("done", uploaded=1)
    with journal.transaction():
        runs.hold(journal, [trip], True)
    assert followed(journal, [more], [trip, done]) == [143]


def test_settled_albums_are_followed_no_more(journal: Journal, album: MakeAlbum) -> None:
    assert followed(journal, [album("more", pending=1)], [album("trip", uploaded=1)]) == [None]


@pytest.mark.parametrize(
    ("photos", "is_held", "is_taken_out"),
    [
        ({"pending": 1}, True, False),
        ({"pending": 1}, False, True),
        ({"pending": 1, "sending": 1}, True, True),
    ],
)
def test_what_may_still_be_sent_is_followed(
    journal: Journal,
    album: MakeAlbum,
    monkeypatch: pytest.MonkeyPatch,
    photos: dict[str, int],
    is_held: bool,
    is_taken_out: bool,
) -> None:
    trip, more = album("trip", **photos), album("more", pending=1)
    with journal.transaction():
        runs.hold(journal, [trip], is_held)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        album("trip", uploaded=1)

    monkeypatch.setattr("albumup.session.following.time.sleep", sleep)
    assert followed(journal, [more] if is_taken_out else [trip, more], [trip]) == [None]
    assert slept


def test_a_stopped_album_is_not_sent_by_its_follower_when_the_run_ends(
    journal: Journal, album: MakeAlbum
) -> None:
    """Others did well, so the run ended with 0."""
    trip = album("trip", pending=2)
    with journal.transaction():
        runs.hold(journal, [trip], True)
    audience: Any = Audience()
    follower = Follower(
        journal, [trip], {}, Options(), audience, [], lambda _: pytest.fail("built")
    )
    with journal.transaction():
        run_id = runs.begin(journal, 4121, {}, [])
        runs.end(journal, run_id, 0)
    assert follower.follow(runs.run_of(journal, run_id)) == 143


def test_a_run_that_ends_between_two_looks_is_not_taken_for_a_dead_one(
    journal: Journal, album: MakeAlbum, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its albums may be on hold since, or its target given up: nobody sends them at once again."""

    def ends(_: str) -> bool:
        run = runs.running(journal)
        assert run is not None
        with journal.transaction():
            runs.end(journal, run.id, 4)
        return False

    monkeypatch.setattr("albumup.session.following.is_locked", ends)
    trip = album("trip", pending=1)
    assert followed(journal, [trip], [trip]) == [4]
