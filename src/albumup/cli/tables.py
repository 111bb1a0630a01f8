"""Tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A plain table for people."""
    import tabulate

    tabulate.MIN_PADDING = 0  # else two columns more after each header
    text: str = tabulate.tabulate(list(rows), headers=headers, tablefmt="plain", disable_numparse=True)
    return "\n".join(line.rstrip() for line in text.splitlines())
