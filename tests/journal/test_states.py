"""The state machine of a task: its table is the design's, and the journal's methods keep to it
whatever is called."""

from __future__ import annotations

import contextlib
import itertools
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from clock import StillClock
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from msgspec import structs
from test_staging import BOUNDARY, arrival, body_for, push

from albumup.journal import copies, framing, pauses, runs, steps
from albumup.journal.admin import cancel, forget
from albumup.journal.journal import Journal
from albumup.journal.rows import Body, Framed
from albumup.journal.staging import Action
from albumup.journal.states import (
    DONE,
    FINAL,
    MEMBERSHIP_TRANSITIONS,
    STAGE_TRANSITIONS,
    TRANSITIONS,
    WANTING,
    Membership,
    Stage,
    State,
    Together,
    change,
    sources_of,
)
from albumup.journal.store import LostTask
from albumup.journal.summary import summary_of
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
    for source, target in itertools.product(
        *(side.strip().split(" | ") for side in line.split("->"))
    )
}


def test_the_table_of_transitions_is_that_of_the_design() -> None:
    assert {
        (source, target) for source, targets in TRANSITIONS.items() for target in targets
    } == STEPS
    assert TRANSITIONS.keys() == set(State)


TABLES: tuple[Mapping[Any, frozenset[Any]], ...] = (
    TRANSITIONS,
    STAGE_TRANSITIONS,
    MEMBERSHIP_TRANSITIONS,
)
STAGE_STEPS, MEMBERSHIP_STEPS = (
    {(source, target) for source, targets in table.items() for target in targets}
    for table in TABLES[1:]
)


def test_the_tables_are_what_the_design_draws() -> None:
    """A cancel is said in words there, and in the drawing of the states left out."""
    text = (Path(__file__).parents[2] / "docs" / "design.md").read_text()
    drawings = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", text, re.DOTALL)
    drawn = [
        set(re.findall(r"^ *(\w+) --> (\w+)(?=:|$)", drawing, re.MULTILINE)) for drawing in drawings
    ]
    written = [
        {
            (source.name.lower(), target.name.lower())
            for source, targets in table.items()
            for target in targets
        }
        for table in TABLES
    ]
    assert drawn == [{step for step in table if step[1] != "cancelled"} for table in written]


def test_no_statement_is_made_of_a_step_that_the_tables_do_not_have() -> None:
    with pytest.raises(ValueError, match="no step"):
        change(Stage.HELD, Stage.UNREAD)
    with pytest.raises(ValueError, match="no step"):
        change(Membership.REFUSED, Membership.PENDING, Membership.SETTLED)


def test_each_step_of_the_tables_has_its_statement() -> None:
    made = [
        one
        for said in vars(steps).values()
        for one in (said.values() if isinstance(said, dict) else [said])
    ]
    for column, table in (("stage", STAGE_TRANSITIONS), ("membership", MEMBERSHIP_TRANSITIONS)):
        pattern = (
            rf"update task set {column} = (\d)\b.* and (\(?{column} = \d(?: or {column} = \d)*\)?)"
        )
        found = [
            match
            for one in made
            if isinstance(one, str) and (match := re.fullmatch(pattern, one, re.DOTALL))
        ]
        taken = {
            (int(source), int(one[1])) for one in found for source in re.findall(r"\d", one[2])
        }
        assert taken == {
            (source, target) for source, targets in table.items() for target in targets
        }


def test_sources_are_the_table_read_backwards() -> None:
    assert {(source, target) for target in State for source in sources_of(target)} == STEPS
    assert {(source, target) for target in Stage for source in sources_of(target)} == STAGE_STEPS
    assert {
        (source, target) for target in Membership for source in sources_of(target)
    } == MEMBERSHIP_STEPS


def test_sent_photos_are_done_and_those_that_want_something_are_named() -> None:
    assert {State.UPLOADED, State.DUPLICATE} == DONE
    assert {State.FAILED, State.REJECTED, State.MISSING, State.IN_DOUBT} == WANTING


# What comes next.


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """Two albums, "trip" with photos 1 to 4 and "home" with 5 and 6, all prepared, at the time
    1000."""
    journal = Journal(str(tmp_path / "journal.db"), clock=StillClock())
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
        journal.try_later(task, "408", tries=1, refunds=2, next_at=at, maybe_twice=maybe_twice)


