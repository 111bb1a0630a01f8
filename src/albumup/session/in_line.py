"""One command of a schedule waits for a run that lasts longer than the time to the next one.

Cron begins the command again all the same: the others hand over their albums, and end.
"""

from __future__ import annotations

import os

from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.processes import is_alive


def is_another_in_line(journal: Journal, schedule: str, run: runs.Run) -> bool:
    """Does another process of the schedule wait for this run? If not, this process does from now
    on. Call this inside a transaction.

    ``schedule``: its name; "": the command is typed by a person, or another program's.
    """
    if not schedule:
        return False
    what = f"in line {schedule}"
    pid, _, waits_for = runs.told(journal, what).partition(" ")
    is_other = pid not in ("", str(os.getpid()))
    if is_other and waits_for == str(run.id) and is_alive(int(pid)):
        return True
    runs.tell(journal, what, f"{os.getpid()} {run.id}")
    return False
