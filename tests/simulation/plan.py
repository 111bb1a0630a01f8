"""A story as data: photos, options, a server, and a few events; drawn from a seed, or written
down."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from simulation.line import Cut, Loss
from simulation.manners import Manner

SIZES = (300, 4000, 60_000, 100_000, 200_000)
"""Bytes of photos: two that a connection takes at once, one that is read whole, one that a kernel's
buffer takes whole, and one that is larger than that."""
UNTOLD = ("early", "twice")
"""What nobody can tell where the kernel does not say what was acknowledged."""


@dataclass(frozen=True)
class Event:
    """``kind`` happens at the ``at``-th request, connecting, job or step (which, the kind says);
    ``value`` in [0, 1) is all else that it needs to draw. ``on``: of what a person does: ``step``,
    or a point of the ``at``-th request."""

    kind: str
    at: int
    value: float
    on: str = ""


@dataclass(frozen=True)
class Plan:
    """``sizes``: bytes of each photo. ``kind`` and ``resend`` of the server; ``fifo``: what is
    ready runs in the order in which it came to be so."""

    seed: int
    sizes: tuple[int, ...]
    kind: str = "blind"
    resend: str = "allowed"
    jobs: int = 4
    retries: int = 3
    patience: float = 300.0
    spool: bool = False
    volume: str = ""
    fifo: bool = False
    keeps: bool = True
    tells: bool = True
    proven: bool = True
    latency: float = 0.01
    speed: float = 0.05
    helpers_slow: float = 0.02
    tick: float = 5.0
    """Seconds between looks at what changes without the program: none of its promises may depend on
    them."""
    cron: int = 0
    """How often retry-failed comes after the first end."""
    hook: str | None = None
    """The command that takes notices (``HOOKS``); "": there is none, None: they are not delivered,
    but for the next run, at its beginning."""
    watched: bool = True
    """Somebody sees the runs end, on a terminal."""
    tell_after: float = 86400.0
    party: tuple[int, ...] = ()
    """Sizes of the photos of a second album."""
    second: str = ""
    """The target's second address: none, that of the ``same`` server, or of a ``stranger``."""
    events: tuple[Event, ...] = field(default_factory=tuple)

    def without(self, events: set[int]) -> Plan:
        return replace(
            self,
            events=tuple(one for number, one in enumerate(self.events) if number not in events),
        )


def _status(status: int, **more: object) -> Manner:
    return Manner("status", status, **more)  # type: ignore[arg-type]