def doubt(journal: Journal, task: int, ask_at: float | None) -> None:
    with journal.transaction():
        attempt = journal.start(task, 1, BOUNDARY)
        journal.end_attempt(attempt, "in_doubt", sent=100, error="the answer was lost")
        journal.doubt(task, "the answer was lost", tries=1, ask_at=ask_at)


def ready(
    journal: Journal, now: float, *, untried: bool, album: int = 1, root: int = 1
) -> list[int]:
    return [task.id for task in journal.ready(album, root, now, 10, untried)]


def test_untried_photos_are_ready_in_the_order_of_their_push(journal: Journal) -> None:
    with journal.transaction():
        journal.start(2, 1, BOUNDARY)
    assert ready(journal, 1000.0, untried=True) == [1, 3, 4]
    assert [task.id for task in journal.ready(1, 1, 1000.0, 2, True)] == [1, 3]
    assert ready(journal, 1000.0, untried=True, album=2) == [5, 6]
    assert ready(journal, 1000.0, untried=True, root=2) == []


def test_a_photo_just_tried_is_ready_when_its_time_has_come_and_apart_from_the_untried(
    journal: Journal,
) -> None:
    later(journal, 1, 1005.0)
    later(journal, 2, 1003.0)
    assert ready(journal, 9999.0, untried=True) == [3, 4]
    assert [ready(journal, now, untried=False) for now in (1002.9, 1003.0, 1005.0)] == [
        [],
        [2],
        [2, 1],
    ]
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
    assert summary_of(journal, 1).size("pending") == 370


def test_bodies_journaled_together_keep_doubts_about_the_same_bytes_alone(journal: Journal) -> None:
    for task in (1, 2):
        doubt(journal, task, 1000.0)
        with journal.transaction():
            journal.move(task, State.PENDING)
            framing.make_stale(journal, [task])
    first, second = journal.task(1), journal.task(2)
    assert first is not None and second is not None
    with journal.transaction():
        same, other = body_for(100), body_for(100, "bb")
        assert not journal.prepared_many(
            [Framed(first, same, "1.jpg"), Framed(second, other, "2.jpg")]
        )
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
    assert (journal.next_doubt([1]), journal.next_doubt([1, 2]), journal.next_doubt([])) == (
        1020,
        1010,
        None,
    )
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
    assert [row["outcome"] for row in journal.rows("select outcome from v_attempts")] == [
        "not_taken"
    ]


def test_once_maybe_twice_always_maybe_twice(journal: Journal) -> None:
    later(journal, 1, 1000.0, maybe_twice=True)
    later(journal, 1, 1000.0)
    assert [row["id"] for row in journal.rows("select id from v_tasks where maybe_twice")] == [1]


@pytest.mark.parametrize("is_safe", [False, True])
def test_a_fresh_set_of_one_in_doubt_says_that_it_may_be_there_twice(
    journal: Journal, is_safe: bool
) -> None:
    doubt(journal, 1, None)
    with journal.transaction():
        journal.fresh_set(1, rounds=2, is_safe=is_safe)
    (row,) = journal.rows(
        "select state, tries, refunds, next_at, ask_at, rounds, stage from task where id = 1"
    )
    assert tuple(row) == ("pending", 0, 0, 0, None, 2, 1)
    assert bool(journal.rows("select maybe_twice from v_tasks where id = 1")[0][0]) == (not is_safe)


def test_a_photo_prepared_again_starts_afresh(journal: Journal) -> None:
    later(journal, 1, 2000.0, maybe_twice=True)
    with journal.transaction():
        journal.prepare_again(1)
    row = journal.rows(
        "select tries, refunds, next_at, maybe_twice, stage, attempts from task where id = 1"
    )[0]
    assert tuple(row) == (0, 0, 0, 0, 0, 1), "but attempts are never reset"


