"""Heads, forms and the wire: what is read the quick way is what the long way would read."""

from __future__ import annotations

import concurrent.futures
import socket
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from receiving import BOUNDARY, END, PATIENCE, PHOTO, Client, everything, form, part

from albumup.receive import form as forms
from albumup.receive.head import BadHead, parse_head
from albumup.receive.line import Gone, Line

# Forms.

DELIMITER = f"\r\n--{BOUNDARY}".encode()
pieces = st.sampled_from(
    [
        part("name", b"a.jpg"),
        part("name", "ü".encode()),
        part("name", b"\xff"),
        part("size", b"5"),
        part("size", b"five"),
        part("", b"no name"),
        part("a%22b", b"escaped"),
        part("big", b"x" * forms.TEXT_BYTES),
        part("file", PHOTO, "a.jpg"),
        part("file", b"", ""),
        part("file", PHOTO, "C:\\a%22.jpg"),
        part("file", DELIMITER, "a.jpg"),
        part("file", PHOTO),
        part("other", PHOTO, "a.jpg"),
        part("file", PHOTO, "a.jpg").replace(b"image/jpeg", b"image/jpeg\r\nContent-Length: 3"),
        part("file", PHOTO, "a.jpg").replace(b"\r\nContent-Type: image/jpeg", b""),
        part("name", b"a.jpg").replace(b"Content-Disposition", b"content-disposition"),
        part("name", b"a.jpg").replace(b"form-data", b"attachment"),
        b"preamble\r\n",
        DELIMITER,
        DELIMITER + b"--",
        b"\r\n",
        END,
        END[:-2],
        END + b"epilogue",
    ]
)
Outcome = tuple[forms.Declared | None, int, bytes]


def outcome(body: bytes, *, is_quick: bool) -> Outcome:
    """What is declared, the status of a refusal, and the photo's bytes."""
    written = bytearray()
    read = forms.read_form if is_quick else forms._parsed
    try:
        return read([body], BOUNDARY, len(body), written.extend), 0, bytes(written)
    except forms.BadForm as bad:
        return None, bad.status, b""


@given(st.lists(pieces, max_size=8).map(b"".join))
@example(form({"name": "a.jpg", "size": "5"}, PHOTO))
@example(part("name", b"x") * 2 + part("file", PHOTO, "a.jpg") + END)
@example(b"".join(part(f"{n}", b"") for n in range(63)) + part("file", PHOTO, "a.jpg") + END)
@example(b"".join(part(f"{n}", b"") for n in range(64)) + part("file", PHOTO, "a.jpg") + END)
@example(part("n" * 4000, b"") + part("file", PHOTO, "a.jpg") + END)
@example(part("n" * 5000, b"") + part("file", PHOTO, "a.jpg") + END)
@example(part("file", PHOTO, "a.jpg") + part("name", b"late"))
@example(part("file", b"text") + part("file", PHOTO, "a.jpg") + END)
@example(part("a", b"x" * forms.TEXT_BYTES + b"x") + part("file", PHOTO, "a.jpg") + END)
@example(part("file", PHOTO, "C:\\a%22.jpg") + END)
@example(part("file", PHOTO, "n" * 5000) + END)
def test_a_form_that_is_read_quickly_is_read_as_the_parser_reads_it(body: bytes) -> None:
    assert outcome(body, is_quick=True) == outcome(body, is_quick=False)


@given(st.binary(max_size=300), st.integers(0, len(DELIMITER) - 1))
def test_any_photo_comes_through_the_quick_way(data: bytes, cut: int) -> None:
    data += DELIMITER[:cut]
    plain = forms._plain(form({"name": "a.jpg"}, data), BOUNDARY)
    assert plain is not None
    assert (plain.fields, plain.filename, plain.data) == ({"name": "a.jpg"}, "sent.jpg", data)


def test_what_push_sends_is_read_the_quick_way(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forms, "_parsed", lambda *_: pytest.fail("that takes ten times as long"))
    assert client.send("trip", PHOTO)[0] == 201


# Heads.


def test_a_head_is_read_into_its_parts() -> None:
    head = parse_head(b"POST /a?b HTTP/1.1\r\nHost:x\r\nX-Y: 1 \r\nx-y:\t\xfc\r\nEmpty:\r\n\r\n")
    assert (head.method, head.target, head.is_http_1_1) == ("POST", "/a?b", True)
    assert head.headers == {"host": ["x"], "x-y": ["1", "ü"], "empty": [""]}
    assert (head.first("x-y"), head.all("x-y"), head.first("none"), head.all("none")) == (
        "1",
        ["1", "ü"],
        "",
        [],
    )


@pytest.mark.parametrize(
    ("status", "data"),
    [
        (400, b"GET /\r\n\r\n"),
        (400, b"GET / x HTTP/1.1\r\n\r\n"),
        (400, b"GET / HTTP/1.x\r\n\r\n"),
        (400, b"GET / HTTP/1.1111\r\n\r\n"),
        (400, b"\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\n: x\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nX: a\rb\r\n\r\n"),
        (431, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 101 + b"\r\n"),
        (505, b"GET / HTTP/2.0\r\n\r\n"),
        (505, b"GET / HTTP/0.9\r\n\r\n"),
    ],
)
def test_a_head_that_is_none_is_refused(status: int, data: bytes) -> None:
    with pytest.raises(BadHead) as refused:
        parse_head(data)
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("version", "wish", "is_last"),
    [("1.1", "", False), ("1.1", "Close", True), ("1.0", "", True), ("1.0", "Keep-Alive", False)],
)
def test_who_wants_no_other_answer(version: str, wish: str, is_last: bool) -> None:
    assert (
        parse_head(f"GET / HTTP/{version}\r\nConnection: {wish}\r\n\r\n".encode()).is_last
        == is_last
    )


# The wire.


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A receiver's end of a connection, and a client's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        theirs = socket.create_connection(server.getsockname(), timeout=PATIENCE)
        ours, _ = server.accept()
    with ours, theirs:
        yield ours, theirs


def test_an_answer_waits_for_room(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    answer = bytes(range(256)) * 64 * 1024
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        written = pool.submit(lambda: (Line(ours).write(answer, PATIENCE), ours.close()))
        assert everything(theirs) == answer
        written.result(PATIENCE)


def test_an_answer_that_nobody_takes_is_given_up(ends: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(Gone, match="the answer was not taken: timed out"):
        Line(ends[0]).write(bytes(64 << 20), 0.05)
