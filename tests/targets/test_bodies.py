"""Dates that are put into a form."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from albumup.targets.bodies import moment_of, placed

BERLIN = ZoneInfo("Europe/Berlin")
DAY = 86400 * 10**9
EAST, WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))


@pytest.mark.parametrize(
    ("time_ns", "moment"),
    [
        (0, "1970-01-01T00:00:00+00:00"),
        (-1, "1969-12-31T23:59:59.999999+00:00"),
        (1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456+00:00"),
        (-11_644_473_600 * 10**9, "1601-01-01T00:00:00+00:00"),  # the zero of NTFS
        (15_032_385_535 * 10**9, "2446-05-10T22:38:55+00:00"),  # the last one of ext4
        (-800_000 * DAY, "0002-01-01T00:00:00+00:00"),
        (4_000_000 * DAY, "9999-01-01T00:00:00+00:00"),
        (2**200, "9999-01-01T00:00:00+00:00"),
        (-(2**200), "0002-01-01T00:00:00+00:00"),
    ],
)
def test_a_files_time_is_a_date_whatever_it_is(time_ns: int, moment: str) -> None:
    assert moment_of(time_ns, UTC).isoformat() == moment
    for zone in EAST, WEST, None:
        assert moment_of(time_ns, zone) == datetime.fromisoformat(moment)


@pytest.fixture(params=["the target's", "the computer's"])
def berlin(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ZoneInfo | None]:
    """Berlin, as the target or as the computer has it."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield BERLIN if request.param == "the target's" else None
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("2026-07-14T18:03:22.250000", "2026-07-14T18:03:22.250000+02:00"),
        ("2026-03-29T02:30:00", "2026-03-29T02:30:00+01:00"),  # left out
        ("2026-10-25T02:30:00", "2026-10-25T02:30:00+02:00"),  # twice
        (
            "1888-01-01T00:00:00",
            "1888-01-01T00:00:00+00:53",
        ),  # before there were time zones: +00:53:28
        ("1826-01-01T00:00:00", "1826-01-01T00:00:00+00:53"),
        ("9998-12-31T23:59:59", "9998-12-31T23:59:59+01:00"),
    ],
)
def test_what_a_clock_showed_is_kept_and_has_an_offset_in_minutes(
    berlin: ZoneInfo | None, shown: str, expected: str
) -> None:
    assert placed(datetime.fromisoformat(shown), berlin).isoformat() == expected


def test_a_files_time_has_an_offset_in_minutes(berlin: ZoneInfo | None) -> None:
    old = moment_of(-3_000_000_000 * 10**9, berlin)
    assert old == datetime(1874, 12, 7, 18, 40, tzinfo=UTC)
    assert f"{old:%Y-%m-%dT%H:%M:%S%z}" == "1874-12-07T19:33:00+0053"
