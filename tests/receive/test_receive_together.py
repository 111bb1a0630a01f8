"""One fsync of a folder for several photos, that began after the last of them was placed."""

from __future__ import annotations

import concurrent.futures
import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from receiving import PATIENCE, Client, eventually, files, receiving

from albumup.receive.together import SharedFsync


class Disk:
    """An fsync that ends when it is told to, and what began and ended."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.began = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)
        self.errors: list[OSError | None] = []

    def fsync(self, _: int) -> None:
        self.events.append("began")
        self.began.release()
        assert self.may_end.acquire(timeout=PATIENCE)
        self.events.append("ended")
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr("albumup.receive.together.os.fsync", disk.fsync)
    return disk


@pytest.fixture
def pool() -> Iterator[concurrent.futures.ThreadPoolExecutor]:
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        yield pool


def is_waited_for(shared: SharedFsync, by: int) -> bool:
    return len(shared._changed._waiters) == by  # type: ignore[attr-defined]


def test_who_comes_during_an_fsync_waits_for_the_next(
    disk: Disk, pool: concurrent.futures.ThreadPoolExecutor
) -> None:
    shared = SharedFsync()
    first = pool.submit(shared.fsync, 0)
    assert disk.began.acquire(timeout=PATIENCE)
    others = [pool.submit(shared.fsync, 0) for _ in range(3)]
    eventually(lambda: is_waited_for(shared, by=3))
    disk.may_end.release()
    first.result(PATIENCE)
    assert disk.began.acquire(timeout=PATIENCE), "nobody began another one for those who came late"
    assert not any(other.done() for other in others)
    disk.may_end.release()
    for other in others:
        other.result(PATIENCE)
    assert disk.events == ["began", "ended", "began", "ended"], "one for all three"


def test_all_who_share_an_fsync_hear_that_it_failed(
    disk: Disk, pool: concurrent.futures.ThreadPoolExecutor
) -> None:
    shared = SharedFsync()
    disk.errors = [None, OSError(errno.EIO, "broken disk"), None]
    first = pool.submit(shared.fsync, 0)
    assert disk.began.acquire(timeout=PATIENCE)
    others = [pool.submit(shared.fsync, 0) for _ in range(3)]
    eventually(lambda: is_waited_for(shared, by=3))
    for _ in range(3):
        disk.may_end.release()
    first.result(PATIENCE)
    for other in others:
        with pytest.raises(OSError, match="broken disk"):
            other.result(PATIENCE)
    shared.fsync(0)


def test_an_fsync_that_never_ended_is_no_proof(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(BaseException):
        pass

    def interrupted(_: int) -> None:
        raise Interrupted

    shared = SharedFsync()
    mine = shared._next
    monkeypatch.setattr("albumup.receive.together.os.fsync", interrupted)
    with pytest.raises(Interrupted):
        shared.fsync(0)
    assert mine.is_over
    assert mine.error is not None
    monkeypatch.setattr("albumup.receive.together.os.fsync", disk.fsync)
    disk.may_end.release()
    shared.fsync(0)


def test_each_photo_is_answered_after_an_fsync_that_began_after_its_link(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many at once: each answer is held against the order of what was asked of the disk."""
    events: list[tuple[str, str]] = []
    link, fsync = os.link, os.fsync
    folder = root / "trip"

    def noted_link(source: Any, name: bytes, **more: Any) -> None:
        link(source, name, **more)
        events.append(("linked", os.fsdecode(name)))

    def noted_fsync(descriptor: int) -> None:
        is_folder = folder.exists() and os.path.samestat(os.fstat(descriptor), folder.stat())
        number = str(len(events))
        if is_folder:
            events.append(("began", number))
        fsync(descriptor)
        if is_folder:
            events.append(("ended", number))

    monkeypatch.setattr(os, "link", noted_link)
    monkeypatch.setattr(os, "fsync", noted_fsync)
    with receiving(root) as client, concurrent.futures.ThreadPoolExecutor(16) as pool:

        def send(number: int) -> None:
            assert client.send("trip", b"photo %d" % number, f"{number}.jpg")[0] == 201
            events.append(("answered", f"{number}.jpg"))

        list(pool.map(send, range(100)))
    assert_in_order(events, 100)


def assert_in_order(events: list[tuple[str, str]], count: int) -> None:
    """Between each link and its answer an fsync of the folder began, and ended."""
    ends = {number: place for place, (what, number) in enumerate(events) if what == "ended"}
    links = {name: place for place, (what, name) in enumerate(events) if what == "linked"}
    answers = [(name, place) for place, (what, name) in enumerate(events) if what == "answered"]
    assert len(answers) == len(links) == count
    for name, answered in answers:
        began = [
            number
            for place, (what, number) in enumerate(events)
            if what == "began" and links[name] < place < answered
        ]
        assert any(ends.get(number, answered) < answered for number in began), name


def test_a_folder_that_took_the_place_of_another_has_fsyncs_of_its_own(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first photo's fsync hangs in the old folder while one arrives in the new folder of that
    name."""
    hangs, go_on = threading.Event(), threading.Event()
    fsync = os.fsync

    def slow_fsync(descriptor: int) -> None:
        if os.path.samestat(os.fstat(descriptor), trip) and not hangs.is_set():
            hangs.set()
            assert go_on.wait(PATIENCE)
        fsync(descriptor)

    with receiving(root) as client, concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert client.send("trip", b"before")[0] == 201
        trip = (root / "trip").stat()
        monkeypatch.setattr(os, "fsync", slow_fsync)
        old = pool.submit(client.send, "trip", b"old", "old.jpg")
        assert hangs.wait(PATIENCE)
        (root / "trip").rename(root / "away")
        (root / "trip").mkdir()
        assert client.send("trip", b"new", "new.jpg")[0] == 201, "it waited for the other folder"
        go_on.set()
        assert old.result(PATIENCE)[0] == 500, "it is not in the album that is there now"
    assert files(root)["trip/new.jpg"] == b"new"


def counted(monkeypatch: pytest.MonkeyPatch, name: str) -> Callable[[], int]:
    """How often a function of the system was called from now on."""
    real, calls = getattr(os, name), list[int]()

    def call(*given: Any, **more: Any) -> Any:
        calls.append(1)
        return real(*given, **more)

    monkeypatch.setattr(os, name, call)
    return lambda: len(calls)


def test_a_photo_on_its_own_costs_two_fsyncs_and_no_reading_of_its_own_line(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.send("trip", b"first")[0] == 201
    fsyncs, reads = counted(monkeypatch, "fsync"), counted(monkeypatch, "pread")
    for number in range(10):
        assert client.send("trip", b"%d" % number, f"{number}.jpg")[0] == 201
    assert (fsyncs(), reads()) == (20, 0)
