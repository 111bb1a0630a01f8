"""What a client may cost a receiver before it has said who it is, and how many may come at once."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from receiving import (
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
)

from albumup.receive import handler
from albumup.receive.connections import Connections, network_of

# Heads.


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 12_000,
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 1000) for n in range(70)),
        b"GET /" + b"a" * 70_000,
        b"\x16" * 70_000,
    ],
    ids=["many headers", "large headers", "one line", "no text"],
)
def test_a_head_that_is_too_long_is_refused_before_its_end(client: Client, head: bytes) -> None:
    """It goes on, as far as the receiver can tell: nothing of it is kept for an end that never
    comes."""
    with client.raw(head) as line:
        assert everything(line).startswith(b"HTTP/1.1 431 ")


def test_a_head_of_64_kib_is_taken(client: Client) -> None:
    headers = b"".join(b"X-%d: %s\r\n" % (n, b"y" * 800) for n in range(75))
    whole = f"GET / HTTP/1.0\r\nAuthorization: Bearer {TOKEN}\r\n".encode() + headers + b"\r\n"
    assert 60_000 < len(whole) < handler.HEAD_BYTES
    with client.raw(whole) as line:
        assert everything(line).startswith(b"HTTP/1.1 200 ")


def test_a_head_that_drips_has_an_end(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """However steadily it comes: the time is that of the whole head, and not from byte to byte."""
    monkeypatch.setattr(handler, "HEAD_SECONDS", 0.2)
    with client.raw(b"GET / HTTP/1.1\r\nX: ") as line:
        line.settimeout(0.02)
        for _ in range(int(PATIENCE / 0.02)):
            line.sendall(b"y")
            try:
                answer = line.recv(100)
                break
            except TimeoutError:
                continue
        else:
            pytest.fail("it is still being waited for")
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_the_next_head_has_its_own_time(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Idle between two requests is another thing than slow within one."""
    monkeypatch.setattr(handler, "HEAD_SECONDS", 0.1)
    line = client.connect()
    assert client.request("GET", "/", connection=line)[0] == 200
    first = line.sock
    with client.raw(b"GET") as other:  # for so long that the time of a head has passed
        assert everything(other).startswith(b"HTTP/1.1 408 ")
    assert client.request("GET", "/", connection=line)[0] == 200
    assert line.sock is first


@pytest.mark.parametrize(
    "line",
    [
        b"Content-Length : 5",
        b"X: a\r\n folded: 5",
        b"no colon",
        b": 5",
        b"X: a\rContent-Length: 5",
        b"X\0: 5",
    ],
)
def test_a_header_that_can_be_read_in_two_ways_is_refused(client: Client, line: bytes) -> None:
    head = b"GET / HTTP/1.1\r\nAuthorization: Bearer %s\r\n%s\r\n\r\n" % (TOKEN.encode(), line)
    with client.raw(head) as connection:
        assert everything(connection).startswith(b"HTTP/1.1 400 ")


def test_an_end_in_the_middle_of_a_head_is_no_request(tmp_path: Path) -> None:
    with (
        receiving(tmp_path) as client,
        client.raw(f"GET / HTTP/1.0\r\nAuthorization: Bearer {TOKEN}\r\n".encode()) as line,
    ):
        line.shutdown(socket.SHUT_WR)
        assert everything(line) == b""


def test_a_stranger_who_does_not_wait_for_answers_gets_one(client: Client) -> None:
    """Refusing what is sent ahead would keep the receiver busy; one request after the other keeps
    its connection."""
    with client.raw(b"GET / HTTP/1.1\r\n\r\n" * 400) as line:
        assert everything(line).count(b"HTTP/1.1 401 ") == 1
    with client.raw(b"") as line:
        for _ in range(3):
            line.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert line.recv(1000).startswith(b"HTTP/1.1 401 ")


def test_whoever_has_the_token_may_send_ahead(client: Client) -> None:
    head = f"GET / HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n".encode()
    with client.raw(head + b"\r\n", head + b"\r\n", head + b"Connection: close\r\n\r\n") as line:
        assert everything(line).count(b"HTTP/1.1 200 ") == 3


