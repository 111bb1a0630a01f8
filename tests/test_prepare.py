"""Dates that are put into a form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from albumup.prepare import moment_of

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
