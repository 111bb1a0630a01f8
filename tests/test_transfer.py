"""What albumup.transfer puts on the wire, and what it makes of servers that answer early, late,
badly, or never."""

from __future__ import annotations

import asyncio
import base64
import gzip
import http.client
import io
import os
import random
import re
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest
import trustme
from hypothesis import example, given
from hypothesis import strategies as st
from receiving import eventually
from servers import (
    PATIENCE,
    Line,
    Script,
    Server,
    Step,
    answer,
    body,
    close,
    drip,
    flood,
    head,
    interim,
    linger,
    page,
    read,
    reset,
    send,
    server_tls,
    stall,
    start_tls,
    tell,
    until_closed,
)

from albumup.errors import ConfigError
from albumup.helpers import Threads
from albumup.transfer import (
    BLOCK,
    MOST_ANSWER,
    Answer,
    Fault,
    Meter,
    Payload,
    Peer,
    Request,
    Sent,
    Throttle,
    Unreadable,
    kernel,
)
from albumup.transfer.answers import Incoming, Unsound
from albumup.transfer.connection import Connection
from albumup.transfer.http import Http
from albumup.transfer.payload import FilePayload
from albumup.transfer.wire import SocketNetwork, SocketWire

KIB, MIB = 1 << 10, 1 << 20
HEAD = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
TAIL = b"\r\n--b--\r\n"
HEADERS = (("Authorization", "Bearer sesame"), ("Content-Type", "multipart/form-data; boundary=b"))
SHORT = 0.5
"""Seconds of silence in tests that are about silence."""
BIG = 16 * MIB
"""More than all socket buffers on the way hold together."""
WINDOW = 64 * KIB

Serve = Callable[..., Server]
T = TypeVar("T")


@dataclass(frozen=True)
class Photo:
    """A body to send: a file, and what stands around it."""

    path: Path
    size: int
    head: bytes = HEAD
    tail: bytes = TAIL

    @property
    def whole(self) -> bytes:
        return self.head + self.path.read_bytes() + self.tail


@dataclass
class Client:
    """A connection to a server, the loop that it lives in, and what is sent over it."""

    server: Server
    connection: Connection
    photo: Photo
    meter: Meter
    runner: asyncio.Runner

    @property
    def socket(self) -> socket.socket:
        assert isinstance(self.connection._wire, SocketWire)
        return self.connection._wire.socket

    def takes_at_once(self, size: int) -> bool:
        return self.run(self.connection.takes_at_once(size))

    def run(self, awaited: Coroutine[object, object, T]) -> T:
        return self.runner.run(awaited)

    def send(
        self,
        before_last: Callable[[], object] = lambda: None,
        headers: Sequence[tuple[str, str]] = HEADERS,
        taken_back: Callable[[], None] = lambda: None,
    ) -> Sent:
        return self.run(self.sending(before_last, headers, taken_back))

    async def sending(
        self,
        before_last: Callable[[], object] = lambda: None,
        headers: Sequence[tuple[str, str]] = HEADERS,
        taken_back: Callable[[], None] = lambda: None,
        awaited: Callable[[], Awaitable[None]] | None = None,
    ) -> Sent:
        async def do_before_last() -> None:
            before_last()
            if awaited is not None:
                await awaited()

        self.meter.moved, self.meter.whole = 0, False
        request = Request("POST", self.server.url + "/up?x=1", headers)
        photo, connection = self.photo, self.connection
        descriptor = os.open(photo.path, os.O_RDONLY)
        payload = self.payload(descriptor, photo.size)
        try:
            at_once = await connection.takes_at_once(len(photo.head) + photo.size + len(photo.tail))
            sending = (request, photo.head, payload, photo.tail, self.meter, do_before_last)
            return await connection.send(*sending, at_once=at_once, taken_back=taken_back)
        finally:
            os.close(descriptor)

    payload: Callable[[int, int], Payload] = FilePayload


@pytest.fixture(params=["http", pytest.param("https", marks=pytest.mark.long)])
def serve(request: pytest.FixtureRequest, tls: ssl.SSLContext) -> Iterator[Serve]:
    """Start servers, with TLS and without."""
    started: list[Server] = []

    def start(*scripts: Script, window: int = 0) -> Server:
        started.append(
            Server(*scripts, tls=tls if request.param == "https" else None, window=window)
        )
        return started[-1]

    yield start
    for server in started:
        server.close()
        assert not server.trouble


@pytest.fixture
def connect(tmp_path: Path, ca_file: Path) -> Iterator[Callable[..., Client]]:
    """A client of a server, with a photo of random bytes, or a big one full of zeros that costs no
    disk."""
    connections: list[Connection] = []
    runner = asyncio.Runner()

    def start(
        server: Server,
        size: int = 1000,
        *,
        head: bytes = HEAD,
        tail: bytes = TAIL,
        timeout: float = PATIENCE,
        throttle: Throttle | None = None,
    ) -> Client:
        path = tmp_path / "photo"
        if size >= BIG:
            path.touch()
            os.truncate(path, size)
        else:
            path.write_bytes(random.Random(size).randbytes(size))

        async def make() -> Connection:
            return Connection(
                server.url, Peer(timeout, str(ca_file)), SocketNetwork(Threads()), throttle
            )

        connection = runner.run(make())
        connections.append(connection)
        return Client(server, connection, Photo(path, size, head, tail), Meter(), runner)

    with runner:
        yield start
        for connection in connections:
            connection.close()


TAKEN: Script = (head, body, answer(201, b"{}"))


# The bytes.

SIZES = [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, MIB - 1, MIB, MIB + 1, 5 * MIB]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("before", "after"), [(HEAD, TAIL), (b"", b"")], ids=["form", "raw"])
def test_the_body_is_head_payload_and_tail(
    serve: Serve, connect: Callable[..., Client], size: int, before: bytes, after: bytes
) -> None:
    client = connect(serve([*TAKEN, until_closed]), size, head=before, tail=after)
    sent = client.send()
    client.connection.close()
    line = client.server.line()
    assert line.head is not None
    assert line.seen == line.head.raw + client.photo.whole
    assert line.head.headers["content-length"] == str(len(client.photo.whole))
    assert sent.answer is not None
    assert (sent.answer.status, sent.whole, sent.bytes) == (201, True, len(line.seen))


def test_the_head_is_plain_and_complete(serve: Serve, connect: Callable[..., Client]) -> None:
    client = connect(serve([*TAKEN]))
    client.send()
    found = client.server.line().head
    assert found is not None
    assert (found.method, found.target) == ("POST", "/up?x=1")
    assert found.lines[0] == ("Host", f"127.0.0.1:{client.server.port}")
    assert found.lines[-2:] == HEADERS
    names = [name.lower() for name, _ in found.lines]
    assert len(names) == len(set(names))
    assert {"content-length", "user-agent", "accept"} <= set(names)
    assert not {"expect", "transfer-encoding", "cookie", "connection"} & set(names)
    assert found.headers["accept-encoding"] == "identity"


