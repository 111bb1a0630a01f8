"""A well-behaved form server with a ledger, which can be told to hold its answers, or to answer by
a function."""

from __future__ import annotations

import hashlib
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATIENCE = 60.0  # seconds until a held answer is given after all, so that a failed test ends


@dataclass(frozen=True)
class Received:
    """One whole body as the server saw it. ``headers`` with lower-case names."""

    filename: str
    sha256: str
    fields: dict[str, str]
    path: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b"{}"
    mime: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class FormServer:
    """Takes multipart/form-data at any path. ``ledger`` holds what it received whole, in order.

    Clear ``may_read`` and bodies stay unread in the middle; clear ``may_answer`` and answers are
    held back.
    """

    def __init__(self) -> None:
        self.ledger: list[Received] = []
        self.may_read = threading.Event()
        self.may_answer = threading.Event()
        self.may_read.set()
        self.may_answer.set()
        self.answer: Callable[[Received], Answer] = lambda _: Answer()
        self.question = 200
        """The status with which it answers what is asked without a photo."""
        self.in_flight = 0
        self.most_in_flight = 0
        self.requests = 0
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), _handler(self))
        self.port: int = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/upload"

    @property
    def names(self) -> list[str]:
        return [one.filename for one in self.ledger]

    @property
    def digests(self) -> list[str]:
        return [one.sha256 for one in self.ledger]

    def close(self) -> None:
        self.may_read.set()
        self.may_answer.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def begin(self) -> None:
        with self._lock:
            self.requests += 1
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def end(self) -> None:
        with self._lock:
            self.in_flight -= 1

    def note(self, received: Received) -> None:
        with self._lock:
            self.ledger.append(received)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # A small window, so that a body that is not read does not fit into the kernel.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        super().server_bind()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that are killed are what these tests are about."""


def _handler(server: FormServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_OPTIONS(self) -> None:
            self.send_response(server.question)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            server.begin()
            try:
                self._take()
            finally:
                server.end()

        def _take(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length // 2)
            server.may_read.wait(PATIENCE)
            body += self.rfile.read(length - len(body))
            if len(body) < length:
                self.close_connection = True
                return
            received = self._parsed(body)
            server.note(received)
            server.may_answer.wait(PATIENCE)
            answer = server.answer(received)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.mime)
            self.send_header("Content-Length", str(len(answer.body)))
            for name, value in answer.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def _parsed(self, body: bytes) -> Received:
            boundary = self.headers["Content-Type"].partition("boundary=")[2].strip('"').encode()
            fields, filename, digest = {}, "", ""
            for part in body.split(b"--" + boundary)[1:-1]:
                head, _, value = part[2:-2].partition(b"\r\n\r\n")
                text = head.decode()
                name = re.search(r'[; ]name="([^"]*)"', text)
                sent = re.search(r'filename="([^"]*)"', text)
                if sent:
                    filename, digest = sent[1], hashlib.sha256(value).hexdigest()
                elif name:
                    fields[name[1]] = value.decode()
            headers = {key.lower(): value for key, value in self.headers.items()}
            return Received(filename, digest, fields, self.path, headers)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    return Handler