def test_a_photo_that_was_edited_after_a_doubt_stays_marked(journal: Journal) -> None:
    """It may be there as it is now, or be edited back."""
    doubt(journal, 1, 1030.0)
    later(journal, 2, 0.0, maybe_twice=True)
    with journal.transaction():
        journal.try_later(1, "sent again", tries=1, refunds=0, next_at=0.0, maybe_twice=True)
        journal.prepare_again(1)
        journal.prepare_again(2)
    assert [row["id"] for row in journal.rows("select id from v_tasks where maybe_twice")] == [1]


def test_what_a_server_says_is_stored_whatever_it_is(journal: Journal) -> None:
    """What is stored after a sending must not be able to fail, or the photo goes again at every
    start."""
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
        journal.prepare_again(2)
        journal.prepared(2, body_for(300), "2.jpg")
    assert [
        tuple(row) for row in journal.rows("select size, mtime_ns from photo where id in (2, 3)")
    ] == [
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
        framing.make_stale(journal, range(1, 7))
        for task in range(1, 7):
            journal.prepared(task, structs.replace(body_for(100), spool=f"copy{task}"), "1.jpg")
        for task, state in enumerate(
            (State.UPLOADED, State.DUPLICATE, State.FAILED, State.CANCELLED), 1
        ):
            journal.start(task, 1, BOUNDARY)
            journal.settle_task(task, state, "words")
    assert copies.needed(journal) == {"copy3", "copy5", "copy6"}


def test_attempts_and_throughput_are_told_by_the_views(journal: Journal) -> None:
    clock = cast(StillClock, journal.clock)
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
        "ended": "1970-01-01T00:16:42.000Z", "outcome": "uploaded", "http_status": 201,
        "bytes": 100, "error": None,
    }  # fmt: skip
    assert (third["outcome"], third["error"], third["whole_at"]) == (
        "in_doubt",
        "the answer was lost",
        None,
    )
    (hour,) = [dict(row) for row in journal.rows("select * from v_throughput")]
    assert hour == {
        "album": "trip",
        "hour": "1970-01-01T00:00:00Z",
        "photos": 2,
        "bytes": 200,
        "seconds": 4.0,
    }


@pytest.mark.parametrize("stayed", [True, False])
def test_an_end_that_is_known_to_have_stayed_here_is_no_doubt(
    journal: Journal, stayed: bool
) -> None:
    """A small body's attempt begins with the word that its end is about to leave; perhaps it then
    does not."""
    with journal.transaction():
        attempt = journal.start(1, 1, BOUNDARY, whole=True)
    assert [cut.whole_at for cut in journal.cut_off()] == [1000.0]
    with journal.transaction():
        journal.end_attempt(attempt, "broken", sent=10, error="connection reset", stayed=stayed)
    (row,) = journal.rows("select started, whole_at, ended from attempt")
    assert tuple(row) == (1000.0, None if stayed else 1000.0, 1000.0)


def test_what_is_asked_for_at_the_end_of_a_transaction_is_done_once_and_undone_with_it(
    journal: Journal,
) -> None:
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


# Wherever a task is.


def framed(journal: Journal, then: Stage) -> None:
    task = journal.task(1)
    assert task is not None
    if journal.prepared_many([Framed(task, body_for(170), "1.jpg", then)]):
        raise LostTask(1)


def failed(journal: Journal, how: State) -> None:
    """And asked for again."""
    journal.connection.execute("update task set state = ? where id = 1", (how,))
    journal.fresh_set(1, rounds=1)


def with_a_clip(journal: Journal, together: Together, then: Callable[[], None]) -> None:
    journal.connection.execute("update task set clip_id = 2, alone = ? where id = 1", (together,))
    then()


