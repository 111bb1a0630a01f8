"""A crash at every step, in short: some of the points that crash_points.py and power.py go through one by one."""

from __future__ import annotations

import shutil

import pytest
from crash_points import Case, Tally, counted, run_case
from power import Cuts, Verdict

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")

_FAILPOINTS = {
    "form": [("sql", 2), ("sql", 40), ("committed", 2), ("committed", 4), ("committed", 6), ("replace", 1)],
    "spool": [("open-done", 6), ("write", 2), ("fsync-done", 6), ("committed", 5), ("unlink", 6), ("unlink-done", 2)],
    "built-in": [("link", 1), ("link-done", 1), ("fsync", 12), ("mkdir-done", 5), ("committed", 7)],
}


@pytest.mark.kill
@pytest.mark.parametrize(
    "case", [Case(scene, "failpoint", *point) for scene, points in _FAILPOINTS.items() for point in points], ids=str
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
        Case("form", "kill", "pwrite64", 5),  # while the journal is made
        Case("form", "kill", "sendfile", 1),
        Case("spool", "kill", "fdatasync", 3),
        Case("built-in", "kill", "link", 1),
        Case("form", "enospc", "pwrite64", 30),
        Case("spool", "enospc", "write", 3),
        Case("form", "eio", "pread64", 21),
        Case("form", "eio", "fdatasync", 3),
    ],
    ids=str,
)
def test_the_kernel_says_no(case: Case) -> None:
    tally = Tally()
    run_case(case, tally)
    assert tally.problems == []
    assert tally.kills.total() + tally.faults > 0, "the call was never made"


@pytest.mark.kill
@needs_strace
@pytest.mark.parametrize("scene", ["form", "spool", "built-in"])
def test_a_power_cut_leaves_what_was_fsynced(scene: str) -> None:
    verdict = Verdict()
    cuts = Cuts(scene, verdict, seed=3)
    try:
        cuts.run(every=24)
    finally:
        cuts.close()
    assert verdict.problems == []
    assert verdict.resumed > 5


def test_every_failpoint_is_come_to() -> None:
    """A push passes by them all, or a name above has become another one."""
    for scene, points in _FAILPOINTS.items():
        counts = counted(scene)
        assert all(counts[point] >= number for point, number in points), counts
