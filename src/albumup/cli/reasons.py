"""Photos that did not get there, grouped by reason: reasons that differ only in names, numbers or ids are one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from albumup.cli.escaping import escape
from albumup.cli.figures import photos
from albumup.cli.layout import cells, padded, wrapped
from albumup.cli.names import Names
from albumup.journal.journal import Journal
from albumup.journal.summary import wanting
from albumup.photos.file_names import text_of

MOST_LINES = 10
"""Rows that the details of a run take on a terminal of 80 columns, whatever went wrong."""
_MOST_GROUPS = 1000
"""Reasons beyond these share one group: memory stays flat."""
_MOST_PATHS = 24
_MOST_NAME_LINES = 3
_COLUMNS = 79
_LONGEST = 160
_WIDEST_ALIGNED = 24

_VARYING = re.compile(
    r"""(?<!\w)'[^']*'(?!\w)|"[^"]*"|«[^»]*»|„[^“”]*[“”]|“[^”]*”|\bhttps?://\S+"""
    r"""|\b(?=[0-9a-fA-F-]*\d)[0-9a-fA-F]{6,}(?:-[0-9a-fA-F]+)*\b|\d+(?:[.,:]\d+)*"""
)
"""Quoted text, addresses, ids, figures."""
_STATUS = re.compile(r"(?:^|\b(?:answered|code|http\S*|status):? )([1-5]\d\d)(?![\w.])", re.IGNORECASE)
_ADDRESS = re.compile(r" \(https?://[^\s)]+\)")
_SHORTEST_STEM = 3


class Group(Struct):
    """Photos of one state and reason. ``reason`` is that of one of them; ``paths``: the first few."""

    state: str
    reason: str
    count: int = 0
    paths: list[bytes] = field(default_factory=list)


def kind_of(reason: str, *names: str) -> str:
    """A reason without what differs from photo to photo: the photo's own ``names``, ids, figures, what is quoted.

    The status that a server answered with stays: 403 and 413 are two reasons.
    """
    status = _STATUS.search(reason)
    for name in sorted(filter(None, names), key=len, reverse=True):
        stem = os.path.splitext(name)[0]
        is_telling = len(stem) >= _SHORTEST_STEM and any(letter.isdigit() for letter in stem)
        reason = reason.replace(name, "#")
        if is_telling:
            reason = reason.replace(stem, "#")
    kind = _VARYING.sub("#", reason)
    return f"{status[1] if status is not None else ''} {kind}"


def grouped(journal: Journal, album_id: int) -> list[Group]:
    """The photos of an album that did not get there, the most frequent reason first."""
    groups: dict[tuple[str, str], Group] = {}
    for one in wanting(journal, album_id):
        name = text_of(os.path.basename(one.path))
        key = one.state.value, kind_of(one.reason, name, one.sent_as)
        if key not in groups and len(groups) >= _MOST_GROUPS:
            key = one.state.value, ""
        group = groups.setdefault(key, Group(one.state.replace("_", " "), one.reason if key[1] else "others"))
        if group.reason != one.reason:
            group.reason = _ADDRESS.sub("", group.reason)  # it is one photo's
        group.count += 1
        if len(group.paths) < _MOST_PATHS:
            group.paths.append(one.path)
    return sorted(groups.values(), key=lambda group: -group.count)


def rows(line: str) -> int:
    """Lines that one takes on a terminal of 80 columns."""
    return wrapped(line, _COLUMNS + 1).count("\n") + 1


def lines_of(groups: Sequence[Group], names: Names, most: int) -> list[str]:
    """At most that many rows: a photo that is alone with its reason has a line, others share a heading."""
    first = groups[:most]
    alone = [names.of(group.paths[0]) for group in first if group.count == 1]
    width = min(max(map(cells, alone), default=0), _WIDEST_ALIGNED)
    heads = [_head(group, names, width) for group in first]
    costs = [rows(head) + (group.count > 1) for group, head in zip(first, heads, strict=True)]
    spare = max(0, most - sum(costs) - len(groups[most:]))
    lines: list[str] = []
    room, left = most, sum(group.count for group in groups)
    for group, head, cost in zip(first, heads, costs, strict=True):
        is_last = group is groups[-1]
        if cost > room - (not is_last):
            break
        lines.append(head)
        room -= cost
        if group.count > 1:
            found = named(map(names.of, group.paths), group.count, 1 + min(spare, _MOST_NAME_LINES - 1))
            more = len(found) - 1
            spare, room, lines = spare - more, room - more, lines + found
        left -= group.count
    return [*lines, f"  and {left} more"] if left and lines else lines


def _head(group: Group, names: Names, width: int) -> str:
    """The line of a photo that is alone, its name ``width`` cells wide at least; or the heading of several."""
    reason = escape(group.reason, _LONGEST)
    if group.count > 1:
        return f"  {photos(group.count)} {group.state}: {reason}"
    return f"  {padded(names.of(group.paths[0]), width)}  {group.state:<8}  {reason}"


def named(names: Iterable[str], count: int, most: int) -> list[str]:
    """Names in at most ``most`` lines of 79 cells; and how many of the ``count`` are not among them."""
    lines: list[str] = []
    line, shown = "", 0
    for name in names:
        room = _COLUMNS - cells(f" and {count} more")
        if line and cells(f"    {line}, {name}") > (room if len(lines) == most - 1 else _COLUMNS - 1):
            if len(lines) == most - 1:
                break
            lines.append(f"    {line},")
            line = ""
        line = f"{line}, {name}" if line else name
        shown += 1
    more = f" and {count - shown} more" if shown < count else ""
    return [*lines, f"    {line}{more}"]
