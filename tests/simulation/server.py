"""A server with a ledger of what it truly holds; it can be ill-mannered, sick, busy, or refuse, for
a time.

It is one of three kinds: ``blind`` takes a form and cannot be asked; ``dedupes`` takes one, too,
and knows a photo by its digest; ``asked`` answers questions as a receiver of albumup's own does,
and keeps twice what it is sent twice.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from albumup.receive.handler import RECEIVER
from albumup.transfer.values import Answer, Fault, Sent
from simulation.ledger import Asked, Came, Copy, Ledger
from simulation.line import Line
from simulation.loop import SimulatedLoop
from simulation.manners import GARBAGE, HONEST, PORTAL, Manner, framed
from simulation.wire import SimulatedWire

FIRST, SECOND = "club.example.org", "home.example.org"
"""Its hosts; the second one may be another server's."""
SICK = (429, 502, 503, 504)
WINDOW = 64 << 10
_NAME = re.compile(rb'name="(?:file|photo)"; filename="([^"]*)"')
_LENGTH = re.compile(rb"\r\nContent-Length: (\d+)")
_FIELD = re.compile(rb'name="(\w+)"\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]*)\r\n--')


@dataclass
class Regime:
    """From ``since`` to ``until`` (virtual seconds) all photos are treated by ``manner``;
    ``questions``: what a small request gets meanwhile, 0 for its usual answer."""

    name: str
    since: float
    until: float
    manner: Manner
    questions: int = 0
    fired: bool = False


