"""may_run: the user's own command that says whether uploads may start."""

from __future__ import annotations

import signal

import pytest
from servers import FormServer, answer

from .conftest import Home, until

WORDS = "on a hotspot"


@pytest.fixture
def gate(home: Home, server: FormServer) -> Home:
    """A target whose command says no until ``open`` is there."""
    opened = home.folder / "open"
    line = f"test -e {opened} || {{ echo {WORDS}; exit 1; }}"
    home.form(server, f'may_run = ["sh", "-c", "{line}"]\n')
    return home


@pytest.mark.long
def test_cron_without_leave_is_silent_and_ends_with_75(gate: Home, server: FormServer) -> None:
    (gate.folder / "open").touch()
    server.answer = lambda _: answer(418, {})
    assert gate.run("push", gate.photos(2), "--retries", "0").returncode == 3
    (gate.folder / "open").unlink()
    before = len(server.names)
    for _ in range(2):
        done = gate.run("retry-failed")
        assert (done.returncode, done.stdout, done.stderr) == (75, "", "")
    assert len(server.names) == before
    (gate.folder / "open").touch()
    done = gate.run("retry-failed")
    assert done.returncode == 3
    assert "2 photos failed again" in done.stderr


def test_a_named_album_is_told_why_it_waits(gate: Home, server: FormServer) -> None:
    (gate.folder / "open").touch()
    server.answer = lambda _: answer(418, {})
    gate.run("push", gate.photos(1), "--retries", "0")
    (gate.folder / "open").unlink()
    done = gate.run("retry-failed", "trip")
    assert done.returncode == 75
    assert f"club: may_run says no ({WORDS}); given up for now, try again later" in done.stderr


@pytest.mark.process
def test_a_push_without_leave_waits_and_is_stopped_by_ctrl_c(
    gate: Home, server: FormServer
) -> None:
    push = gate.start("push", gate.photos(2), "--json")
    until(lambda: f"may_run says no ({WORDS})" in gate.run("status", "--json").stdout, "it waits")
    assert server.names == []
    push.send_signal(signal.SIGINT)
    out, err = push.communicate(timeout=30)
    assert push.returncode == 130
    assert '"event": "waits"' in out
    assert f"club: waits: may_run says no ({WORDS})" in err
    assert all(task["state"] == "pending" for task in gate.tasks())


def test_a_command_that_is_missing_is_named(home: Home, server: FormServer) -> None:
    home.form(server, 'may_run = ["/nowhere/may-run"]\n')
    push = home.start("push", home.photos(1))
    until(lambda: "/nowhere/may-run" in home.run("status", "--json").stdout)
    push.send_signal(signal.SIGTERM)
    _, err = push.communicate(timeout=30)
    assert push.returncode == 143
    why = "/nowhere/may-run cannot be run: No such file or directory"
    assert f"club: waits: may_run does not answer: {why}" in err
