"""Bugs planted into the engine's most dangerous lines: the laws must find each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass, replace
from typing import Any

import msgspec

from albumup.helpers import Work
from albumup.journal import notices, runs
from albumup.journal.commits import Commits
from albumup.retry import Finding
from albumup.targets.base import VerdictKind
from albumup.targets.inbox import InboxTarget
from albumup.transfer.connection import Connection
from albumup.transfer.exchange import Exchange
from albumup.uploader import attempt, outcomes, prepare, upload
from albumup.uploader.answers import Answers
from albumup.uploader.breaker import Breaker
from albumup.uploader.engine import Engine
from albumup.uploader.on_hold import OnHold
from albumup.uploader.opener import OpenPayload
from albumup.uploader.origins import Origins
from albumup.uploader.outcomes import Outcomes
from albumup.uploader.queue import Queue
from albumup.uploader.scope import Scope
from simulation.plan import Event, Plan
from simulation.story import Result, play, play_seed


@dataclass(frozen=True)
class Patch:
    """``where.name`` becomes what ``make`` makes of it."""

    where: Any
    name: str
    make: Callable[[Any], Any]


@contextmanager
def planted(*patches: Patch) -> Iterator[None]:
    before = [(one, getattr(one.where, one.name)) for one in patches]
    for one, real in before:
        setattr(one.where, one.name, one.make(real))
    try:
        yield
    finally:
        for one, real in before:
            setattr(one.where, one.name, real)


def _with(value: Any, **changes: Any) -> Any:
    """A frozen value with other fields, of whichever kind it is."""
    change: Callable[..., Any] = replace if is_dataclass(value) else msgspec.structs.replace
    return change(value, **changes)


def _not_awaited(_: Any) -> Any:
    async def end_leaves(self: Any) -> None:
        self._commits.note(self._whole if self.has_begun else self._start_whole)
        self.has_begun = self.is_whole = True

    return end_leaves


def _early_is_believed(real: Any) -> Any:
    def outcome_of(sent: Any, verdict: Any, *others: Any) -> Finding:
        if verdict is not None and verdict.kind is VerdictKind.STORED and not sent.used:
            sent = _with(sent, early=False, whole=True)
        return real(sent, verdict, *others)  # type: ignore[no-any-return]

    return outcome_of


def _stale_is_believed(real: Any) -> Any:
    async def read_answer(self: Any) -> Any:
        found = await real(self)
        if self._acked_before is not None:
            self.is_early = False
        return found

    return read_answer


def _checked_before_only(real: Any) -> Any:
    async def check(self: Any, *, is_sent: bool = False) -> None:
        if not is_sent:
            await real(self)

    return check


def _without_whole_at(real: Any) -> Any:
    def cut_off(self: Any, journal: Any, cut: Any, rules: Any) -> None:
        real(self, journal, _with(cut, whole_at=None), rules)

    return cut_off


def _told_before_durable(_: Any) -> Any:
    def lend(self: Any, wait: Any, then: Any, work: Any = None) -> None:
        if work is None:
            _LEND(self, wait, then, work)
            return
        then()  # whoever waits for the commit hears that it is made
        self.__class__._make_late(self, wait)

    return lend


_LEND = Commits._lend


def _make_late(self: Any, wait: Callable[[], None]) -> None:
    self._is_away = True

    def returned(_: Any) -> None:
        self._is_away = False
        self._turn()

    asyncio.ensure_future(self._helpers.run(Work.COMMIT, wait)).add_done_callback(returned)


Commits._make_late = _make_late  # type: ignore[attr-defined]


def _never_marked(real: Any) -> Any:
    def step_after(*args: Any, **more: Any) -> Any:
        return _with(real(*args, **more), maybe_twice=False)

    return step_after


def _nothing_given_back(real: Any) -> Any:
    def ended(self: Any, *args: Any) -> Any:
        return _with(real(self, *args), given_back=False, refunds=())

    return ended


def _does_nothing(_: Any) -> Any:
    return lambda *_, **__: None


def _only_lifts(real: Any) -> Any:
    return lambda journal, albums, held: None if held else real(journal, albums, held)


def _asked_at_once(real: Any) -> Any:
    def step_after(finding: Any, rules: Any, **more: Any) -> Any:
        step = real(finding, rules, **more)
        return step if step.ask_at is None else _with(step, ask_at=more["now"])

    return step_after


def _marked_at_once(real: Any) -> Any:
    def claim(journal: Any, *who: Any) -> Any:
        found = real(journal, *who)
        notices.handed_over(journal, [one.id for one in found], is_taken=True)
        return found

    return claim


def _lets_go_of_the_hold(real: Any) -> Any:
    def leave(self: Any, journal: Any, album_id: int) -> None:
        real(self, journal, album_id)
        runs.hold(journal, [album_id], False)

    return leave


def _only_leaves(_: Any) -> Any:
    return lambda self, journal, album: self._leave(journal, album.id)


def _counts_sleep(real: Any) -> Any:
    return lambda self, slept, _, now: real(self, slept, 0.0, now)


def _is_known(real: Any) -> Any:
    def who_is_at(self: Any, *how: Any) -> Any:
        found = real(self, *how)
        return _with(found, server=self.server or found.server)

    return who_is_at


def _no_stranger(_: Any) -> Any:
    async def stranger(*_: Any) -> str:
        return ""

    return stranger


def _ahead(real: Any) -> Any:
    def progress(self: Any) -> Any:
        found = real(self)
        in_flight = sum(upload is not None for upload in found.uploads)
        done = min(found.photos_done + in_flight, found.photos_total)
        return _with(found, photos_done=done)

    return progress


BUGS: dict[str, tuple[Patch, ...]] = {
    "whole_at is not awaited": (Patch(attempt.Attempt, "end_leaves", _not_awaited),),
    "an early 2xx is believed": (Patch(upload, "outcome_of", _early_is_believed),),
    "a stale answer is believed": (
        Patch(Exchange, "read_answer", _stale_is_believed),
        Patch(Connection, "_is_connected", lambda _: _is_there),
    ),
    "a try is not given back": (Patch(Breaker, "ended", _nothing_given_back),),
    "a source is not checked after the answer": (
        Patch(OpenPayload, "check", _checked_before_only),
    ),
    "what was cut off after its last byte is free": (
        Patch(Outcomes, "cut_off", _without_whole_at),
    ),
    "a commit is told before it is durable": (Patch(Commits, "_lend", _told_before_durable),),
    "photos sent twice are not marked": (Patch(outcomes, "step_after", _never_marked),),
    "a photo that was seen once after a fault is believed": (
        Patch(Answers, "_look_again_at", _does_nothing),
    ),
    "no notice is owed": (Patch(Outcomes, "settled", _does_nothing),),
    "a lost connection took nothing": (
        Patch(
            Exchange,
            "took_nothing",
            lambda _: lambda self, *, whole: self._acked_before is not None,  # noqa: ARG005
        ),
    ),
    "the server is asked before it has settled": (Patch(outcomes, "step_after", _asked_at_once),),
    "the folder of copies is not fsynced": (Patch(prepare, "fsync_folder", _does_nothing),),
    "Ctrl-C stops nothing new": (Patch(Queue, "no_more", _does_nothing),),
    "Ctrl-C does not hold": (Patch(runs, "hold", _only_lifts),),
    "a notice is marked before it is delivered": (Patch(notices, "claim", _marked_at_once),),
    "a notice is owed again, and nothing is new": (
        Patch(notices, "last_settled", lambda _: lambda *_: None),
    ),
    "stop forgets the hold": (Patch(OnHold, "_leave", _lets_go_of_the_hold),),
    "stop stops nothing": (Patch(OnHold, "stop", _only_leaves),),
    "an album that is handed over again is missed": (
        Patch(OnHold, "come_back", _does_nothing),
        Patch(Scope, "is_current", lambda _: lambda *_: True),
    ),
    "patience counts sleep": (Patch(Breaker, "woke", _counts_sleep),),
    "what is in flight is shown as sent": (Patch(Engine, "progress", _ahead),),
    "any server at a second address is believed": (Patch(InboxTarget, "who_is_at", _is_known),),
    "another card's photo is taken for an edited one": (Patch(Origins, "stranger", _no_stranger),),
}


_LARGE = (300, 200_001)


def _event(kind: str, at: int, on: str = "", value: float = 0.4) -> tuple[Event, ...]:
    return (Event(kind, at, value, on),)


def _alone(number: int, events: tuple[Event, ...], **how: Any) -> Plan:
    plan = Plan(number, (300,) * 4, jobs=1, tick=0.25, hook="well", latency=0.05)
    return replace(plan, events=events, **how)


STORIES: dict[str, Callable[[int], Plan]] = {
    "whole_at is not awaited": lambda n: Plan(n, (300, 301)),
    "an early 2xx is believed": lambda n: Plan(
        n, (*_LARGE, 60_000), jobs=1 + n % 3, events=_event("early 201", 1 + n % 3)
    ),
    "a stale answer is believed": lambda n: Plan(
        n, (300, 301, 60_002, 303), jobs=1, events=_event("twice, resets", 1 + n % 3)
    ),
    "a try is not given back": lambda n: Plan(
        n, (300, 301, 302), jobs=1, tick=60.0, events=_event("sick 502", 2, value=0.6)
    ),
    "a source is not checked after the answer": lambda n: Plan(
        n, _LARGE, jobs=1, events=_event("edit in hand", 1 + n % 2, "last byte")
    ),
    "what was cut off after its last byte is free": lambda n: Plan(
        n, (300, 301), resend="never", events=_event("kill", 1 + n % 2, "whole")
    ),
    "a commit is told before it is durable": lambda n: Plan(
        n, (*_LARGE, 302, 303), jobs=2, events=_event("commit slow", 1 + n % 6)
    ),
    "photos sent twice are not marked": lambda n: Plan(
        n, (300, 301), events=_event("500, stored", 1 + n % 2)
    ),
    "a photo that was seen once after a fault is believed": lambda n: Plan(
        n,
        (300, 301),
        "asked",
        "safe",
        jobs=1,
        events=_event("500, stored, deleted later", 1 + n % 2),
    ),
    "no notice is owed": lambda n: Plan(n, (300,)),
    "a lost connection took nothing": lambda n: Plan(
        n, (300, 301, 302), jobs=1, resend="never", events=_event("lost, stored, closes", 2 + n % 2)
    ),
    "the server is asked before it has settled": lambda n: Plan(
        n, (300, 301), "asked", "safe", jobs=1, events=_event("lost, stored later", 1 + n % 2)
    ),
    "the folder of copies is not fsynced": lambda n: Plan(
        n, (300, 301, 4002), jobs=1, spool=True, events=_event("power cut", 1 + n % 3, "begins")
    ),
    "Ctrl-C stops nothing new": lambda n: Plan(
        n, (300,) * 8, jobs=1, events=_event("drain", 1 + n % 3, "begins")
    ),
    "Ctrl-C does not hold": lambda n: Plan(
        n, (300,) * 8, jobs=1, events=_event("drain", 1 + n % 3, "begins")
    ),
    "a notice is marked before it is delivered": lambda n: _alone(
        n, _event("kill", 1, "hands over"), watched=False
    ),
    "a notice is owed again, and nothing is new": lambda n: _alone(
        n, _event("poison: 500", 1), retries=0, cron=1
    ),
    "stop forgets the hold": lambda n: _alone(
        n, _event("stop trip", 1 + n % 3, "begins"), party=(300,) * 4
    ),
    "stop stops nothing": lambda n: _alone(n, _event("stop trip", 1 + n % 3, "whole")),
    "an album that is handed over again is missed": lambda n: _alone(
        n,
        (*_event("stop trip", 1 + n % 2, "begins"), *_event("hand over", 3 + n % 2, "begins")),
        party=(300,) * 6,
    ),
    "patience counts sleep": lambda n: _alone(
        n,
        (
            *_event("down", 2, value=0.999),
            *_event("sleep, clocks run on", 100 + 20 * n, "step", 0.5),
        ),
        tick=5.0,
    ),
    "what is in flight is shown as sent": lambda n: _alone(
        n, _event("watcher", 1 + n % 3, "begins")
    ),
    "any server at a second address is believed": lambda n: _alone(
        n, _event("first address away", 1 + n % 3, "whole", 0.7), kind="asked", second="stranger"
    ),
    "another card's photo is taken for an edited one": lambda n: Plan(
        n, (300,) * 3, jobs=1, events=_event("card swapped", 1, "begins")
    ),
}
"""Short stories in which each of them may show: EACH of them by its number, so that no more than
200 are played."""
EACH = 8


def found_by(name: str) -> Result | None:
    """The first of a bug's own stories in which it shows, and that holds without it."""
    for number in range(EACH):
        plan = STORIES[name](number)
        with planted(*BUGS[name]):
            result = play(plan)
        if result.broken and not play(plan).broken:
            return result
    return None


async def _is_there(self: Any) -> bool:
    return self._wire is not None


def seeds_that_find(name: str, seeds: Iterable[int], most: int = 1) -> list[Result]:
    """The stories, of these seeds, that hold, and do not with a planted bug; ``most`` of them."""
    found: list[Result] = []
    for seed in seeds:
        with planted(*BUGS[name]):
            result = play_seed(seed)
        if result.broken and not play_seed(seed).broken:
            found.append(result)
            if len(found) >= most:
                break
    return found


def hunt(count: int, names: Iterable[str] = ()) -> int:
    """Look for planted bugs with the seeds 0 to ``count``; 1 if one is not found."""
    missed = 0
    for name in names or BUGS:
        found = seeds_that_find(name, range(count))
        words = f"seed {found[0].plan.seed}: {found[0].broken[:100]}" if found else "NOT FOUND"
        missed += not found
        print(f"{name}: {words}", flush=True)
    return 1 if missed else 0
