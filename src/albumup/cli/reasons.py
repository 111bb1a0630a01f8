"""Lines about photos that did not get to the server, and lines of names, fit for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from albumup.cli.escaping import escape
from albumup.cli.figures import photos
from albumup.cli.layout import cells, padded, wrapped
from albumup.cli.names import Names
from albumup.session.reasons import Group

MOST_LINES = 10
"""The most rows of a run's details on a terminal of 80 columns, whatever went wrong."""
_MOST_NAME_LINES = 3
_COLUMNS = 79
_LONGEST = 160
_WIDEST_ALIGNED = 24


def rows(line: str) -> int:
    """The rows that a line takes on a terminal of 80 columns."""
    return wrapped(line, _COLUMNS + 1).count("\n") + 1


def lines_of(groups: Sequence[Group], names: Names, most: int) -> list[str]:
    """Lines about groups of photos, in at most ``most`` rows.

    A photo with a reason of its own has a line; photos that share a reason have a heading and lines
    of names.
    """
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
            found = named(
                map(names.of, group.paths), group.count, 1 + min(spare, _MOST_NAME_LINES - 1)
            )
            more = len(found) - 1
            spare, room, lines = spare - more, room - more, lines + found
        left -= group.count
    return [*lines, f"  and {left} more"] if left and lines else lines


def _head(group: Group, names: Names, width: int) -> str:
    """The line of a single photo, with its name padded to ``width`` cells; or a group's heading."""
    reason = escape(group.reason, _LONGEST)
    if group.count > 1:
        return f"  {photos(group.count)} {group.state}: {reason}"
    return f"  {padded(names.of(group.paths[0]), width)}  {group.state:<8}  {reason}"


def named(names: Iterable[str], count: int, most: int) -> list[str]:
    """Names in at most ``most`` lines of 79 cells; the last line counts the names left out."""
    lines: list[str] = []
    line, shown = "", 0
    for name in names:
        room = _COLUMNS - cells(f" and {count} more")
        if line and cells(f"    {line}, {name}") > (
            room if len(lines) == most - 1 else _COLUMNS - 1
        ):
            if len(lines) == most - 1:
                break
            lines.append(f"    {line},")
            line = ""
        line = f"{line}, {name}" if line else name
        shown += 1
    more = f" and {count - shown} more" if shown < count else ""
    return [*lines, f"    {line}{more}"]
