"""A token_command that takes its time holds up nobody but its own target."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from background import gone, pid_in
from servers import FormServer

from .conftest import Home, finish, until

pytestmark = pytest.mark.process


@pytest.fixture
def go(home: Home) -> Iterator[Path]:
    """Touch it, and the token of ``slow`` is printed; its first asking is answered at once."""
    file, asked = home.folder / "go", home.folder / "asked"
    (home.folder / "token.sh").write_text(
        f"echo >> {asked}\n"
        f'test "$(wc -l < {asked})" -le 1 || until test -e {file}; do sleep 0.05; done\n'
        "echo not-a-real-token\n"
    )
    yield file
    file.touch()


def configure(home: Home, server: FormServer) -> None:
    home.form(server)
    command = f'token_command = ["sh", "{home.folder}/token.sh"]\n'
    home.form(server, command, "slow", also=True)


def asked(home: Home) -> int:
    file = home.folder / "asked"
    return len(file.read_text().splitlines()) if file.exists() else 0


@pytest.mark.long
def test_a_stop_does_not_wait_for_a_joiners_token(home: Home, server: FormServer, go: Path) -> None:
    configure(home, server)
    server.may_answer.clear()
    first = home.start("push", home.photos(2), "--target", "club", "-j1")
    until(lambda: server.in_flight)
    joined = home.run("push", home.photos(2, "more", first=11), "--target", "slow", "--detach")
    assert joined.returncode == 0
    until(lambda: asked(home) == 2, "the uploader asks")
    changed = home.run("resume", "trip", "--limit-rate", "1M", "--detach")
    assert "It goes on with 1.0 MB/s." in changed.stderr
    assert home.run("stop", "trip", "--now").returncode == 0
    held = {one["album"]: one["held"] for one in home.status()["albums"]}
    assert held == {"trip": True, "more": False}
    server.may_answer.set()
    go.touch()
    assert finish(first).returncode == 143
    states = home.states()
    assert [states[f"IMG_{one}.JPG"] for one in (11, 12)] == ["uploaded"] * 2
    assert asked(home) == 2, "it is asked once"


@pytest.mark.usefixtures("go")
def test_the_album_whose_token_is_waited_for_can_be_stopped(home: Home, server: FormServer) -> None:
    configure(home, server)
    server.may_answer.clear()
    first = home.start("push", home.photos(1), "--target", "club")
    until(lambda: server.in_flight)
    home.run("push", home.photos(1, "more", first=11), "--target", "slow", "--detach")
    until(lambda: asked(home) == 2, "the uploader asks")
    assert home.run("stop", "more").returncode == 0
    server.may_answer.set()
    assert finish(first).returncode == 0, "nobody waits for the token"
    assert server.names == ["IMG_1.JPG"]


def test_a_run_that_waits_for_its_first_token_lets_others_write_and_can_be_ended(
    home: Home, server: FormServer, go: Path
) -> None:
    configure(home, server)
    (home.folder / "asked").write_text("\n")
    go.touch()
    server.says(503)
    assert home.run("push", home.photos(1), "--target", "slow", "--patience", "0").returncode == 75
    go.unlink()
    before = asked(home)
    run = home.start("resume")
    until(lambda: asked(home) > before)
    assert until(lambda: home.status()["uploader"], "it is seen")["pid"] == run.pid
    home.sql("update album set held = held")  # waits for whoever writes
    run.send_signal(signal.SIGINT)
    assert finish(run).returncode == 130
    assert home.status()["albums"][0]["held"]


def test_who_detaches_is_asked_once(home: Home, server: FormServer, go: Path) -> None:
    configure(home, server)
    go.touch()
    done = home.run("push", home.photos(2), "--target", "slow", "--detach")
    assert gone(pid_in(done.stderr), home) == 0
    assert asked(home) == 1
    assert {one.headers["authorization"] for one in server.ledger} == {"Bearer not-a-real-token"}
