"""The loop's side of sending: what is watched and for how long, and who has a turn when."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from servers import PATIENCE, Script, Server, answer, body, head, send, stall

from albumup.helpers import Threads
from albumup.transfer import BLOCK, Fault, Meter, Peer, Request, Sent
from albumup.transfer.connect import tls_context
from albumup.transfer.connection import Connection, KeepAlive
from albumup.transfer.kernel import ear_of, has_address, has_network
from albumup.transfer.payload import FilePayload
from albumup.transfer.wire import SocketNetwork, SocketWire

TAKEN: Script = (head, body, answer(201, b"{}"))
TAIL = b"the end"


async def nothing() -> None: ...


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


async def sent_over(
    connection: Connection, payload: Memory, before_last: Callable[[], Awaitable[None]] = nothing
) -> Sent:
    request = Request("POST", "http://127.0.0.1/up", [])
    at_once = await connection.takes_at_once(payload.size + len(TAIL))
    return await connection.send(request, b"", payload, TAIL, Meter(), before_last, at_once=at_once)


@dataclass
class Memory:
    """A payload of zeros; ``waits``: what happens until a block is read."""

    size: int
    content: bytes | None = None
    descriptor: int = -1
    is_near: bool = True
    waits: Callable[[], Awaitable[None]] = nothing
    reads: list[tuple[int, int]] = field(default_factory=list)

    async def is_at_hand(self, start: int, size: int) -> bool:  # noqa: ARG002 - all of it, or nothing
        return self.is_near

    async def read(self, start: int, size: int) -> bytes:
        self.reads.append((start, size))
        await self.waits()
        return bytes(size)


@dataclass
class Endless:
    """A wire that takes whatever it is given, at once, and then has an answer: nothing ever waits
    for it."""

    is_secure: bool = False
    calls: list[tuple[str, int]] = field(default_factory=list)
    answer: bytes = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"

    def send(self, data: bytes | memoryview) -> int:
        self.calls.append(("send", len(data)))
        return len(data)

    def send_all(self, *parts: bytes) -> int:
        return self.send(b"".join(parts))

    def sendfile(self, descriptor: int, start: int, count: int) -> int:  # noqa: ARG002
        self.calls.append(("sendfile", count))
        return count

    def recv(self, most: int) -> bytes:  # noqa: ARG002
        return self.answer

    async def wait(self, *, writing: bool, seconds: float) -> bool:  # noqa: ARG002
        return True

    def is_unbroken(self) -> bool:
        return True

    def has_spoken(self) -> bool:
        return False

    def room(self) -> int:
        return BLOCK

    def unsent(self) -> int:
        return 0

    def has_address(self) -> bool:
        return True

    def acked(self) -> int | None:
        return None

    def cork(self, on: bool) -> None: ...
    def half_close(self) -> None: ...
    def abort(self) -> None: ...
    def close(self) -> None: ...


@dataclass
class Given:
    """A network of one wire."""

    wire: Endless

    async def connect(self, *_: object, **__: object) -> Endless:
        return self.wire


# Turns.


@pytest.mark.parametrize(("is_secure", "is_near"), [(False, True), (False, False), (True, True)])
def test_a_large_upload_leaves_others_their_turn_after_each_mib(
    is_secure: bool, is_near: bool
) -> None:
    async def sending() -> None:
        wire = Endless(is_secure)
        connection = Connection("http://127.0.0.1/", Peer(), Given(wire))
        task = asyncio.create_task(sent_over(connection, Memory(20 * BLOCK, is_near=is_near)))
        turns = 0
        while not task.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns >= 20
        assert task.result().whole

    asyncio.run(sending())


def test_only_what_waits_for_a_disk_goes_through_this_process() -> None:
    async def sending(payload: Memory) -> list[tuple[str, int]]:
        wire = Endless()
        await sent_over(Connection("http://127.0.0.1/", Peer(), Given(wire)), payload)
        return wire.calls[1:-1]

    near, far = Memory(2 * BLOCK + 5), Memory(2 * BLOCK + 5, is_near=False)
    assert asyncio.run(sending(near)) == [("sendfile", BLOCK), ("sendfile", BLOCK), ("sendfile", 5)]
    assert asyncio.run(sending(far)) == [("send", BLOCK), ("send", BLOCK), ("send", 5)]
    assert (near.reads, far.reads) == ([], [(0, BLOCK), (BLOCK, BLOCK), (2 * BLOCK, 5)])


def test_over_tls_one_block_is_read_while_another_is_sent() -> None:
    """And no more than one."""
    seen: list[tuple[int, int]] = []

    class Watched(Endless):
        def send(self, data: bytes | memoryview) -> int:
            if len(data) == BLOCK:
                seen.append((sum(name == "send" for name, _ in self.calls), len(payload.reads)))
            return super().send(data)

    async def no_disk() -> None:
        await asyncio.sleep(0)

    payload = Memory(5 * BLOCK, waits=no_disk)

    async def sending() -> None:
        connection = Connection("http://127.0.0.1/", Peer(), Given(Watched(is_secure=True)))
        connection._throttle = Yielding()
        assert (await sent_over(connection, payload)).whole

    asyncio.run(sending())
    assert payload.reads == [(number * BLOCK, BLOCK) for number in range(5)]
    # The head went first; when block number n is handed over, n + 1 blocks have been asked for, and
    # no further one.
    assert seen == [(number, min(number + 1, 5)) for number in range(1, 6)]


class Yielding:
    """A throttle that lets others have a turn, and nothing else."""

    def block(self) -> int:
        return BLOCK

    async def take(self, size: int) -> None:  # noqa: ARG002 - any
        await asyncio.sleep(0)
        await asyncio.sleep(0)


# Real sockets.


def test_a_connection_is_registered_with_the_loop_once(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = runner.get_loop()
    added: list[int] = []
    add_reader = loop.add_reader

    def counting(descriptor: int, *rest: object) -> None:
        added.append(descriptor)
        add_reader(descriptor, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "add_reader", counting)

    async def sending(server: Server) -> None:
        connection = Connection(server.url, Peer(), SocketNetwork(Threads()))
        await connection.reach()
        assert isinstance(connection._wire, SocketWire)
        descriptor = connection._wire._descriptor
        calls: list[str] = []
        for name in ("send_all", "recv"):
            monkeypatch.setattr(
                connection._wire, name, noting(calls, name, getattr(connection._wire, name))
            )
        for _ in range(10):
            assert (await sent_over(connection, Memory(30_000, bytes(30_000)))).answer
        assert [number for number in added if number == descriptor] == [descriptor]
        assert calls == ["send_all", "recv"] * 10
        connection.close()

    with Server([*TAKEN] * 10) as server:
        runner.run(sending(server))


def noting(calls: list[str], name: str, call: Callable[..., object]) -> Callable[..., object]:
    def noted(*args: object) -> object:
        calls.append(name)
        return call(*args)

    return noted


def test_what_comes_unasked_is_remembered_and_watched_no_more(runner: asyncio.Runner) -> None:
    async def sending(server: Server) -> None:
        connection = Connection(server.url, Peer(), SocketNetwork(Threads()))
        await sent_over(connection, Memory(10))
        wire = connection._wire
        assert isinstance(wire, SocketWire)
        selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
        assert wire._descriptor in selector.get_map()
        server.told.set()
        async with asyncio.timeout(PATIENCE):
            while wire._descriptor in selector.get_map():
                await asyncio.sleep(0.001)
        assert wire.has_spoken()
        assert (await sent_over(connection, Memory(10))).answer
        assert connection._wire is not wire
        connection.close()

    with Server([*TAKEN, stall, send(b"HTTP/1.1 408 Too Late\r\n\r\n"), stall], TAKEN) as server:
        runner.run(sending(server))


def test_what_came_unasked_ends_the_next_wait_at_once(runner: asyncio.Runner) -> None:
    async def waiting(server: Server) -> None:
        network = SocketNetwork(Threads())
        wire = await network.connect("127.0.0.1", server.port, context=None, proxy=None)
        assert not await wire.wait(writing=False, seconds=0.001)
        server.told.set()
        async with asyncio.timeout(PATIENCE):
            while not wire._has_come:
                await asyncio.sleep(0.001)
            assert await wire.wait(writing=False, seconds=2 * PATIENCE)
        assert wire.recv(10) == b"late"
        with pytest.raises(BlockingIOError):
            wire.recv(10)
        assert not wire.has_spoken()
        assert not await wire.wait(writing=False, seconds=0.001)
        wire.close()

    with Server([stall, send(b"late"), stall_again]) as server:
        runner.run(waiting(server))


def stall_again(line: object) -> None:
    server = line.server  # type: ignore[attr-defined]
    server.told.clear()
    stall(line)  # type: ignore[arg-type]


def test_what_tls_has_read_ahead_is_not_waited_for(
    runner: asyncio.Runner, tls: ssl.SSLContext, ca_file: Path
) -> None:
    async def waiting(server: Server) -> None:
        context = tls_context(str(ca_file))
        wire = await SocketNetwork(Threads()).connect(
            "127.0.0.1", server.port, context=context, proxy=None
        )
        async with asyncio.timeout(PATIENCE):
            data = b""
            while not data:
                assert await wire.wait(writing=False, seconds=2 * PATIENCE)
                with contextlib.suppress(ssl.SSLWantReadError):  # it was a ticket
                    data = wire.recv(1)
            assert wire.has_spoken()
            assert await wire.wait(writing=False, seconds=2 * PATIENCE)
        assert data + wire.recv(100) == b"one record"
        wire.close()

    with Server([send(b"one record"), stall], tls=tls) as server:
        runner.run(waiting(server))


def test_closing_a_wire_ends_a_wait_and_leaves_nothing_behind(runner: asyncio.Runner) -> None:
    async def waiting(server: Server) -> None:
        wire = await SocketNetwork(Threads()).connect(
            "127.0.0.1", server.port, context=None, proxy=None
        )
        selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
        for writing in (False, True):
            if writing:
                fill(wire)
            waits = asyncio.create_task(wire.wait(writing=writing, seconds=2 * PATIENCE))
            await asyncio.sleep(0)
            if not writing:
                waits.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waits
        descriptor = wire._descriptor
        wire.close()
        assert descriptor not in selector.get_map()
        assert await asyncio.wait_for(waits, PATIENCE)
        with pytest.raises(OSError, match="descriptor"):
            wire.recv(1)

    with Server([stall]) as server:
        runner.run(waiting(server))


def fill(wire: SocketWire) -> None:
    with pytest.raises(BlockingIOError):
        while True:
            wire.send(bytes(BLOCK))


def test_a_wait_has_an_end_also_after_a_shorter_and_a_longer_one(runner: asyncio.Runner) -> None:
    """One timer serves them all."""

    async def waiting(server: Server) -> None:
        wire = await SocketNetwork(Threads()).connect(
            "127.0.0.1", server.port, context=None, proxy=None
        )
        loop = asyncio.get_running_loop()
        for seconds in (0.001, 2 * PATIENCE, 0.002, 0.001):
            start = loop.time()
            waits = asyncio.create_task(wire.wait(writing=False, seconds=seconds))
            await asyncio.wait([waits], timeout=PATIENCE if seconds < 1 else 0.01)
            if seconds < 1:
                assert waits.result() is False
                assert loop.time() - start >= seconds
            else:
                assert not waits.done()
                waits.cancel()
                await asyncio.wait([waits])
        short = asyncio.create_task(wire.wait(writing=False, seconds=0.005))
        await asyncio.sleep(0)
        short.cancel()
        await asyncio.wait([short])
        longer = asyncio.create_task(wire.wait(writing=False, seconds=2 * PATIENCE))
        await asyncio.wait([longer], timeout=0.05)
        assert not longer.done(), "it rang for the wait before"
        longer.cancel()
        await asyncio.wait([longer])
        wire.close()

    with Server([stall]) as server:
        runner.run(waiting(server))


def test_a_meter_asks_how_much_has_left(runner: asyncio.Runner, tmp_path: Path) -> None:
    """While it is sent; what lies in the kernel's queue has not left."""
    photo = tmp_path / "photo"
    photo.touch()
    os.truncate(photo, 16 * BLOCK)
    meter = Meter()

    async def sending(server: Server) -> None:
        connection = Connection(server.url, Peer(), SocketNetwork(Threads()), None, KeepAlive())
        descriptor = os.open(photo, os.O_RDONLY)
        payload = FilePayload(descriptor, 16 * BLOCK)
        request = Request("POST", server.url, [])
        task = asyncio.create_task(connection.send(request, b"", payload, TAIL, meter, nothing))
        async with asyncio.timeout(PATIENCE):
            while not (wire := connection._wire) or not wire.unsent():
                await asyncio.sleep(0.001)
            before = meter.look()
            server.told.set()
            while meter.look() == before:
                await asyncio.sleep(0.001)
        meter.cut_now()
        assert (await task).fault is Fault.CUT
        moved = meter.moved
        assert before < moved < 16 * BLOCK
        assert meter.look() == moved
        os.close(descriptor)

    with Server([head, stall, body], window=64 << 10) as server:
        runner.run(sending(server))