# Bodies.


def test_a_body_that_stops_is_given_up_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "SILENCE", 0.1)
    root = tmp_path / "photos"
    body = form({}, PHOTO * 10_000)
    with (
        receiving(root) as client,
        client.raw(client.head("trip", len(body)), body[:50_000]) as line,
    ):
        assert everything(line) == b"", (
            "an answer to half a photo might be taken for one to the whole"
        )
        eventually(lambda: not parts(root))
    assert files(root) == {}


def test_a_stranger_costs_no_part(tmp_path: Path) -> None:
    """The token is judged before a byte of the body is read."""
    root = tmp_path / "photos"
    with receiving(root) as client:
        stranger = Client(f"http://{client.address[0]}:{client.address[1]}", "wrong")
        with stranger.raw(stranger.head("trip", 10**9), b"-" * 1000) as line:
            assert line.recv(1000).startswith(b"HTTP/1.1 401 ")
            assert parts(root) == []


# Connections.


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    """The receiver's ends of connections; what was ended reads as an end."""
    pairs = [socket.socketpair() for _ in range(8)]
    yield [ours for ours, _ in pairs]
    for pair in pairs:
        for one in pair:
            one.close()


def is_ended(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False


def ended(sockets: list[socket.socket]) -> list[int]:
    return [number for number, one in enumerate(sockets) if is_ended(one)]


def test_the_longest_idle_stranger_of_that_address_goes_first(sockets: list[socket.socket]) -> None:
    known = Connections(100, 3)
    elsewhere, works, was_here, stranger, new = sockets[:5]
    assert known.come(elsewhere, "10.0.0.2")
    for one in (works, was_here, stranger):
        assert known.come(one, "10.0.0.1")
    assert known.works(works)
    assert known.works(was_here)
    known.waits(was_here)
    assert known.come(new, "10.0.0.1")
    assert ended(sockets) == [3], "it had brought no token, and the other one had"
    assert known.works(new)
    assert known.come(sockets[5], "10.0.0.1")
    assert ended(sockets) == [2, 3]


def test_one_too_many_that_work_is_told_to_wait(sockets: list[socket.socket]) -> None:
    known = Connections(100, 2)
    for one in sockets[:2]:
        assert known.come(one, "10.0.0.1")
        assert known.works(one)
    assert known.come(sockets[2], "10.0.0.1")
    assert not known.works(sockets[2])
    assert known.come(sockets[3], "10.0.0.2")
    assert known.works(sockets[3]), "another household"
    known.gone(sockets[0])
    known.gone(sockets[2])
    assert known.come(sockets[4], "10.0.0.1")
    assert known.works(sockets[4])
    assert ended(sockets) == []


def test_there_is_an_end_to_how_many_come_in_all(sockets: list[socket.socket]) -> None:
    known = Connections(3, 100)
    for number, one in enumerate(sockets[:3]):
        assert known.come(one, f"10.0.0.{number}")
    known.works(sockets[0])
    assert known.come(sockets[3], "10.0.0.9")
    assert ended(sockets) == [1]
    known.works(sockets[2])
    known.works(sockets[3])
    assert not known.come(sockets[4], "10.0.0.9")


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_a_household_is_an_address_or_a_net_of_64_bits(host: str, network: str) -> None:
    assert network_of(host) == network


def test_one_too_many_is_answered_and_the_next_is_served(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    with receiving(root, connections=Connections(100, 1)) as client:
        with client.raw(client.head("trip", 1000), b"-"):
            eventually(lambda: parts(root))
            line = client.connect()
            answer = client.request("GET", "/", connection=line)
            assert answer == (503, {"error": "too many connections at once from this address"})
            assert line.sock is None, "it makes room"
        eventually(lambda: client.send("trip", PHOTO)[0] == 201)
    assert files(root) == {"trip/DSC_0001.JPG": PHOTO}