def test_the_answer_is_handed_over_as_it_came(serve: Serve, connect: Callable[..., Client]) -> None:
    client = connect(serve([head, body, answer(201, {"id": 7}, [("X-Said", "yes")])]))
    sent = client.send()
    assert sent.answer is not None
    assert sent.fault is None
    assert (sent.answer.status, sent.answer.body, sent.answer.complete) == (201, b'{"id": 7}', True)
    assert sent.answer.headers["x-said"] == "yes"
    assert not sent.answer.is_page


@pytest.mark.parametrize(
    "said",
    [
        page(),
        answer(200, b"  \n<!doctype HTML><p>", mime="text/plain"),
        answer(200, b"x", mime="Text/HTML ; a=b"),
    ],
    ids=["portal", "by its first bytes", "by its type"],
)
def test_a_page_is_known_as_one(connect: Callable[..., Client], said: Step) -> None:
    with Server([head, body, said]) as server:
        sent = connect(server).send()
    assert sent.answer is not None
    assert sent.answer.is_page


def test_a_rate_limit_is_asked_for_every_byte(serve: Serve, connect: Callable[..., Client]) -> None:
    class Limit:
        taken: list[int] = []  # noqa: RUF012

        def block(self) -> int:
            return 10_000

        async def take(self, size: int) -> None:
            self.taken.append(size)

    client = connect(serve([*TAKEN]), MIB, throttle=Limit())
    client.send()
    assert sum(Limit.taken) >= len(client.server.line().seen)
    assert max(Limit.taken) <= 10_000


# One connection after the other.


def test_a_connection_serves_photo_after_photo(
    serve: Serve, connect: Callable[..., Client]
) -> None:
    client = connect(serve([*TAKEN, *TAKEN, *TAKEN]))
    assert [client.send().answer is not None for _ in range(3)] == [True] * 3
    assert client.server.connections == 1


def test_an_idle_connection_is_dropped_before_the_server_may(
    serve: Serve, connect: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect(serve([*TAKEN, *TAKEN]))
    client.send()
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() + 2.1)
    assert client.send().answer is not None
    assert client.server.connections == 2


def test_a_connection_that_the_server_closed_is_replaced(
    serve: Serve, connect: Callable[..., Client]
) -> None:
    client = connect(serve([*TAKEN]))
    client.send()
    client.server.line()
    assert client.send().answer is not None
    assert client.server.connections == 2


@pytest.mark.parametrize(
    "said",
    [
        answer(200, b"{}", [("Connection", "close")]),
        send(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
        send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 500 And\r\n\r\n"),
        answer(200, b"x" * (MOST_ANSWER + 1)),
    ],
    ids=["it says close", "HTTP/1.0", "it says more", "more than was read"],
)
def test_a_connection_is_not_used_again_when(connect: Callable[..., Client], said: Step) -> None:
    with Server([head, body, said, *TAKEN], TAKEN) as server:
        client = connect(server)
        assert client.send().answer is not None
        sent = client.send()
        assert sent.answer is not None
        assert sent.answer.status == 201
        assert server.connections == 2


# Answers before the body's end.


@pytest.mark.parametrize("then", [close, stall, linger])
def test_an_early_refusal_is_read(serve: Serve, connect: Callable[..., Client], then: Step) -> None:
    client = connect(
        serve([head, read(16 * KIB), answer(413, {"error": "too large"}), then], window=WINDOW), BIG
    )
    sent = client.send()
    assert sent.answer is not None
    assert (sent.answer.status, sent.answer.body, sent.whole) == (
        413,
        b'{"error": "too large"}',
        False,
    )


@pytest.mark.parametrize("then", [close, stall, linger])
def test_an_early_success_is_no_whole_sending(
    serve: Serve, connect: Callable[..., Client], then: Step
) -> None:
    client = connect(
        serve([head, read(16 * KIB), answer(200, b"{}"), then], TAKEN, window=WINDOW), BIG
    )
    sent = client.send()
    assert sent.answer is not None
    assert (sent.answer.status, sent.whole, client.meter.whole) == (200, False, False)
    assert sent.bytes < BIG
    client.send()
    assert client.server.connections == 2


def test_an_answer_that_comes_before_the_end_is_sent_is_early(
    serve: Serve, connect: Callable[..., Client]
) -> None:
    answered = threading.Event()
    client = connect(serve([head, answer(200), tell(answered), until_closed]))
    sent = client.send(before_last=lambda: answered.wait(PATIENCE))
    assert sent.answer is not None
    assert (sent.answer.status, sent.whole) == (200, False)
    line = client.server.line()
    assert line.head is not None
    assert line.seen == line.head.raw + client.photo.whole[: -len(TAIL)]


# Interim answers.


def test_interim_answers_are_never_the_answer(serve: Serve, connect: Callable[..., Client]) -> None:
    # More than the buffers hold is read between the halves of one, so that the client has seen the
    # first by itself.
    script = [
        head, interim(100), interim(103), read(16 * KIB), interim(102), send(b"HTTP/1."),
        read(8 * MIB), send(b"1 104 Upload Resumption Supported\r\nUpload-Offset: 5\r\n\r\n"), body,
        interim(102), interim(104), answer(201, b"{}"),
    ]  # fmt: skip
    client = connect(serve(script, window=WINDOW), BIG)
    sent = client.send()
    assert sent.answer is not None
    assert (sent.answer.status, sent.answer.body, sent.whole) == (201, b"{}", True)


WAIT = b"HTTP/1.1 102 Wait\r\n\r\n"


def test_endless_interim_answers_are_a_lost_answer(
    serve: Serve, connect: Callable[..., Client]
) -> None:
    sent = connect(serve([head, body, flood(WAIT * 50)])).send()
    assert (sent.answer, sent.fault, sent.whole) == (None, Fault.LOST, True)


@pytest.mark.timeout(30)
def test_endless_interim_answers_in_the_middle_end_it(
    serve: Serve, connect: Callable[..., Client]
) -> None:
    # Not by silence: their number alone ends it.
    sent = connect(serve([head, flood(WAIT * 50)], window=WINDOW), BIG).send()
    assert (sent.answer, sent.fault, sent.whole) == (None, Fault.BROKEN, False)


@pytest.mark.timeout(30)
def test_dripping_interim_answers_do_not_hide_that_nothing_moves(
    connect: Callable[..., Client],
) -> None:
    with Server([head, drip(WAIT * 1000, 0.01)], window=WINDOW) as server:
        sent = connect(server, BIG, timeout=SHORT).send()
    assert (sent.answer, sent.fault, sent.whole) == (None, Fault.BROKEN, False)


# Answers that are none, or too much.

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "said",
    [
        [close],
        [reset],
        [stall],
        [send(b"\x16\x03\x01\x02\x00\x01SSH-2.0-nobody\r\n\x00\xff\xfe"), stall],
        [send(b"HTTP/1.1 200 OK\r\nContent-"), close],
        [send(OK + b"Content-Length: 100\r\n\r\n{"), stall],
        [drip(OK + b"X: " + b"x" * 1000)],
        [drip(OK + b"Content-Length: 1000\r\n\r\n" + b"x" * 1000)],
        [flood(b"X: y\r\n")],
        [send(OK), flood(b"X: y\r\n")],
        [send(OK + b"X: "), flood(b"x" * 1000)],
    ],
    ids=[
        *("closed", "reset", "silence", "garbage", "half a head", "silence in the answer"),
        *("dripping head", "dripping body", "no head", "endless head", "endless line"),
    ],
)
def test_an_answer_is_lost(serve: Serve, connect: Callable[..., Client], said: Script) -> None:
    client = connect(serve([head, body, *said]), timeout=SHORT)
    sent = client.send()
    assert (sent.answer, sent.fault, sent.whole) == (None, Fault.LOST, True)
    assert sent.detail


