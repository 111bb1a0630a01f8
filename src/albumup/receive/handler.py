"""One connection to the receiver: HTTP/1.1 with keep-alive, a token, three addresses, and the faults asked for.

    GET  /                        {"server": "albumup", "version": 1, "store": id}
    POST /albums/ALBUM/photos     multipart/form-data -> 201 created, 200 duplicate
    POST /albums/ALBUM/ask        {"sha256": [...]} -> {"have": {sha256: name}}
                                  {"sha256": [...], "read": true} -> {"have": {...}, "read": true}, read from the disk

ALBUM is percent-encoded. Every answer is JSON; a refusal is {"error": words}. A body that does not arrive whole leaves
nothing behind, and "duplicate" is said of bytes that were read again.
"""

from __future__ import annotations

import contextlib
import errno
import hmac
import io
import json
import os
import re
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple, cast
from urllib.parse import unquote_to_bytes

from albumup.receive.connections import Connections
from albumup.receive.faults import SLOW, paced
from albumup.receive.folders import LinkInTheWay
from albumup.receive.form import BadForm, boundary_of, read_form
from albumup.receive.parts import Mismatch
from albumup.receive.store import Store, Tally

BLOCK = 256 * 1024  # bytes of a body in memory per connection
ASK_BYTES = 1024 * 1024
ASK_DIGESTS = 5000
NO_TOKEN = "the token is missing or wrong"
"""By these words a client knows a receiver that says nothing else to it."""
HEAD_BYTES = 64 * 1024  # request line and headers together
HEAD_SECONDS = 10.0  # from a head's first byte to its last, however steadily it drips
IDLE = 30.0  # seconds of silence between requests
SILENCE = 120.0  # seconds of silence within a body
LINGER = 5.0  # seconds to go on listening to a client that was refused in mid-sentence

_ROUTE = re.compile(r"/albums/([^/?#]+)/(photos|ask)")
_HEAD_END = re.compile(rb"\n\r?\n")
_HEADER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\n]*\n")
_DIGEST = re.compile("[0-9a-f]{64}")
_PORTAL = b"<!DOCTYPE html><html><title>Welcome</title><h1>Free Wi-Fi</h1><p>Please accept our terms.</p></html>"
_NOT_HTTP = b"\x16\x03\x01\x02\x00\x01SSH-2.0-nobody\r\n\x00\xff\xfe"
# Statuses a client can act on: its server's disk is full, this file system holds no file of that size, a link is there.
_DISK_STATUS = {errno.ENOSPC: 507, errno.EDQUOT: 507, errno.EFBIG: 413, errno.ELOOP: 403}


@dataclass(frozen=True, slots=True)
class Desk:
    """What all connections of a receiver serve from. ``pick`` says what befalls the next photo request, if anything."""

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


class Gone(Exception):
    """There is nobody left to answer: the client went away, or a fault took the connection."""