MANNERS: dict[str, Manner] = {
    "500": _status(500),
    "500, stored": _status(500, stores=True),
    "500, stored, deleted later": _status(500, stores=True, deletes=45.0),
    "502": _status(502),
    "502, stored": _status(502, stores=True),
    "503": _status(503, retry_after=3),
    "504, stored": _status(504, stores=True),
    "408": _status(408),
    "429": _status(429, retry_after=2),
    "413": _status(413),
    "400": _status(400),
    "403": _status(403),
    "404": _status(404),
    "302": _status(302),
    "200 page": _status(200, page=True),
    "200 page, stored": _status(200, page=True, stores=True),
    "404 page": _status(404, page=True),
    "204": _status(204),
    "early 201": Manner("early", 201, share=0.5, ends="close"),
    "early 201, reads on": Manner("early", 201, share=0.5),
    "early 201, before all": Manner("early", 201, share=0.0, ends="reset"),
    "early 409": Manner("early", 409, share=0.4, ends="close"),
    "early 413": Manner("early", 413, share=0.3, ends="close"),
    "early 413, hangs": Manner("early", 413, share=0.3, ends="hang"),
    "early 500": Manner("early", 500, share=0.6, ends="reset"),
    "early page": Manner("early", 200, page=True, share=0.5, ends="close"),
    "early 429": Manner("early", 429, retry_after=1, share=0.2, ends="close"),
    "lost, stored, closes": Manner("lost", stores=True, ends="close"),
    "lost, stored, resets": Manner("lost", stores=True, ends="reset"),
    "lost, stored, hangs": Manner("lost", stores=True, ends="hang"),
    "lost, stored later": Manner("lost", stores=True, after=20.0, ends="close"),
    "lost, closes": Manner("lost", ends="close"),
    "lost, hangs": Manner("lost", ends="hang"),
    "slow": Manner("slow", seconds=15.0),
    "late": Manner("slow", seconds=80.0),
    "twice": Manner("twice"),
    "twice, resets": Manner("twice", ends="reset"),
    "twice, closes": Manner("twice", ends="close"),
    "garbage": Manner("garbage"),
    "half an answer": Manner("half", share=0.6),
    "half a head": Manner("half", share=0.1),
    "deaf": Manner("deaf", share=0.4),
    "deaf for a while": Manner("deaf", share=0.4, seconds=20.0),
    "interim": Manner(dress="interim"),
    "gzip": Manner(dress="gzip"),
    "false gzip": Manner(dress="false gzip"),
    "chunked": Manner(dress="chunked"),
    "no length": Manner(dress="no length"),
    "drips": Manner(dress="drips"),
    "closes": Manner(ends="close"),
    "resets": Manner(ends="reset"),
}
REFUSALS: dict[str, Manner] = {"401": _status(401), "507": _status(507)}
POISON = (
    "500", "500, stored", "504, stored", "429", "413", "404 page", "408", "lost, closes",
    "early 413",
)  # fmt: skip
CUTS: dict[str, Cut] = {
    "cut": Cut(True, 0.5, Loss.RESET),
    "cut at the end": Cut(True, 1.0, Loss.RESET),
    "cut at once": Cut(True, 0.0, Loss.RESET),
    "silence": Cut(True, 0.5, Loss.SILENCE),
    "silence at the end": Cut(True, 1.0, Loss.SILENCE),
    "stall": Cut(True, 0.5, Loss.SILENCE, 25.0),
    "long stall": Cut(True, 0.5, Loss.SILENCE, 90.0),
    "answer cut": Cut(False, 0.5, Loss.RESET),
    "answer lost": Cut(False, 0.0, Loss.RESET),
    "answer silent": Cut(False, 0.0, Loss.SILENCE),
    "answer stalls": Cut(False, 0.5, Loss.SILENCE, 30.0),
}
CONNECTS = ("refused", "unknown host", "no network", "hangs", "connects slowly")
REGIMES = (
    "sick 502", "sick 503", "sick 504", "busy", "fails", "portal", "refuses", "down",
    "down silently",
)  # fmt: skip
MEDDLING = (
    *("edit", "edit in place", "edit, same size", "edit in hand", "touch"),
    *("remove", "card out", "card swapped", "spool away", "copy gone"),
)
ENDINGS = ("kill", "power cut", "drain", "drain twice", "stop")
PEOPLE = ("clock forward", "clock back", "second push", "join", "sleep", "stands still", "move")
WORK = ("open hangs", "read hangs", "look hangs", "ask hangs", "commit slow")
POINTS = ("begins", "last byte", "whole", "answered")
"""Points of a request: its head came; its last byte was handed over; it came whole; its answer
left."""
SLEEPS = ("sleep", "sleep, clocks run on", "sleep, connections last", "clock set")
"""Of the computer. (A clock that is set is none, and has to be told apart.)"""
WATCHERS = ("watcher", "watcher hangs")
WAITS = ("no leave",)
ORDERS = (
    "stop trip", "stop trip now", "stop party", "stop all", "stop all now", "hand over", "change",
)  # fmt: skip
"""What other commands want of a run that is on."""
ROUTES = ("moves", "first address away")
"""Of a computer that changes its network."""
ALONE = (*SLEEPS, *WATCHERS, *WAITS, *ORDERS, *ROUTES)
"""What comes about while nobody is there."""
HOOKS = ("", "well", "well", "slow", "fails", "fails at times", "hangs")
HANDING = ("hands over", "delivered", "taken")
"""Points of a notice: its hook begins; the user has it; the hook has ended."""


def draw(seed: int) -> Plan:
    """The story of a seed."""
    return _left_alone(_in_company(seed), random.Random(f"{seed} alone"))


