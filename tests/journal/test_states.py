"""The state machine of a task: its table is the design's, and the journal's methods keep to it whatever is called."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from msgspec import structs
from test_staging import BOUNDARY, arrival, body_for, push

from albumup.journal import copies, framing, pauses, runs
from albumup.journal.admin import cancel, forget
from albumup.journal.journal import Journal, LostTask
from albumup.journal.rows import Framed
from albumup.journal.staging import Action
from albumup.journal.states import DONE, TRANSITIONS, WANTING, State, sources_of
from albumup.photos.pins import Pins

DESIGN = """
    pending -> sending
    sending -> uploaded | duplicate | rejected | failed | in_doubt | missing | pending
    in_doubt -> uploaded | duplicate | pending
    pending -> duplicate | rejected | missing | failed | in_doubt
    failed | missing | rejected | in_doubt -> pending
    pending | sending | rejected | failed | in_doubt | missing -> cancelled
"""
"""The lines of docs/design.md; the last one says there "any of the unsent"."""

STEPS = {
    (State(source), State(target))
    for line in DESIGN.strip().splitlines()
    for source, target in itertools.product(*(side.strip().split(" | ") for side in line.split("->")))
}


def test_the_table_of_transitions_is_that_of_the_design() -> None:
    assert {(source, target) for source, targets in TRANSITIONS.items() for target in targets} == STEPS
    assert TRANSITIONS.keys() == set(State)


def test_sources_are_the_table_read_backwards() -> None:
    assert {(source, target) for target in State for source in sources_of(target)} == STEPS


def test_sent_photos_are_done_and_those_that_want_something_are_named() -> None:
    assert {State.UPLOADED, State.DUPLICATE} == DONE
    assert {State.FAILED, State.REJECTED, State.MISSING, State.IN_DOUBT} == WANTING


# What comes next.


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Two albums, "trip" with photos 1 to 4 and "home" with 5 and 6, all prepared, at the time 1000."""
    journal = Journal(str(tmp_path / "journal.db"), clock=Clock())
    for album, photos in (("trip", range(1, 5)), ("home", range(5, 7))):
        push(journal, [arrival(b"%d.jpg" % number) for number in photos], album)
    with journal.transaction():
        for task in range(1, 7):
            journal.prepared(task, body_for(100), f"{task}.jpg")
    yield journal
    journal.close()


def later(journal: Journal, task: int, at: float, *, maybe_twice: bool = False) -> None:
    with journal.transaction():
        journal.start(task, 1, BOUNDARY)
        journal.try_later(task, "408", tries=1, frees=2, next_at=at, maybe_twice=maybe_twice)


def doubt(journal: Journal, task: int, ask_at: float | None) -> None:
    with journal.transaction():
        attempt = journal.start(task, 1, BOUNDARY)
        journal.end_attempt(attempt, "in_doubt", sent=100, error="the answer was lost")
        journal.doubt(task, "the answer was lost", tries=1, ask_at=ask_at)


def ready(journal: Journal, now: float, *, untried: bool, album: int = 1, root: int = 1) -> list[int]:
    return [task.id for task in journal.ready(album, root, now, 10, untried)]


def test_untried_photos_are_ready_in_the_order_of_their_push(journal: Journal) -> None:
    with journal.transaction():
        journal.start(2, 1, BOUNDARY)
    assert ready(journal, 1000.0, untried=True) == [1, 3, 4]
    assert [task.id for task in journal.ready(1, 1, 1000.0, 2, True)] == [1, 3]
    assert ready(journal, 1000.0, untried=True, album=2) == [5, 6]
    assert ready(journal, 1000.0, untried=True, root=2) == []


def test_a_photo_just_tried_is_ready_when_its_time_has_come_and_apart_from_the_untried(journal: Journal) -> None:
    later(journal, 1, 1005.0)
    later(journal, 2, 1003.0)
    assert ready(journal, 9999.0, untried=True) == [3, 4]
    assert [ready(journal, now, untried=False) for now in (1002.9, 1003.0, 1005.0)] == [[], [2], [2, 1]]
    assert ready(journal, 9999.0, untried=False, album=2) == []


