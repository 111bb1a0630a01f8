"""The boxes of QuickTime's container and its heirs, and the texts that a movie holds.

Sources: ISO/IEC 14496-12, section 4.2 (boxes); QuickTime File Format, "Metadata" (keys and ilst) and "User data".
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import islice

from albumup.photos.metadata.bounded_file import BoundedFile

_MOST_LENGTH = 1 << 20
_MOST_TEXTS, _MOST_LETTERS = 1000, 1000
"""How many texts, and how many bytes of a text or its name, are looked at."""

_BARE = (b"date", b"IDIT")
"""Texts in user data that have neither length nor language before them."""

Span = tuple[int, int]
"""Where something starts in the file, and where it ends."""


class Broken(Exception):
    """No container of this kind, or a torn one."""


def boxes(file: BoundedFile, start: int, end: int) -> Iterator[tuple[bytes, Span]]:
    """Each box between two offsets: its kind, and where its content lies. Raises OSError, Broken.

    However many there are, the file's bounds end it.
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
    """So many bytes from there. Raises OSError, Broken if there are fewer, or more than is sensible."""
    file.seek(start)
    block = file.read(min(length, _MOST_LENGTH))
    if len(block) < length:
        raise Broken
    return block


def texts(file: BoundedFile, movie: Span) -> dict[str, str]:
    """What a movie (``moov``) says in words, by name: Apple's keys in full, other names as four letters (``©day``).

    Apple writes keys to ``moov/meta``, ffmpeg to ``moov/udta/meta``; names of four letters are in ``moov/udta`` itself
    and in its ``meta``. Where a name is there twice, the first one counts. What comes before damage counts.
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
            yield from _damaged(_keyed(file, span))
        elif kind == b"udta":
            yield from _damaged(_user_data(file, span))


def _damaged(pairs: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """What comes before damage."""
    with contextlib.suppress(Broken):
        yield from pairs


def _user_data(file: BoundedFile, span: Span) -> Iterator[tuple[str, str]]:
    for kind, (start, end) in boxes(file, *span):
        if kind == b"meta":
            yield from _damaged(_keyed(file, (start, end)))
        elif kind.startswith(b"\xa9") and end - start > 4:
            length = int.from_bytes(part(file, start, 2), "big")  # then its language, and the text
            yield _name(kind), _decoded(part(file, start + 4, min(length, end - start - 4, _MOST_LETTERS)))
        elif kind in _BARE:
            yield _name(kind), _decoded(part(file, start, min(end - start, _MOST_LETTERS)))


def _keyed(file: BoundedFile, span: Span) -> Iterator[tuple[str, str]]:
    """The texts of a ``meta`` box."""
    start, end = span
    if end - start >= 8 and part(file, start, 8)[4:] != b"hdlr":
        start += 4  # ISO's has a version and flags before its boxes, QuickTime's has not
    names: list[bytes] = []
    for kind, (inside, after) in boxes(file, start, end):
        if kind == b"keys":  # version and flags, a count, then a box for each name, numbered from 1
            named = islice(boxes(file, inside + 8, after), _MOST_TEXTS)
            names = [part(file, at, min(to - at, _MOST_LETTERS)) for _, (at, to) in named]
        elif kind == b"ilst":  # a box for each value; its kind is the number of its name, or iTunes' name itself
            for item, value in boxes(file, inside, after):
                number = int.from_bytes(item, "big")
                name = names[number - 1] if 0 < number <= len(names) else item
                for what, (at, to) in boxes(file, *value):
                    # The type of the value (1: UTF-8), its language, the value.
                    if what == b"data" and to - at > 8 and part(file, at, 4) == b"\0\0\0\1":
                        yield _name(name), _decoded(part(file, at + 8, min(to - at - 8, _MOST_LETTERS)))


def _name(name: bytes) -> str:
    return name.decode("latin-1")


def _decoded(text: bytes) -> str:
    return text.decode(errors="replace")
