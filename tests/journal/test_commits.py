"""Group commit: a turn's changes share a commit, what is awaited is durable, and a fault reaches
all who wait."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from test_staging import BOUNDARY, arrival, prepare_all, push

from albumup.errors import LocalError
from albumup.helpers import Threads
from albumup.journal.commits import Commits
from albumup.journal.journal import Journal
from albumup.journal.states import State
from albumup.journal.store import LostTask

PHOTOS = 300
PATIENCE = 60.0  # seconds until a test gives up on something that should have come long ago
ALWAYS_ASIDE, NEVER_ASIDE = -1.0, 3600.0


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(str(tmp_path / "journal.db"))
    push(journal, [arrival(b"%d.jpg" % number) for number in range(PHOTOS)])
    prepare_all(journal)
    yield journal
    journal.close()


@pytest.fixture(params=[ALWAYS_ASIDE, NEVER_ASIDE], ids=["aside", "in the loop"])
def play(
    request: pytest.FixtureRequest, journal: Journal
) -> Callable[[Callable[[Commits], Awaitable[None]]], None]:
    """Runs a story in a loop of its own, with commits of that journal, which are closed at its
    end."""

    def played(story: Callable[[Commits], Awaitable[None]]) -> None:
        async def told() -> None:
            commits = Commits(journal, Threads(), slow=request.param)
            try:
                await asyncio.wait_for(story(commits), PATIENCE)  # type: ignore[arg-type]
            finally:
                await commits.close()

        asyncio.run(told())

    return played


Play = Callable[[Callable[[Commits], Awaitable[None]]], None]


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


async def error_of(waiting: Awaitable[Any]) -> BaseException | None:
    """What a waiter hears, or None."""
    try:
        await waiting
    except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
        return error
    return None


def test_the_changes_of_a_turn_are_one_commit(journal: Journal, play: Play) -> None:
    async def story(commits: Commits) -> None:
        statements: list[str] = []
        journal.connection.set_trace_callback(statements.append)
        attempts = await asyncio.gather(
            *(commits.do(start(number + 1)) for number in range(PHOTOS))
        )
        journal.connection.set_trace_callback(None)
        assert attempts == list(range(1, PHOTOS + 1))
        assert [one.casefold() for one in statements].count("commit") == 1
        assert states(journal) == dict.fromkeys(range(1, PHOTOS + 1), "sending")

    play(story)


def test_a_batch_has_an_end_so_that_a_joiner_waits_no_longer_than_that(
    journal: Journal, play: Play
) -> None:
    async def story(commits: Commits) -> None:
        statements: list[str] = []
        journal.connection.set_trace_callback(statements.append)
        found = await asyncio.gather(
            *(commits.do(lambda journal: journal.rows("select 1")) for _ in range(2000))
        )
        journal.connection.set_trace_callback(None)
        assert all(found)
        assert 1 < [one.casefold() for one in statements].count("commit") <= 10

    play(story)


def test_changes_happen_in_the_order_they_were_handed_over(play: Play) -> None:
    async def story(commits: Commits) -> None:
        commits.note(start(1))
        commits.note(lambda journal: journal.settle_task(1, State.FAILED, "words"))
        commits.note(lambda journal: journal.fresh_set(1, rounds=1))
        assert await commits.do(start(1)) == 2

    play(story)


def test_what_is_awaited_is_committed(journal: Journal, play: Play) -> None:
    async def story(commits: Commits) -> None:
        for task_id in range(1, 20):
            await commits.do(start(task_id))
            assert states(journal)[task_id] == "sending"

    play(story)


def test_nobody_is_told_before_the_commit(journal: Journal, play: Play) -> None:
    """``after`` runs, and a waiter goes on, only when the change would outlive this process."""

    async def story(commits: Commits) -> None:
        seen: list[dict[int, str]] = []
        commits.note(start(1), after=lambda: seen.append(states(journal)))
        await commits.do(start(2))
        seen.append(states(journal))
        assert seen == [{1: "sending", 2: "sending"}] * 2

    play(story)


def test_who_awaits_durability_goes_on_before_the_loop_turns(journal: Journal, play: Play) -> None:
    """After all others were told, and before anything that they begin."""

    async def story(commits: Commits) -> None:
        told: list[str] = []

        async def sends() -> None:
            assert await commits.durable(start(1)) == 1
            assert states(journal) == {1: "sending", 2: "sending"}
            told.append("sent")

        def tell() -> None:
            told.append("told")
            asyncio.get_running_loop().call_soon(told.append, "the next turn")

        sending = asyncio.ensure_future(sends())
        await asyncio.sleep(0)
        commits.note(start(2), after=tell)
        await sending
        await asyncio.sleep(0)
        assert told == ["told", "sent", "the next turn"]

    play(story)


def test_what_goes_on_within_a_commit_is_in_the_next_one(journal: Journal, play: Play) -> None:
    async def story(commits: Commits) -> None:
        async def both() -> None:
            await commits.durable(start(1))
            commits.note(lambda journal: journal.settle_task(1, State.FAILED, "words"))
            await commits.durable(start(2))

        await asyncio.gather(both(), commits.do(start(3)))
        assert states(journal) == {1: "failed", 2: "sending", 3: "sending"}

    play(story)


def test_who_awaits_durability_may_leave(journal: Journal, play: Play) -> None:
    async def story(commits: Commits) -> None:
        leaving = asyncio.ensure_future(commits.durable(start(1)))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert await commits.durable(start(2)) == 2
        assert states(journal) == {1: "sending", 2: "sending"}

    play(story)


def test_who_left_hears_no_more_of_it(play: Play) -> None:
    """Also if the change is lost in the turn in which its task is cancelled."""

    async def story(commits: Commits) -> None:
        def leave() -> None:
            leaving.cancel()

        commits.note(start(1), after=leave)
        leaving = asyncio.ensure_future(commits.durable(start(1)))  # lost
        with pytest.raises(asyncio.CancelledError):
            await leaving

    play(story)


def test_what_nobody_awaits_is_committed_at_a_flush(journal: Journal, play: Play) -> None:
    async def story(commits: Commits) -> None:
        commits.note(start(1))
        commits.note(start(1))  # lost: nobody is there to hear of it
        assert states(journal) == {}
        await commits.flush()
        await commits.flush()
        assert (states(journal), commits.fault) == ({1: "sending"}, None)

    play(story)


def test_what_comes_while_a_commit_is_under_way_is_the_next_one(journal: Journal) -> None:
    """A disk that takes its time holds up neither the loop nor what gathers meanwhile, which is one
    commit."""

    async def story() -> None:
        goes_on: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        class Slow:
            async def run(self, _: object, function: Callable[..., Any], *args: Any) -> Any:
                await goes_on
                return function(*args)

            def close(self) -> None: ...

        commits = Commits(journal, Slow(), slow=ALWAYS_ASIDE)
        statements: list[str] = []
        first = commits.do(start(1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        journal.connection.set_trace_callback(statements.append)
        later = [commits.do(start(number)) for number in range(2, 22)]
        looked = asyncio.ensure_future(commits.read(lambda journal: len(journal.rows("select 1"))))
        await asyncio.sleep(0)
        assert not any(one.done() for one in (first, looked, *later))
        assert states(journal) == {}
        goes_on.set_result(None)
        await asyncio.gather(first, looked, *later)
        assert len(states(journal)) == 21
        assert [one.casefold() for one in statements].count("begin immediate") == 1
        journal.connection.set_trace_callback(None)
        await commits.close()

    asyncio.run(story())


def test_a_look_at_the_journal_brings_no_slow_commit_back_into_the_loop(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes nothing, so that it is quick on the slowest disk."""
    clock, threads = [0.0], []
    commit, seen = journal.commit, [journal.connection.total_changes]

    def slowly() -> None:
        commit()
        if journal.connection.total_changes > seen[0]:
            seen[0] = journal.connection.total_changes
            clock[0] += 1.0
            threads.append(threading.current_thread() is threading.main_thread())

    async def story() -> None:
        commits = Commits(journal, Threads(), slow=0.5)
        for number in range(1, 4):
            await commits.do(start(number))
            await commits.do(lambda journal: journal.rows("select 1"))
        await commits.close()

    monkeypatch.setattr(journal, "commit", slowly)
    monkeypatch.setattr(
        "albumup.journal.commits.time", SimpleNamespace(perf_counter=lambda: clock[0])
    )
    asyncio.run(story())
    assert threads == [True, False, False]


