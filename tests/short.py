"""What the short form leaves to the long one."""

from __future__ import annotations

from collections.abc import Iterable

import pytest


def short_form(values: Iterable[object], count: int = 1) -> list[object]:
    """Parameters of a test: the first ``count`` of them in the short form, all in the long one."""
    return [
        value if number < count else pytest.param(*_each(value), marks=pytest.mark.long)
        for number, value in enumerate(values)
    ]


def _each(value: object) -> tuple[object, ...]:
    """A tuple is several parameters; a list is one."""
    return value if isinstance(value, tuple) else (value,)
