"""Group commit: many changes share a commit, what is waited for is durable, and a fault reaches all who wait."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from test_gathering import BOUNDARY, arrival, prepare_all, push

from albumup.errors import LocalError
from albumup.journal.journal import Journal, LostTask
from albumup.journal.recorder import Pending, Recorder
from albumup.journal.states import State

PHOTOS = 300
PATIENCE = 60.0  # seconds until a test gives up on something that should have come long ago


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(str(tmp_path / "journal.db"))
    push(journal, [arrival(b"%d.jpg" % number) for number in range(PHOTOS)])
    prepare_all(journal)
    yield journal
    journal.close()


@pytest.fixture
def recorder(journal: Journal) -> Iterator[Recorder]:
    """What is handed over before anybody waits is one batch."""
    recorder = Recorder(journal)
    yield recorder
    recorder.close()


def start(task_id: int) -> Callable[[Journal], int]:
    return lambda journal: journal.start(task_id, 1, BOUNDARY)


def fail(error: BaseException) -> Callable[[Journal], None]:
    def change(_: Journal) -> None:
        raise error

    return change


def states(journal: Journal) -> dict[int, str]:
    """As another connection sees them: what is committed."""
    with closing(sqlite3.connect(f"file:{journal.path}?mode=ro", uri=True)) as reader:
        return dict(reader.execute("select id, state from task where state <> 'pending'"))


def error_of(pending: Pending[Any]) -> BaseException | None:
    """What a waiter hears, or None; a hang is a failure of the whole test (pytest-timeout)."""
    try:
        pending.wait()
    except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
        return error
    return None


def test_many_changes_are_few_commits(journal: Journal, recorder: Recorder) -> None:
    statements: list[str] = []
    journal.connection.set_trace_callback(statements.append)
    pendings = [recorder.do(start(number + 1)) for number in range(PHOTOS)]
    attempts = [pending.wait() for pending in pendings]
    journal.connection.set_trace_callback(None)
    assert attempts == list(range(1, PHOTOS + 1))
    assert statements.count("commit") == 1
    assert states(journal) == dict.fromkeys(range(1, PHOTOS + 1), "sending")


def test_a_batch_has_an_end_so_that_a_joiner_waits_no_longer_than_that(journal: Journal, recorder: Recorder) -> None:
    statements: list[str] = []
    journal.connection.set_trace_callback(statements.append)
    pendings = [recorder.do(lambda journal: journal.rows("select 1")) for _ in range(2000)]
    assert all(pending.wait() for pending in pendings)
    journal.connection.set_trace_callback(None)
    assert 1 < statements.count("commit") <= 10


def test_changes_happen_in_the_order_they_were_handed_over(recorder: Recorder) -> None:
    recorder.do(start(1))
    recorder.do(lambda journal: journal.settle_task(1, State.FAILED, "words"))
    recorder.do(lambda journal: journal.fresh_set(1, rounds=1))
    assert recorder.do(start(1)).wait() == 2


def test_what_is_waited_for_is_committed(journal: Journal, recorder: Recorder) -> None:
    for task_id in range(1, 20):
        recorder.do(start(task_id)).wait()
        assert states(journal)[task_id] == "sending"


def test_nobody_is_told_before_the_commit(journal: Journal, recorder: Recorder) -> None:
    """``after`` runs, and a waiter goes on, only when the change would outlive this process."""
    seen: list[dict[int, str]] = []
    pending = recorder.do(start(1), after=lambda: seen.append(states(journal)))
    recorder.do(start(2))
    waiter = threading.Thread(target=lambda: (pending.wait(), seen.append(states(journal))))
    waiter.start()
    waiter.join(PATIENCE)
    assert seen == [{1: "sending", 2: "sending"}] * 2


def test_what_nobody_waits_for_is_committed_at_a_flush(journal: Journal, recorder: Recorder) -> None:
    recorder.do(start(1))
    recorder.do(start(1))  # lost: nobody is there to hear of it
    assert states(journal) == {}
    recorder.flush()
    recorder.flush()
    assert (states(journal), recorder.fault) == ({1: "sending"}, None)


def test_one_commits_for_all_who_wait_meanwhile_and_one_of_those_who_come_later_is_next(
    journal: Journal, recorder: Recorder
) -> None:
    """While the first commits, nobody else uses the journal; all that gathers is the next one's, in one commit."""
    statements: list[str] = []
    began, goes_on = threading.Event(), threading.Event()
    leaders: set[int] = set()

    def slow(_: Journal) -> None:
        began.set()
        assert goes_on.wait(PATIENCE)

    def noted(task_id: int) -> Callable[[Journal], int]:
        def change(journal: Journal) -> int:
            leaders.add(threading.get_ident())
            return journal.start(task_id, 1, BOUNDARY)

        return change

    def wait_for(pending: Pending[int]) -> None:
        asleep.release()
        pending.wait()

    first = threading.Thread(target=lambda: recorder.do(slow).wait())
    first.start()
    assert began.wait(PATIENCE)
    journal.connection.set_trace_callback(statements.append)
    asleep = threading.Semaphore(0)
    pendings = [recorder.do(noted(number + 1)) for number in range(20)]
    waiters = [threading.Thread(target=wait_for, args=[pending]) for pending in pendings]
    for waiter in waiters:
        waiter.start()
        assert asleep.acquire(timeout=PATIENCE)
    assert not any(pending.is_settled for pending in pendings)
    goes_on.set()
    for waiter in [first, *waiters]:
        waiter.join(PATIENCE)
        assert not waiter.is_alive()
    assert len(states(journal)) == 20
    assert (statements.count("begin immediate"), len(leaders)) == (1, 1)