def test_another_process_that_writes_holds_up_no_loop(journal: Journal, play: Play) -> None:
    async def story(commits: Commits) -> None:
        with closing(sqlite3.connect(journal.path, isolation_level=None)) as other:
            other.execute("begin immediate")
            waiting = commits.do(start(1))
            for _ in range(5):
                await asyncio.sleep(0)  # turns of the loop, none of which waits
            assert not waiting.done()
            other.execute("rollback")
        assert await waiting == 1

    play(story)


def test_what_was_awaited_survives_the_process(journal: Journal) -> None:
    code = """
import asyncio, os, sys
from albumup.helpers import Threads
from albumup.journal.commits import Commits
from albumup.journal.journal import Journal

async def story():
    commits = Commits(Journal(sys.argv[1]), Threads())
    attempt = await commits.do(lambda journal: journal.start(1, 1, 'boundary'))
    await commits.do(lambda journal: journal.whole(attempt))
    os._exit(9)

asyncio.run(story())
"""
    assert (
        subprocess.run(
            [sys.executable, "-c", code, journal.path], timeout=60, check=False
        ).returncode
        == 9
    )
    (cut,) = journal.cut_off()
    assert cut.task_id == 1
    assert cut.whole_at is not None


def test_a_lost_task_leaves_the_others_of_its_batch(journal: Journal, play: Play) -> None:
    async def story(commits: Commits) -> None:
        told: list[str] = []
        commits.note(start(1), lambda: told.append("first"))
        commits.note(start(1), lambda: told.append("lost"))
        lost = commits.do(start(1))
        commits.note(start(2), lambda: told.append("last"))
        assert isinstance(await error_of(lost), LostTask)
        await commits.flush()
        assert states(journal) == {1: "sending", 2: "sending"}
        assert (told, commits.fault) == (["first", "last"], None)

    play(story)


