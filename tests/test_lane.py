"""A target's condition during a run: unproven, well, sick, given up; and whether it was the line that broke."""

from __future__ import annotations

import pytest

from albumup.retry import Rules
from albumup.settings import FormSettings
from albumup.targets.form import FormTarget
from albumup.uploader.lane import LINE_SECONDS, Closing, Lane

START = 5000.0
EVER = 1e9


def lane_with(patience: float = 300.0, *, proven: bool = True, in_flight: int = 0) -> Lane:
    """A lane with photos 1, 2, ... in flight."""
    target = FormTarget("club", FormSettings(url="https://club.example.org/photos"), None, "config.toml")
    lane = Lane(target, Rules(3, False, "allowed", 30.0), patience, proven=proven)
    for task_id in range(1, in_flight + 1):
        lane.start(task_id)
    return lane


def ail(lane: Lane, task_id: int | None, now: float, *, after: float | None = None, chance: float = 1.0) -> float:
    """The target is found unwell by one attempt, which ends; seconds until the next probe."""
    lane.ailing(task_id, "503", after, now, chance)
    if task_id is not None:
        assert lane.end(task_id) == []
    return lane.next_probe - now


def probe(lane: Lane, now: float, *, after: float | None = None, chance: float = 1.0) -> float:
    """One probe is sent and finds the target still unwell; seconds until the next one."""
    assert lane.may_start(now)
    lane.start(99)
    return ail(lane, 99, now, after=after, chance=chance)


# Unproven.


def test_until_a_first_photo_was_accepted_one_is_in_flight_at_a_time() -> None:
    lane = lane_with(proven=False)
    assert lane.may_start(START)
    lane.start(1)
    assert not lane.may_start(START)
    lane.answered()  # it was rejected, say: that proves nothing
    lane.end(1)
    assert lane.may_start(START)
    lane.start(2)
    lane.accepted(START)
    assert lane.may_start(START), "even before that one has ended"


def test_a_proven_target_takes_as_many_as_there_are_workers() -> None:
    assert lane_with(in_flight=50).may_start(START)


def test_when_a_photo_was_accepted_is_known() -> None:
    lane = lane_with()
    assert lane.accepted_at < 0
    lane.accepted(START)
    assert lane.accepted_at == START


# Sick.


def test_a_sick_target_is_paused_then_probed_with_a_single_photo() -> None:
    lane = lane_with(in_flight=1)
    assert ail(lane, 1, START) == 1.0
    assert not lane.may_start(START + 0.99)
    assert lane.may_start(START + 1)
    lane.start(2)
    assert not lane.may_start(START + 50), "one probe at a time"
    lane.end(2)  # cut by its source, say: another one may probe
    assert lane.may_start(START + 50)


def test_waits_between_probes_grow_to_a_minute() -> None:
    lane, now, waits = lane_with(patience=EVER, in_flight=1), START, []
    waits.append(ail(lane, 1, now))
    for _ in range(8):
        now += waits[-1]
        waits.append(probe(lane, now))
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_probe_waits_for_half_its_time_at_least() -> None:
    assert ail(lane_with(in_flight=1), 1, START, chance=0.0) == 0.5


def test_others_in_flight_that_find_the_same_do_not_make_it_wait_longer() -> None:
    lane = lane_with(in_flight=4)
    ail(lane, 1, START)
    for task_id in (2, 3, 4):
        ail(lane, task_id, START + 0.5)
    assert lane.next_probe == START + 1
    assert probe(lane, START + 1) == 2


def test_a_question_that_finds_it_unwell_makes_it_wait_longer() -> None:
    """Asking about doubts has no photo: it is a probe of its own."""
    lane = lane_with()
    assert ail(lane, None, START) == 1
    assert ail(lane, None, START + 1) == 2


@pytest.mark.parametrize("end", ["accepted", "answered"])
def test_an_answer_about_the_photo_ends_the_sickness_and_waits_start_anew(end: str) -> None:
    lane = lane_with(in_flight=1)
    ail(lane, 1, START)
    probe(lane, START + 1)
    lane.start(2)
    lane.accepted(START + 3) if end == "accepted" else lane.answered()
    lane.end(2)
    assert lane.sick_since is None
    assert lane.may_start(START + 3)
    lane.start(3)
    assert lane.may_start(START + 3), "many at a time again"
    assert ail(lane, 3, START + 4) == 1
    assert lane.gives_up_at() == START + 4 + 300


def test_what_the_user_was_told_of_a_sickness_ends_with_it() -> None:
    lane = lane_with(in_flight=1)
    assert not lane.is_told
    ail(lane, 1, START)
    lane.is_told = True
    probe(lane, START + 1)
    assert lane.is_told
    lane.answered()
    assert not lane.is_told


def test_retry_after_is_waited_for() -> None:
    lane = lane_with(in_flight=1)
    assert ail(lane, 1, START, after=90) == 90
    assert probe(lane, START + 90, after=0.1) == 2, "less than our own wait is no reason to hurry"


# Given up.


def test_patience_ends_with_exit_75_and_the_targets_words() -> None:
    lane = lane_with(patience=300, in_flight=1)
    ail(lane, 1, START)
    assert lane.gives_up_at() == START + 300
    lane.ailing(None, lane.sick_words, None, START + 299.9, 0.0)
    assert lane.closing is None
    lane.ailing(None, lane.sick_words, None, START + 300, 0.0)
    assert lane.closing == Closing(75, "503")
    assert not lane.may_start(START + EVER)


def test_the_last_probe_comes_when_patience_ends_not_after() -> None:
    lane, now = lane_with(patience=100, in_flight=1), START
    now += ail(lane, 1, now)
    while lane.closing is None:
        wait = probe(lane, now)
        assert now + wait <= START + 100 or lane.closing
        now += wait
    assert lane.closing.exit_code == 75


@pytest.mark.parametrize(("after", "closed"), [(100.0, False), (100.1, True)])
def test_a_retry_after_longer_than_what_is_left_gives_it_up(after: float, closed: bool) -> None:
    lane = lane_with(patience=100, in_flight=1)
    ail(lane, 1, START, after=after)
    assert (lane.closing is not None) == closed


def test_what_is_left_is_counted_from_the_beginning_of_the_sickness() -> None:
    lane = lane_with(patience=100, in_flight=1)
    ail(lane, 1, START)
    probe(lane, START + 50, after=50)
    assert lane.closing is None
    lane.start(2)
    ail(lane, 2, START + 60, after=41)
    assert lane.closing == Closing(75, "503")


def test_without_patience_it_is_given_up_at_once() -> None:
    lane = lane_with(patience=0, in_flight=1)
    ail(lane, 1, START)
    assert lane.closing == Closing(75, "503")


def test_a_target_closed_for_another_reason_stays_closed_for_that() -> None:
    lane = lane_with(patience=0, in_flight=2)
    refused = lane.closing = Closing(4, "refused: 401", "check its credentials")
    ail(lane, 1, START)
    lane.accepted(START)
    assert lane.closing is refused
    assert not lane.may_start(START)


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


def test_a_probe_that_breaks_makes_room_for_another() -> None:
    lane = lane_with(in_flight=1)
    ail(lane, 1, START)
    lane.start(2)
    assert lane.broke(2, START + 1) == [(2, False)]
    assert lane.may_start(START + 1)
