"""A disk that takes its time (slow.c), for a command of its own.

By hand, to look at a program on a disk whose fsyncs take half a second, or on which one file cannot
be read:

    python tests/faults/slow.py --fsync-ms 500 -- albumup push ./trip
    python tests/faults/slow.py --read ./trip/IMG_7.JPG --seconds 60 -- albumup push ./trip
"""

from __future__ import annotations

import argparse
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("slow.c")


class SlowDisk:
    """The library, compiled into a folder; FileNotFoundError where there is no C compiler, or it is
    not Linux."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        if sys.platform != "linux" or compiler is None:
            raise FileNotFoundError("LD_PRELOAD and cc")
        self._library, self._counter = folder / "slow.so", folder / "slow.count"
        subprocess.run(
            [compiler, "-O2", "-shared", "-fPIC", "-o", self._library, SOURCE], check=True
        )
        self._counter.write_bytes(bytes(16))

    def environment(
        self,
        *,
        fsync_ms: int = 0,
        read: Path | None = None,
        seconds: float = 60,
        when: Path | None = None,
    ) -> dict[str, str]:
        """Variables for a command: each fsync takes so much longer; whoever reads that file hangs
        for so long.

        ``when``: only while there is such a file.
        """
        found = {
            "LD_PRELOAD": str(self._library),
            "SLOW_COUNT": str(self._counter),
            "SLOW_FSYNC_MS": str(fsync_ms),
        }
        if read is not None:
            found |= {"SLOW_READ": str(read), "SLOW_READ_SECONDS": str(seconds)}
        if when is not None:
            found["SLOW_READ_WHEN"] = str(when)
        return found

    @property
    def fsyncs(self) -> int:
        return self._counts()[0]

    @property
    def hung(self) -> int:
        """Reads that have begun to hang."""
        return self._counts()[1]

    def _counts(self) -> tuple[int, int]:
        fsyncs, hung = struct.unpack("qq", self._counter.read_bytes())
        return fsyncs, hung


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--fsync-ms", type=int, default=0)
    parser.add_argument("--read", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        disk = SlowDisk(Path(folder))
        added = disk.environment(fsync_ms=given.fsync_ms, read=given.read, seconds=given.seconds)
        code = subprocess.run(given.command, env={**os.environ, **added}).returncode
        print(f"{disk.fsyncs} fsyncs, {disk.hung} reads that hung, exit {code}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