def test_a_photo_without_a_body_is_to_be_prepared_and_not_ready(journal: Journal) -> None:
    with journal.transaction():
        for task in (1, 3, 5):
            journal.prepare_again(task)
        journal.start(2, 1, BOUNDARY)
    assert [task.id for task in journal.unprepared(1, 1, 10)] == [1, 3]
    assert [task.id for task in journal.unprepared(1, 1, 1)] == [1]
    assert [task.id for task in journal.unprepared(1, 1, 10, after=1)] == [3]
    assert [task.id for task in journal.unprepared(2, 1, 10)] == [5]
    assert journal.unprepared(1, 2, 10) == []
    assert ready(journal, 1000.0, untried=True) == [4]


def test_tasks_to_skip_are_left_out_and_others_come_in_their_place(journal: Journal) -> None:
    assert [task.id for task in journal.ready(1, 1, 1000.0, 2, True, skip={1, 3})] == [2, 4]
    with journal.transaction():
        for task in (1, 2, 3):
            journal.prepare_again(task)
    assert [task.id for task in journal.unprepared(1, 1, 2, skip=[1, 5])] == [2, 3]


def test_bodies_journaled_together_are_those_of_tasks_that_still_wait(journal: Journal) -> None:
    with journal.transaction():
        for task in (1, 2, 3):
            journal.prepare_again(task)
    framed = [
        Framed(task, body_for(size), f"{task.id}.jpg")
        for task, size in zip(journal.unprepared(1, 1, 3), (100, 100, 170), strict=True)
    ]
    with journal.transaction():
        journal.move(2, State.CANCELLED)
        assert journal.prepared_many(framed) == {2}
    assert ready(journal, 1000.0, untried=True) == [1, 3, 4]
    again = [task.body for number in (1, 2, 3) if (task := journal.task(number)) is not None]
    assert again == [body_for(100), None, body_for(170)]
    assert runs.tally(journal, 1).size("pending") == 370


def test_bodies_journaled_together_keep_doubts_about_the_same_bytes_alone(journal: Journal) -> None:
    for task in (1, 2):
        doubt(journal, task, 1000.0)
        with journal.transaction():
            journal.move(task, State.PENDING)
    first, second = journal.task(1), journal.task(2)
    assert first is not None and second is not None
    with journal.transaction():
        same, other = body_for(100), body_for(100, "bb")
        assert not journal.prepared_many([Framed(first, same, "1.jpg"), Framed(second, other, "2.jpg")])
    assert [journal.has_doubts(task) for task in (1, 2)] == [True, False]


def plan_of(journal: Journal, call: Callable[[], object], how: str) -> list[str]:
    """How SQLite goes about the statements of a call: by ``explain`` or ``explain query plan``."""
    statements: list[str] = []
    journal.connection.set_trace_callback(statements.append)
    call()
    journal.connection.set_trace_callback(None)
    # Those of triggers stand as comments; and infinity has no name in SQL.
    made = [one.replace("Inf", "1e999") for one in statements if not one.startswith("--")]
    return [str(tuple(row)) for one in made for row in journal.rows(f"{how} {one}")]


def test_what_comes_next_is_found_in_its_order_by_an_index(journal: Journal) -> None:
    for call in (
        lambda: journal.unprepared(1, 1, 10),
        lambda: journal.ready(1, 1, 1000.0, 10, True),
        lambda: journal.ready(1, 1, 1000.0, 10, False),
        lambda: framing.stale(journal, 1, 1, 10),
        lambda: pauses.held(journal),
    ):
        plan = plan_of(journal, call, "explain query plan")
        assert [step for step in plan if "SEARCH task USING" in step and "task_pending" in step]
        assert not [step for step in plan if "TEMP B-TREE" in step]


def test_a_photo_changes_its_state_without_a_table_made_for_it(journal: Journal) -> None:
    def send() -> None:
        journal.end_attempt(journal.start(1, 1, BOUNDARY, whole=True), "uploaded")
        journal.settle_task(1, State.UPLOADED, tries=1)

    with journal.transaction():
        plan = plan_of(journal, send, "explain")
    assert [step for step in plan if "'Insert'" in step]
    assert not [step for step in plan if "'OpenEphemeral'" in step]


