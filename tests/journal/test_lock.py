"""The uploader's lock: one holder, freed by a kill, never unlinked, and not disturbed by those who
look."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from albumup.journal.lock import PATIENCE, FileLock, is_locked


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps = 0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.sleeps += 1


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "journal.db.lock")


@pytest.fixture
def holder(path: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock, and has a child of its own."""
    code = (
        "import subprocess, sys; from albumup.journal.lock import FileLock; "
        "assert FileLock(sys.argv[1]).take();"
        " child = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'], "
        "stdin=0);"
        " print(child.pid, flush=True); child.wait()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdin=pipe, stdout=pipe, text=True
    ) as process:
        yield process
        process.kill()


def test_a_second_process_is_refused_and_a_kill_frees_it_at_once(
    path: str, holder: subprocess.Popen[str]
) -> None:
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    lock = FileLock(path)
    assert not lock.take(0)
    assert is_locked(path)
    holder.kill()
    holder.wait(60)
    os.kill(child, 0)  # its child lives on, and has not inherited the lock
    assert not is_locked(path)
    assert lock.take(0)
    lock.release()


def test_a_stopped_holder_keeps_its_lock(path: str, holder: subprocess.Popen[str]) -> None:
    assert holder.stdout is not None
    holder.stdout.readline()
    holder.send_signal(signal.SIGSTOP)
    assert not FileLock(path).take(0)
    holder.send_signal(signal.SIGCONT)


def test_take_and_release_alternate(path: str) -> None:
    lock, other = FileLock(path), FileLock(path)
    for _ in range(3):
        assert lock.take(0)
        assert lock.take(0), "taking what one has is no error"
        assert not other.take(0)
        lock.release()
        lock.release()
        assert other.take(0)
        other.release()


def test_the_file_is_private_and_stays(path: str) -> None:
    with FileLock(path):
        inode = os.stat(path).st_ino
        assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(path).st_ino == inode
    with FileLock(path):
        assert os.stat(path).st_ino == inode


def test_a_refused_lock_is_asked_for_again_for_a_second(path: str) -> None:
    clock = Clock()
    with FileLock(path):
        assert not FileLock(path).take(sleep=clock.sleep, clock=clock)
    assert PATIENCE == 1.0
    assert clock.now == pytest.approx(PATIENCE, abs=0.05)
    assert clock.sleeps > 10


def test_a_lock_that_is_freed_meanwhile_is_ours(path: str) -> None:
    clock, first = Clock(), FileLock(path)
    assert first.take(0)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if clock.sleeps == 3:
            first.release()

    lock = FileLock(path)
    assert lock.take(sleep=sleep, clock=clock)
    assert clock.sleeps == 3
    lock.release()


def test_no_descriptor_is_left_by_a_refusal(path: str) -> None:
    with FileLock(path):
        before = os.listdir("/proc/self/fd")
        assert not FileLock(path).take(0)
        assert is_locked(path)
        assert os.listdir("/proc/self/fd") == before


def test_looking_creates_nothing_and_takes_nothing(path: str) -> None:
    assert not is_locked(path)
    assert not os.path.exists(path)
    with FileLock(path):
        assert is_locked(path)
    assert not is_locked(path)


def test_two_who_look_do_not_see_each_other(path: str) -> None:
    with open(path, "wb") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert not is_locked(path)


def test_a_link_in_its_place_is_not_followed(path: str, tmp_path: Path) -> None:
    photo = tmp_path / "1.jpg"
    photo.write_bytes(b"a photo")
    os.symlink(photo, path)
    with pytest.raises(OSError, match="symbolic links"):
        FileLock(path).take(0)
    with pytest.raises(OSError, match="symbolic links"):
        is_locked(path)


@pytest.mark.parametrize(("make", "what"), [(os.mkfifo, "no file"), (os.mkdir, "a folder")])
def test_something_else_in_its_place_is_named_and_holds_nobody_up(
    path: str, make: Callable[[str], None], what: str
) -> None:
    make(path)
    for look in (lambda: FileLock(path).take(0), lambda: is_locked(path)):
        with pytest.raises(OSError, match=f"it is {what}; move it away") as caught:
            look()
        assert caught.value.filename == path


def test_an_error_inside_frees_it(path: str) -> None:
    with pytest.raises(ZeroDivisionError), FileLock(path):
        raise ZeroDivisionError
    assert not is_locked(path)


def test_a_path_that_was_deleted_is_taken_again(path: str) -> None:
    ours = FileLock(path)
    assert ours.take()
    assert ours.keep()
    os.unlink(path)
    assert not is_locked(path)
    assert ours.keep()
    assert is_locked(path)
    assert not FileLock(path).take(0.0)
    ours.release()
    assert not is_locked(path)


def test_a_path_that_another_has_taken_is_lost(path: str, holder: subprocess.Popen[str]) -> None:
    assert holder.stdout is not None
    holder.stdout.readline()
    ours = FileLock(path + "2")
    assert ours.take()
    ours.path = path  # as if it had been there before
    assert not ours.keep()
    assert is_locked(path + "2"), "what is ours stays ours"
    ours.release()
    assert not is_locked(path + "2")


def test_a_folder_that_is_gone_takes_no_lock_away(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    ours = FileLock(str(folder / "journal.db.lock"))
    assert ours.take()
    (folder / "journal.db.lock").unlink()
    folder.rmdir()
    assert ours.keep()
    ours.release()
