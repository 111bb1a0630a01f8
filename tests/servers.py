"""The server of the tests: on loopback, it does as a script says: well, badly, or not at all.

A script is a sequence of steps, a step a function of the connection; each connection follows a
script of its own::

    with Server([head, read(16_384), answer(413), stall]) as server: ...

``FormServer`` takes multipart/form-data and keeps a ledger. It says what ``answer`` finds for a
photo, holds back what it is told to hold back, and its ``rule`` may put a script in place of these
good manners, photo by photo. Answers leave in one write and without delay, so that what a client
sees does not depend on luck.

Other servers of the tests are other programs: Immich's (tests/immich), the program's own receiver,
the one of the simulated world (tests/simulation), and the benchmarks' in C.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import re
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import trustme

PATIENCE = 30.0
"""Seconds until a test gives up on something that should have come at once."""

Step = Callable[["Line"], object]
Script = Sequence[Step]


class Gone(Exception):
    """The connection has ended, by either side."""


@dataclass(frozen=True)
class Head:
    """A request's head. ``lines`` are its header lines in wire order, ``headers`` the same with
    lower-case names."""

    method: str
    target: str
    lines: tuple[tuple[str, str], ...]
    raw: bytes

    @property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.lines}


@dataclass(frozen=True)
class Received:
    """A form that arrived whole. ``kept``: the server has its photo now, whatever it answers;
    ``said``: what it answers, where somebody wants to know."""

    fields: dict[str, str]
    filename: str
    sha256: str
    size: int = 0
    head: Head | None = field(default=None, compare=False)
    kept: bool = True
    said: str = ""

    @property
    def path(self) -> str:
        assert self.head is not None
        return self.head.target

    @property
    def headers(self) -> dict[str, str]:
        assert self.head is not None
        return self.head.headers


class Line:
    """The server's side of one connection. ``seen`` is all that has come (at a form server, since
    the last request began), ``head`` the present request's, ``received`` the last form."""

    def __init__(self, connection: socket.socket, server: Server) -> None:
        self.socket = connection
        self.server = server
        self.head: Head | None = None
        self.received: Received | None = None
        self.seen = bytearray()
        self.unread = 0
        self._buffer = bytearray()

    def more(self) -> None:
        try:
            data = self.socket.recv(1 << 18)
        except OSError as error:
            raise Gone(str(error)) from error
        if not data:
            raise Gone("closed by the client")
        self.seen += data
        self._buffer += data

    def take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self.more()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    def forget(self) -> None:
        """Let go of the bytes that have come, where there are many connections."""
        self.seen.clear()
        self._buffer.clear()

    def take_head(self) -> Head:
        raw = self.take(self.find(b"\r\n\r\n") + 4)
        first, *lines = raw.decode("latin-1").strip().split("\r\n")
        method, target, _ = first.split(" ")
        pairs = tuple(
            (name, value.strip()) for name, _, value in (line.partition(":") for line in lines)
        )
        self.head = Head(method, target, pairs, raw)
        self.unread = int(self.head.headers.get("content-length", "0"))
        return self.head

    def take_body(self, size: int | None = None) -> bytes:
        size = self.unread if size is None else min(size, self.unread)
        self.unread -= size
        return self.take(size)

    def fill(self, size: int) -> Iterator[int]:
        """Let that many bytes of the body come, and take none of them: how many came, each time."""
        while (had := len(self._buffer)) < min(size, self.unread):
            self.more()
            yield len(self._buffer) - had

    def pieces(self) -> Iterator[bytes]:
        """What is left of the body, as it comes; it is kept nowhere, however long it is."""
        while self.unread:
            piece = self._buffer[: self.unread] or self.socket.recv(min(self.unread, 1 << 18))
            if not piece:
                raise Gone("closed by the client")
            del self._buffer[: len(piece)]
            self.unread -= len(piece)
            yield bytes(piece)

    def find(self, mark: bytes) -> int:
        """Where ``mark`` is in what was not yet taken."""
        while (at := self._buffer.find(mark)) < 0:
            self.more()
        return at

    def peek_filename(self) -> str:
        """The name of the photo whose body is about to be taken."""
        at = self.find(b'filename="') + 10
        return self._buffer[at : self.find(b'"\r\nContent-Type')].decode()

    def send(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Gone(str(error)) from error


# Steps.


def head(line: Line) -> None:
    """Read a request's head."""
    line.take_head()


def read(size: int) -> Step:
    """Read that many bytes of the body."""
    return lambda line: line.take_body(size)


def body(line: Line) -> None:
    """Read what is left of the body."""
    line.take_body()


def photo(line: Line) -> None:
    """Read the whole body and enter its photo in the ledger."""
    line.server.enter(form_of(line))


def form_of(line: Line) -> Received:
    """Read a whole form, file part last, as strictly as the strictest server."""
    assert line.head is not None
    boundary = b"--" + line.head.headers["content-type"].partition("boundary=")[2].encode()
    data = line.take_body()
    assert data.startswith(boundary + b"\r\n"), data[:100]
    end = b"\r\n" + boundary + b"--\r\n"
    assert data.endswith(end), data[-100:]
    fields: dict[str, str] = {}
    *texts, last = data[len(boundary) + 2 : -len(end)].split(b"\r\n" + boundary + b"\r\n")
    for text in texts:
        headers, _, value = text.partition(b"\r\n\r\n")
        fields[_quoted(headers, b"name")] = value.decode()
    headers, _, payload = last.partition(b"\r\n\r\n")
    digest = hashlib.sha256(payload).hexdigest()
    line.received = Received(fields, _quoted(headers, b"filename"), digest, len(payload), line.head)
    return line.received


def _quoted(headers: bytes, key: bytes) -> str:
    found = re.search(rb'[ ;]%s="([^"]*)"' % key, headers)
    assert found, headers
    return found[1].decode()


def answer(
    status: int,
    said: object = b"",
    headers: Sequence[tuple[str, str]] = (),
    mime: str = "application/json",
    reason: str = "",
) -> Step:
    """Answer, with bytes or JSON."""
    data = said if isinstance(said, bytes) else json.dumps(said).encode()
    first = f"HTTP/1.1 {status} {reason or http.client.responses.get(status, 'Said')}"
    lines = [f"{name}: {value}" for name, value in headers]
    lines += [f"Content-Type: {mime}", f"Content-Length: {len(data)}"]
    raw = "\r\n".join([first, *lines, "\r\n"]).encode("latin-1") + data

    def step(line: Line) -> None:
        line.server.answering(line, status)
        line.send(raw)

    return step


def page(status: int = 200) -> Step:
    """What a captive portal says."""
    return answer(
        status, b"<!DOCTYPE html><html><h1>Free Wi-Fi</h1></html>", mime="text/html; charset=utf-8"
    )


def interim(status: int) -> Step:
    return send(b"HTTP/1.1 %d Wait\r\nLink: </style.css>\r\n\r\n" % status)


def send(data: bytes) -> Step:
    """Send just these bytes."""
    return lambda line: line.send(data)


def flood(data: bytes) -> Step:
    """Send these bytes over and over, until the client has had enough."""

    def step(line: Line) -> None:
        while not line.server.told.is_set():
            line.send(data)

    return step


def drip(data: bytes, seconds: float = 0.05) -> Step:
    """Send a byte at a time, one each ``seconds``, until the client has had enough or the server is
    told."""

    def step(line: Line) -> None:
        for byte in data:
            line.send(bytes([byte]))
            if line.server.told.wait(seconds):
                return

    return step


def stall(line: Line) -> None:
    """Do nothing until the server is told to go on, or closed."""
    line.server.told.wait(PATIENCE)


def until_gone(line: Line) -> None:
    """Take nothing more, until the client hangs up, or the server is told to go on."""
    poll = select.poll()
    poll.register(line.socket, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
    while not line.server.told.is_set() and not poll.poll(50):
        pass
    raise Gone("closed by the client")


def linger(line: Line) -> None:
    """Say no more, but go on listening, as careful servers do before they close."""
    with contextlib.suppress(OSError):
        line.socket.shutdown(socket.SHUT_WR)
    until_closed(line)


def until_closed(line: Line) -> None:
    """Take whatever comes, until the client closes."""
    with contextlib.suppress(Gone):
        while True:
            line.more()
    raise Gone("closed by the client")


def reset(line: Line) -> None:
    """End the connection so that the client sees a reset."""
    line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    close(line)


def close(line: Line) -> None:
    line.socket.close()
    raise Gone("closed by the script")


def start_tls(context: ssl.SSLContext) -> Step:
    """From here on it is TLS: the inside of a proxy's tunnel."""

    def step(line: Line) -> None:
        line.socket = context.wrap_socket(line.socket, server_side=True)
        line.seen.clear()

    return step


def tell(event: threading.Event) -> Step:
    """Let the test know that the script has come to here."""
    return lambda _line: event.set()


def server_tls(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """The server's side of TLS, with a certificate for ``names``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


TAKEN: Script = (photo, answer(200, {"status": "ok"}))
"""What a good server does once it has read the head of a photo's request."""


class Server:
    """Each connection follows the script of its number, those beyond the last one the last.
    ``told`` ends stalls."""

    def __init__(
        self, *scripts: Script, tls: ssl.SSLContext | None = None, window: int = 0
    ) -> None:
        self.told = threading.Event()
        self.ledger: list[Received] = []
        self.trouble: list[BaseException] = []
        self._scripts = scripts
        self._tls = tls
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._lines: list[tuple[Line, threading.Thread]] = []
        self._listener = socket.socket()
        if window:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def origin(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return self.origin

    @property
    def connections(self) -> int:
        with self._lock:
            return len(self._lines)

    def line(self, number: int = 0, *, ended: bool = True) -> Line:
        """A connection, once its script has come to its end."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._lines) > number, PATIENCE), (
                "nobody connected"
            )
            line, thread = self._lines[number]
        if ended:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "the script has not ended"
        return line

    def enter(self, received: Received) -> None:
        with self._lock:
            self.ledger.append(received)

    def answering(self, line: Line, status: int) -> None:
        """Called before an answer leaves."""

    def refuse(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def close(self) -> None:
        self.told.set()
        self.refuse()
        with self._lock:
            lines = list(self._lines)
        for line, thread in lines:
            with contextlib.suppress(OSError):
                line.socket.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        if kind is None:
            assert not self.trouble, self.trouble

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line = Line(connection, self)
            with self._changed:
                thread = threading.Thread(
                    target=self._follow, args=(line, len(self._lines)), daemon=True
                )
                self._lines.append((line, thread))
                thread.start()
                self._changed.notify_all()

    def _follow(self, line: Line, number: int) -> None:
        try:
            if self._tls:
                line.socket = self._tls.wrap_socket(line.socket, server_side=True)
            self.serve(line, number)
        except (Gone, OSError):
            pass
        except BaseException as error:  # noqa: BLE001 - the test must hear of it
            self.trouble.append(error)
        finally:
            line.socket.close()

    def serve(self, line: Line, number: int) -> None:
        if self._scripts:
            for step in self._scripts[min(number, len(self._scripts) - 1)]:
                step(line)


def _middle(line: Line) -> None:
    """Read half of the body, and the rest when it may be read."""
    for _ in line.fill(line.unread // 2):
        pass
    _form_server(line).may_read.wait(2 * PATIENCE)


def _held(line: Line) -> None:
    _form_server(line).may_answer.wait(2 * PATIENCE)


def _say(line: Line) -> None:
    assert line.received is not None
    _form_server(line).answer(line.received)(line)


def _form_server(line: Line) -> FormServer:
    assert isinstance(line.server, FormServer)
    return line.server


Rule = Callable[[int, str], Script | None]
"""A script for a photo, by the number of its request and its file's name; None is good manners."""


class FormServer(Server):
    """Takes multipart/form-data at any path. ``ledger`` is what came whole, in order.

    Clear ``may_read`` and bodies stay unread in the middle; clear ``may_answer`` and answers are
    held back. A request's head has been read when ``rule`` is asked. Anything but a form gets what
    ``question`` says, an empty 200.
    """

    def __init__(
        self, rule: Rule = lambda _number, _name: None, tls: ssl.SSLContext | None = None
    ) -> None:
        self.rule = rule
        self.taken: Script = (_middle, photo, _held, _say)
        """What is done with a photo that the rule has no script for."""
        self.answer: Callable[[Received], Step] = lambda _: answer(200, {})
        self.question: Callable[[], Script] = lambda: (answer(200),)
        self.may_read = threading.Event()
        self.may_answer = threading.Event()
        self.may_read.set()
        self.may_answer.set()
        self.requests: list[str] = []
        """The names of all photos that began to come."""
        self.most_in_flight = 0
        self.most_before_first = 0
        """The most photos that were in flight at once before the first one was accepted."""
        self._in_flight: set[Line] = set()
        self._accepted = False
        # A small window, so that a body that is not read does not fit into the kernel.
        super().__init__(tls=tls, window=64 << 10)

    @property
    def url(self) -> str:
        """Where it may be sent photos."""
        return f"{self.origin}/upload"

    @property
    def names(self) -> list[str]:
        """The photos that arrived whole."""
        with self._lock:
            return [received.filename for received in self.ledger]

    @property
    def digests(self) -> list[str]:
        with self._lock:
            return [received.sha256 for received in self.ledger]

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    def says(self, status: int) -> None:
        """From now on it has this answer to everything."""
        self.answer = lambda _: answer(status, {})
        self.question = lambda: (answer(status),)

    def close(self) -> None:
        self.may_read.set()
        self.may_answer.set()
        super().close()

    def serve(self, line: Line, _number: int) -> None:
        try:
            while not line.unread:  # an early answer is the connection's last word
                line.seen.clear()
                kind = line.take_head().headers.get("content-type", "")
                if kind.partition(";")[0] == "multipart/form-data":
                    self._take(line)
                else:
                    line.take_body()
                    for step in self.question():
                        step(line)
        finally:
            line.forget()

    def _take(self, line: Line) -> None:
        script = self._begun(line)
        try:
            for step in script:
                step(line)
        finally:
            self._ended(line)

    def _begun(self, line: Line) -> Script:
        name = line.peek_filename()
        with self._lock:
            self.requests.append(name)
            count = len(self.requests)
            self._in_flight.add(line)
            self.most_in_flight = max(self.most_in_flight, len(self._in_flight))
            if not self._accepted:
                self.most_before_first = max(self.most_before_first, len(self._in_flight))
        return self.rule(count, name) or self.taken

    def answering(self, line: Line, status: int) -> None:
        if 200 <= status < 300:
            self._accepted = True
        self._ended(line)

    def _ended(self, line: Line) -> None:
        with self._lock:
            self._in_flight.discard(line)
