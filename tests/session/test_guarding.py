"""Who stands aside for a run that has lost its lock's file, and who does not."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from albumup.errors import TryLater
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.lock import FileLock, is_locked
from albumup.journal.opening import paths_of
from albumup.session.guarding import is_alone


class World:
    """Time that passes while somebody sleeps; ``happens`` is called then."""

    def __init__(self) -> None:
        self.now = 0.0
        self.happens: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.happens()


@pytest.fixture
def other() -> Iterator[int]:
    """The pid of a process that is there."""
    process = subprocess.Popen(["sleep", "600"])
    yield process.pid
    process.kill()
    process.wait()


@pytest.fixture
def lock(journal: Journal) -> Iterator[FileLock]:
    lock = FileLock(paths_of(journal.path)["lock"])
    assert lock.take()
    yield lock
    lock.release()


def begin(journal: Journal, pid: int) -> Path:
    """A run of that process; the path of its snapshot."""
    with journal.transaction():
        runs.begin(journal, pid, {}, [])
    live = Path(paths_of(journal.path)["live"])
    live.touch()
    return live


def asked(journal: Journal, lock: FileLock, world: World) -> bool:
    return is_alone(journal, lock, lambda: world.now, world.sleep)


def test_a_run_of_a_process_that_is_gone_is_over(journal: Journal, lock: FileLock) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    begin(journal, gone.pid)
    world = World()
    assert asked(journal, lock, world)
    assert world.now == 0
    assert is_locked(lock.path)


def test_a_pid_that_is_another_programs_by_now_refuses_nobody(
    journal: Journal, lock: FileLock, other: int
) -> None:
    begin(journal, other)
    assert asked(journal, lock, World())
    assert is_locked(lock.path)


def test_a_run_that_goes_on_gets_its_lock_back(
    journal: Journal, lock: FileLock, other: int
) -> None:
    live, world, theirs = begin(journal, other), World(), FileLock(lock.path)
    at = iter(range(1, 1000))

    def happens() -> None:
        os.utime(live, (next(at), 1))
        os.utime(live, ns=(0, next(at)))
        if world.now > 1.0:
            theirs.take()

    world.happens = happens
    assert not asked(journal, lock, world)
    assert not lock.take(0.0), "it has the lock, and is followed"
    theirs.release()


def test_one_that_does_not_take_its_lock_again_is_named(
    journal: Journal, lock: FileLock, other: int
) -> None:
    live, world = begin(journal, other), World()
    world.happens = lambda: os.utime(live, ns=(0, int(world.now * 1e9)))
    with pytest.raises(TryLater) as told:
        asked(journal, lock, world)
    assert f"process {other} uploads from this journal" in str(told.value)
    assert f"kill -INT {other}" in told.value.hint
    assert not is_locked(lock.path)


def test_a_run_that_ends_before_it_took_its_lock_again_is_over(
    journal: Journal, lock: FileLock, other: int
) -> None:
    live, world = begin(journal, other), World()

    def happens() -> None:
        os.utime(live, ns=(0, int(world.now * 1e9)))
        if world.now > 1.0:
            with journal.transaction():
                runs.close_dead(journal)

    world.happens = happens
    assert asked(journal, lock, world)
    assert world.now < 2.0
    assert is_locked(lock.path)
