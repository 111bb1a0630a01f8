"""Whether another process is there."""

from __future__ import annotations

import os


def is_alive(pid: int) -> bool:
    """Whether there is a process ``pid``, of any user. A zombie has ended. See proc(5)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return not stat.read().rpartition(b")")[2].lstrip().startswith(b"Z")
    except OSError:
        return True  # not Linux
