"""What the receiver keeps on the disk: its index, and what survives crashes, full disks and cut
lines."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from disk_reads import read_from_disk
from receiving import (
    OTHER,
    PATIENCE,
    PHOTO,
    TOKEN,
    Client,
    eventually,
    everything,
    files,
    form,
    parts,
    receiving,
    sha256,
)

from albumup.receive import Receiver, Store, album, serve

LINUX = pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="finds out about descriptors in /proc"
)


# The index.


def test_photos_put_there_by_hand_are_known_at_the_next_start(root: Path) -> None:
    (root / "trip").mkdir(parents=True)
    (root / "trip/by hand.jpg").write_bytes(PHOTO)
    (root / "trip/line\nbreak\r.jpg").write_bytes(OTHER)
    (root / "trip/return\r.jpg").write_bytes(b"r")
    (root / "trip/.hidden").write_bytes(b"h")
    os.mkfifo(root / "trip/pipe")
    for _ in range(2):
        have = Store(str(root)).have(
            "trip", [sha256(PHOTO), sha256(OTHER), sha256(b"h"), sha256(b"")]
        )
        assert have == {sha256(PHOTO): "by hand.jpg", sha256(OTHER): "line\nbreak\r.jpg"}
    assert (root / ".albumup/trip.sha256").read_bytes().count(b"\n") == 2, (
        "hashed again, or written over two lines"
    )


def test_the_index_spares_reading_and_is_believed_only_with_the_same_stat(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving(root) as client:
        client.send("trip", PHOTO, mtime_ns=10**18)
    path = root / "trip/DSC_0001.JPG"
    with monkeypatch.context() as patch:
        patch.setattr(
            album, "_hashed", lambda _: pytest.fail("read although nothing showed a change")
        )
        assert Store(str(root)).have("trip", [sha256(PHOTO)])
    path.write_bytes(PHOTO[::-1])  # same size
    os.utime(path, ns=(10**18, 10**18))
    said: list[str] = []
    store = Store(str(root), said.append)
    for _ in range(2):
        assert store.have("trip", [sha256(PHOTO), sha256(PHOTO[::-1])]) == {
            sha256(PHOTO[::-1]): path.name
        }
    assert len(said) == 1


def rot(root: Path, name: str = "trip/DSC_0001.JPG", data: bytes = PHOTO[::-1]) -> None:
    """Other bytes, and nothing that shows it: a disk that forgets changes no time, so the index is
    told ours."""
    path = root / name
    path.write_bytes(data)
    now = path.stat()
    line = f"{sha256(PHOTO)} {now.st_size} {now.st_mtime_ns}:{now.st_ctime_ns} {path.name}\n"
    (root / ".albumup" / f"{path.parent.name}.sha256").write_text(line)


@pytest.mark.parametrize("is_old_line", [False, True])
def test_a_file_that_the_disk_damaged_is_found_out_where_it_counts(
    root: Path, is_old_line: bool
) -> None:
    with receiving(root) as client:
        client.send("trip", PHOTO)
    rot(root)
    index = root / ".albumup/trip.sha256"
    if is_old_line:
        index.write_text(re.sub(":[0-9]+ ", " ", index.read_text()))
    said: list[str] = []
    with receiving(Store(str(root), said.append)) as client:
        assert client.ask("trip", sha256(PHOTO)), "the quick question believes the index"
        assert client.ask("trip", sha256(PHOTO), read=True) == {}
        assert client.ask("trip", sha256(PHOTO)) == {}
        assert client.ask("trip", sha256(PHOTO[::-1]), read=True) == {
            sha256(PHOTO[::-1]): "DSC_0001.JPG"
        }
    assert len(said) == 1
    assert (
        f"{root}/trip/DSC_0001.JPG was changed or damaged: it had SHA-256 {sha256(PHOTO)}"
        in said[0]
    )


def test_no_damaged_file_makes_a_sending_a_duplicate_and_none_is_overwritten(root: Path) -> None:
    with receiving(root) as client:
        client.send("trip", PHOTO)
    rot(root)
    beside = f"DSC_0001~{sha256(PHOTO)[:8]}.JPG"
    with receiving(root) as client:
        status, answer = client.send("trip", PHOTO)
        assert (status, answer["status"], answer["name"]) == (201, "created", beside)
        assert client.send("trip", PHOTO)[0] == 200
        assert client.ask("trip", sha256(PHOTO), read=True) == {sha256(PHOTO): beside}
    assert files(root) == {"trip/DSC_0001.JPG": PHOTO[::-1], f"trip/{beside}": PHOTO}


def test_of_two_files_with_equal_bytes_the_sound_one_is_found(root: Path) -> None:
    with receiving(root) as client:
        client.send("trip", PHOTO)
    rot(root)
    (root / "trip/Z.JPG").write_bytes(PHOTO)
    with receiving(root) as client:
        assert client.ask("trip", sha256(PHOTO), read=True) == {sha256(PHOTO): "Z.JPG"}
        assert client.send("trip", PHOTO)[1]["name"] == "Z.JPG"


def test_a_file_that_cannot_be_read_is_no_duplicate(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "broken disk")

    said: list[str] = []
    with receiving(Store(str(root), said.append)) as client:
        client.send("trip", PHOTO)
        with monkeypatch.context() as patch:
            patch.setattr(album, "_hashed", fail)
            assert client.ask("trip", sha256(PHOTO), read=True) == {}
            assert client.send("trip", PHOTO)[0] == 201
        assert "cannot be read" in said[0]
        assert len(files(root)) == 2


def test_what_is_read_again_does_not_come_from_memory(root: Path) -> None:
    data = PHOTO + os.urandom(4 << 20)
    with receiving(root) as client:
        client.send("trip", data)
        before = read_from_disk(root)
        client.ask("trip", sha256(data))
        assert read_from_disk(root) - before < len(data)
        client.ask("trip", sha256(data), read=True)
        assert read_from_disk(root) - before >= len(data)


def test_receivers_tell_their_stores_apart(root: Path, tmp_path: Path) -> None:
    stores = [Store(str(folder)) for folder in (root, root, tmp_path / "other")]
    assert stores[0].id == stores[1].id != stores[2].id
    assert len(stores[0].id) == 32


@pytest.mark.parametrize(
    "damage", [b"", b"\0" * 100, b"abc", b"x 1 2 y\n", b"a b c d\n\xff\xff 1 1 z\n"]
)
def test_a_damaged_index_costs_nothing_but_reading(root: Path, damage: bytes) -> None:
    with receiving(root) as client:
        client.send("trip", PHOTO, "a")
    index = root / ".albumup/trip.sha256"
    index.write_bytes(damage)
    with receiving(root) as client:
        assert client.send("trip", PHOTO, "b")[0] == 200
        assert client.send("trip", OTHER, "b")[0] == 201
    text = index.read_bytes()
    for name, data in ((b"a", PHOTO), (b"b", OTHER)):
        assert any(
            line.startswith(sha256(data).encode()) and line.endswith(b" " + name)
            for line in text.split(b"\n")
        ), "a line was glued to the damage"


def test_only_new_lines_of_the_index_are_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    pread = os.pread

    def noted(descriptor: int, length: int, offset: int) -> bytes:
        read.append(length)
        return pread(descriptor, length, offset)

    with receiving(root) as client:
        for number in range(10):
            client.send("trip", b"%d" % number, "n.jpg")
        monkeypatch.setattr(os, "pread", noted)
        client.send("trip", PHOTO)
        client.ask("trip", sha256(PHOTO))
    assert sum(read) < 4 * len(f"{sha256(PHOTO)} 1 {10**18} n~{'x' * 8}.jpg\n")


def test_two_receivers_on_one_folder_know_of_each_other(root: Path) -> None:
    with receiving(root) as one, receiving(root) as two:
        assert one.ask("trip", sha256(PHOTO)) == two.ask("trip", sha256(PHOTO)) == {}
        one.send("trip", PHOTO, "a")
        assert two.ask("trip", sha256(PHOTO)) == {sha256(PHOTO): "a"}
        assert two.send("trip", PHOTO, "b")[0] == 200
        two.send("trip", OTHER, "b")
        (root / ".albumup/trip.sha256").unlink()
        assert one.send("trip", OTHER, "b")[0] == 200  # found under the name itself
    assert files(root) == {"trip/a": PHOTO, "trip/b": OTHER}


# Breaking off.


def test_a_body_cut_short_leaves_nothing(root: Path) -> None:
    lines: list[str] = []
    with receiving(root, log=lines.append) as client:
        cut_short(root, client)
    assert files(root) == {}
    assert len(lines) == 5
    assert all("the body broke off" in entry for entry in lines), "the disk was blamed"


def cut_short(root: Path, client: Client) -> None:
    body = form({}, PHOTO * 100_000)
    for sent in (0, 1, 500_000, len(body) - 1):
        with client.raw(client.head("trip", len(body)), body[:sent]) as line:
            line.shutdown(socket.SHUT_WR)
            assert everything(line) == b""
        eventually(lambda: not parts(root))
    with client.raw(client.head("trip", len(body)), body[:-1]) as line:
        eventually(lambda: parts(root))
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    eventually(lambda: not parts(root))


SERVE = """
import signal, sys
from albumup.receive import serve
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
serve(sys.argv[1], "127.0.0.1", 0, sys.argv[2], None, lambda url: print(url, flush=True))
"""


@pytest.fixture
def process(root: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", SERVE, str(root), TOKEN]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def test_a_killed_receiver_leaves_no_half_photo(root: Path, process: subprocess.Popen[str]) -> None:
    assert process.stdout
    client = Client(process.stdout.readline().strip())
    client.send("trip", OTHER, "whole")
    body = form({}, PHOTO * 100_000)
    with client.raw(client.head("trip", len(body)), body[:-1]):
        eventually(lambda: any(os.path.getsize(path) for path in parts(root)))
        Store(str(root))
        assert len(parts(root)) == 1, "the part of a living process was swept"
        process.kill()
        process.wait()
    assert files(root) == {"trip/whole": OTHER}
    assert len(parts(root)) == 1
    assert Store(str(root)).have("trip", [sha256(OTHER)]) == {sha256(OTHER): "whole"}
    assert parts(root) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_serve_quietly(
    process: subprocess.Popen[str], number: signal.Signals
) -> None:
    assert process.stdout
    client = Client(process.stdout.readline().strip())
    line = client.connect()
    assert (
        client.request("GET", "/", connection=line)[0] == 200
    )  # and an idle connection stays open
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "", "")


def test_serve_ends_when_told(root: Path) -> None:
    stop, urls = threading.Event(), list[str]()

    def ready(url: str) -> None:
        urls.append(url)
        assert Client(url).send("trip", PHOTO)[0] == 201
        stop.set()

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    serve(str(root), "127.0.0.1", 0, TOKEN, None, ready, stop=stop)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    with pytest.raises(ConnectionRefusedError):
        Client(urls[0]).request("GET", "/")


def test_an_ignored_signal_stays_ignored(root: Path) -> None:
    stop, seen = threading.Event(), list[object]()

    def ready(_: str) -> None:
        seen.append(signal.getsignal(signal.SIGINT))
        stop.set()

    before = signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # as under nohup, or in a script's background
    try:
        serve(str(root), "127.0.0.1", 0, TOKEN, None, ready, stop=stop)
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIG_IGN]


def test_stopping_cuts_what_is_arriving_and_answers_what_is_being_stored(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storing, go_on = threading.Event(), threading.Event()
    keep = Store.keep

    def slow_keep(*arguments: object) -> object:
        storing.set()
        assert go_on.wait(PATIENCE)
        return keep(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "keep", slow_keep)
    receiver = Receiver(Store(str(root)), token=TOKEN)
    receiver.start()
    client = Client(receiver.url)
    body = form({}, PHOTO)
    with (
        client.raw(client.head("a", len(body)), body) as whole,
        client.raw(client.head("b", len(body)), b"-") as half,
    ):
        assert storing.wait(PATIENCE)
        eventually(lambda: len(parts(root)) == 2)
        stopping = threading.Thread(target=receiver.stop)
        stopping.start()
        assert everything(half) == b""
        go_on.set()
        assert everything(whole).startswith(b"HTTP/1.1 201 ")
        stopping.join(PATIENCE)
    assert list(files(root)) == ["a/sent.jpg"]
    receiver.stop()  # again does no harm


# The disk.


@LINUX
def test_all_is_durable_before_the_answer(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[tuple[str, str]] = []
    fsync, link = os.fsync, os.link

    def noted_fsync(descriptor: int) -> None:
        fsync(descriptor)
        path = open_path(descriptor)
        events.append(
            ("fsync", "a part" if path.endswith(".part") else os.path.relpath(path, root))
        )

    def noted_link(source: bytes, path: bytes, **more: Any) -> None:
        events.append(("link", os.fsdecode(path)))
        link(source, path, **more)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "link", noted_link)
    with receiving(root) as client:
        events.clear()
        client.send("trip", PHOTO, "a")
        first = events[:]
        events.clear()
        client.send("trip", PHOTO, "b")
        duplicate = events[:]
        events.clear()
        client.ask("trip", sha256(PHOTO))
    assert first[0] == ("fsync", "a part")
    assert first[1] == ("fsync", ".")  # the name of the new folder
    assert first[-2:] == [("link", "a"), ("fsync", "trip")]
    assert duplicate[-1] == ("fsync", "trip")
    assert events == [("fsync", "trip")]


def open_path(descriptor: int) -> str:
    return os.readlink(f"/proc/self/fd/{descriptor}")


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "no hard links on FAT")

    monkeypatch.setattr(os, "link", link)


@pytest.mark.usefixtures("no_links")
def test_without_hard_links_nothing_is_overwritten_either(root: Path, client: Client) -> None:
    assert client.send("trip", PHOTO)[0] == 201
    assert client.send("trip", PHOTO)[0] == 200
    assert client.send("trip", OTHER)[0] == 201
    assert files(root) == {
        "trip/DSC_0001.JPG": PHOTO,
        f"trip/DSC_0001~{sha256(OTHER)[:8]}.JPG": OTHER,
    }
    assert client.send("trip", OTHER[::-1], "twin", mtime_ns=10**18)[0] == 201
    assert client.send("trip", OTHER, "twin", mtime_ns=10**18)[0] == 200
    third = b"?" * len(OTHER)
    assert client.send("trip", third, "twin", mtime_ns=10**18)[0] == 201, (
        "same size and date, but other bytes"
    )
    assert Store(str(root)).have("trip", [sha256(PHOTO)]) == {sha256(PHOTO): "DSC_0001.JPG"}


@pytest.mark.usefixtures("no_links")
def test_a_crash_between_reserving_and_replacing_leaves_no_half_photo(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        pass

    def crash(*_: object, **__: object) -> None:
        raise Crash

    (root / "trip").mkdir(parents=True)
    (root / "trip/empty, by hand").touch()
    with monkeypatch.context() as patch, Store(str(root)).incoming() as incoming:
        patch.setattr(os, "replace", crash)
        incoming.write(PHOTO)
        with pytest.raises(Crash):
            Store(str(root)).keep(incoming, "trip", "a.jpg")
    assert files(root) == {"trip/a.jpg": b"", "trip/empty, by hand": b""}
    with receiving(root) as client:
        assert client.send("trip", PHOTO, "a.jpg")[1]["id"] == "trip/a.jpg"
        assert client.send("trip", OTHER, "empty, by hand")[1]["name"] != "empty, by hand"
    Store(str(root)).have("trip", [])
    assert files(root) == {
        "trip/a.jpg": PHOTO,
        "trip/empty, by hand": b"",
        f"trip/empty, by hand~{sha256(OTHER)[:8]}": OTHER,
    }


@pytest.mark.usefixtures("no_links")
def test_a_failed_replacing_takes_its_reservation_back(
    root: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "broken disk")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        assert client.send("trip", PHOTO)[0] == 500
    assert (files(root), parts(root)) == ({}, [])
    assert client.send("trip", PHOTO)[1]["name"] == "DSC_0001.JPG"


@pytest.mark.parametrize(
    ("number", "status"), [(errno.ENOSPC, 507), (errno.EDQUOT, 507), (errno.EIO, 500)]
)
@pytest.mark.parametrize("step", ["write", "fsync"])
def test_a_disk_that_fails_is_named_and_left_clean(
    root: Path, client: Client, monkeypatch: pytest.MonkeyPatch, step: str, number: int, status: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, step, fail)
        got, answer = client.send("trip", PHOTO * 500_000)
    assert (got, answer) == (status, {"error": f"cannot store it: {os.strerror(number)}"})
    assert (files(root), parts(root)) == ({}, [])
    assert client.send("trip", PHOTO)[0] == 201


def test_an_old_part_is_swept_by_age_where_flock_is_missing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", flock)
    Store(str(root))
    old, new = root / ".incoming/old.part", root / ".incoming/new.part"
    for path in (old, new):
        path.touch()
    os.utime(old, (1, 1))
    with receiving(root) as client:
        assert client.send("trip", PHOTO)[0] == 201
    assert parts(root) == [str(new)]


@LINUX
def test_a_full_disk_for_the_index_does_not_cost_the_photo(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write

    def full_for_lines(descriptor: int, data: bytes) -> int:
        if open_path(descriptor).endswith(".sha256"):
            raise OSError(errno.ENOSPC, "full")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", full_for_lines)
    assert client.send("trip", PHOTO)[0] == 201
    assert client.send("trip", PHOTO)[0] == 200


def test_a_full_disk_does_not_keep_a_receiver_from_starting(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        patch.setattr(
            "albumup.receive.store.make_folder", lambda folder: os.makedirs(folder, exist_ok=True)
        )
        patch.setattr("albumup.receive.store.make", lambda root, name: os.mkdir(name, dir_fd=root))
        assert Store(str(root)).id == ""
    assert os.listdir(root / ".albumup") == []
    assert len(Store(str(root)).id) == 32
