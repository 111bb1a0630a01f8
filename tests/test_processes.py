"""Whether a process is there."""

from __future__ import annotations

import os
import subprocess
import sys

from albumup.processes import is_alive


def test_this_process_is_there_and_one_that_has_ended_is_not() -> None:
    assert is_alive(os.getpid())
    child = subprocess.Popen([sys.executable, "-S", "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(child.pid), "nobody has waited for it: it is a zombie"
    child.wait()
    assert not is_alive(child.pid)


def test_a_process_of_another_user_is_there() -> None:
    assert is_alive(1)
