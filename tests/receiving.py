"""A client for the receiver's tests: forms byte by byte, http.client for good manners, raw sockets
for bad ones."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

from albumup.receive import Receiver, Store

TOKEN = "a-secret-for-tests"
BOUNDARY = "0123456789abcdef"
PHOTO = b"\xff\xd8 a photo"
OTHER = b"\xff\xd8 another photo"
PATIENCE = 30.0  # seconds until a test gives up on something that should have come at once


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    extra = "" if filename is None else f'; filename="{filename}"\r\nContent-Type: image/jpeg'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
    return head.encode() + value + b"\r\n"


def form(fields: dict[str, str], data: bytes) -> bytes:
    """A whole form with the photo ``data`` last."""
    texts = b"".join(
        part(name, value.encode("utf-8", "surrogatepass")) for name, value in fields.items()
    )
    return texts + part("file", data, "sent.jpg") + END


END = f"--{BOUNDARY}--\r\n".encode()


class Client:
    """Talks to one receiver, a connection per request unless ``connection`` is given."""

    def __init__(self, url: str, token: str = TOKEN) -> None:
        address = urlsplit(url)
        self.address = (address.hostname or "", address.port or 0)
        self.headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        }

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(*self.address, timeout=PATIENCE)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        connection: http.client.HTTPConnection | None = None,
    ) -> tuple[int, Any]:
        """The answer's status and its JSON. A header given as "" is not sent."""
        line = connection or self.connect()
        sent = {name: value for name, value in (self.headers | (headers or {})).items() if value}
        line.request(method, path, body, sent)
        answer = line.getresponse()
        text = answer.read()
        if connection is None:
            line.close()
        assert answer.headers["Content-Type"] == "application/json"
        return answer.status, json.loads(text) if text else None

    def send(
        self,
        album: str,
        data: bytes,
        name: str = "DSC_0001.JPG",
        connection: http.client.HTTPConnection | None = None,
        **declared: object,
    ) -> tuple[int, Any]:
        """Send a photo with the right size and digest, or those declared instead."""
        fields: dict[str, object] = {
            "name": name,
            "size": len(data),
            "sha256": sha256(data),
            **declared,
        }
        body = form({key: str(value) for key, value in fields.items()}, data)
        return self.request("POST", photos(album), body, connection=connection)

    def ask(self, album: str, *digests: str, read: bool = False) -> dict[str, str]:
        """What the album has of these digests."""
        question = _json({"sha256": digests, **({"read": True} if read else {})})
        status, answer = self.request("POST", f"/albums/{_quoted(album)}/ask", question)
        assert status == 200, answer
        assert answer.get("read", False) == read
        have: dict[str, str] = answer["have"]
        return have

    def head(self, album: str, length: int, *more: str) -> bytes:
        """The head of a photo's request, for raw sockets."""
        lines = [
            f"POST {photos(album)} HTTP/1.1",
            "Host: test",
            *(f"{k}: {v}" for k, v in self.headers.items()),
        ]
        return "\r\n".join([*lines, f"Content-Length: {length}", *more, "\r\n"]).encode()

    @contextlib.contextmanager
    def raw(self, *data: bytes) -> Iterator[socket.socket]:
        """A raw connection over which ``data`` was sent."""
        with socket.create_connection(self.address, timeout=PATIENCE) as line:
            for block in data:
                line.sendall(block)
            yield line


def photos(album: str) -> str:
    return f"/albums/{_quoted(album)}/photos"


def _quoted(album: str) -> str:
    return quote(album.encode("utf-8", "surrogateescape"), safe="")


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def everything(line: socket.socket) -> bytes:
    """All that comes until the other side closes; a reset raises ConnectionResetError."""
    return b"".join(iter(lambda: line.recv(65536), b""))


@contextlib.contextmanager
def receiving(root: os.PathLike[str] | Store, **options: Any) -> Iterator[Client]:
    """A receiver in this process, and a client of it."""
    store = root if isinstance(root, Store) else Store(os.fspath(root))
    with Receiver(store, token=TOKEN, **options) as receiver:
        yield Client(receiver.url)


def files(root: os.PathLike[str]) -> dict[str, bytes]:
    """All photos below a store's root: path -> bytes. The store's own folders are left out."""
    found = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in (".incoming", ".albumup")]
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, root)] = file.read()
    return found


def parts(root: os.PathLike[str]) -> list[str]:
    """Photos on their way in."""
    folder = os.path.join(root, ".incoming")
    return [os.path.join(folder, name) for name in os.listdir(folder)]


def eventually(true: Callable[[], object]) -> None:
    """Wait for what another process or thread is about to make true."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it never became true"
        time.sleep(0.005)
