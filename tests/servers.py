"""Servers on loopback that do as a script says: well, badly, or not at all.

A script is a sequence of steps, a step a function of the connection; each connection follows a
script of its own::

    with Server([head, read(16_384), answer(413), stall]) as server: ...

``FormSink`` takes multipart/form-data and keeps a ledger; its ``rule`` may put a script in place of
the good manners, photo by photo. Answers leave in one write and without delay, so that what a
client sees does not depend on luck.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

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
    """A form that arrived whole."""

    fields: dict[str, str]
    filename: str
    sha256: str
    size: int = 0
    head: Head | None = field(default=None, compare=False)


class Line:
    """The server's side of one connection. ``seen`` is all that has come, ``head`` the present
    request's."""

    def __init__(self, connection: socket.socket, server: Server) -> None:
        self.socket = connection
        self.server = server
        self.head: Head | None = None
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
    return Received(fields, _quoted(headers, b"filename"), digest, len(payload), line.head)


def _quoted(headers: bytes, key: bytes) -> str:
    found = re.search(rb'[ ;]%s="([^"]*)"' % key, headers)
    assert found, headers
    return found[1].decode()


def answer(
    status: int,
    said: object = b"",
    headers: Sequence[tuple[str, str]] = (),
    mime: str = "application/json",
) -> Step:
    """Answer, with bytes or JSON."""
    data = said if isinstance(said, bytes) else json.dumps(said).encode()
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {mime}", f"Content-Length: {len(data)}"]
    raw = (
        "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers), "\r\n"]).encode()
        + data
    )

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
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

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

    def __enter__(self) -> Server:
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


class FormSink(Server):
    """A form server that takes every photo, but for those that ``rule(number of the request,
    filename)`` has a script for; the request's head has been read by then. Anything but a form gets
    what ``question`` says, an empty 200."""

    def __init__(
        self,
        rule: Callable[[int, str], Script | None] = lambda _number, _name: None,
        tls: ssl.SSLContext | None = None,
        taken: Script = TAKEN,
    ) -> None:
        self.rule = rule
        self.taken = taken
        self.question: Callable[[], Script] = lambda: (answer(200),)
        """What is done with a request that is no form."""
        self.requests: list[str] = []
        self.most_before_first = 0
        """The most photos that were in flight at once before the first one was accepted."""
        self._in_flight: set[int] = set()
        self._accepted = False
        super().__init__(tls=tls, window=64 << 10)

    @property
    def names(self) -> list[str]:
        """The photos that arrived whole."""
        with self._lock:
            return [received.filename for received in self.ledger]

    def serve(self, line: Line, _number: int) -> None:
        while True:
            if (
                line.take_head().headers.get("content-type", "").partition(";")[0]
                != "multipart/form-data"
            ):
                for step in self.question():
                    step(line)
                continue
            name = line.peek_filename()
            with self._lock:
                self.requests.append(name)
                count = len(self.requests)
                self._in_flight.add(id(line))
                if not self._accepted:
                    self.most_before_first = max(self.most_before_first, len(self._in_flight))
            try:
                for step in self.rule(count, name) or self.taken:
                    step(line)
            finally:
                self._ended(line)
            if line.unread:
                return  # an early answer is the connection's last word

    def answering(self, line: Line, status: int) -> None:
        if 200 <= status < 300:
            self._accepted = True
        self._ended(line)

    def _ended(self, line: Line) -> None:
        with self._lock:
            self._in_flight.discard(id(line))