def _in_company(seed: int) -> Plan:
    chance = random.Random(seed)
    photos = chance.choice((1, 2, 2, 3, 3, 4, 4, 5, 6, 8, 12))
    tells = chance.random() < 0.85
    drawn = [_event(chance, photos) for _ in range(chance.choice((0, 1, 1, 2, 2, 3, 4, 6, 9, 14)))]
    events = tuple(one for one in drawn if tells or not one.kind.startswith(UNTOLD))
    patience = chance.choice((300.0, 300.0, 3000.0))
    is_long = patience > 300.0 or any(one.kind in REGIMES for one in events)
    large = 6 if any(one.kind == "edit in hand" for one in events) else 1
    sizes = tuple(
        chance.choices(SIZES, (12, 6, 2, large, large))[0] + number for number in range(photos)
    )
    kind, resend = chance.choice(
        (
            ("blind", "allowed"),
            ("blind", "allowed"),
            ("blind", "never"),
            ("dedupes", "safe"),
            ("asked", "safe"),
        )
    )
    return Plan(
        seed, sizes, kind, resend,
        jobs=chance.choice((1, 1, 2, 4)),
        retries=chance.choice((0, 1, 3, 3)),
        patience=patience,
        spool=chance.random() < 0.2,
        volume=chance.choice(("", "", "01234567-89ab-cdef-0123-456789abcdef", "1A2B-3C4D")),
        fifo=chance.random() < 0.4,
        keeps=chance.random() < 0.8,
        tells=tells,
        proven=chance.random() < 0.7,
        latency=chance.choice((0.0005, 0.01, 0.01, 0.15)),
        speed=chance.choice((0.0, 0.05, 0.05, 2.0)),
        helpers_slow=chance.choice((0.0, 0.0, 0.02, 0.2)),
        tick=60.0 if is_long else chance.choices((0.25, 5.0, 60.0), (2, 6, 12))[0],
        cron=chance.choice((0, 0, 1, 3)),
        events=events,
    )  # fmt: skip


def _event(chance: random.Random, photos: int) -> Event:
    """One event. Early numbers are drawn oftener: most stories are short."""
    of = chance.choices(
        (MANNERS, CUTS, CONNECTS, REGIMES, MEDDLING, ENDINGS, PEOPLE, WORK, POISON, REFUSALS),
        (10, 5, 2, 3, 4, 7, 2, 2, 3, 1),
    )[0]
    kind = chance.choice(list(of))
    value = chance.random()
    at = 1 + min(int(chance.expovariate(1.0) * photos * 0.6), photos * 3)
    if of is POISON:
        return Event(f"poison: {kind}", chance.randrange(photos), value)
    if kind == "edit in hand":
        return Event(kind, at, value, "last byte")
    if of in (MEDDLING, ENDINGS, PEOPLE):
        if chance.random() < 0.6:
            return Event(kind, at, value, chance.choice(POINTS))
        return Event(kind, int(10 ** chance.uniform(0.5, 3.0)), value, "step")
    return Event(kind, at, value)


def _left_alone(plan: Plan, chance: random.Random) -> Plan:
    """The same story, and in one of three more that comes about while nobody is there."""
    if chance.random() >= 0.33:
        return plan
    photos = len(plan.sizes)
    drawn = [_event_alone(chance, photos) for _ in range(chance.choice((0, 1, 1, 2, 3, 4)))]
    has_orders = any(one.kind in ORDERS for one in drawn)
    party = chance.choice((0, 1, 2)) if has_orders else 0
    return replace(
        plan,
        hook=chance.choice(HOOKS),
        watched=chance.random() < 0.5,
        tell_after=chance.choice((60.0, 600.0, 86400.0)),
        tick=60.0 if any(one.kind in WAITS for one in drawn) else plan.tick,
        party=tuple(chance.choices(SIZES, (12, 6, 2, 1, 1))[0] + one for one in range(party)),
        second=chance.choice(("", "same", "stranger")) if plan.kind == "asked" else "",
        events=(*plan.events, *drawn),
    )


def _event_alone(chance: random.Random, photos: int) -> Event:
    of = chance.choices((SLEEPS, WATCHERS, WAITS, HANDING, ORDERS, ROUTES), (5, 3, 1, 2, 7, 3))[0]
    kind, value = chance.choice(of), chance.random()
    if of is HANDING:
        return Event(chance.choice(ENDINGS), chance.choice((1, 1, 2, 3)), value, kind)
    if of is WAITS or chance.random() < 0.4:
        return Event(kind, int(10 ** chance.uniform(0.0, 2.6)), value, "step")
    at = 1 + min(int(chance.expovariate(1.0) * photos * 0.6), photos * 2)
    return Event(kind, at, value, chance.choice(POINTS))
