"""The user's own command that says whether uploads may start."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from albumup.uploader import permission
from albumup.uploader.permission import ask


def never() -> bool:
    return False


def shell(line: str) -> list[str]:
    return ["sh", "-c", line]


def test_zero_is_yes_whatever_it_says() -> None:
    assert ask(shell("echo fine"), never) == ""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("exit 3", "may_run says no (exit 3)"),
        ("echo one; echo 'on a hotspot' >&2; exit 1", "may_run says no (on a hotspot)"),
        ("kill -9 $$", "may_run does not answer: killed by SIGKILL"),
        ("yes | head -c 3000000; exit 1", "may_run says no (y)"),
    ],
)
def test_anything_else_is_no_with_its_last_words(line: str, words: str) -> None:
    assert ask(shell(line), never) == words


def test_a_command_that_is_not_there_is_no(tmp_path: Path) -> None:
    missing = str(tmp_path / "gone")
    said = ask([missing], never)
    assert said == f"may_run does not answer: {missing} cannot be run: No such file or directory"


@pytest.mark.parametrize("ends_early", [False, True])
def test_one_that_hangs_is_killed_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends_early: bool
) -> None:
    """At its limit, or when the run is over before."""
    mark = tmp_path / "pid"
    monkeypatch.setattr(permission, "LIMIT_SECONDS", 60.0 if ends_early else 0.5)
    told = ask(shell(f"sleep 600 & echo $! > {mark}; echo waiting; wait"), lambda: ends_early)
    reason = "cut off" if ends_early else "not done after 0.5 s"
    assert told.startswith(f"may_run does not answer: {reason}")
    if not ends_early:
        child = int(mark.read_text())
        deadline = time.monotonic() + 20
        while _lives(child):
            assert time.monotonic() < deadline, "its child lives on"
            time.sleep(0.01)


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        if sys.platform == "linux":
            return False
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
