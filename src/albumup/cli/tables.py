"""Tables for people: whole in a pipe, fitted to a terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import zip_longest

from albumup.cli.escaping import escape
from albumup.cli.layout import LONGEST_LINE, cells, glued, padded, shortened, wrapped

_GAP = "  "
_GOOD_NAME, _LEAST_NAME = 20, 10
"""The cells of a name that is cut: if possible, and at least."""


def table(
    headers: Sequence[str],
    rows: Iterable[Sequence[object]],
    width: int | None = None,
    cut: Collection[str] = (),
    broken: Sequence[str] = (),
) -> str:
    """Columns with their headers, in ``width`` cells; None: as wide as their content.

    Cells of the columns ``cut`` may lose their middle. Cells of the columns ``broken`` may go on in
    the next line; of these columns only the first one gives way before names are cut to their
    shortest. Numbers stay whole. If the table is still too wide, each row becomes a paragraph.
    """
    grid = [[escape(str(cell), LONGEST_LINE) for cell in row] for row in rows]
    widths = [max(map(cells, column)) for column in zip(headers, *grid, strict=True)]
    if width is None or _total(widths) <= width:
        return "\n".join(_line(row, widths) for row in [headers, *grid])
    for number, least in _floors(headers, grid, cut, broken):
        spare = min(_total(widths) - width, widths[number] - max(least, cells(headers[number])))
        widths[number] -= max(0, spare)
    if _total(widths) > width:
        return "\n".join(_paragraph(headers, row, width) for row in grid)
    lines = [_line(headers, widths)]
    for row in grid:
        fitted = [
            _fitted(cell, room, name in broken)
            for cell, room, name in zip(row, widths, headers, strict=True)
        ]
        lines += [_line(line, widths) for line in zip_longest(*fitted, fillvalue="")]
    return "\n".join(lines)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(map(padded, row, widths)).rstrip()


def _floors(
    headers: Sequence[str],
    grid: Sequence[Sequence[str]],
    cut: Collection[str],
    broken: Sequence[str],
) -> Iterator[tuple[int, int]]:
    """The columns that give way, in order, each with its least width.

    Long names come first, then the first column of words, then names again, and at last other
    words.
    """
    names = [number for number, header in enumerate(headers) if header in cut]
    words = [
        (
            number,
            max((cells(word) for row in grid for word in glued(row[number]).split(" ")), default=0),
        )
        for number in map(headers.index, broken)
    ]
    yield from ((number, _GOOD_NAME) for number in reversed(names))
    yield from words[:1]
    yield from ((number, _LEAST_NAME) for number in reversed(names))
    yield from words[1:]


def _fitted(cell: str, room: int, is_broken: bool) -> list[str]:
    return wrapped(cell, room, under=0).split("\n") if is_broken else [shortened(cell, room)]


def _paragraph(headers: Sequence[str], row: Sequence[str], width: int) -> str:
    """A row as a paragraph: "trip: target home, state waiting, sent 117/294"."""
    said = [
        f"{header.lower()} {cell}".strip()
        for header, cell in zip(headers[1:], row[1:], strict=True)
        if cell
    ]
    short = [f"{one}," for one in said if cells(one) < width // 2]
    return wrapped(f"{shortened(row[0], width - 1)}: {', '.join(said)}", width, whole=short)