def test_many_threads_at_once_wait_for_what_is_theirs(journal: Journal, recorder: Recorder) -> None:
    found: dict[int, int] = {}

    def work(first: int) -> None:
        for task_id in range(first, PHOTOS + 1, 8):
            found[task_id] = recorder.do(start(task_id)).wait()
            assert states(journal)[task_id] == "sending"

    workers = [threading.Thread(target=work, args=[number + 1]) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(PATIENCE)
        assert not worker.is_alive()
    assert sorted(found.values()) == list(range(1, PHOTOS + 1))


def test_what_was_waited_for_survives_the_process(journal: Journal) -> None:
    code = (
        "import os, sys; from albumup.journal.journal import Journal; from albumup.journal.recorder import Recorder;"
        " recorder = Recorder(Journal(sys.argv[1]));"
        " attempt = recorder.do(lambda journal: journal.start(1, 1, 'boundary')).wait();"
        " recorder.do(lambda journal: journal.whole(attempt)).wait(); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, journal.path], timeout=60, check=False).returncode == 9
    (cut,) = journal.cut_off()
    assert cut.task_id == 1
    assert cut.whole_at is not None


def test_a_lost_task_leaves_the_others_of_its_batch(journal: Journal, recorder: Recorder) -> None:
    told: list[str] = []
    pendings = [
        recorder.do(start(1), lambda: told.append("first")),
        recorder.do(start(1), lambda: told.append("lost")),
        recorder.do(start(2), lambda: told.append("last")),
    ]
    errors = [error_of(pending) for pending in pendings]
    recorder.close()
    assert [type(error) for error in errors] == [type(None), LostTask, type(None)]
    assert states(journal) == {1: "sending", 2: "sending"}
    assert (told, recorder.fault) == (["first", "last"], None)


def test_a_full_disk_undoes_the_batch_and_reaches_everybody(journal: Journal, recorder: Recorder) -> None:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    heard, told = threading.Event(), []
    recorder.on_fault(heard.set)
    pendings = [
        recorder.do(start(1), lambda: told.append("told")),
        recorder.do(fail(error)),
        recorder.do(start(2)),
    ]
    errors = [error_of(pending) for pending in pendings]
    assert [str(error) for error in errors] == [f"{journal.path}: the disk is full"] * 3
    assert {type(error) for error in errors} == {LocalError}
    assert heard.wait(PATIENCE)
    assert recorder.fault is errors[0]
    assert (states(journal), told) == ({}, [])


def test_after_a_fault_nothing_is_recorded_any_more(journal: Journal, recorder: Recorder) -> None:
    first = error_of(recorder.do(fail(ZeroDivisionError("a bug"))))
    assert isinstance(first, ZeroDivisionError)
    assert error_of(recorder.do(start(1))) is first
    recorder.close()
    assert states(journal) == {}


def test_an_error_while_telling_reaches_everybody_too(journal: Journal, recorder: Recorder) -> None:
    """A worker must not die of what a listener does."""
    heard = threading.Event()
    recorder.on_fault(heard.set)

    def tell() -> None:
        raise BrokenPipeError

    told = recorder.do(start(1), after=tell)
    beside = recorder.do(start(2))
    assert (error_of(told), error_of(beside)) == (None, None)
    assert heard.wait(10.0)
    assert isinstance(recorder.fault, BrokenPipeError)
    assert error_of(recorder.do(start(3))) is recorder.fault
    assert states(journal) == {1: "sending", 2: "sending"}


def test_closing_commits_what_is_queued_and_gives_the_journal_back(journal: Journal, recorder: Recorder) -> None:
    pendings = [recorder.do(start(number + 1)) for number in range(100)]
    recorder.close()
    assert len(states(journal)) == 100
    assert [pending.wait() for pending in pendings] == list(range(1, 101))
    with journal.transaction():
        journal.start(101, 1, BOUNDARY)
    late = error_of(recorder.do(start(102)))
    assert isinstance(late, LocalError)
    assert len(states(journal)) == 101
