"""Memory stays flat however long the queue."""

from __future__ import annotations

import os
import sys

import pytest
from memory import FEW, peak_of_resume

MANY = 50_000
MB = 1_000_000


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="the high-water mark is read from /proc")
def test_memory_is_flat(tmp_path: os.PathLike[str]) -> None:
    few = peak_of_resume(os.path.join(tmp_path, "few"), FEW, accepted=300)
    many = peak_of_resume(os.path.join(tmp_path, "many"), MANY, accepted=300)
    print(f"{FEW} photos waiting: {few / MB:.1f} MB; {MANY}: {many / MB:.1f} MB")
    assert many - few < 10 * MB
    assert many < 80 * MB