def test_the_next_time_is_the_earliest_of_those_that_can_be_sent(journal: Journal) -> None:
    assert journal.next_time(1, 1) == 0
    for task in (1, 2, 3, 4):
        later(journal, task, 1000.0 + task)
    assert journal.next_time(1, 1) == 1001
    with journal.transaction():
        journal.start(1, 1, BOUNDARY)
        journal.prepare_again(2)
    assert journal.next_time(1, 1) == 1003
    assert journal.next_time(2, 1) == 0
    assert journal.next_time(1, 2) is None
    assert journal.next_time(1, 1, copies=True) is None


def test_an_attempt_begins_only_with_the_body_that_the_journal_has(journal: Journal) -> None:
    with journal.transaction():
        with pytest.raises(LostTask):
            journal.start(1, 1, "the body of yesterday")
        assert journal.start(1, 1, BOUNDARY)


def test_doubts_are_asked_about_when_their_time_has_come(journal: Journal) -> None:
    for task, ask_at in ((1, 1030.0), (2, 1020.0), (3, None), (5, 1010.0)):
        doubt(journal, task, ask_at)
    due = [[task.id for task in journal.doubts_due(1, now, 10)] for now in (1019.0, 1020.0, 1030.0)]
    assert due == [[], [2], [2, 1]]
    assert [task.id for task in journal.doubts_due(1, 9999.0, 1)] == [2]
    assert (journal.next_doubt([1]), journal.next_doubt([1, 2]), journal.next_doubt([])) == (1020, 1010, None)
    with journal.transaction():
        journal.doubt_stays(2, "it cannot be asked")
        journal.settle_task(1, State.UPLOADED)
    assert journal.next_doubt([1]) is None


def test_doubts_stay_known_until_the_server_says_no(journal: Journal) -> None:
    assert not journal.has_doubts(1)
    doubt(journal, 1, 1030.0)
    assert journal.has_doubts(1)
    assert not journal.has_doubts(2)
    with journal.transaction():
        journal.clear_doubts(1)
    assert not journal.has_doubts(1)
    assert [row["outcome"] for row in journal.rows("select outcome from v_attempts")] == ["not_taken"]


def test_once_maybe_twice_always_maybe_twice(journal: Journal) -> None:
    later(journal, 1, 1000.0, maybe_twice=True)
    later(journal, 1, 1000.0)
    assert [row["id"] for row in journal.rows("select id from v_tasks where maybe_twice")] == [1]


@pytest.mark.parametrize("is_safe", [False, True])
def test_a_fresh_set_of_one_in_doubt_says_that_it_may_be_there_twice(journal: Journal, is_safe: bool) -> None:
    doubt(journal, 1, None)
    with journal.transaction():
        journal.fresh_set(1, rounds=2, is_safe=is_safe)
    (row,) = journal.rows("select state, tries, frees, next_at, ask_at, rounds, prepared from task where id = 1")
    assert tuple(row) == ("pending", 0, 0, 0, None, 2, 1)
    assert bool(journal.rows("select maybe_twice from v_tasks where id = 1")[0][0]) == (not is_safe)


def test_a_photo_prepared_again_starts_afresh(journal: Journal) -> None:
    later(journal, 1, 2000.0, maybe_twice=True)
    with journal.transaction():
        journal.prepare_again(1)
    row = journal.rows("select tries, frees, next_at, maybe_twice, prepared, attempts from task where id = 1")[0]
    assert tuple(row) == (0, 0, 0, 0, 0, 1), "but attempts are never reset"


def test_a_photo_that_was_edited_after_a_doubt_stays_marked(journal: Journal) -> None:
    """It may be there as it is now, or be edited back."""
    doubt(journal, 1, 1030.0)
    later(journal, 2, 0.0, maybe_twice=True)
    with journal.transaction():
        journal.try_later(1, "sent again", tries=1, frees=0, next_at=0.0, maybe_twice=True)
        journal.prepare_again(1)
        journal.prepare_again(2)
    assert [row["id"] for row in journal.rows("select id from v_tasks where maybe_twice")] == [1]


