"""A disk that takes its time holds up what needs it, and nothing else: not a large upload, not
other photos, nor a person who wants to leave."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from home import COMMAND, Home, jpeg, until
from servers import FormServer, Line, Script, answer, photo
from short import short_form
from slow import SlowDisk

LARGE, SPEED = 300 << 20, 30 << 20
"""Bytes of a film, and what the server takes of it in a second."""
SMALL, LATENCY = 3000, 0.02
"""Photos that go beside it, and the seconds until each is answered: they last longer than the
film."""
FSYNC_MS = 500
KEPT = 0.8
"""Of the film's rate."""
HANGS = 600
"""Seconds: for good, as far as a test is concerned."""
SOON = 10
"""Seconds in which a program ends that was told to end at once, on the slowest machine. By hand it
is two."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "home")
    yield home
    home.close()


@pytest.fixture
def disk(tmp_path: Path) -> SlowDisk:
    try:
        return SlowDisk(tmp_path)
    except FileNotFoundError as error:
        pytest.skip(f"a slow disk is made with {error}")


@dataclass
class Paced:
    """A step that takes a body as fast as a line of ``SPEED`` would. ``rate``: bytes a second, once
    it is there."""

    rate: float = 0.0

    def __call__(self, line: Line) -> None:
        size = line.unread
        began = due = time.monotonic()
        for piece in line.pieces():
            # Not to wait for somebody: this is the line's speed, and what it did not carry in its
            # time is lost.
            due = max(due, time.monotonic()) + len(piece) / SPEED
            time.sleep(max(0.0, due - time.monotonic()))
        self.rate = size / (time.monotonic() - began)


def film_rate(home: Home, disk: SlowDisk, fsync_ms: int) -> float:
    """How fast a film goes while small photos are sent beside it."""
    paced = Paced()
    film: Script = (paced, answer(200))
    other: Script = (photo, lambda _: time.sleep(LATENCY), answer(200))
    with FormServer(lambda _, name: film if name == "film.mp4" else other) as server:
        home.form(server, "stable_for = 0", name=f"club-{fsync_ms}")
        assert (
            home.run("push", home.photos(1, "first"), "--album", f"first-{fsync_ms}").returncode
            == 0
        )
        process = start(
            home, disk.environment(fsync_ms=fsync_ms), "push", "trip", "--album", f"trip-{fsync_ms}"
        )
        until(lambda: paced.rate or process.poll() is not None, "the film has come")
        beside = len(server.ledger) - 1
        process.kill()
        process.wait()
    print(f"{beside} photos beside it")
    assert 0 < beside < SMALL, "others went beside it, all the time"
    return paced.rate


def start(home: Home, more: dict[str, str], *words: str) -> subprocess.Popen[str]:
    """A command with an interpreter of its own, for its variables; what it says goes into the file
    ``said``."""
    with open(home.folder / "said", "wb") as said:
        return home.start(*words, launch=COMMAND, stdout=said, stderr=said, **more)


@pytest.mark.long
def test_fsyncs_that_take_half_a_second_leave_a_large_upload_its_rate(
    home: Home, disk: SlowDisk
) -> None:
    trip = home.photos(SMALL, size=2000)
    with open(trip / "film.mp4", "wb") as film:
        film.write(b"\0\0\0\x18ftypisom\0\0\0\0isommp42")
        film.truncate(LARGE)
    plain = film_rate(home, disk, 0)
    before = disk.fsyncs
    slow = film_rate(home, disk, FSYNC_MS)
    print(
        f"{plain / 1e6:.1f} MB/s; "
        f"{slow / 1e6:.1f} MB/s with {disk.fsyncs - before} slow fsyncs: {slow / plain:.2f}"
    )
    assert disk.fsyncs > before
    assert slow >= KEPT * plain


def ends_at_ctrl_c(home: Home, process: subprocess.Popen[str]) -> None:
    """Ctrl-C, and when that was heard once more; fails if it does not end then."""
    process.send_signal(signal.SIGINT)
    said = home.folder / "said"
    until(
        lambda: process.poll() is not None or b"Ctrl-C again" in said.read_bytes(), said.read_text()
    )
    began = time.monotonic()
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    assert process.wait(SOON) == 130, said.read_text()
    print(f"ended after {time.monotonic() - began:.2f} s")


def queued(home: Home, server: FormServer, size: int, more: str) -> Path:
    """A folder of twenty photos of which the third has ``size``, queued and read, and not sent. It
    is the third's turn: nobody knows yet whether the server takes any."""
    trip = home.photos(20)
    (trip / "IMG_3.JPG").write_bytes(jpeg(3, size))
    home.form(server, f'{more}may_run = ["false"]\n')
    process = home.start("push", "trip")
    until(
        lambda: home.journal.exists() and home.sql("select count(*) from body") == [(20,)],
        "all are read",
    )
    process.kill()
    process.wait()
    home.sql("update task set next_at = case sent_as when 'IMG_3.JPG' then 0 else 1 end")
    home.form(server, more)
    return trip


