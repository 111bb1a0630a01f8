"""The head of a request (RFC 9112). A head that can be read in two ways is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MOST_HEADERS = 100

_END = re.compile(rb"\n\r?\n")
_LINE = re.compile(rb"([^ \t\r\n\0]+)[ \t]+([^ \t\r\n\0]+)[ \t]+HTTP/([0-9]{1,3})\.([0-9]{1,3})\r?")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\r\n]*)\r?\n")
_HEADERS = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n]*\r?\n)*")


class BadHead(Exception):
    """A head that is refused; ``status``: the HTTP status to answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head, as Latin-1. ``headers``: name in lower case -> values, in their order."""

    method: str
    target: str
    is_http_1_1: bool
    headers: Mapping[str, list[str]]

    def all(self, name: str) -> list[str]:
        """All values of a header; ``name`` is in lower case."""
        return self.headers.get(name, [])

    def first(self, name: str) -> str:
        """The first value of a header; "" if there is none."""
        return self.headers.get(name, [""])[0]

    @property
    def is_last(self) -> bool:
        """Is this the client's last request over this connection?"""
        wish = self.first("connection").lower()
        return wish == "close" or not (self.is_http_1_1 or wish == "keep-alive")

    @property
    def waits_for_word(self) -> bool:
        """Does the client wait for "100 Continue" before it sends the body?"""
        return self.is_http_1_1 and self.first("expect").lower() == "100-continue"


def end_of_head(data: bytes | bytearray, start: int = 0) -> int:
    """The place after the empty line that ends a head, searched from ``start`` on; 0: none."""
    found = _END.search(data, start)
    return found.end() if found else 0


def parse_head(data: bytes) -> Head:
    """Read a whole head, its empty line included. Raises BadHead."""
    first = data.index(b"\n")
    line = _LINE.fullmatch(data, 0, first)
    if line is None:
        raise BadHead(400, "the request's first line is malformed")
    method, target, major, minor = line.groups()
    if int(major) != 1:
        raise BadHead(505, f"HTTP/{int(major)}.{int(minor)} is not spoken here")
    headers = _headers(data, first + 1)
    return Head(method.decode("latin-1"), target.decode("latin-1"), int(minor) > 0, headers)


def _headers(data: bytes, start: int) -> dict[str, list[str]]:
    end = data.rindex(b"\n", 0, len(data) - 1) + 1  # where the empty line begins
    if not _HEADERS.fullmatch(data, start, end):
        raise BadHead(400, "a line of the head is no header")
    found = _HEADER.findall(data, start, end)
    if len(found) > MOST_HEADERS:
        raise BadHead(431, f"a request has at most {MOST_HEADERS} headers")
    headers: dict[str, list[str]] = {}
    for name, value in found:
        text = value.strip(b" \t").decode("latin-1")
        headers.setdefault(name.decode("ascii").lower(), []).append(text)
    return headers