class Handler(BaseHTTPRequestHandler):
    """Serves one connection from the desk until either side ends it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = 16 * 1024
    timeout = IDLE

    def __init__(self, desk: Desk, *arguments: Any) -> None:
        self._desk = desk
        self._unread = 0  # bytes of the present request's body
        self._continue = False  # the client waits for a word before it sends the body
        super().__init__(*arguments)

    # What the standard library calls.

    def handle_one_request(self) -> None:
        """Read one head within its bounds, and serve what it asks for."""
        self._desk.connections.waits(self.connection)
        self._unread = 1  # until the headers tell, there may be more
        self._continue = False
        self.close_connection = True
        self.command, self.requestline, self.request_version = "", "", self.protocol_version
        try:
            head = self._read_head()
        except Refused as refused:
            with contextlib.suppress(Gone):
                self._send(refused.answer)
            return
        if head and self._parse(head):
            method = getattr(self, f"do_{self.command}", None)
            if method is None:
                self.send_error(501, f"Unsupported method ({self.command!r})")
            else:
                method()

    def _read_head(self) -> bytes:
        """Request line and headers to the empty line after them; b"" when the client leaves, or never begins.

        Raises Refused for one that is too long or takes too long, OSError when the line breaks.
        """
        head, deadline = bytearray(), None
        try:
            while came := cast(io.BufferedReader, self.rfile).peek(1):
                deadline = deadline or time.monotonic() + HEAD_SECONDS
                before = len(head)
                head += came
                end = _HEAD_END.search(head, max(0, before - 2))
                length = end.end() if end else len(head)
                if length > HEAD_BYTES:
                    raise Refused(431, f"a request's head has at most {HEAD_BYTES} bytes")
                self.rfile.read(length - before)
                if end:
                    self.connection.settimeout(self.timeout)
                    return bytes(head[:length])
                if (left := deadline - time.monotonic()) <= 0:
                    raise TimeoutError
                self.connection.settimeout(left)
        except TimeoutError:
            if head:
                raise Refused(408, f"a request's head is to be there within {HEAD_SECONDS:.0f} seconds") from None
        return b""

    def _parse(self, head: bytes) -> bool:
        """Have the standard library read a head; one that can be read in two ways is refused."""
        self.raw_requestline, _, headers = head.partition(b"\n")
        body, self.rfile = self.rfile, io.BytesIO(headers)
        try:
            if not self.parse_request():
                return False
        finally:
            self.rfile = body
        if not all(_HEADER.fullmatch(line) for line in headers.splitlines(keepends=True)[:-1]):
            self.send_error(400, "a line of the head is no header")
            return False
        return True

    def handle_expect_100(self) -> bool:
        self._continue = True  # said only when the body is wanted
        return True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what the standard library refuses by itself (a malformed or oversized head)."""
        self.close_connection = True
        words = message or explain or HTTPStatus(code).phrase
        with contextlib.suppress(Gone):
            self._send(Answer(code, {"error": words}))

    def log_message(self, format: str, *arguments: Any) -> None:
        self._desk.log(format % arguments)

    def _serve(self) -> None:
        try:
            self._send(self._answer())
        except Gone as gone:
            self.close_connection = True
            self._desk.log(f"{self.command} {self.path}: {gone}")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve

    # From request to answer.

    def _answer(self) -> Answer:
        try:
            self._measure()
            self._check_token()
            if not self._desk.connections.works(self.connection):
                self.close_connection = True
                raise Refused(503, "too many connections at once from this address", "Retry-After: 2")
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
            return Answer(status, {"error": f"cannot store it: {os.strerror(error.errno or errno.EIO)}"})

    def _measure(self) -> None:
        """How long the body is, by its Content-Length; a body of unknown length is refused."""
        lengths = set(self.headers.get_all("Content-Length", []))
        if "Transfer-Encoding" in self.headers or (self.command == "POST" and not lengths):
            raise Refused(411, "a body needs a Content-Length")
        if len(lengths) > 1 or not all(re.fullmatch("[0-9]{1,18}", length) for length in lengths):
            raise Refused(400, "Content-Length is not a number of bytes")
        self._unread = int(lengths.pop()) if lengths else 0

    def _check_token(self) -> None:
        if self._desk.token is None:
            # Open to the programs of this computer, and so, but for this, to every web page its browser shows.
            if "Origin" in self.headers:
                raise Refused(403, "web pages are not served")
            return
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode("latin-1"), self._desk.token):
            if not self._unread and self._is_ahead():
                self._unread = 1
            raise Refused(401, NO_TOKEN, "WWW-Authenticate: Bearer")

    def _is_ahead(self) -> bool:
        """Has the client sent more before it has its answer? A stranger who does would be refused without end."""
        self.connection.settimeout(0)
        try:
            return bool(cast(io.BufferedReader, self.rfile).peek(1))
        except OSError:
            return True
        finally:
            self.connection.settimeout(self.timeout)

    def _route(self) -> Answer:
        path = self.path.partition("?")[0]
        found = _ROUTE.fullmatch(path)
        if not found and path != "/":
            raise Refused(404, "there is nothing here")
        wanted = "POST" if found else "GET"
        if self.command != wanted:
            where = "" if found else "; photos go to /albums/NAME/photos"
            raise Refused(405, f"this address takes {wanted}{where}", f"Allow: {wanted}")
        if not found:
            return Answer(200, {"server": "albumup", "version": 1, "store": self._desk.store.id})
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
            return Answer(200, {"have": self._desk.store.have(album, digests, read=True), "read": True})
        return Answer(200, {"have": self._desk.store.have(album, digests)})

    def _photo(self, album: str) -> Answer:
        fault = self._desk.pick()
        if fault is None:
            return self._receive(album, self._body())
        self._desk.log(f"{self.command} {self.path}: fault {fault}")
        return self._suffer(fault, album)

    def _receive(self, album: str, blocks: Iterator[bytes]) -> Answer:
        boundary = boundary_of(self.headers.get("Content-Type", ""))
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
            raise self._reset() if fault == "drop" else self._stall()
        if fault == "slow":
            return self._receive(album, paced(self._body(), SLOW, time.monotonic, self._desk.stopping.wait))
        if fault == "lost-answer":
            self._receive(album, self._body())
            raise self._reset()
        if fault == "cut-answer":
            raise self._cut(self._receive(album, self._body()))
        for _ in self._body():
            pass
        if fault == "garbage":
            self._write(_NOT_HTTP)
            raise Gone("answered with garbage")
        if fault == "page":
            return Answer(200, _PORTAL)
        headers = ("Retry-After: 1",) if fault in ("429", "503") else ()
        return Answer(int(fault), {"error": "this fault was asked for"}, headers)

    # The wire.

    def _body(self, leave: int = 0) -> Iterator[bytes]:
        """The body in blocks, all but its last ``leave`` bytes. Raises Gone when it does not come."""
        try:
            if self._continue:
                self._continue = False
                self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.connection.settimeout(SILENCE)
            while self._unread > leave:
                block = self.rfile.read(min(BLOCK, self._unread - leave))
                if not block:
                    raise Gone("the body broke off")
                self._unread -= len(block)
                yield block
            self.connection.settimeout(self.timeout)
        except OSError as error:
            raise Gone(f"the body broke off: {error}") from error

    def _send(self, answer: Answer) -> None:
        """Send the answer; where the body was not read to its end, this is the connection's last word."""
        self.close_connection = self.close_connection or self._unread > 0
        head, body = self._framed(answer)
        self._write(head + body)
        self._desk.log(f"{self.command} {getattr(self, 'path', '')}: {answer.status}")
        if self._unread:
            self._linger()

    def _framed(self, answer: Answer) -> tuple[bytes, bytes]:
        page = isinstance(answer.body, bytes)
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        lines = [
            f"HTTP/1.1 {answer.status} {_phrase(answer.status)}",
            f"Content-Type: {'text/html' if page else 'application/json'}",
            f"Content-Length: {len(body)}",
            *answer.headers,
            *(["Connection: close"] if self.close_connection else []),
        ]
        head = "\r\n".join([*lines, "\r\n"]).encode("ascii")
        return head, b"" if self.command == "HEAD" else body

    def _write(self, data: bytes) -> None:
        try:
            self.wfile.write(data)
        except OSError as error:
            raise Gone(f"the answer was not taken: {error}") from error

    def _linger(self) -> None:
        """Swallow what the client is still sending: closing at once would reset, and its answer might be lost."""
        end = time.monotonic() + LINGER
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(1.0)
            swallowed = bytearray(16 * 1024)
            while time.monotonic() < end and self.connection.recv_into(swallowed):
                pass

    def _cut(self, answer: Answer) -> Gone:
        self.close_connection = True
        head, body = self._framed(answer)
        self._write(head + body[: len(body) // 2])
        return Gone("the answer was cut off")

    def _reset(self) -> Gone:
        """Close the socket in such a way that the client sees a reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()  # that is, as soon as the handler has ended and rfile lets go of it
        return Gone("the connection was reset")

    def _stall(self) -> Gone:
        """Read no more until the client has left or the receiver stops."""
        poll = select.poll()
        poll.register(self.connection, getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR)
        while not self._desk.stopping.is_set() and not poll.poll(100):
            pass
        return Gone("stalled to the end")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Fault"