@pytest.mark.parametrize("room", [True, False])
def test_nothing_ticks_while_an_answer_or_room_is_waited_for(room: bool) -> None:
    """What happens wakes it; only of bytes that leave nobody is told: these are looked at now and
    then."""

    class Slow(Endless):
        waits: list[tuple[bool, float]] = []  # noqa: RUF012

        def send(self, data: bytes | memoryview) -> int:
            if not room and not self.waits:
                raise BlockingIOError
            return super().send(data)

        async def wait(self, *, writing: bool, seconds: float) -> bool:
            self.waits.append((writing, seconds))
            return True

    async def sending() -> None:
        assert (
            await sent_over(
                Connection("http://127.0.0.1/", Peer(timeout=160), Given(Slow())), Memory(10)
            )
        ).answer

    Slow.waits.clear()
    asyncio.run(sending())
    assert Slow.waits == ([] if room else [(True, 10.0)]) + [(False, 10.0)]


def test_waiting_for_room_can_be_cut() -> None:
    class Full(Endless):
        def send(self, data: bytes | memoryview) -> int:  # noqa: ARG002
            raise BlockingIOError

        async def wait(self, *, writing: bool, seconds: float) -> bool:  # noqa: ARG002
            assert writing
            meter.cut_now()
            await asyncio.Event().wait()
            raise AssertionError

    meter = Meter()

    async def sending() -> Sent:
        connection = Connection("http://127.0.0.1/", Peer(), Given(Full()))
        request = Request("POST", "http://127.0.0.1/up", [])
        async with asyncio.timeout(PATIENCE):
            return await connection.send(request, b"", Memory(10), TAIL, meter, nothing)

    sent = asyncio.run(sending())
    assert (sent.fault, sent.whole, sent.bytes) == (Fault.CUT, False, 0)


