"""Watching an uploader from elsewhere, and waiting for it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess

import pytest
from servers import FormServer, answer

from .conftest import Home, finish, until

process = pytest.mark.process


def uploader(home: Home, server: FormServer, *args: object) -> subprocess.Popen[str]:
    """A push of the album ``trip`` that waits for an answer, one photo in flight."""
    home.form(server)
    home.photos(2)
    server.may_answer.clear()
    started = home.start("push", "trip", "-j1", *args)
    until(lambda: server.in_flight)
    return started


def watcher(home: Home, *args: object) -> subprocess.Popen[str]:
    """One that has begun to watch."""
    started = home.start("watch", *args)
    assert started.stderr is not None
    assert "is uploading" in started.stderr.readline()
    return started


def events(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@process
def test_a_watcher_sees_what_the_uploader_says_and_ends_with_the_albums_code(
    home: Home, server: FormServer
) -> None:
    server.answer = lambda one: answer(413 if one.filename == "IMG_2.JPG" else 200)
    first = uploader(home, server)
    watching = watcher(home, "trip", "--json"), watcher(home), watcher(home, "--progress", "plain")
    waiting = home.start("wait", "trip", "--timeout", "1h")
    until(lambda: home.status()["uploader"].get("uploads"))  # it has shown itself
    server.may_answer.set()
    said = finish(first)
    ended = [finish(one) for one in watching]
    assert [one.returncode for one in (said, *ended)] == [3, 3, 0, 0]
    line = next(line for line in said.stderr.splitlines() if "! IMG_2.JPG" in line)
    for one in ended:
        assert line in one.stderr
        assert "trip: 1 of 2 sent" in one.stderr
        assert "Again: albumup retry-failed trip --rejected" in one.stderr
    told = events(ended[0].stdout)
    assert [one["event"] for one in told] == ["uploaded", "rejected", "summary"]
    assert (told[-1]["exit"], told[-1]["album"]) == (3, "trip")
    assert [one.stdout for one in ended[1:]] == ["", ""]
    waited = finish(waiting)
    assert (waited.returncode, waited.stdout, waited.stderr) == (3, "", "")


@process
def test_a_watcher_leaves_and_nothing_else_happens(home: Home, server: FormServer) -> None:
    first = uploader(home, server)
    watching = watcher(home, "trip")
    watching.send_signal(signal.SIGINT)
    left = finish(watching)
    assert left.returncode == 130
    assert f"Left. Process {first.pid} goes on; stop it with: albumup stop" in left.stderr
    server.may_answer.set()
    assert finish(first).returncode == 0
    assert not home.album()["held"]


@process
def test_a_watcher_of_a_stopped_uploader_says_what_to_type(home: Home, server: FormServer) -> None:
    first = uploader(home, server)
    watching = watcher(home, "trip")
    first.send_signal(signal.SIGINT)
    assert first.stderr is not None
    until(lambda: "Finishing 1" in first.stderr.readline())
    server.may_answer.set()
    assert finish(first).returncode == 130
    ended = finish(watching)
    assert ended.returncode == 130
    assert "1 waiting. On hold until: albumup resume" in ended.stderr


@pytest.mark.long
@process
def test_a_watcher_of_a_killed_uploader_says_so_and_believes_no_old_snapshot(
    home: Home, server: FormServer
) -> None:
    first = uploader(home, server)
    watching = watcher(home, "trip")
    until(lambda: home.status()["uploader"].get("uploads"))
    assert "In flight: IMG_1.JPG" in home.run("status").stderr
    live = home.journal.parent / "journal.db.live"
    assert stat.S_IMODE(live.stat().st_mode) == 0o600
    first.kill()
    first.wait()
    ended = finish(watching)
    assert ended.returncode == 75
    assert f"Process {first.pid} is gone" in ended.stderr
    assert "2 waiting. Go on with: albumup resume" in ended.stderr
    assert live.exists()
    said = home.run("status")
    assert (said.stderr, "running" in said.stdout) == ("", False)
    server.may_answer.set()


@process
def test_a_journal_that_is_gone_is_missed_by_all_who_look_and_ends_the_uploader(
    home: Home, server: FormServer
) -> None:
    first = uploader(home, server)
    watching = watcher(home, "trip")
    elsewhere = home.folder / "elsewhere.db"
    os.rename(home.journal, elsewhere)
    ended = finish(watching)
    assert ended.returncode == 1
    assert f"moved or deleted while process {first.pid} uploads from it" in ended.stderr
    for command, code in (("status", 0), ("wait trip", 1), ("watch", 1)):
        done = home.run(*command.split())
        assert (done.returncode, "moved or deleted while" in done.stderr) == (code, True)
    late = home.run("push", "trip")
    assert (late.returncode, "Bring it back" in late.stderr) == (1, True)
    assert not home.journal.exists()
    assert first.stderr is not None
    until(lambda: "was moved or deleted: nothing new starts" in first.stderr.readline())
    server.may_answer.set()
    assert finish(first).returncode == 1
    for beside in ("-wal", "-shm"):  # it was moved alone, and is whole
        (home.journal.parent / f"journal.db{beside}").unlink()
    os.rename(elsewhere, home.journal)
    assert sorted(home.states().values()) == ["pending", "uploaded"]
    _, said = home.on_terminal("status")
    words = " ".join(line.strip() for line in said)
    assert f"moved or deleted while process {first.pid} uploaded from it, which ended" in words
    assert home.run("resume").returncode == 0
    assert sorted(server.names) == ["IMG_1.JPG", "IMG_2.JPG"]


@process
def test_a_second_push_shows_what_goes_wrong_with_its_photos(
    home: Home, server: FormServer
) -> None:
    server.answer = lambda one: answer(413 if one.filename in ("IMG_2.JPG", "IMG_11.JPG") else 200)
    first = uploader(home, server)
    home.photos(1, "more", first=11)
    second = home.start("push", "more", "--json")
    assert second.stderr is not None
    until(lambda: "were added to its work" in second.stderr.readline())
    until(lambda: len(home.status()["albums"]) == 2)
    server.may_answer.set()
    done = finish(second)
    finish(first)
    assert done.returncode == 3
    assert "  ! IMG_11.JPG  rejected: 413" in done.stderr
    assert "IMG_2.JPG" not in done.stderr
    assert [one["event"] for one in events(done.stdout)] == ["queued", "rejected", "summary"]


@process
@pytest.mark.long
def test_a_watcher_stays_when_another_process_goes_on(home: Home, server: FormServer) -> None:
    first = uploader(home, server)
    home.photos(1, "more", first=11)
    second = home.start("push", "more")
    assert second.stderr is not None
    until(lambda: "were added to its work" in second.stderr.readline())
    watching = watcher(home, "more", "trip")
    first.kill()
    first.wait()
    assert watching.stderr is not None
    until(lambda: f"Process {second.pid} is uploading" in watching.stderr.readline())
    server.may_answer.set()
    assert finish(second).returncode == 0
    ended = finish(watching)
    assert ended.returncode == 75  # nobody has taken over the first one's album
    assert "more: 1 of 1 sent" in ended.stderr


@process
def test_all_who_look_are_told_why_the_uploader_has_ended(home: Home, server: FormServer) -> None:
    server.answer = lambda _: answer(401)
    first = uploader(home, server)
    home.photos(1, "more", first=11)
    watching = watcher(home), watcher(home, "trip"), home.start("push", "more")
    assert watching[2].stderr is not None
    until(lambda: "were added to its work" in watching[2].stderr.readline())
    server.may_answer.set()
    said = finish(first)
    assert said.returncode == 4
    why = [line for line in said.stderr.splitlines() if "401" in line or "token" in line]
    assert why
    ended = [finish(one) for one in watching]
    assert [one.returncode for one in ended] == [0, 4, 4]
    for one in ended:
        assert [line for line in one.stderr.splitlines() if line in why] == why
        assert "Go on with: albumup resume" in one.stderr


# Where nobody uploads.


def test_without_a_journal_there_is_nothing_to_watch(home: Home) -> None:
    done = home.run("watch")
    assert (done.returncode, done.stderr) == (0, "nothing to do (~/state/albumup/journal.db)\n")
    for command in ("watch", "wait"):
        unknown = home.run(command, "trip")
        assert unknown.returncode == 2
        assert "there is no album 'trip'" in unknown.stderr
    assert not home.journal.exists()


def test_where_nobody_uploads_a_watcher_says_where_things_stand_and_ends(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    server.answer = lambda one: answer(413 if one.filename == "IMG_2.JPG" else 401)
    pushed = home.run("push", home.photos(3), "-j1")
    why = [line for line in pushed.stderr.splitlines() if "401" in line or "token" in line][-2:]
    done = home.run("watch", "trip")
    assert done.returncode == 75
    assert done.stderr.splitlines() == [
        "Nobody is uploading.",
        *why,
        "trip: 0 of 3 sent, 3 waiting. Go on with: albumup resume    (exit 75)",
    ]
    assert home.run("watch").returncode == 0
    waited = home.run("wait", "trip")
    assert (waited.returncode, waited.stdout, waited.stderr) == (75, "", "")
    server.answer = lambda one: answer(413 if one.filename == "IMG_2.JPG" else 200)
    home.run("resume")
    done = home.run("watch", "trip", "--json")
    assert done.returncode == 3
    assert "trip: 2 of 3 sent, 1 not" in done.stderr
    assert "Again: albumup retry-failed trip --rejected" in done.stderr
    assert [one["event"] for one in events(done.stdout)] == ["summary"]
    assert home.run("wait", "trip", "--timeout", "1h").returncode == 3


def test_a_time_that_is_none_is_refused(home: Home) -> None:
    done = home.run("wait", "trip", "--timeout", "soon")
    assert done.returncode == 2
    assert "--timeout: " in done.stderr
