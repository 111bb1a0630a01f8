"""A crash at every step: killed, or given a full disk, at the N-th time of each thing it does, and
N counts up.

    python tests/faults/crash_points.py [--every 1] [--ways failpoint,kill,enospc,eio] [--seconds
3000]

For each case a new journal: a push is ended at one point, a resume after it at another (where there
is one), and then the rest is sent. Failpoints sit within the program (tests/faults/failpoint.py):
at every statement and commit of the journal and every operation on a file. The others are the
kernel's: strace ends the N-th pwrite64, fsync, unlink, send, receive and so on of a thread with
SIGKILL, or lets it fail with ENOSPC or EIO.

The last line of output sums it up; exit 1 if anything was lost, falsely claimed, or sent twice
without being marked.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from kill_loop import COMMAND, Command, Loop

_HERE = os.path.dirname(os.path.abspath(__file__))
_PATIENCE = 60.0
_SIZES = (3_000, 150_000, 40_000)
"""Bytes of the photos: framed with their head, sent by sendfile, and in between."""

SCENES = ("form", "spool", "built-in")
WAYS = ("failpoint", "kill", "enospc", "eio")
_CALLS = {
    "kill": (
        "pwrite64",
        "fdatasync",
        "fsync",
        "unlink",
        "sendto",
        "sendmsg",
        "recvfrom",
        "sendfile",
        "write",
        "link",
        "linkat",
        "unlinkat",
        "rename",
    ),
    "enospc": ("pwrite64", "write", "fdatasync", "openat", "ftruncate"),
    "eio": ("pwrite64", "fdatasync", "fsync", "pread64"),
}
_MOST = 400


@dataclass(frozen=True, slots=True)
class Case:
    """Where a command is ended: the ``number``-th time of ``point``, in one of WAYS."""

    scene: str
    way: str
    point: str
    number: int

    def __str__(self) -> str:
        return f"{self.scene}: {self.way} at {self.point} {self.number}"


@dataclass(slots=True)
class Tally:
    """What all cases came to."""

    cases: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    faults: int = 0
    """Commands that met a full or failing disk and said so with exit 1."""
    twice: int = 0
    marked: int = 0
    losses: list[str] = field(default_factory=list)
    false_claims: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        return self.losses + self.false_claims + self.others

    def __str__(self) -> str:
        kills = ", ".join(f"{way} {count}" for way, count in sorted(self.kills.items()))
        return (
            f"{self.cases} cases, {self.kills.total()} kills ({kills}), "
            f"{self.faults} full or failing disks: "
            f"{len(self.losses)} losses, {len(self.false_claims)} false claims, "
            f"{len(self.others)} other faults, "
            f"{self.twice} sent twice ({self.marked} marked maybe_twice)"
        )


class Scene:
    """One case's journal, photos and server."""

    def __init__(self, name: str, seed: int) -> None:
        self.folder = tempfile.mkdtemp(prefix="albumup-crash-")
        self.name = name
        self.loop = Loop(
            self.folder,
            seed,
            target="built-in" if name == "built-in" else "form",
            timeout=_PATIENCE,
        )
        self.loop.server.weather.calm = True
        self.loop.server.pace = 0.0
        self.push = self.loop.add_photos(len(_SIZES), "trip", *_SIZES)

    def close(self) -> None:
        self.loop.server.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def launch(self, case: Case) -> Sequence[str]:
        """How a command's line begins so that it ends at the case's point."""
        if case.way == "failpoint":
            return (
                sys.executable,
                os.path.join(_HERE, "failpoint.py"),
                f"{case.point}:{case.number}",
            )
        effect = "signal=KILL" if case.way == "kill" else f"error={case.way.upper()}"
        # A full disk stays full, also for what is tried next; a bad block is one.
        when = f"{case.number}+" if case.way == "enospc" else str(case.number)
        line = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={case.point}"]
        line += ["-e", f"inject={case.point}:{effect}:when={when}"]
        if case.point in (
            "openat",
            "pread64",
        ):  # what Python itself opens is not what this is about
            for path in self.loop.journal, self.loop.journal + "-wal", self.loop.journal + ".new":
                line += ["-P", path]
        return (*line, *COMMAND)

    def start(self, verb: str, launch: Sequence[str] | None = None) -> Command:
        if verb == "push":
            options = ["--spool"] if self.name == "spool" else []
            return self.loop.start_push(self.push, *options, launch=launch)
        return self.loop.start(verb, launch=launch)