@dataclass
class Server:
    """``kind`` as above. ``manners`` by the number of the photo request, ``poison`` by the name of
    the photo."""

    kind: str
    loop: SimulatedLoop
    line: Line
    chance: random.Random
    tell: Callable[[str, str], None]
    ledger: Ledger = field(default_factory=Ledger)
    manners: dict[int, Manner] = field(default_factory=dict)
    poison: dict[str, Manner] = field(default_factory=dict)
    regimes: list[Regime] = field(default_factory=list)
    on_manner: Callable[[int], None] = lambda _: None
    on_poison: Callable[[Manner], None] = lambda _: None
    on_point: Callable[[str], None] = lambda _: None
    """Told of each point that a photo request comes to: ``begins``, ``whole``, ``answered``."""
    speed: float = 0.05
    """Seconds that a photo takes it, about."""
    stranger: str = ""
    """The host of another server, which gets nothing."""
    on_stranger: Callable[[str], None] = lambda _: None
    on_second: Callable[[], None] = lambda: None
    on_untold: Callable[[], None] = lambda: None
    """Told of a second answer that is not given, as nobody could tell it from the next photo's."""
    keeps: bool = True
    """It keeps connections from photo to photo."""

    def accept(self, host: str, port: int, wire: SimulatedWire) -> Connection:  # noqa: ARG002
        if host == self.stranger:
            self.on_stranger("a photo")
        elif host == SECOND:
            self.on_second()
        return Connection(self, wire)

    def regime(self) -> Regime | None:
        now = self.loop.time()
        found = next((one for one in self.regimes if one.since <= now < one.until), None)
        if found is not None:
            found.fired = True
        return found

    def manner_of(self, number: int, name: str) -> Manner:
        """How a request is treated."""
        if (regime := self.regime()) is not None:
            return regime.manner
        if number in self.manners:
            self.on_manner(number)
            return self.manners[number]
        if name in self.poison:
            self.on_poison(self.poison[name])
        return self.poison.get(name, HONEST)

    def sick_for(self) -> float:
        """Seconds that it goes on to answer all questions as one who is not well."""
        regime = self.regime()
        return (
            regime.until - self.loop.time()
            if regime is not None and regime.questions in SICK
            else 0.0
        )

    # The store.

    def keep(self, album: str, name: str, payload: bytes, number: int) -> tuple[int, Any]:
        """Store a photo; status and words of an honest answer."""
        sha256 = hashlib.sha256(payload).hexdigest()
        there = next(
            (copy for copy in self.ledger.copies if copy.sha256 == sha256 and copy.gone_at is None),
            None,
        )
        if self.kind == "dedupes" and there is not None:
            self.tell("server", f"has {name} already")
            return 409, {"id": f"p{there.request}", "message": "already here"}
        self.ledger.copies.append(Copy(sha256, album, name, number, self.loop.time()))
        self.tell("server", f"stores {name} ({sha256[:6]})")
        if self.kind == "asked":
            return 201, {"id": f"p{number}", "name": name, "sha256": sha256, "status": "created"}
        return 201, {"id": f"p{number}"}

    def delete(self, number: int) -> None:
        """A queued job deletes what a request brought."""
        for copy in self.ledger.copies:
            if copy.request == number and copy.gone_at is None:
                copy.gone_at = self.loop.time()
                self.tell("server", f"deletes {copy.name}")

    # Small requests.

    def small(self, method: str, url: str, question: Any) -> Sent:
        """What a question without a photo comes to, at this moment."""
        host = urlsplit(url).hostname or ""
        if host == self.stranger and method != "GET":
            self.on_stranger("a question about photos")
        if self.line.is_down or self.line.is_away(host):
            return Sent(None, Fault.NOT_REACHED, "connection refused", whole=False, bytes=0)
        regime = self.regime()
        if regime is not None and regime.questions:
            page = regime.manner.page
            body = PORTAL if page else b"{}"
            kind = "text/html" if page else "application/json"
            answer = Answer.of(
                regime.questions, "Said", {"content-type": kind}, body, complete=True
            )
            return Sent(answer, None, "", whole=True, bytes=0)
        status, said = self._said(method, urlsplit(url).path, question)
        self.tell("server", f"is asked {method} {urlsplit(url).path}: {status}")
        import json

        answer = Answer.of(
            status,
            "Said",
            {"content-type": "application/json", RECEIVER.lower(): f"of {host == self.stranger}"},
            json.dumps(said).encode(),
            complete=True,
            most=1 << 20,
        )
        return Sent(answer, None, "", whole=True, bytes=0)

    def _said(self, method: str, path: str, question: Any) -> tuple[int, Any]:
        if self.kind == "asked" and path.endswith("/ask") and method == "POST":
            have = {one: "name" for one in question["sha256"] if self.ledger.holds(one)}
            self.ledger.asked.append(
                Asked(self.loop.time(), frozenset(question["sha256"]) - have.keys())
            )
            return 200, {"have": have} | ({"read": True} if question.get("read") else {})
        if self.kind == "asked":
            return 200, {"server": "albumup", "version": 1, "store": "simulated"}
        return 204, {}


