"""The simulated loop: time jumps, chance draws, the dead stay dead."""

from __future__ import annotations

import asyncio
import gc
import random

import pytest

from simulation.loop import Endless, Killed, SimulatedLoop, Stuck


def loop_of(
    seed: int | None = 1, *, most_seconds: float = 1e6, most_steps: int = 10_000
) -> SimulatedLoop:
    chance = None if seed is None else random.Random(seed)
    return SimulatedLoop(chance, most_seconds=most_seconds, most_steps=most_steps)


def test_days_pass_in_a_moment() -> None:
    loop = loop_of()

    async def life() -> float:
        await asyncio.sleep(3 * 86400.0)
        return loop.time()

    assert loop.play(life()) == 3 * 86400.0
    assert loop.fired == 1


def test_no_time_passes_while_something_is_ready() -> None:
    loop = loop_of()
    seen: list[float] = []

    async def life() -> None:
        loop.call_later(1.0, lambda: seen.append(-1.0))
        for _ in range(500):
            await asyncio.sleep(0)
            seen.append(loop.time())

    loop.play(life())
    assert seen == [0.0] * 500


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_the_seed_draws_what_runs_next(seed: int | None) -> None:
    def order() -> list[int]:
        loop, found = loop_of(seed), list[int]()

        async def one(number: int) -> None:
            found.append(number)

        async def life() -> None:
            await asyncio.gather(*(one(number) for number in range(8)))

        loop.play(life())
        return found

    assert order() == order()
    assert (order() == list(range(8))) == (seed is None)


def test_a_world_that_is_stuck_names_who_waits() -> None:
    loop = loop_of()

    async def waits_for_ever() -> None:
        await loop.create_future()

    async def life() -> None:
        await asyncio.gather(asyncio.create_task(waits_for_ever(), name="somebody"))

    with pytest.raises(Stuck, match="somebody at waits_for_ever"):
        loop.play(life())
    loop.bury()


def test_time_and_steps_have_an_end() -> None:
    async def sleeps() -> None:
        while True:
            await asyncio.sleep(1.0)

    async def spins() -> None:
        while True:
            await asyncio.sleep(0)

    for life in (sleeps(), spins()):
        loop = loop_of(most_seconds=100.0, most_steps=1000)
        with pytest.raises(Endless):
            loop.play(life)
        loop.bury()


def test_the_dead_run_no_more(capfd: pytest.CaptureFixture[str]) -> None:
    loop = loop_of()
    ran: list[str] = []

    async def child() -> None:
        try:
            await asyncio.sleep(1.0)
            ran.append("on")
        finally:
            ran.append("finally")

    async def life() -> None:
        task = asyncio.create_task(child())
        try:
            await task
        finally:
            ran.append("finally")

    def kill() -> None:
        dying[0].after_step = lambda: None
        raise Killed

    loop.outside(0.5, lambda: setattr(dying[0], "after_step", kill))
    dying = [loop]
    with pytest.raises(Killed):
        loop.play(life())
    loop.bury()
    loop.pass_time(10.0)
    assert loop.time() == 10.5, "it was killed at half a second"
    loop.close()
    dying.clear()
    del loop
    gc.collect()
    assert ran == []
    assert capfd.readouterr() == ("", "")


def test_the_world_goes_on_without_the_dead() -> None:
    loop = loop_of()
    heard: list[float] = []

    async def life() -> None:
        loop.outside(5.0, lambda: heard.append(loop.time()))
        await asyncio.sleep(100.0)

    loop.outside(2.0, lambda: setattr(loop, "after_step", kill))

    def kill() -> None:
        loop.after_step = lambda: None
        raise Killed

    with pytest.raises(Killed):
        loop.play(life())
    loop.bury()
    loop.pass_time(200.0)
    assert heard == [5.0]
    assert loop.fired == 0


def test_errors_that_nobody_awaits_are_kept() -> None:
    loop = loop_of()

    async def life() -> None:
        loop.call_soon(lambda: 1 // 0)
        await asyncio.sleep(1.0)

    loop.play(life())
    assert len(loop.errors) == 1
    assert "ZeroDivisionError" in loop.errors[0]
