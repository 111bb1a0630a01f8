"""Notices of the real command: each is had once, whatever ends the process that owes it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from servers import FormServer, Received, Step, answer

from albumup.session import notifying

from .conftest import PATIENCE, Home, until

FAILPOINT = Path(__file__).parents[1] / "faults" / "failpoint.py"


class Hook:
    """A command for ``on_done`` that keeps what it gets."""

    def __init__(self, folder: Path) -> None:
        self._got = folder / "got"
        self.script = folder / "hook"
        self.script.write_text(f"#!/bin/sh\ncat >> {self._got}\n")
        self.script.chmod(0o755)

    @property
    def line(self) -> str:
        return f'on_done = ["{self.script}"]\n'

    def got(self) -> list[dict[str, Any]]:
        text = self._got.read_text() if self._got.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def causes(self) -> list[str]:
        return [f"{one['cause']} {one['exit']}" for one in self.got()]


@pytest.fixture
def hook(tmp_path: Path) -> Hook:
    return Hook(tmp_path)


def refuse(server: FormServer, status: int = 401) -> None:
    server.answer = lambda _: answer(status, {})


def accept(server: FormServer) -> None:
    server.answer = lambda _: answer(200, {})


def late(lines: list[str]) -> list[str]:
    """The first lines: what was not told before the command's own words."""
    return [line for line in lines if " ago: " in line]


def test_a_command_gets_json_once(home: Home, server: FormServer, hook: Hook) -> None:
    home.form(server, hook.line)
    assert home.run("push", home.photos(2)).returncode == 0
    assert home.run("resume").returncode == 0
    (found,) = hook.got()
    wanted = {"cause": "settled", "album": "trip", "target": "club", "exit": 0, "command": ""}
    assert wanted.items() <= found.items()
    assert found["counts"]["uploaded"] == 2
    assert late(home.on_terminal("status")[1]) == [], "the command has told it"
    home.photos(1, first=3)
    assert home.run("push", "trip").returncode == 0
    assert [one["counts"]["uploaded"] for one in hook.got()] == [2, 3]
    assert len({one["id"] for one in hook.got()}) == 2


def test_a_key_that_was_revoked_is_told_once_until_it_is_well_again(
    home: Home, server: FormServer, hook: Hook
) -> None:
    home.form(server, hook.line)
    refuse(server)
    assert home.run("push", home.photos(1)).returncode == 4
    for _ in range(2):
        assert home.run("retry-failed").returncode == 4
    assert hook.causes() == ["stopped 4"]
    accept(server)
    assert home.run("retry-failed").returncode == 0
    assert hook.causes() == ["stopped 4", "settled 0"]
    refuse(server)
    home.photos(1, first=2)
    assert home.run("push", "trip").returncode == 4
    assert hook.causes() == ["stopped 4", "settled 0", "stopped 4"]


def test_a_server_that_does_not_work_for_a_day_is_told_and_when_it_works_again(
    home: Home, server: FormServer, hook: Hook
) -> None:
    with FormServer() as gone:
        home.form(gone, hook.line)
    assert home.run("push", home.photos(2), "--patience", "0").returncode == 75
    assert hook.got() == []
    home.sql("update target set sick_since = sick_since - 86400")
    for _ in range(2):
        assert home.run("retry-failed").returncode == 75
    (found,) = hook.got()
    assert (found["cause"], found["album"], found["exit"]) == ("unreachable", "trip", 75)
    assert found["words"] == "club has not worked for 24 h: connection refused"
    home.form(server, hook.line)
    assert home.run("retry-failed").returncode == 0
    assert hook.causes() == ["unreachable 75", "well 0", "settled 0"]
    assert hook.got()[1]["words"] == "club works again, after 24 h"


@pytest.mark.long
def test_a_folder_that_is_away_is_told_once(home: Home, server: FormServer, hook: Hook) -> None:
    with FormServer() as gone:
        home.form(gone, hook.line)
    trip = home.photos(1)
    assert home.run("push", trip, "--patience", "0").returncode == 75
    assert hook.got() == [], "that is patience"
    home.form(server, hook.line)
    shutil.move(trip, home.folder / "aside")
    for _ in range(2):
        assert home.run("resume").returncode == 75
    (found,) = hook.got()
    assert (found["cause"], found["exit"], found["command"]) == (
        "stopped", 75, "albumup resume trip"
    )  # fmt: skip
    assert found["words"].startswith(str(trip))