def test_a_full_disk_undoes_the_batch_and_reaches_everybody(journal: Journal, play: Play) -> None:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL

    async def story(commits: Commits) -> None:
        heard: list[BaseException] = []
        told: list[str] = []
        commits.on_fault(heard.append)
        commits.note(start(3), lambda: told.append("told"))
        waiting = [commits.do(start(1)), commits.do(fail(error)), commits.do(start(2))]
        errors = await asyncio.gather(*map(error_of, (*waiting, commits.durable(start(4)))))
        assert [str(one) for one in errors] == [f"{journal.path}: the disk is full"] * 4
        assert {type(one) for one in errors} == {LocalError}
        assert heard == [errors[0]]
        assert commits.fault is errors[0]
        assert (states(journal), told) == ({}, [])

    play(story)


def test_after_a_fault_nothing_is_recorded_any_more(journal: Journal, play: Play) -> None:
    async def story(commits: Commits) -> None:
        first = await error_of(commits.do(fail(ZeroDivisionError("a bug"))))
        assert isinstance(first, ZeroDivisionError)
        assert await error_of(commits.do(start(1))) is first
        assert await error_of(commits.durable(start(1))) is first
        assert await error_of(commits.read(start(1))) is first

    play(story)
    assert states(journal) == {}


def test_an_error_while_telling_reaches_everybody_too(journal: Journal, play: Play) -> None:
    """The run must hear of what a listener does."""

    def tell() -> None:
        raise BrokenPipeError

    async def story(commits: Commits) -> None:
        heard: list[BaseException] = []
        commits.on_fault(heard.append)
        commits.note(start(1), after=tell)
        beside = commits.do(start(2))
        assert await error_of(beside) is None
        assert isinstance(commits.fault, BrokenPipeError)
        assert heard == [commits.fault]
        assert await error_of(commits.do(start(3))) is commits.fault
        assert states(journal) == {1: "sending", 2: "sending"}

    play(story)


def test_closing_commits_what_is_queued_and_gives_the_journal_back(
    journal: Journal, play: Play
) -> None:
    async def story(commits: Commits) -> None:
        waiting = [commits.do(start(number + 1)) for number in range(100)]
        await commits.close()
        assert len(states(journal)) == 100
        assert [await one for one in waiting] == list(range(1, 101))
        with journal.transaction():
            journal.start(101, 1, BOUNDARY)
        assert isinstance(await error_of(commits.do(start(102))), LocalError)
        assert len(states(journal)) == 101

    play(story)
