"""How a server treats a request: well, or as servers do in the field."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import Any

PORTAL = (
    b"<!DOCTYPE html><html><title>Welcome</title><h1>Free Wi-Fi</h1>"
    b"<p>Please accept our terms.</p></html>"
)
GARBAGE = b"\x16\x03\x01\x02\x00\x01SSH-2.0-nobody\r\n\x00\xff\xfe"


@dataclass(frozen=True)
class Manner:
    """``kind``:

    ``honest``; ``status``: the whole body, then that; ``early``: that before the body's end;
    ``lost``: the whole body, and no answer; ``slow``: honest, but after ``seconds``; ``twice``:
    honest, and the same once more a little later; ``breaks``: resets it in the middle, without a
    word; ``garbage``: what is no HTTP; ``half``: half an honest answer, then the end; ``deaf``:
    stops reading in the middle.

    ``share`` of the body after which it happens; ``stores``: the photo all the same; ``ends``: how
    the connection does (``keep``, ``close``, ``reset``, ``hang``); ``deletes``: what was stored, so
    many seconds later; ``dress``: of an honest answer.
    """

    kind: str = "honest"
    status: int = 0
    page: bool = False
    stores: bool = False
    after: float = 0.0
    """Of a photo that is stored and not answered: so many seconds later."""
    share: float = 0.5
    ends: str = "keep"
    seconds: float = 0.0
    retry_after: int | None = None
    deletes: float | None = None
    dress: str = ""
    pace: float = 0.0
    """Seconds that each segment takes more than others."""


HONEST = Manner()


def framed(
    status: int,
    said: Any,
    *,
    page: bool = False,
    retry_after: int | None = None,
    dress: str = "",
    closes: bool = False,
) -> bytes:
    """An answer as it goes over the line."""
    body = PORTAL if page else json.dumps(said).encode()
    lines = [f"Content-Type: {'text/html' if page else 'application/json'}"]
    before = b""
    match dress:
        case "gzip":
            body = gzip.compress(body, 1, mtime=0)
            lines.append("Content-Encoding: gzip")
        case "false gzip":
            lines.append("Content-Encoding: gzip")
        case "interim":
            before = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        case "chunked":
            half = len(body) // 2
            body = b"".join(
                b"%x\r\n%b\r\n" % (len(part), part)
                for part in (body[:half], body[half:], b"")
                if part
            )
            body += b"0\r\n\r\n"
            lines.append("Transfer-Encoding: chunked")
    if dress not in ("chunked", "no length"):
        lines.append(f"Content-Length: {len(body)}")
    if retry_after is not None:
        lines.append(f"Retry-After: {retry_after}")
    if 300 <= status < 400:
        lines.append("Location: https://portal.example.org/login")
    if closes or dress == "no length":
        lines.append("Connection: close")
    head = "\r\n".join([f"HTTP/1.1 {status} {_WORDS.get(status, 'Said')}", *lines, "\r\n"])
    return before + head.encode() + body


_WORDS = {
    200: "OK",
    201: "Created",
    302: "Found",
    401: "Unauthorized",
    409: "Conflict",
    413: "Content Too Large",
}
_WORDS |= {
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}
