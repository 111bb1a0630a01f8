"""The findings about a target, one a line."""

from __future__ import annotations

from collections.abc import Sequence

from albumup.cli.escaping import escape
from albumup.cli.screen import put
from albumup.targets.base import Check

_MARKS = {True: "ok", False: "NO", None: "??"}


def put_checks(checks: Sequence[Check]) -> list[Check]:
    """Print each finding after "ok", "NO" or "??" (not proven); return the bad ones.

    Raises the errors of ``put``.
    """
    for one in checks:
        put(f"{_MARKS[one.ok]:<3} {escape(one.name)}: {escape(one.words, 1000)}")
    return [one for one in checks if one.ok is False]
