"""One connection to the receiver: HTTP/1.1 with keep-alive, a token, three addresses, and faults
on purpose.

    GET  /                        {"server": "albumup", "version": 1, "store": id}
    POST /albums/ALBUM/photos     multipart/form-data -> 201 created, 200 duplicate
    POST /albums/ALBUM/ask        {"sha256": [...]} -> {"have": {sha256: name}}
                                  {"sha256": [...], "read": true} -> {"have": {...}, "read": true}
                                  (each photo was read again from the disk)

ALBUM is percent-encoded. GET / also says to strangers which receiver this is: Albumup-Receiver is
a digest of its store's id, the same under all its addresses. Every answer is JSON; a refusal is
{"error": words}. A body that breaks off leaves nothing behind. "duplicate" is said only after the
photo there was read again.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from socketserver import BaseRequestHandler
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from albumup.receive.connections import Connections
from albumup.receive.faults import SLOW, paced
from albumup.receive.form import BadForm, boundary_of, read_form
from albumup.receive.head import BadHead, Head, parse_head
from albumup.receive.line import Gone, Line
from albumup.receive.no_links import LinkInTheWay
from albumup.receive.parts import Mismatch
from albumup.receive.store import Store, Tally

BLOCK = 256 * 1024  # bytes of a body in memory per connection
ASK_BYTES = 1024 * 1024
ASK_DIGESTS = 5000
NO_TOKEN = "the token is missing or wrong"
"""A client without a token knows a receiver by these words."""
RECEIVER = "Albumup-Receiver"
"""A client tells this receiver from others by this header."""
HEAD_BYTES = 64 * 1024  # request line and headers together
HEAD_SECONDS = 10.0  # from a head's first byte to its last
IDLE = 30.0  # seconds of silence between requests
SILENCE = 120.0  # seconds of silence within a body

_ROUTE = re.compile(r"/albums/([^/?#]+)/(photos|ask)")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_NO_HEAD = Head("", "", True, {})
_DIGEST = re.compile("[0-9a-f]{64}")
_PORTAL = (
    b"<!DOCTYPE html><html><title>Welcome</title>"
    b"<h1>Free Wi-Fi</h1><p>Please accept our terms.</p></html>"
)
_NOT_HTTP = b"\x16\x03\x01\x02\x00\x01SSH-2.0-nobody\r\n\x00\xff\xfe"
# Statuses that a client can act on: the disk is full, the file is too large for the file system, a
# link is in the way.
_DISK_STATUS = {errno.ENOSPC: 507, errno.EDQUOT: 507, errno.EFBIG: 413, errno.ELOOP: 403}


@dataclass(frozen=True, slots=True)
class Desk:
    """The common part of a receiver's connections. ``pick``: the fault of the next photo's request,
    if any."""

    store: Store
    token: bytes | None
    pick: Callable[[], str | None]
    stopping: threading.Event
    log: Callable[[str], None]
    connections: Connections
    tally: Tally


class Answer(NamedTuple):
    """A status, a JSON object or a page, and header lines besides the usual ones."""

    status: int
    body: dict[str, Any] | bytes
    headers: tuple[str, ...] = ()


class Refused(Exception):
    """Ends a request with a status, words and header lines."""

    def __init__(self, status: int, message: str, *headers: str) -> None:
        super().__init__(message)
        self.answer = Answer(status, {"error": message}, headers)


class Handler(BaseRequestHandler):
    """Serves one connection from the desk until either side ends it."""

    timeout = IDLE

    def __init__(self, desk: Desk, *arguments: Any) -> None:
        self._desk = desk
        self._is_last = False  # no request follows over this connection
        self._unread = 0  # bytes of the present request's body
        self._continue = False  # the client waits for "100 Continue" before it sends the body
        self._head = _NO_HEAD
        super().__init__(*arguments)

    def handle(self) -> None:
        """Serve the connection; the standard library calls this in a thread of its own."""
        self._line = Line(self.request)
        while not self._is_last:
            self._desk.connections.waits(self.request)
            self._is_last = not self._serve_one()

    def _serve_one(self) -> bool:
        """Read a request's head, and serve the request. False if no request follows.

        Raises OSError if the line breaks before the head is whole.
        """
        self._unread = 1  # a body may follow, until the headers say how long it is
        self._continue = False
        self._head = _NO_HEAD
        try:
            try:
                head = self._line.read_head(HEAD_BYTES, HEAD_SECONDS, self.timeout)
                if not head:
                    return False
                self._head = parse_head(head)
                if self._head.method not in _METHODS:
                    raise BadHead(501, f"Unsupported method ({self._head.method!r})")
            except BadHead as bad:
                self._send(Answer(bad.status, {"error": str(bad)}))
                return False
            self._is_last = self._head.is_last
            self._continue = self._head.waits_for_word
            self._send(self._answer())
        except Gone as gone:
            self._desk.log(f"{self._asked}: {gone}")
            return False
        return not self._is_last

    @property
    def _asked(self) -> str:
        """For the log: the request's method and address, as the client sent them."""
        return f"{self._head.method} {self._head.target}"

    # From request to answer.

    def _answer(self) -> Answer:
        try:
            self._measure()
            self._check_token()
            if not self._desk.connections.works(self.request):
                self._is_last = True
                raise Refused(
                    503, "too many connections at once from this address", "Retry-After: 2"
                )
            return self._route()
        except Refused as refused:
            return refused.answer
        except BadForm as bad:
            return Answer(bad.status, {"error": str(bad)})
        except Mismatch as mismatch:
            return Answer(422, {"error": str(mismatch)})
        except LinkInTheWay as link:
            return Answer(403, {"error": link.strerror})
        except OSError as error:  # of the disk; what the network says is Gone
            status = _DISK_STATUS.get(error.errno or 0, 500)
            return Answer(
                status, {"error": f"cannot store it: {os.strerror(error.errno or errno.EIO)}"}
            )

    def _measure(self) -> None:
        """Read the body's length from Content-Length; a body of unknown length is refused."""
        lengths = set(self._head.all("content-length"))
        is_missing = self._head.method == "POST" and not lengths
        if is_missing or self._head.all("transfer-encoding"):
            raise Refused(411, "a body needs a Content-Length")
        if len(lengths) > 1 or not all(re.fullmatch("[0-9]{1,18}", length) for length in lengths):
            raise Refused(400, "Content-Length is not a number of bytes")
        self._unread = int(lengths.pop()) if lengths else 0

    def _check_token(self) -> None:
        if self._desk.token is None:
            # Programs of this computer are let in. Web pages in its browser are not.
            if self._head.all("origin"):
                raise Refused(403, "web pages are not served")
            return
        scheme, _, token = self._head.first("authorization").partition(" ")
        is_right = hmac.compare_digest(token.strip().encode("latin-1"), self._desk.token)
        if scheme.lower() != "bearer" or not is_right:
            # A stranger who sends more before the answer would be refused without end.
            if not self._unread and self._line.is_ahead():
                self._unread = 1
            raise Refused(401, NO_TOKEN, "WWW-Authenticate: Bearer", *self._name())

    def _name(self) -> tuple[str, ...]:
        """The header line that tells this receiver from others, for GET /."""
        if self._head.target.partition("?")[0] != "/":
            return ()
        name = hashlib.sha256(f"receiver {self._desk.store.id}".encode()).hexdigest()
        return (f"{RECEIVER}: {name[:32]}",)

    def _route(self) -> Answer:
        path = self._head.target.partition("?")[0]
        found = _ROUTE.fullmatch(path)
        if not found and path != "/":
            raise Refused(404, "there is nothing here")
        wanted = "POST" if found else "GET"
        if self._head.method != wanted:
            where = "" if found else "; photos go to /albums/NAME/photos"
            raise Refused(405, f"this address takes {wanted}{where}", f"Allow: {wanted}")
        if not found:
            said = {"server": "albumup", "version": 1, "store": self._desk.store.id}
            return Answer(200, said, self._name())
        album = unquote_to_bytes(found[1].encode("latin-1")).decode("utf-8", "surrogateescape")
        return self._photo(album) if found[2] == "photos" else self._ask(album)

    def _ask(self, album: str) -> Answer:
        if self._unread > ASK_BYTES:
            raise Refused(413, f"a question has at most {ASK_BYTES} bytes")
        try:
            question = json.loads(b"".join(self._body()))
        except (ValueError, RecursionError) as error:
            raise Refused(400, "the question is not JSON") from error
        digests = question.get("sha256") if isinstance(question, dict) else None
        if not isinstance(digests, list) or len(digests) > ASK_DIGESTS:
            raise Refused(422, f"a question is {{'sha256': [at most {ASK_DIGESTS} digests]}}")
        if not all(isinstance(digest, str) and _DIGEST.fullmatch(digest) for digest in digests):
            raise Refused(422, "a digest has 64 lower-case hexadecimal digits")
        if question.get("read") is True:
            return Answer(
                200, {"have": self._desk.store.have(album, digests, read=True), "read": True}
            )
        return Answer(200, {"have": self._desk.store.have(album, digests)})

    def _photo(self, album: str) -> Answer:
        fault = self._desk.pick()
        if fault is None:
            return self._receive(album, self._body())
        self._desk.log(f"{self._asked}: fault {fault}")
        return self._suffer(fault, album)

    def _receive(self, album: str, blocks: Iterator[bytes]) -> Answer:
        boundary = boundary_of(self._head.first("content-type"))
        with self._desk.store.incoming() as part:
            declared = read_form(blocks, boundary, self._unread, part.write)
            part.check(declared.size, declared.sha256)
            stored = self._desk.store.keep(part, album, declared.name, declared.mtime_ns)
            self._desk.tally.note(stored, part.size)
        status = "created" if stored.created else "duplicate"
        answer = {"id": stored.id, "name": stored.name, "sha256": stored.sha256, "status": status}
        return Answer(201 if stored.created else 200, answer)

    def _suffer(self, fault: str, album: str) -> Answer:
        if fault in ("drop", "stall"):
            half = self._unread // 2
            for _ in self._body(leave=self._unread - half):
                pass
            if fault == "drop":
                raise self._line.reset()
            raise self._line.stall(self._desk.stopping.is_set)
        if fault == "slow":
            return self._receive(
                album, paced(self._body(), SLOW, time.monotonic, self._desk.stopping.wait)
            )
        if fault == "lost-answer":
            self._receive(album, self._body())
            raise self._line.reset()
        if fault == "cut-answer":
            raise self._cut(self._receive(album, self._body()))
        for _ in self._body():
            pass
        if fault == "garbage":
            self._line.write(_NOT_HTTP, self.timeout)
            raise Gone("answered with garbage")
        if fault == "page":
            return Answer(200, _PORTAL)
        headers = ("Retry-After: 1",) if fault in ("429", "503") else ()
        return Answer(int(fault), {"error": "this fault was asked for"}, headers)

    # The wire.

    def _body(self, leave: int = 0) -> Iterator[bytes]:
        """The body in blocks, without its last ``leave`` bytes. Raises Gone if it breaks off."""
        if self._continue:
            self._continue = False
            self._line.write(b"HTTP/1.1 100 Continue\r\n\r\n", self.timeout)
        while self._unread > leave:
            block = self._line.read(min(BLOCK, self._unread - leave), SILENCE)
            self._unread -= len(block)
            yield block

    def _send(self, answer: Answer) -> None:
        """Send the answer. If the body was not read to its end, the connection ends."""
        self._is_last = self._is_last or self._unread > 0
        head, body = self._framed(answer)
        self._line.write(head + body, self.timeout)
        self._desk.log(f"{self._asked}: {answer.status}")
        if self._unread:
            self._line.linger()

    def _framed(self, answer: Answer) -> tuple[bytes, bytes]:
        if isinstance(answer.body, bytes):
            kind, body = "text/html", answer.body
        else:
            kind, body = "application/json", json.dumps(answer.body).encode()
        lines = [
            f"HTTP/1.1 {answer.status} {_phrase(answer.status)}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
            *answer.headers,
        ]
        if self._is_last:
            lines.append("Connection: close")
        head = "\r\n".join([*lines, "\r\n"]).encode("ascii")
        return head, b"" if self._head.method == "HEAD" else body

    def _cut(self, answer: Answer) -> Gone:
        self._is_last = True
        head, body = self._framed(answer)
        self._line.write(head + body[: len(body) // 2], self.timeout)
        return Gone("the answer was cut off")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Fault"
