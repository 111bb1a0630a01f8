"""A crash at every step, in short: some of the points that crash_points.py and power.py go through
one by one."""

from __future__ import annotations

import shutil

import pytest
from crash_points import Case, Tally, counted, run_case
from power import Cuts, Verdict

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")

_FAILPOINTS = {
    "form": [
        ("sql", 2),
        ("sql", 40),
        ("committed", 2),
        ("committed", 4),
        ("committed", 6),
        ("replace", 1),
    ],
    "spool": [
        ("open-done", 6),
        ("write", 2),
        ("fsync-done", 6),
        ("committed", 5),
        ("unlink", 6),
        ("unlink-done", 2),
    ],
    "built-in": [("link", 1), ("link-done", 1), ("fsync", 12), ("mkdir-done", 5), ("committed", 7)],
}


_IN_SHORT = {("sql", 40), ("committed", 4), ("link", 1)}


def _case(case: Case, *, is_short: bool) -> object:
    return pytest.param(case, marks=[] if is_short else [pytest.mark.long], id=str(case))


@pytest.mark.kill
@pytest.mark.parametrize(
    "case",
    [
        _case(Case(scene, "failpoint", *point), is_short=point in _IN_SHORT)
        for scene, points in _FAILPOINTS.items()
        for point in points
    ],
)
def test_killed_at_a_step(case: Case) -> None:
    tally = Tally()
    run_case(case, tally)
    assert tally.problems == []
    assert tally.kills.total() > 0, "the point was never come to"


@pytest.mark.kill
@needs_strace
@pytest.mark.parametrize(
    "case",
    [
        _case(Case("form", "kill", "pwrite64", 5), is_short=False),  # while the journal is made
        _case(Case("form", "kill", "sendfile", 1), is_short=True),
        _case(Case("spool", "kill", "fdatasync", 3), is_short=False),
        _case(Case("built-in", "kill", "linkat", 1), is_short=False),
        _case(Case("form", "enospc", "pwrite64", 30), is_short=False),
        _case(Case("spool", "enospc", "write", 3), is_short=False),
        _case(Case("form", "eio", "pread64", 21), is_short=False),
        _case(Case("form", "eio", "fdatasync", 3), is_short=True),
    ],
)
def test_the_kernel_says_no(case: Case) -> None:
    tally = Tally()
    run_case(case, tally)
    assert tally.problems == []
    assert tally.kills.total() + tally.faults > 0, "the call was never made"


@pytest.mark.kill
@needs_strace
@pytest.mark.parametrize(
    ("scene", "every", "resumed"),
    [
        ("spool", 90, 1),
        *(
            pytest.param(scene, 24, 5, marks=pytest.mark.long)
            for scene in ("form", "spool", "built-in")
        ),
    ],
)
def test_a_power_cut_leaves_what_was_fsynced(scene: str, every: int, resumed: int) -> None:
    verdict = Verdict()
    cuts = Cuts(scene, verdict, seed=3)
    try:
        cuts.run(every=every)
    finally:
        cuts.close()
    assert verdict.problems == []
    assert verdict.resumed > resumed


@pytest.mark.long
def test_every_failpoint_is_come_to() -> None:
    """A push passes by them all, or a name above has become another one."""
    for scene, points in _FAILPOINTS.items():
        counts = counted(scene)
        assert all(counts[point] >= number for point, number in points), counts
