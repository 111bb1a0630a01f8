"""Ctrl-C, hang-up, kill: nothing is lost, and what was sent twice is known."""

from __future__ import annotations

import signal
import subprocess
from collections import Counter

import pytest

from .conftest import COMMAND, Home, finish, until
from .server import FormServer

BIG = 20 << 20  # more than the kernel takes from a server that reads but half of it


def stop(process: subprocess.Popen[str], number: signal.Signals, code: int) -> str:
    """Send a signal and wait for the end with ``code``; what was said."""
    process.send_signal(number)
    done = finish(process)
    assert done.returncode == code, done.stderr
    return done.stderr


def ctrl_c_twice(process: subprocess.Popen[str]) -> None:
    """Once, and when that was heard, once more: signals that wait are one signal."""
    process.send_signal(signal.SIGINT)
    hear(process, "Ctrl-C again cuts all")
    stop(process, signal.SIGINT, 130)


def hear(process: subprocess.Popen[str], words: str) -> None:
    assert process.stderr is not None
    assert any(words in line for line in process.stderr), f"never said: {words}"


def in_the_middle(home: Home, server: FormServer, *args: object) -> subprocess.Popen[str]:
    """A push of four photos of which one is stuck in the middle of its body."""
    home.photos(4, size=BIG)
    server.may_read.clear()
    process = home.start("push", "trip", *args)
    until(lambda: server.in_flight)
    until(lambda: (4,) in home.sql("select count(*) from body"), "all photos are read")
    until(lambda: home.sql("select 1 from task where state = 'sending'"), "the journal knows what is sent")
    return process


def awaiting_an_answer(home: Home, server: FormServer, *args: object) -> subprocess.Popen[str]:
    """A push of two photos of which one was sent to its end, and the answer is held back."""
    home.photos(2)
    server.may_answer.clear()
    process = home.start("push", "trip", "-j1", *args)
    until(lambda: server.ledger)
    return process


def test_ctrl_c_lets_a_body_that_is_sent_finish(home: Home, server: FormServer) -> None:
    home.form(server)
    process = awaiting_an_answer(home, server)
    process.send_signal(signal.SIGINT)
    hear(process, "Finishing 1 upload")
    server.may_answer.set()
    done = finish(process)
    assert done.returncode == 130
    assert "1 of 2 sent, 1 waiting" in done.stderr
    assert "albumup resume" in done.stderr
    assert home.states() == {"IMG_1.JPG": "uploaded", "IMG_2.JPG": "pending"}


def test_a_second_ctrl_c_cuts_at_once(home: Home, server: FormServer) -> None:
    home.form(server, 'resend = "never"\n')
    process = in_the_middle(home, server)
    ctrl_c_twice(process)
    assert server.ledger == []
    server.may_read.set()
    assert home.album()["counts"]["pending"] == 4
    assert home.run("resume").returncode == 0
    assert Counter(server.names) == {f"IMG_{number}.JPG": 1 for number in range(1, 5)}


def test_ctrl_c_holds_the_album_and_cron_leaves_it_alone(home: Home, server: FormServer) -> None:
    home.form(server)
    process = in_the_middle(home, server)
    ctrl_c_twice(process)
    server.may_read.set()
    assert home.album()["held"] is True
    cron = home.run("retry-failed")
    assert (cron.returncode, cron.stdout, cron.stderr) == (0, "", "")
    assert server.ledger == []
    assert home.run("resume").returncode == 0
    assert home.album()["held"] is False
    assert len(server.ledger) == 4


@pytest.mark.parametrize("command", [["push", "trip"], ["retry-failed", "trip"], ["resume", "trip"]], ids=" ".join)
def test_a_hold_is_lifted_by_asking_for_the_album(home: Home, server: FormServer, command: list[str]) -> None:
    home.form(server)
    process = in_the_middle(home, server)
    ctrl_c_twice(process)
    server.may_read.set()
    assert home.run(*command).returncode == 0
    assert home.album()["held"] is False
    assert len(server.ledger) == 4


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_term_and_hang_up_hold_nothing(home: Home, server: FormServer, number: signal.Signals, code: int) -> None:
    home.form(server)
    process = in_the_middle(home, server)
    process.send_signal(number)
    hear(process, "Finishing 1 upload")
    stop(process, number, code)
    server.may_read.set()
    assert home.album()["held"] is False
    assert home.run("retry-failed").returncode == 0
    assert Counter(server.names) == {f"IMG_{number}.JPG": 1 for number in range(1, 5)}


def test_term_cuts_by_itself_when_its_grace_is_over(home: Home, server: FormServer) -> None:
    home.form(server)
    process = in_the_middle(home, server)
    stop(process, signal.SIGTERM, 143)
    assert server.ledger == []
    assert home.album()["counts"]["pending"] == 4


