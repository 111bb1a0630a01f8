"""The breaker's rule, clause by clause; tests/simulation/test_worlds.py plays it for days."""

from __future__ import annotations

import pytest

from albumup.uploader.breaker import CRON_PHOTOS, MOST_BACK, Breaker, Counts, Ended, Spent

START = 5000.0
EVER = 1e9


def breaker_with(
    patience: float = 300.0, *, jobs: int = 4, cron: bool = False, once: bool = False
) -> Breaker:
    return Breaker(patience, 3, True, jobs, CRON_PHOTOS if cron else None, sends_once=once)


def end(photo: int, *, now: float = START, counts: Counts = Counts(), **more: object) -> Ended:  # noqa: B008
    values: dict[str, object] = {"spent": Spent.WHOLE, "began": now - 1.0, "words": "500"} | more
    return Ended(photo, counts=counts, **values)  # type: ignore[arg-type]


def fails(breaker: Breaker, photo: int, now: float = START, **more: object):  # type: ignore[no-untyped-def]
    return breaker.ended(end(photo, now=now, **more), now, 1.0)  # type: ignore[arg-type]


# Whose fault it was.


def test_one_photo_that_fails_while_the_question_is_answered_pays_for_itself() -> None:
    breaker = breaker_with()
    ruling = fails(breaker, 1)
    assert (ruling.given_back, ruling.is_held, breaker.is_sick) == (False, False, False)


def test_a_question_without_an_answer_gives_back_what_ended_so_since_a_photo_was_accepted() -> None:
    breaker = breaker_with()
    breaker.accepted(START - 50)
    fails(breaker, 1, START - 40, counts=Counts(tries=2))
    ruling = fails(breaker, 2, is_well=False)
    assert ruling.given_back
    assert ruling.refunds == ((1, Spent.WHOLE),)
    assert breaker.is_sick


def test_what_ended_before_a_photo_was_accepted_is_not_given_back() -> None:
    breaker = breaker_with()
    fails(breaker, 1, START - 60)
    breaker.accepted(START - 50)
    assert fails(breaker, 2, is_well=False).refunds == ()


def test_two_witnesses_in_a_row_are_believed() -> None:
    breaker = breaker_with()
    assert not fails(breaker, 1).given_back
    ruling = fails(breaker, 2, START + 1)
    assert ruling.given_back
    assert ruling.refunds == ((1, Spent.WHOLE),)


def test_the_same_photo_twice_is_one_witness() -> None:
    breaker = breaker_with()
    fails(breaker, 1)
    fails(breaker, 1, START + 1)
    assert not breaker.is_sick


def test_a_photo_with_a_try_of_its_own_is_no_witness() -> None:
    breaker = breaker_with()
    fails(breaker, 1)
    fails(breaker, 2, START + 1, counts=Counts(tries=1))
    assert not breaker.is_sick


def test_a_photo_beside_which_others_were_accepted_is_no_witness() -> None:
    breaker = breaker_with()
    breaker.accepted(START - 0.5)
    fails(breaker, 1)
    fails(breaker, 2)
    assert not breaker.is_sick


@pytest.mark.parametrize("then", ["accepted", "refused"])
def test_a_photo_accepted_or_refused_ends_the_row(then: str) -> None:
    breaker = breaker_with()
    fails(breaker, 1)
    breaker.accepted(START) if then == "accepted" else breaker.refused()
    fails(breaker, 2, START + 5, began=START + 1)
    assert not breaker.is_sick


def test_a_portal_needs_one_witness() -> None:
    breaker = breaker_with()
    assert fails(breaker, 1, is_portal=True).given_back
    assert breaker.is_sick


def test_the_last_try_of_a_set_is_held() -> None:
    breaker = breaker_with()
    assert fails(breaker, 1, counts=Counts(tries=3)).is_held
    assert not fails(breaker, 2, counts=Counts(tries=2)).is_held


def test_one_more_than_the_last_try_is_not_held_again() -> None:
    """It came because an earlier run ended before it was told whose fault the last one was."""
    ruling = fails(breaker_with(), 1, counts=Counts(tries=4))
    assert (ruling.given_back, ruling.is_held) == (False, False)


@pytest.mark.parametrize(
    ("spent", "counts"),
    [
        (Spent.WHOLE, Counts(whole=MOST_BACK[Spent.WHOLE])),
        (Spent.CUT, Counts(cut=MOST_BACK[Spent.CUT])),
        (Spent.TOO_MANY, Counts(too_many=MOST_BACK[Spent.TOO_MANY])),
    ],
)
def test_what_was_given_back_often_enough_is_the_photos_own(spent: Spent, counts: Counts) -> None:
    ruling = fails(breaker_with(), 1, spent=spent, counts=counts, is_well=False)
    assert not ruling.given_back


# 429.


def test_a_429_costs_no_try_and_an_upload_at_a_time() -> None:
    breaker = breaker_with(jobs=3)
    for jobs in (2, 1):
        assert fails(breaker, jobs, spent=Spent.TOO_MANY).given_back
        assert (breaker.jobs, breaker.is_sick) == (jobs, False)


