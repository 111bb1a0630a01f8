"""Counts the files that a push leaves out, and the oddities of others; both in words."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct, field

from albumup.photos.file_names import text_of
from albumup.photos.filters import SkipReason
from albumup.photos.sniffing import suffix_in

_EXAMPLES = 10
_MOST_SUFFIXES = 1000
"""The most suffixes that are counted one by one; files with further ones count as others."""
_MOST_SHOWN = 5
_LONGEST_SUFFIX = 12


class Examples(Struct):
    """A count, and the first few examples: paths, each with a remark."""

    count: int = 0
    first: list[tuple[bytes, str]] = field(default_factory=list)

    def add(self, path: bytes, words: str = "") -> None:
        self.count += 1
        if len(self.first) < _EXAMPLES:
            self.first.append((path, words))


def count_suffix(suffixes: Counter[bytes], path: bytes) -> None:
    """Count a file by its suffix; b"" stands for no suffix."""
    suffix = suffix_in(path)
    if suffix in suffixes or len(suffixes) < _MOST_SUFFIXES:
        suffixes[suffix] += 1


def skipped_words(reasons: Counter[SkipReason], suffixes: Counter[bytes]) -> str:
    """The skipped files by suffix and reason: "7 skipped: 3 .txt, 2 .db (no media), 2 empty"; "" if
    there are none.

    Sidecars are left out: another line tells whether they are sent. So are files that are still
    being written. Suffixes are escaped.
    """
    counts = {
        reason: count
        for reason, count in sorted(reasons.items())
        if reason not in (SkipReason.SIDECAR, SkipReason.YOUNG)
    }
    total = sum(counts.values())
    no_media = counts.pop(SkipReason.NO_MEDIA, 0)
    parts = [f"{_by_suffix(suffixes, no_media)} (no media)"] if no_media > 0 else []
    parts += [f"{count} {_reason(reason, count)}" for reason, count in counts.items() if count > 0]
    return f"{total} skipped: {', '.join(parts)}" if parts else ""


def _by_suffix(suffixes: Counter[bytes], total: int) -> str:
    """The most frequent suffixes with their counts, and the number of other files."""
    ranked = sorted(suffixes.items(), key=lambda item: (-item[1], item[0]))[:_MOST_SHOWN]
    rest = total - sum(count for _, count in ranked)
    words = [f"{count} {_shown(suffix)}" for suffix, count in ranked]
    if not rest:
        return ", ".join(words)
    others = "other" if rest == 1 else "others"
    return ", ".join(words) + f" and {rest} {others}"


_MANY = {SkipReason.LINK: "links out of the tree", SkipReason.LEFTOVER: "leftovers"}


def _reason(reason: SkipReason, count: int) -> str:
    return reason if count == 1 else _MANY.get(reason, reason)


def _shown(suffix: bytes) -> str:
    if not suffix:
        return "without suffix"
    text = ascii(text_of(suffix))[1:-1]
    return text if len(text) <= _LONGEST_SUFFIX else text[: _LONGEST_SUFFIX - 1] + "…"