def test_a_fault_of_the_journal_is_told_where_that_can_still_be_written(
    home: Home, server: FormServer, hook: Hook
) -> None:
    home.form(server, hook.line)
    refuse(server)
    home.run("push", home.photos(1))
    accept(server)
    home.sql(
        "create trigger full before update on task when new.state = 'uploaded'"
        " begin select raise(fail, 'the disk is full'); end"
    )
    for _ in range(2):
        assert home.run("resume").returncode == 1
    assert hook.causes() == ["stopped 4", "stopped 1"]
    found = hook.got()[1]
    assert "the disk is full" in found["words"]
    assert found["command"] == "albumup resume trip"
    assert home.sql("select exit from run order by id") == [(4,), (1,), (1,)]


def test_a_disk_that_was_full_before_is_told_of_once(
    home: Home, server: FormServer, hook: Hook, tiny_disk: Path
) -> None:
    home.form(server, hook.line)
    home.env["ALBUMUP_JOURNAL"] = str(tiny_disk / "journal.db")
    server.says(503)
    assert home.run("push", home.photos(1), "--patience", "0").returncode == 75
    server.says(200)
    snapshot, ballast = tiny_disk / "journal.db.live", tiny_disk / "ballast"
    before = snapshot.read_bytes()
    with pytest.raises(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    for words in (["retry-failed"], ["push", "trip"], ["resume"]):
        for _ in range(2):
            assert home.run(*words).returncode == 1
        with snapshot.open("rb+") as file:
            file.write(before)  # that it was told is known no more
    told = hook.got()
    assert hook.causes() == ["stopped 1"] * 3
    assert len({one["id"] for one in told}) == 1
    assert home.run("status").returncode == 0
    ballast.unlink()
    assert home.run("retry-failed").returncode == 0
    assert hook.causes()[3:] == ["settled 0"]


def test_whoever_stops_it_is_not_told_that_it_stopped(
    home: Home, server: FormServer, hook: Hook
) -> None:
    """Not even of the target that had refused another album by then."""
    with FormServer() as other:
        targets = {"club": server.url, "other": other.url}
        home.config(
            "".join(
                f'[targets.{name}]\nkind = "form"\nurl = "{url}"\n{hook.line}'
                for name, url in targets.items()
            )
        )
        refuse(other)
        home.run("push", home.photos(1, "refused", first=9), "--target", "other", "-q")
        assert hook.causes() == ["stopped 4"]
        home.sql("update told set words = '' where what like 'notice%'")
        server.may_read.clear()
        home.photos(1, size=5_000_000)
        process = home.start("push", "trip", "--target", "club")
        until(lambda: server.requests)
        assert home.run("retry-failed").returncode == 0
        until(lambda: len(other.requests) == 2)
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        until(lambda: "Finishing" in process.stderr.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 143
        server.may_read.set()
    assert hook.causes() == ["stopped 4"]


def test_an_album_that_settled_is_told_while_others_are_sent(
    home: Home, server: FormServer, hook: Hook
) -> None:
    home.form(server, hook.line)
    refuse(server)
    for number, album in enumerate(("first", "second")):
        home.run("push", home.photos(1, album, first=number), "-q")
    first, second = threading.Event(), threading.Event()

    def say(one: Received) -> Step:
        (first if one.filename == "IMG_0.JPG" else second).wait()
        return answer(200, {})

    server.answer = say
    process = home.start("resume", "-j1")
    until(lambda: (home.status()["uploader"] or {}).get("uploads"))  # its session looks at it
    first.set()
    until(lambda: "settled 0" in hook.causes())
    assert process.poll() is None
    assert [one["album"] for one in hook.got() if one["cause"] == "settled"] == ["first"]
    second.set()
    assert process.wait(PATIENCE) == 0
    assert [one["album"] for one in hook.got() if one["cause"] == "settled"] == ["first", "second"]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["sh", "-c", "echo no server; exit 3"], "exit 3; no server"),
        (["sleep", "600"], "not done after 0.5 s"),
        (["no-such-hook"], "no-such-hook cannot be run: No such file or directory"),
        (["sh", "-c", "exec <&-; kill -9 $$"], "killed by SIGKILL"),
    ],
)
def test_a_command_that_fails_warns_and_leaves_the_notice_to_a_screen(
    home: Home, server: FormServer, monkeypatch: pytest.MonkeyPatch, command: list[str], why: str
) -> None:
    monkeypatch.setattr(notifying, "LIMIT_SECONDS", 0.5)
    home.form(server, f"on_done = {json.dumps(command)}\n")
    done = home.run("push", home.photos(1))
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == f"Warning: on_done failed: {why}"
    home.form(server, 'on_done = ["false"]\n')
    assert home.run("resume").stderr.count("Warning") == 0, "it is not run again"
    (_, first), (_, second) = home.on_terminal("status"), home.on_terminal("status")
    assert " ".join(first).startswith("trip: finished ")
    assert f"(on_done failed: {why})" in " ".join(" ".join(first).split())
    assert late(second) == []


