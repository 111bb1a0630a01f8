"""What a process has really read from a disk, as Linux counts it: /proc/PID/io."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from albumup.photos.volumes import file_system_of


def read_from_disk(folder: os.PathLike[str], pid: int | str = "self") -> int:
    """Bytes that a process, or this one, has had read from disks; skips where nobody counts them
    for ``folder``."""
    counts = Path(f"/proc/{pid}/io")
    if not os.access(counts, os.R_OK):
        pytest.skip("/proc does not say what is read from disks here")
    if (system := file_system_of(os.fspath(folder))) in ("tmpfs", "ramfs", "overlay", ""):
        pytest.skip(
            f"{folder} lies on {system or 'an unknown file system'}, which no disk is read for"
        )
    found = re.search(r"^read_bytes: (\d+)", counts.read_text(), re.MULTILINE)
    assert found
    return int(found[1])