ANYWHERE = dict.fromkeys(Stage, Stage.UNREAD)
STAGE_CHANGES: dict[str, tuple[Callable[[Journal], object], dict[Stage, Stage]]] = {
    "framed": (
        lambda journal: journal.prepared(1, body_for(100), "1.jpg"),
        {Stage.UNREAD: Stage.READY, Stage.STALE: Stage.READY},
    ),
    "framed, to be asked about": (
        lambda journal: journal.prepared(1, body_for(100), "1.jpg", then=Stage.UNASKED),
        {Stage.UNREAD: Stage.UNASKED, Stage.STALE: Stage.UNASKED},
    ),
    "framed with others": (
        lambda journal: framed(journal, Stage.READY),
        {Stage.UNREAD: Stage.READY, Stage.STALE: Stage.READY},
    ),
    "asked about": (lambda journal: journal.asked(1), {Stage.UNASKED: Stage.READY}),
    "a still asked about": (
        lambda journal: with_a_clip(journal, Together.BY_SENDING, lambda: journal.asked(1)),
        {Stage.UNASKED: Stage.UNPAIRED},
    ),
    "paired": (lambda journal: journal.paired(1, body_for(100)), {Stage.UNPAIRED: Stage.READY}),
    "to go alone": (lambda journal: journal.paired(1, None), {Stage.UNPAIRED: Stage.READY}),
    "defined otherwise": (
        lambda journal: framing.define(journal, "home", "another", "{}"),
        dict.fromkeys((Stage.READY, Stage.UNASKED, Stage.UNPAIRED), Stage.STALE),
    ),
    "defined otherwise when its turn came": (
        lambda journal: framing.make_stale(journal, [1]),
        {Stage.READY: Stage.STALE},
    ),
    "without its clip": (
        lambda journal: with_a_clip(journal, Together.BY_SENDING, lambda: journal.go_alone(1)),
        {Stage.READY: Stage.STALE},
    ),
    "rejected": (lambda journal: failed(journal, State.REJECTED), {Stage.READY: Stage.STALE}),
    "rejected, a still framed without its clip": (
        lambda journal: with_a_clip(
            journal, Together.NOT_YET, lambda: failed(journal, State.REJECTED)
        ),
        {Stage.READY: Stage.UNPAIRED},
    ),
    "held no longer": (lambda journal: pauses.unhold(journal, 1), {Stage.HELD: Stage.READY}),
    "edited": (lambda journal: journal.prepare_again(1), ANYWHERE),
    "missing, and back": (lambda journal: failed(journal, State.MISSING), ANYWHERE),
    "failed": (lambda journal: failed(journal, State.FAILED), {}),
    "failed, a still framed without its clip": (
        lambda journal: with_a_clip(
            journal, Together.NOT_YET, lambda: failed(journal, State.FAILED)
        ),
        {Stage.READY: Stage.UNPAIRED},
    ),
}


class Undone(Exception):
    """What a transaction did is not wanted."""


@pytest.mark.parametrize("what", STAGE_CHANGES)
def test_a_stage_changes_as_its_table_says_and_from_nowhere_else(
    journal: Journal, what: str
) -> None:
    change, then = STAGE_CHANGES[what]
    found = {}
    for stage in Stage:
        with contextlib.suppress(Undone), journal.transaction():
            journal.connection.execute("update task set stage = ? where id = 1", (stage,))
            with contextlib.suppress(LostTask):
                change(journal)
            found[stage] = Stage(journal.rows("select stage from task where id = 1")[0]["stage"])
            raise Undone
    assert found == {stage: stage for stage in Stage} | then
    assert {step for step in found.items() if len(set(step)) > 1} <= STAGE_STEPS


@pytest.mark.parametrize("stage", Stage)
def test_only_a_ready_task_is_sent_and_held_for_what_came_of_it(
    journal: Journal, stage: Stage
) -> None:
    journal.connection.execute("update task set stage = ? where id = 1", (stage,))
    with journal.transaction():
        if stage is not Stage.READY:
            with pytest.raises(LostTask):
                journal.start(1, 1, BOUNDARY)
            return
        journal.start(1, 1, BOUNDARY)
        journal.try_later(
            1, "500", tries=4, refunds=0, next_at=0.0, maybe_twice=False, is_held=True
        )
    assert [tuple(row) for row in journal.rows("select state, stage from task where id = 1")] == [
        ("pending", Stage.HELD)
    ]


