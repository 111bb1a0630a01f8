"""Outages, poison photos and busy servers, played on the rule's own functions with a clock handed in: what is sent,
given back and given up in hours and days, in a second. ``python tests/test_worlds.py`` prints the table."""

from __future__ import annotations

import heapq
import random
import sys
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import pytest

from albumup.journal.states import State
from albumup.retry import (
    LADDER,
    Circumstances,
    Finding,
    Outcome,
    Rules,
    gave_up,
    outcome_of,
    round_is_due,
    step_after,
    wait_after_429,
)
from albumup.targets.base import Verdict, VerdictKind
from albumup.transfer import Answer, Fault, Sent
from albumup.uploader.breaker import CRON_PHOTOS, MOST_BACK, Breaker, Counts, Ended, Spent

HOUR = 3600.0
ALLOWED = Rules(3, False, "allowed", 30.0)
NEVER = Rules(3, False, "never", 30.0)
SAFE = Rules(3, False, "safe", 30.0)
ASKED = Rules(3, True, "safe", 30.0)
PATIENCE = {"push": 300.0, "detach": 86400.0, "cron": 0.0}


def sent(code: str) -> tuple[Sent, VerdictKind]:
    """What a server's answer, or its absence, is on the wire."""
    if code == "ok":
        return Sent(Answer(201, "", {}, b"{}", True), None, "", True, 100), VerdictKind.STORED
    if code == "lost":
        return Sent(None, Fault.LOST, "lost", True, 100), VerdictKind.UNPROVEN
    if code == "cut":
        return Sent(None, Fault.BROKEN, "reset", False, 50), VerdictKind.UNPROVEN
    headers = {"content-type": "text/html"} if "page" in code else {}
    return Sent(Answer(int(code[:3]), "", headers, b"", True), None, "", True, 100), VerdictKind.UNPROVEN


@dataclass
class Photo:
    """What the journal knows of a photo, and the server's side of it."""

    number: int
    state: State = State.PENDING
    counts: Counts = field(default_factory=Counts)
    attempts: int = 0
    next_at: float = 0.0
    doubts: int = 0
    held: Finding | None = None
    rounds: int = 0
    since: float = 0.0
    whole: int = 0
    cut: int = 0

    def count(self, **more: int) -> None:
        values = {name: getattr(self.counts, name) for name in ("tries", "whole", "cut", "too_many")}
        self.counts = Counts(**(values | {name: values[name] + by for name, by in more.items()}))


_COLUMN = {Spent.WHOLE: "whole", Spent.CUT: "cut", Spent.TOO_MANY: "too_many"}


@dataclass
class World:
    """``answer(photo, seconds, attempt)`` is what a sending comes to, ``question(seconds)`` what a question does."""

    photos: int
    answer: Callable[[int, float, int], str]
    question: Callable[[float], str] = lambda _: "ok"
    first: str = "push"
    runs: int = 400
    takes: Callable[[int, str], float] = lambda _photo, _code: 1.0
    rules: Rules = ALLOWED
    tries_before: int = 0