def others_are_sent(home: Home, disk: SlowDisk, server: FormServer, trip: Path) -> None:
    """Resume while the third photo cannot be read: all others are sent, and Ctrl-C ends it."""
    process = start(home, disk.environment(read=trip / "IMG_3.JPG", seconds=HANGS), "resume")
    try:
        until(lambda: disk.hung, "the third is read")
        until(lambda: len(server.ledger) == 19, "the others are sent")
        ends_at_ctrl_c(home, process)
    finally:
        process.kill()
        process.wait()
    assert sorted(server.names) == sorted(
        path.name for path in trip.iterdir() if path.name != "IMG_3.JPG"
    )
    states = home.states()
    assert states.pop("IMG_3.JPG") in ("pending", "sending")
    assert set(states.values()) == {"uploaded"}


@pytest.mark.parametrize("unread", short_form([1, 20], 1))
def test_a_source_that_cannot_be_read_for_the_first_time_holds_up_nobody_else(
    home: Home, disk: SlowDisk, unread: int
) -> None:
    """A network folder that went when its photos were queued."""
    with FormServer() as server:
        trip = queued(home, server, 2000, "")
        names = ["IMG_3.JPG"] if unread == 1 else [path.name for path in trip.iterdir()]
        for name in names:
            of_photo = "select task.id from task join photo on photo.id = photo_id where path = ?"
            home.sql(f"delete from body where task_id in ({of_photo})", bytes(trip / name))
            home.sql(f"update task set stage = 0 where id in ({of_photo})", bytes(trip / name))
        others_are_sent(home, disk, server, trip)


@pytest.mark.parametrize(
    ("size", "secure"),
    short_form([(8 << 20, False), (30_000, False), (30_000, True), (8 << 20, True)]),
)
def test_a_source_that_cannot_be_read_any_more_holds_up_nobody_else(
    home: Home, disk: SlowDisk, size: int, secure: bool, request: pytest.FixtureRequest
) -> None:
    """A network folder that went when its photos were read."""
    tls = request.getfixturevalue("tls") if secure else None
    more = f'ca_file = "{request.getfixturevalue("ca_file")}"\n' if secure else ""
    with FormServer(tls=tls) as server:
        trip = queued(home, server, size, more)
        others_are_sent(home, disk, server, trip)


@pytest.mark.parametrize("words", short_form(["push trip", "push -n trip", "verify trip"], 1))
def test_a_command_that_hangs_where_it_looks_at_photos_can_be_left(
    home: Home, disk: SlowDisk, words: str
) -> None:
    trip = home.photos(20)
    if words == "verify trip":
        assert home.run("push", "trip").returncode == 0
    process = start(home, disk.environment(read=trip / "IMG_3.JPG", seconds=HANGS), *words.split())
    try:
        until(lambda: disk.hung, "the third is looked at")
        process.send_signal(signal.SIGINT)
        assert process.wait(SOON) == 130, (home.folder / "said").read_text()
    finally:
        process.kill()
        process.wait()
    queued = home.journal.exists() and home.sql("select count(*) from task")
    assert queued == {"push trip": [(0,)], "push -n trip": False, "verify trip": [(20,)]}[words]
    assert (home.folder / "said").read_text().endswith("Stopped.\n")


@pytest.mark.long
def test_a_command_that_follows_can_be_left_when_the_journal_hangs(
    home: Home, disk: SlowDisk
) -> None:
    home.photos(200)
    slowly: Script = (photo, lambda _: time.sleep(LATENCY * 5), answer(200))
    hangs = home.folder / "hangs"
    with FormServer(lambda *_: slowly) as server:
        home.form(server)
        home.start("push", "trip")
        until(lambda: len(server.ledger) > 2, "some are sent")
        wal = home.journal.with_name("journal.db-wal")
        process = start(
            home, disk.environment(read=wal, seconds=HANGS, when=hangs), "push", "-v", "trip"
        )
        try:
            until(lambda: b"is uploading" in (home.folder / "said").read_bytes(), "it follows")
            hangs.touch()
            until(lambda: disk.hung, "it looks into the journal")
            for _ in range(2):
                assert process.poll() is None
                process.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(1)
            assert process.wait(SOON) == 130, (home.folder / "said").read_text()
        finally:
            process.kill()
            process.wait()


def test_copies_that_are_made_are_sent_while_the_next_one_hangs(home: Home, disk: SlowDisk) -> None:
    trip = home.photos(9)
    with FormServer(lambda *_: (photo, answer(200))) as server:
        home.form(server, "stable_for = 0")
        spool = home.journal.with_name("journal.db.spool")
        more = disk.environment(read=trip / "IMG_5.JPG", seconds=HANGS, when=spool)
        process = start(home, more, "push", "trip", "--spool")
        try:
            until(lambda: disk.hung, "the fifth is copied")
            until(lambda: len(server.ledger) == 4, "the first four are sent")
            ends_at_ctrl_c(home, process)
        finally:
            process.kill()
            process.wait()
    assert sorted(server.names) == [f"IMG_{number}.JPG" for number in range(1, 5)]
