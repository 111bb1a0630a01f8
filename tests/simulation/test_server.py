"""The simulated server: what its ledger holds is what it took, whatever it says."""

from __future__ import annotations

import asyncio
import hashlib
import random

import pytest

from albumup.targets.multipart import frame
from simulation.line import Line
from simulation.loop import SimulatedLoop
from simulation.manners import Manner
from simulation.network import SimulatedNetwork
from simulation.plan import MANNERS
from simulation.server import Regime, Server
from simulation.wire import SimulatedWire

PHOTO = b"\xff\xd8 a photo " * 100
SHA256 = hashlib.sha256(PHOTO).hexdigest()


class Visit:
    """A server, and somebody who sends it a photo."""

    def __init__(self, kind: str = "blind", **manners: Manner) -> None:
        self.loop = SimulatedLoop(random.Random(1), most_seconds=1e6, most_steps=100_000)
        self.line = Line(self.loop, random.Random(2))
        self.told: list[str] = []
        self.server = Server(
            kind, self.loop, self.line, random.Random(3), lambda _, what: self.told.append(what),
            manners={int(number[1:]): manner for number, manner in manners.items()},
        )  # fmt: skip
        self.network = SimulatedNetwork(self.line, self.server.accept, lambda *_: None)

    def send(
        self, *, times: int = 1, declares: str = SHA256, most: int | None = None
    ) -> list[bytes]:
        """What was heard of each photo, within two minutes, on one connection."""
        boundary = "albumup-0123"
        framed = frame([("sha256", declares)], "file", "IMG_1.JPG", "image/jpeg", boundary)
        body = framed.head + PHOTO + framed.tail
        head = f"POST /albums/trip/photos HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n"
        request = (head + f"Content-Type: {framed.content_type}\r\n\r\n").encode() + body
        heard: list[bytes] = []

        async def life() -> None:
            wire = await self.network.connect("h", 80, context=None, proxy=None)
            for _ in range(times):
                wire.send(request[:most])
                heard.append(await _hear(wire))

        self.loop.play(life())
        return heard


async def _hear(wire: SimulatedWire) -> bytes:
    heard = b""
    await wire.wait(writing=False, seconds=120.0)
    await asyncio.sleep(1.0)
    while True:
        try:
            data = wire.recv(1000)
        except BlockingIOError:
            return heard
        except OSError:
            return heard + b"(reset)"
        if not data:
            return heard + b"(end)"
        heard += data


def test_an_honest_server_stores_and_says_so() -> None:
    visit = Visit()
    first, second = visit.send(times=2)
    assert first.startswith(b"HTTP/1.1 201 ")
    assert second.startswith(b"HTTP/1.1 201 ")
    assert visit.server.ledger.count(SHA256) == 2
    assert visit.server.ledger.whole(SHA256) == 2


@pytest.mark.parametrize(
    ("kind", "status", "copies"), [("dedupes", b"409", 1), ("asked", b"201", 2)]
)
def test_a_server_that_knows_digests_keeps_one(kind: str, status: bytes, copies: int) -> None:
    visit = Visit(kind)
    first, second = visit.send(times=2)
    assert first.split()[1] == b"201"
    assert second.split()[1] == status
    assert visit.server.ledger.count(SHA256) == copies


def test_a_body_that_is_cut_short_is_not_kept() -> None:
    visit = Visit()
    assert visit.send(most=900) == [b""]
    assert not visit.server.ledger.copies


def test_bytes_that_are_not_those_declared_are_not_kept() -> None:
    visit = Visit("asked")
    assert visit.send(declares="0" * 64)[0].split()[1] == b"422"
    assert not visit.server.ledger.copies


@pytest.mark.parametrize("name", sorted(MANNERS))
def test_each_manner_shows(name: str) -> None:
    """An ill-mannered server is not taken for an honest one: by what is heard, by its time, or by
    what it holds."""
    honest = Visit()
    heard, took = honest.send()[0], honest.loop.time()
    visit = Visit(_1=MANNERS[name])
    other = visit.send()[0]
    if name.startswith("early 201"):
        return  # of a body that comes at once it is none
    is_other = (
        other != heard or visit.loop.time() > took + 10.0 or not visit.server.ledger.holds(SHA256)
    )
    assert is_other, visit.told
    says_yes = other.startswith((b"HTTP/1.1 201 ", b"HTTP/1.1 103"))
    if says_yes and "early" not in name:
        assert visit.server.ledger.holds(SHA256)


def test_what_a_queued_job_deletes_is_gone() -> None:
    visit = Visit(_1=MANNERS["500, stored, deleted later"])
    assert visit.send()[0].split()[1] == b"500"
    assert visit.server.ledger.holds(SHA256)
    visit.loop.pass_time(60.0)
    assert not visit.server.ledger.holds(SHA256)
    assert visit.server.ledger.held_once(SHA256)


def test_a_regime_lasts_and_ends() -> None:
    visit = Visit("asked")
    visit.server.regimes.append(Regime("sick 502", 0.0, 60.0, MANNERS["502"], 502))
    assert visit.send()[0].split()[1] == b"502"
    answer = visit.server.small("GET", "http://h/", None).answer
    assert answer is not None and answer.status == 502
    visit.loop.pass_time(60.0)
    answer = visit.server.small("GET", "http://h/", None).answer
    assert answer is not None and answer.status == 200
    assert visit.send()[0].split()[1] == b"201"


def test_it_answers_what_it_truly_has() -> None:
    visit = Visit("asked")

    def has() -> bool:
        sent = visit.server.small(
            "POST", "http://h/albums/trip/ask", {"sha256": [SHA256, "0" * 64]}
        )
        assert sent.answer is not None
        return SHA256.encode() in sent.answer.body

    assert not has()
    visit.send()
    assert has()
    visit.server.delete(1)
    assert not has()
