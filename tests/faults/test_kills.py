"""Killed at any moment, nothing is lost, and nothing is claimed that the server does not have."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from background_kills import Background
from kill_loop import Club, Command, Loop

PATIENCE = 30.0  # seconds until a test gives up on something that should have come at once


@pytest.fixture
def loop_at(tmp_path: os.PathLike[str]) -> Iterator[Callable[..., Loop]]:
    """Makes loops; ends their servers."""
    loops: list[Loop] = []

    def make(target: str = "form", seed: int = 1, timeout: float = 2.0) -> Loop:
        loops.append(Loop(os.fspath(tmp_path), seed, target=target, timeout=timeout))
        return loops[-1]

    yield make
    for loop in loops:
        loop.server.close()


@pytest.mark.kill
@pytest.mark.parametrize(
    ("target", "kills"),
    [
        ("form", 4),
        *(pytest.param(*one, marks=pytest.mark.long) for one in (("form", 12), ("inbox", 8))),
    ],
)
def test_random_kills(loop_at: Callable[..., Loop], target: str, kills: int) -> None:
    loop = loop_at(target)
    result = loop.run(kills, photos=8, seconds=12.0)
    print(result)
    assert not result.problems()
    assert result.kills.total() > 0
    assert result.photos > 0


@pytest.mark.kill
@pytest.mark.long
def test_random_kills_of_what_nobody_watches(tmp_path: Path) -> None:
    loop = Background(str(tmp_path), seed=1)
    try:
        result = loop.run(10, photos=10, seconds=20.0)
    finally:
        loop.close()
    print(result)
    assert not result.problems()
    assert len([role for role, kills in result.kills.items() if kills]) > 1
    assert loop.background.notices > 0


def finish(command: Command, code: int = 0) -> None:
    assert command.process.wait(PATIENCE) == code, command.said()


def kill_when(loop: Loop, what: str) -> None:
    """Push, and kill at the instant that something happens at the server."""
    command = loop.start_push(loop.pushes[0])
    assert loop.server.bell.wait_until(what, 1, PATIENCE), command.said()
    assert command.kill()


def attempts(loop: Loop) -> list[sqlite3.Row]:
    return loop.rows("select outcome, whole_at from v_attempts order by number")


def task(loop: Loop) -> sqlite3.Row:
    return loop.rows("select state, tries, attempts, maybe_twice from v_tasks")[0]


def faulty(loop: Loop, fault: str) -> Club:
    """Let this befall the first photo, and nothing after it."""
    server = loop.server
    assert isinstance(server, Club)
    server.weather.script(fault)
    return server


@pytest.mark.kill
def test_killed_after_the_whole_body_is_doubt(loop_at: Callable[..., Loop]) -> None:
    loop = loop_at(timeout=PATIENCE)
    server = faulty(loop, "mute kept")
    loop.add_photos(1, "trip", 200_000)
    kill_when(loop, "whole")
    assert task(loop)["state"] == "sending"
    assert attempts(loop)[0]["whole_at"] is not None
    finish(loop.start("resume"))
    assert [row["outcome"] for row in attempts(loop)] == ["in_doubt", "uploaded"]
    assert tuple(task(loop)) == ("uploaded", 1, 2, 1)
    assert [one.kept for one in server.ledger] == [True, True]


@pytest.mark.kill
def test_killed_in_the_middle_of_the_body_is_free(loop_at: Callable[..., Loop]) -> None:
    loop = loop_at(timeout=PATIENCE)
    server = faulty(loop, "stall")
    loop.add_photos(1, "trip", 32 << 20)  # more than the kernels on both sides hold
    kill_when(loop, "midway")
    assert task(loop)["state"] == "sending"
    assert attempts(loop)[0]["whole_at"] is None
    finish(loop.start("resume"))
    assert [row["outcome"] for row in attempts(loop)] == ["free", "uploaded"]
    assert tuple(task(loop)) == ("uploaded", 1, 2, 0)
    assert len(server.ledger) == 1


@pytest.mark.long
def test_a_doubt_that_is_sent_again_on_request_may_be_there_twice(
    loop_at: Callable[..., Loop],
) -> None:
    loop = loop_at()
    server = faulty(loop, "lost kept")
    push = loop.add_photos(1, "trip", 20_000)
    finish(loop.start_push(push, "--retries", "0"), 3)
    assert tuple(task(loop)) == ("in_doubt", 1, 1, 0)
    finish(loop.start("retry-failed", push.album, "--in-doubt"))
    assert tuple(task(loop)) == ("uploaded", 1, 2, 1)
    assert len(server.ledger) == 2
