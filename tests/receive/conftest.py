"""A receiver of its own for each test, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from receiving import Client, receiving


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The receiver's folder."""
    return tmp_path / "photos"


@pytest.fixture
def client(root: Path) -> Iterator[Client]:
    with receiving(root) as client:
        yield client
