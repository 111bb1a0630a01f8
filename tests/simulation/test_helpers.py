"""Simulated helpers: each kind of work has its own, and the dead do nothing more."""

from __future__ import annotations

import asyncio
import random

import pytest

from albumup.helpers import THREADS, Work
from simulation.helpers import SimulatedHelpers
from simulation.line import Line
from simulation.loop import SimulatedLoop


def made(slow: float = 0.0) -> tuple[SimulatedLoop, SimulatedHelpers]:
    loop = SimulatedLoop(random.Random(1), most_seconds=1e6, most_steps=100_000)
    return loop, SimulatedHelpers(Line(loop, random.Random(2)), random.Random(3), slow=slow)


def test_a_function_runs_later_and_its_value_comes_back() -> None:
    loop, helpers = made()
    ran: list[float] = []

    async def life() -> int:
        def add(one: int, two: int) -> int:
            ran.append(loop.time())
            return one + two

        future = helpers.run(Work.READ, add, 1, 2)
        assert not ran
        return await future

    assert loop.play(life()) == 3
    assert ran and ran[0] > 0.0
    assert loop.fired == 0, "its time is the world's, not the program's"


def test_what_it_raises_comes_back() -> None:
    loop, helpers = made()

    async def life() -> None:
        with pytest.raises(ZeroDivisionError):
            await helpers.run(Work.READ, lambda: 1 // 0)

    loop.play(life())


def test_one_that_hangs_holds_up_its_own_kind_only() -> None:
    loop, helpers = made()
    for number in range(1, THREADS[Work.READ] + 1):
        helpers.hangs[Work.READ, number] = 60.0

    async def life() -> tuple[float, float]:
        hung = [helpers.run(Work.READ, lambda: None) for _ in range(THREADS[Work.READ])]
        behind = helpers.run(Work.READ, lambda: None)
        await helpers.run(Work.ASK, lambda: None)
        asked = loop.time()
        await behind
        read = loop.time()
        await asyncio.gather(*hung)
        return asked, read

    asked, read = loop.play(life())
    assert asked < 1.0
    assert read > 60.0


def test_the_dead_have_nothing_done() -> None:
    loop, helpers = made()
    ran: list[int] = []

    async def life() -> None:
        helpers.run(Work.READ, ran.append, 1)

    loop.play(life())
    helpers.end()
    loop.pass_time(10.0)
    assert ran == []
