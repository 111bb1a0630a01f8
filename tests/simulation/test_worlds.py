"""The worlds of the rule for sick targets, played by the engine itself. ``python -m
simulation.test_worlds`` prints the table."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass

import pytest

from simulation.worlds import World, play

HOUR = 3600.0


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


def slow(code: str) -> Callable[[int, str], float]:
    return lambda _photo, came: 60.0 if came == code else 1.0


@dataclass(frozen=True)
class Law:
    """What must hold at the end. ``states`` exactly; ``whole`` and ``cut``: bodies of a single
    photo at most; ``bodies``: of all together at most."""

    world: World
    states: dict[str, int]
    whole: int
    bodies: int
    cut: int = 0


# Bodies cut at the same time with others went with the line, as far as can be told: ten of each
# photo are free.
WORLDS = {
    "1 poison, 500": Law(World(300, bad({150}, "500")), {"uploaded": 299, "in_doubt": 1}, 8, 307),
    "1 poison, 504 after 60 s": Law(
        World(300, bad({150}, "504"), takes=slow("504")), {"uploaded": 299, "in_doubt": 1}, 11, 310
    ),
    "1 poison, 429": Law(World(300, bad({150}, "429")), {"uploaded": 299, "failed": 1}, 40, 340),
    "1 poison, 404 with a page": Law(
        World(300, bad({150}, "404 page")), {"uploaded": 299, "failed": 1}, 28, 328
    ),
    "the last photo, 504": Law(
        World(300, bad({299}, "504")), {"uploaded": 299, "in_doubt": 1}, 11, 310
    ),
    "the last photo, cut": Law(
        World(300, bad({299}, "cut")), {"uploaded": 299, "failed": 1}, 1, 340, 34
    ),
    "2 poison, 500": Law(
        World(300, bad({150, 220}, "500")), {"uploaded": 298, "in_doubt": 2}, 11, 320
    ),
    "2 poison, 504": Law(
        World(300, bad({150, 220}, "504")), {"uploaded": 298, "in_doubt": 2}, 11, 320
    ),
    "the last two, 504": Law(
        World(300, bad({298, 299}, "504"), takes=slow("504")),
        {"uploaded": 298, "in_doubt": 2}, 11, 320,
    ),
    "the last two, cut": Law(
        World(300, bad({298, 299}, "cut")), {"uploaded": 298, "failed": 2}, 1, 390, 44
    ),
    "20 videos cut": Law(
        World(300, bad(range(280, 300), "cut")), {"uploaded": 280, "failed": 20}, 1, 1160, 44
    ),
    "30 poison in a row, 500": Law(
        World(300, bad(range(100, 130), "500")), {"uploaded": 270, "in_doubt": 30}, 11, 610
    ),
    "30 poison first, cron alone": Law(
        World(300, bad(range(30), "500"), first="cron"), {"uploaded": 270, "in_doubt": 30}, 11, 610
    ),
    "502 for 1 h": Law(
        World(300, until(HOUR, "502"), asked_until(HOUR)), {"uploaded": 300}, 2, 304
    ),
    "502 for 8 h": Law(
        World(300, until(8 * HOUR, "502"), asked_until(8 * HOUR)), {"uploaded": 300}, 2, 304
    ),
    "502 for 8 h, 10 photos": Law(
        World(10, until(8 * HOUR, "502"), asked_until(8 * HOUR)), {"uploaded": 10}, 2, 14
    ),
    "502 for 48 h": Law(
        World(300, until(48 * HOUR, "502"), asked_until(48 * HOUR)), {"uploaded": 300}, 2, 304
    ),
    "502 for 48 h, never twice": Law(
        World(300, until(48 * HOUR, "502"), asked_until(48 * HOUR), first="cron", rule="never"),
        {"uploaded": 296, "in_doubt": 4}, 1, 300,
    ),
    "502 for 8 h, never twice": Law(
        World(300, until(8 * HOUR, "502"), asked_until(8 * HOUR), first="cron", rule="never"),
        {"uploaded": 296, "in_doubt": 4}, 1, 300,
    ),
    "502 for 23 h, one run": Law(
        World(300, until(23 * HOUR, "502"), asked_until(23 * HOUR), first="detach"),
        {"uploaded": 300}, 2, 304,
    ),
    "502 for 23 h, one run, 10 photos": Law(
        World(10, until(23 * HOUR, "502"), asked_until(23 * HOUR), first="detach"),
        {"uploaded": 10}, 2, 14,
    ),
    "500 for 23 h, question fine, one run": Law(
        World(300, until(23 * HOUR, "500"), first="detach"), {"uploaded": 300}, 2, 520
    ),
    "500 for 23 h, question fine, one run, 20 photos": Law(
        World(20, until(23 * HOUR, "500"), first="detach"), {"uploaded": 20}, 11, 210
    ),
    "500 for 2 h, question fine, one run, 3 photos": Law(
        World(3, until(2 * HOUR, "500"), first="detach", chance=0.5), {"in_doubt": 3}, 11, 33
    ),
    "500 for 8 h, question fine": Law(
        World(300, until(8 * HOUR, "500")), {"uploaded": 300}, 2, 410
    ),
    "500 for 8 h, question fine, 20 photos": Law(
        World(20, until(8 * HOUR, "500")), {"uploaded": 20}, 7, 130
    ),
    "500 for 8 h, question fine, never twice": Law(
        World(300, until(8 * HOUR, "500"), rule="never"), {"in_doubt": 8, "pending": 292}, 1, 8
    ),
    "500 for 23 h, question fine, one run, never twice": Law(
        World(300, until(23 * HOUR, "500"), first="detach", rule="never"),
        {"in_doubt": 8, "pending": 292}, 1, 8,
    ),
    "500 for ever, stored": Law(World(300, always("500"), runs=3000), {"in_doubt": 300}, 11, 3310),
    "500 for ever, safe": Law(
        World(300, always("500"), runs=6000, rule="safe"), {"in_doubt": 300}, 28, 8200
    ),
    "asked, 500 for ever, question fine": Law(
        World(300, always("500"), runs=6000, rule="asked"), {"in_doubt": 300}, 28, 8200
    ),
    "asked, 500 for 8 h, question fine": Law(
        World(20, until(8 * HOUR, "500"), rule="asked"), {"uploaded": 20}, 7, 130
    ),
    "429 to all, for ever": Law(World(50, always("429"), runs=20), {"pending": 50}, 4, 140),
    "429 to all, for 1 h": Law(World(50, until(HOUR, "429")), {"uploaded": 50}, 3, 90),
    "502 for 5 min, question fine, one run": Law(
        World(300, until(300, "502"), first="detach", runs=3), {"uploaded": 300}, 2, 320
    ),
    "one try used each before, then 502 for 1 h": Law(
        World(100, until(HOUR, "502"), asked_until(HOUR), tries_before=1),
        {"uploaded": 100}, 2, 104,
    ),
    "three restarts, beside one long upload": Law(
        World(
            40, lambda _photo, now, _attempt: restarts(now), restarts,
            takes=lambda photo, _code: 59.0 if photo else 1805.0,
        ),
        {"uploaded": 40}, 3, 46,
    ),
    "503 for 8 h, question fine": Law(
        World(10, until(8 * HOUR, "503"), first="cron"), {"uploaded": 10}, 14, 120
    ),
}  # fmt: skip

SHORT = {name for name, law in WORLDS.items() if law.world.photos <= 20} | {
    "1 poison, 500",
    "the last photo, cut",
    "2 poison, 500",
    "502 for 1 h",
    "429 to all, for 1 h",
    "one try used each before, then 502 for 1 h",
    "three restarts, beside one long upload",
}
"""Those that are played also in the short form."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in SHORT else [pytest.mark.long]) for name in WORLDS],
)
def test_a_world_ends_as_its_law_says(name: str) -> None:
    law = WORLDS[name]
    end = play(law.world)
    assert end.states == law.states, end.row()
    assert max(end.whole.values(), default=0) <= law.whole, end.row()
    assert max(end.cut.values(), default=0) <= law.cut, end.row()
    assert end.bodies <= law.bodies, end.row()


if __name__ == "__main__":
    print(
        "world | runs by exit code | until | states | whole bodies of a photo | cut ones | bodies"
    )
    for one in sys.argv[1:] or WORLDS:
        print(f"{one} | {play(WORLDS[one].world).row()}", flush=True)
    os._exit(0)
