"""Decides the outcome of an attempt and the next step: pure functions of answer, circumstances,
clock and chance.

:func:`outcome_of` implements the table in docs/design.md; tests/test_retry.py has a test for each
row.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from albumup.journal.states import CUT, CUT_WHOLE, State
from albumup.targets.base import Verdict, VerdictKind
from albumup.transfer import Answer, Fault, Sent, retry_after

LONGEST_WAIT = 60.0
LONGEST_ASKED_WAIT = 3600.0
"""The most seconds that a server can make a photo wait; no journaled time is later than that."""
SEEN_AGAIN = 4.0
"""After an error of the server, a photo is looked at a second time, after this many times
``settle`` (two minutes by default): servers delete photos that they could not process in a queued
job."""
MOST_REFUNDS = 10
"""How often a photo's tries are given back because the line broke."""


class Outcome(StrEnum):
    """The outcome of an attempt; the values are journaled."""

    UPLOADED = "uploaded"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    IN_DOUBT = "in_doubt"
    """The whole body was sent, and nothing proves whether the server has it."""
    NOT_TAKEN = "not_taken"
    BROKEN = "broken"
    """The upload broke before its end: not taken; refunded if the line was the cause."""
    SICK = "sick"
    """No connection could be made, or the server is down: nothing was taken."""
    REFUSED = "refused"
    """The target refuses us: credentials, permission, quota."""
    WRONG_ADDRESS = "wrong_address"
    """The address is wrong, or a portal answered instead of the target."""
    REFUNDED = "free"
    """We cut the attempt, or its source changed or vanished: it costs no try."""


ACCEPTED = (Outcome.UPLOADED, Outcome.DUPLICATE)
"""The server has the photo."""


class Spent(StrEnum):
    """The kind of try spent by an attempt that was neither taken nor refused; given back if the
    target was sick."""

    WHOLE = "whole"
    """The kernel took every byte of the body."""
    CUT = "cut"
    TOO_MANY = "429"


class Circumstances(Struct, frozen=True):
    """The circumstances of an attempt.

    ``proven``: the target has ever accepted a photo. ``others_accepted``: it has accepted another
    photo since this attempt began.
    """

    proven: bool
    others_accepted: bool
    can_ask: bool = False
    digest_first: bool = False
    """A digest was sent before the photo's bytes: the server may recognise the photo by that."""


class Finding(Struct, frozen=True):
    """An outcome with its reason; ``retry_after`` in seconds, if the server named a time."""

    outcome: Outcome
    reason: str
    retry_after: float | None = None
    remote_id: str = ""
    url: str = ""
    status: int | None = None
    """The answer's status, if there was an answer."""
    drops_clip: bool = False
    """For a still whose clip is gone: send it without the clip next time."""
    is_unconfirmed: bool = False
    """For a duplicate: ask about it before it counts."""
    is_doubt: bool = False
    """For a wrong address: the whole body was sent, and may have been taken."""
    is_refunded: bool = False
    """The try is given back, whatever the state of the target."""
    spent: Spent | None = None
    """The kind of try spent, for a photo that was neither taken nor refused."""
    is_untrusted: bool = False
    """For a wrong address: a server answers there, but its certificate is not trusted."""
    is_portal: bool = False
    """The answer is that of a wrong address or of a portal."""


class Rules(Struct, frozen=True):
    """The rules for sending a target's photos again. ``resend``: safe, allowed or never; ``settle``
    in seconds."""

    retries: int
    can_ask: bool
    resend: str
    settle: float

    @property
    def seen_again(self) -> float:
        """Seconds between the first and the second look at a photo on the server."""
        return SEEN_AGAIN * self.settle


class Step(Struct, frozen=True):
    """The task's next state. ``next_at`` (pending) and ``ask_at`` (in doubt, to be asked) are Unix
    seconds."""

    state: State
    reason: str
    tries: int
    next_at: float = 0.0
    ask_at: float | None = None
    maybe_twice: bool = False


_REJECTING = frozenset({400, 413, 414, 415, 422})
_CLEAR_FAULTS = frozenset({501, 503, 505, 507, 511})
"""Statuses 5xx which mean that nothing was taken."""
_NOT_THERE = frozenset({404, 405, 410})
_MOVED = frozenset({301, 307, 308})


