"""Answers as they come in. llhttp reads them, by way of httptools; what it leaves to its user is done here.

It has no limits, knows nothing of the end of the stream, hands over interim answers as if they were answers, and
goes on to the next answer in the same bytes. It is strict: an answer with two Content-Lengths, with one beside a
Transfer-Encoding, with lines that end in a bare LF or are folded is none (RFC 9112 sections 2.2, 5.2, 6.3).
"""

from __future__ import annotations

import httptools

from albumup.transfer.values import MOST_ANSWER, Answer

MOST_HEAD = 64 << 10
"""Bytes that may come until the answer's head is complete, interim answers and all."""
MOST_INTERIM = 100
SWITCHING = 101
_INTERIM = b"HTTP/1.1 1"
_TAIL = 6


class Unsound(Exception):
    """What came back is no answer."""


class Endless(Unsound):
    """Its head has no end."""


class Incoming:
    """One answer, and the interim ones before it. ``feed`` it what comes, and ``end`` it when the server closes."""

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
        """The beginning of a head that is not complete."""
        self._is_headed = False
        """Its head is complete."""
        self._status = 0
        self._reason = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._keeps = False
        self._is_whole = self._is_broken = self._has_rest = False
        self._last = b""
        """The last piece of a body that has a length."""
        self._tail = b""
        """The last bytes that came."""

    @property
    def has_begun(self) -> bool:
        """Something is there that is no interim answer, nor the beginning of one."""
        if self._is_headed or self._is_broken:
            return True
        return bool(self._open) and not _may_be_interim(self._open)

    @property
    def has_any(self) -> bool:
        """Something is there that is no complete interim answer."""
        return self._is_headed or self._is_broken or bool(self._open)

    @property
    def is_headed(self) -> bool:
        """Its status counts: its head was complete and sound."""
        return self._is_headed

    @property
    def is_over(self) -> bool:
        """Nothing more is to be read of it: it is whole, broken, or longer than is kept."""
        return self._is_whole or self._is_broken or self._size > MOST_ANSWER

    def feed(self, data: bytes) -> None:
        """More of it. Raises Unsound if it is none; Endless."""
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
            raise Endless("the server talks without end")

    def end(self) -> None:
        """The server has closed. Raises Unsound if there was no head."""
        if not self._is_headed:
            raise Unsound("the answer was cut short" if self.has_any else "the server closed without an answer")
        is_chunked = "chunked" in self._headers.get("transfer-encoding", "").lower()
        if not is_chunked and "content-length" not in self._headers:
            self._is_whole = True  # RFC 9112 section 6.3: it ends with the stream
        self._is_broken = not self._is_whole

    def answer(self) -> tuple[Answer, bool]:
        """What it says, and whether the connection may be used again."""
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
        """A fault after a complete head is one of the body, or of what follows the answer."""
        if isinstance(error, httptools.HttpParserCallbackError) and error.__context__ is not None:
            raise error.__context__
        if self._is_whole:
            return  # what follows it is not looked at
        self._is_broken = True
        if self._is_headed:
            return
        words = "what came back is not HTTP"
        if self._status == SWITCHING:
            words = "the server went over to another protocol"
        elif self._open.startswith(b"HTTP/"):
            words = f"the answer breaks the rules of HTTP: {error}"
        raise Unsound(words) from error

    def _look_for_rest(self, data: bytes) -> None:
        """llhttp passes over empty lines after an answer; but nobody asked for them, either."""
        if not self._is_whole or self._has_rest:
            return
        if self._last:
            self._has_rest = not data.endswith(self._last)
        else:
            self._has_rest = not self._tail.endswith(b"\r\n\r\n") or self._tail == b"\r\n\r\n\r\n"

    # What the parser calls. What these raised would come wrapped.

    def on_message_begin(self) -> None:
        self._has_rest = self._is_whole

    def on_status(self, reason: bytes) -> None:
        if not self._is_headed:
            self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_headed:
            return  # a trailer, or of what follows the answer
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
    """True while ``data`` could still be the beginning of a 1xx."""
    return data.startswith(_INTERIM) or _INTERIM.startswith(data[: len(_INTERIM)])
