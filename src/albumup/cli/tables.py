"""Tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A plain table for people."""
    import tabulate

    from albumup.cli.escaping import escape

    tabulate.MIN_PADDING = 0  # else two columns more after each header
    cells = [[escape(str(cell)) for cell in row] for row in rows]
    text: str = tabulate.tabulate(cells, headers=headers, tablefmt="plain", disable_numparse=True)
    return "\n".join(line.rstrip() for line in text.splitlines())