def test_an_ignored_hang_up_stays_ignored(home: Home, server: FormServer) -> None:
    home.form(server)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does; children inherit it
    try:
        process = awaiting_an_answer(home, server)
    finally:
        signal.signal(signal.SIGHUP, before)
    process.send_signal(signal.SIGHUP)
    server.may_answer.set()
    assert finish(process).returncode == 0
    assert len(server.ledger) == 2


def test_ctrl_c_before_anything_is_queued(home: Home) -> None:
    home.photos(1)
    process = subprocess.Popen(
        [*COMMAND, "push", "--album", "x", "--files-from", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=home.env, cwd=home.folder,
    )  # fmt: skip
    until(lambda: "read" in _waits_in(process.pid), "it reads the list")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.strip()) == (130, "", "Stopped.")
    assert not home.journal.exists()


def _waits_in(pid: int) -> str:
    """What a process sleeps in, by the kernel's word."""
    try:
        with open(f"/proc/{pid}/wchan") as file:
            return file.read()
    except OSError:
        pytest.skip("this system does not say what a process waits for")


# Kills.


def test_a_kill_in_the_middle_loses_nothing_and_sends_nothing_twice(home: Home, server: FormServer) -> None:
    home.form(server)
    process = in_the_middle(home, server)
    process.kill()
    process.wait()
    assert home.album()["counts"]["sending"] == 1
    server.may_read.set()
    assert home.run("resume").returncode == 0
    assert Counter(server.names) == {f"IMG_{number}.JPG": 1 for number in range(1, 5)}
    assert [task["maybe_twice"] for task in home.tasks()] == [False] * 4
    assert home.sql("select tries from v_tasks") == [(1,)] * 4


def test_a_kill_after_the_last_byte_may_send_twice_and_list_says_which(home: Home, server: FormServer) -> None:
    home.form(server)
    process = awaiting_an_answer(home, server)
    process.kill()
    process.wait()
    server.may_answer.set()
    assert home.run("resume").returncode == 0
    assert Counter(server.names) == {"IMG_1.JPG": 2, "IMG_2.JPG": 1}
    assert {task["sent_as"]: task["maybe_twice"] for task in home.tasks()} == {"IMG_1.JPG": True, "IMG_2.JPG": False}
    lines = home.run("list").stdout.splitlines()
    assert ["may be there twice" in line for line in lines] == [True, False]


def test_where_the_server_dedupes_nothing_is_said_of_twice(home: Home, server: FormServer) -> None:
    home.form(server, 'resend = "safe"\n')
    process = awaiting_an_answer(home, server)
    process.kill()
    process.wait()
    server.may_answer.set()
    assert home.run("resume").returncode == 0
    assert not any(task["maybe_twice"] for task in home.tasks())


def test_with_resend_never_a_kill_after_the_last_byte_leaves_a_doubt(home: Home, server: FormServer) -> None:
    home.form(server, 'resend = "never"\n')
    process = awaiting_an_answer(home, server)
    process.kill()
    process.wait()
    server.may_answer.set()
    done = home.run("resume")
    assert done.returncode == 3
    assert home.states() == {"IMG_1.JPG": "in_doubt", "IMG_2.JPG": "uploaded"}
    assert "IMG_1.JPG" in done.stderr
    assert "--in-doubt" in done.stderr
    assert Counter(server.names) == {"IMG_1.JPG": 1, "IMG_2.JPG": 1}
    assert home.run("retry-failed", "trip").returncode == 3
    assert len(server.ledger) == 2
    assert home.run("retry-failed", "trip", "--in-doubt").returncode == 0
    assert Counter(server.names) == {"IMG_1.JPG": 2, "IMG_2.JPG": 1}


def test_the_inbox_is_asked_and_holds_everything_once(home: Home) -> None:
    trip = home.photos(30)
    process = home.start("push", trip, "--json")
    assert process.stdout is not None
    until(lambda: '"uploaded"' in process.stdout.readline())
    process.kill()
    process.wait()
    home.sql("update task set ask_at = 0 where ask_at is not null")
    assert home.run("resume").returncode == 0
    assert {path.name: path.read_bytes() for path in (home.inbox / "trip").iterdir()} == {
        path.name: path.read_bytes() for path in trip.iterdir()
    }


def test_a_kill_between_the_end_and_the_word_of_it_still_gets_the_word_told(home: Home, server: FormServer) -> None:
    home.form(server)
    assert home.run("push", home.photos(1)).returncode == 0
    home.sql("update notice set delivered = null")  # as a kill just after the last commit leaves it
    first, second = home.run("resume"), home.run("resume")
    assert "trip: finished" in first.stderr
    assert "trip: finished" not in second.stderr