def test_a_command_that_takes_its_time_holds_no_lock_and_no_upload(
    home: Home, server: FormServer, tmp_path: Path
) -> None:
    """The first album's command runs until the second album is sent by another process."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    home.form(server, f'on_done = ["sh", "-c", "cat {gate}"]\n')
    process = home.start("push", home.photos(1))
    until(lambda: b"cat" in _children(process.pid))
    home.form(server)
    other = home.run("push", home.photos(1, "other", first=2))
    assert other.returncode == 0
    assert "Process" not in other.stderr, "it did not have to follow anybody"
    assert process.poll() is None
    gate.open("wb").close()
    assert process.wait(PATIENCE) == 0


def _children(pid: int) -> bytes:
    """The command lines of a process's children."""
    with contextlib.suppress(OSError):
        tasks = Path(f"/proc/{pid}/task").iterdir()
        found = [child for task in tasks for child in (task / "children").read_text().split()]
        return b"".join(Path(f"/proc/{child}/cmdline").read_bytes() for child in found)
    return b""


def test_no_secret_of_the_channels_is_seen_or_kept(
    home: Home, server: FormServer, tmp_path: Path
) -> None:
    """Those of the addresses, and the token that a variable holds."""
    with FormServer() as gone:
        ping = gone.origin.replace("//", "//anna:hunter2@") + "/topic"
    hook = ["sh", "-c", f"env > {tmp_path / 'env'}; exit 1", "https://anna:hunter2@example.org"]
    lines = [
        f"on_done = {json.dumps(hook)}", 'notify = ["ntfy://anna:hunter2@ntfy.example.org/topic"]',
        f'ping = "{ping}"', 'token_env = "CLUB"',
    ]  # fmt: skip
    home.form(server, "\n".join(lines)).chmod(0o600)
    done = home.run("push", home.photos(1), "-v", CLUB="not-a-real-token")
    said = [done.stderr, "".join(home.on_terminal("status")[1])]
    for words in (["target", "show", "club"], ["target", "list"]):
        shown = home.run(*words)
        assert shown.returncode == 0
        said.append(shown.stdout + shown.stderr)
    kept = [path.read_bytes() for path in home.journal.parent.iterdir() if path.is_file()]
    seen = "".join(said).encode() + b"".join(kept)
    assert b"hunter2" not in seen
    assert b"topic" not in seen
    assert "Warning: ping failed: 127.0.0.1: connection refused" in done.stderr
    assert "Warning: notify: apprise is not installed" in done.stderr
    variables = (tmp_path / "env").read_text()
    assert "ALBUMUP_NOTICE_ID=" in variables
    assert "not-a-real-token" not in variables


# Crashes.


@pytest.mark.kill
@pytest.mark.parametrize(
    "commits", [1, *(pytest.param(number, marks=pytest.mark.long) for number in (0, 2))]
)
def test_a_kill_around_the_delivery_loses_no_notice(
    home: Home, server: FormServer, hook: Hook, tmp_path: Path, commits: int
) -> None:
    """Killed at one of the last commits: as the run ends, as it claims, as it has delivered."""
    home.form(server, f"{hook.line}stable_for = 0\n")
    counted = _failing(home, f"count:{tmp_path / 'counts'}", "push", home.photos(1), "--album", "x")
    assert counted == 0
    (first,) = hook.got()
    last = json.loads((tmp_path / "counts").read_text())["committed"]
    shutil.rmtree(home.journal.parent)
    code = _failing(home, f"committed:{last - commits}", "push", "trip")
    assert code == -signal.SIGKILL
    delivered = len(hook.got()) - 1
    assert delivered == (1 if commits == 0 else 0)
    assert home.run("retry-failed").returncode == 0
    after = [one["id"] for one in hook.got() if one["id"] != first["id"]]
    assert len(set(after)) == 1
    assert len(after) == 1
    assert late(home.on_terminal("status")[1]) == []


