"""The body of an upload: a multipart/form-data form, text fields first and the photo's bytes last,
read in one pass."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from multipart import (
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

FILE_FIELD = "file"
TEXT_BYTES = 64 * 1024  # all text fields together
PARTS = 64

_PLAIN_FIELD = re.compile(rb'\r\nContent-Disposition: form-data; name="([^"\\%\r\n]*)"\r\n\r\n')
_PLAIN_FILE = re.compile(
    rb'\r\nContent-Disposition: form-data; name="file"; filename="([^"\\%\r\n]*)"'
    rb"(?:\r\nContent-Type: [!-~]{1,200})?\r\n\r\n"
)
_PLAIN_HEADER = 1000
"""The parser surely takes a part's header of so many bytes."""


class BadForm(Exception):
    """The body is not the form that a receiver takes; ``status``: the HTTP status to answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Declared:
    """The sender's words about a photo: wanted name, size in bytes, SHA-256 in lower-case hex,
    mtime in nanoseconds UTC."""

    name: str
    size: int | None
    sha256: str | None
    mtime_ns: int | None


def boundary_of(content_type: str) -> str:
    """The boundary from a Content-Type header. Raises BadForm."""
    kind, options = parse_options_header(content_type)
    boundary: str = options.get("boundary", "")
    if kind != "multipart/form-data" or not boundary:
        raise BadForm(400, "a photo is sent as multipart/form-data with a boundary")
    return boundary


def read_form(
    blocks: Iterable[bytes], boundary: str, length: int, write: Callable[[bytes], None]
) -> Declared:
    """Read a body of ``length`` bytes, and pass the photo's bytes to ``write`` as they come.

    Raises BadForm as early as possible, and the errors of ``blocks`` and ``write``.
    """
    rest = iter(blocks)
    first = next(rest, b"")
    plain = _plain(first, boundary) if len(first) == length else None
    if plain is None:
        return _parsed(itertools.chain([first], rest), boundary, length, write)
    declared = _declared(plain.fields, plain.filename)
    if plain.data:
        write(plain.data)
    return declared


class _Plain(NamedTuple):
    """A whole form that can be read in one way only."""

    fields: dict[str, str]
    filename: str
    data: bytes


def _plain(body: bytes, boundary: str) -> _Plain | None:
    """Read a whole body of the usual form, in a fraction of the parser's time.

    None: the parser has to read it. A body that the parser would refuse, or read in another way, is
    never taken here.
    """
    *parts, end = body.split(b"\r\n--" + boundary.encode())
    opening = f"--{boundary}".encode()
    is_whole = end in (b"--", b"--\r\n") and 0 < len(parts) <= PARTS and boundary.isascii()
    if not is_whole or not parts[0].startswith(opening):
        return None
    parts[0] = parts[0][len(opening) :]
    file = _PLAIN_FILE.match(parts[-1])
    if file is None or file.end() > _PLAIN_HEADER:
        return None
    try:
        fields = dict(map(_plain_field, parts[:-1]))
        filename = file[1].decode()
    except ValueError:
        return None
    comes_twice = len(fields) < len(parts) - 1
    if comes_twice or FILE_FIELD in fields or sum(map(len, parts[:-1])) > TEXT_BYTES:
        return None
    return _Plain(fields, filename, parts[-1][file.end() :])


def _plain_field(part: bytes) -> tuple[str, str]:
    """Name and text. Raises ValueError if the parser has to read the part."""
    header = _PLAIN_FIELD.match(part)
    if header is None or header.end() > _PLAIN_HEADER:
        raise ValueError
    return header[1].decode(), part[header.end() :].decode()


def _parsed(
    blocks: Iterable[bytes], boundary: str, length: int, write: Callable[[bytes], None]
) -> Declared:
    try:
        parser = PushMultipartParser(boundary, content_length=length, max_segment_count=PARTS)
        form = _Form(write)
        for block in blocks:
            for event in parser.parse(block):
                form.take(event)
        parser.close()
    except ParserLimitReached as error:
        raise BadForm(413, f"form too large: {error}") from error
    except MultipartError as error:
        raise BadForm(400, f"malformed form: {error}") from error
    if form.declared is None:
        raise BadForm(400, f"the form has no part called {FILE_FIELD!r}")
    return form.declared


class _Form:
    """Follows the parser's events: the start of a part, its bytes, None at its end."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.declared: Declared | None = None
        self._write = write
        self._fields: dict[str, str] = {}
        self._room = TEXT_BYTES
        self._name = ""
        self._text = bytearray()

    def take(self, event: MultipartSegment | bytes | None) -> None:
        if event is None:
            if self.declared is None:
                self._end_field()
        elif isinstance(event, MultipartSegment):
            self._start(event)
        elif self.declared is not None:
            self._write(event)
        else:
            self._room -= len(event)
            if self._room < 0:
                raise BadForm(413, f"the text fields have more than {TEXT_BYTES} bytes")
            self._text += event

    def _start(self, part: MultipartSegment) -> None:
        if self.declared is not None:
            raise BadForm(400, f"the part called {FILE_FIELD!r} has to be the last one")
        self._name = part.name or ""
        self._text.clear()
        if self._name == FILE_FIELD:
            self.declared = _declared(self._fields, part.filename or "")
        elif part.filename is not None:
            raise BadForm(
                422, f"the photo's part is to be called {FILE_FIELD!r}, not {self._name!r}"
            )
        elif self._name in self._fields:
            raise BadForm(422, f"field {self._name!r} comes twice")

    def _end_field(self) -> None:
        try:
            self._fields[self._name] = self._text.decode()
        except UnicodeDecodeError as error:
            raise BadForm(422, f"field {self._name!r} is not UTF-8") from error


def _declared(fields: dict[str, str], filename: str) -> Declared:
    sha256 = _field(fields, "sha256", "[0-9a-fA-F]{64}", "64 hexadecimal digits")
    return Declared(
        name=fields.get("name", filename),
        size=_number(fields, "size", "[0-9]{1,18}", "a number of bytes"),
        sha256=sha256.lower() if sha256 is not None else None,
        mtime_ns=_number(fields, "mtime_ns", "-?[0-9]{1,19}", "a number of nanoseconds"),
    )


def _number(fields: dict[str, str], name: str, pattern: str, words: str) -> int | None:
    found = _field(fields, name, pattern, words)
    return int(found) if found is not None else None


def _field(fields: dict[str, str], name: str, pattern: str, meaning: str) -> str | None:
    value = fields.get(name)
    if value is not None and not re.fullmatch(pattern, value):
        raise BadForm(422, f"field {name!r} is not {meaning}")
    return value
