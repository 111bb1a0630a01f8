"""A mixed album to an Immich server, killed at any moment: in short; the long form is the command
immich_album.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from immich.fake import VERSIONS
from immich_album import run


@pytest.mark.kill
@pytest.mark.long
def test_a_mixed_album_survives_kills(tmp_path: Path) -> None:
    result = run(tmp_path, files=30, kills=4, seed=20261125, version=VERSIONS[-1])
    print(*result.lines, sep="\n")
    assert result.problems == []
    assert result.kills > 0
