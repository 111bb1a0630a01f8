"""The journal: one method per change of state, each a few statements inside the caller's
transaction."""

from __future__ import annotations

from albumup.journal.attempts import Attempts
from albumup.journal.doubts import Doubts
from albumup.journal.membership import Members
from albumup.journal.preparing import Preparing
from albumup.journal.stages import Stages


class Journal(Preparing, Stages, Attempts, Doubts, Members):
    """All changes of tasks, on one connection."""
