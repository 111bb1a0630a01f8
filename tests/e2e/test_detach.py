"""Uploads in the background: begun by a command that returns, ended by nothing but their work."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
import zygote
from background import IN_BACKGROUND, command_of, gone, is_held, log_of, pid_in
from servers import FormServer, Received, answer
from short import short_form

from albumup.cli.background import SettledAlbums
from albumup.journal.lock import FileLock
from albumup.journal.opening import paths_of

from .conftest import PATIENCE, Home, finish, jpeg, until

HANDED_OVER = re.compile(r"(\d+ photos?) queued; process (\d+) is uploading, and has them too; ")


@pytest.mark.process
def test_it_outlives_its_terminal_and_keeps_its_secrets(home: Home, server: FormServer) -> None:
    secret = "not-a-real-token-4711"
    home.form(
        server, 'token_env = "CLUB_TOKEN"\n[targets.club.fields]\nkey = "{token}"\n', name="club"
    )
    home.photos(3)
    server.may_answer.clear()
    server.answer = lambda one: answer(413 if one.filename == "IMG_2.JPG" else 200, _echo(one))
    python = " ".join(zygote.COMMAND)
    line = f"{python} push trip --detach -j1; echo over; cat"
    given = {"launch": ["sh", "-c", line], "CLUB_TOKEN": secret}
    shell = home.at_terminal(is_controlling=True, **given)
    shell.until_said("over\r\n")
    said = shell.said.replace("\r\n", "\n")
    assert is_held(home)
    pid = pid_in(said)
    assert IN_BACKGROUND.search(said)[3] == "albumup watch trip"  # type: ignore[index]
    assert home.sql("select pid, watched from run") == [(pid, 0)]

    shell.close()
    assert shell.process.wait(PATIENCE) == -signal.SIGHUP
    _check_process(pid, secret)
    server.may_answer.set()
    assert gone(pid, home) == 3
    assert home.states() == {
        "IMG_1.JPG": "uploaded",
        "IMG_2.JPG": "rejected",
        "IMG_3.JPG": "uploaded",
    }
    assert {one.fields["key"] for one in server.ledger} == {secret}
    assert server.ledger[0].headers["authorization"] == f"Bearer {secret}"

    said = log_of(home)
    assert secret not in said
    assert "IMG_2.JPG  rejected: 413" in said
    assert "********" in said
    assert "IMG_1.JPG" not in said
    assert "--patience 24 h" in said
    assert said.endswith(f"[{pid}] Ended (exit 3).\n")


def _echo(one: Received) -> dict[str, str]:
    """An answer that repeats the token."""
    return {"message": f"no place for {one.headers['authorization']}"}


def _check_process(pid: int, secret: str) -> None:
    """A process that has nothing of its terminal, and shows nothing to others."""
    place = Path(f"/proc/{pid}")
    session, terminal = (place / "stat").read_text().rpartition(")")[2].split()[3:5]
    assert (int(session), int(terminal)) == (pid, 0)
    assert os.readlink(place / "cwd") == "/"
    status = (place / "status").read_text()
    assert "Umask:\t0077\n" in status
    ignored = int(re.search(r"SigIgn:\t(\w+)", status)[1], 16)  # type: ignore[index]
    assert ignored & 1 << signal.SIGHUP - 1
    shown = command_of(pid)
    assert secret not in shown
    assert "IMG_" not in shown
    open_ones = [os.readlink(one) for one in (place / "fd").iterdir()]
    assert os.readlink(place / "fd/0") == "/dev/null"
    assert {os.readlink(place / f"fd/{number}") for number in (1, 2)} == {
        os.readlink(place / "fd/1")
    }
    assert os.readlink(place / "fd/1").endswith("/journal.db.log")
    assert [one for one in open_ones if one.startswith(("pipe:", "/dev/pt", "/dev/tty"))] == []
    assert os.stat(os.readlink(place / "fd/1")).st_mode & 0o777 == 0o600


@pytest.mark.process
def test_two_at_once_leave_one_uploader_and_both_say_so(home: Home, server: FormServer) -> None:
    home.form(server)
    home.photos(2)
    home.photos(2, "more", first=11)
    server.may_answer.clear()
    both = [home.start("push", name, "--detach", "-j1") for name in ("trip", "more")]
    done = [finish(one) for one in both]
    assert [one.returncode for one in done] == [0, 0]
    assert [one.stderr.count("2 photos queued") for one in done] == [1, 1], "it is said once"
    said = "".join(one.stderr for one in done)
    assert [found[1] for found in re.finditer(r"(.*) queued; ", said)] == ["2 photos"] * 2
    pid = pid_in(said)
    assert HANDED_OVER.search(said)[2] == str(pid)  # type: ignore[index]
    assert home.sql("select pid from run") == [(pid,)]
    server.may_answer.set()
    assert gone(pid, home) == 0
    names = ["IMG_1.JPG", "IMG_2.JPG", "IMG_11.JPG", "IMG_12.JPG"]
    assert Counter(server.names) == dict.fromkeys(names, 1)


@pytest.mark.process
def test_it_goes_on_when_the_uploader_that_has_its_photos_is_interrupted(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    home.photos(2)
    home.photos(2, "more", first=11)
    server.may_answer.clear()
    first = home.start("push", "trip", "-j1")
    until(lambda: server.in_flight)
    done = home.run("push", "more", "--detach")
    assert done.returncode == 0
    assert HANDED_OVER.search(done.stderr)[2] == str(first.pid)  # type: ignore[index]
    heir = re.search(r"ends early, process (\d+) goes on in the background", done.stderr)
    assert heir, done.stderr
    first.send_signal(signal.SIGINT)
    first.send_signal(signal.SIGTERM)  # as a second Ctrl-C, which might come before the first
    ended = finish(first)
    assert ended.returncode == 130
    assert "more: 0 of 2 sent, 2 waiting; goes on in the background" in ended.stderr
    server.may_answer.set()
    assert gone(int(heir[1]), home) == 0
    assert dict(home.sql("select name, held from album")) == {"trip": 1, "more": 0}
    states = home.states()
    assert {states["IMG_11.JPG"], states["IMG_12.JPG"]} == {"uploaded"}
    assert f"Process {first.pid} has ended; this process goes on." in log_of(home)


@pytest.mark.process
def test_a_kill_or_a_shutdown_is_no_hold_and_resume_goes_on(home: Home, server: FormServer) -> None:
    home.form(server)
    home.photos(3)
    server.may_answer.clear()
    pid = pid_in(home.run("push", "trip", "--detach", "-j1").stderr)
    until(lambda: server.in_flight)
    os.kill(pid, signal.SIGKILL)
    gone(pid, home)
    again = home.run("resume", "--detach", "-v")
    assert again.returncode == 0
    second = pid_in(again.stderr)
    assert home.sql("select count(*) from run where ended is null") == [(1,)]
    os.kill(second, signal.SIGTERM)
    until(lambda: "Stops: SIGTERM" in log_of(home))
    server.may_answer.set()
    assert gone(second, home) == 143
    assert not home.album()["held"]
    assert home.run("resume").returncode == 0
    assert set(home.states().values()) == {"uploaded"}
    assert set(server.names) == {"IMG_1.JPG", "IMG_2.JPG", "IMG_3.JPG"}
    assert re.search(r"\] +IMG_\d.JPG  uploaded, 2.0 kB", log_of(home))  # as -v was given


@pytest.mark.process
def test_with_spool_it_returns_when_the_card_may_be_taken_out(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    place = home.photos(3)
    server.may_answer.clear()
    done = home.run("push", "trip", "--detach", "--spool", "-j1", "--json")
    assert done.returncode == 0
    said = done.stderr
    assert "3 photos copied. You can take the card out now.\n" in said
    assert said.index("take the card out") < said.index("uploading in the background")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["event"] for one in events] == [*["queued"] * 3, "spooled", "detached", "summary"]
    assert (events[-2]["pid"], events[-2]["album"]) == (pid_in(said), "trip")
    assert events[-1]["exit"] == 0
    for photo in place.iterdir():
        photo.unlink()
    server.may_answer.set()
    assert gone(pid_in(said), home) == 0
    assert set(home.states().values()) == {"uploaded"}


@pytest.mark.process
def test_with_spool_it_also_waits_for_an_uploader_that_runs_already(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    home.photos(2)
    place = home.photos(2, "more", first=11)
    server.may_answer.clear()
    first = home.start("push", "trip", "-j1")
    until(lambda: server.in_flight)
    done = home.run("push", "more", "--detach", "--spool")
    assert done.returncode == 0
    assert "2 photos copied. You can take the card out now.\n" in done.stderr
    assert HANDED_OVER.search(done.stderr)[2] == str(first.pid)  # type: ignore[index]
    for photo in place.iterdir():
        photo.unlink()
    server.may_answer.set()
    assert finish(first).returncode == 0
    assert set(home.states().values()) == {"uploaded"}


@pytest.mark.process
@pytest.mark.parametrize(
    ("number", "options", "next_one"),
    short_form(
        [
            (signal.SIGHUP, ("--spool",), "do not take the card out yet: albumup watch."),
            (signal.SIGINT, (), "albumup status."),
        ]
    ),
)
def test_a_signal_to_the_command_while_it_starts_loses_nothing(
    home: Home, server: FormServer, number: signal.Signals, options: tuple[str, ...], next_one: str
) -> None:
    home.form(server)
    home.photos(2)
    home.journal.parent.mkdir(parents=True)
    with FileLock(paths_of(str(home.journal))["lock"]):  # by somebody who sends nothing
        command = home.start("push", "trip", "--detach", *options)
        until(lambda: Path(f"{home.journal}.log").exists())
        until(lambda: "begins: trip" in log_of(home))
        command.send_signal(number)
        done = finish(command)
    assert done.returncode == 128 + number
    left = re.search(r"Left\. Process (\d+) goes on in the background; (.*) It ends", done.stderr)
    assert left, done.stderr
    assert left[2] == next_one
    assert gone(int(left[1]), home) == 0
    assert set(home.states().values()) == {"uploaded"}


@pytest.mark.process
def test_the_log_is_shown_and_followed(home: Home, server: FormServer) -> None:
    home.form(server)
    none = home.run("log")
    assert (none.returncode, none.stdout) == (0, "")
    assert none.stderr == "no log yet (~/state/albumup/journal.db.log); --detach writes one\n"
    follower = home.start("log", "-f")
    home.photos(2)
    gone(pid_in(home.run("push", "trip", "--detach").stderr), home)
    assert follower.stdout is not None
    said = ""
    while "Ended (exit 0)" not in said:
        said += follower.stdout.readline()
    follower.send_signal(signal.SIGINT)
    done = finish(follower)
    assert done.returncode == 130
    assert done.stderr == none.stderr.replace(";", ", waiting for one;")
    assert said == log_of(home) == home.run("log").stdout


@pytest.mark.process
def test_a_command_that_does_not_get_its_notice_is_logged(home: Home, server: FormServer) -> None:
    home.form(server, 'on_done = ["sh", "-c", "echo no server; exit 3"]\n')
    home.photos(1)
    assert gone(pid_in(home.run("push", "trip", "--detach").stderr), home) == 0
    assert "] Warning: on_done failed: exit 3; no server\n" in log_of(home)


# Where no process comes of it. These run within the tests' process.


@pytest.mark.parametrize(
    ("python", "why"),
    [
        ("/nonexistent/python", "/nonexistent/python: No such file or directory"),
        ("", "the path of the interpreter is unknown"),
        ("/bin/false", "The process in the background has ended at once; see: albumup log"),
    ],
)
def test_without_a_way_to_start_it_the_work_waits(
    home: Home, server: FormServer, monkeypatch: pytest.MonkeyPatch, python: str, why: str
) -> None:
    home.form(server)
    home.photos(2)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", python)
        done = home.run("push", "trip", "--detach")
    assert done.returncode == 1
    assert why in done.stderr
    assert "albumup resume" in done.stderr
    assert set(home.states().values()) == {"pending"}
    assert not is_held(home)
    assert home.run("resume").returncode == 0
    assert set(home.states().values()) == {"uploaded"}


def begins_then(home: Home, last: str, first: str = "") -> str:
    """A program in place of the interpreter: an uploader that says that it has begun."""
    file = home.folder / "python"
    begun = r"""printf '{"type":"Begun"}\n' >/proc/self/fd/$2"""
    find = "while [ $1 != --in-background ]; do shift; done"
    file.write_text(f"#!/bin/sh\n{find}\n{first}\n{begun}\n{last}\n")
    file.chmod(0o700)
    return str(file)


def test_one_that_ends_before_all_is_copied_does_not_let_the_card_go(
    home: Home, server: FormServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.form(server)
    home.photos(2)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", begins_then(home, "exit 75"))
        done = home.run("push", "trip", "--detach", "--spool")
    assert done.returncode == 75
    assert "take the card out" not in done.stderr
    assert done.stderr.endswith(
        "Nothing uploads in the background; 2 photos wait: albumup resume    (exit 75)\n"
    )


def test_a_card_that_goes_away_before_it_is_copied_is_asked_back(
    home: Home, server: FormServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.form(server)
    place = home.photos(2)
    away = home.folder / "away"
    uploader = begins_then(home, "", f"mv {place} {away}")
    home.journal.parent.mkdir(parents=True)
    with FileLock(paths_of(str(home.journal))["lock"]), monkeypatch.context() as patch:
        patch.setattr(sys, "executable", uploader)
        done = home.run("push", "trip", "--detach", "--spool")
    assert done.returncode == 75
    assert "take the card out" not in done.stderr
    assert done.stderr.endswith(
        f"Not copied: 2 photos in {place}: it does not exist. Bring back its card or disk, then:"
        " albumup resume --detach    (exit 75)\n"
    )
    away.rename(place)
    assert home.run("resume").returncode == 0
    assert set(home.states().values()) == {"uploaded"}


def test_one_that_ends_before_it_begins_says_why(home: Home, server: FormServer) -> None:
    token = home.secret("not-a-real-token")
    home.form(server, f'token_file = "{token}"\n')
    server.answer = lambda _: answer(401, {})
    assert home.run("push", home.photos(2)).returncode == 4
    token.unlink()
    done = home.run("resume", "--detach")
    assert done.returncode == 4
    assert "token_file: ~/token cannot be read: No such file or directory" in done.stderr
    assert done.stderr.count("(exit 4)") == 1
    assert done.stderr.endswith(
        "Nothing uploads in the background; 2 photos wait: albumup resume    (exit 4)\n"
    )
    assert home.sql("select watched from run") == [(0,), (0,)]


@pytest.mark.process
def test_what_the_command_said_on_a_terminal_is_no_news_to_the_next_one(
    home: Home, server: FormServer
) -> None:
    token = home.secret("not-a-real-token")
    home.form(server, f'token_file = "{token}"\n')
    server.answer = lambda _: answer(401, {})
    assert home.run("push", home.photos(1)).returncode == 4
    token.unlink()
    window = home.at_terminal("resume", "--detach", columns=200)
    assert window.end() == 4
    assert any("cannot be read: No such file" in line for line in window.lines())
    assert home.sql("select cause, delivered is not null from notice") == [("stopped", 1)] * 2


def test_a_folder_that_cannot_be_read_is_said_last_and_costs_3(
    home: Home, server: FormServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.form(server)
    home.photos(2)
    closed = home.photos(1, "trip/closed", first=3)
    scandir = os.scandir

    def refuse(path: bytes) -> object:
        if os.fsencode(path) == os.fsencode(closed):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        done = home.run("push", "trip", "--detach")
    assert done.returncode == 3, done.stderr
    assert done.stderr.endswith("trip/closed: Permission denied    (exit 3)\n")
    assert gone(pid_in(done.stderr), home) == 0


@pytest.mark.parametrize(
    ("typed", "patience"), short_form([((), "1 min 30 s"), (("--patience=3h",), "3 h")])
)
def test_with_q_it_says_nothing_while_all_is_well(
    home: Home, server: FormServer, typed: tuple[str, ...], patience: str
) -> None:
    home.form(server, '[defaults]\npatience = "90s"\n')
    home.photos(1)
    done = home.run("push", "trip", "--detach", "-q", *typed)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    ((pid,),) = home.sql("select pid from run")
    assert gone(pid, home) == 0
    assert f"--patience {patience}" in log_of(home)  # not the 24 hours


@pytest.mark.long
def test_a_log_that_cannot_be_written_is_said_and_costs_nothing_else(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    home.photos(1)
    Path(f"{home.journal}.log").mkdir(parents=True)
    done = home.run("push", "trip", "--detach")
    assert done.returncode == 0
    assert "No log of it can be written: ~/state/albumup/journal.db.log: " in done.stderr
    assert gone(pid_in(done.stderr), home) == 0
    assert set(home.states().values()) == {"uploaded"}


@pytest.mark.parametrize("verb", ["sent", "copied"])
def test_what_settles_while_others_go_on_is_logged(
    home: Home, server: FormServer, verb: str
) -> None:
    home.form(server)
    server.answer = lambda _: answer(401, {})
    for name in ("trip", "more"):
        assert home.run("push", home.photos(2, name)).returncode == 4
    now = 0.0
    settling = SettledAlbums(str(home.journal), lambda *_: verb, lambda: now)
    assert settling.lines() == []
    server.answer = lambda one: answer(413 if one.filename == "IMG_2.JPG" else 200, {})
    assert home.run("resume", "trip").returncode == 3
    assert settling.lines() == []  # not so often
    now = 5.0
    assert settling.lines() == [f"trip: settled, 1 of 2 {verb}, 1 not"]
    now = 10.0
    assert settling.lines() == []


def test_nothing_is_started_where_nothing_is_to_be_sent(home: Home, server: FormServer) -> None:
    home.form(server)
    assert home.run("push", home.photos(2)).returncode == 0
    done = home.run("push", "trip", "--detach")
    assert done.returncode == 0
    assert "nothing to do; 2 sent" in done.stderr
    assert not Path(f"{home.journal}.log").exists()


def test_resume_hands_over_and_names_only_what_is_not_settled(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    for first, name in enumerate(("old", "older")):
        home.run("push", home.photos(1, name, first=10 + first))
    server.answer = lambda _: answer(401)
    home.run("push", home.photos(2))
    server.answer = lambda _: answer(200)
    done = home.run("resume", "--detach")
    assert IN_BACKGROUND.search(done.stderr)[3] == "albumup watch trip"  # type: ignore[index]
    assert "old" not in done.stderr
    assert gone(pid_in(done.stderr), home) == 0
    assert " begins: trip; " in log_of(home)
    for words in ("resume", "--detach"), ("resume",):
        done = home.run(*words)
        said = "nothing to do (~/state/albumup/journal.db)\n"
        assert (done.returncode, done.stderr) == (0, said)


def test_what_is_meant_for_albumup_itself_does_nothing_by_hand(home: Home) -> None:
    done = home.run("resume", "--in-background", "7777")
    assert done.returncode == 2
    assert "--detach" in done.stderr


def test_what_goes_to_the_inbox_is_copied_in_all_words(home: Home) -> None:
    """Also cron's, the log's, and those of a push that is only tried."""
    (home.photos(2) / "IMG_3.JPG").symlink_to(home.folder / "later.jpg")
    done = home.run("push", "trip", "--follow-symlinks", "--detach")
    assert gone(pid_in(done.stderr), home) == 3
    assert "trip: 2 of 2 copied" in log_of(home)
    assert (
        "The album has 3 photos, by the journal: 2 copied" in home.run("push", "trip", "-n").stderr
    )
    (home.folder / "later.jpg").write_bytes(jpeg(3))
    assert "trip: 1 copied" in home.run("retry-failed").stderr
