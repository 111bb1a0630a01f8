"""The exit code for albums. Loads few modules."""

from __future__ import annotations

from collections.abc import Iterable

from albumup.errors import worst
from albumup.journal.summary import Summary


def settled_code(sums: Iterable[Summary]) -> int:
    """The exit code for albums with nothing to send."""
    return worst([3 for found in sums if found.is_wanting])