def test_what_a_server_says_is_stored_whatever_it_is(journal: Journal) -> None:
    """What is stored after a sending must not be able to fail, or the photo goes again at every start."""
    half = "half a pair \ud83d"
    with journal.transaction():
        attempt_id = journal.start(1, 1, BOUNDARY)
        journal.end_attempt(attempt_id, "uploaded", error=half)
        journal.settle_task(1, State.UPLOADED, half, remote_id=half, url=half)
    row = journal.rows("select reason, remote_id, url from task where id = 1")[0]
    assert set(row) == {"half a pair \\ud83d"}


def test_what_a_sick_server_says_is_stored_and_told_whatever_it_is(journal: Journal) -> None:
    half = "half a pair \ud83d"
    with journal.transaction():
        target = journal.rows("select name from target")[0]["name"]
        pauses.sick(journal, target, half, 0)
        assert runs.tell(journal, "target", half)
        assert not runs.tell(journal, "target", half)
    assert pauses.left(journal)[target].words == "half a pair \\ud83d"


def test_pins_that_changed_are_what_the_next_push_compares_with(journal: Journal) -> None:
    for pins in (Pins(100, 9, 12), Pins(100, 5, 12)):
        with journal.transaction():
            journal.repin(1, pins)
        task = journal.task(1)
        assert task is not None
        assert task.body is not None
        assert task.body.pins == pins
        assert journal.rows("select mtime_ns from photo where id = 1")[0][0] == pins.mtime_ns
    with journal.transaction():
        journal.prepared(2, body_for(300), "2.jpg")
    assert [tuple(row) for row in journal.rows("select size, mtime_ns from photo where id in (2, 3)")] == [
        (300, 5),
        (100, 5),
    ]


def test_a_target_is_proven_by_the_address_that_accepted(journal: Journal) -> None:
    assert journal.accepted_urls() == {}
    with journal.transaction():
        journal.accepted("home", "https://x/")
    assert journal.accepted_urls() == {"home": "https://x/"}


def test_copies_are_needed_until_their_task_is_settled_well_or_cancelled(journal: Journal) -> None:
    with journal.transaction():
        for task in range(1, 7):
            journal.prepared(task, structs.replace(body_for(100), spool=f"copy{task}"), "1.jpg")
        for task, state in enumerate((State.UPLOADED, State.DUPLICATE, State.FAILED, State.CANCELLED), 1):
            journal.start(task, 1, BOUNDARY)
            journal.settle_task(task, state, "words")
    assert copies.needed(journal) == {"copy3", "copy5", "copy6"}


def test_attempts_and_throughput_are_told_by_the_views(journal: Journal) -> None:
    clock = cast(Clock, journal.clock)
    for task in (1, 2):
        with journal.transaction():
            attempt = journal.start(task, 1, BOUNDARY)
            journal.whole(attempt)
        clock.now += 2
        with journal.transaction():
            journal.end_attempt(attempt, "uploaded", status=201, sent=100)
            journal.settle_task(task, State.UPLOADED)
    doubt(journal, 3, None)
    first, _, third = [dict(row) for row in journal.rows("select * from v_attempts order by task")]
    assert first == {
        "task": 1, "album": "trip", "target": "home", "path": "/photos/trip/1.jpg", "number": 1,
        "started": "1970-01-01T00:16:40.000Z", "whole_at": "1970-01-01T00:16:40.000Z",
        "ended": "1970-01-01T00:16:42.000Z", "outcome": "uploaded", "http_status": 201, "bytes": 100, "error": None,
    }  # fmt: skip
    assert (third["outcome"], third["error"], third["whole_at"]) == ("in_doubt", "the answer was lost", None)
    (hour,) = [dict(row) for row in journal.rows("select * from v_throughput")]
    assert hour == {"album": "trip", "hour": "1970-01-01T00:00:00Z", "photos": 2, "bytes": 200, "seconds": 4.0}