TO_PENDING = dict.fromkeys(Membership, Membership.PENDING)
MEMBERSHIP_CHANGES: dict[str, tuple[Callable[[Journal], object], dict[Membership, Membership]]] = {
    "put in": (lambda journal: journal.placed(1), {Membership.PENDING: Membership.SETTLED}),
    "refused": (lambda journal: journal.placed(1, "no"), {Membership.PENDING: Membership.REFUSED}),
    "of a new album": (lambda journal: journal.renew_members(1), TO_PENDING),
    "asked for again": (
        lambda journal: journal.renew_refused(1),
        {Membership.REFUSED: Membership.PENDING},
    ),
    "a clip whose still failed": (
        lambda journal: journal.rest_clips(1),
        {Membership.PENDING: Membership.WAITING},
    ),
    "a clip whose still goes again": (
        lambda journal: journal.wake_clip(2),
        {Membership.WAITING: Membership.PENDING},
    ),
    "cancelled": (
        lambda journal: cancel(journal, 1, []),
        dict.fromkeys((Membership.PENDING, Membership.WAITING), Membership.SETTLED),
    ),
}


@pytest.mark.parametrize("what", MEMBERSHIP_CHANGES)
def test_a_membership_changes_as_its_table_says_and_from_nowhere_else(
    journal: Journal, what: str
) -> None:
    """Of a clip that is there; its still failed."""
    change, then = MEMBERSHIP_CHANGES[what]
    found = {}
    for membership in Membership:
        with contextlib.suppress(Undone), journal.transaction():
            sql = "update task set state = 'uploaded', remote_id = '7', membership = ? where id = 1"
            journal.connection.execute(sql, (membership,))
            journal.connection.execute(
                "update task set state = 'failed', reason = '418', clip_id = 1 where id = 2"
            )
            change(journal)
            found[membership] = Membership(
                journal.rows("select membership from task where id = 1")[0][0]
            )
            raise Undone
    assert found == {membership: membership for membership in Membership} | then
    assert {step for step in found.items() if len(set(step)) > 1} <= MEMBERSHIP_STEPS


# Whatever is called.


NOTE_STEPS = (
    "pragma temp_store = file",  # a push sets this, and whatever changes it drops what is temporary
    "create temp table taken (what text, source, target)",
    *(
        f"create temp trigger {what}_taken after update of {what} on task begin"
        f" insert into taken values ('{what}', old.{what}, new.{what}); end"
        for what in ("state", "stage", "membership")
    ),
)
"""Each step of a task, as the database takes it."""


