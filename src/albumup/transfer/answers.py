"""Reads answers with llhttp (httptools), and adds what llhttp leaves to its caller.

llhttp sets no limits, does not handle the end of the stream, reports interim answers like final
ones, and parses on into the next answer. It is strict: it refuses two Content-Lengths, a
Content-Length beside a Transfer-Encoding, lines that end in a bare LF, and folded lines (RFC 9112
sections 2.2, 5.2, 6.3).
"""

from __future__ import annotations

import httptools

from albumup.transfer.values import MOST_ANSWER, Answer

MOST_HEAD = 64 << 10
"""The most bytes before the answer's head is complete, interim answers included."""
MOST_INTERIM = 100
SWITCHING = 101
_INTERIM = b"HTTP/1.1 1"
_TAIL = 6


class Unsound(Exception):
    """The bytes received are not a valid answer."""


class Endless(Unsound):
    """The answer's head has no end."""


class Incoming:
    """Parses one answer and the interim ones before it. ``feed`` it bytes; call ``end`` when the
    server closes."""

    __slots__ = (
        "_body",
        "_fed",
        "_has_rest",
        "_headers",
        "_interim",
        "_is_broken",
        "_is_headed",
        "_is_whole",
        "_keeps",
        "_last",
        "_open",
        "_parser",
        "_reason",
        "_size",
        "_status",
        "_tail",
    )

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._fed = self._interim = 0
        self._open = b""
        """The beginning of an incomplete head."""
        self._is_headed = False
        """The answer's head is complete."""
        self._status = 0
        self._reason = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._keeps = False
        self._is_whole = self._is_broken = self._has_rest = False
        self._last = b""
        """The last piece of a body with a Content-Length."""
        self._tail = b""
        """The last bytes received."""

    @property
    def has_begun(self) -> bool:
        """True once bytes came that are not part of an interim answer."""
        if self._is_headed or self._is_broken:
            return True
        return bool(self._open) and not _may_be_interim(self._open)

    @property
    def has_any(self) -> bool:
        """True once bytes came beyond complete interim answers."""
        return self._is_headed or self._is_broken or bool(self._open)

    @property
    def is_headed(self) -> bool:
        """True if the status counts: the head was complete and valid."""
        return self._is_headed

    @property
    def is_over(self) -> bool:
        """True when there is nothing more to read: the answer is whole, broken, or longer than
        MOST_ANSWER."""
        return self._is_whole or self._is_broken or self._size > MOST_ANSWER

    def feed(self, data: bytes) -> None:
        """Parse more bytes. Raises Unsound if they break the rules of HTTP, Endless if the head has
        no end."""
        if not self._is_headed:
            self._fed += len(data)
            self._open += data
        self._tail = (self._tail + data)[-_TAIL:]
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._note(error)
        if self._is_headed:
            self._look_for_rest(data)
            return
        self._open = self._open.rpartition(b"\r\n\r\n")[2]
        if self._fed > MOST_HEAD or self._interim > MOST_INTERIM:
            self._is_broken = True
            raise Endless("the answer's head has no end")

    def end(self) -> None:
        """Note that the server closed. Raises Unsound if the head is not complete."""
        if not self._is_headed:
            raise Unsound(
                "the answer was cut short"
                if self.has_any
                else "the server closed without an answer"
            )
        is_chunked = "chunked" in self._headers.get("transfer-encoding", "").lower()
        if not is_chunked and "content-length" not in self._headers:
            self._is_whole = True  # RFC 9112 section 6.3: the body ends with the stream
        self._is_broken = not self._is_whole

    def answer(self) -> tuple[Answer, bool]:
        """The answer, and whether the connection may be used again. To be called once, at the
        end."""
        del self._parser  # the two hold each other, and would wait for the garbage collector
        complete = self._is_whole and self._size <= MOST_ANSWER
        answer = Answer.of(
            self._status,
            self._reason.decode("latin-1").strip(),
            self._headers,
            b"".join(self._body),
            complete=complete,
        )
        return answer, complete and self._keeps and not self._has_rest

    def _note(self, error: Exception) -> None:
        """Raise Unsound only before the head is complete; a later error concerns the body, or the
        bytes after it."""
        if isinstance(error, httptools.HttpParserCallbackError) and error.__context__ is not None:
            raise error.__context__
        if self._is_whole:
            return  # bytes after the answer are not read
        self._is_broken = True
        if self._is_headed:
            return
        words = "what came back is not HTTP"
        if self._status == SWITCHING:
            words = "the server switched to another protocol"
        elif self._open.startswith(b"HTTP/"):
            words = f"the answer breaks the rules of HTTP: {error}"
        raise Unsound(words) from error

    def _look_for_rest(self, data: bytes) -> None:
        """Detect bytes after the answer, also empty lines, which llhttp skips."""
        if not self._is_whole or self._has_rest:
            return
        if self._last:
            self._has_rest = not data.endswith(self._last)
        else:
            self._has_rest = not self._tail.endswith(b"\r\n\r\n") or self._tail == b"\r\n\r\n\r\n"

    # Callbacks of the parser, which would wrap what they raise.

    def on_message_begin(self) -> None:
        self._has_rest = self._is_whole

    def on_status(self, reason: bytes) -> None:
        if not self._is_headed:
            self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_headed:
            return  # a trailer, or part of a second answer
        key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip(" \t")
        if key == "content-encoding" and key in self._headers:
            text = f"{self._headers[key]}, {text}"
        self._headers[key] = text

    def on_headers_complete(self) -> None:
        if self._is_headed:
            return
        self._status = self._parser.get_status_code()
        if self._status >= 200:
            self._is_headed = True
            self._keeps = self._parser.should_keep_alive()
            return
        self._interim += 1
        self._reason = b""
        self._headers.clear()

    def on_body(self, data: bytes) -> None:
        if not self._has_rest:
            self._last = data
            self._body.append(data)
            self._size += len(data)

    def on_chunk_complete(self) -> None:
        self._last = b""

    def on_message_complete(self) -> None:
        self._is_whole = self._is_headed


def _may_be_interim(data: bytes) -> bool:
    """True if ``data`` is, or may become, the beginning of a 1xx."""
    return data.startswith(_INTERIM) or _INTERIM.startswith(data[: len(_INTERIM)])
