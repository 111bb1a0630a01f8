"""What the receiver refuses, and that no bytes on a socket bring it down."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receiving import (
    BOUNDARY,
    END,
    OTHER,
    PATIENCE,
    PHOTO,
    TOKEN,
    Client,
    eventually,
    everything,
    files,
    form,
    part,
    parts,
    photos,
    receiving,
)

from albumup.receive import handler

# Refusing.


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"size": 1}, "size mismatch"),
        ({"sha256": "0" * 64}, "sha256 mismatch"),
        ({"size": "-1"}, "'size' is not"),
        ({"size": "٣"}, "'size' is not"),
        ({"size": "9" * 30}, "'size' is not"),
        ({"sha256": "abc"}, "'sha256' is not"),
        ({"mtime_ns": "yesterday"}, "'mtime_ns' is not"),
        ({"name": "\udcff.jpg"}, "'name' is not UTF-8"),
    ],
)
def test_a_wrong_declaration_is_refused(
    root: Path, client: Client, declared: dict[str, object], words: str
) -> None:
    status, answer = client.send("trip", PHOTO, **declared)  # type: ignore[arg-type]
    assert status == 422
    assert words in answer["error"]
    assert (files(root), parts(root)) == ({}, [])


FILE = part("file", PHOTO, "x.jpg")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b"no form at all"),
        (400, b""),
        (400, END),
        (400, part("name", b"x.jpg") + END),
        (400, FILE),
        (400, FILE + part("name", b"late") + END),
        (400, FILE + FILE + END),
        (400, FILE[:-2] + END),
        (422, part("name", b"a") + part("name", b"b") + FILE + END),
        (422, part("photo", b"text", "x.jpg") + END),
        (413, part("name", b"x" * 70_000) + FILE + END),
        (413, b"".join(part(f"f{n}", b"x" * 1000) for n in range(70)) + FILE + END),
        (413, b"".join(part(f"f{n}", b"") for n in range(70)) + FILE + END),
    ],
)
def test_a_body_that_is_not_our_form_is_refused(
    root: Path, client: Client, status: int, body: bytes
) -> None:
    got, answer = client.request("POST", photos("trip"), body)
    assert got == status, answer
    assert set(answer) == {"error"}
    assert (files(root), parts(root)) == ({}, [])


@pytest.mark.parametrize(
    "content_type", ["", "image/jpeg", "multipart/form-data", "multipart/form-data; boundary=ü"]
)
def test_a_photo_needs_a_boundary(client: Client, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    assert client.request("POST", photos("trip"), form({}, PHOTO), headers)[0] == 400


@pytest.mark.parametrize(
    ("status", "method", "path"),
    [
        (404, "GET", "/nothing"),
        (404, "POST", "/albums//photos"),
        (404, "POST", "/albums/a/b/photos"),
        (404, "POST", "/albums/a/photos/"),
        (405, "GET", "/albums/a/photos"),
        (405, "DELETE", "/albums/a/photos"),
        (405, "HEAD", "/"),
        (405, "POST", "/"),
        (501, "BREW", "/"),
    ],
)
def test_other_addresses_and_methods(client: Client, status: int, method: str, path: str) -> None:
    assert client.request(method, path, b"")[0] == status


def test_a_wrong_method_is_told_the_right_one(client: Client) -> None:
    with client.raw(f"HEAD / HTTP/1.0\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()) as line:
        head, _, body = everything(line).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 405 ")
    assert b"\r\nAllow: GET\r\n" in head
    assert body == b"", "an answer to HEAD has no body"


def test_the_root_says_who_it_is(client: Client) -> None:
    status, said = client.request("GET", "/")
    assert (status, len(said.pop("store")), said) == (200, 32, {"server": "albumup", "version": 1})
    assert client.request("GET", "/?x=1")[0] == 200


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"]
)
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("POST", "/albums/trip/photos"), ("GET", "/nothing")]
)
def test_without_the_token_nothing_is_said(
    client: Client, authorization: str, method: str, path: str
) -> None:
    line = client.connect()
    answer = client.request(method, path, b"x", {"Authorization": authorization}, line)
    assert answer == (401, {"error": "the token is missing or wrong"})
    assert line.sock is None  # closed, as it was told


def test_a_stranger_is_refused_before_the_body(client: Client) -> None:
    stranger = Client(f"http://{client.address[0]}:{client.address[1]}", "wrong")
    with stranger.raw(stranger.head("trip", 10**15, "Expect: 100-continue")) as line:
        answer = everything(line)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"\r\nWWW-Authenticate: Bearer\r\n" in answer


def test_who_is_refused_in_mid_sentence_still_hears_why(client: Client) -> None:
    stranger = Client(f"http://{client.address[0]}:{client.address[1]}", "wrong")
    assert stranger.send("trip", os.urandom(8_000_000))[0] == 401


def test_curl_is_told_to_go_on(client: Client) -> None:
    body = form({}, PHOTO)
    with client.raw(
        client.head("trip", len(body), "Expect: 100-continue", "Connection: close")
    ) as line:
        assert line.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(body)
        assert everything(line).startswith(b"HTTP/1.1 201 ")


@pytest.mark.parametrize(
    ("status", "header"),
    [
        (411, "X: y"),
        (411, "Transfer-Encoding: chunked"),
        (411, "Content-Length: 5\r\nTransfer-Encoding: chunked"),
        (400, "Content-Length: five"),
        (400, "Content-Length: -5"),
        (400, "Content-Length: 5\r\nContent-Length: 6"),
        (431, "X: " + "y" * 70_000),
        (431, "\r\n".join(f"X{n}: y" for n in range(200))),
    ],
)
def test_a_head_that_cannot_be_trusted_ends_the_connection(
    client: Client, status: int, header: str
) -> None:
    head = f"POST /albums/trip/photos HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\n{header}\r\n\r\n"
    with client.raw(head.encode(), b"5\r\nhello\r\n0\r\n\r\n") as line:
        answer = everything(line)
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer
        assert answer.count(b"HTTP/1.1") == 1
        assert status == 431 or b"Content-Length" in answer.partition(b"\r\n\r\n")[2], (
            "refused for another reason"
        )


def test_one_connection_serves_many_requests(root: Path, client: Client) -> None:
    line = client.connect()
    line.connect()
    first = line.sock
    assert client.send("trip", PHOTO, connection=line)[0] == 201
    assert client.send("trip", PHOTO, connection=line)[0] == 200
    assert client.send("trip", PHOTO, size=1, connection=line)[0] == 422
    assert client.request("GET", "/nothing", connection=line)[0] == 404
    assert client.send("trip", OTHER, "b", connection=line)[0] == 201
    assert line.sock is first
    assert set(files(root).values()) == {PHOTO, OTHER}


# Anything at all.

requests = st.builds(
    lambda line, headers, body: b"\r\n".join([line, *headers, b"", body]),
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [
                b"POST /albums/t/photos HTTP/1.1",
                b"POST /albums/%ff%2e/ask HTTP/1.1",
                b"GET / HTTP/1.0",
            ]
        ),
    ),
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.just(f"Authorization: Bearer {TOKEN}".encode()),
            st.just(f"Content-Type: multipart/form-data; boundary={BOUNDARY}".encode()),
            st.builds(lambda n: b"Content-Length: %d" % n, st.integers(-1, 400)),
            st.sampled_from(
                [b"Expect: 100-continue", b"Connection: close", b"Transfer-Encoding: chunked"]
            ),
        ),
        max_size=6,
    ),
    st.binary(max_size=100),
)
tokens = st.sampled_from(
    [
        f"--{BOUNDARY}",
        f"--{BOUNDARY}--",
        "\r\n",
        "\r\n\r\n",
        'Content-Disposition: form-data; name="file"; filename="x.jpg"',
        'Content-Disposition: form-data; name="size"',
        'Content-Disposition: form-data; name="mtime_ns"',
        "Content-Length: 5",
        "9999999999999999999",
        "-9999999999999999999",
        "12",
        "photo",
        "\0",
    ]
)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, list[str]]]:
    lines: list[str] = []
    with receiving(tmp_path_factory.mktemp("fuzz"), log=lines.append) as client:
        yield client, lines


@settings(max_examples=200, deadline=None)
@given(st.lists(requests, max_size=3))
def test_no_bytes_bring_it_down(fuzzed: tuple[Client, list[str]], sent: list[bytes]) -> None:
    client, lines = fuzzed
    answer = b""
    # The receiver may have hung up on us before we were through.
    with contextlib.suppress(ConnectionError), client.raw() as line:
        for request in sent:
            line.sendall(request)
        with contextlib.suppress(OSError):
            line.shutdown(socket.SHUT_WR)
        answer = everything(line)
    assert b"HTTP/1.1 500" not in answer
    assert not [entry for entry in lines if entry.startswith("a connection ended")]
    assert client.request("GET", "/")[0] == 200


@settings(max_examples=200, deadline=None)
@given(st.lists(tokens, max_size=25))
def test_no_form_brings_it_down(fuzzed: tuple[Client, list[str]], pieces: list[str]) -> None:
    client, lines = fuzzed
    status, _ = client.request("POST", photos("t"), f"--{BOUNDARY}\r\n{''.join(pieces)}".encode())
    assert status in (200, 201, 400, 413, 422)
    assert not [entry for entry in lines if entry.startswith("a connection ended")]


def test_the_client_can_be_any_http_library(client: Client) -> None:
    requests_library = pytest.importorskip("requests")
    answer = requests_library.post(
        f"http://127.0.0.1:{client.address[1]}{photos('trip')}",
        files={"size": (None, str(len(PHOTO))), "file": ("ü.jpg", PHOTO)},
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=PATIENCE,
    )
    assert (answer.status_code, answer.json()["id"]) == (201, "trip/ü.jpg")


def test_http_1_0_clients_are_answered_and_closed(client: Client) -> None:
    with client.raw(f"GET / HTTP/1.0\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()) as line:
        assert b'\r\n\r\n{"server": "albumup", "version": 1, "store": ' in everything(line)


def test_a_reset_while_idle_is_no_accident(root: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []
    with receiving(root, log=lines.append) as client:
        with client.raw(b"POST /") as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        eventually(
            lambda: any(entry.startswith("a connection ended: ConnectionReset") for entry in lines)
        )
        assert client.request("GET", "/")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_an_idle_connection_is_closed(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(handler.Handler, "timeout", 0.05)
    with receiving(root) as client, client.raw() as line:
        assert everything(line) == b""
    assert capfd.readouterr() == ("", "")
