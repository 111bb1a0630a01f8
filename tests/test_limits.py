"""``--limit-rate``: one rate for all uploads together, by a timetable."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from albumup.config.template import parse_rate
from albumup.uploader.limits import RateLimit

MONDAY = datetime(2026, 1, 5, 12, 0)


class Time:
    """Passes only while somebody sleeps, or when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept = 0.0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        self.slept += seconds

    def local(self) -> datetime:
        return MONDAY + timedelta(seconds=self.now - 100.0)


@pytest.fixture
def time() -> Time:
    return Time()


def noting(waits: list[float]) -> Callable[[float], Awaitable[None]]:
    """A sleep that takes no time, and is put down."""

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(0)

    return sleep


def take(limited: RateLimit, *sizes: int) -> None:
    """One after the other."""

    async def taking() -> None:
        for size in sizes:
            await limited.take(size)

    asyncio.run(taking())


def limit(rate: str, time: Time) -> RateLimit:
    return RateLimit(parse_rate(rate), time.clock, time.sleep, time.local)


def test_bytes_go_at_the_rate_and_the_first_at_once(time: Time) -> None:
    limited = limit("1M", time)
    take(limited, 1 << 20)
    assert time.slept == 0
    take(limited, *[1 << 20] * 10)
    assert time.slept == pytest.approx(10)


def test_small_blocks_add_up(time: Time) -> None:
    limited = limit("1M", time)
    take(limited, *[1 << 10] * 1024)
    assert time.slept == pytest.approx(1, abs=0.01)


def test_all_uploads_share_one_rate(time: Time) -> None:
    """Two that come at the same instant: the second waits until the first one's bytes have gone."""
    waits: list[float] = []
    limited = RateLimit(parse_rate("1M"), time.clock, noting(waits), time.local)
    take(limited, *[1 << 20] * 4)
    assert waits == [1, 2, 3]


def test_idle_time_is_not_saved_up(time: Time) -> None:
    limited = limit("1M", time)
    take(limited, 1 << 20)
    time.now += 3600
    before = time.slept
    take(limited, *[1 << 20] * 6)
    assert time.slept - before == pytest.approx(5)


def test_without_a_limit_nobody_waits(time: Time) -> None:
    limited = limit("off", time)
    assert limited.block() == 0
    take(limited, *[1 << 30] * 100)
    assert time.slept == 0


@pytest.mark.parametrize(
    ("rate", "block"),
    [("100", 1 << 10), ("100K", 5 << 10), ("2M", (2 << 20) // 20), ("1G", 256 << 10)],
)
def test_blocks_are_small_enough_for_a_smooth_rate(rate: str, block: int, time: Time) -> None:
    assert limit(rate, time).block() == block


def test_a_timetable_changes_the_rate_while_sending(time: Time) -> None:
    limited = limit("08:00,1M 12:01,off 13:00,2M", time)
    sent = 0
    while limited.block():
        take(limited, 1 << 20)
        sent += 1
    assert time.now - 100 == pytest.approx(60)
    assert sent == pytest.approx(60, abs=1)
    take(limited, 1 << 30)
    assert time.now - 100 == pytest.approx(60)
    time.now += 3600
    start = time.now
    take(limited, *[2 << 20] * 11)
    assert time.now - start == pytest.approx(10)


def test_uploads_together_keep_the_rate(time: Time) -> None:
    """All at once on a clock that stands still: what they are told to wait is a place in one
    line."""
    waits: list[float] = []
    limited = RateLimit(parse_rate("1K"), time.clock, noting(waits), time.local)

    async def upload() -> None:
        for _ in range(50):
            await limited.take(1 << 10)

    async def uploads() -> None:
        await asyncio.gather(*(upload() for _ in range(8)))

    asyncio.run(uploads())
    assert sorted(waits) == [float(number) for number in range(1, 400)]


def test_by_default_it_is_the_loops_time_that_passes(
    monkeypatch: pytest.MonkeyPatch, time: Time
) -> None:
    waits: list[float] = []
    limited = RateLimit(parse_rate("1M"), sleep=noting(waits))

    async def taking() -> None:
        monkeypatch.setattr(asyncio.get_running_loop(), "time", time.clock)
        await limited.take(1 << 20)
        time.now += 0.25
        await limited.take(1)

    asyncio.run(taking())
    assert waits == [0.75]


# Another rate.


def changed_after(
    limited: RateLimit, time: Time, seconds: float, rate: str | None, uploads: int = 1
) -> float:
    """When all of so many uploads may send their second megabyte, if the rate changes then."""

    async def sleep(wanted: float) -> None:
        until = time.now + wanted
        while time.now < until:
            await asyncio.sleep(0)

    limited._sleep = sleep

    async def upload() -> None:
        for _ in range(2):
            await limited.take(1 << 20)

    async def play() -> None:
        sending = [asyncio.ensure_future(upload()) for _ in range(uploads)]
        began, is_changed = time.now, False
        while not all(one.done() for one in sending):
            if time.now >= began + seconds and not is_changed:
                is_changed = True
                limited.change(parse_rate(rate) if rate is not None else None)
            for _ in range(10):
                await asyncio.sleep(0)
            time.now += 0.25
        await asyncio.gather(*sending)

    began = time.now
    asyncio.run(play())
    return time.now - began


def test_a_higher_rate_holds_for_those_that_wait(time: Time) -> None:
    limited = limit("1K", time)
    assert changed_after(limited, time, 5.0, "1M") == pytest.approx(5.25, abs=0.5)


def test_without_a_limit_those_that_wait_go_on_at_once(time: Time) -> None:
    limited = limit("1K", time)
    assert changed_after(limited, time, 5.0, None, uploads=8) == pytest.approx(5.25, abs=0.5)
    assert limited.block() == 0


def test_a_lower_rate_holds_for_those_that_wait_and_they_keep_a_line(time: Time) -> None:
    limited = limit("1M", time)
    took = changed_after(limited, time, 0.5, "512K", uploads=2)
    assert took == pytest.approx(0.5 + 2 * 2, abs=1.0), "the first of the three goes at once"


def test_a_limit_can_be_set_where_there_was_none(time: Time) -> None:
    limited = RateLimit(None, time.clock, time.sleep, time.local)
    assert (limited.rate(), limited.block()) == (None, 0)
    take(limited, 1 << 30)
    limited.change(parse_rate("1M"))
    assert limited.rate() == 1 << 20
    take(limited, 1 << 20, 1 << 20)
    assert time.slept == pytest.approx(1)


def test_a_wait_that_is_cut_leaves_nothing_behind(time: Time) -> None:
    async def play() -> None:
        limited = RateLimit(parse_rate("1K"), time.clock, asyncio.sleep, time.local)
        await limited.take(1 << 20)
        waiting = asyncio.ensure_future(limited.take(1))
        for _ in range(3):
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        limited.change(None)

    asyncio.run(play())
