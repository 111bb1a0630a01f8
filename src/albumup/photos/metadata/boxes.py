"""Reads the boxes of QuickTime's container and its successors, and the texts in a movie.

Sources: ISO/IEC 14496-12, section 4.2 (boxes); QuickTime File Format, "Metadata" (keys and ilst)
and "User data".
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import islice

from albumup.photos.metadata.bounded_file import BoundedFile

_MOST_LENGTH = 1 << 20
_MOST_TEXTS, _MOST_LETTERS = 1000, 1000
"""The most texts that are read, and the most bytes of a text or its name."""

_BARE = (b"date", b"IDIT")
"""Texts in user data without length and language before them."""

Span = tuple[int, int]
"""Start and end offset in the file."""


class Broken(Exception):
    """The file is not a container of this kind, or is damaged."""


def boxes(file: BoundedFile, start: int, end: int) -> Iterator[tuple[bytes, Span]]:
    """Each box between two offsets: its kind, and the span of its content. Raises OSError, Broken.

    The number of boxes is bounded only by the file (``BoundedFile``).
    """
    while end - start >= 8:
        head = part(file, start, 8)
        length, kind, inside = int.from_bytes(head[:4], "big"), head[4:], start + 8
        if length == 1:
            length, inside = int.from_bytes(part(file, inside, 8), "big"), inside + 8
        after = start + length if length else end  # 0: up to the end
        if not inside <= after <= end:
            raise Broken
        yield kind, (inside, after)
        start = after


def part(file: BoundedFile, start: int, length: int) -> bytes:
    """``length`` bytes from ``start``. Raises OSError, Broken if there are fewer or ``length`` is
    not sensible."""
    file.seek(start)
    block = file.read(min(length, _MOST_LENGTH))
    if len(block) < length:
        raise Broken
    return block


def texts(file: BoundedFile, movie: Span) -> dict[str, str]:
    """The texts of a movie (``moov``) by name: Apple's keys in full, other names in four letters
    (``©day``).

    Apple writes keys to ``moov/meta``, ffmpeg to ``moov/udta/meta``; names of four letters are in
    ``moov/udta`` itself and in its ``meta``. The first text of a name counts. Of a damaged movie,
    the texts before the damage count.
    """
    found: dict[str, str] = {}
    with contextlib.suppress(OSError, Broken):
        for name, text in _texts(file, movie):
            found.setdefault(name, text)
            if len(found) >= _MOST_TEXTS:
                break
    return found


def _texts(file: BoundedFile, movie: Span) -> Iterator[tuple[str, str]]:
    for kind, span in boxes(file, *movie):
        if kind == b"meta":
            yield from _until_damage(_keyed(file, span))
        elif kind == b"udta":
            yield from _until_damage(_user_data(file, span))


def _until_damage(pairs: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    with contextlib.suppress(Broken):
        yield from pairs


def _user_data(file: BoundedFile, span: Span) -> Iterator[tuple[str, str]]:
    for kind, (start, end) in boxes(file, *span):
        if kind == b"meta":
            yield from _until_damage(_keyed(file, (start, end)))
        elif kind.startswith(b"\xa9") and end - start > 4:
            length = int.from_bytes(part(file, start, 2), "big")  # then its language, and the text
            yield (
                _name(kind),
                _decoded(part(file, start + 4, min(length, end - start - 4, _MOST_LETTERS))),
            )
        elif kind in _BARE:
            yield _name(kind), _decoded(part(file, start, min(end - start, _MOST_LETTERS)))


def _keyed(file: BoundedFile, span: Span) -> Iterator[tuple[str, str]]:
    """The texts of a ``meta`` box."""
    start, end = span
    if end - start >= 8 and part(file, start, 8)[4:] != b"hdlr":
        start += 4  # the ISO form has a version and flags before its boxes, QuickTime's does not
    names: list[bytes] = []
    for kind, (inside, after) in boxes(file, start, end):
        if kind == b"keys":  # version and flags, a count, then a box for each name, numbered from 1
            named = islice(boxes(file, inside + 8, after), _MOST_TEXTS)
            names = [part(file, at, min(to - at, _MOST_LETTERS)) for _, (at, to) in named]
        # A box for each value; its kind is the number of its name, or iTunes' name itself.
        elif kind == b"ilst":
            for item, value in boxes(file, inside, after):
                number = int.from_bytes(item, "big")
                name = names[number - 1] if 0 < number <= len(names) else item
                for what, (at, to) in boxes(file, *value):
                    # The type of the value (1: UTF-8), its language, the value.
                    if what == b"data" and to - at > 8 and part(file, at, 4) == b"\0\0\0\1":
                        yield (
                            _name(name),
                            _decoded(part(file, at + 8, min(to - at - 8, _MOST_LETTERS))),
                        )


def _name(name: bytes) -> str:
    return name.decode("latin-1")


def _decoded(text: bytes) -> str:
    return text.decode(errors="replace")
