"""The snapshot of a running uploader: what goes in comes out, and what is no whole snapshot is
none."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import msgspec
import pytest
from clock import StillClock
from msgspec.structs import fields

from albumup.journal.states import State
from albumup.session import live as live_module
from albumup.session.live import Live
from albumup.session.snapshot import SIZE, Ended, Reader, Reason, Snapshot, Writer, packed
from albumup.uploader import events as events_module
from albumup.uploader.engine_thread import Shown
from albumup.uploader.events import (
    Event,
    Pause,
    PhotoEvent,
    Progress,
    Recorded,
    Spooled,
    Tried,
    Upload,
)
from albumup.uploader.options import RunEnd
from albumup.uploader.upstream import Closing

UNDECODABLE = b"/card/IMG_\xff\xfe\xe4.JPG"


def progress(*uploads: Upload | None, done: int = 0, pauses: tuple[Pause, ...] = ()) -> Progress:
    return Progress(done, 294, done * 1000, 294_000, True, 0, 0, uploads, pauses)


def shown(now: Progress, albums: int = 1, run_id: int = 7) -> Shown:
    before = {number: (number, 10 * number) for number in range(albums)}
    names = [f"trip {number}" for number in range(albums)]
    return Shown(now, names, run_id, before, False, None)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "journal.db.live")


@pytest.fixture
def live(path: str, clock: StillClock) -> Live:
    return Live(path, clock=lambda: 1_800_000_000.0, now=clock)


def found(path: str) -> Snapshot:
    snapshot = Reader(path).look()
    assert snapshot is not None
    return snapshot


def sent(number: int, name: bytes = b"/trip/IMG.JPG") -> Event:
    return Recorded(float(number), "trip", "home", name, State.UPLOADED, None, 1000)


def failed(number: int, why: str = "503 Service Unavailable") -> Event:
    return Tried(
        float(number), "trip", "home", b"/trip/%d.JPG" % number, "not_taken", why, 1, 4, True,
        False, 9.0,
    )  # fmt: skip


def test_what_a_run_shows_is_read_again(live: Live, path: str) -> None:
    uploads = Upload(UNDECODABLE, 48_400_000, 33_900_000, 3), None
    pause = Pause("home", "502 Bad Gateway", 61.0, 239.0)
    live.name_target("home", "photos.example.org")
    events = [failed(1), Spooled(2.0, None, "home", 12), sent(3, UNDECODABLE)]
    for event in events:
        live.hear(event)
    live.show(shown(progress(*uploads, done=117, pauses=(pause,))))
    snapshot = found(path)
    assert snapshot.progress == progress(*uploads, done=117, pauses=(pause,))
    assert (snapshot.pid, snapshot.run_id, snapshot.time) == (os.getpid(), 7, 1_800_000_000.0)
    assert (snapshot.albums, snapshot.before) == (["trip 0"], {0: (0, 0)})
    assert snapshot.titles == {"home": "photos.example.org"}
    assert (snapshot.heard, snapshot.since(0)) == (3, list(enumerate(events, 1)))
    assert snapshot.since(2) == [(3, events[2])]
    assert snapshot.ended is None


@pytest.mark.parametrize("kind", [kind for kind in vars(events_module).values()
                                  if isinstance(kind, type) and issubclass(kind, Event)
                                  and kind not in (Event, PhotoEvent)])  # fmt: skip
def test_each_kind_of_event_is_read_again(live: Live, path: str, kind: type[Event]) -> None:
    values = {"path": UNDECODABLE, "state": State.FAILED, "time": 1.0, "size": 7, "photos": 7}
    values |= dict.fromkeys(("tries", "of"), 1) | dict.fromkeys(("costs", "held"), True)
    values |= dict.fromkeys(("lasted", "seconds", "next_at"), 2.0)
    given = {
        field.name: values.get(field.name, "words") for field in fields(kind) if field.required
    }
    event = kind(**given)
    live.hear(event)
    live.show(shown(progress()))
    assert found(path).since(0) == [(1, event)]


def test_the_file_is_of_one_size_and_for_its_owner_alone(live: Live, path: str) -> None:
    mask = os.umask(0)
    live.show(shown(progress()))
    os.umask(mask)
    before = os.stat(path)
    live.end(shown(progress()), None)
    after = os.stat(path)
    assert (after.st_ino, after.st_size, after.st_mode & 0o777) == (before.st_ino, SIZE, 0o600)


def test_it_is_written_twice_a_second_at_most(live: Live, path: str, clock: StillClock) -> None:
    live.show(shown(progress(done=1)))
    clock.now += 0.4
    live.show(shown(progress(done=2)))
    assert found(path).progress.photos_done == 1
    clock.now += 0.2
    live.show(shown(progress(done=3)))
    assert found(path).progress.photos_done == 3


def test_a_reader_reads_only_what_has_changed(live: Live, path: str, clock: StillClock) -> None:
    reader = Reader(path)
    assert reader.look() is None
    live.show(shown(progress(done=1)))
    first = reader.look()
    assert reader.look() is first
    clock.now += 1.0
    live.show(shown(progress(done=2)))
    second = reader.look()
    assert second is not None
    assert second.progress.photos_done == 2
    os.unlink(path)
    assert reader.look() is None


@pytest.mark.parametrize("at", [20, 40, 60])
def test_a_torn_snapshot_is_not_read(live: Live, path: str, clock: StillClock, at: int) -> None:
    reader = Reader(path)
    live.show(shown(progress(done=1)))
    first = reader.look()
    clock.now += 1.0
    live.show(shown(progress(done=2)))
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 0x55]))
    assert reader.look() is first
    assert Reader(path).look() is None


def test_a_form_of_another_version_is_known_as_such(live: Live, path: str) -> None:
    live.show(shown(progress()))
    reader = Reader(path)
    assert reader.look() is not None
    assert not reader.is_foreign
    with open(path, "r+b") as file:
        file.seek(16)
        file.write(struct.pack(">H", 2))
    assert reader.look() is None
    assert reader.is_foreign


def test_keys_and_events_of_another_version_are_passed_over(path: str) -> None:
    class Later(Event, frozen=True):
        kind = "later"

    events = [
        (1, msgspec.Raw(msgspec.msgpack.encode(Later(1.0, None, None)))),
        (2, msgspec.Raw(msgspec.msgpack.encode(sent(2)))),
    ]
    snapshot = Snapshot(1, 7, 1.0, progress(), ["trip"], heard=2, events=events)
    content = msgspec.msgpack.decode(packed(snapshot))
    content["weather"] = "fine"
    del content["titles"]
    Writer(path).write(msgspec.msgpack.encode(content))
    assert found(path).since(0) == [(2, sent(2))]


@pytest.mark.parametrize("content", [b"", b"\xc1", b"\x80", b"\x91" * 60_000])
def test_a_content_that_is_none_is_not_read(path: str, content: bytes) -> None:
    Writer(path).write(content)
    reader = Reader(path)
    assert reader.look() is None
    assert reader.is_foreign


def test_all_of_it_fits_however_much_there_is(live: Live, path: str) -> None:
    long = "\N{GRINNING FACE}" * 4000
    uploads = [Upload(b"/" + bytes([65 + n % 26]) * 4090, 10, 5, n) for n in range(64)]
    pauses = tuple(Pause(f"{n}{long[:60]}", long, 1.0, 2.0) for n in range(40))
    for number in range(40):
        live.name_target(f"{number}{long[:60]}", long)
        live.hear(failed(number, long[:900]))
    many = Shown(
        progress(*uploads, pauses=pauses),
        [f"{n}{long[:60]}" for n in range(32)],
        7,
        dict.fromkeys(range(200), (2**40, 2**50)),
        False,
        None,
    )
    live.show(many)
    snapshot = found(path)
    assert os.path.getsize(path) == SIZE
    assert [one.name for one in snapshot.progress.uploads if one] == [
        one.name[-256:] for one in uploads
    ]
    assert snapshot.since(0)[-1][0] == 40
    live.end(many, RunEnd(75, 7, {}, {long[:200] + str(n): Closing(75, long, long) for n in
                                      range(40)}, {b"/" * 9000: long}, None, 1.0))  # fmt: skip
    assert found(path).ended is not None
    assert os.path.getsize(path) == SIZE


def test_albums_too_many_to_be_named_are_not_named(live: Live, path: str) -> None:
    live.show(shown(progress(), albums=33))
    assert found(path).albums == []


def test_photos_that_get_there_push_no_trouble_out(live: Live, path: str) -> None:
    live.hear(failed(1))
    for number in range(2, 5000):
        live.hear(sent(number))
    live.show(shown(progress()))
    snapshot = found(path)
    numbers = [number for number, _ in snapshot.since(0)]
    assert (numbers[0], numbers[-1], snapshot.heard) == (1, 4999, 4999)
    assert numbers == sorted(numbers)
    assert len(numbers) < 4999


def test_an_event_that_is_too_large_is_only_counted(live: Live, path: str) -> None:
    live.hear(failed(1, "x" * 5000))
    live.hear(failed(2))
    live.show(shown(progress()))
    assert [number for number, _ in found(path).since(0)] == [2]
    assert found(path).heard == 2


def test_the_end_is_told_with_its_reasons(live: Live, path: str) -> None:
    closing = Closing(75, "502 Bad Gateway", "try later")
    end = RunEnd(75, 7, {}, {"home": closing}, {b"/card": "it is not there"}, None, 12.5)
    live.end(shown(progress()), end)
    reasons = {"home": Reason(75, "502 Bad Gateway", "try later")}
    assert found(path).ended == Ended(75, 12.5, reasons, {b"/card": "it is not there"}, None)


def test_a_run_that_has_not_begun_shows_nothing(live: Live, path: str) -> None:
    live.show(shown(progress(), run_id=0))
    live.end(None, None)
    assert not os.path.exists(path)


# What stands in its place, and disks that do not take it.


def test_no_link_is_followed(live: Live, path: str, tmp_path: Path) -> None:
    photo = tmp_path / "IMG_1.JPG"
    photo.write_bytes(b"a photo")
    os.symlink(photo, path)
    live.show(shown(progress()))
    live.end(shown(progress()), None)
    assert photo.read_bytes() == b"a photo"
    assert Reader(path).look() is None


def test_a_file_with_another_name_is_not_written_to(live: Live, path: str, tmp_path: Path) -> None:
    photo = tmp_path / "IMG_1.JPG"
    photo.write_bytes(b"a photo")
    os.link(photo, path)
    live.show(shown(progress()))
    assert photo.read_bytes() == b"a photo"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_does_no_harm(live: Live, path: str, make: object) -> None:
    make(path)  # type: ignore[operator]
    live.show(shown(progress()))
    live.end(shown(progress()), None)
    assert Reader(path).look() is None


def test_a_removed_file_is_made_again(live: Live, path: str, clock: StillClock) -> None:
    live.show(shown(progress(done=1)))
    os.unlink(path)
    clock.now += 1.0
    live.show(shown(progress(done=2)))
    assert found(path).progress.photos_done == 2


def test_a_full_disk_costs_the_snapshot_alone_and_is_tried_again_later(
    live: Live, path: str, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Writer, __: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(live_module.Writer, "write", full)
        live.show(shown(progress(done=1)))
    clock.now += 10.0
    live.show(shown(progress(done=2)))
    assert not os.path.exists(path)
    clock.now += 30.0
    live.show(shown(progress(done=3)))
    assert found(path).progress.photos_done == 3


HALF, ESCAPED = "bad \ud83d half", "bad \\ud83d half"
"""What a server's JSON may hold, and no file can."""


def test_words_that_cannot_be_encoded_do_not_end_the_run(path: str, live: Live) -> None:
    live.hear(events_module.AlbumNote(1.0, "trip", "club", HALF))
    live.name_target("club", HALF)
    now = shown(progress(pauses=(Pause("club", HALF, 3.0, 4.0),)))
    closings, away = {"club": Closing(4, HALF, HALF)}, {b"/card": HALF}
    live.end(now, RunEnd(4, 7, {}, closings, away, None, 0.0))
    snapshot = found(path)
    assert snapshot.since(0) == [(1, events_module.AlbumNote(1.0, "trip", "club", ESCAPED))]
    assert snapshot.titles == {"club": ESCAPED}
    assert snapshot.progress.pauses[0].words == ESCAPED
    reason = Reason(4, ESCAPED, ESCAPED)
    assert snapshot.ended == Ended(4, 0.0, {"club": reason}, {b"/card": ESCAPED})
