"""Which of several reasons gives a command its exit code."""

from __future__ import annotations

from itertools import combinations

import pytest

from albumup.errors import worst

BY_WEIGHT = (130, 1, 2, 4, 75, 3)


@pytest.mark.parametrize(("heavy", "light"), list(combinations(BY_WEIGHT, 2)))
def test_the_heavier_reason_counts(heavy: int, light: int) -> None:
    assert worst([light, heavy, 0]) == heavy


def test_without_a_reason_all_is_well() -> None:
    assert worst([]) == worst([0]) == 0
