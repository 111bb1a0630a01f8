"""Answers, byte by byte: what llhttp leaves to its user, and where it is strict."""

from __future__ import annotations

import gc

import pytest

from albumup.transfer import MOST_ANSWER, Answer
from albumup.transfer.answers import MOST_HEAD, MOST_INTERIM, Endless, Incoming, Unsound

OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = OK + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"
SIZES = pytest.mark.parametrize("size", [1, 7, MOST_ANSWER])


def fed(data: bytes, size: int = MOST_ANSWER) -> Incoming:
    """What became of it, ``size`` bytes at a time, until nobody reads on."""
    incoming = Incoming()
    for start in range(0, len(data), size):
        if not incoming.is_over:
            incoming.feed(data[start : start + size])
    return incoming


def ended(data: bytes, size: int = MOST_ANSWER) -> tuple[Answer, bool]:
    """The same, and then the server closes."""
    incoming = fed(data, size)
    incoming.end()
    return incoming.answer()


@SIZES
@pytest.mark.parametrize("data", [WHOLE, CHUNKED, EMPTY], ids=["length", "chunked", "empty"])
def test_an_answer_is_whole_with_its_last_byte(data: bytes, size: int) -> None:
    assert not fed(data[:-1], size).is_over
    incoming = fed(data, size)
    assert incoming.is_over
    answer, keeps = incoming.answer()
    assert (answer.complete, keeps) == (True, True)
    assert answer.body == (b"" if data is EMPTY else b"{}")


# Interim answers.


INTERIM = [
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 102 Processing\r\nContent-Length: 2\r\nX-A: of the interim answer\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
    b"HTTP/1.1 104 Upload Resumption Supported\r\nUpload-Offset: 5\r\n\r\n",
]


@SIZES
def test_interim_answers_are_no_part_of_the_answer(size: int) -> None:
    answer, keeps = fed(b"".join(INTERIM) + WHOLE, size).answer()
    assert (answer.status, answer.reason, answer.body, keeps) == (200, "OK", b"{}", True)
    assert set(answer.headers) == {"content-type", "content-length"}


def test_an_answer_has_begun_with_its_first_byte_that_no_interim_one_has() -> None:
    incoming = Incoming()
    for byte in b"".join(INTERIM) + b"HTTP/1.1 ":
        incoming.feed(bytes([byte]))
        assert not incoming.has_begun
    incoming.feed(b"2")
    assert incoming.has_begun
    assert not incoming.is_headed


def test_as_many_interim_answers_are_endless() -> None:
    assert fed(INTERIM[0] * MOST_INTERIM + WHOLE).answer()[0].status == 200
    with pytest.raises(Endless):
        fed(INTERIM[0] * (MOST_INTERIM + 1))


@pytest.mark.parametrize(
    "more", [b"", b"Upgrade: h2c\r\nConnection: upgrade\r\n"], ids=["bare", "named"]
)
def test_another_protocol_is_no_answer(more: bytes) -> None:
    with pytest.raises(Unsound, match="another protocol"):
        fed(b"HTTP/1.1 101 Switching Protocols\r\n" + more + b"\r\n" + WHOLE)


def test_an_offer_of_another_protocol_is_an_answer() -> None:
    offered = WHOLE.replace(
        b"\r\n", b"\r\nUpgrade: h2,h2c\r\nConnection: Upgrade, Keep-Alive\r\n", 1
    )
    answer, keeps = fed(offered).answer()
    assert (answer.body, answer.complete, keeps) == (b"{}", True, True)


# Limits.


@pytest.mark.parametrize("line", [b"X: y\r\n", b"X: " + b"y" * 1000], ids=["lines", "one line"])
def test_a_head_has_an_end(line: bytes) -> None:
    incoming, count = Incoming(), 0
    incoming.feed(OK)
    with pytest.raises(Endless):
        while count < 2 * MOST_HEAD:
            incoming.feed(line)
            count += len(line)
    assert MOST_HEAD - len(OK) < count + len(line) <= MOST_HEAD + len(line)
    assert incoming.is_over


def test_a_head_of_almost_64_kib_counts_also_with_its_body_in_the_same_bytes() -> None:
    head = OK + b"X: " + b"y" * (MOST_HEAD - 100) + b"\r\nContent-Length: 1000\r\n\r\n"
    answer, _ = fed(head + b"x" * 1000, MOST_HEAD - 100).answer()
    assert (answer.status, len(answer.body), answer.complete) == (200, 1000, True)


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 999999999\r\n", b""], ids=["length", "until it closes"]
)
def test_no_more_of_a_body_is_read_than_is_kept(framing: bytes) -> None:
    incoming = Incoming()
    incoming.feed(OK + framing + b"\r\n")
    for _ in range(MOST_ANSWER // 1024):
        incoming.feed(b"x" * 1024)
        assert not incoming.is_over
    incoming.feed(b"x")
    assert incoming.is_over
    answer, keeps = incoming.answer()
    assert (len(answer.body), answer.complete, keeps) == (MOST_ANSWER, False, False)


# The end of the stream.


@SIZES
def test_a_body_without_a_length_ends_with_the_stream(size: int) -> None:
    answer, keeps = ended(OK + b"\r\n{}", size)
    assert (answer.body, answer.complete, keeps) == (b"{}", True, False)


@SIZES
@pytest.mark.parametrize(
    "data",
    [WHOLE[:-1], CHUNKED[:-1], CHUNKED[:-7], CHUNKED.replace(b"chunked", b"gzip, chunked")[:-7]],
)
def test_a_body_that_was_cut_is_not_complete(data: bytes, size: int) -> None:
    answer, keeps = ended(data, size)
    assert (answer.status, answer.complete, keeps) == (200, False, False)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "without an answer"),
        (INTERIM[0], "without an answer"),
        (WHOLE[:20], "cut short"),
        (OK, "cut short"),
    ],
)
def test_a_head_that_was_cut_is_no_answer(data: bytes, words: str) -> None:
    with pytest.raises(Unsound, match=words):
        ended(data)


