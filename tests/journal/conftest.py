"""A journal of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from albumup.journal.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty one, at the time 1000."""
    journal = Journal(str(tmp_path / "journal.db"), clock=lambda: 1000.0)
    yield journal
    journal.close()
