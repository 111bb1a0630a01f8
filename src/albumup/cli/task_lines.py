"""The lines of ``list``, as quickly as SQLite finds their rows, even for a million photos."""

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
    """One JSON object a line, byte for byte as in :func:`albumup.cli.escaping.json_line`.

    The objects are written key by key, because a dictionary and ``json.dumps`` take five times as
    long.
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
    """A line for people, fit for a terminal; ``path`` stays whole when the line is broken."""

    head: str
    path: str
    words: str


def text_lines(rows: Iterable[TextRow]) -> Iterator[Line]:
    """A line for each photo: state, size, path, and error."""
    for path, state, number, error, is_maybe_twice, is_asking in rows:
        words = ""
        if error or is_asking or is_maybe_twice:
            words = _words(error or "", bool(is_asking), bool(is_maybe_twice))
        yield Line(f"{state:<9} {size(number):>9}  ", escape(path, 4096), words)


@lru_cache(maxsize=64)  # a server that is away gives the same error for each photo
def _words(error: str, is_asking: bool, is_maybe_twice: bool) -> str:
    words = f"  {escape(error)}" if error else ""
    words += "; still to be asked about" if is_asking else ""
    return words + ("  may be there twice" if is_maybe_twice else "")