class Story:
    """One world, from the first push through rounds of cron every quarter of an hour."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = random.Random(1)
        self.photos = [Photo(number, counts=Counts(world.tries_before)) for number in range(world.photos)]
        self.now = 0.0
        self.pause: str | None = None
        self.spent = 0
        self.codes: list[int] = []

    def play(self) -> Story:
        for number in range(self.world.runs):
            kind = self.world.first if number == 0 else "cron"
            if kind == "cron":
                self.fresh_sets()
            started = self.now
            self.codes.append(Run(self, kind).run())
            if all(one.state in (State.UPLOADED, State.REJECTED) for one in self.photos) or self.is_over():
                break
            self.now = max(self.now, started) + 900.0
        return self

    def fresh_sets(self) -> None:
        rules = self.world.rules
        for one in self.photos:
            most = 5
            if one.state is State.IN_DOUBT and not rules.can_ask:
                most = {"never": 0, "allowed": 1, "safe": 5}[rules.resend]
            is_given_up = one.state in (State.FAILED, State.IN_DOUBT)
            if is_given_up and round_is_due(one.rounds, one.since, self.now, most):
                one.state, one.rounds, one.next_at = State.PENDING, one.rounds + 1, 0.0
                one.count(tries=-one.counts.tries)

    def is_over(self) -> bool:
        """Will nothing more be sent, ever?"""
        if any(one.state is State.PENDING for one in self.photos):
            return False
        before = [(one.state, one.counts, one.rounds, one.next_at) for one in self.photos]
        was, self.now = self.now, self.now + 2 * LADDER[-1]
        self.fresh_sets()
        is_over = all(one.state is not State.PENDING for one in self.photos)
        self.now = was
        for one, (state, counts, rounds, next_at) in zip(self.photos, before, strict=True):
            one.state, one.counts, one.rounds, one.next_at = state, counts, rounds, next_at
        return is_over

    def row(self) -> str:
        codes = Counter(self.codes)
        runs = " ".join(f"{code}x{count}" for code, count in sorted(codes.items()))
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.states().items()))
        return (
            f"{runs} | {self.now / HOUR:.1f} h | {states} | {self.most_whole()} | {self.most_cut()} | {self.bodies()}"
        )

    def states(self) -> dict[str, int]:
        return dict(Counter(str(one.state) for one in self.photos))

    def most_whole(self) -> int:
        return max(one.whole for one in self.photos)

    def most_cut(self) -> int:
        return max(one.cut for one in self.photos)

    def bodies(self) -> int:
        return sum(one.whole + one.cut for one in self.photos)


class Run:
    """One run of the uploader, four workers at most."""

    def __init__(self, story: Story, kind: str) -> None:
        self.story, self.world = story, story.world
        rules = self.world.rules
        self.breaker = Breaker(
            PATIENCE[kind], rules.retries, True, 4, CRON_PHOTOS if kind == "cron" else None,
            sends_once=rules.resend == "never" and not rules.can_ask,
        )  # fmt: skip
        self.breaker.spent_photos = story.spent if kind == "cron" else 0
        if story.pause is not None:
            self.breaker.fell_sick_before(story.pause, story.now)
        self.in_flight: list[tuple[float, int, float, str]] = []
        for one in story.photos:
            one.next_at = min(one.next_at, story.now)

    def run(self) -> int:
        story, breaker = self.story, self.breaker
        for _ in range(500_000):
            if breaker.gave_up and not self.in_flight:
                break
            waiting = self.waiting()
            if not waiting and not self.in_flight:
                break
            self.start(waiting)
            if self.in_flight:
                self.end()
            elif breaker.is_sick:
                story.now = max(story.now, breaker.next_at)
            elif waiting:
                story.now = max(story.now, min(one.next_at for one in waiting))
        else:
            raise AssertionError("it does not end")
        for one in story.photos:
            if one.held is not None and not breaker.gave_up:
                self.own(one)
        story.pause, story.spent = breaker.words if breaker.is_sick else None, breaker.spent_photos
        if any(one.state is State.PENDING for one in story.photos):
            return 75
        return 0 if all(one.state is State.UPLOADED for one in story.photos) else 3

    def waiting(self) -> list[Photo]:
        busy = {number for _, number, _, _ in self.in_flight}
        photos = self.story.photos
        return [one for one in photos if one.state is State.PENDING and one.held is None and one.number not in busy]

    def start(self, waiting: list[Photo]) -> None:
        now, breaker = self.story.now, self.breaker
        if breaker.gave_up:
            return
        if not breaker.is_sick:
            ready = sorted((one for one in waiting if one.next_at <= now), key=lambda one: (one.attempts, one.number))
            for one in ready[: breaker.jobs - len(self.in_flight)]:
                self.send(one)
        elif breaker.may_probe(now):
            breaker.probing()
            if self.world.question(now) != "ok":
                breaker.unwell("question", None, now, 0.5)
            elif not breaker.may_spend():
                breaker.gave_up = True
            elif waiting:
                least = min(one.attempts for one in waiting)
                drawn = self.story.random.choice([one for one in waiting if one.attempts == least])
                breaker.probing(drawn.number)
                self.send(drawn)
            else:
                breaker.not_probed(now)

    def send(self, one: Photo) -> None:
        now = self.story.now
        one.attempts += 1
        code = self.world.answer(one.number, now, one.attempts)
        heapq.heappush(self.in_flight, (now + self.world.takes(one.number, code), one.number, now, code))

    def end(self) -> None:
        """The next attempt ends, as the uploader would record it."""
        end, number, began, code = heapq.heappop(self.in_flight)
        story, breaker, rules = self.story, self.breaker, self.world.rules
        story.now = now = max(story.now, end)
        one = story.photos[number]
        went, kind = sent(code)
        if went.whole:
            one.whole += 1
        else:
            one.cut += 1
        around = Circumstances(True, breaker.accepted_at > began)
        finding = outcome_of(went, Verdict(kind, "rule"), around, now)
        if finding.outcome is Outcome.UPLOADED:
            one.state = State.UPLOADED
            breaker.accepted(now)
            self.told_own()
            return
        if finding.outcome is Outcome.REJECTED:
            one.state = State.REJECTED
            breaker.refused()
            self.told_own()
            return
        assert finding.spent is not None
        is_well = breaker.is_sick or self.world.question(now) == "ok"
        ruling = breaker.ended(
            Ended(
                number, finding.spent, one.counts, began, code, is_well, finding.is_portal,
                finding.outcome is Outcome.IN_DOUBT, not self.in_flight,
            ),
            now,
            0.5,
        )  # fmt: skip
        for other, spent in ruling.refunds:
            self.refund(story.photos[other], spent)
        wait = 0.0
        if ruling.given_back:
            one.count(**{_COLUMN[finding.spent]: 1})
            wait = wait_after_429(one.counts.too_many, None) if finding.spent is Spent.TOO_MANY else 0.0
        step = step_after(
            finding, rules, tries=one.counts.tries, doubted=one.doubts > 0, now=now, chance=0.5,
            costs=not ruling.given_back, is_held=ruling.is_held, wait=wait,
        )  # fmt: skip
        one.doubts += finding.outcome is Outcome.IN_DOUBT
        one.count(tries=step.tries - one.counts.tries)
        if step.ask_at is not None:
            step = step_after(Finding(Outcome.FREE, ""), rules, tries=step.tries, doubted=False, now=now, chance=0.5)
            if one.counts.tries > rules.retries:  # asked: the server does not have it
                step = gave_up(finding, one.counts.tries, doubted=True)
        one.state, one.next_at, one.since = step.state, step.next_at, now
        if ruling.is_held and step.state is State.PENDING:
            one.held = finding

    def refund(self, one: Photo, spent: Spent) -> None:
        if one.state is State.PENDING and one.counts.tries and one.counts.back(spent) < MOST_BACK[spent]:
            one.count(**{_COLUMN[spent]: 1, "tries": -1})
            one.held = None
        elif one.held is not None:
            self.own(one)

    def told_own(self) -> None:
        for one in self.story.photos:
            if one.held is not None:
                self.own(one)

    def own(self, one: Photo) -> None:
        assert one.held is not None
        one.state = gave_up(one.held, one.counts.tries, doubted=one.doubts > 0).state
        one.held, one.since = None, self.story.now


def bad(photos: Collection[int], code: str) -> Callable[[int, float, int], str]:
    return lambda photo, _now, _attempt: code if photo in photos else "ok"


def until(end: float, code: str) -> Callable[[int, float, int], str]:
    return lambda _photo, now, _attempt: code if now < end else "ok"


def asked_until(end: float, code: str = "502") -> Callable[[float], str]:
    return lambda now: code if now < end else "ok"


def always(code: str) -> Callable[[int, float, int], str]:
    return lambda *_: code


def restarts(now: float) -> str:
    return "502" if now % 1800 < 40 and now < 5400 else "ok"


@dataclass(frozen=True)
class Law:
    """What must hold at the end. ``states`` exactly; ``whole`` and ``cut``: bodies of a single photo at most;
    ``bodies``: of all together at most."""

    world: World
    states: dict[str, int]
    whole: int
    bodies: int
    cut: int = 0


def slow(code: str) -> Callable[[int, str], float]:
    return lambda _photo, came: 60.0 if came == code else 1.0


WORLDS = {
    "1 poison, 500": Law(World(300, bad({150}, "500")), {"uploaded": 299, "in_doubt": 1}, 8, 307),
    "1 poison, 504 after 60 s": Law(
        World(300, bad({150}, "504"), takes=slow("504")), {"uploaded": 299, "in_doubt": 1}, 11, 310
    ),
    "1 poison, 429": Law(World(300, bad({150}, "429")), {"uploaded": 299, "failed": 1}, 40, 340),
    "1 poison, 404 with a page": Law(World(300, bad({150}, "404 page")), {"uploaded": 299, "failed": 1}, 28, 328),
    "the last photo, 504": Law(World(300, bad({299}, "504")), {"uploaded": 299, "in_doubt": 1}, 11, 310),
    "the last photo, cut": Law(World(300, bad({299}, "cut")), {"uploaded": 299, "failed": 1}, 1, 340, 34),
    "2 poison, 500": Law(World(300, bad({150, 220}, "500")), {"uploaded": 298, "in_doubt": 2}, 11, 320),
    "the last two, 504": Law(
        World(300, bad({298, 299}, "504"), takes=slow("504")), {"uploaded": 298, "in_doubt": 2}, 11, 320
    ),
    "the last two, cut": Law(World(300, bad({298, 299}, "cut")), {"uploaded": 298, "failed": 2}, 1, 370, 34),
    "20 videos cut": Law(World(300, bad(range(280, 300), "cut")), {"uploaded": 280, "failed": 20}, 1, 980, 34),
    "30 poison in a row, 500": Law(
        World(300, bad(range(100, 130), "500")), {"uploaded": 270, "in_doubt": 30}, 11, 610
    ),
    "30 poison first, cron alone": Law(
        World(300, bad(range(30), "500"), first="cron"), {"uploaded": 270, "in_doubt": 30}, 11, 610
    ),
    "502 for 1 h": Law(World(300, until(HOUR, "502"), asked_until(HOUR)), {"uploaded": 300}, 2, 304),
    "502 for 8 h": Law(World(300, until(8 * HOUR, "502"), asked_until(8 * HOUR)), {"uploaded": 300}, 2, 304),
    "502 for 8 h, 10 photos": Law(World(10, until(8 * HOUR, "502"), asked_until(8 * HOUR)), {"uploaded": 10}, 2, 14),
    "502 for 48 h": Law(World(300, until(48 * HOUR, "502"), asked_until(48 * HOUR)), {"uploaded": 300}, 2, 304),
    "502 for 48 h, never twice": Law(
        World(300, until(48 * HOUR, "502"), asked_until(48 * HOUR), first="cron", rules=NEVER),
        {"uploaded": 296, "in_doubt": 4}, 1, 300,
    ),
    "502 for 23 h, one run": Law(
        World(300, until(23 * HOUR, "502"), asked_until(23 * HOUR), first="detach"), {"uploaded": 300}, 2, 304
    ),
    "500 for 23 h, question fine, one run": Law(
        World(300, until(23 * HOUR, "500"), first="detach"), {"uploaded": 300}, 2, 520
    ),
    "500 for 8 h, question fine": Law(World(300, until(8 * HOUR, "500")), {"uploaded": 300}, 2, 410),
    "500 for 8 h, question fine, 20 photos": Law(World(20, until(8 * HOUR, "500")), {"uploaded": 20}, 7, 130),
    "500 for 8 h, question fine, never twice": Law(
        World(300, until(8 * HOUR, "500"), rules=NEVER), {"in_doubt": 8, "pending": 292}, 1, 8
    ),
    "500 for ever, stored": Law(World(300, always("500"), runs=3000), {"in_doubt": 300}, 11, 3310),
    "500 for ever, safe": Law(World(300, always("500"), runs=6000, rules=SAFE), {"in_doubt": 300}, 28, 8200),
    "Immich, 500 for ever, question fine": Law(
        World(300, always("500"), runs=6000, rules=ASKED), {"in_doubt": 300}, 28, 8200
    ),
    "Immich, 500 for 8 h, question fine": Law(
        World(20, until(8 * HOUR, "500"), rules=ASKED), {"uploaded": 20}, 7, 130
    ),
    "429 to all, for ever": Law(World(50, always("429"), runs=20), {"pending": 50}, 4, 140),
    "429 to all, for 1 h": Law(World(50, until(HOUR, "429")), {"uploaded": 50}, 3, 90),
    "502 for 5 min, question fine, one run": Law(
        World(300, until(300, "502"), first="detach", runs=3), {"uploaded": 300}, 2, 320
    ),
    "one try used each before, then 502 for 1 h": Law(
        World(100, until(HOUR, "502"), asked_until(HOUR), tries_before=1), {"uploaded": 100}, 2, 104
    ),
    "three restarts, beside one long upload": Law(
        World(
            40, lambda _photo, now, _attempt: restarts(now), restarts,
            takes=lambda photo, _code: 60.0 if photo else 1805.0,
        ),
        {"uploaded": 40}, 3, 46,
    ),
    "503 for 8 h, question fine": Law(
        World(10, until(8 * HOUR, "503"), first="cron"), {"uploaded": 10}, 14, 120
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if "for ever" in name else []) for name in WORLDS]
)
def test_a_world_ends_as_its_law_says(name: str) -> None:
    law = WORLDS[name]
    story = Story(law.world).play()
    assert story.states() == law.states, story.row()
    assert story.most_whole() <= law.whole, story.row()
    assert story.most_cut() <= law.cut, story.row()
    assert story.bodies() <= law.bodies, story.row()


if __name__ == "__main__":
    print("world | runs by exit code | until | states | whole bodies of a photo | cut ones | bodies")
    for name in sys.argv[1:] or WORLDS:
        print(f"{name} | {Story(WORLDS[name].world).play().row()}")
