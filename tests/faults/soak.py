"""A soak: very many small photos, a server with faults of every kind, kills; is every photo there,
is memory flat?

    python tests/faults/soak.py [--photos 20000] [--kills 50] [--share 0.02] [--seed 1]

Each kind of fault befalls ``--share`` of the requests. The uploader's resident memory is read
before each kill. The last line of output sums it up; exit 1 if anything was lost, falsely claimed,
or sent twice without being marked, or if memory grew.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time

from kill_loop import FORM_FAULTS, Command, Loop

_FOLDER = 1000
_LEAST, _MOST = 800, 4000
_GROWTH = 15_000_000
"""Bytes that the last uploaders may have more than the first ones."""


class Soak:
    """One soak. ``memory``: resident bytes of each uploader, just before it was killed."""

    def __init__(self, folder: str, seed: int, photos: int, share: float) -> None:
        self.loop = Loop(folder, seed, timeout=1.0)
        self.loop.server.weather._shares = dict.fromkeys(FORM_FAULTS, share)
        self.loop.server.pace = 0.0
        self.memory: list[int] = []
        for number in range(0, photos, _FOLDER):
            sizes = [self.loop.rng.randint(_LEAST, _MOST) for _ in range(_FOLDER)]
            self.loop.add_photos(min(_FOLDER, photos - number), None, *sizes)

    def run(self, kills: int) -> None:
        loop = self.loop
        waiting = list(loop.pushes)
        options = ["--jobs", "8", "--patience", "10s"]
        while loop.result.kills.total() < kills:
            if waiting:
                command = loop.start_push(waiting.pop(0), *options)
            elif loop.result.kills.total() % 3:
                command = loop.start("resume", *options)
            else:
                command = loop.start("retry-failed", "--all", "--rejected", "--in-doubt", *options)
            self._kill(command)
            if loop.result.kills.total() % 10 == 0:
                loop.check()
                print(
                    f"{loop.result.kills.total()} kills, {loop.unsettled} photos to go", flush=True
                )
                if not loop.unsettled and not waiting:
                    break
        loop.settle()
        loop.check(final=True)
        loop.server.close()
        loop.result.photos = len(loop._seen)

    def _kill(self, command: Command) -> None:
        end = time.monotonic() + self.loop.rng.uniform(0.8, 3.0)
        resident = 0
        while command.process.poll() is None and time.monotonic() < end:
            resident = _resident(command.process.pid) or resident
            time.sleep(0.1)
        if command.kill():
            self.loop.result.kills[command.verb] += 1
            self.memory.append(resident)
        else:
            self.loop.result.ended += 1
            self.loop._look_at_end(command)
        self.loop._expect_acknowledged([command])

    def memory_words(self) -> tuple[str, bool]:
        """Resident memory of the first and the last uploaders, and whether it stayed flat."""
        part = max(1, len(self.memory) // 5)
        first, last = statistics.median(self.memory[:part]), statistics.median(self.memory[-part:])
        most = max(self.memory)
        words = (
            f"memory {first / 1e6:.1f} MB at the start, {last / 1e6:.1f} MB at the end, "
            f"{most / 1e6:.1f} MB at most"
        )
        return words, last - first < _GROWTH


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/status") as status:
            return next(
                (int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS:")), 0
            )
    except OSError:
        return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--share", type=float, default=0.02)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    folder, began = tempfile.mkdtemp(prefix="albumup-soak-"), time.monotonic()
    soak = Soak(folder, given.seed, given.photos, given.share)
    soak.run(given.kills)
    result = soak.loop.result
    result.seconds = time.monotonic() - began
    print(
        "faults:",
        ", ".join(
            f"{name} {count}" for name, count in sorted(soak.loop.server.weather.counts.items())
        ),
    )
    for problem in result.problems()[:20]:
        print(problem)
    words, flat = soak.memory_words()
    shutil.rmtree(folder, ignore_errors=True)
    print(f"{result}, {words}")
    return 0 if result.is_good and flat else 1


if __name__ == "__main__":
    sys.exit(main())