@pytest.mark.parametrize("stayed", [True, False])
def test_an_end_that_is_known_to_have_stayed_here_is_no_doubt(journal: Journal, stayed: bool) -> None:
    """A small body's attempt begins with the word that its end is about to leave; perhaps it then does not."""
    with journal.transaction():
        attempt = journal.start(1, 1, BOUNDARY, whole=True)
    assert [cut.whole_at for cut in journal.cut_off()] == [1000.0]
    with journal.transaction():
        journal.end_attempt(attempt, "broken", sent=10, error="connection reset", stayed=stayed)
    (row,) = journal.rows("select started, whole_at, ended from attempt")
    assert tuple(row) == (1000.0, None if stayed else 1000.0, 1000.0)


def test_what_is_asked_for_at_the_end_of_a_transaction_is_done_once_and_undone_with_it(journal: Journal) -> None:
    done: list[str] = []

    def change(what: str) -> None:
        journal.connection.execute("update album set name = name || ?", (what,))
        done.append(what)

    with journal.transaction():
        for what in ("-a", "-b", "-c"):
            journal.before_commit("name", lambda what=what: change(what))  # type: ignore[misc]
    with pytest.raises(ZeroDivisionError), journal.transaction():
        journal.before_commit("name", lambda: change("-d"))
        raise ZeroDivisionError
    with journal.transaction():
        pass
    assert done == ["-c"]
    assert {row["name"] for row in journal.rows("select name from album")} == {"trip-c", "home-c"}


# Whatever is called.


