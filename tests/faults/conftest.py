"""Commands of the fault suites are forked, like those of the others, where they are plain ones."""

from __future__ import annotations

from typing import Any

import zygote
from kill_loop import ALBUMUP, Loop


def _begin(line: list[str], **more: Any) -> zygote.Started:
    return zygote.Started(line[len(ALBUMUP) :], **more)


Loop.begin = staticmethod(_begin)