def test_what_was_said_before_the_end_is_heard_before_the_journal_is_told() -> None:
    class Early(Endless):
        def has_spoken(self) -> bool:
            return bool(self.calls)

    async def tell() -> None:
        pytest.fail("its end was to be sent")

    async def sending() -> Sent:
        return await sent_over(
            Connection("http://127.0.0.1/", Peer(), Given(Early())), Memory(10), tell
        )

    sent = asyncio.run(sending())
    assert sent.answer
    assert (sent.answer.status, sent.early, sent.whole) == (201, True, False)


def test_a_connection_that_is_gone_has_something_to_say() -> None:
    gone = socket.socket()
    ear = ear_of(gone.fileno())
    gone.close()
    assert ear()


# The network.


class _Bound(socket.socket):
    """A socket that is bound to an address of one's choice, as far as it says."""

    own: tuple[object, ...] = ("127.0.0.1", 1)

    def getsockname(self) -> tuple[object, ...]:
        return self.own


@pytest.mark.parametrize(
    ("family", "own", "is_ours"),
    [
        (socket.AF_INET, ("127.0.0.1", 4711), True),
        (socket.AF_INET, ("192.0.2.77", 4711), False),
        (socket.AF_INET6, ("2001:db8::77", 4711, 0, 0), False),
    ],
)
def test_an_address_that_is_gone_is_seen(
    family: socket.AddressFamily, own: tuple[object, ...], is_ours: bool
) -> None:
    with contextlib.closing(_Bound(family)) as connection:
        connection.own = own
        assert has_address(connection) is is_ours


def test_a_connection_that_nobody_knows_about_has_its_address() -> None:
    closed = socket.socket()
    closed.close()
    assert has_address(closed)


def test_a_way_out_is_one_of_either_family(monkeypatch: pytest.MonkeyPatch) -> None:
    ways: set[int] = set()

    class Probe(socket.socket):
        def connect(self, _: object) -> None:
            if self.family not in ways:
                raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr(socket, "socket", Probe)
    assert not has_network()
    for family in (socket.AF_INET, socket.AF_INET6):
        ways = {family}
        assert has_network()
