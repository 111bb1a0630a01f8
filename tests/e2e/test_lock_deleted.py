"""Somebody deletes the lock's file beside a running uploader: there are never two of them."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from servers import FormServer

from albumup.journal.lock import is_locked

from .conftest import Home, finish, until

pytestmark = pytest.mark.process


def uploader_without_lock(home: Home, server: FormServer) -> tuple[subprocess.Popen[str], Path]:
    """A push whose first photo waits for its answer, and the path of its lock's file, deleted."""
    home.form(server)
    home.photos(3)
    server.may_answer.clear()
    first = home.start("push", "trip", "-j1")
    until(lambda: server.in_flight)
    lock = home.journal.with_name("journal.db.lock")
    lock.unlink()
    return first, lock


def test_a_second_push_follows_and_the_lock_is_taken_again(home: Home, server: FormServer) -> None:
    first, lock = uploader_without_lock(home, server)
    second = home.start("push", "trip")
    until(lambda: is_locked(str(lock)), "one of them has taken it")
    server.may_answer.set()
    assert finish(first).returncode == 0
    assert finish(second).returncode == 0
    assert Counter(server.requests) == dict.fromkeys(home.states(), 1), "nothing went twice"


def test_an_uploader_beside_which_another_has_begun_ends(home: Home, server: FormServer) -> None:
    first, lock = uploader_without_lock(home, server)
    with lock.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        done = finish(first)
    assert done.returncode == 75
    assert "journal.db.lock was deleted, and another process uploads now." in done.stderr
    server.may_answer.set()
    assert os.path.exists(lock)
    assert home.run("resume").returncode == 0
    assert set(home.states().values()) == {"uploaded"}
