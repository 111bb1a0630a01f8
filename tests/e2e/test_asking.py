"""SIGUSR1 makes an uploader, or who follows it, say in a line how it stands."""

from __future__ import annotations

import signal
import subprocess

import pytest
from servers import FormServer
from short import short_form

from .conftest import Home, finish, until

pytestmark = pytest.mark.process


def uploader(home: Home, server: FormServer, *args: object) -> subprocess.Popen[str]:
    """A push that waits for an answer, one photo of two in flight."""
    home.form(server)
    home.photos(2)
    server.may_answer.clear()
    process = home.start("push", "trip", "-j1", *args)
    until(lambda: server.ledger)
    return process


def asked(process: subprocess.Popen[str], begins: str) -> str:
    """The line that it says."""
    process.send_signal(signal.SIGUSR1)
    assert process.stderr is not None
    return next(line for line in process.stderr if line.startswith(begins) and "photos," in line)


@pytest.mark.parametrize("args", short_form([["-q"], [], ["--progress", "none"], ["--json"]]))
def test_an_uploader_says_how_it_stands_and_goes_on(
    home: Home, server: FormServer, args: list[str]
) -> None:
    process = uploader(home, server, *args)
    line = asked(process, "trip: ")
    assert line.startswith("trip: 0 of 2 photos, ")
    assert line.endswith("; 1 upload in flight\n")
    assert asked(process, "trip: ") == line, "as often as it is asked"
    server.may_answer.set()
    done = finish(process)
    assert done.returncode == 0
    assert "upload in flight" not in done.stderr
    assert len(server.names) == 2


def test_a_follower_says_how_its_albums_stand(home: Home, server: FormServer) -> None:
    first = uploader(home, server)
    second = home.start("resume")
    assert second.stderr is not None
    assert any("is uploading" in line for line in second.stderr)  # up to that line: it follows
    assert asked(second, "trip: ").startswith("trip: 0 of 2 photos, ")
    server.may_answer.set()
    assert [finish(process).returncode for process in (first, second)] == [0, 0]


def _has_begun(process: subprocess.Popen[str]) -> bool:
    """Is it the program by now, which handles signals first of all?"""
    with open(f"/proc/{process.pid}/status") as file:
        caught = next(line for line in file if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_whoever_asks_too_early_ends_nothing(home: Home, server: FormServer) -> None:
    home.form(server)
    home.photos(300)
    process = home.start("push", "trip")
    until(lambda: _has_begun(process))
    for _ in range(20):
        process.send_signal(signal.SIGUSR1)
    assert finish(process).returncode == 0
    assert len(server.names) == 300
