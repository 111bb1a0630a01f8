"""The simulated network: windows and back-pressure, acknowledgements, losses, and what a kill
leaves on its way."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from albumup.transfer.values import Fault, Stopped
from simulation.line import Cut, Line, Loss
from simulation.loop import SimulatedLoop
from simulation.network import SimulatedNetwork
from simulation.wire import SimulatedWire


class Listener:
    """A server's side that counts. ``window``: bytes that it takes, ever."""

    def __init__(self, window: int) -> None:
        self.arrived = 0
        self.data = bytearray()
        self.window = window
        self.ends: list[str] = []

    def room(self) -> int:
        return self.window - len(self.data)

    def received(self, data: bytes) -> None:
        self.arrived += len(data)
        self.data += data

    def foresee(self, _: bytes) -> tuple[int, int] | None:
        return None if self.arrived else (1, 100_000)

    def ended(self) -> None:
        self.ends.append("ended")

    def lost(self) -> None:
        self.ends.append("lost")


class Field:
    """A line with a listener at its end. ``handed``: bytes that the kernel was seen to take."""

    def __init__(self, window: int = 1 << 30, buffer: int = 100_000) -> None:
        self.loop = SimulatedLoop(random.Random(1), most_seconds=1e6, most_steps=100_000)
        self.line = Line(self.loop, random.Random(2), buffer=buffer)
        self.listener = Listener(window)
        self.handed = 0
        self.network = SimulatedNetwork(self.line, lambda *_: self.listener, self.count)

    def count(self, _wire: SimulatedWire, _data: bytes | None, count: int) -> None:
        self.handed += count

    def play(self, life: Callable[[SimulatedWire], Awaitable[object]]) -> None:
        async def connected() -> None:
            wire = await self.network.connect("host", 80, context=None, proxy=None)
            await life(wire)

        self.loop.play(connected())


async def send_all(wire: SimulatedWire, data: bytes) -> None:
    while data:
        try:
            data = data[wire.send(data) :]
        except BlockingIOError:
            await wire.wait(writing=True, seconds=60.0)


def test_what_is_handed_over_arrives_later_and_is_acknowledged_then() -> None:
    field = Field()

    async def life(wire: SimulatedWire) -> None:
        assert wire.send(b"x" * 5000) == 5000
        assert (wire.unsent(), wire.acked(), len(field.listener.data)) == (5000, 0, 0)
        await asyncio.sleep(1.0)
        assert (wire.unsent(), wire.acked(), len(field.listener.data)) == (0, 5000, 5000)

    field.play(life)


def test_a_full_buffer_blocks_until_the_server_reads() -> None:
    field = Field(window=10_000, buffer=50_000)

    async def life(wire: SimulatedWire) -> None:
        assert wire.send(b"x" * 200_000) == 50_000
        await asyncio.sleep(1.0)
        assert len(field.listener.data) == 10_000
        assert wire.send(b"x" * 200_000) == 10_000
        with pytest.raises(BlockingIOError):
            wire.send(b"x")
        assert not await wire.wait(writing=True, seconds=5.0)
        field.listener.window = 30_000
        field.loop.outside(1.0, wire.server_reads)
        assert await wire.wait(writing=True, seconds=5.0)
        assert wire.send(b"x") == 1

    field.play(life)
    assert field.handed == 60_001


def test_large_bodies_arrive_whole_and_in_order(tmp_path: Path) -> None:
    field = Field()
    content = bytes(range(256)) * 4000
    path = tmp_path / "photo"
    path.write_bytes(content)

    async def life(wire: SimulatedWire) -> None:
        await send_all(wire, b"head")
        descriptor, start = os.open(path, os.O_RDONLY), 0
        while start < len(content):
            try:
                start += wire.sendfile(descriptor, start, len(content) - start)
            except BlockingIOError:
                await wire.wait(writing=True, seconds=60.0)
        os.close(descriptor)
        await send_all(wire, b"tail")
        await asyncio.sleep(10.0)

    field.play(life)
    assert bytes(field.listener.data) == b"head" + content + b"tail"


