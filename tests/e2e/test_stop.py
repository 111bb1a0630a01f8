"""``stop``: all albums, one of them, at once; and what it never does."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator

import pytest
from servers import FormServer, Step, answer
from servers import Received as Photo

from .conftest import Home, finish, until

pytestmark = pytest.mark.process

BIG = 20 << 20


def hear(process: subprocess.Popen[str], words: str) -> None:
    assert process.stderr is not None
    assert any(words in line for line in process.stderr), f"never said: {words}"


def uploader(home: Home, server: FormServer, *args: object) -> subprocess.Popen[str]:
    """A push of the album ``trip`` that waits for an answer, one photo of two in flight."""
    home.form(server)
    home.photos(2)
    server.may_answer.clear()
    process = home.start("push", "trip", "-j1", *args)
    until(lambda: server.in_flight)
    return process


def follower(home: Home) -> subprocess.Popen[str]:
    """A push of the album ``more``, once the uploader has it."""
    home.photos(2, "more", first=11)
    process = home.start("push", "more")
    until(lambda: (2,) in home.sql("select count(*) from scope"), "handed over")
    return process


@pytest.fixture
def may_go(server: FormServer) -> Iterator[threading.Event]:
    """Set once photos of the album ``more`` may be answered."""
    event = threading.Event()

    def answered(photo: Photo) -> Step:
        if photo.filename.startswith("IMG_1") and len(photo.filename) > len("IMG_1.JPG"):
            event.wait(60)
        return answer(200, {})

    server.answer = answered
    yield event
    event.set()


def held(home: Home) -> list[str]:
    return [album["album"] for album in home.status()["albums"] if album["held"]]


def test_one_of_two_albums_stops_and_the_other_goes_on(
    home: Home, server: FormServer, may_go: threading.Event
) -> None:
    first = uploader(home, server)
    second = follower(home)
    stop = home.start("stop", "trip")
    hear(stop, "Waiting until 1 upload (IMG_1.JPG: 2.0 kB) in flight has ended. To cut:")
    assert stop.poll() is None
    server.may_answer.set()
    done = finish(stop)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "trip: stopped, 1 of 2 sent, 1 waiting. On hold until: albumup resume trip",
        f"Process {first.pid} goes on with more.",
    ]
    assert held(home) == ["trip"]
    may_go.set()
    assert finish(second).returncode == 0
    ended = finish(first)
    assert ended.returncode == 143
    line = "trip: stopped, 1 of 2 sent, 1 waiting. On hold until: albumup resume trip"
    assert f"{line}    (exit 143)" in ended.stderr
    assert Counter(server.names) == dict.fromkeys(["IMG_1.JPG", "IMG_11.JPG", "IMG_12.JPG"], 1)


def test_a_command_whose_album_stops_ends_with_it(
    home: Home, server: FormServer, may_go: threading.Event
) -> None:
    first = uploader(home, server)
    second = follower(home)
    done = home.run("stop", "more")
    assert "more: stopped, 0 of 2 sent, 2 waiting" in done.stderr
    assert f"Process {first.pid} goes on with trip." in done.stderr
    ended = finish(second)
    assert ended.returncode == 143
    assert "0 of 2 sent, 2 waiting. On hold until: albumup resume" in ended.stderr
    server.may_answer.set()
    may_go.set()
    assert finish(first).returncode == 0
    assert server.names == ["IMG_1.JPG", "IMG_2.JPG"]


def test_all_of_it_stops_and_the_uploader_ends(home: Home, server: FormServer) -> None:
    first = uploader(home, server)
    stop = home.start("stop")
    hear(stop, "To cut: albumup stop --now")
    server.may_answer.set()
    done = finish(stop)
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "trip: stopped, 1 of 2 sent, 1 waiting. On hold until: albumup resume trip",
        f"Process {first.pid} ends.",
    ]
    assert finish(first).returncode == 143
    cron = home.run("retry-failed")
    assert (cron.returncode, cron.stderr) == (0, "")
    assert server.names == ["IMG_1.JPG"]
    assert home.run("resume", "trip").returncode == 0
    assert Counter(server.names) == {"IMG_1.JPG": 1, "IMG_2.JPG": 1}


def test_now_cuts_and_says_what_is_to_be_sent_again(home: Home, server: FormServer) -> None:
    home.form(server)
    home.photos(1, size=BIG)
    server.may_read.clear()
    first = home.start("push", "trip")
    until(lambda: server.in_flight)
    until(lambda: home.sql("select 1 from task where state = 'sending'"))
    done = home.run("stop", "--now")
    assert done.returncode == 0
    *_, cut, album, process = done.stderr.splitlines()
    assert cut.startswith("Cut 1 upload (IMG_1.JPG: ")
    assert cut.endswith("B to send again)")
    assert album == "trip: stopped, 0 of 1 sent, 1 waiting. On hold until: albumup resume trip"
    assert process == f"Process {first.pid} ends."
    assert finish(first).returncode == 143
    assert server.ledger == []
    assert home.sql("select tries from task") == [(0,)]
    server.may_read.set()
    assert home.run("push", "trip").returncode == 0
    assert held(home) == []


def test_now_says_which_photos_may_be_there_already(home: Home, server: FormServer) -> None:
    home.form(server)
    assert home.run("push", home.photos(1, "first", first=9)).returncode == 0
    home.photos(3)
    server.may_answer.clear()
    first = home.start("push", "trip", "-j2")
    until(lambda: server.in_flight == 2)
    until(lambda: home.sql("select count(*) from attempt where whole_at > 0")[0] == (3,))
    done = home.run("stop", "--now")
    assert done.returncode == 0
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("Cut ")]
    assert said.startswith("Cut before the answer came: 2 uploads (IMG_1.JPG, IMG_2.JPG: ")
    assert said.endswith("B); they may be there already")
    assert finish(first).returncode == 143


@pytest.mark.long
def test_a_stopped_album_that_is_resumed_comes_back_into_the_run(
    home: Home, server: FormServer, may_go: threading.Event
) -> None:
    first = uploader(home, server)
    second = follower(home)
    stop = home.start("stop", "trip")
    hear(stop, "Waiting")
    server.may_answer.set()
    assert finish(stop).returncode == 0
    third = home.start("resume", "trip")
    hear(third, "is uploading")
    may_go.set()
    assert [finish(process).returncode for process in (first, second, third)] == [0, 0, 0]
    assert home.sql("select count(*) from run") == [(1,)]
    assert len(server.names) == 4


@pytest.mark.long
def test_two_stops_at_once_both_return(home: Home, server: FormServer) -> None:
    first = uploader(home, server)
    stops = [home.start("stop"), home.start("stop", "trip")]
    for stop in stops:
        hear(stop, "Waiting")
    server.may_answer.set()
    assert [finish(stop).returncode for stop in stops] == [0, 0]
    assert finish(first).returncode == 143
    assert held(home) == ["trip"]


@pytest.mark.long
def test_an_uploader_that_dies_meanwhile_counts_as_stopped(home: Home, server: FormServer) -> None:
    first = uploader(home, server)
    stop = home.start("stop")
    hear(stop, "Waiting")
    first.kill()
    first.wait()
    done = finish(stop)
    assert done.returncode == 0
    assert "trip: stopped" in done.stderr
    assert held(home) == ["trip"]


def test_ctrl_c_at_stop_leaves_and_it_stops_all_the_same(home: Home, server: FormServer) -> None:
    first = uploader(home, server)
    stop = home.start("stop")
    hear(stop, "Waiting")
    stop.send_signal(signal.SIGINT)
    done = finish(stop)
    assert done.returncode == 130
    assert f"Process {first.pid} lets go of it" in done.stderr
    server.may_answer.set()
    assert finish(first).returncode == 143
    assert server.names == ["IMG_1.JPG"]


def test_without_an_uploader_albums_are_put_on_hold(home: Home, server: FormServer) -> None:
    first = uploader(home, server)
    first.kill()
    first.wait()
    foreign = subprocess.Popen(["sleep", "60"])  # has the dead uploader's process id by now
    home.sql("update run set pid = ?", foreign.pid)
    try:
        done = home.run("stop")
        assert done.returncode == 0
        assert done.stderr.splitlines() == [
            "Nobody is uploading.",
            "trip: on hold now, 0 of 2 sent, 2 waiting. Until: albumup resume trip",
        ]
        assert "trip: on hold already, 0 of 2 sent" in home.run("stop", "trip", "--now").stderr
        assert foreign.poll() is None
    finally:
        foreign.kill()
        foreign.wait()
    server.may_answer.set()
    assert home.run("retry-failed").returncode == 0
    assert server.names in ([], ["IMG_1.JPG"])  # what was cut off may have been read by now
    assert home.run("resume").returncode == 0


def test_what_there_is_not_to_stop_is_said(home: Home, server: FormServer) -> None:
    home.form(server)
    nothing = home.run("stop")
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert nothing.stderr.startswith("nothing to stop (")
    assert home.run("push", home.photos(1)).returncode == 0
    assert "nothing to stop" in home.run("stop").stderr
    assert home.run("stop", "trip").stderr == "trip: nothing left to stop, 1 of 1 sent\n"
    wrong = home.run("stop", "trp")
    assert wrong.returncode == 2
    assert "did you mean trip?" in wrong.stderr
    assert held(home) == []
