"""What an attempt comes to and what is done next: one test per row of the design's table, then
tries, waits, doubts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from albumup.journal.states import State
from albumup.retry import (
    Circumstances,
    Finding,
    Outcome,
    Rules,
    outcome_of,
    retry_after,
    status_words,
    step_after,
    wait_before,
)
from albumup.session.ladder import LADDER, round_is_due
from albumup.targets.base import Verdict, VerdictKind
from albumup.transfer import Answer, Fault, Sent

NOW = 1_800_000_000.0
USUAL = Circumstances(proven=True, others_accepted=False)
BESIDE_OTHERS = Circumstances(proven=True, others_accepted=True)
UNPROVEN = Circumstances(proven=False, others_accepted=False)
RULES = Rules(retries=3, can_ask=False, resend="allowed", settle=30.0)


def answered(
    status: int,
    *,
    whole: bool = True,
    page: bool = False,
    complete: bool = True,
    after: str | None = None,
) -> Sent:
    headers = {"content-type": "text/html" if page else "application/json"}
    if after is not None:
        headers["retry-after"] = after
    return Sent(Answer(status, "Reason", headers, b"...", complete), None, "", whole, 100)


def unanswered(fault: Fault, *, whole: bool = False) -> Sent:
    return Sent(None, fault, "words", whole, 100)


def verdict(kind: VerdictKind, *, takes_pages: bool = False) -> Verdict:
    return Verdict(kind, "rule", "", "7", "https://x/7", takes_pages)


NO_RULE = verdict(VerdictKind.UNPROVEN)


@dataclass(frozen=True)
class Row:
    """A line of the table: what happened, and the outcome. ``state`` and ``tries``: what becomes of
    a first try."""

    sent: Sent
    outcome: Outcome
    state: State
    tries: int
    verdict: Verdict = NO_RULE
    around: Circumstances = USUAL


def rejected(status: int) -> Row:
    return Row(answered(status), Outcome.REJECTED, State.REJECTED, 1)


def doubt(sent: Sent) -> Row:
    return Row(sent, Outcome.IN_DOUBT, State.PENDING, 1)


def not_taken(sent: Sent, around: Circumstances = USUAL) -> Row:
    return Row(sent, Outcome.NOT_TAKEN, State.PENDING, 1, around=around)


def sick(sent: Sent) -> Row:
    return Row(sent, Outcome.SICK, State.PENDING, 0)


def portal(sent: Sent) -> Row:
    """What a portal answers, in the middle of a run: whose fault it was, the breaker judges."""
    status = sent.answer.status if sent.answer else 0
    is_doubt = sent.whole and status < 400 and status not in (301, 307, 308)
    return Row(sent, Outcome.IN_DOUBT if is_doubt else Outcome.NOT_TAKEN, State.PENDING, 1)


def refused(sent: Sent, kind: VerdictKind = VerdictKind.UNPROVEN) -> Row:
    return Row(sent, Outcome.REFUSED, State.PENDING, 0, verdict(kind))


def wrong_address(sent: Sent) -> Row:
    return Row(sent, Outcome.WRONG_ADDRESS, State.PENDING, 0, around=UNPROVEN)


KNOWS = Circumstances(proven=True, others_accepted=False, digest_first=True)
EARLY_YES, EARLY_HAVE = verdict(VerdictKind.STORED), verdict(VerdictKind.DUPLICATE)


def early(status: int, *, whole: bool = True, used: bool = False, page: bool = False) -> Sent:
    """An answer that was there before every byte of the body was acknowledged."""
    return replace(answered(status, whole=whole, page=page), early=True, used=used)


EARLY = {
    **{
        f"an early {status}{' yes' * bool(said.kind is VerdictKind.STORED)}": Row(
            early(status), Outcome.IN_DOUBT, State.PENDING, 1, said
        )
        for status, said in ((200, NO_RULE), (201, EARLY_YES), (303, EARLY_YES))
    },
    "an early yes in the middle of the body": Row(
        early(201, whole=False), Outcome.NOT_TAKEN, State.PENDING, 1, EARLY_YES
    ),
    **{f"an early {status}": not_taken(early(status)) for status in (408, 500, 501, 502, 504, 599)},
    "an early 413": Row(early(413), Outcome.REJECTED, State.REJECTED, 1),
    "an early 401": refused(early(401)),
    "an early no in words": Row(
        early(200), Outcome.REJECTED, State.REJECTED, 1, verdict(VerdictKind.REJECTED)
    ),
    "an early 404": wrong_address(early(404)),
    "an early I have it, of a server that cannot know": Row(
        early(409), Outcome.NOT_TAKEN, State.PENDING, 1, EARLY_HAVE
    ),
    "an early I have it, in the middle": Row(
        early(409, whole=False), Outcome.NOT_TAKEN, State.PENDING, 1, EARLY_HAVE
    ),
    **{
        f"an early I have it, told by its digest, {whole}": Row(
            early(409, whole=whole), Outcome.DUPLICATE, State.DUPLICATE, 1, EARLY_HAVE, KNOWS
        )
        for whole in (True, False)
    },
    # On a connection that was used before, it may be a late answer to the photo before.
    **{
        f"{status} {said.kind} on a used connection": Row(
            early(status, used=True), Outcome.IN_DOUBT, State.PENDING, 0, said, KNOWS
        )
        for status in (200, 201, 303, 401, 404, 409, 413, 503)
        for said in (
            NO_RULE,
            EARLY_YES,
            EARLY_HAVE,
            verdict(VerdictKind.REJECTED),
            verdict(VerdictKind.REFUSED),
        )
    },
}


TABLE = {
    **EARLY,
    # The target's rules say it is stored, or was there.
    "stored": Row(answered(201), Outcome.UPLOADED, State.UPLOADED, 1, verdict(VerdictKind.STORED)),
    "stored, by a Location": Row(
        answered(303), Outcome.UPLOADED, State.UPLOADED, 1, verdict(VerdictKind.STORED)
    ),
    "stored, by a page's text": Row(
        answered(200, page=True), Outcome.UPLOADED, State.UPLOADED, 1,
        verdict(VerdictKind.STORED, takes_pages=True),
    ),
    "was there": Row(
        answered(409), Outcome.DUPLICATE, State.DUPLICATE, 1, verdict(VerdictKind.DUPLICATE)
    ),
    # Rejected.
    **{str(status): rejected(status) for status in (400, 413, 414, 415, 422)},
    "413 with a page, in the middle of the body": Row(
        answered(413, page=True, whole=False), Outcome.REJECTED, State.REJECTED, 1
    ),
    "words the target knows": Row(
        answered(200), Outcome.REJECTED, State.REJECTED, 1, verdict(VerdictKind.REJECTED)
    ),
    # The whole body sent, and no proof.
    **{
        f"{status} after the body": doubt(answered(status))
        for status in (500, 502, 504, 506, 508, 520, 524, 530, 599)
    },
    "500 with a page after the body": doubt(answered(500, page=True)),
    "answer lost": doubt(unanswered(Fault.LOST, whole=True)),
    "answer lost by a reset": doubt(unanswered(Fault.BROKEN, whole=True)),
    "a 2xx cut or oversized": doubt(answered(201, complete=False)),
    "a 2xx the rules do not take": doubt(answered(200)),
    "a page where pages are the rule": Row(
        answered(200, page=True), Outcome.IN_DOUBT, State.PENDING, 1,
        verdict(VerdictKind.UNPROVEN, takes_pages=True),
    ),
    # Not taken.
    **{
        str(status): not_taken(answered(status))
        for status in (402, 406, 408, 409, 418, 423, 425, 429, 451)
    },
    **{str(status): not_taken(answered(status)) for status in (501, 503, 505, 511)},
    **{
        f"{status} with the body cut short": not_taken(answered(status, whole=False))
        for status in (500, 502, 504)
    },
    "201 with the body cut short": Row(
        answered(201, whole=False), Outcome.NOT_TAKEN, State.PENDING, 1,
        verdict(VerdictKind.STORED),
    ),
    # No connection.
    **{
        f"{status} while others are accepted": not_taken(answered(status), BESIDE_OTHERS)
        for status in (429, 503)
    },
    "cannot be connected": sick(unanswered(Fault.NOT_REACHED)),
    "cannot be resolved, once proven": sick(unanswered(Fault.UNKNOWN_HOST)),
    "certificate, once proven": sick(unanswered(Fault.BAD_CERTIFICATE)),
    # The line.
    "broken in the middle of the body": Row(
        unanswered(Fault.BROKEN), Outcome.BROKEN, State.PENDING, 1
    ),
    # The target refuses us.
    **{str(status): refused(answered(status)) for status in (401, 403, 507)},
    "401 in the middle of the body": refused(answered(401, whole=False)),
    "a quota word": refused(answered(400), VerdictKind.REFUSED),
    "403 while others are accepted": not_taken(answered(403), BESIDE_OTHERS),
    # The address is wrong, or a portal sits between.
    **{
        f"{status}, once proven": portal(answered(status))
        for status in (300, 301, 302, 307, 308, 399, 404, 405, 410)
    },
    **{
        f"{status}, never proven": wrong_address(answered(status))
        for status in (300, 301, 302, 307, 308, 399, 404, 405, 410)
    },
    "a page, once proven": portal(answered(200, page=True)),
    "a page, never proven": wrong_address(answered(200, page=True)),
    "a page in the middle of the body": portal(answered(200, page=True, whole=False)),
    "404 while others are accepted": not_taken(answered(404), BESIDE_OTHERS),
    "unknown host, never proven": wrong_address(unanswered(Fault.UNKNOWN_HOST)),
    "certificate, never proven": wrong_address(unanswered(Fault.BAD_CERTIFICATE)),
    "no network, never proven": Row(
        unanswered(Fault.NOT_REACHED), Outcome.SICK, State.PENDING, 0, around=UNPROVEN
    ),
    "503, never proven": not_taken(answered(503), UNPROVEN),
    "400 with a page, never proven": wrong_address(answered(400, page=True)),
    "400 with a page, once proven": Row(
        answered(400, page=True), Outcome.REJECTED, State.REJECTED, 1
    ),
    # Free.
    "this computer moved, in the middle of the body": Row(
        replace(unanswered(Fault.BROKEN), moved=True), Outcome.REFUNDED, State.PENDING, 0
    ),
    "this computer moved, after the body": Row(
        replace(unanswered(Fault.LOST, whole=True), moved=True),
        Outcome.IN_DOUBT, State.PENDING, 0,
    ),
    "cut by us": Row(unanswered(Fault.CUT), Outcome.REFUNDED, State.PENDING, 0),
    "cut by us after the body": doubt(unanswered(Fault.CUT, whole=True)),
}  # fmt: skip


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_the_table_of_outcomes(row: Row) -> None:
    found = outcome_of(row.sent, row.verdict if row.sent.answer else None, row.around, NOW)
    assert found.outcome is row.outcome
    step = step_after(
        found, RULES, tries=0, doubted=False, now=NOW, chance=0.5, costs=not found.is_refunded
    )
    assert (step.state, step.tries) == (row.state, row.tries)
    if step.state in (State.UPLOADED, State.DUPLICATE):
        assert (found.remote_id, found.url, step.reason) == ("7", "https://x/7", "")
    else:
        assert step.reason


@pytest.mark.parametrize("whole", [True, False])
def test_an_early_i_have_it_is_asked_about_at_once(whole: bool) -> None:
    around = Circumstances(proven=True, others_accepted=False, can_ask=True, digest_first=True)
    found = outcome_of(early(200, whole=whole), EARLY_HAVE, around, NOW)
    rules = replace(RULES, can_ask=True)
    step = step_after(found, rules, tries=0, doubted=False, now=NOW, chance=0.5)
    assert (step.state, step.ask_at) == (State.IN_DOUBT, NOW)


def test_the_reason_is_the_targets_words_or_the_status() -> None:
    words = Verdict(
        VerdictKind.UNPROVEN, "success_text", "200, but success_text was not found in the answer"
    )
    assert outcome_of(answered(200), words, USUAL, NOW).reason == words.reason
    assert outcome_of(answered(500), NO_RULE, USUAL, NOW).reason == "500 Reason"
    assert status_words(Answer(599, "", {}, b"", True)) == "599"
    assert (
        outcome_of(unanswered(Fault.LOST, whole=True), None, USUAL, NOW).reason
        == "the answer was lost: words"
    )
    cut_by_us = Sent(None, Fault.CUT, "", whole=True, bytes=100)
    assert outcome_of(cut_by_us, None, USUAL, NOW).reason == "cut before the answer came"


# A strange answer to a whole body: the address is looked at, and the photo is in doubt besides.

STRANGE = {
    "a page": answered(200, page=True),
    "201 with a page": answered(201, page=True),
    "302": answered(302),
    "303": answered(303),
}
CLEAR = {
    "moved": answered(301),
    "moved for now": answered(307),
    "not found": answered(404, page=True),
    "a page before the end": answered(200, page=True, whole=False),
}


@pytest.mark.parametrize("around", [UNPROVEN, USUAL], ids=["never proven", "proven"])
@pytest.mark.parametrize(
    ("resend", "can_ask", "state", "maybe_twice"),
    [
        ("allowed", False, State.PENDING, True),
        ("safe", False, State.PENDING, False),
        ("never", False, State.IN_DOUBT, False),
        ("safe", True, State.IN_DOUBT, False),
    ],
)
@pytest.mark.parametrize("sent", STRANGE.values(), ids=STRANGE)
def test_a_strange_answer_to_a_whole_body_leaves_it_in_doubt(
    around: Circumstances, resend: str, can_ask: bool, state: State, maybe_twice: bool, sent: Sent
) -> None:
    found = outcome_of(sent, NO_RULE, around, NOW)
    assert found.outcome is (Outcome.IN_DOUBT if around.proven else Outcome.WRONG_ADDRESS)
    assert found.is_portal == around.proven, "the breaker gives the try back, if it believes so"
    step = step_after(
        found, Rules(3, can_ask, resend, 30.0), tries=0, doubted=False, now=NOW, chance=0.5
    )
    assert (step.state, step.tries, step.maybe_twice) == (state, int(around.proven), maybe_twice)
    assert step.ask_at == (NOW + 30.0 if can_ask else None)


@pytest.mark.parametrize("around", [UNPROVEN, USUAL], ids=["never proven", "proven"])
@pytest.mark.parametrize("sent", CLEAR.values(), ids=CLEAR)
def test_a_strange_answer_that_took_nothing_leaves_no_doubt(
    around: Circumstances, sent: Sent
) -> None:
    found = outcome_of(sent, NO_RULE, around, NOW)
    for resend in ("allowed", "never"):
        step = step_after(
            found, Rules(3, False, resend, 30.0), tries=0, doubted=False, now=NOW, chance=0.5
        )
        assert (step.state, step.tries, step.maybe_twice) == (
            State.PENDING,
            int(around.proven),
            False,
        )


# Tries.


@pytest.mark.parametrize(("retries", "ends"), [(0, [1]), (1, [1, 2]), (3, [1, 2, 3, 4])])
def test_retries_are_the_tries_after_the_first_one(retries: int, ends: list[int]) -> None:
    """``--retries 3`` means four tries."""
    rules, seen, tries = Rules(retries, False, "safe", 30.0), [], 0
    while True:
        step = step_after(
            Finding(Outcome.NOT_TAKEN, "408"), rules, tries=tries, doubted=False, now=NOW,
            chance=0.5,
        )  # fmt: skip
        tries = step.tries
        seen.append(tries)
        if step.state is State.FAILED:
            break
        assert step.state is State.PENDING
    assert seen == ends
    assert step.reason == f"408, gave up after {tries} {'try' if tries == 1 else 'tries'}"


@pytest.mark.parametrize(
    "outcome", [Outcome.SICK, Outcome.REFUSED, Outcome.WRONG_ADDRESS, Outcome.REFUNDED]
)
def test_what_is_not_the_photos_fault_costs_no_try_however_often(outcome: Outcome) -> None:
    step = step_after(Finding(outcome, "words"), RULES, tries=3, doubted=True, now=NOW, chance=0.9)
    assert (step.state, step.tries, step.next_at) == (State.PENDING, 3, NOW)


@pytest.mark.parametrize("outcome", [Outcome.BROKEN, Outcome.NOT_TAKEN, Outcome.IN_DOUBT])
def test_an_attempt_cut_off_by_a_kill_costs_no_try(outcome: Outcome) -> None:
    step = step_after(
        Finding(outcome, "cut off"), RULES, tries=3, doubted=False, now=NOW, chance=0.5, costs=False
    )
    assert (step.state, step.tries) == (State.PENDING, 3)


# Waits.


def test_waits_double_from_one_second_to_sixty() -> None:
    longest = [wait_before(tries, None, 1.0) for tries in range(1, 10)]
    assert longest == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert wait_before(100_000, None, 1.0) == 60


def test_jitter_is_full() -> None:
    assert [wait_before(4, None, chance) for chance in (0.0, 0.25, 0.5, 1.0)] == [0, 2, 4, 8]


@pytest.mark.parametrize("chance", [0.0, 0.99])
def test_a_time_that_the_server_names_is_obeyed(chance: float) -> None:
    for sent in (answered(408, after="90"), answered(500, after="90")):
        found = outcome_of(sent, NO_RULE, USUAL, NOW)
        assert found.retry_after == 90
        step = step_after(found, RULES, tries=0, doubted=False, now=NOW, chance=chance)
        assert step.next_at == NOW + 90
    assert wait_before(7, 5.0, 0.5) == 30  # longer than asked for is no offence


@pytest.mark.parametrize("status", [429, 503, 404, 302])
def test_a_sick_targets_retry_after_is_handed_on(status: int) -> None:
    assert outcome_of(answered(status, after="7"), NO_RULE, USUAL, NOW).retry_after == 7


def after(text: str | None) -> float | None:
    sent = answered(503, after=text)
    assert sent.answer is not None
    return retry_after(sent.answer, NOW)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("120", 120),
        (" 120 ", 120),
        ("0", 0),
        (format_datetime(datetime.fromtimestamp(NOW + 90, UTC), usegmt=True), 90),
        (datetime.fromtimestamp(NOW + 90, UTC).strftime("%A, %d-%b-%y %H:%M:%S GMT"), 90),
        (
            datetime.fromtimestamp(NOW + 90, UTC).strftime("%a %b %d %H:%M:%S %Y"),
            90,
        ),  # RFC 9110: also this one
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("soon", None),
        ("Wed, 99 Foo 2015 07:28:00 GMT", None),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(
    text: str | None, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert after(text) == seconds
    finally:
        monkeypatch.undo()
        time.tzset()


@given(st.one_of(st.text(), st.text("0123456789,:+-ADFJMNOSTWGabcdeghinoprtuvy ", max_size=40)))
def test_whatever_retry_after_says_nothing_breaks(text: str) -> None:
    seconds = after(text)
    assert seconds is None or 0 <= seconds < 1e12


# Rounds.


def test_rounds_are_due_at_once_then_after_15_minutes_1_6_and_24_hours() -> None:
    minutes = [0, 15, 60, 6 * 60, 24 * 60]
    for had, wait in enumerate(minutes):
        assert round_is_due(had, NOW, NOW + wait * 60, 5)
        assert wait == 0 or not round_is_due(had, NOW, NOW + wait * 60 - 1, 5)
    assert [seconds / 60 for seconds in LADDER] == minutes


def test_rounds_come_to_an_end() -> None:
    assert not round_is_due(5, NOW, NOW + 1e9, 5)
    assert not round_is_due(0, NOW, NOW, 0)
    assert round_is_due(9, NOW, NOW + 24 * 3600, 10), (
        "more rounds than the ladder has steps: the last one again"
    )
    assert not round_is_due(9, NOW, NOW + 24 * 3600 - 1, 10)


def test_a_clock_set_back_makes_a_round_due_and_never_later() -> None:
    assert round_is_due(4, NOW, NOW - 3600, 5)
    assert not round_is_due(4, NOW, NOW - 0.5, 5), "that is no clock set back"
    assert not round_is_due(5, NOW, NOW - 3600, 5)


# Doubts.


def after_doubt(resend: str, *, can_ask: bool = False, tries: int = 0, costs: bool = True):  # type: ignore[no-untyped-def]
    return step_after(
        Finding(Outcome.IN_DOUBT, "the answer was lost"),
        Rules(3, can_ask, resend, 30.0),
        tries=tries,
        doubted=False,
        now=NOW,
        chance=0.5,
        costs=costs,
    )


@pytest.mark.parametrize("resend", ["safe", "allowed", "never"])
@pytest.mark.parametrize("tries", [0, 3])
def test_a_doubt_that_can_be_asked_about_waits_for_that(resend: str, tries: int) -> None:
    step = after_doubt(resend, can_ask=True, tries=tries)
    assert (step.state, step.tries, step.ask_at, step.maybe_twice) == (
        State.IN_DOUBT,
        tries + 1,
        NOW + 30,
        False,
    )


@pytest.mark.parametrize(("resend", "maybe_twice"), [("safe", False), ("allowed", True)])
def test_a_doubt_is_sent_again_where_that_is_safe_or_allowed(
    resend: str, maybe_twice: bool
) -> None:
    step = after_doubt(resend)
    assert (step.state, step.tries, step.maybe_twice) == (State.PENDING, 1, maybe_twice)
    assert step.next_at == NOW + 0.5


@pytest.mark.parametrize("costs", [True, False])
def test_a_doubt_is_final_where_sending_again_is_forbidden(costs: bool) -> None:
    step = after_doubt("never", costs=costs)
    assert (step.state, step.ask_at, step.maybe_twice) == (State.IN_DOUBT, None, False)
    assert "resend = never" in step.reason


@pytest.mark.parametrize("resend", ["safe", "allowed"])
def test_a_doubt_whose_tries_are_used_up_is_final_and_was_not_sent_again(resend: str) -> None:
    step = after_doubt(resend, tries=3)
    assert (step.state, step.tries, step.ask_at, step.maybe_twice) == (
        State.IN_DOUBT,
        4,
        None,
        False,
    )


@pytest.mark.parametrize("outcome", [Outcome.NOT_TAKEN, Outcome.BROKEN])
@pytest.mark.parametrize(("doubted", "state"), [(False, State.FAILED), (True, State.IN_DOUBT)])
def test_tries_used_up_are_failed_unless_an_earlier_one_is_in_doubt(
    outcome: Outcome, doubted: bool, state: State
) -> None:
    step = step_after(Finding(outcome, "408"), RULES, tries=3, doubted=doubted, now=NOW, chance=0.5)
    assert (step.state, step.tries, step.ask_at) == (state, 4, None)


def test_a_week_of_cron_is_five_rounds_and_not_672() -> None:
    """Every quarter of an hour, for a photo that fails each time at once."""
    rounds, failed_at, at = 0, 0.0, []
    for now in range(0, 7 * 86400, 900):
        if round_is_due(rounds, failed_at, now, most=5):
            rounds, failed_at = rounds + 1, float(now)
            at.append(now / 3600)
    assert at == [0.0, 0.25, 1.25, 7.25, 31.25]
