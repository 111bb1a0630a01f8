"""Ctrl-C, hang-up, kill: nothing is lost, and what was sent twice is known."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import termios
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest
from servers import FormServer, answer
from short import short_form

from albumup.session.signals import GRACE

from .conftest import COMMAND, PATIENCE, Home, finish, until

pytestmark = pytest.mark.process

Reader = Callable[[], AbstractContextManager[int]]
"""What opens a stream, to write to, that nobody reads."""
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
    until(
        lambda: home.sql("select 1 from task where state = 'sending'"),
        "the journal knows what is sent",
    )
    return process


def awaiting_an_answer(home: Home, server: FormServer, *args: object) -> subprocess.Popen[str]:
    """A push of two photos of which one was sent to its end, and the answer is held back."""
    home.photos(2)
    server.may_answer.clear()
    process = home.start("push", "trip", "-j1", *args)
    until(lambda: server.ledger)
    return process


def test_ctrl_c_names_what_it_cuts(home: Home, server: FormServer) -> None:
    home.form(server)
    home.photos(1, size=BIG)
    process = home.start("push", "trip", "--limit-rate", "100k")
    until(lambda: server.in_flight)
    process.send_signal(signal.SIGINT)
    done = finish(process)
    assert done.returncode == 130
    assert "Cutting 1 upload (IMG_1.JPG" in done.stderr
    assert "Finishing" not in done.stderr


@pytest.mark.long
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


@pytest.mark.long
@pytest.mark.parametrize(
    "command", [["push", "trip"], ["retry-failed", "trip"], ["resume", "trip"]], ids=" ".join
)
def test_a_hold_is_lifted_by_asking_for_the_album(
    home: Home, server: FormServer, command: list[str]
) -> None:
    home.form(server)
    process = in_the_middle(home, server)
    ctrl_c_twice(process)
    server.may_read.set()
    assert home.run(*command).returncode == 0
    assert home.album()["held"] is False
    assert len(server.ledger) == 4


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_term_and_hang_up_hold_nothing(
    home: Home, server: FormServer, number: signal.Signals, code: int
) -> None:
    home.form(server)
    process = in_the_middle(home, server)
    process.send_signal(number)
    hear(process, "Finishing 1 upload")
    stop(process, number, code)
    server.may_read.set()
    assert home.album()["held"] is False
    assert home.run("retry-failed").returncode == 0
    assert Counter(server.names) == {f"IMG_{number}.JPG": 1 for number in range(1, 5)}


@pytest.mark.long
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
    process = home.start("push", "--album", "x", "--files-from", "-", stdin=subprocess.PIPE)
    until(lambda: any("read" in where for where in _waits_in(process.pid)), "it reads the list")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.strip()) == (130, "", "Stopped.")
    assert not home.journal.exists()


def _waits_in(pid: int) -> list[str]:
    """What the threads of a process sleep in, by the kernel's word."""
    try:
        return [file.read_text() for file in Path(f"/proc/{pid}/task").glob("*/wchan")]
    except OSError:
        pytest.skip("this system does not say what a process waits for")


# Kills.


def test_a_kill_in_the_middle_loses_nothing_and_sends_nothing_twice(
    home: Home, server: FormServer
) -> None:
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