def outcome_of(
    sent: Sent, verdict: Verdict | None, circumstances: Circumstances, now: float
) -> Finding:
    """The outcome of one attempt. ``verdict`` is the target's judgement of the answer, None without
    an answer."""
    if sent.answer is None or verdict is None:
        return _without_answer(sent, circumstances)
    answer = sent.answer
    is_early = sent.early or not sent.whole
    if is_early and (early := _early(sent, answer, verdict, circumstances)) is not None:
        return early
    if is_early and not 200 <= answer.status < 300:
        sent = replace(sent, whole=False)  # an early "no" counts as of a body cut short
    if verdict.kind is VerdictKind.DUPLICATE:
        return Finding(
            Outcome.DUPLICATE,
            verdict.reason,
            None,
            verdict.remote_id,
            verdict.url,
            is_unconfirmed=verdict.is_unconfirmed,
        )
    if verdict.kind is VerdictKind.STORED and sent.whole:
        return Finding(Outcome.UPLOADED, verdict.reason, None, verdict.remote_id, verdict.url)
    if verdict.kind is VerdictKind.REJECTED:
        return Finding(
            Outcome.REJECTED, verdict.reason or status_words(answer), status=answer.status
        )
    if verdict.kind is VerdictKind.REFUSED:
        return Finding(
            Outcome.REFUSED, verdict.reason or status_words(answer), status=answer.status
        )
    if verdict.is_down:
        return Finding(Outcome.SICK, verdict.reason or status_words(answer))
    if verdict.drops_clip:
        return Finding(Outcome.NOT_TAKEN, verdict.reason, drops_clip=True)
    return _by_status(sent, answer, verdict, circumstances, retry_after(answer, now))


def _early(
    sent: Sent, answer: Answer, verdict: Verdict, circumstances: Circumstances
) -> Finding | None:
    """The finding for an answer that came before every byte was acknowledged; None if it counts
    like a late one."""
    words = f"{status_words(answer)} before the photo's end"
    if sent.used:
        words = f"{words}, perhaps a late answer to the photo before"
        return Finding(
            Outcome.IN_DOUBT if sent.whole else Outcome.NOT_TAKEN, words, is_refunded=True
        )
    if verdict.kind is VerdictKind.DUPLICATE:
        if circumstances.can_ask or circumstances.digest_first:
            known = verdict.remote_id, verdict.url
            return Finding(
                Outcome.DUPLICATE,
                verdict.reason,
                None,
                *known,
                is_unconfirmed=circumstances.can_ask,
            )
        return Finding(
            Outcome.NOT_TAKEN, f"{words}: it says that it has the photo, and cannot know that yet"
        )
    is_page = answer.is_page and not verdict.takes_pages
    if verdict.kind is VerdictKind.STORED or (
        verdict.kind is VerdictKind.UNPROVEN and 200 <= answer.status < 300 and not is_page
    ):
        return Finding(
            Outcome.IN_DOUBT if sent.whole else Outcome.NOT_TAKEN, f"{words}: it proves nothing"
        )
    return None


def _without_answer(sent: Sent, circumstances: Circumstances) -> Finding:
    is_untrusted = sent.fault is Fault.BAD_CERTIFICATE and "not speak TLS" not in sent.detail
    match sent.fault:
        case Fault.UNKNOWN_HOST | Fault.BAD_CERTIFICATE if not circumstances.proven:
            return Finding(Outcome.WRONG_ADDRESS, sent.detail, is_untrusted=is_untrusted)
        case Fault.UNKNOWN_HOST | Fault.BAD_CERTIFICATE | Fault.NOT_REACHED:
            return Finding(Outcome.SICK, sent.detail)
        case Fault.BROKEN | Fault.LOST if sent.moved and not sent.whole:
            return Finding(Outcome.REFUNDED, sent.detail)
        case Fault.BROKEN | Fault.LOST if sent.moved:
            words = f"the answer was lost: {sent.detail}"
            return Finding(Outcome.IN_DOUBT, words, is_refunded=True)
        case Fault.CUT if not sent.whole:
            return Finding(Outcome.REFUNDED, CUT)
        case Fault.CUT:
            return Finding(Outcome.IN_DOUBT, CUT_WHOLE)
        case _ if sent.whole:
            return Finding(
                Outcome.IN_DOUBT, f"the answer was lost: {sent.detail}", spent=Spent.WHOLE
            )
        case _:
            return Finding(Outcome.BROKEN, sent.detail, spent=Spent.CUT)


def _by_status(
    sent: Sent, answer: Answer, verdict: Verdict, circumstances: Circumstances, wait: float | None
) -> Finding:
    status = answer.status
    words = verdict.reason or status_words(answer)
    if status in (401, 507) or (status == 403 and not circumstances.others_accepted):
        return Finding(Outcome.REFUSED, words, status=status)
    if _is_portal(answer, verdict, circumstances):
        return _by_portal(sent, status, words, circumstances, wait)
    if status in _REJECTING:
        return Finding(Outcome.REJECTED, words, status=status)
    spent = Spent.WHOLE if sent.whole else Spent.CUT
    if status == 429:
        return Finding(Outcome.NOT_TAKEN, words, wait, spent=Spent.TOO_MANY)
    is_fault = 500 <= status < 600
    if sent.whole and (200 <= status < 300 or (is_fault and status not in _CLEAR_FAULTS)):
        return Finding(
            Outcome.IN_DOUBT, words, wait, status=status, spent=spent if is_fault else None
        )
    return Finding(Outcome.NOT_TAKEN, words, wait, status=status, spent=spent if is_fault else None)


def _is_portal(answer: Answer, verdict: Verdict, circumstances: Circumstances) -> bool:
    """Is this the answer of a wrong address or of a portal?"""
    status = answer.status
    if 300 <= status < 400 or status in _NOT_THERE:
        return True
    if not answer.is_page or (verdict.takes_pages and circumstances.proven):
        # An unproven target's pages are not trusted: they may be another server's, or a login.
        return False
    return 200 <= status < 300 or (status == 400 and not circumstances.proven)