def test_a_kill_while_it_is_delivered_has_it_delivered_again_with_its_id(
    home: Home, server: FormServer, hook: Hook
) -> None:
    home.form(server, hook.line)
    text = hook.script.read_text()
    hook.script.write_text(f"{text}kill -9 $PPID\n")
    process = home.start("push", home.photos(1))
    assert process.wait(PATIENCE) == -signal.SIGKILL
    assert hook.causes() == ["settled 0"]
    hook.script.write_text(text)
    for _ in range(2):
        assert home.run("retry-failed").returncode == 0
    assert hook.causes() == ["settled 0", "settled 0"]
    assert len({one["id"] for one in hook.got()}) == 1


def test_a_shutdown_while_it_is_delivered_lets_a_command_end(
    home: Home, server: FormServer, hook: Hook
) -> None:
    """It takes 0.3 s more; without that grace it is killed within a few hundredths."""
    home.form(server, hook.line)
    text = hook.script.read_text()
    hook.script.write_text(text.replace("cat", "kill -TERM $PPID; sleep 0.3; cat"))
    process = home.start("push", home.photos(1))
    assert process.wait(PATIENCE) == 0
    assert hook.causes() == ["settled 0"]
    hook.script.write_text(text)
    assert home.run("retry-failed").returncode == 0
    assert hook.causes() == ["settled 0"]
    assert late(home.on_terminal("status")[1]) == []


def _failing(home: Home, point: str, *words: object) -> int:
    """Run the command to a failpoint; its exit code."""
    command = [sys.executable, str(FAILPOINT), point, *map(str, words)]
    return subprocess.run(
        command, env=home.env, cwd=home.folder, timeout=PATIENCE, capture_output=True
    ).returncode


# Screens.