@pytest.mark.parametrize("alone", [{"is_alone": True}, {}])
def test_a_429_to_the_only_upload_is_sickness(alone: dict[str, bool]) -> None:
    breaker = breaker_with(jobs=4 if alone else 1)
    assert fails(breaker, 1, spent=Spent.TOO_MANY, **alone).given_back
    assert breaker.is_sick


def test_a_429_beside_an_accepted_photo_is_none() -> None:
    breaker = breaker_with(jobs=1)
    breaker.accepted(START - 0.5)
    assert fails(breaker, 1, spent=Spent.TOO_MANY).given_back
    assert not breaker.is_sick


# A pause.


def look(breaker: Breaker, now: float, photo: int = 99, **more: object) -> float:
    """A question that is answered, a photo that fails; seconds until the next look."""
    assert breaker.may_probe(now)
    breaker.probing()
    assert not breaker.may_probe(now + EVER), "one look at a time"
    breaker.probing(photo)
    fails(breaker, photo, now, **more)
    return breaker.next_at - now


def test_looks_come_after_1_s_doubling_to_a_minute_and_after_ten_minutes_to_ten() -> None:
    breaker, now, waits = breaker_with(EVER), START, []
    breaker.unwell("502", None, now, 1.0)
    waits.append(breaker.next_at - now)
    for _ in range(21):
        now += waits[-1]
        waits.append(look(breaker, now))
    assert waits[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert [wait for wait in waits if wait > 60][:5] == [120, 240, 480, 600, 600]


def test_a_look_waits_for_half_its_time_at_least() -> None:
    breaker = breaker_with()
    breaker.unwell("502", None, START, 0.0)
    assert breaker.next_at == START + 0.5


def test_what_was_in_flight_when_it_began_does_not_lengthen_a_pause_and_is_given_back() -> None:
    breaker = breaker_with()
    fails(breaker, 1, is_well=False)
    for photo in (2, 3, 4):
        assert fails(breaker, photo, START + 0.5, counts=Counts(tries=1)).given_back
    breaker.unwell("connection refused", None, START + 0.5, 1.0, task_id=5)
    assert breaker.next_at == START + 1


@pytest.mark.parametrize("then", ["accepted", "refused"])
def test_only_a_photo_accepted_or_refused_ends_it(then: str) -> None:
    breaker = breaker_with()
    breaker.unwell("502", None, START, 1.0)
    look(breaker, START + 1)
    assert breaker.is_sick
    breaker.accepted(START + 3) if then == "accepted" else breaker.refused()
    assert not breaker.is_sick
    breaker.unwell("502", None, START + 10, 1.0)
    assert breaker.next_at == START + 11, "waits start anew"
    assert breaker.gives_up_at() == START + 310


def test_a_photo_that_says_nothing_of_the_target_makes_room_for_another() -> None:
    breaker = breaker_with()
    breaker.unwell("502", None, START, 1.0)
    breaker.probing(7)
    breaker.left(7, START + 1)
    assert breaker.is_sick
    assert breaker.may_probe(START + 2)


def test_a_pause_of_an_earlier_run_begins_with_a_look() -> None:
    breaker = breaker_with()
    breaker.fell_sick_before("502", START)
    assert breaker.may_probe(START)
    assert breaker.gives_up_at() == START + 300


# Given up.


def test_patience_ends_with_a_question_or_a_photo() -> None:
    for ask in (True, False):
        breaker, now = breaker_with(100), START
        breaker.unwell("502", None, now, 1.0)
        while not breaker.gave_up:
            now = breaker.next_at
            assert now <= START + 100, "the last look comes when patience ends, not after"
            if ask:
                breaker.probing()
                breaker.unwell("502", None, now, 1.0)
            else:
                look(breaker, now)
        assert now == START + 100
        assert not breaker.may_probe(START + EVER)


@pytest.mark.parametrize(("after", "gave_up"), [(100.0, False), (100.1, True)])
def test_a_retry_after_longer_than_what_is_left_gives_it_up(after: float, gave_up: bool) -> None:
    breaker = breaker_with(100)
    breaker.unwell("503", after, START, 1.0)
    assert breaker.gave_up == gave_up
    assert gave_up or breaker.next_at == START + 100


def test_cron_gives_up_after_one_question_unanswered() -> None:
    breaker = breaker_with(0, cron=True)
    fails(breaker, 1, is_well=False)
    assert not breaker.gave_up
    breaker.probing()
    breaker.unwell("502", None, START + 1, 1.0)
    assert breaker.gave_up


def test_cron_gives_up_after_three_photos() -> None:
    breaker, now = breaker_with(0, cron=True), START
    fails(breaker, 1)
    fails(breaker, 2)
    for photo in range(3):
        assert not breaker.gave_up
        now = breaker.next_at
        look(breaker, now, photo)
    assert breaker.gave_up


def test_a_pause_spends_three_photos_that_are_never_sent_again() -> None:
    breaker, now = breaker_with(EVER, once=True), START
    breaker.unwell("502", None, now, 1.0)
    for photo in range(3):
        assert breaker.may_spend()
        look(breaker, breaker.next_at, photo, is_in_doubt=True)
    assert not breaker.may_spend()
    breaker.accepted(START + 100)
    assert breaker.may_spend()