def counted(scene_name: str) -> Counter[str]:
    """How often each failpoint is come to by a push that nothing ends."""
    scene = Scene(scene_name, seed=1)
    try:
        counts = os.path.join(scene.folder, "counts")
        command = scene.start(
            "push", (sys.executable, os.path.join(_HERE, "failpoint.py"), f"count:{counts}")
        )
        assert command.process.wait(_PATIENCE) == 0, command.said()
        with open(counts, encoding="utf-8") as file:
            return Counter(json.load(file))
    finally:
        scene.close()


def run_case(case: Case, tally: Tally) -> bool:
    """Run one case; whether its push was ended at the point."""
    scene = Scene(case.scene, seed=case.number)
    loop = scene.loop
    try:
        reached = False
        for verb in ("push", "resume", "retry-failed"):
            command = scene.start(verb, scene.launch(case))
            try:
                code = command.process.wait(_PATIENCE)
            except TimeoutError:
                code = -1
            if code in (-signal.SIGKILL, 128 + signal.SIGKILL):
                tally.kills[case.way] += 1
                reached = reached or verb == "push"
            elif code == 1:
                tally.faults += 1
                reached = reached or verb == "push"
            if (
                "Traceback" in command.said()
                or "fault of albumup itself" in command.said()
                or code not in (*(0, 1, 3, 75, 137, -9),)
            ):
                loop.result.faults.append(f"{verb} ended with {code}: {command.said()[-1500:]}")
            loop._expect_acknowledged([command])
            loop.check()
        loop.settle()
        loop.check(final=True)
        if case.way in ("enospc", "eio"):
            for row in loop.rows("select path, tries, state from v_tasks where tries > 1"):
                loop.result.faults.append(
                    f"{row['path']} spent {row['tries']} tries on a fault of this machine"
                )
        if case.scene == "spool":
            left = (
                os.listdir(loop.journal + ".spool")
                if os.path.isdir(loop.journal + ".spool")
                else []
            )
            loop.result.faults += [f"a copy was left in the spool folder: {name}" for name in left]
        result = loop.result
        tally.twice += result.twice
        tally.marked += result.marked
        tally.losses += [f"{case}: {one}" for one in result.losses]
        tally.false_claims += [f"{case}: {one}" for one in result.false_claims]
        tally.others += [f"{case}: {one}" for one in result.faults + result.unexplained]
        tally.cases += 1
        return reached
    finally:
        scene.close()


def cases_of(way: str, scene: str, every: int) -> Iterator[tuple[Iterator[Case], bool]]:
    """Series of cases whose number counts up; the flag says that a series ends where its point is
    no longer reached."""
    if way == "failpoint":
        for point, count in sorted(counted(scene).items()):
            yield (Case(scene, way, point, number) for number in range(1, count + 3, every)), False
        return
    for point in _CALLS[way]:
        yield (Case(scene, way, point, number) for number in range(1, _MOST, every)), True


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--every", type=int, default=1, help="of each point, only every N-th time")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--scenes", default=",".join(SCENES))
    parser.add_argument(
        "--seconds", type=float, default=3600.0, help="begin no more series after this time"
    )
    parser.add_argument("--at-once", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    tally, began = Tally(), time.monotonic()

    def run_series(series: tuple[Iterator[Case], bool]) -> None:
        cases, ends = series
        missed = 0
        for case in cases:
            if time.monotonic() - began > given.seconds:
                return
            missed = 0 if run_case(case, tally) else missed + 1
            if ends and missed >= 3:
                return

    series = itertools.chain.from_iterable(
        cases_of(way, scene, given.every)
        for way in given.ways.split(",")
        for scene in given.scenes.split(",")
    )
    with ThreadPoolExecutor(given.at_once) as pool:
        list(pool.map(run_series, series))
    for problem in tally.problems:
        print(problem)
    print(f"{tally}, {time.monotonic() - began:.0f} s")
    return 1 if tally.problems else 0


if __name__ == "__main__":
    sys.exit(main())