def test_a_kill_after_the_last_byte_may_send_twice_and_list_says_which(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    process = awaiting_an_answer(home, server)
    process.kill()
    process.wait()
    server.may_answer.set()
    assert home.run("resume").returncode == 0
    assert Counter(server.names) == {"IMG_1.JPG": 2, "IMG_2.JPG": 1}
    assert {task["sent_as"]: task["maybe_twice"] for task in home.tasks()} == {
        "IMG_1.JPG": True,
        "IMG_2.JPG": False,
    }
    lines = home.run("list").stdout.splitlines()
    assert ["may be there twice" in line for line in lines] == [True, False]


@pytest.mark.long
def test_where_the_server_dedupes_nothing_is_said_of_twice(home: Home, server: FormServer) -> None:
    home.form(server, 'resend = "safe"\n')
    process = awaiting_an_answer(home, server)
    process.kill()
    process.wait()
    server.may_answer.set()
    assert home.run("resume").returncode == 0
    assert not any(task["maybe_twice"] for task in home.tasks())


def test_with_resend_never_a_kill_after_the_last_byte_leaves_a_doubt(
    home: Home, server: FormServer
) -> None:
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


@pytest.mark.long
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


def test_a_kill_between_the_end_and_the_word_of_it_still_gets_the_word_told(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    assert home.run("push", home.photos(1)).returncode == 0
    home.sql("update notice set delivered = null")  # as a kill just after the last commit leaves it
    (_, first), (_, second) = home.on_terminal("resume"), home.on_terminal("resume")
    assert first[0].startswith("trip: finished "), first
    assert not [line for line in second if "trip: finished" in line]


# Before anything has begun, and beside readers that have stopped.

_WAITS = """
import os, time
def wait(*_):
    open(os.environ["MARK"], "w").close()
    while True:
        time.sleep(0.01)
"""
_AT_ONCE = _WAITS + "wait()\n"
_IN_A_CALLBACK = (
    _WAITS + "class Doomed:\n    __del__ = wait\nDoomed()\nwhile True:\n    time.sleep(0.01)\n"
)


@pytest.mark.parametrize("number", short_form([signal.SIGINT, signal.SIGTERM, signal.SIGHUP]))
@pytest.mark.parametrize(
    ("module", "code"),
    [("click", _AT_ONCE), ("msgspec", _AT_ONCE), ("msgspec", _IN_A_CALLBACK)],
    ids=["before the command is known", "in the command", "where nothing can be raised"],
)
def test_a_signal_while_python_loads_modules_ends_it_quietly(
    home: Home, module: str, code: str, number: signal.Signals
) -> None:
    """One of the libraries takes its time to load; a real start, with its own interpreter."""
    (home.folder / "slow").mkdir()
    (home.folder / "slow" / f"{module}.py").write_text(code)
    mark = home.folder / "mark"
    path = ":".join([str(home.folder / "slow"), home.env.get("PYTHONPATH", "")])
    variables = {"PYTHONPATH": path, "MARK": str(mark)}
    process = home.start("push", home.photos(1), "-j8", launch=COMMAND, **variables)
    until(mark.exists)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (128 + number, "")
    assert err in ("", "Stopped.\n")


@pytest.fixture
def unread() -> Iterator[int]:
    """The writing end of a small pipe that nobody reads."""
    reads, writes = os.pipe()
    fcntl.fcntl(writes, fcntl.F_SETPIPE_SZ, 4096)
    yield writes
    os.close(reads)
    os.close(writes)


@pytest.mark.parametrize("stream", short_form(["stdout", "stderr"]))
def test_a_reader_that_stops_reading_stops_no_upload_and_no_way_out(
    home: Home, server: FormServer, unread: int, stream: str
) -> None:
    home.form(server)
    server.answer = lambda received: answer(413 if received.filename != "IMG_1.JPG" else 200, {})
    home.photos(100)
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: unread}
    process = home.start("push", "trip", "--json", **streams)
    until(lambda: len(server.ledger) == 100, "all are sent, whoever reads of it")
    until(
        lambda: (1,) in home.sql("select count(*) from run where ended is not null"),
        "the run is over",
    )
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 3


@pytest.mark.long
def test_a_reader_that_stops_reading_does_not_keep_the_second_ctrl_c_from_ending_it(
    home: Home, server: FormServer, unread: int
) -> None:
    home.form(server)
    home.photos(100)
    server.may_answer.clear()
    process = home.start("push", "trip", "--json", "-j1", stdout=unread)
    until(lambda: server.ledger)
    ctrl_c_twice(process)
    assert home.album()["held"] is True


@contextmanager
def stopped_terminal() -> Iterator[int]:
    """One that takes nothing more: Ctrl-S, before the first word."""
    with unread_terminal() as theirs:
        termios.tcflow(theirs, termios.TCOOFF)
        yield theirs


@contextmanager
def unread_terminal() -> Iterator[int]:
    """One whose window hangs: it takes what its buffer holds, and nobody reads that."""
    ours, theirs = os.openpty()
    yield theirs
    os.close(ours)
    os.close(theirs)


@contextmanager
def full_pipe() -> Iterator[int]:
    """One that takes nothing more, before the first word."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writes, bytes(4096))
    os.set_blocking(writes, True)
    yield writes
    os.close(reads)
    os.close(writes)


STUCK = short_form([stopped_terminal, full_pipe, unread_terminal], 2)


def beside(home: Home, stuck: int, *words: str) -> subprocess.Popen[str]:
    """The command, whose every word goes where nobody reads it."""
    return home.start(*words, stdout=stuck, stderr=stuck)


def one_in_flight(home: Home, server: FormServer, stuck: int) -> subprocess.Popen[str]:
    """A push of forty photos beside a reader that is stuck; the first waits for its answer."""
    home.form(server)
    home.photos(40)
    server.may_answer.clear()
    process = beside(home, stuck, "push", "trip", "--json", "-j1")
    until(lambda: server.ledger)
    return process


@pytest.mark.parametrize("reader", STUCK)
@pytest.mark.parametrize("command", short_form(["push", "resume", "retry-failed"]))
def test_all_is_sent_though_no_word_gets_out(
    home: Home, server: FormServer, reader: Reader, command: str
) -> None:
    home.form(server)
    home.run("push", home.photos(1, "first", first=99))  # the server is proven
    home.photos(40)
    if command != "push":
        server.answer = lambda _: answer(401 if command == "resume" else 418, {})
        home.run("push", "trip", "--retries", "0")
    server.ledger.clear()
    server.answer = lambda received: answer(413 if received.filename != "IMG_1.JPG" else 200, {})
    with reader() as stuck:
        process = beside(home, stuck, command, "trip", "--json")
        until(lambda: len(server.ledger) == 40, "all are sent, whoever reads of it")
        until(lambda: home.sql("select 1 from run where ended is null") == [], "the run is over")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 3


@pytest.mark.parametrize("reader", STUCK)
def test_two_signals_end_it_beside_a_reader_that_is_stuck(
    home: Home, server: FormServer, reader: Reader
) -> None:
    with reader() as stuck:
        process = one_in_flight(home, server, stuck)
        process.send_signal(signal.SIGINT)
        process.send_signal(
            signal.SIGTERM
        )  # a second Ctrl-C might come before the first one was heard
        assert process.wait(GRACE[signal.SIGINT] / 2) in (130, 143)
    assert home.album()["counts"]["pending"] >= 39


@pytest.mark.long
@pytest.mark.parametrize("reader", STUCK)
def test_one_signal_ends_it_in_its_grace_beside_a_reader_that_is_stuck(
    home: Home, server: FormServer, reader: Reader
) -> None:
    with reader() as stuck:
        process = one_in_flight(home, server, stuck)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 143
    assert home.album()["counts"]["pending"] >= 39


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_terminal_does_not_keep_a_signal_from_ending_what_waits_for_it(
    home: Home, number: signal.Signals
) -> None:
    home.run("push", home.photos(1))
    with stopped_terminal() as stuck:
        process = home.start("status", stdout=stuck)
        writing = {"n_tty_write", "wait_woken"}
        until(lambda: writing & set(_waits_in(process.pid)), "it waits for the terminal")
        process.send_signal(number)
        assert process.wait(60) == 128 + number


def test_what_was_said_stands_before_an_error_though_nobody_read_it_yet(home: Home) -> None:
    (home.folder / "trip").mkdir()
    for number in range(2000):  # of which a pipe does not take all
        (home.folder / "trip" / f"{number}.txt").write_text("no photo")
    process = home.start("push", "trip", "-v")

    def is_asleep() -> bool:
        """Nobody looks for photos any more; one thread waits for the other, which writes."""
        waits = _waits_in(process.pid)
        return len(waits) == 2 and {"futex", "pipe"} == {
            word for word in ("futex", "pipe") for at in waits if word in at
        }

    until(is_asleep, "all that is left is to be said")
    done = finish(process)
    *skipped, last = [
        line for line in done.stderr.splitlines() if line.startswith(("skipped", "albumup:"))
    ]
    assert (done.returncode, len(skipped)) == (2, 2000)
    assert last.startswith("albumup: no photo")