def test_the_next_command_on_a_terminal_says_first_what_nobody_was_told(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    home.run("push", home.photos(2))
    for words in (["status", "--json"], ["list", "--json"], ["--version"]):
        assert late(home.on_terminal(*words)[1]) == []
    tab = {"_ALBUMUP_COMPLETE": "bash_complete", "COMP_WORDS": "albumup stat", "COMP_CWORD": "1"}
    assert home.on_terminal(**tab) == (0, ["plain,status"])
    assert " ago: " not in home.run("status").stderr, "off a terminal nobody is told"
    (_, first), (_, second) = home.on_terminal("list"), home.on_terminal("list")
    assert first[0].startswith("trip: finished ")
    assert first[0].endswith(" ago: 2 photos sent")
    assert first[1:] == second


def test_closing_words_on_a_terminal_are_the_notice(
    home: Home, server: FormServer, hook: Hook
) -> None:
    home.form(server)
    code, _ = home.on_terminal("push", home.photos(1))
    assert (code, late(home.on_terminal("status")[1])) == (0, [])
    home.form(server, hook.line)
    home.photos(1, first=2)
    home.on_terminal("push", "trip")
    assert hook.causes() == ["settled 0"], "a command gets it all the same"


def test_who_watched_it_to_its_end_was_told(home: Home, server: FormServer) -> None:
    home.form(server)
    server.may_answer.clear()
    process = home.start("push", home.photos(1))
    until(lambda: server.requests)
    watching = home.at_terminal("watch", "trip")
    watching.until(lambda: b"is uploading" in watching.painted)
    server.may_answer.set()
    assert process.wait(PATIENCE) == 0
    assert watching.end() == 0
    assert late(home.on_terminal("status")[1]) == []


@pytest.mark.long
def test_a_journal_that_is_busy_has_it_told_again(home: Home, server: FormServer) -> None:
    home.form(server)
    home.run("push", home.photos(1))
    with contextlib.closing(sqlite3.connect(home.journal, isolation_level=None)) as other:
        other.execute("begin immediate")
        (_, first), (_, second) = home.on_terminal("status"), home.on_terminal("status")
        other.execute("rollback")
    (_, third), (_, fourth) = home.on_terminal("status"), home.on_terminal("status")
    assert [len(late(lines)) for lines in (first, second, third, fourth)] == [1, 1, 1, 0]


@pytest.mark.long
def test_many_that_nobody_was_told_are_the_last_of_each_album_and_a_sum(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    for number in range(10):
        home.run("push", home.photos(1, f"album {number}", first=number))
    home.run("push", home.photos(1, "album 9", first=50))
    _, said = home.on_terminal("status")
    told = late(said)
    assert said[0] == "2 earlier notices: albumup status"
    assert [line.split(":")[0] for line in told] == [f"album {number}" for number in range(2, 10)]
    assert told[-1].endswith(" ago: 2 photos sent")
    assert late(home.on_terminal("status")[1]) == []


@pytest.mark.long
def test_whoever_wants_only_troubles_on_the_screen_gets_no_others(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    home.run("push", home.photos(1))
    refuse(server)
    home.run("push", home.photos(1, "other", first=2))
    assert [line.split(":")[0] for line in late(home.on_terminal("status", "-q")[1])] == ["other"]
    assert [line.split(":")[0] for line in late(home.on_terminal("status")[1])] == ["trip"]


# Pings.


def test_a_run_pings_its_beginning_and_its_end(
    home: Home, server: FormServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("albumup.session.pinging.fetched", lambda url: _note(asked, url))
    home.form(server, 'ping = "https://ping.example.org/7d1c/"\n')
    done = home.run("push", home.photos(1))
    assert asked == ["https://ping.example.org/7d1c/start", "https://ping.example.org/7d1c"]
    assert "ping" not in done.stderr
    refuse(server)
    home.photos(1, first=2)
    asked.clear()
    monkeypatch.setattr("albumup.session.pinging.fetched", lambda url: _note(asked, url) or "down")
    done = home.run("push", "trip")
    assert asked == ["https://ping.example.org/7d1c/start", "https://ping.example.org/7d1c/fail"]
    assert done.stderr.splitlines()[-1] == "Warning: ping failed: ping.example.org: down"
    assert "7d1c" not in done.stderr


@pytest.mark.parametrize(("command", "end"), [('["false"]', ""), ('["/nowhere/may-run"]', "/fail")])
def test_a_round_that_has_to_wait_is_no_failure_to_who_is_pinged(
    home: Home,
    server: FormServer,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    end: str,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("albumup.session.pinging.fetched", lambda url: _note(asked, url))
    home.form(server)
    server.answer = lambda _: answer(401)
    home.run("push", home.photos(1))
    home.form(server, f'ping = "https://ping.example.org/7d1c"\nmay_run = {command}\n')
    assert home.run("retry-failed").returncode == 75
    start = "https://ping.example.org/7d1c/start"
    assert asked == [start, f"https://ping.example.org/7d1c{end}"]


def test_whoever_hands_over_or_follows_does_not_ping(
    home: Home, server: FormServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("albumup.session.pinging.fetched", lambda url: _note(asked, url))
    home.form(server)
    assert home.run("push", home.photos(1, "done", first=9)).returncode == 0
    server.may_answer.clear()
    process = home.start("push", home.photos(1))
    until(lambda: len(server.requests) == 2)
    home.form(server, 'ping = "https://ping.example.org/7d1c/"\n')
    assert _within(home, "retry-failed") == 0
    assert _within(home, "resume", "done") == 0, "the uploader sees to what is owed"
    server.may_answer.set()
    assert process.wait(PATIENCE) == 0
    assert asked == []
    assert _within(home, "retry-failed") == 0
    assert asked == ["https://ping.example.org/7d1c"], "there was nothing to send, and it was well"


def _within(home: Home, *words: str) -> int:
    """Run the command within this process, beside another one."""
    import within

    done = within.run(list(words), env=home.env, cwd=home.folder, timeout=PATIENCE)
    return int(done.returncode)


def _note(asked: list[str], url: str) -> str:
    asked.append(url)
    return ""
