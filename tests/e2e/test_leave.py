"""may_run: the user's own command that says whether uploads may start."""

from __future__ import annotations

import signal

import pytest
from servers import FormServer, answer

from albumup import processes

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


def test_commands_do_not_get_the_variables_with_tokens(
    home: Home, server: FormServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_withheld", set())
    names = ("CLUB_TOKEN", "SHED_TOKEN", "OTHER_TOKEN")
    tokens = {name: f"not-a-real-{name}" for name in names} | {"KEPT": "kept"}
    for name, command in {"may": "env", "done": "env", "token": "env; echo fake"}.items():
        script = home.folder / name
        script.write_text(f"#!/bin/sh\n{{ {command}; }} | tee {script}.env | tail -n 1\n")
        script.chmod(0o755)
    # One target is of the config, one of another album's --url.
    home.config(f'[targets.shed]\nkind = "form"\nurl = "{server.url}"\ntoken_env = "SHED_TOKEN"\n')
    home.run("push", home.photos(1, "a"), "--url", f"{server.url}/a", "--token-env", "OTHER_TOKEN",
             **tokens)  # fmt: skip
    home.form(
        server,
        f'may_run = ["{home.folder}/may"]\non_done = ["{home.folder}/done"]\n'
        f'token_command = ["{home.folder}/token"]\n'
        f'[targets.shed]\nkind = "form"\nurl = "{server.url}"\ntoken_env = "SHED_TOKEN"\n',
    )
    done = home.run("push", home.photos(1, "b", first=2), "--target", "club", **tokens)
    assert done.returncode == 0, done.stderr
    for name in ("may", "done"):
        lines = (home.folder / f"{name}.env").read_text().splitlines()
        assert "KEPT=kept" in lines
        told = [line for line in lines if "not-a-real" in line]
        assert told == ["CLUB_TOKEN=not-a-real-CLUB_TOKEN"], "no target names that one"
    asked = (home.folder / "token.env").read_text()
    assert all(f"{name}=not-a-real" in asked for name in names), "it may need them"
