"""Groups photos that did not get there by reason, ignoring names, numbers and ids in the
reasons."""

from __future__ import annotations

import os
import re

from msgspec import Struct, field

from albumup.journal.journal import Journal
from albumup.journal.summary import wanting
from albumup.photos.file_names import text_of
from albumup.uploader.kinds import kind_of

_MOST_GROUPS = 1000
"""Further reasons share one group, so that memory stays flat."""
_MOST_PATHS = 24

_ADDRESS = re.compile(r" \(https?://[^\s)]+\)")


class Group(Struct):
    """Photos with one state and kind of reason. ``reason``: of one; ``paths``: of the first few."""

    state: str
    reason: str
    count: int = 0
    paths: list[bytes] = field(default_factory=list)


def grouped(journal: Journal, album_id: int) -> list[Group]:
    """The photos of an album that did not get there, the largest group first."""
    groups: dict[tuple[str, str], Group] = {}
    for one in wanting(journal, album_id):
        name = text_of(os.path.basename(one.path))
        key = one.state.value, kind_of(one.reason, name, one.sent_as)
        if key not in groups and len(groups) >= _MOST_GROUPS:
            key = one.state.value, ""
        group = groups.setdefault(
            key, Group(one.state.replace("_", " "), one.reason if key[1] else "others")
        )
        if group.reason != one.reason:
            group.reason = _ADDRESS.sub("", group.reason)  # the address is one photo's
        group.count += 1
        if len(group.paths) < _MOST_PATHS:
            group.paths.append(one.path)
    return sorted(groups.values(), key=lambda group: -group.count)
