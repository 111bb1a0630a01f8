"""A stream whose writers never wait: what nobody reads is kept, in order, and let go with its
reader."""

from __future__ import annotations

import os
import random
import tempfile
import threading
import tracemalloc
from collections.abc import Iterator

import pytest

from albumup.cli import outlet
from albumup.cli.outlet import Outlet


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            assert end == ends[0], "only a reader goes before its time"


def pieces(count: int, most: int) -> list[bytes]:
    chance = random.Random(7)
    return [chance.randbytes(chance.randrange(1, most)) for _ in range(count)]


@pytest.mark.parametrize(
    "room", [0, 1000, 1 << 20], ids=["all in a file", "some in a file", "in memory"]
)
def test_what_nobody_reads_is_kept_and_comes_in_order(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(outlet, "_IN_MEMORY", room)
    monkeypatch.setattr(outlet, "_PIECE", 700)
    one, told = Outlet(pipe[1]), pieces(400, 2000)
    for piece in told[:300]:
        one.put(piece)  # more than a pipe takes: who waited for the reader would wait for ever
    assert one.backlog > 0
    read: list[bytes] = []
    total = sum(map(len, told))

    def read_all() -> None:
        while sum(map(len, read)) < total:
            read.append(os.read(pipe[0], 65536))

    reader = threading.Thread(target=read_all)
    reader.start()
    for piece in told[300:]:
        one.put(piece)
    assert one.wait()
    one.close()
    reader.join(60)
    assert b"".join(read) == b"".join(told)


def test_without_room_for_a_file_memory_has_to_do(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outlet, "_IN_MEMORY", 10)
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    one = Outlet(pipe[1])
    one.put(b"x" * 100_000)
    one.put(b"y" * 100_000)
    read = b""
    while len(read) < 200_000:
        read += os.read(pipe[0], 65536)
    assert read == b"x" * 100_000 + b"y" * 100_000
    assert one.wait()
    one.close()


def test_a_reader_that_has_gone_is_no_reason_to_wait(pipe: tuple[int, int]) -> None:
    one = Outlet(pipe[1])
    os.close(pipe[0])
    for _ in range(3):
        one.put(b"x" * 100_000)
    assert one.wait()
    assert isinstance(one.fault, BrokenPipeError)
    one.put(b"more")
    one.close()


def test_waiting_for_a_reader_can_be_given_up(pipe: tuple[int, int]) -> None:
    one = Outlet(pipe[1])
    one.put(b"x" * 1_000_000)
    assert not one.wait(lambda: True)
    one.close()  # leaves its thread behind, which ends with the reader
    os.close(pipe[0])
    one._thread.join(60)
    assert not one._thread.is_alive()


def test_a_reader_that_is_stuck_costs_little_memory(pipe: tuple[int, int]) -> None:
    one = Outlet(pipe[1])
    tracemalloc.start()
    try:
        for _ in range(1000):
            one.put(bytes(1 << 15))
        assert one.backlog > 30 << 20
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
