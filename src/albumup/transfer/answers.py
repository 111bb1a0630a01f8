"""Answers as they come in: the plain ones at once, any other by http.client."""

from __future__ import annotations

import http.client
import io
import re
from collections.abc import Callable
from typing import Any

from albumup.transfer.values import MOST_ANSWER, Answer, Stopped

_MOST_PLAIN_HEADERS = 50
MOST_INTERIM = 100


class Incoming(io.RawIOBase):
    """The receiving side of an exchange as http.client wants it. ``receive`` gives more of it, b"" at its end."""

    def __init__(self, receive: Callable[[], bytes]) -> None:
        self._receive = receive
        self._buffer = b""
        self.is_over = False
        """The server has closed, or nobody reads any more."""
        self.rest = b""
        """What came after the answer: nobody asked for it."""

    def makefile(self, _mode: str) -> io.BufferedReader:
        return _Reader(self, 8192)

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        if not self._buffer and not self.is_over:
            self._buffer = self._receive()
            self.is_over = not self._buffer
        count = min(len(target), len(self._buffer))
        target[:count] = self._buffer[:count]
        self._buffer = self._buffer[count:]
        return count


class _Reader(io.BufferedReader):
    """Leaves behind what it had read ahead."""

    def close(self) -> None:
        if not self.closed and isinstance(self.raw, Incoming):
            self.raw.is_over = True
            self.raw.rest = self.peek()
        super().close()


class Response(http.client.HTTPResponse):
    """http.client takes every 1xx but 100 for the answer; here the answer is the first that is not interim. Nor is a
    head an answer that the server's closing cut short."""

    def __init__(self, incoming: Incoming) -> None:
        super().__init__(incoming)  # type: ignore[arg-type]
        self.incoming = incoming

    def begin(self) -> None:
        for _ in range(MOST_INTERIM):
            super().begin()
            if self.incoming.is_over:
                raise http.client.HTTPException("the answer's head was cut")
            if self.status >= 200:
                return
            self.headers = self.msg = None  # type: ignore[assignment]
        raise http.client.HTTPException("too many interim answers")


_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9]) ([\x20-\x7e]*)")
_HEADER_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?|)[ \t]*")


def plain_answer(data: bytes) -> tuple[Answer, bool] | None:
    """An answer that came whole at once, and as plain as nearly all are: and whether the connection may be used again.

    None for any other, which is http.client's to read: it takes ten times as long, more than all else about a small
    photo's answer.
    """
    head, end, body = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    status = _STATUS_LINE.fullmatch(first)
    found = [_HEADER_LINE.fullmatch(line) for line in lines]
    if not end or status is None or len(found) > _MOST_PLAIN_HEADERS:
        return None
    headers: dict[str, str] = {}
    for line in found:
        if line is None or (name := line[1].decode().lower()) in headers:
            return None
        headers[name] = line[2].decode()
    if (
        headers.get("content-length") != str(len(body))
        or "transfer-encoding" in headers
        or status[1] in (b"204", b"304")
    ):
        return None
    keep = "close" not in headers.get("connection", "").lower()
    return Answer.of(int(status[1]), status[2].decode().strip(), headers, body, complete=True), keep


def read_some(response: http.client.HTTPResponse, *, is_hasty: bool) -> tuple[bytes, bool]:
    """The first bytes of an answer, at most one more than are kept, and whether it broke off.

    Its status counts all the same where it was its framing that broke, or where nobody waits for more (``is_hasty``).
    """
    body, broken = b"", False
    try:
        while len(body) <= MOST_ANSWER and response.length != 0:
            piece = response.read1(MOST_ANSWER + 1 - len(body))
            if not piece:
                break
            body += piece
    except http.client.IncompleteRead:
        broken = True
    except (OSError, Stopped):
        if not is_hasty:
            raise
        broken = True
    response.close()
    return body, broken
