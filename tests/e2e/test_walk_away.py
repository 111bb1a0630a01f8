"""Start it and walk away: the whole story, from a terminal that is closed to the notice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
import zygote
from background import gone, is_held, pid_in
from servers import FormServer

from .conftest import PATIENCE, Home, finish, until


def notices(got: Path) -> list[str]:
    """What the command of the config got, in order."""
    told = [json.loads(line) for line in got.read_text().splitlines()] if got.exists() else []
    return [f"{one['cause']}: {one['words']}" for one in told]


@pytest.mark.process
@pytest.mark.long
def test_started_and_walked_away_from(home: Home, server: FormServer, tmp_path: Path) -> None:
    got, hook = tmp_path / "got", tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ncat >> {got}\n")
    hook.chmod(0o755)
    home.form(server, f'on_done = ["{hook}"]\n')
    home.photos(3)
    home.photos(2, "garden", first=11)
    server.may_answer.clear()

    # Two albums are handed over, and the terminal is closed.
    albumup = " ".join(zygote.COMMAND)
    line = f"{albumup} push trip --detach -j1; {albumup} push garden --detach; echo over; cat"
    shell = home.at_terminal(is_controlling=True, launch=["sh", "-c", line])
    shell.until_said("over\r\n")
    pid = pid_in(shell.said.replace("\r\n", "\n"))
    shell.close()
    assert shell.process.wait(PATIENCE) == -signal.SIGHUP
    until(lambda: server.in_flight)
    assert is_held(home)

    # Two other terminals look on, while a third one changes what runs.
    watching = [home.at_terminal("watch") for _ in range(2)]
    for one in watching:
        one.until(lambda one=one: "IMG_1.JPG" in one.text and "5" in one.text)
    changed = home.run("resume", "--detach", "--limit-rate", "1M")
    assert changed.returncode == 0
    assert "stopped" not in changed.stderr
    assert changed.stderr.endswith("It goes on with 1.0 MB/s.\n")
    until(lambda: "limited to 1.0 MB/s" in home.run("status").stderr, "the new rate")
    stopped = home.run("stop", "garden")
    assert stopped.returncode == 0
    assert f"Process {pid} goes on with trip" in stopped.stderr
    held = {album["album"]: album["held"] for album in home.status()["albums"]}
    assert held == {"trip": False, "garden": True}
    assert home.run("retry-failed").stderr == "", "cron leaves it alone, and the rest to who sends"
    assert home.run("resume", "--detach").returncode == 0
    assert not any(album["held"] for album in home.status()["albums"])
    assert [one.process.poll() for one in watching] == [None, None]
    assert home.status()["uploader"]["pid"] == pid

    # The computer restarts: whatever runs is gone.
    for process in (*[one.process.pid for one in watching], pid):
        os.kill(process, signal.SIGKILL)
    for one in watching:
        assert one.end() == -signal.SIGKILL
    assert gone(pid, home) == -signal.SIGKILL
    assert not is_held(home)
    assert set(home.states().values()) <= {"pending", "sending"}
    assert notices(got) == []

    # Cron sends what is left, and each album's end is told once.
    server.may_answer.set()
    assert home.run("retry-failed").returncode == 0
    assert set(home.states().values()) == {"uploaded"}
    assert set(server.names) == {f"IMG_{number}.JPG" for number in (1, 2, 3, 11, 12)}
    assert sorted(notices(got)) == [
        "settled: garden: 2 photos sent",
        "settled: trip: 3 photos sent",
    ]
    assert home.run("retry-failed").stderr == ""
    code, said = home.on_terminal("status")
    assert (code, [line for line in said if " ago: " in line]) == (0, [])
    assert len(notices(got)) == 2


@pytest.mark.process
@pytest.mark.long
def test_an_uploader_whose_state_folder_is_deleted_ends(home: Home, server: FormServer) -> None:
    home.form(server)
    home.photos(3)
    server.may_answer.clear()
    pid = pid_in(home.run("push", "trip", "--detach", "-j1").stderr)
    watching = home.start("watch", "trip")
    assert watching.stderr is not None
    until(lambda: "is uploading" in watching.stderr.readline())
    until(lambda: server.in_flight)
    shutil.rmtree(home.journal.parent)
    seen = finish(watching)
    assert seen.returncode == 1
    assert f"moved or deleted while process {pid} uploads from it" in seen.stderr
    assert gone(pid, home) == 1, "it does not wait for what is in flight"
    server.may_answer.set()
    assert server.requests == ["IMG_1.JPG"]
    assert not home.journal.exists(), "nobody has made an empty one"
    assert home.run("push", "trip").returncode == 0
    assert set(home.states().values()) == {"uploaded"}


@pytest.mark.long
def test_a_pid_that_is_another_programs_by_now_is_left_alone(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    server.says(503)
    assert home.run("push", home.photos(2), "--patience", "0").returncode == 75
    server.says(200)
    other = subprocess.Popen(["sleep", "600"])  # any signal would end it
    try:
        for words in ("status", "watch", "wait trip", "stop --now", "resume"):
            home.sql("update run set ended = null, exit = null, pid = ?", other.pid)
            home.run(*words.split())
            assert other.poll() is None, words
        assert set(home.states().values()) == {"uploaded"}
    finally:
        other.kill()
        other.wait()


def has_open(pid: int, file: Path) -> bool:
    links = Path(f"/proc/{pid}/fd").iterdir()
    return any(one.exists() and one.samefile(file) for one in links)


@pytest.mark.process
@pytest.mark.long
def test_a_state_folder_that_fills_up_ends_the_uploader_and_room_is_all_it_takes(
    home: Home, server: FormServer, tiny_disk: Path
) -> None:
    home.form(server)
    home.photos(20)
    home.env["ALBUMUP_JOURNAL"] = str(tiny_disk / "journal.db")
    home.journal = tiny_disk / "journal.db"
    server.may_answer.clear()
    pid = pid_in(home.run("push", "trip", "--detach", "-j1").stderr)
    until(lambda: server.in_flight)
    watching, waiting = home.start("watch", "trip"), home.start("wait", "trip")
    assert watching.stderr is not None
    until(lambda: "is uploading" in watching.stderr.readline())
    until(lambda: has_open(waiting.pid, home.journal), "it waits")
    until(lambda: home.status()["uploader"].get("uploads"))  # it has shown itself
    ballast = tiny_disk / "ballast"
    with pytest.raises(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 512)
    server.may_answer.set()
    assert gone(pid, home) == 1
    seen = finish(watching)
    assert (seen.returncode, finish(waiting).returncode) == (1, 1)
    assert "the disk is full\nMake room, then: albumup resume\n" in seen.stderr
    for words in (["retry-failed"], ["resume", "--detach"]):
        done = home.run(*words)
        assert (done.returncode, "the disk is full" in done.stderr) == (1, True)
    assert home.run("status").returncode == 0
    ballast.unlink()
    assert home.run("retry-failed").returncode == 0
    assert set(home.states().values()) == {"uploaded"}
    assert set(server.names) == {f"IMG_{number}.JPG" for number in range(1, 21)}
