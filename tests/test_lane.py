"""A target's condition during a run: unproven, well, sick, given up; and whether it was the line that broke."""

from __future__ import annotations

from albumup.config.settings import FormSettings
from albumup.journal.rows import Task
from albumup.retry import Finding, Outcome, Rules
from albumup.targets.form import FormTarget
from albumup.uploader.breaker import Breaker
from albumup.uploader.lane import LINE_SECONDS, Closing, Held, Lane

START = 5000.0
EVER = 1e9


def lane_with(patience: float = 300.0, *, proven: bool = True, in_flight: int = 0) -> Lane:
    """A lane with photos 1, 2, ... in flight."""
    target = FormTarget("club", FormSettings(url="https://club.example.org/photos"), None, "config.toml")
    lane = Lane(target, Rules(3, False, "allowed", 30.0), Breaker(patience, 3, proven, jobs=50))
    for task_id in range(1, in_flight + 1):
        lane.start(task_id)
    return lane


def make_task(task_id: int, name: str) -> Task:
    path = name.encode()
    return Task(
        task_id, 1, "trip", 1, path, path, "", 1, "image/jpeg", 9, 1, 1, 0, 0, 0, False, False, (9, 9), name, None
    )


# Unproven.


def test_until_a_first_photo_was_accepted_one_is_in_flight_at_a_time() -> None:
    lane = lane_with(proven=False)
    assert lane.may_start()
    lane.start(1)
    assert not lane.may_start()
    lane.breaker.refused()  # that proves nothing
    lane.end(1)
    assert lane.may_start()
    lane.start(2)
    lane.breaker.accepted(START)
    assert lane.may_start(), "even before that one has ended"


def test_a_proven_target_takes_as_many_as_there_are_jobs() -> None:
    assert lane_with(in_flight=49).may_start()
    assert not lane_with(in_flight=50).may_start()


def test_nothing_starts_in_a_pause_but_what_is_sent_to_look() -> None:
    lane = lane_with()
    lane.breaker.unwell("502", None, START, 1.0)
    assert not lane.may_start()
    assert not lane.may_probe(START + 0.9)
    assert lane.may_probe(START + 1)
    assert lane.may_ask(START + 1)


def test_nothing_starts_at_a_target_that_is_closed() -> None:
    lane = lane_with()
    lane.closing = Closing(4, "refused: 401")
    assert not lane.may_start()
    assert not lane.may_ask(START)


def refuse(lane: Lane, task_id: int, words: str, status: int = 400) -> None:
    task = make_task(task_id, f"IMG_{task_id}.JPG")
    lane.refusals[task_id] = Held(task, Finding(Outcome.REJECTED, words, status=status))


def test_three_photos_refused_alike_are_found_whatever_their_names() -> None:
    lane = lane_with(proven=False)
    refuse(lane, 1, "400 Bad Request: no field 'photo' with IMG_1.JPG (request 0a7f)")
    refuse(lane, 2, "400 Bad Request: no field 'photo' with IMG_2.JPG (request 93bc)")
    refuse(lane, 3, "413 too large", 413)
    assert lane.same_refusals() == []
    refuse(lane, 4, "400 Bad Request: no field 'photo' with IMG_4.JPG (request 5d11)")
    assert [held.task.id for held in lane.same_refusals()] == [1, 2, 4]


# The line.


def test_all_in_flight_that_broke_together_are_free() -> None:
    lane = lane_with(in_flight=3)
    assert lane.broke(2, START) == []
    assert lane.broke(1, START + 4) == []
    assert lane.undecided
    assert lane.broke(3, START + LINE_SECONDS) == [(1, True), (2, True), (3, True)]
    assert not lane.undecided
    assert not lane.in_flight


def test_one_alone_that_broke_costs_its_try_at_once() -> None:
    lane = lane_with(in_flight=1)
    assert lane.broke(1, START) == [(1, False)]
    assert not lane.undecided


def test_one_of_them_that_ends_otherwise_makes_it_their_own_fault() -> None:
    lane = lane_with(in_flight=3)
    lane.broke(1, START)
    lane.broke(2, START + 1)
    assert lane.end(3) == [(1, False), (2, False)]
    assert not lane.undecided


def test_one_of_them_that_ended_before_the_first_break_says_nothing() -> None:
    lane = lane_with(in_flight=3)
    assert lane.end(3) == []
    lane.broke(1, START)
    assert lane.broke(2, START + 1) == [(1, True), (2, True)]


def test_those_that_broke_too_far_apart_cost_their_tries() -> None:
    lane = lane_with(in_flight=3)
    lane.broke(1, START)
    lane.broke(2, START + 1)
    assert lane.tick(START + LINE_SECONDS) == []
    assert lane.tick(START + LINE_SECONDS + 0.1) == [(1, False), (2, False)]
    assert lane.tick(START + LINE_SECONDS + 0.2) == []


def test_a_late_break_decides_the_early_one_and_begins_anew() -> None:
    lane = lane_with(in_flight=3)
    lane.broke(1, START)
    assert lane.broke(2, START + LINE_SECONDS + 1) == [(1, False)]
    assert lane.broke(3, START + LINE_SECONDS + 2) == [(2, True), (3, True)]


def test_one_that_began_after_the_first_break_does_not_hold_up_the_others() -> None:
    lane = lane_with(in_flight=2)
    lane.broke(1, START)
    lane.start(3)
    assert lane.broke(2, START + 1) == [(1, True), (2, True)]
    assert lane.end(3) == []


def test_one_that_began_after_the_first_break_and_broke_too_belongs_to_it() -> None:
    lane = lane_with(in_flight=2)
    lane.broke(1, START)
    lane.start(3)
    assert lane.broke(3, START + 1) == []
    assert lane.broke(2, START + 2) == [(1, True), (2, True), (3, True)]


def test_when_the_run_ends_nobody_waits_for_more() -> None:
    lane = lane_with(in_flight=3)
    assert lane.flush() == []
    lane.broke(2, START)
    assert lane.flush() == [(2, False)]
    assert lane.flush() == []