def _by_portal(
    sent: Sent, status: int, words: str, circumstances: Circumstances, wait: float | None
) -> Finding:
    # A page or a "see other" may be this server's yes; "moved" and "not found" are clearly a no.
    is_doubt = sent.whole and status < 400 and status not in _MOVED
    if not circumstances.proven:
        return Finding(Outcome.WRONG_ADDRESS, words, wait, status=status, is_doubt=is_doubt)
    outcome = Outcome.IN_DOUBT if is_doubt else Outcome.NOT_TAKEN
    spent = Spent.WHOLE if sent.whole else Spent.CUT
    return Finding(outcome, words, wait, status=status, spent=spent, is_portal=True)


def step_after(
    finding: Finding,
    rules: Rules,
    *,
    tries: int,
    doubted: bool,
    now: float,
    chance: float,
    costs: bool = True,
    is_held: bool = False,
    wait: float = 0.0,
) -> Step:
    """The task's next step after an outcome.

    ``tries``: the number before this attempt. ``doubted``: an earlier attempt of the task is still
    in doubt. ``chance``: a random number in [0, 1). ``costs`` False: the attempt is refunded or
    given back, and the task comes again after ``wait`` seconds. ``is_held``: it is not decided yet
    whose fault the last try was.
    """
    match finding.outcome:
        case Outcome.UPLOADED:
            return Step(State.UPLOADED, "", tries + 1)
        case Outcome.DUPLICATE if finding.is_unconfirmed and rules.can_ask:
            return Step(
                State.IN_DOUBT,
                "the server says it has it, and is asked where",
                tries + 1,
                ask_at=now,
            )
        case Outcome.DUPLICATE:
            return Step(State.DUPLICATE, "", tries + 1)
        case Outcome.REJECTED if is_held:
            return Step(State.PENDING, finding.reason, tries, next_at=now)
        case Outcome.REJECTED:
            return Step(State.REJECTED, finding.reason, tries + 1)
        case Outcome.IN_DOUBT | Outcome.NOT_TAKEN | Outcome.BROKEN:
            is_doubt = finding.outcome is Outcome.IN_DOUBT
        case Outcome.WRONG_ADDRESS:
            is_doubt, costs = finding.is_doubt, False
        case _:
            is_doubt, costs = False, False
    if is_doubt and rules.can_ask:
        return Step(State.IN_DOUBT, finding.reason, tries + costs, ask_at=now + rules.settle)
    if is_doubt and rules.resend == "never":
        return Step(
            State.IN_DOUBT,
            f"{finding.reason}; it is not sent again (resend = never)",
            tries + costs,
        )
    if not costs:
        step = Step(State.PENDING, finding.reason, tries, next_at=now + wait)
    elif is_held:
        step = Step(State.PENDING, finding.reason, tries + 1, next_at=now)
    else:
        doubted = doubted or is_doubt
        step = again(finding, rules, tries=tries + 1, doubted=doubted, now=now, chance=chance)
    # A held task is not sent again before it is decided whose fault it was.
    maybe_twice = (
        is_doubt and rules.resend == "allowed" and step.state is State.PENDING and not is_held
    )
    return replace(step, maybe_twice=maybe_twice)


def again(
    finding: Finding, rules: Rules, *, tries: int, doubted: bool, now: float, chance: float
) -> Step:
    """The step to another try after a wait, or the end of this set of tries."""
    if tries > rules.retries:
        return gave_up(finding, tries, doubted=doubted)
    return Step(
        State.PENDING,
        finding.reason,
        tries,
        next_at=now + wait_before(tries, finding.retry_after, chance),
    )


def gave_up_after(tries: int) -> str:
    """ "gave up after 4 tries"."""
    return f"gave up after {tries} {'try' if tries == 1 else 'tries'}"


def gave_up(finding: Finding, tries: int, *, doubted: bool) -> Step:
    """The step at the end of a set of tries."""
    words = f"{finding.reason}, {gave_up_after(tries)}"
    return Step(State.IN_DOUBT if doubted else State.FAILED, words, tries)


def wait_after_429(times: int, after: float | None) -> float:
    """Seconds until a photo is sent again after its ``times``-th "too many requests"."""
    return max(min(LONGEST_WAIT, 2.0 ** min(times, 6)), min(after or 0.0, LONGEST_ASKED_WAIT))


def wait_before(tries: int, after: float | None, chance: float) -> float:
    """Seconds to wait after ``tries`` tries: 1 s, doubling to 60 s, with full jitter, or longer if
    the server asks."""
    return max(
        chance * min(LONGEST_WAIT, 2.0 ** min(max(0, tries - 1), 10)),
        min(after or 0.0, LONGEST_ASKED_WAIT),
    )


def status_words(answer: Answer) -> str:
    """ "503 Service Unavailable", with the server's own reason phrase."""
    return f"{answer.status} {answer.reason}".strip()