# What nobody asked for.


@SIZES
@pytest.mark.parametrize("data", [WHOLE, CHUNKED, EMPTY], ids=["length", "chunked", "empty"])
@pytest.mark.parametrize("more", [WHOLE.replace(b"{}", b"no"), b"\r\n", b"\r\n\r\n", b"x", b"H"])
def test_what_comes_with_an_answer_and_is_no_part_of_it_costs_the_connection(
    data: bytes, more: bytes, size: int
) -> None:
    """In the same bytes; what comes later is seen before the connection is used again."""
    incoming = fed(data[:-1], size)
    incoming.feed(data[-1:] + more)
    answer, keeps = incoming.answer()
    assert (answer.status, answer.complete, keeps) == (204 if data is EMPTY else 200, True, False)
    assert answer.body == (b"" if data is EMPTY else b"{}")


@pytest.mark.parametrize(
    "data",
    [
        WHOLE.replace(b"\r\n", b"\r\nConnection: close\r\n", 1),
        WHOLE.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
    ids=["it says close", "HTTP/1.0"],
)
def test_a_server_that_closes_is_believed(data: bytes) -> None:
    answer, keeps = fed(data).answer()
    assert (answer.body, answer.complete, keeps) == (b"{}", True, False)


def test_a_trailer_changes_nothing() -> None:
    trailer = b"0\r\nContent-Encoding: gzip\r\nX-Late: 1\r\n\r\n"
    answer, keeps = fed(CHUNKED.replace(b"0\r\n\r\n", trailer)).answer()
    assert (dict(answer.headers), answer.body, keeps) == (
        {"transfer-encoding": "chunked"},
        b"{}",
        True,
    )


# Header lines.


def test_header_lines_are_taken_as_they_are_meant() -> None:
    lines = (
        b"x-TWO: b\r\nX-Two:\tc \t\r\nX-None:\r\nX-Latin: \xe4\r\n"
        b"Content-Encoding: a\r\nContent-Encoding: b\r\n"
    )
    answer, _ = fed(WHOLE.replace(b"\r\n", b"\r\n" + lines, 1)).answer()
    assert answer.headers["x-two"] == "c"
    assert answer.headers["x-none"] == ""
    assert answer.headers["x-latin"] == "ä"
    assert answer.headers["content-encoding"] == "a, b"


@SIZES
@pytest.mark.parametrize(
    "data",
    [
        WHOLE.replace(b"\r\nContent-Length", b"\r\nContent-Length: 2\r\nContent-Length"),
        WHOLE.replace(b"\r\nContent-Length", b"\r\nContent-Length: 3\r\nContent-Length"),
        WHOLE.replace(b": 2", b": 2, 2"),
        WHOLE.replace(b": 2", b": -2"),
        CHUNKED.replace(b"\r\n", b"\r\nContent-Length: 2\r\n", 1),
        CHUNKED.replace(b"chunked\r\n", b"chunked\r\nContent-Length: 12\r\n", 1),
        WHOLE.replace(b"\r\n", b"\n"),
        WHOLE.replace(b"\r\n", b"\r\nX: a\r\n b\r\n", 1),
        WHOLE.replace(b"Content-Type:", b"Content-Type :"),
        WHOLE.replace(b"Content-Type:", b"Content-Type\r\n:"),
        WHOLE.replace(b"json", b"js\0n"),
        WHOLE.replace(b"200", b"20"),
        WHOLE.replace(b"200", b"2000"),
        WHOLE.replace(b"HTTP/1.1", b"HTTP/1.7"),
    ],
    ids=[
        *("the same length twice", "two lengths", "a list of lengths", "a length below 0"),
        *(
            "a length before chunks",
            "a length after chunks",
            "bare LF",
            "a folded line",
            "space before the colon",
        ),
        *(
            "no colon",
            "NUL",
            "a status of two digits",
            "a status of four",
            "a version that is none",
        ),
    ],
)
def test_an_answer_against_the_rules_is_none(data: bytes, size: int) -> None:
    """http.client takes most of these, each in its own way; two programs that read one answer
    differently are how one photo's answer becomes another's."""
    with pytest.raises(Unsound, match=r"the answer breaks the rules of HTTP: \w+"):
        ended(data, size)


@pytest.mark.parametrize(
    "data", [b"SSH-2.0-nobody\r\n", b"\x16\x03\x01", b"{}", b"http/1.1 200 OK\r\n\r\n"]
)
def test_what_is_not_http_is_called_so(data: bytes) -> None:
    incoming = Incoming()
    with pytest.raises(Unsound, match="what came back is not HTTP"):
        incoming.feed(data)
    assert incoming.has_begun
    assert not incoming.is_headed


def test_a_fault_of_ours_is_not_taken_for_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    def on_header(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Incoming, "on_header", on_header)
    with pytest.raises(ZeroDivisionError):
        fed(WHOLE)


def test_an_answer_that_was_read_is_freed_at_once() -> None:
    fed(WHOLE).answer()
    gc.collect()
    gc.disable()
    try:
        fed(WHOLE).answer()
        assert gc.collect() == 0
    finally:
        gc.enable()
