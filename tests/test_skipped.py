"""What is left out, in words."""

from __future__ import annotations

from collections import Counter

import pytest

from albumup.photos.filters import SkipReason
from albumup.photos.skipped import Examples, count_suffix, skipped_words

NO_MEDIA, EMPTY, SIDECAR, LINK = (
    SkipReason.NO_MEDIA,
    SkipReason.EMPTY,
    SkipReason.SIDECAR,
    SkipReason.LINK,
)


@pytest.mark.parametrize(
    ("names", "more", "words"),
    [
        ("", {}, ""),
        ("", {SIDECAR: 4}, ""),
        (
            "a.txt b.TXT c.db d.db e.db",
            {EMPTY: 2, SIDECAR: 1},
            "7 skipped: 3 .db, 2 .txt (no media), 2 empty",
        ),
        ("a.txt", {}, "1 skipped: 1 .txt (no media)"),
        (
            "",
            {LINK: 2, EMPTY: 1, SkipReason.LEFTOVER: 2},
            "5 skipped: 1 empty, 2 leftovers, 2 links out of the tree",
        ),
        ("", {EMPTY: 3, SIDECAR: 0, LINK: 0}, "3 skipped: 3 empty"),
        ("README .profile", {}, "2 skipped: 2 without suffix (no media)"),
        (
            "a.a a.b a.c a.d a.e a.f",
            {},
            "6 skipped: 1 .a, 1 .b, 1 .c, 1 .d, 1 .e and 1 other (no media)",
        ),
        (
            "a.a a.b a.c a.d a.e a.f a.g",
            {},
            "7 skipped: 1 .a, 1 .b, 1 .c, 1 .d, 1 .e and 2 others (no media)",
        ),
        ("a.and-so-on-and-so-on", {}, "1 skipped: 1 .and-so-on-… (no media)"),
        ("a.\x1b[31m a.\udcff", {}, "2 skipped: 1 .\\x1b[31m, 1 .\\udcff (no media)"),
    ],
)
def test_what_is_skipped_is_counted_by_suffix_and_by_reason(
    names: str, more: dict[SkipReason, int], words: str
) -> None:
    suffixes: Counter[bytes] = Counter()
    for name in names.split():
        count_suffix(suffixes, name.encode(errors="surrogateescape"))
    assert skipped_words(Counter({NO_MEDIA: len(names.split()), **more}), suffixes) == words


def test_a_million_suffixes_take_no_room() -> None:
    suffixes: Counter[bytes] = Counter()
    for number in range(3000):
        count_suffix(suffixes, b"a.%d" % number)
    assert len(suffixes) == 1000
    assert skipped_words(Counter({NO_MEDIA: 3000}), suffixes).endswith(
        " and 2995 others (no media)"
    )


def test_examples_are_few() -> None:
    examples = Examples()
    for number in range(50):
        examples.add(b"%d" % number)
    assert (examples.count, len(examples.first)) == (50, 10)