class JournalMachine(RuleBasedStateMachine):
    """Whatever is called in whatever order: only the table's steps happen, and the books are right
    after each."""

    tasks: st.SearchStrategy[int] = st.runner().flatmap(
        lambda machine: st.sampled_from(machine.likely())
    )

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.now = 1000.0
        self.journal = self.opened()
        self.albums: dict[str, int] = {}
        self.states: dict[int, State] = {}
        self.known: list[int] = []
        self.asked: dict[int, bool] = {}  # doubts that are still to be asked about
        self.attempts: Counter[int] = Counter()
        self.names = itertools.count()

    def opened(self) -> Journal:
        journal = Journal(f"{self.folder.name}/journal.db", clock=lambda: self.now)
        for statement in ("pragma synchronous = off", *NOTE_STEPS):  # nothing here cuts the power
            journal.connection.execute(statement)
        return journal

    def teardown(self) -> None:
        self.journal.close()
        self.folder.cleanup()

    def step(
        self, task: int, to: State, change: Callable[[], object], *, asked: bool = False
    ) -> bool:
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
        """LostTask, and what else the same transaction holds is committed without a trace of the
        change."""
        before = self.journal.connection.total_changes
        with self.journal.transaction(), pytest.raises(LostTask):
            change()
        assert self.journal.connection.total_changes == before

    # Queueing and preparing.

    @initialize()
    def a_first_push(self) -> None:
        self.queue("trip", 100, "")

    def live(self) -> list[int]:
        """The tasks with which something may happen yet."""
        return [task for task, state in self.states.items() if state not in FINAL]

    def likely(self) -> list[int]:
        """Any task there ever was, but rather one that is live, or a newer one."""
        return [*self.known, *self.known[-4:], *self.live() * 3]

    @precondition(lambda self: len(self.live()) < 4)
    @rule(
        album=st.sampled_from(["trip", "home"]),
        size=st.integers(0, 999),
        error=st.sampled_from("!--"),
    )
    def push(self, album: str, size: int, error: str) -> None:
        self.queue(album, size, error.strip("-"))

    def queue(self, album: str, size: int, error: str) -> None:
        name = b"%d.jpg" % next(self.names)
        self.albums[album] = push(self.journal, [arrival(name, size=size, error=error)], album)
        task = self.journal.rows("select max(id) as id from task")[0]["id"]
        self.states[task] = State.MISSING if error else State.PENDING
        self.asked[task], self.attempts[task] = False, 0
        self.known.append(task)

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
            self.known.append(newest)
        if self.states[task] in (State.FAILED, State.REJECTED, State.MISSING):
            self.states[task] = State.PENDING

    def stage_of(self, task: int) -> Stage | None:
        """Of a task that is pending."""
        if self.states.get(task) is not State.PENDING:
            return None
        return Stage(self.journal.rows("select stage from task where id = ?", task)[0]["stage"])

    def advance(
        self, task: int, sources: set[Stage], change: Callable[[], object], target: Stage
    ) -> None:
        """Try a change of a pending task's stage: it happens from ``sources``, else nothing
        does."""
        if self.stage_of(task) not in sources:
            self.refused(change)
            return
        with self.journal.transaction():
            change()
        assert self.stage_of(task) is target

    @rule(
        task=tasks,
        then=st.sampled_from([Stage.READY, Stage.READY, Stage.UNASKED]),
        is_many=st.booleans(),
    )
    def prepare(self, task: int, then: Stage, is_many: bool) -> None:
        known = self.journal.task(task)
        body = body_for(known.size if known else 1)

        def change() -> None:
            if not is_many or known is None:
                self.journal.prepared(task, body, "1.jpg", then=then)
            elif self.journal.prepared_many([Framed(known, body, "1.jpg", then)]):
                raise LostTask(task)

        self.advance(task, {Stage.UNREAD, Stage.STALE}, change, then)

    def hear_that_it_is_not_there(self, task: int) -> None:
        rows = self.journal.rows("select clip_id from task where id = ?", task)
        then = Stage.UNPAIRED if rows and rows[0]["clip_id"] else Stage.READY
        self.advance(task, {Stage.UNASKED}, lambda: self.journal.asked(task), then)

    def pair(self, task: int, framed: Body | None = None) -> None:
        self.advance(task, {Stage.UNPAIRED}, lambda: self.journal.paired(task, framed), Stage.READY)

    def pair_with_its_clip(self, task: int) -> None:
        self.pair(task, body_for(100))

    def make_stale(self, task: int) -> None:
        before = self.stage_of(task)
        with self.journal.transaction():
            framing.make_stale(self.journal, [task])
        assert self.stage_of(task) is (Stage.STALE if before is Stage.READY else before)

    def unhold(self, task: int) -> None:
        before = self.stage_of(task)
        with self.journal.transaction():
            pauses.unhold(self.journal, task, maybe_twice=True)
        assert self.stage_of(task) is (Stage.READY if before is Stage.HELD else before)

    @rule(
        task=tasks,
        how=st.sampled_from(
            [hear_that_it_is_not_there, pair, pair_with_its_clip, make_stale, unhold]
        ),
    )
    def go_on_before_it_is_sent(
        self, task: int, how: Callable[[JournalMachine, int], None]
    ) -> None:
        how(self, task)

    @rule(fingerprint=st.sampled_from(["one", "two"]))
    def define(self, fingerprint: str) -> None:
        """No body here was framed under any definition."""
        before = self.journal.rows("select definition_id from target")[0]["definition_id"]
        with self.journal.transaction():
            number = framing.define(self.journal, "home", fingerprint, "{}")
        found = self.journal.rows("select distinct stage from task where state = 'pending'")
        waiting = {row["stage"] for row in found} - {Stage.UNREAD, Stage.STALE, Stage.HELD}
        assert number == before or not waiting

    @rule(still=tasks, clip=tasks, together=st.sampled_from(Together))
    def make_a_live_photo(self, still: int, clip: int, together: Together) -> None:
        """Which halves belong together is decided elsewhere."""
        self.journal.connection.execute(
            "update task set clip_id = ?1, alone = ?2 where id = ?3 and ?3 <> ?1 and exists"
            " (select 1 from task clip where clip.id = ?1 and clip.album_id = task.album_id)",
            (clip, together, still),
        )

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

        if self.states.get(task) is State.PENDING and self.stage_of(task) is not Stage.READY:
            self.refused(change)
        elif self.step(task, State.SENDING, change):
            self.attempts[task] += 1

    def end(
        self, task: int, to: State, change: Callable[[], object], *, asked: bool = False
    ) -> None:
        """An attempt and its task's change end in one transaction, as the engine does it."""

        def both() -> None:
            change()
            self.journal.end_attempt(
                self.journal.last_attempt(task), to, status=200, sent=9, error="words"
            )

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
        self.end(
            task,
            to,
            lambda: self.journal.settle_task(task, to, "words", remote_id="7", url="https://x/7"),
        )

    @rule(task=tasks, tries=st.integers(0, 4), maybe_twice=st.booleans(), is_held=st.booleans())
    def try_later(self, task: int, tries: int, maybe_twice: bool, is_held: bool) -> None:
        was_sending = self.states.get(task) is State.SENDING
        later, is_held = self.now + 1, is_held and was_sending

        def change() -> None:
            self.journal.try_later(
                task,
                "words",
                tries=tries,
                refunds=0,
                next_at=later,
                maybe_twice=maybe_twice,
                is_held=is_held,
            )

        self.end(task, State.PENDING, change)
        assert not was_sending or self.stage_of(task) is (Stage.HELD if is_held else Stage.READY)

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

    @rule(task=tasks, steps=st.integers(1, 4))
    def go_on(self, task: int, steps: int) -> None:
        """What the engine would do next with it."""
        for _ in range(steps):
            if self.states.get(task) in (State.FAILED, State.REJECTED, State.MISSING):
                self.fresh_set(task, is_safe=False)
            match self.stage_of(task):
                case Stage.UNREAD | Stage.STALE:
                    self.prepare(task, Stage.READY, is_many=True)
                case Stage.UNASKED:
                    self.hear_that_it_is_not_there(task)
                case Stage.UNPAIRED:
                    self.pair(task)
                case Stage.READY:
                    self.start(task)
                case _:
                    return

    @rule(task=tasks, is_held=st.booleans())
    def go_on_and_fail(self, task: int, is_held: bool) -> None:
        self.go_on(task, 4)
        self.try_later(task, 1, maybe_twice=False, is_held=is_held)

    @rule(task=tasks)
    def go_on_and_store(self, task: int) -> None:
        self.go_on(task, 4)
        self.store(task, State.UPLOADED)

    # The server's album.

    @rule(task=tasks, to=st.sampled_from(sorted(DONE)))
    def store(self, task: int, to: State) -> None:
        def change() -> None:
            self.journal.settle_task(task, to, remote_id="7", membership=Membership.PENDING)

        if self.step(task, to, change):
            assert self.member(task) is Membership.PENDING

    def member(self, task: int) -> Membership | None:
        rows = self.journal.rows("select membership from task where id = ?", task)
        return Membership(rows[0]["membership"]) if rows else None

    def put_in(self, task: int) -> None:
        before = self.member(task)
        with self.journal.transaction():
            self.journal.placed(task)
        assert self.member(task) is (Membership.SETTLED if before is Membership.PENDING else before)

    def refuse(self, task: int) -> None:
        before = self.member(task)
        with self.journal.transaction():
            self.journal.placed(task, "no")
        assert self.member(task) is (Membership.REFUSED if before is Membership.PENDING else before)

    def wake_clip(self, task: int) -> None:
        with self.journal.transaction():
            self.journal.wake_clip(task)
        sql = "select membership from task where id = (select clip_id from task where id = ?)"
        assert Membership.WAITING not in [row["membership"] for row in self.journal.rows(sql, task)]

    @rule(task=tasks, how=st.sampled_from([put_in, refuse, wake_clip]))
    def go_on_once_it_is_stored(
        self, task: int, how: Callable[[JournalMachine, int], None]
    ) -> None:
        how(self, task)

    @rule(
        album=st.sampled_from(["trip", "home"]),
        change=st.sampled_from(
            [Journal.rest_clips, Journal.drop_clips, Journal.renew_members, Journal.renew_refused]
        ),
    )
    def see_to_the_album(self, album: str, change: Callable[[Journal, int], None]) -> None:
        if album in self.albums:
            with self.journal.transaction():
                change(self.journal, self.albums[album])

    # What is asked for.

    @rule(task=tasks, is_safe=st.booleans())
    def fresh_set(self, task: int, is_safe: bool) -> None:
        def change() -> None:
            self.journal.fresh_set(task, rounds=1, is_safe=is_safe)

        if (
            self.states.get(task) is State.SENDING
        ):  # the table lets it go back, yet not for the asking
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
        given_up = [
            task
            for task in mine
            if self.states[task] not in (*DONE, State.SENDING, State.CANCELLED)
        ]
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
        return [
            row["id"]
            for row in self.journal.rows("select id from task where album_id = ?", album_id)
        ]

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
    def each_step_is_one_of_the_tables(self) -> None:
        words: dict[str, type[Any]] = {"state": State, "stage": Stage, "membership": Membership}
        tables = dict(zip(words, TABLES, strict=True))
        for what, source, target in self.journal.rows("select * from taken"):
            word = words[what]
            assert word(target) in tables[what][word(source)], (what, source, target)
        self.journal.connection.execute("delete from taken")

    @invariant()
    def what_is_said_of_a_task_goes_together(self) -> None:
        rows = self.journal.rows(
            "select state, stage, membership, body.task_id from task "
            "left join body on body.task_id = task.id"
        )
        for state, stage, membership, body in rows:
            assert state != State.SENDING or stage == Stage.READY
            assert state in DONE or membership == Membership.SETTLED
            assert body is not None or stage == Stage.UNREAD

    @invariant()
    def states_are_those_expected(self) -> None:
        rows = self.journal.rows("select id, state, attempts from task")
        assert {row["id"]: row["state"] for row in rows} == self.states
        assert {row["id"]: row["attempts"] for row in rows} == dict(self.attempts)
        counted = self.journal.rows(
            "select task_id, count(*) as number from attempt group by task_id"
        )
        assert {row["task_id"]: row["number"] for row in counted} == {
            t: n for t, n in self.attempts.items() if n
        }

    @invariant()
    def tally_is_a_fresh_count(self) -> None:
        kept = self.journal.rows(
            "select album_id, state, photos, bytes from tally where photos <> 0 or bytes <> 0"
        )
        fresh = self.journal.rows(
            "select album_id, state, count(*), sum(size) from task group by album_id, state"
        )
        assert {tuple(row) for row in kept} == {tuple(row) for row in fresh}

    @invariant()
    def views_agree_with_the_states(self) -> None:
        journal = self.journal
        views = {row["album"]: dict(row) for row in journal.rows("select * from v_albums")}
        assert views.keys() == self.albums.keys()
        for album, album_id in self.albums.items():
            mine = self.in_album(album_id)
            counts = Counter(self.states[task] for task in mine)
            assert {state: views[album][state] for state in State} == {
                state: counts[state] for state in State
            }
            working = (
                counts[State.PENDING]
                + counts[State.SENDING]
                + sum(self.asked[task] for task in mine)
            )
            working += [self.member(task) for task in mine].count(Membership.PENDING)
            assert (
                bool(views[album]["settled"])
                == (working == 0)
                == (not runs.is_unfinished(journal, album_id))
            )
            found = summary_of(journal, album_id)
            assert found.is_unfinished == (working > 0)
            assert found.photos == {state: counts[state] for state in found.photos}
            assert found.asked == sum(self.asked[task] for task in mine)
            sizes = journal.rows("select size, state from task where album_id = ?", album_id)
            sent = sum(row["size"] for row in sizes if row["state"] in DONE)
            total = sum(row["size"] for row in sizes if row["state"] != State.CANCELLED)
            assert (views[album]["bytes_sent"], views[album]["bytes_total"]) == (sent, total)
        assert {
            row["id"]: row["state"] for row in journal.rows("select id, state from v_tasks")
        } == self.states
        failed = {row["id"]: row["error"] for row in journal.rows("select id, error from v_failed")}
        assert failed.keys() == {task for task, state in self.states.items() if state in WANTING}
        assert all(failed.values()), "each names its reason"


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=20, stateful_step_count=40, deadline=None)


@pytest.mark.long
class TestJournalMachineAtLength(JournalMachine.TestCase):  # type: ignore[name-defined, misc]
    settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