def test_pages_of_a_file_can_change_until_they_leave(tmp_path: Path) -> None:
    field = Field()
    path = tmp_path / "photo"
    path.write_bytes(b"before")

    async def life(wire: SimulatedWire) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        assert wire.sendfile(descriptor, 0, 6) == 6
        os.close(descriptor)
        with path.open("r+b") as file:
            file.write(b"AFTER!")
        await asyncio.sleep(1.0)

    field.play(life)
    assert bytes(field.listener.data) == b"AFTER!"


def test_an_answer_brings_the_acknowledgement_of_all_that_it_answers() -> None:
    field = Field()

    async def life(wire: SimulatedWire) -> None:
        wire.send(b"question")
        assert await wire.wait(writing=False, seconds=60.0) is False
        wire.say(b"one ")
        wire.say(b"two")
        wire.hang_up()
        assert await wire.wait(writing=False, seconds=60.0)
        assert wire.has_spoken()
        await asyncio.sleep(1.0)
        assert wire.recv(100) == b"one two"
        assert wire.unsent() == 0
        assert wire.recv(100) == b""

    field.play(life)


@pytest.mark.parametrize("loss", list(Loss))
def test_a_line_that_is_cut_in_the_middle(loss: Loss) -> None:
    field = Field()
    field.line.cuts[1] = Cut(True, 0.5, loss)

    async def life(wire: SimulatedWire) -> None:
        wire.send(b"x" * 100_000)
        spoke = await wire.wait(writing=False, seconds=30.0)
        assert len(field.listener.data) == 50_000
        assert wire.unsent() > 0
        assert spoke == (loss is Loss.RESET)
        if loss is Loss.RESET:
            with pytest.raises(ConnectionResetError):
                wire.recv(100)
            with pytest.raises(BrokenPipeError):
                wire.send(b"x")

    field.play(life)


def test_a_stall_ends() -> None:
    field = Field()
    field.line.cuts[1] = Cut(True, 0.5, Loss.SILENCE, lasts=20.0)

    async def life(wire: SimulatedWire) -> None:
        wire.send(b"x" * 100_000)
        await asyncio.sleep(15.0)
        assert len(field.listener.data) < 100_000
        await asyncio.sleep(15.0)
        assert len(field.listener.data) == 100_000

    field.play(life)


def test_what_the_kernel_has_goes_on_after_a_kill_and_not_after_a_power_cut() -> None:
    for power, arrived in ((False, 60_000), (True, 0)):
        field = Field()

        async def life(wire: SimulatedWire) -> None:
            wire.send(b"x" * 60_000)

        field.play(life)
        field.network.end(power=power)
        field.loop.pass_time(60.0)
        assert len(field.listener.data) == arrived
        assert field.listener.ends == ([] if power else ["ended"])


def test_closing_with_an_answer_unread_is_a_reset() -> None:
    field = Field(window=0)

    async def life(wire: SimulatedWire) -> None:
        wire.send(b"x" * 60_000)
        wire.say(b"no")
        await asyncio.sleep(1.0)
        wire.close()

    field.play(life)
    field.loop.pass_time(60.0)
    assert field.listener.ends == ["lost"]
    assert not field.listener.data


@pytest.mark.parametrize(
    ("how", "fault", "seconds"),
    [
        ("refused", Fault.NOT_REACHED, 1.0),
        ("unknown host", Fault.UNKNOWN_HOST, 1.0),
        ("no network", Fault.NOT_REACHED, 1.0),
        ("hangs", Fault.NOT_REACHED, 10.0),
    ],
)
def test_connecting_fails_in_its_ways(how: str, fault: Fault, seconds: float) -> None:
    field = Field()
    field.line.connects[1] = how

    async def life() -> None:
        with pytest.raises(Stopped) as stopped:
            await field.network.connect("host", 80, context=None, proxy=None)
        assert stopped.value.fault is fault
        assert field.loop.time() <= seconds

    field.loop.play(life())
