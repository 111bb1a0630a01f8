"""Runs a command and tells what it cost: its exit code, seconds, processor seconds and peak bytes,
on a descriptor.

    python -I -S cost.py DESCRIPTOR COMMAND...

The peak of a process's memory begins, as the system counts it, with that of whoever started it
(Linux: getrusage(2), ru_maxrss, survives execve). So it is started by this one, which is small.
"""

import os
import sys
import time


def main() -> None:
    began = time.perf_counter()
    child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - began
    code = os.waitstatus_to_exitcode(status)
    told = f"[{code}, {seconds}, {usage.ru_utime + usage.ru_stime}, {usage.ru_maxrss * 1024}]"
    os.write(int(sys.argv[1]), told.encode())


if __name__ == "__main__":
    main()