class JournalMachine(RuleBasedStateMachine):
    """Whatever is called in whatever order: only the table's steps happen, and the books are right after each."""

    tasks = Bundle("tasks")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.now = 1000.0
        self.journal = self.opened()
        self.albums: dict[str, int] = {}
        self.states: dict[int, State] = {}
        self.asked: dict[int, bool] = {}  # doubts that are still to be asked about
        self.attempts: Counter[int] = Counter()
        self.names = itertools.count()

    def opened(self) -> Journal:
        journal = Journal(f"{self.folder.name}/journal.db", clock=lambda: self.now)
        journal.connection.execute("pragma synchronous = off")  # nothing here cuts the power
        return journal

    def teardown(self) -> None:
        self.journal.close()
        self.folder.cleanup()

    def step(self, task: int, to: State, change: Callable[[], object], *, asked: bool = False) -> bool:
        """Try a change that leads to ``to``: it happens if the design has it, else nothing does."""
        if (self.states.get(task), to) not in STEPS:
            self.refused(change)
            return False
        with self.journal.transaction():
            change()
        self.states[task] = to
        self.asked[task] = asked
        return True

    def refused(self, change: Callable[[], object]) -> None:
        """LostTask, and what else the same transaction holds is committed without a trace of the change."""
        before = self.journal.connection.total_changes
        with self.journal.transaction(), pytest.raises(LostTask):
            change()
        assert self.journal.connection.total_changes == before

    # Queueing and preparing.

    @initialize(target=tasks)
    def a_first_push(self) -> int:
        return self.queue("trip", 100, "")

    @rule(target=tasks, album=st.sampled_from(["trip", "home"]), size=st.integers(0, 999), error=st.sampled_from("!-"))
    def push(self, album: str, size: int, error: str) -> int:
        return self.queue(album, size, error.strip("-"))

    def queue(self, album: str, size: int, error: str) -> int:
        name = b"%d.jpg" % next(self.names)
        self.albums[album] = push(self.journal, [arrival(name, size=size, error=error)], album)
        task = self.journal.rows("select max(id) as id from task")[0]["id"]
        self.states[task] = State.MISSING if error else State.PENDING
        self.asked[task], self.attempts[task] = False, 0
        return int(task)

    @rule(task=tasks, size=st.integers(0, 999))
    def push_again_with_other_bytes(self, task: int, size: int) -> None:
        row = self.journal.rows(
            "select album.name, path from task join photo on photo.id = photo_id"
            " join album on album.id = task.album_id where task.id = ?",
            task,
        )
        if not row:
            return
        name = row[0]["path"].rpartition(b"/")[2]
        push(self.journal, [arrival(name, Action.REDO, task, size=size)], row[0]["name"])
        newest = int(self.journal.rows("select max(id) as id from task")[0]["id"])
        if self.states[task] in (*DONE, State.IN_DOUBT) and newest not in self.states:
            self.states[newest], self.asked[newest], self.attempts[newest] = State.PENDING, False, 0
        if self.states[task] in (State.FAILED, State.REJECTED, State.MISSING):
            self.states[task] = State.PENDING

    @rule(task=tasks)
    def prepare(self, task: int) -> None:
        known = self.journal.task(task)

        def change() -> None:
            self.journal.prepared(task, body_for(known.size if known else 1), "1.jpg")

        if self.states.get(task) is State.PENDING:
            with self.journal.transaction():
                change()
        else:
            self.refused(change)

    @rule(task=tasks)
    def prepare_again(self, task: int) -> None:
        if self.states.get(task) is not State.PENDING:
            self.refused(lambda: self.journal.prepare_again(task))
            return
        with self.journal.transaction():
            self.journal.prepare_again(task)
        known = self.journal.task(task)
        assert known is not None
        assert (known.body, known.tries) == (None, 0)

    # Sending.

    @rule(task=tasks)
    def start(self, task: int) -> None:
        def change() -> None:
            self.journal.start(task, 1, BOUNDARY)

        known = self.journal.task(task)
        if known is not None and known.body is None:
            self.refused(change)
        elif self.step(task, State.SENDING, change):
            self.attempts[task] += 1

    def end(self, task: int, to: State, change: Callable[[], object], *, asked: bool = False) -> None:
        """An attempt and its task's change end in one transaction, as the engine does it."""

        def both() -> None:
            change()
            self.journal.end_attempt(self.journal.last_attempt(task), to, status=200, sent=9, error="words")

        self.step(task, to, both, asked=asked)

    @rule(task=tasks)
    def whole(self, task: int) -> None:
        with self.journal.transaction():
            self.journal.whole(self.journal.last_attempt(task))
        cut = {one.task_id: one.whole_at for one in self.journal.cut_off()}
        assert cut.keys() == {task for task, state in self.states.items() if state is State.SENDING}
        assert cut.get(task, self.now) == self.now

    @rule(task=tasks, to=st.sampled_from([*DONE, State.REJECTED, State.FAILED, State.MISSING]))
    def settle_task(self, task: int, to: State) -> None:
        self.end(task, to, lambda: self.journal.settle_task(task, to, "words", remote_id="7", url="https://x/7"))

    @rule(task=tasks, tries=st.integers(0, 4), maybe_twice=st.booleans())
    def try_later(self, task: int, tries: int, maybe_twice: bool) -> None:
        later = self.now + 1
        self.end(
            task,
            State.PENDING,
            lambda: self.journal.try_later(task, "words", tries=tries, frees=0, next_at=later, maybe_twice=maybe_twice),
        )

    @rule(task=tasks, is_asked=st.booleans())
    def doubt(self, task: int, is_asked: bool) -> None:
        ask_at = self.now + 30 if is_asked else None
        self.end(
            task,
            State.IN_DOUBT,
            lambda: self.journal.doubt(task, "words", tries=1, ask_at=ask_at),
            asked=is_asked,
        )

    @rule(task=tasks)
    def doubt_stays(self, task: int) -> None:
        with self.journal.transaction():
            self.journal.doubt_stays(task, "words")
        if task in self.asked:
            self.asked[task] = False

    # What is asked for.

    @rule(task=tasks, is_safe=st.booleans())
    def fresh_set(self, task: int, is_safe: bool) -> None:
        def change() -> None:
            self.journal.fresh_set(task, rounds=1, is_safe=is_safe)

        if self.states.get(task) is State.SENDING:  # the table lets it go back, yet not for the asking
            self.refused(change)
        elif self.step(task, State.PENDING, change):
            known = self.journal.task(task)
            assert known is not None
            assert known.tries == 0

    @rule(task=tasks)
    def cancel_one(self, task: int) -> None:
        self.step(task, State.CANCELLED, lambda: self.journal.move(task, State.CANCELLED))

    @rule(album=st.sampled_from(["trip", "home"]))
    def cancel(self, album: str) -> None:
        if album not in self.albums:
            return
        mine = self.in_album(self.albums[album])
        with self.journal.transaction():
            came = cancel(self.journal, self.albums[album], [])
        before = Counter(self.states[task] for task in mine)
        assert came.sending == before[State.SENDING]
        assert came.sent == before[State.UPLOADED] + before[State.DUPLICATE]
        given_up = [task for task in mine if self.states[task] not in (*DONE, State.SENDING, State.CANCELLED)]
        assert came.cancelled == len(given_up)
        for task in given_up:
            self.states[task], self.asked[task] = State.CANCELLED, False

    @precondition(lambda self: "home" in self.albums)
    @rule()
    def forget(self) -> None:
        for task in self.in_album(self.albums["home"]):
            del self.states[task], self.asked[task], self.attempts[task]
        with self.journal.transaction():
            forget(self.journal, self.albums.pop("home"))

    def in_album(self, album_id: int) -> list[int]:
        return [row["id"] for row in self.journal.rows("select id from task where album_id = ?", album_id)]

    @rule()
    def reopen(self) -> None:
        self.journal.close()
        self.journal = self.opened()

    @rule(task=tasks)
    def undo(self, task: int) -> None:
        with contextlib.suppress(ZeroDivisionError), self.journal.transaction():
            with contextlib.suppress(LostTask):
                self.journal.move(task, State.CANCELLED)
            raise ZeroDivisionError

    # The books.

    @invariant()
    def states_are_those_expected(self) -> None:
        rows = self.journal.rows("select id, state, attempts from task")
        assert {row["id"]: row["state"] for row in rows} == self.states
        assert {row["id"]: row["attempts"] for row in rows} == dict(self.attempts)
        counted = self.journal.rows("select task_id, count(*) as number from attempt group by task_id")
        assert {row["task_id"]: row["number"] for row in counted} == {t: n for t, n in self.attempts.items() if n}

    @invariant()
    def tally_is_a_fresh_count(self) -> None:
        kept = self.journal.rows("select album_id, state, photos, bytes from tally where photos <> 0 or bytes <> 0")
        fresh = self.journal.rows("select album_id, state, count(*), sum(size) from task group by album_id, state")
        assert {tuple(row) for row in kept} == {tuple(row) for row in fresh}

    @invariant()
    def views_agree_with_the_states(self) -> None:
        journal = self.journal
        views = {row["album"]: dict(row) for row in journal.rows("select * from v_albums")}
        assert views.keys() == self.albums.keys()
        for album, album_id in self.albums.items():
            mine = self.in_album(album_id)
            counts = Counter(self.states[task] for task in mine)
            assert {state: views[album][state] for state in State} == {state: counts[state] for state in State}
            working = counts[State.PENDING] + counts[State.SENDING] + sum(self.asked[task] for task in mine)
            assert bool(views[album]["settled"]) == (working == 0) == (not runs.is_unfinished(journal, album_id))
            sizes = journal.rows("select size, state from task where album_id = ?", album_id)
            sent = sum(row["size"] for row in sizes if row["state"] in DONE)
            total = sum(row["size"] for row in sizes if row["state"] != State.CANCELLED)
            assert (views[album]["bytes_sent"], views[album]["bytes_total"]) == (sent, total)
        assert {row["id"]: row["state"] for row in journal.rows("select id, state from v_tasks")} == self.states
        failed = {row["id"]: row["error"] for row in journal.rows("select id, error from v_failed")}
        assert failed.keys() == {task for task, state in self.states.items() if state in WANTING}
        assert all(failed.values()), "each names its reason"


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=15, stateful_step_count=40, deadline=None)


@pytest.mark.long
class TestJournalMachineAtLength(JournalMachine.TestCase):  # type: ignore[name-defined, misc]
    settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
