"""What status says of a running uploader: snapshots, and the lines they come to."""

from __future__ import annotations

from dataclasses import replace as with_fields

import pytest
from msgspec.structs import replace

from albumup.cli import running
from albumup.cli.bars import plain
from albumup.cli.layout import wrapped
from albumup.session.rate import Rate
from albumup.session.snapshot import Snapshot
from albumup.uploader.events import Pause, Progress, Upload

NOW = 1_800_000_000.0
UPLOADS = (
    Upload(b"/trip/IMG_4120.MOV", 48_400_000, 33_900_000),
    None,
    Upload(b"/trip/IMG_4124.HEIC", 2_900_000, 2_900_000),
)
MOVING = Progress(117, 294, 1_720_000_000, 4_180_000_000, True, 0, 0, UPLOADS, ())
SNAPSHOT = Snapshot(4121, 7, NOW, MOVING, ["trip"], rate=9.1e6)
PAUSED = Progress(0, 9, 0, 900, True, 0, 0, (), (Pause("home", "502 Bad Gateway", 61.0, 239.0),))
WAITING = with_fields(
    PAUSED,
    pauses=(
        Pause("home", "may_run says no (on battery)", 61.0, 0.0, is_waiting=True),
        Pause("club", "may_run does not answer: not ended within 10 s", 3.0, 0.0, is_waiting=True),
        *PAUSED.pauses,
    ),
)
IN_FLIGHT = "In flight: IMG_4120.MOV 70 %, IMG_4124.HEIC 99 %"


@pytest.mark.parametrize(
    ("snapshot", "said"),
    [
        (SNAPSHOT, ["Process 4121: 9.1 MB/s, 4 min 30 s left", IN_FLIGHT]),
        (
            replace(SNAPSHOT, progress=with_fields(MOVING, is_complete=False)),
            ["Process 4121: 9.1 MB/s, at least 4 min 30 s left", IN_FLIGHT],
        ),
        (
            replace(SNAPSHOT, rate_limit=2_097_152, is_draining=True),
            ["Process 4121: 9.1 MB/s, 4 min 30 s left, limited to 2.1 MB/s, stopping", IN_FLIGHT],
        ),
        (replace(SNAPSHOT, rate=0.0), ["Process 4121: 0 B/s", IN_FLIGHT]),
        (replace(SNAPSHOT, rate=None), ["Process 4121: begins", IN_FLIGHT]),
        (replace(SNAPSHOT, progress=PAUSED), ["Process 4121: paused"]),
        (
            replace(SNAPSHOT, progress=WAITING, titles={"home": "photos.example.org"}),
            [
                "Process 4121: paused",
                "photos.example.org waits: may_run says no (on battery)",
                "club waits: may_run does not answer: not ended within 10 s",
            ],
        ),
        (
            replace(SNAPSHOT, progress=with_fields(MOVING, uploads=UPLOADS[:1] * 64)),
            [
                "Process 4121: 9.1 MB/s, 4 min 30 s left",
                f"In flight: {', '.join(['IMG_4120.MOV 70 %'] * 4)} and 60 more",
            ],
        ),
        (
            replace(SNAPSHOT, time=NOW - 190),
            [
                "Process 4121 has not moved for 3 min 10 s, since 07:56. If it is suspended, "
                "let it go on with: kill -CONT 4121"
            ],
        ),
    ],
)
def test_what_runs_is_said_in_lines_that_fit(
    snapshot: Snapshot, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "local_time", lambda _: "07:56")
    lines = running.lines(snapshot, NOW)
    assert lines == said
    for line in "\n".join(wrapped(line, 80) for line in lines).split("\n"):
        assert len(line) <= 80


def test_names_are_told_apart_tamed_and_cut() -> None:
    names = [b"/a/1/x\x1b[2J\xff.jpg", b"/a/2/x\x1b[2J\xff.jpg", b"/a/" + b"long" * 60 + b".jpg"]
    uploads = tuple(Upload(name, 100, 50) for name in names)
    line = running.lines(replace(SNAPSHOT, progress=with_fields(MOVING, uploads=uploads)), NOW)[1]
    assert line.isprintable()
    assert "1/x" in line
    assert "2/x" in line
    assert len(line) < 130


@pytest.mark.parametrize(("target", "left"), [("home", 229.0), ("nas", None)])
def test_a_sick_server_is_given_up_in_what_is_left_since_then(
    target: str, left: float | None
) -> None:
    now = replace(SNAPSHOT, progress=PAUSED)
    assert running.given_up_in(now, target, NOW + 10) == left


def test_programs_get_what_people_are_told() -> None:
    found = running.as_json(replace(SNAPSHOT, jobs=3, rate_limit=2_097_152))
    assert found == {
        "seen": "2027-01-15T08:00:00.000Z",
        "rate": 9_100_000,
        "rate_limit": 2_097_152,
        "jobs": 3,
        "seconds_left": 270,
        "stopping": False,
        "uploads": [
            {"name": "/trip/IMG_4120.MOV", "size": 48_400_000, "sent": 33_900_000},
            {"name": "/trip/IMG_4124.HEIC", "size": 2_900_000, "sent": 2_900_000},
        ],
        "pauses": [],
    }
    paused = running.as_json(replace(SNAPSHOT, progress=PAUSED))
    assert (paused["seconds_left"], paused["pauses"]) == (
        None,
        [
            {
                "target": "home",
                "error": "502 Bad Gateway",
                "since": "2027-01-15T07:58:59.000Z",
                "given_up": "2027-01-15T08:03:59.000Z",
            }
        ],
    )


def test_an_album_whose_turn_has_not_come_says_so_in_a_log() -> None:
    queued = Progress(0, 9, 0, 900, True, 0, 0, (None,), (), True)
    assert plain(queued, "trip", Rate()) == "trip: 0 of 9 photos, 0 B of 900 B, waits its turn"
