"""Commands of the fault suites are forked, like those of the others, where they are plain ones."""

from __future__ import annotations

from kill_loop import Loop

Loop.launch = None
