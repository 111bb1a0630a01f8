"""The faults that can be asked for: how a plan is written, and what each does to a client."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable
from pathlib import Path

import pytest
from receiving import (
    PATIENCE,
    Client,
    eventually,
    everything,
    files,
    form,
    parts,
    photos,
    receiving,
)

from albumup.receive import Faults, handler, parse_faults
from albumup.receive.faults import KINDS, paced

PHOTO = b"\xff\xd8 a photo" * 100_000


def picks(plan: Faults, number: int, seed: int = 7) -> list[str | None]:
    rng = random.Random(seed)
    return [plan.pick(rng) for _ in range(number)]


# The plan.


def test_shares_come_about_as_often_as_written() -> None:
    plan = parse_faults("drop=5%, stall=0.02,503=10%")
    found = picks(plan, 10_000)
    assert found == picks(parse_faults("drop=5%,stall=2%,503=0.1"), 10_000), (
        "the same seed gave other faults"
    )
    for fault, share in (("drop", 500), ("stall", 200), ("503", 1000), (None, 8300)):
        assert found.count(fault) == pytest.approx(share, rel=0.2)
    assert plan.counts == {fault: found.count(fault) for fault in ("drop", "stall", "503")}


def test_turns_come_exactly_then() -> None:
    plan = parse_faults("503=#3+5,drop=once,page=#2")
    assert picks(plan, 6) == ["drop", "page", "503", None, "503", None]
    assert plan.counts == {"drop": 1, "page": 1, "503": 2}


class Least(random.Random):
    """Throws the least there is."""

    def random(self) -> float:
        return 0.0


def test_a_turn_goes_before_chance() -> None:
    assert picks(parse_faults("drop=100%,503=#2"), 3) == ["drop", "503", "drop"]
    assert picks(parse_faults("drop=0%"), 3) == [None] * 3
    assert parse_faults("drop=0%").pick(Least()) is None
    assert picks(parse_faults(""), 1) == [None]


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (
            "dorp=5%",
            "there is no fault 'dorp', did you mean 'drop'? Faults: drop, stall, lost-answer, "
            "cut-answer, ",
        ),
        ("lost=5%", "did you mean 'lost-answer'?"),
        ("xyzzy=5%", "there is no fault 'xyzzy'. Faults: drop, "),
        ("200=5%", "or an HTTP status from 400 to 599"),
        ("600=5%", "there is no fault '600'"),
        ("drop", "in 'drop' write a share"),
        ("drop=", "write a share (5% or 0.05), 'once', or requests by number"),
        ("drop=120%", "in 'drop=120%' write a share"),
        ("drop=2", "in 'drop=2' write a share"),
        ("drop=-1%", "in 'drop=-1%' write a share"),
        ("drop=nan", "in 'drop=nan' write a share"),
        ("drop=#0", "in 'drop=#0' the requests are to be written as #3 or #3+5"),
        ("drop=#3,5", "there is no fault '5'"),
        ("drop=#3+", "in 'drop=#3+'"),
        ("drop=60%,stall=50%", "the shares add up to 110%"),
        ("drop=5%,drop=6%", "drop has two shares"),
        ("drop=#3,503=#3", "photo request 3 cannot have both drop and 503"),
    ],
)
def test_a_plan_that_cannot_be_read_says_what_to_write(plan: str, words: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_faults(plan)
    assert words in str(caught.value)


# What they do.


def test_only_photos_suffer(tmp_path: Path) -> None:
    plan = parse_faults("503=100%")
    with receiving(tmp_path, faults=plan) as client:
        assert client.request("GET", "/")[0] == 200
        assert client.ask("trip") == {}
        assert (
            client.request("POST", photos("trip"), b"", {"Authorization": "Bearer wrong"})[0] == 401
        )
        assert not plan.counts
        assert client.send("trip", PHOTO)[0] == 503
    assert plan.counts == {"503": 1}


@pytest.mark.parametrize("status", [400, 413, 429, 500, 503, 507, 599])
def test_a_status_comes_after_the_body_and_stores_nothing(tmp_path: Path, status: int) -> None:
    with receiving(tmp_path, faults=parse_faults(f"{status}=once")) as client:
        line = client.connect()
        line.connect()
        first = line.sock
        assert client.send("trip", PHOTO, connection=line) == (
            status,
            {"error": "this fault was asked for"},
        )
        assert files(tmp_path) == {}
        assert client.send("trip", PHOTO, connection=line)[0] == 201
        assert line.sock is first, "the connection did not live on"


@pytest.mark.parametrize(("status", "wait"), [(429, b"1"), (503, b"1"), (500, None)])
def test_a_busy_server_says_when_to_come_back(
    tmp_path: Path, status: int, wait: bytes | None
) -> None:
    with receiving(tmp_path, faults=parse_faults(f"{status}=once")) as client:
        answer = whole_answer(client)
    assert (b"Retry-After: 1\r\n" in answer) == (wait is not None)


def whole_answer(client: Client, data: bytes = PHOTO) -> bytes:
    body = form({}, data)
    with client.raw(client.head("trip", len(body), "Connection: close"), body) as line:
        return everything(line)


def test_drop_resets_in_the_middle_of_the_body(tmp_path: Path) -> None:
    body = form({}, PHOTO)
    with receiving(tmp_path, faults=parse_faults("drop=once")) as client:
        # Half of the body is enough for it: it does not wait for more.
        half = body[: len(body) // 2]
        with (
            client.raw(client.head("trip", len(body)), half) as line,
            pytest.raises(ConnectionResetError),
        ):
            everything(line)
        assert (files(tmp_path), parts(tmp_path)) == ({}, [])
        assert client.send("trip", PHOTO)[0] == 201


def test_stall_stops_reading_until_the_client_leaves(tmp_path: Path) -> None:
    lines: list[str] = []
    with receiving(tmp_path, faults=parse_faults("stall=once"), log=lines.append) as client:
        body = form({}, PHOTO)
        with client.raw(client.head("trip", len(body)), body) as line:
            eventually(lambda: any("fault stall" in entry for entry in lines))
            line.settimeout(0.5)
            with pytest.raises(TimeoutError):
                line.recv(1)
            assert not any("stalled to the end" in entry for entry in lines)
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        eventually(lambda: any("stalled to the end" in entry for entry in lines))
        assert client.send("trip", PHOTO)[0] == 201
    assert list(files(tmp_path)) == ["trip/DSC_0001.JPG"]


def test_a_stalled_client_is_let_go_when_the_receiver_stops(tmp_path: Path) -> None:
    lines: list[str] = []
    body = form({}, PHOTO)
    with receiving(tmp_path, faults=parse_faults("stall=once"), log=lines.append) as client:
        line = socket.create_connection(client.address, timeout=PATIENCE)
        line.sendall(client.head("trip", len(body)) + body[:1000])
        eventually(lambda: any("fault stall" in entry for entry in lines))
    with line:
        assert everything(line) == b""


def test_lost_answer_stores_and_resets(tmp_path: Path) -> None:
    with receiving(tmp_path, faults=parse_faults("lost-answer=once")) as client:
        with pytest.raises(ConnectionResetError):
            whole_answer(client)
        assert files(tmp_path) == {"trip/sent.jpg": PHOTO}
        assert client.send("trip", PHOTO)[1]["status"] == "duplicate"


def test_cut_answer_stores_and_promises_more_than_it_says(tmp_path: Path) -> None:
    with receiving(tmp_path, faults=parse_faults("cut-answer=once")) as client:
        head, _, body = whole_answer(client).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 201 Created\r\n")
    promised = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
    assert 0 < len(body) < promised
    assert files(tmp_path) == {"trip/sent.jpg": PHOTO}


def test_garbage_is_not_http_and_stores_nothing(tmp_path: Path) -> None:
    with receiving(tmp_path, faults=parse_faults("garbage=once")) as client:
        answer = whole_answer(client)
    assert answer and not answer.startswith(b"HTTP")
    assert files(tmp_path) == {}


def test_page_is_a_captive_portal(tmp_path: Path) -> None:
    with receiving(tmp_path, faults=parse_faults("page=once")) as client:
        answer = whole_answer(client)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n")
    assert b"<!DOCTYPE html>" in answer
    assert files(tmp_path) == {}


def test_slow_stores_in_its_own_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []

    def noted(blocks: Iterable[bytes], rate: float, *_: object) -> Iterable[bytes]:
        rates.append(rate)
        return blocks

    monkeypatch.setattr(handler, "paced", noted)
    with receiving(tmp_path, faults=parse_faults("slow=once")) as client:
        assert [client.send("trip", PHOTO)[0] for _ in range(2)] == [201, 200]
    assert rates == [256 * 1024]
    assert files(tmp_path) == {"trip/DSC_0001.JPG": PHOTO}


def test_pacing_waits_for_the_clock_to_catch_up() -> None:
    now, waited = [100.0], []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        now[0] += seconds

    def blocks() -> Iterable[bytes]:
        yield b"x" * 10
        now[0] += 1.5  # this one took its time to come
        yield b"x" * 10
        now[0] += 9
        yield b"x" * 10

    assert b"".join(paced(blocks(), 10, lambda: now[0], wait)) == b"x" * 30
    assert waited == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("fault", [*KINDS, "503"])
def test_every_fault_is_counted_and_logged(tmp_path: Path, fault: str) -> None:
    plan, lines = parse_faults(f"{fault}=once"), list[str]()
    body = form({}, b"small")
    with (
        receiving(tmp_path, faults=plan, log=lines.append) as client,
        client.raw(client.head("trip", len(body)), body),
    ):
        eventually(lambda: f"POST /albums/trip/photos: fault {fault}" in lines)
    assert plan.counts == {fault: 1}


def test_chance_can_be_seeded(tmp_path: Path) -> None:
    def statuses(seed: int) -> list[int]:
        plan = parse_faults("503=50%")
        with receiving(tmp_path, faults=plan, rng=random.Random(seed)) as client:
            return [client.send("trip", b"%d" % number)[0] for number in range(20)]

    first = statuses(1)
    assert {503} < set(first)
    assert [status == 503 for status in statuses(1)] == [status == 503 for status in first]