@pytest.mark.parametrize(
    "said",
    [
        [send(OK + b"Content-Length: 100\r\n\r\n{}"), close],
        [answer(200, b"x" * (MOST_ANSWER + 1))],
        [send(OK + b"Content-Length: 99999999999\r\n\r\n"), flood(b"x" * 1000)],
        [send(OK + b"\r\n"), flood(b"x" * 1000)],
        [
            send(OK + b"Transfer-Encoding: chunked\r\n\r\n"),
            flood(b"3e8\r\n" + b"x" * 1000 + b"\r\n"),
        ],
        [send(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"), close],
        [send(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nnonsense\r\n"), stall],
    ],
    ids=[
        "cut", "too long", "endless", "endless without length", "endless chunks", "cut chunks",
        "bad chunks",
    ],
)  # fmt: skip
def test_an_answer_that_is_not_whole_says_so(
    serve: Serve, connect: Callable[..., Client], said: Script
) -> None:
    client = connect(serve([head, body, *said], TAKEN))
    sent = client.send()
    assert sent.answer is not None
    assert (sent.answer.status, sent.answer.complete, sent.whole) == (200, False, True)
    assert len(sent.answer.body) <= MOST_ANSWER
    client.send()
    assert client.server.connections == 2


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 2\r\nContent-Length: 2",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked",
        b"X: a\r\n b",
    ],
    ids=["two lengths", "length and chunks", "a folded line"],
)
def test_an_answer_against_the_rules_is_lost_and_says_so(
    connect: Callable[..., Client], lines: bytes
) -> None:
    """Stricter than http.client on purpose: the photo may be there, and the reason in the journal
    says why in doubt."""
    with Server([head, body, send(OK + lines + b"\r\n\r\n{}"), until_closed]) as server:
        sent = connect(server).send()
    assert (sent.answer, sent.fault, sent.whole) == (None, Fault.LOST, True)
    assert sent.detail.startswith("the answer breaks the rules of HTTP: ")


def test_a_reset_within_an_answer_is_no_success(
    serve: Serve, connect: Callable[..., Client]
) -> None:
    sent = connect(serve([head, body, send(OK + b"Content-Length: 100\r\n\r\n{"), reset])).send()
    assert sent.whole
    assert sent.fault is Fault.LOST or (sent.answer is not None and not sent.answer.complete)


def test_a_chunked_answer_is_whole(connect: Callable[..., Client]) -> None:
    with Server(
        [head, body, send(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")]
    ) as server:
        sent = connect(server).send()
    assert sent.answer is not None
    assert (sent.answer.body, sent.answer.complete) == (b"{}", True)


@pytest.mark.parametrize(
    "then",
    [
        [reset],
        [close],
        [stall],
        [send(b"SSH-2.0-nobody\r\n"), stall],
        [send(b"HTTP/1.1 200 OK\r\nContent-"), close],
    ],
    ids=["reset", "closed", "silence", "garbage", "half a head"],
)
def test_a_line_that_breaks_in_the_middle(
    serve: Serve, connect: Callable[..., Client], then: Script
) -> None:
    sent = connect(serve([head, read(16 * KIB), *then], window=WINDOW), BIG, timeout=SHORT).send()
    assert (sent.answer, sent.fault, sent.whole) == (None, Fault.BROKEN, False)
    assert sent.bytes < BIG


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_never_followed(
    serve: Serve, connect: Callable[..., Client], ca_file: Path, status: int
) -> None:
    elsewhere = serve([*TAKEN])
    moved = answer(status, b"", [("Location", elsewhere.url)])
    server = serve([head, body, moved])
    sent = connect(server).send()
    asked = Http(Peer(PATIENCE, str(ca_file)), HEADERS).call("GET", server.url)
    assert sent.answer is not None
    assert asked.answer is not None
    assert (sent.answer.status, asked.answer.status) == (status, status)
    assert sent.answer.headers["location"] == elsewhere.url
    assert elsewhere.connections == 0


def test_a_redirect_to_what_is_no_text_is_an_answer_too(serve: Serve, ca_file: Path) -> None:
    lines = b"HTTP/1.1 301 Moved\r\nLocation: http://x.example/\x9b\r\nContent-Length: 0\r\n\r\n"
    asked = Http(Peer(PATIENCE, str(ca_file)), []).call(
        "GET", serve([head, lambda line: line.send(lines)]).url
    )
    assert asked.answer is not None
    assert asked.answer.status == 301


# The last byte.


class Withheld(Exception):
    """Raised before the last byte."""


@pytest.mark.parametrize("size", [1, 64 * KIB, MIB, 3 * MIB])
@pytest.mark.parametrize("tail", [TAIL, b""], ids=["form", "raw"])
def test_nothing_of_the_end_leaves_before_it_is_said_to(
    serve: Serve, connect: Callable[..., Client], size: int, tail: bytes
) -> None:
    client = connect(serve([head, until_closed]), size, tail=tail)
    before = client.photo.whole[: -(len(tail) or min(size, BLOCK))]

    def withhold() -> None:
        """Only when all that may come has come: what a reset takes with it must not hide what was
        sent too early."""
        line = client.server.line(ended=False)
        eventually(
            lambda: line.head is not None and len(line.seen) >= len(line.head.raw) + len(before)
        )
        raise Withheld

    with pytest.raises(Withheld):
        client.send(withhold)
    line = client.server.line()
    assert line.head is not None
    assert line.seen == line.head.raw + before
    assert not client.meter.whole


def test_a_small_body_leaves_in_one_go_once_it_may(
    serve: Serve, connect: Callable[..., Client]
) -> None:
    """On a connection that is there; and nothing of it before."""
    client = connect(serve([*TAKEN, *TAKEN]))
    size = len(client.photo.whole)
    assert not client.takes_at_once(size), "there is no connection yet"
    client.send()
    first = bytes(client.server.line(ended=False).seen)
    assert client.takes_at_once(size)
    seen: list[bytes] = []
    assert client.send(lambda: seen.append(bytes(client.server.line(ended=False).seen))).whole
    assert seen == [first]
    line = client.server.line(ended=False)
    assert line.head is not None
    assert line.seen == first + line.head.raw + client.photo.whole


@pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="a thing of Linux")
def test_nothing_is_held_back_once_the_payload_has_gone(
    serve: Serve, connect: Callable[..., Client]
) -> None:
    client = connect(serve([*TAKEN]), 3 * MIB)
    corked: list[int] = []

    def look() -> None:
        corked.append(client.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK))

    assert client.send(look).answer is not None
    assert corked == [0]


def test_what_the_kernel_would_not_take_at_once_does_not_go_at_once(
    serve: Serve, connect: Callable[..., Client]
) -> None:
    client = connect(serve([*TAKEN, *TAKEN]))
    client.send()
    assert not client.takes_at_once(BLOCK)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * KIB)
    assert client.takes_at_once(KIB)
    assert not client.takes_at_once(30 * KIB)


def test_with_a_rate_limit_nothing_goes_at_once(
    serve: Serve, connect: Callable[..., Client]
) -> None:
    class Limit:
        def block(self) -> int:
            return 100_000

        async def take(self, size: int) -> None: ...

    client = connect(serve([*TAKEN, *TAKEN]), throttle=Limit())
    client.send()
    assert not client.takes_at_once(10)


# A kept connection, and what may be told of it.


@dataclass
class Told:
    """How often it was said that a body's end leaves, and that it was not taken after all."""

    ends: int = 0
    taken_back: int = 0

    def end(self) -> None:
        self.ends += 1

    def take_back(self) -> None:
        self.taken_back += 1


@pytest.mark.parametrize("end", [close, reset])
def test_what_a_server_closed_just_before_goes_again_on_a_fresh_connection(
    serve: Serve, connect: Callable[..., Client], end: Step
) -> None:
    client = connect(serve([*TAKEN, stall, end], TAKEN))
    client.send()
    told = Told()

    def closed() -> None:
        told.end()
        client.server.told.set()
        client.server.line()

    sent = client.send(closed, taken_back=told.take_back)
    assert sent.answer is not None
    assert (sent.answer.status, sent.whole, sent.used) == (201, True, False)
    assert (told.ends, told.taken_back) == (2, 1)
    line = client.server.line(1, ended=False)
    assert line.head is not None
    assert line.seen == line.head.raw + client.photo.whole


async def wants_to_keep(client: Client) -> bool:
    return client.connection._keep_alive.is_wanted(client.connection._time())


def test_nothing_is_kept_where_a_kept_connection_was_lost(
    serve: Serve, connect: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect(serve([*TAKEN, stall, close], TAKEN))
    client.send()
    client.send(lambda: (client.server.told.set(), client.server.line()))
    assert [client.send().answer is not None for _ in range(3)] == [True] * 3
    assert client.server.connections == 5
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() + 3601)
    client.send()
    assert client.run(wants_to_keep(client))


def test_a_server_that_has_read_all_and_resets_may_have_taken_it(
    serve: Serve, connect: Callable[..., Client]
) -> None:
    """A reset brings no acknowledgement: nothing is to be concluded from there being none."""
    client = connect(serve([*TAKEN, head, body, reset], TAKEN))
    client.send()
    sent = client.send()
    assert (sent.answer, sent.fault, sent.whole) == (None, Fault.LOST, True)
    assert client.server.connections == 1
    assert not client.run(wants_to_keep(client))


def test_a_server_that_keeps_none_and_does_not_say_so_is_found_out(
    connect: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("albumup.transfer.connection._PROBATION_SECONDS", PATIENCE)
    monkeypatch.setattr("albumup.transfer.connection.IDLE_SECONDS", 2 * PATIENCE)
    with Server([*TAKEN, close]) as server:
        client = connect(server)
        told = Told()
        assert all(client.send(told.end, taken_back=told.take_back).answer for _ in range(5))
        assert (told.ends, told.taken_back) == (5, 0)
        assert server.connections == 5


@pytest.mark.parametrize("status", [200, 401, 409, 413])
@pytest.mark.parametrize("then", [close, stall])
def test_what_may_be_a_late_answer_to_the_photo_before_is_not_believed(
    serve: Serve, connect: Callable[..., Client], status: int, then: Step
) -> None:
    client = connect(
        serve([*TAKEN, head, read(16 * KIB), answer(status), then], TAKEN, window=WINDOW), BIG
    )
    client.send()
    sent = client.send()
    assert sent.answer is not None
    assert (sent.answer.status, sent.early) == (201, False)
    assert client.server.connections == 2
    assert not client.run(wants_to_keep(client))


FITS = 400 * KIB
"""More than a window, less than our kernel takes."""


@pytest.mark.parametrize("used", [False, True])
def test_an_answer_before_all_is_acknowledged_is_early(
    serve: Serve, connect: Callable[..., Client], used: bool
) -> None:
    before = TAKEN if used else []

    def handed(_: Line) -> None:
        eventually(lambda: client.meter.whole)

    client = connect(
        serve([*before, head, handed, answer(200, b"{}"), stall], TAKEN, window=WINDOW), FITS
    )
    if used:
        client.send()
    sent = client.send()
    assert sent.answer is not None
    assert (sent.answer.status, sent.early, sent.used) == (200, True, used)
    client.send()
    assert client.server.connections == 2, "it was used again"


@pytest.mark.parametrize("status", [200, 500])
def test_after_an_early_no_the_rest_does_not_arrive_after_all(
    serve: Serve, connect: Callable[..., Client], status: int
) -> None:
    """It was handed to our kernel whole, and would; after an early yes it may as well."""

    def handed(_: Line) -> None:
        eventually(lambda: client.meter.whole)

    def is_over(_: Line) -> None:
        eventually(lambda: client.connection._wire is None)

    script = [head, handed, answer(status, b"{}"), is_over, until_closed]
    client = connect(serve(script, window=WINDOW), FITS)
    sent = client.send()
    assert (sent.whole, sent.early) == (True, True)
    line = client.server.line()
    assert line.head is not None
    assert (line.seen == line.head.raw + client.photo.whole) is (status == 200)


@pytest.mark.parametrize("size", [0, 1000, 60 * KIB, FITS, 5 * MIB])
def test_an_honest_answer_is_never_early(
    serve: Serve, connect: Callable[..., Client], size: int
) -> None:
    client = connect(serve([*TAKEN] * 11, window=WINDOW), size)
    assert not any(client.send().early for _ in range(10))
    assert client.server.connections == 1


UNREAD = b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n"


def test_a_server_that_closes_only_once_it_has_read_on_is_told_the_end(
    serve: Serve, connect: Callable[..., Client]
) -> None:
    client = connect(
        serve([head, read(16 * KIB), send(UNREAD + b'{"a": 1}'), until_closed], window=WINDOW), BIG
    )
    sent = client.send()
    assert sent.answer is not None
    assert (sent.answer.status, sent.answer.body) == (413, b'{"a": 1}')
    assert sent.answer.complete or client.server.url.startswith("https:"), (
        "half a record is an error there"
    )
    assert (sent.early, sent.whole) == (True, False)


@pytest.mark.long
@pytest.mark.parametrize(
    "said", [UNREAD + b'{"a"', UNREAD.replace(b"Con", b"Content-Length: 99\r\nCon", 1) + b'{"a"']
)
def test_the_status_of_an_early_answer_without_an_end_counts(
    serve: Serve, connect: Callable[..., Client], said: bytes
) -> None:
    client = connect(
        serve([head, read(16 * KIB), send(said), stall], window=WINDOW), BIG, timeout=SHORT
    )
    sent = client.send()
    assert sent.answer is not None
    assert (sent.answer.status, sent.answer.body, sent.answer.complete) == (413, b'{"a"', False)


def test_an_early_answer_that_cannot_be_read_says_so(
    serve: Serve, connect: Callable[..., Client]
) -> None:
    client = connect(
        serve([head, read(16 * KIB), send(b"HTTP/1.1 413"), close], window=WINDOW), BIG
    )
    sent = client.send()
    assert (sent.answer, sent.fault, sent.whole) == (None, Fault.BROKEN, False)
    assert sent.detail


def test_a_withheld_end_costs_the_connection(serve: Serve, connect: Callable[..., Client]) -> None:
    def withhold() -> None:
        raise Withheld

    client = connect(serve([head, until_closed], TAKEN))
    with pytest.raises(Withheld):
        client.send(withhold)
    assert client.send().answer is not None
    assert client.server.connections == 2


@pytest.mark.parametrize("size", [30 * KIB, BIG])
def test_a_file_that_shrinks_while_it_is_sent_is_unreadable(
    serve: Serve, connect: Callable[..., Client], size: int
) -> None:
    def shrink(_: Line) -> None:
        os.truncate(client.photo.path, 10 * KIB)

    if size == BIG:
        script: Script = [head, read(16 * KIB), shrink, until_closed]
    else:
        script = [head, until_closed]
    client = connect(serve(script, window=WINDOW), size)
    if size < BIG:
        shrink(None)  # type: ignore[arg-type]
    with pytest.raises(Unreadable):
        client.send(before_last=lambda: pytest.fail("its end was to be sent"))
    assert not client.meter.whole
    assert not client.connection._wire


# Cutting.


FOR_EVER = 1e6
"""Seconds of silence: nothing is looked at again for most of a day unless something happens."""


@pytest.mark.parametrize(
    "script", [[stall], [read(16 * KIB), stall]], ids=["at once", "in the middle"]
)
def test_a_sending_that_is_stuck_can_be_cut(
    serve: Serve, connect: Callable[..., Client], script: Script
) -> None:
    stuck = threading.Event()
    server = serve([head, *script[:-1], tell(stuck), stall], window=WINDOW)
    sent = _cut_when(stuck.wait, connect(server, BIG, timeout=FOR_EVER))
    assert (sent.answer, sent.fault, sent.whole) == (None, Fault.CUT, False)


def test_waiting_for_an_answer_can_be_cut(serve: Serve, connect: Callable[..., Client]) -> None:
    stuck = threading.Event()
    sent = _cut_when(stuck.wait, connect(serve([head, body, tell(stuck), stall]), timeout=FOR_EVER))
    assert (sent.answer, sent.fault, sent.whole) == (None, Fault.CUT, True)


def test_an_answer_without_an_end_can_be_cut(serve: Serve, connect: Callable[..., Client]) -> None:
    stuck = threading.Event()
    said = send(OK + b"Content-Length: 100\r\n\r\n{")
    sent = _cut_when(
        stuck.wait, connect(serve([head, body, said, tell(stuck), stall]), timeout=FOR_EVER)
    )
    assert (sent.answer, sent.fault, sent.whole) == (None, Fault.CUT, True)


class Hanging:
    """Whatever is asked of it takes for ever; ``is_asked`` tells that it was."""

    content = None

    def __init__(self, descriptor: int = -1, size: int = 0) -> None:
        self.descriptor = descriptor
        self.size = size
        self.is_asked = threading.Event()

    async def hang(self) -> NoReturn:
        self.is_asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def is_at_hand(self, start: int, size: int) -> bool:  # noqa: ARG002 - as a payload has it
        return False

    async def read(self, start: int, size: int) -> NoReturn:  # noqa: ARG002
        await self.hang()

    def block(self) -> int:
        return 1000

    async def take(self, size: int) -> None:  # noqa: ARG002 - as a throttle has it
        await self.hang()

    async def connect(self, *_: object, **__: object) -> NoReturn:
        await self.hang()


@pytest.mark.parametrize("size", [1000, BIG])
def test_waiting_for_a_disk_can_be_cut(
    serve: Serve, connect: Callable[..., Client], size: int
) -> None:
    client = connect(serve([until_closed]), size)
    payload = Hanging(size=size)
    client.payload = lambda *_: payload
    sent = _cut_when(payload.is_asked.wait, client)
    assert (sent.answer, sent.fault, sent.whole) == (None, Fault.CUT, False)


def test_waiting_for_ones_turn_can_be_cut(serve: Serve, connect: Callable[..., Client]) -> None:
    throttle = Hanging()
    sent = _cut_when(throttle.is_asked.wait, connect(serve([until_closed]), throttle=throttle))
    assert (sent.answer, sent.fault, sent.whole) == (None, Fault.CUT, False)


def test_connecting_can_be_cut(serve: Serve, connect: Callable[..., Client]) -> None:
    client = connect(serve([until_closed]))
    network = client.connection._network = Hanging()
    sent = _cut_when(network.is_asked.wait, client)
    assert (sent.answer, sent.fault, sent.whole) == (None, Fault.CUT, False)


def test_what_was_cut_before_sends_nothing(serve: Serve, connect: Callable[..., Client]) -> None:
    client = connect(serve([until_closed]))
    client.meter.cut_now()
    sent = client.send(lambda: pytest.fail("its end was to be sent"))
    assert (sent.answer, sent.fault, sent.whole, sent.bytes) == (None, Fault.CUT, False, 0)


def test_a_cut_does_not_break_off_what_the_journal_is_told(
    serve: Serve, connect: Callable[..., Client]
) -> None:
    """It waits for that, and then sends no more."""
    client = connect(serve([*TAKEN, until_closed]))
    client.send()
    told: list[str] = []

    async def before_last() -> None:
        told.append("begun")
        client.meter.cut_now()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        told.append("done")

    sent = client.run(client.sending(awaited=before_last))
    assert told == ["begun", "done"]
    assert (sent.answer, sent.fault, sent.whole, sent.bytes) == (None, Fault.CUT, False, 0)


@pytest.mark.parametrize("order", [["cut", "cancel"], ["cancel", "cut"]])
def test_a_task_that_is_cancelled_and_cut_is_cancelled(
    serve: Serve, connect: Callable[..., Client], order: list[str]
) -> None:
    stuck = threading.Event()
    client = connect(serve([head, body, tell(stuck), stall]), timeout=FOR_EVER)

    async def both() -> None:
        sending = asyncio.create_task(client.sending())
        assert await asyncio.to_thread(stuck.wait, PATIENCE)
        for name in order:
            {"cut": client.meter.cut_now, "cancel": sending.cancel}[name]()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.shield(sending), PATIENCE)

    client.run(both())
    assert client.connection._wire is None


def _cut_when(is_stuck: Callable[[float], bool], client: Client) -> Sent:
    """What came of a sending that was cut while it waited; its task goes on as if nothing had
    been."""

    async def sending() -> Sent:
        sent = await client.sending()
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()
        await asyncio.sleep(0)
        return sent

    async def cut_when() -> Sent:
        task = asyncio.create_task(sending())
        assert await asyncio.to_thread(is_stuck, PATIENCE)
        client.meter.cut_now()
        client.meter.cut_now()
        return await asyncio.wait_for(task, PATIENCE)

    return client.run(cut_when())


# No connection.


async def connecting(url: str, peer: Peer) -> Sent | None:
    connection = Connection(url, peer, SocketNetwork(Threads()))
    try:
        return await connection.reach()
    finally:
        connection.close()


def reach(url: str, ca_file: Path | None = None) -> tuple[Fault | None, Fault | None]:
    """What the two ways to a server say of it."""
    peer = Peer(5.0, str(ca_file) if ca_file else None)
    unreached = asyncio.run(connecting(url, peer))
    assert unreached is None or unreached.detail
    return unreached.fault if unreached else None, Http(peer, []).call("GET", url).fault


def test_a_name_is_looked_up_anew_for_each_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The computer is in another network now, where the name has another address."""

    async def reached(connection: Connection) -> bool:
        found = await connection.reach()
        connection.close()
        return found is None

    def server_at(one: Server) -> Callable[..., object]:
        address = socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", one.port)
        return lambda *_, **__: [address]

    async def moved(first: Server, second: Server) -> None:
        connection = Connection("http://nas.lan/", Peer(5.0), SocketNetwork(Threads()))
        http = Http(Peer(5.0), [])
        for one in (first, second):
            monkeypatch.setattr(socket, "getaddrinfo", server_at(one))
            assert await reached(connection)
            sent = await asyncio.to_thread(http.call, "GET", "http://nas.lan/")
            assert sent.answer is not None
            assert one.connections == 2

    said = answer(200, {}, [("Connection", "close")])
    with Server([stall], [head, said]) as first, Server([stall], [head, said]) as second:
        asyncio.run(moved(first, second))


@pytest.fixture
def refused_port() -> int:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port: int = closed.getsockname()[1]
    return port


def resolving(number: int) -> Callable[..., object]:
    def getaddrinfo(*_: object, **__: object) -> object:
        raise socket.gaierror(number, "as the test wants it")

    return getaddrinfo


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_host_that_nobody_knows(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving(socket.EAI_NONAME))
    monkeypatch.setattr(kernel, "has_network", lambda: True)
    assert reach(f"{scheme}://photos.invalid/") == (Fault.UNKNOWN_HOST, Fault.UNKNOWN_HOST)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_without_a_network_no_host_is_unknown(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS says of any name then that nobody is called so."""
    monkeypatch.setattr(socket, "getaddrinfo", resolving(socket.EAI_NONAME))
    monkeypatch.setattr(kernel, "has_network", lambda: False)
    assert reach(f"{scheme}://photos.invalid/") == (Fault.NOT_REACHED, Fault.NOT_REACHED)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_name_server_is_no_unknown_host(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving(socket.EAI_AGAIN))
    assert reach(f"{scheme}://photos.invalid/") == (Fault.NOT_REACHED, Fault.NOT_REACHED)


def test_a_name_that_no_host_can_have() -> None:
    name = f"{'x' * 64}.test"  # a label has at most 63 letters
    unreached = asyncio.run(connecting(f"http://{name}/", Peer(5.0)))
    assert unreached is not None
    assert unreached.fault is Fault.NOT_REACHED
    assert unreached.detail == f"{name} cannot be the name of a host"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_port_where_nobody_listens(scheme: str, refused_port: int) -> None:
    assert reach(f"{scheme}://127.0.0.1:{refused_port}/") == (Fault.NOT_REACHED, Fault.NOT_REACHED)


GREET: Script = (head, body, answer(200))


def test_a_server_without_tls_is_not_reached_over_it(ca_file: Path) -> None:
    with Server([send(b"SSH-2.0-nobody\r\n"), until_closed]) as server:
        unreached = asyncio.run(
            connecting(server.url.replace("http", "https"), Peer(5.0, str(ca_file)))
        )
    assert unreached is not None
    assert (unreached.fault, unreached.detail) == (
        Fault.BAD_CERTIFICATE,
        "it does not speak TLS; is it http:// there?",
    )


def test_a_certificate_of_our_own_authority_is_trusted_by_ca_file(
    tls: ssl.SSLContext, ca_file: Path
) -> None:
    with Server([until_closed], GREET, tls=tls) as server:
        assert reach(server.url, ca_file) == (None, None)


def test_a_certificate_that_nobody_vouches_for(tls: ssl.SSLContext) -> None:
    with Server(GREET, tls=tls) as server:
        assert reach(server.url) == (Fault.BAD_CERTIFICATE, Fault.BAD_CERTIFICATE)
        assert server.ledger == []


def test_certificates_name_hosts_without_the_dot_at_their_end(
    authority: trustme.CA, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server([until_closed], tls=server_tls(authority, "photos.test")) as server:
        there = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", server.port))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [there])
        assert asyncio.run(connecting("https://photos.test./", Peer(5.0, str(ca_file)))) is None


def test_a_certificate_for_another_name(authority: trustme.CA, ca_file: Path) -> None:
    with Server(GREET, tls=server_tls(authority, "elsewhere.test")) as server:
        assert reach(server.url, ca_file) == (Fault.BAD_CERTIFICATE, Fault.BAD_CERTIFICATE)


def test_a_question_without_tls_loads_no_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_context(*_: object) -> NoReturn:
        raise AssertionError

    monkeypatch.setattr("albumup.transfer.connect.tls_context", no_context)
    with Server(GREET) as server:
        answered = Http(Peer(5.0), HEADERS).call("GET", server.url).answer
    assert answered is not None
    assert answered.status == 200


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_variables_of_curl_name_whom_to_trust(
    tls: ssl.SSLContext, ca_file: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(ca_file))
    with Server([until_closed], GREET, tls=tls) as server:
        assert reach(server.url) == (None, None)


def test_ca_file_wins_over_the_variables(
    tls: ssl.SSLContext, ca_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
    with Server([until_closed], GREET, tls=tls) as server:
        assert reach(server.url, ca_file) == (None, None)
        assert reach(server.url) == (Fault.BAD_CERTIFICATE, Fault.BAD_CERTIFICATE)


# Proxies.

PROXY_WORD = "Basic cHJveHk6d29yZA=="  # proxy:word


@pytest.fixture
def no_payload(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "empty"
    path.touch()
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def both_ways(url: str, ca_file: Path, descriptor: int) -> list[int | None]:
    """The statuses that a photo and another request get."""
    peer = Peer(5.0, str(ca_file))

    async def before_last() -> None: ...

    async def sending() -> Sent:
        connection = Connection(url, peer, SocketNetwork(Threads()))
        request, payload = Request("POST", url, HEADERS), FilePayload(descriptor, 0)
        try:
            return await connection.send(request, HEAD, payload, TAIL, Meter(), before_last)
        finally:
            connection.close()

    sent = asyncio.run(sending())
    asked = Http(peer, HEADERS).call("POST", url, json={})
    return [one.answer.status if one.answer else None for one in (sent, asked)]


def test_a_plain_proxy_is_told_the_whole_address(
    ca_file: Path, no_payload: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(GREET) as proxy:
        monkeypatch.setenv("http_proxy", f"http://proxy:word@127.0.0.1:{proxy.port}")
        assert both_ways("http://photos.test/up?x=1", ca_file, no_payload) == [200, 200]
        for number in range(2):
            found = proxy.line(number).head
            assert found is not None
            assert found.target == "http://photos.test/up?x=1"
            assert found.headers["host"] == "photos.test"
            assert found.headers["proxy-authorization"] == PROXY_WORD
            assert found.headers["authorization"] == "Bearer sesame"


@pytest.mark.parametrize(
    ("written", "password"),
    [("an%2Fna:s%2F%23%3F%40%3A%5B%25", "an/na:s/#?@:[%"),
     ("an/na".replace("/", "%2f") + ":p@ss", "an/na:p@ss"), ("anna:%C3%A4%E2%82%AC", "anna:ä€"),
     ("anna", "anna:"), (":word", ":word")],
)  # fmt: skip
def test_a_proxys_password_may_hold_anything(
    ca_file: Path, no_payload: int, monkeypatch: pytest.MonkeyPatch, written: str, password: str
) -> None:
    with Server(GREET) as proxy:
        monkeypatch.setenv("http_proxy", f" http://{written}@127.0.0.1:{proxy.port}/ ")
        assert both_ways("http://photos.test/up", ca_file, no_payload) == [200, 200]
        for number in range(2):
            found = proxy.line(number).head
            assert found is not None
            word = found.headers["proxy-authorization"].removeprefix("Basic ")
            assert base64.b64decode(word).decode() == password


BAD_PROXIES = [
    "http://anna:s3cr3t/pw@127.0.0.1:9",
    "http://anna:s3cr3t#pw@127.0.0.1:9",
    "http://anna:s3cr3t?pw@127.0.0.1:9",
    "http://anna:s3cr3t[pw@127.0.0.1:9",
    "http://anna:p@s3cr3t/pw@127.0.0.1:9",
    "http://s3cr3t/anna:pw@127.0.0.1:9",
    "http://anna:s3cr3t",
    "http://anna:s3cr3t@",
    "http://anna:s3cr3t@127.0.0.1:99999",
    "http://anna:s3cr3t@127.0.0.1:0",
    "http://anna:s3cr3t@127.0.0.1:-1",
    "http://anna:s3cr3t@127.0.0.1:http",
    "http://anna:s3cr3t@[::1:9",
    "http://anna:s3cr3t@" + "x" * 64 + ".example:9",
    "http://anna:s3cr3t@a b:9",
    "http://anna:s3cr3t@exam\u2100ple:9",
    "s3cr3t://127.0.0.1:9",
    "anna:s3cr3t/pw@127.0.0.1:9",
    "socks5h://anna:s3cr3t/pw@127.0.0.1:9",
    "https://anna:s3cr3t#pw@127.0.0.1:9",
]


@pytest.mark.parametrize("variable", ["https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("value", BAD_PROXIES)
def test_a_proxy_that_cannot_be_read_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    for ask in (
        lambda: asyncio.run(connecting("https://photos.test/", Peer())),
        lambda: Http(Peer(), []).call("GET", "https://photos.test/"),
    ):
        with pytest.raises(ConfigError) as raised:
            ask()
        told = f"{raised.value} {raised.value.hint}"
        assert variable in told
        assert not {"s3cr3t", "anna"} & set(re.split(r"\W", told))


def test_a_tunnel_hides_our_headers_from_the_proxy(
    authority: trustme.CA, ca_file: Path, no_payload: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    inside = start_tls(server_tls(authority, "photos.test"))
    script = [
        head,
        lambda line: asked.append(line.head),
        send(b"HTTP/1.1 200 Go\r\n\r\n"),
        inside,
        *GREET,
    ]
    with Server(script) as proxy:
        monkeypatch.setenv("https_proxy", f"http://proxy:word@127.0.0.1:{proxy.port}")
        assert both_ways("https://photos.test/up", ca_file, no_payload) == [200, 200]
        for number in range(2):
            outer, inner = asked[number], proxy.line(number).head
            assert inner is not None
            assert (outer.method, outer.target) == ("CONNECT", "photos.test:443")  # type: ignore[attr-defined]
            assert outer.headers["proxy-authorization"] == PROXY_WORD  # type: ignore[attr-defined]
            assert "authorization" not in outer.headers  # type: ignore[attr-defined]
            assert (inner.target, inner.headers["authorization"]) == ("/up", "Bearer sesame")
            assert "proxy-authorization" not in inner.headers


def test_a_proxy_that_refuses_the_tunnel(ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server([head, answer(403, b"no")]) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        assert reach("https://photos.test/", ca_file) == (Fault.NOT_REACHED, Fault.NOT_REACHED)


def test_a_proxy_that_is_down_is_named(refused_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://anna:word@127.0.0.1:{refused_port}")
    unreached = asyncio.run(connecting("http://photos.test/", Peer()))
    assert unreached is not None
    assert unreached.detail == f"by way of the proxy 127.0.0.1:{refused_port}: connection refused"
    assert Http(Peer(), HEADERS).call("GET", "http://photos.test/").detail == unreached.detail


def test_no_proxy_leads_past_the_proxy(
    ca_file: Path, no_payload: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(GREET) as proxy, Server(GREET) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert both_ways(server.url + "/up", ca_file, no_payload) == [200, 200]
        assert (proxy.connections, server.connections) == (0, 2)


# What is never sent.


def test_netrc_is_never_consulted(
    tmp_path: Path, ca_file: Path, no_payload: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login anna password hidden\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    with Server(GREET) as server:
        assert both_ways(server.url, ca_file, no_payload) == [200, 200]
        Http(Peer(5.0), []).call("GET", server.url)
        found = [server.line(number).head for number in range(3)]
    assert [one and one.headers.get("authorization") for one in found] == [
        "Bearer sesame",
        "Bearer sesame",
        None,
    ]


def test_a_cookie_is_never_sent_back(connect: Callable[..., Client]) -> None:
    baked = answer(200, b"{}", [("Set-Cookie", "session=1; Path=/")])
    with Server([head, body, baked] * 2) as server:
        client, http = connect(server), Http(Peer(PATIENCE), [])
        for number, one in enumerate([client.send, lambda: http.call("GET", server.url)]):
            assert one().answer is not None
            assert one().answer is not None
            assert b"cookie" not in bytes(server.line(number).seen).lower()


# Requests that are not photos.


def test_a_question_goes_out_as_json_with_our_headers(serve: Serve, ca_file: Path) -> None:
    server = serve([*GREET])
    sent = Http(Peer(PATIENCE, str(ca_file)), HEADERS[:1]).call(
        "POST", server.url + "/ask", json={"a": [1]}
    )
    line = server.line()
    assert line.head is not None
    assert sent.answer is not None
    assert (line.head.method, line.head.target) == ("POST", "/ask")
    assert line.head.headers["authorization"] == "Bearer sesame"
    assert line.seen.endswith(b'{"a": [1]}')


@pytest.mark.long
@pytest.mark.parametrize(
    "said",
    [
        [close],
        [stall],
        [send(b"SSH-2.0\r\n"), close],
        [send(OK + b"Content-Length: 9\r\n\r\n{"), stall],
    ],
    ids=["closed", "silence", "garbage", "silence in the answer"],
)
def test_a_question_without_an_answer(serve: Serve, ca_file: Path, said: Script) -> None:
    sent = Http(Peer(SHORT, str(ca_file)), []).call("GET", serve([head, *said]).url)
    assert sent.answer is None
    assert sent.fault in (Fault.LOST, Fault.NOT_REACHED)
    assert sent.detail


def test_an_answer_to_a_question_is_read_no_further_than_it_may(
    serve: Serve, ca_file: Path
) -> None:
    endless = serve([head, send(OK + b"\r\n"), flood(b"x" * 1000)])
    sent = Http(Peer(PATIENCE, str(ca_file)), []).call("GET", endless.url)
    assert sent.answer is not None
    assert (len(sent.answer.body), sent.answer.complete) == (MOST_ANSWER, False)


def test_a_cut_answer_to_a_question_is_not_complete(serve: Serve, ca_file: Path) -> None:
    cut = serve([head, send(OK + b"Content-Length: 100\r\n\r\n{}"), close])
    sent = Http(Peer(PATIENCE, str(ca_file)), []).call("GET", cut.url)
    assert sent.answer is None or not sent.answer.complete


def test_a_compressed_bomb_is_not_unpacked(serve: Serve, ca_file: Path) -> None:
    bomb = gzip.compress(bytes(20 << 20))
    told = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    sent = Http(Peer(PATIENCE, str(ca_file)), []).call("GET", serve([head, send(told + bomb)]).url)
    assert sent.answer is not None
    assert (sent.answer.body, sent.answer.complete) == (bytes(MOST_ANSWER), False)


# Plain answers are read by ourselves.


_tokens = st.text(alphabet="abcXYZ019-_!", min_size=1, max_size=8)
_values = st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)
_names = st.sampled_from(
    ["Content-Type", "Content-Length", "Connection", "Transfer-Encoding", "Retry-After", "X-A"]
)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Answers of all sorts, most of them plain."""
    said = draw(st.binary(max_size=20))
    length = draw(st.sampled_from([len(said)] * 6 + [len(said) + 1, 0]))
    named = draw(
        st.lists(
            st.tuples(_names | _tokens, _values | st.sampled_from(["close", "chunked"])), max_size=4
        )
    )
    if draw(st.sampled_from([True] * 6 + [False])):
        named.insert(draw(st.integers(0, len(named))), ("Content-Length", str(length)))
    version = draw(st.sampled_from(["HTTP/1.1"] * 6 + ["HTTP/1.0", "HTTP/2"]))
    status = draw(st.sampled_from([200, 201, 204, 304, 400, 413, 500, 503, 100, 199, 99, 1000]))
    reason = draw(_values | st.just("Created"))
    space = draw(st.sampled_from([" ", " ", " ", "", "  ", "\t"]))
    lines = [f"{version} {status} {reason}", *(f"{name}:{space}{value}" for name, value in named)]
    end = draw(st.sampled_from(["\r\n"] * 6 + ["\n"]))
    return (end.join(lines) + 2 * end).encode() + said


class _Whole(io.BytesIO):
    """What http.client reads; it is looked at once more when http.client has done with it."""

    def makefile(self, _mode: str) -> io.BytesIO:
        return self

    def close(self) -> None: ...


def as_the_library_reads(data: bytes) -> tuple[Answer, bool]:
    """An answer by http.client, and whether its connection may be used again. Raises HTTPException,
    ValueError."""
    whole = _Whole(data)
    response = http.client.HTTPResponse(whole)  # type: ignore[arg-type]
    response.begin()
    while response.status < 200:
        response.headers = None  # type: ignore[assignment]
        response.begin()
    length = response.length
    body = response.read(length if length is not None else MOST_ANSWER) if length != 0 else b""
    headers = {name.lower(): value.strip(" \t") for name, value in response.getheaders()}
    is_whole = length is None or len(body) == length
    # The library looks at the first of several such headers alone; together they are one list (RFC
    # 9110 section 5.3).
    words = ",".join(response.msg.get_all("connection", [])).lower()
    closes = response.will_close or "close" in words
    keeps = is_whole and not closes and not whole.read()
    return Answer.of(response.status, response.reason, headers, body, complete=is_whole), keeps


def as_we_read(data: bytes, size: int = 1 << 16) -> tuple[Answer, bool]:
    """The same by what reads our answers, ``size`` bytes at a time. Raises Unsound."""
    incoming = Incoming()
    for start in range(0, len(data), size):
        if not incoming.is_over:
            incoming.feed(data[start : start + size])
    if not incoming.is_over:
        incoming.end()
    return incoming.answer()


@example(data=b"HTTP/1.1 200 \r\nContent-Length: 0\r\nContent-Type: 0 \r\n\r\n")
@example(data=b"HTTP/1.1 200 \r\nContent-Length: 0\r\nConnection: \r\nConnection: CLOSE\r\n\r\n")
@given(data=answers())
def test_an_answer_that_we_read_is_read_so_by_the_library(data: bytes) -> None:
    try:
        ours = as_we_read(data)
    except Unsound:
        return
    if "transfer-encoding" not in ours[0].headers:  # the library knows one only
        assert ours == as_the_library_reads(data)
