"""A target's condition during a run: unproven, well, sick, given up; and whether it was the line
that broke."""

from __future__ import annotations

from albumup.config.settings import FormSettings
from albumup.journal.rows import Task
from albumup.retry import Finding, Outcome, Rules
from albumup.targets.form import FormTarget
from albumup.uploader.breaker import Breaker
from albumup.uploader.line_watch import LINE_SECONDS
from albumup.uploader.upstream import Closing, Held, Upstream

START = 5000.0
EVER = 1e9


def upstream_with(patience: float = 300.0, *, proven: bool = True, in_flight: int = 0) -> Upstream:
    """An upstream with photos 1, 2, ... in flight."""
    target = FormTarget(
        "club", FormSettings(url="https://club.example.org/photos"), None, "config.toml"
    )
    upstream = Upstream(
        target, Rules(3, False, "allowed", 30.0), Breaker(patience, 3, proven, jobs=50)
    )
    for task_id in range(1, in_flight + 1):
        upstream.start(task_id)
    return upstream


def make_task(task_id: int, name: str) -> Task:
    path = name.encode()
    return Task(
        task_id, 1, "trip", 1, path, path, "", 1, "image/jpeg", 9, 1, 1, 0, 0, 0, False, False,
        (9, 9), name, None,
    )  # fmt: skip


# Unproven.


def test_until_a_first_photo_was_accepted_one_is_in_flight_at_a_time() -> None:
    upstream = upstream_with(proven=False)
    assert upstream.may_start()
    upstream.start(1)
    assert not upstream.may_start()
    upstream.breaker.refused()  # that proves nothing
    upstream.end(1)
    assert upstream.may_start()
    upstream.start(2)
    upstream.breaker.accepted(START)
    assert upstream.may_start(), "even before that one has ended"


def test_a_proven_target_takes_as_many_as_there_are_jobs() -> None:
    assert upstream_with(in_flight=49).may_start()
    assert not upstream_with(in_flight=50).may_start()


def test_nothing_starts_in_a_pause_but_what_is_sent_to_look() -> None:
    upstream = upstream_with()
    upstream.breaker.unwell("502", None, START, 1.0)
    assert not upstream.may_start()
    assert not upstream.may_probe(START + 0.9)
    assert upstream.may_probe(START + 1)
    assert upstream.may_ask(START + 1)


def test_nothing_starts_at_a_target_that_is_closed() -> None:
    upstream = upstream_with()
    upstream.closing = Closing(4, "refused: 401")
    assert not upstream.may_start()
    assert not upstream.may_ask(START)


def refuse(upstream: Upstream, task_id: int, words: str, status: int = 400) -> None:
    task = make_task(task_id, f"IMG_{task_id}.JPG")
    upstream.refusals[task_id] = Held(task, Finding(Outcome.REJECTED, words, status=status))


def test_three_photos_refused_alike_are_found_whatever_their_names() -> None:
    upstream = upstream_with(proven=False)
    refuse(upstream, 1, "400 Bad Request: no field 'photo' with IMG_1.JPG (request 0a7f)")
    refuse(upstream, 2, "400 Bad Request: no field 'photo' with IMG_2.JPG (request 93bc)")
    refuse(upstream, 3, "413 too large", 413)
    assert upstream.same_refusals() == []
    refuse(upstream, 4, "400 Bad Request: no field 'photo' with IMG_4.JPG (request 5d11)")
    assert [held.task.id for held in upstream.same_refusals()] == [1, 2, 4]


# The line.


def test_all_in_flight_that_broke_together_are_free() -> None:
    upstream = upstream_with(in_flight=3)
    assert upstream.broke(2, START) == []
    assert upstream.broke(1, START + 4) == []
    assert upstream.line.is_waiting
    assert upstream.broke(3, START + LINE_SECONDS) == [(1, True), (2, True), (3, True)]
    assert not upstream.line.is_waiting
    assert not upstream.in_flight


def test_one_alone_that_broke_costs_its_try_at_once() -> None:
    upstream = upstream_with(in_flight=1)
    assert upstream.broke(1, START) == [(1, False)]
    assert not upstream.line.is_waiting


def test_one_of_them_that_ends_otherwise_makes_it_their_own_fault() -> None:
    upstream = upstream_with(in_flight=3)
    upstream.broke(1, START)
    upstream.broke(2, START + 1)
    assert upstream.end(3) == [(1, False), (2, False)]
    assert not upstream.line.is_waiting


def test_one_of_them_that_ended_before_the_first_break_says_nothing() -> None:
    upstream = upstream_with(in_flight=3)
    assert upstream.end(3) == []
    upstream.broke(1, START)
    assert upstream.broke(2, START + 1) == [(1, True), (2, True)]


def test_those_that_broke_too_far_apart_cost_their_tries() -> None:
    upstream = upstream_with(in_flight=3)
    upstream.broke(1, START)
    upstream.broke(2, START + 1)
    assert upstream.line.tick(START + LINE_SECONDS) == []
    assert upstream.line.tick(START + LINE_SECONDS + 0.1) == [(1, False), (2, False)]
    assert upstream.line.tick(START + LINE_SECONDS + 0.2) == []


def test_a_late_break_decides_the_early_one_and_begins_anew() -> None:
    upstream = upstream_with(in_flight=3)
    upstream.broke(1, START)
    assert upstream.broke(2, START + LINE_SECONDS + 1) == [(1, False)]
    assert upstream.broke(3, START + LINE_SECONDS + 2) == [(2, True), (3, True)]


def test_one_that_began_after_the_first_break_does_not_hold_up_the_others() -> None:
    upstream = upstream_with(in_flight=2)
    upstream.broke(1, START)
    upstream.start(3)
    assert upstream.broke(2, START + 1) == [(1, True), (2, True)]
    assert upstream.end(3) == []


def test_one_that_began_after_the_first_break_and_broke_too_belongs_to_it() -> None:
    upstream = upstream_with(in_flight=2)
    upstream.broke(1, START)
    upstream.start(3)
    assert upstream.broke(3, START + 1) == []
    assert upstream.broke(2, START + 2) == [(1, True), (2, True), (3, True)]


def test_when_the_run_ends_nobody_waits_for_more() -> None:
    upstream = upstream_with(in_flight=3)
    assert upstream.line.flush() == []
    upstream.broke(2, START)
    assert upstream.line.flush() == [(2, False)]
    assert upstream.line.flush() == []
