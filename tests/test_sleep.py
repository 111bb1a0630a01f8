"""The clocks that tell of a sleep, and what is not used any more after one."""

from __future__ import annotations

import time

import pytest

from albumup.uploader import sleep
from albumup.uploader.https import Https
from albumup.uploader.sleep import SleepWatch, seconds_asleep


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="Linux has that clock")
def test_linux_tells_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wall clock that is set moves neither of the two clocks."""
    before = seconds_asleep()
    wall = time.time()
    monkeypatch.setattr(time, "time", lambda: wall + 8 * 3600)
    assert abs(seconds_asleep() - before) < 1
    awake = time.clock_gettime(time.CLOCK_MONOTONIC)
    monkeypatch.setattr(
        time, "clock_gettime", lambda clock: awake + 500 * (clock == time.CLOCK_BOOTTIME)
    )
    assert seconds_asleep() == 500


def test_elsewhere_the_wall_clock_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sleep, "_COUNTS_SLEEP", None)
    before, wall = seconds_asleep(), time.time()
    monkeypatch.setattr(time, "time", lambda: wall + 3600)
    assert seconds_asleep() - before == pytest.approx(3600, abs=60)


NIGHT = 8 * 3600.0


class _World:
    def http(self, *_: object) -> object:
        return object()


def test_small_requests_keep_their_connections_until_the_network_changes() -> None:
    watch = SleepWatch(lambda: 0.0, lambda: 0.0)
    https = Https(_World(), watch)  # type: ignore[arg-type]
    one, other = "home", "club"
    first = https.of(one)  # type: ignore[arg-type]
    assert https.of(one) is first  # type: ignore[arg-type]
    assert https.of(other) is not first  # type: ignore[arg-type]
    watch.renew()
    second = https.of(one)  # type: ignore[arg-type]
    assert second is not first
    assert https.of(one) is second  # type: ignore[arg-type]


def test_what_began_in_the_moment_of_waking_began_before_the_sleep() -> None:
    """Its connection may be of before: nothing had noticed the sleep yet."""
    slept = 0.0
    watch = SleepWatch(lambda: 5.0, lambda: slept)
    wakes = watch.wakes
    assert not watch.has_slept_since(wakes)
    slept = NIGHT
    assert watch.has_slept_since(wakes)
    assert not watch.has_slept_since(watch.wakes)
