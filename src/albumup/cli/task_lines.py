"""The lines of ``list``, a million of them as quickly as SQLite finds their rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import NamedTuple

from albumup.cli.escaping import escape
from albumup.cli.figures import size
from albumup.journal.reading import JsonRow, TextRow
from albumup.photos.file_names import text_of

_OBJECT = (
    '%s, "path": %s, "state": "%s", "size": %d, "sha256": %s, "attempts": %d, "maybe_twice": %s, '
    '"sent_as": %s,'
    ' "error": %s, "remote_id": %s, "url": %s, "updated": "%s"}\n'
)


def json_lines(album: str, target: str, rows: Iterable[JsonRow]) -> Iterator[bytes]:
    """An object a line, ASCII, to the byte as :func:`albumup.cli.escaping.json_line` has it.

    Written out key by key, since a dictionary and ``json.dumps`` cost five times as much.
    """
    start = f'{{"album": {_text(album)}, "target": {_text(target)}'
    for (
        path,
        state,
        number,
        sha256,
        attempts,
        is_maybe_twice,
        sent_as,
        error,
        remote_id,
        url,
        updated,
    ) in rows:
        values = (
            start,
            encode_basestring_ascii(text_of(path)),
            state,
            number,
            _text(sha256),
            attempts,
            "true" if is_maybe_twice else "false",
            _text(sent_as),
            _text(error),
            _text(remote_id),
            _text(url),
            updated,
        )
        yield (_OBJECT % values).encode()


def _text(text: str | None) -> str:
    return "null" if text is None else encode_basestring_ascii(text)


class Line(NamedTuple):
    """A line for people, fit for a terminal. ``path`` is kept whole where the line is broken."""

    head: str
    path: str
    words: str


def text_lines(rows: Iterable[TextRow]) -> Iterator[Line]:
    """State, size and path of a photo, and what went wrong."""
    for path, state, number, error, is_maybe_twice, is_asking in rows:
        words = ""
        if error or is_asking or is_maybe_twice:
            words = _words(error or "", bool(is_asking), bool(is_maybe_twice))
        yield Line(f"{state:<9} {size(number):>9}  ", escape(path, 4096), words)


@lru_cache(maxsize=64)  # a server that is away says the same of each photo
def _words(error: str, is_asking: bool, is_maybe_twice: bool) -> str:
    words = f"  {escape(error)}" if error else ""
    words += "; still to be asked about" if is_asking else ""
    return words + ("  may be there twice" if is_maybe_twice else "")