class Connection:
    """The server's side of one connection."""

    def __init__(self, server: Server, wire: SimulatedWire) -> None:
        self.arrived = 0
        self._server, self._wire = server, wire
        self._buffer = bytearray()
        self._is_open = True
        self._is_deaf = False
        self._unread = 0
        self._begun = 0
        self._owed = 0
        """Requests that have come whole and are not answered."""
        self._forget()

    def _forget(self) -> None:
        """The next request is another one."""
        self._came: Came | None = None
        self._manner: Manner | None = None
        self._head_end = self._length = 0
        self._has_spoken = False
        self._album = ""

    def room(self) -> int:
        return WINDOW - self._unread if self._is_open else WINDOW

    def received(self, data: bytes) -> None:
        if not self._is_open:
            self._wire.reset()
            return
        self.arrived += len(data)
        self._buffer += data
        if self._is_deaf:
            self._unread += len(data)
            return
        self._look()

    def ended(self) -> None:
        """A request that is not whole is dropped."""
        if self._is_open:
            self._is_open = False
            self._wire.hang_up()

    def lost(self) -> None:
        self._is_open = False

    def _look(self) -> None:
        if self._came is None and not self._read_head():
            return
        assert self._came is not None
        if self._manner is None:
            named = _NAME.search(self._buffer, self._head_end, self._head_end + 4096)
            if named is None and self.arrived < self._length:
                return
            name = named[1].decode() if named else ""
            self._manner = self._server.manner_of(self._came.number, name)
            self._wire.pace = self._manner.pace
        manner = self._manner
        is_whole = len(self._buffer) >= self._length
        if manner.kind == "early" and not self._has_spoken and self._would_lie(manner, is_whole):
            manner = self._manner = HONEST
        if (
            manner.kind in ("early", "deaf")
            and not self._has_spoken
            and len(self._buffer) >= manner.share * self._length
        ):
            self._speak_early(manner)
        if manner.kind == "breaks" and len(self._buffer) >= manner.share * self._length:
            self._tell("breaks it off")
            self._end("reset")
        if is_whole and self._is_open and not self._is_deaf:
            self._whole(manner)

    def _would_lie(self, manner: Manner, is_whole: bool) -> bool:
        """To say yes to all that came, and then not to have it, is a lie that nobody can tell;
        likewise "I have it" of a server that was told the digest."""
        if manner.status == 409:
            return self._server.kind != "blind"
        return is_whole and manner.status < 300 and not manner.page

    def foresee(self, data: bytes) -> tuple[int, int] | None:
        """The number and the length of the request that ``data`` begins, if it begins one."""
        if self.arrived or not self._is_open or self._is_deaf:
            return None
        head, end, _ = data.partition(b"\r\n\r\n")
        found = _LENGTH.search(head) if end else None
        return (self._server.line.requests + 1, len(head) + 4 + int(found[1])) if found else None

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._buffer[:end]).decode("latin-1")
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:])
        self._head_end = end + 4
        self._length = self._head_end + int(headers["content-length"])
        server = self._server
        server.line.requests += 1
        number = server.line.requests
        self._album = unquote(head.split(" ", 2)[1])
        self._boundary = headers.get("content-type", "").partition("boundary=")[2].strip('"')
        self._came = Came(
            number, self._boundary, server.loop.time(), self._wire.number, self._begun
        )
        self._begun += 1
        server.ledger.came.append(self._came)
        server.tell("server", f"request {number} begins")
        server.on_point("begins")
        return True

    # Ill manners.

    def _speak_early(self, manner: Manner) -> None:
        self._has_spoken = True
        if manner.kind == "deaf":
            self._is_deaf = True
            if manner.seconds:
                self._server.loop.outside(manner.seconds, self._hear_again)
            self._tell("stops reading")
            return
        said = {"id": "early"} if manner.status < 300 else {"error": "no"}
        self._say(
            framed(manner.status, said, page=manner.page, retry_after=manner.retry_after),
            f"{manner.status}, early",
        )
        self._end(manner.ends)
        if manner.ends == "hang":
            self._is_deaf = True

    def _hear_again(self) -> None:
        self._is_deaf, self._unread = False, 0
        self._wire.server_reads()
        self._look()

    def _whole(self, manner: Manner) -> None:
        """The body has come to its end."""
        assert self._came is not None
        came, server = self._came, self._server
        came.ended, came.sick_for = server.loop.time(), server.sick_for()
        request, number = bytes(self._buffer[self._head_end : self._length]), came.number
        del self._buffer[: self._length]
        self.arrived = len(self._buffer)
        name, payload, declared = _parsed(request, self._boundary)
        came.sha256 = hashlib.sha256(payload).hexdigest()
        album, has_spoken = self._album, self._has_spoken
        self._forget()
        self._owed += 1
        server.on_point("whole")
        if declared and declared != came.sha256:
            self._later(0.001, lambda: self._answer(422, {"error": "its bytes are others"}, came))
            return
        seconds = server.speed * (0.5 + server.chance.random()) + manner.seconds
        match manner.kind:
            case "early":
                if manner.stores and not has_spoken:
                    server.keep(album, name, payload, number)
                if not has_spoken:
                    self._later(
                        seconds, lambda: self._answer(manner.status, {"error": "no"}, came, manner)
                    )
            case "status":
                self._later(seconds, lambda: self._by_status(manner, album, name, payload, came))
            case "lost":
                self._later(seconds, lambda: self._lose(manner, album, name, payload, came))
            case _:
                self._later(seconds, lambda: self._honest(manner, album, name, payload, came))

    def _by_status(self, manner: Manner, album: str, name: str, payload: bytes, came: Came) -> None:
        if manner.stores:
            self._server.keep(album, name, payload, came.number)
            if manner.deletes is not None:
                self._server.loop.outside(manner.deletes, self._server.delete, came.number)
        said = (
            {"id": f"p{came.number}"}
            if manner.status < 300
            else {"error": f"it says {manner.status}"}
        )
        self._answer(manner.status, said, came, manner)

    def _lose(self, manner: Manner, album: str, name: str, payload: bytes, came: Came) -> None:
        if manner.stores:
            self._server.loop.outside(
                manner.after, self._server.keep, album, name, payload, came.number
            )
        came.answer = "lost"
        self._tell(f"does not answer request {came.number}")
        self._end(manner.ends)

    def _honest(self, manner: Manner, album: str, name: str, payload: bytes, came: Came) -> None:
        status, said = self._server.keep(album, name, payload, came.number)
        match manner.kind:
            case "garbage":
                self._say(GARBAGE, "garbage")
                self._end("close")
            case "half":
                data = framed(status, said)
                self._say(data[: int(len(data) * manner.share)], "half an answer")
                self._end("close")
            case _:
                self._answer(status, said, came, manner)
                if manner.kind == "twice":
                    again = framed(status, said)
                    seconds = self._server.chance.uniform(0.0, 0.03 + 4 * self._server.line.latency)
                    self._later(seconds, lambda: self._say_again(again, manner.ends))

    def _say_again(self, data: bytes, ends: str) -> None:
        if self._owed or self._has_all():
            # It would be the answer to the photo that waits for one: all of that is acknowledged,
            # read or not (docs/promise.md, "What cannot be seen").
            self._server.on_untold()
            return
        self._say(data, "the same again")
        self._end(ends)

    def _has_all(self) -> bool:
        """Has a request come whole, and was not read to its end?"""
        return self._came is not None and self.arrived >= self._length

    # Speaking.

    def _answer(self, status: int, said: Any, came: Came, manner: Manner = HONEST) -> None:
        came.answer = str(status)
        self._owed -= 1
        ends = "keep" if manner.kind == "twice" else manner.ends
        closes = not self._server.keeps or ends in ("close", "reset") or manner.dress == "no length"
        says_so = closes and self._server.chance.random() < 0.5
        data = framed(
            status,
            said,
            page=manner.page,
            retry_after=manner.retry_after,
            dress=manner.dress,
            closes=says_so,
        )
        words = f"answers request {came.number}: {status}" + (" page" if manner.page else "")
        if manner.dress == "drips":
            half = len(data) // 2
            self._say(data[:half], words)
            self._later(3.0, lambda: self._say(data[half:], "the rest of it"))
            return
        self._say(data, words)
        self._end("close" if closes and ends == "keep" else ends)

    def _say(self, data: bytes, words: str) -> None:
        if self._is_open:
            self._tell(words)
            self._wire.say(data)
            self._server.on_point("answered")

    def _end(self, how: str) -> None:
        if how == "close" and self._is_open:
            self._is_open = False
            self._wire.hang_up()
        elif how == "reset" and self._is_open:
            self._is_open = False
            self._wire.reset()

    def _later(self, seconds: float, call: Callable[[], object]) -> None:
        self._server.loop.outside(seconds, call)

    def _tell(self, words: str) -> None:
        self._server.tell("server", words)


def _parsed(body: bytes, boundary: str) -> tuple[str, bytes, str]:
    """Name, bytes and the digest that was declared, of a form; of one that is none, no bytes."""
    end = body.rfind(f"\r\n--{boundary}--".encode())
    named = _NAME.search(body)
    if end < 0 or named is None:
        return "", b"", ""
    start = body.index(b"\r\n\r\n", named.end()) + 4
    fields = {
        name.decode(): value.decode() for name, value in _FIELD.findall(body[: named.start()])
    }
    return named[1].decode(), body[start:end], fields.get("sha256", "")
