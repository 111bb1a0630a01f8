"""The lines of ``list``: what is in them, and when they go out."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator

import pytest

from albumup.cli.escaping import escape, json_line
from albumup.cli.figures import size
from albumup.cli.screen import put_pieces
from albumup.cli.task_lines import json_lines, text_lines
from albumup.photos.file_names import text_of

NASTY = 'a "b" \\ \x7f \x1b[31m \n ü \udcff \u2028 \U0001f600'
KEYS = (
    "state", "size", "sha256", "attempts", "maybe_twice", "sent_as", "error", "remote_id", "url",
    "updated",
)  # fmt: skip


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (
            b"/trip/1.jpg",
            ("pending", 0, None, 0, 0, None, None, None, None, "2026-11-26T18:57:44.880Z"),
        ),
        (
            b'/a\xff\x7f"\\ \xc3\xbc.jpg',
            ("in_doubt", 1 << 40, "ab", 3, 1, NASTY, NASTY, NASTY, NASTY, "2026Z"),
        ),
    ],
)
def test_json_is_that_of_any_other_line(path: bytes, values: tuple[object, ...]) -> None:
    album, target = NASTY, "home"
    named = dict(zip(KEYS, values, strict=True))
    task = {"album": album, "target": target, "path": text_of(path), **named}
    task["maybe_twice"] = bool(task["maybe_twice"])
    assert list(json_lines(album, target, [(path, *values)])) == [json_line(task)]  # type: ignore[list-item]


def test_a_line_says_what_went_wrong() -> None:
    rows = [
        (b"/1.jpg", "failed", 4096, "413 Too large\n", 0, 0),
        (b"/\xff", "in_doubt", 1, None, 1, 1),
    ]
    assert ["".join(line) for line in text_lines(rows)] == [
        "failed       4.1 kB  /1.jpg  413 Too large\\x0a",
        "in_doubt        1 B  /\\xff; still to be asked about  may be there twice",
    ]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0 B"), (1, "1 B"), (999, "999 B"), (1000, "1.0 kB"), (4096, "4.1 kB"),
        (999_949, "999.9 kB"), (999_950, "1.0 MB"), (123_456_789, "123.5 MB"),
        (999_950_000_000, "1.0 TB"), (2e15, "2.0 PB"), (1.5e19, "15000.0 PB"),
    ],
)  # fmt: skip
def test_sizes_are_said_in_decimal_units(number: float, said: str) -> None:
    assert size(number) == said


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Süd 2026 写真", "Süd 2026 写真"),
        ("a\u00a0b", "a\u00a0b"),
        ("ü\u3164b", "ü\\u3164b"),
        ("ü\u202eb", "ü\\u202eb"),
        ("\tü", "\\x09ü"),
    ],
)
def test_text_that_is_not_ascii_shows_all_of_its_letters(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_the_first_line_goes_out_before_the_second_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(raw)))  # type: ignore[type-var]
    shown: list[bytes] = []

    def pieces() -> Iterator[bytes]:
        for number in range(1000):
            shown.append(raw.getvalue())
            yield b"%d\n" % number

    assert put_pieces(pieces()) == 1000
    assert shown[1] == b"0\n"
    assert raw.getvalue() == b"".join(b"%d\n" % number for number in range(1000))


def test_few_calls_write_many_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    reads, writes = os.pipe()

    class Counted(io.FileIO):
        count = 0

        def write(self, data: object) -> int:  # type: ignore[override]
            Counted.count += 1
            return super().write(data)  # type: ignore[arg-type]

    with os.fdopen(reads, "rb") as reader:
        monkeypatch.setattr(
            sys, "stdout", io.TextIOWrapper(io.BufferedWriter(Counted(writes, "w")))
        )
        put_pieces(b"%06d\n" % number for number in range(5000))
        sys.stdout.close()
        assert len(reader.read()) == 35000
    assert Counted.count < 60
