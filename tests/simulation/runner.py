"""``./dev simulate``: play many stories, or tell one."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import Pool

from simulation.story import Result, play_seed

HASH_SEED = "0"
BATCH = 100
AGAIN = 50
"""Of as many stories one is played twice, and its traces compared."""
MOST_BAD = 20
"""Bad stories after which no more are played."""
_SIZES, _BLOCKS = range(48, 513, 16), 200
"""The interpreter's own sizes of small objects, and how many blocks of each are mixed."""
_BYTES_HEAD = sys.getsizeof(b"")


@dataclass
class Sum:
    """What many stories came to."""

    stories: int = 0
    crashes: int = 0
    runs: int = 0
    photos: int = 0
    virtual: float = 0.0
    steps: int = 0
    lost: int = 0
    false_claims: int = 0
    sent_twice: int = 0
    twice_wrongly: int = 0
    compared: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    bad: list[tuple[int, str]] = field(default_factory=list)
    leaks: set[str] = field(default_factory=set)

    def add(self, result: Result) -> None:
        self.stories += 1
        self.crashes += result.crashes
        self.runs += result.runs
        self.photos += result.photos
        self.virtual += result.seconds
        self.steps += result.steps
        self.lost += result.lost
        self.false_claims += result.false_claims
        self.sent_twice += result.sent_twice
        self.twice_wrongly += "is there" in result.broken and "times" in result.broken
        self.fired.update(result.fired)
        self.leaks |= result.leaks
        if result.broken:
            self.bad.append((result.plan.seed, result.broken))

    def join(self, other: Sum) -> None:
        for name in (
            "stories", "crashes", "runs", "photos", "virtual", "steps", "lost", "false_claims",
        ):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("sent_twice", "twice_wrongly", "compared"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.fired.update(other.fired)
        self.leaks |= other.leaks
        self.bad += other.bad


def play_batch(first: int, count: int, again: int = AGAIN) -> Sum:
    """Play ``count`` stories from the seed ``first``; garbage is collected between two stories,
    never within one."""
    logging.disable(logging.CRITICAL)
    gc.collect()
    gc.freeze()
    gc.disable()
    found = Sum()
    for seed in range(first, first + count):
        result = play_seed(seed)
        if again and seed % again == 0:
            found.compared += 1
            with other_memory(seed):
                second = play_seed(seed)
            if second.told != result.told:
                result.broken = result.broken or f"it does not replay: {_differs(result, second)}"
        found.add(result)
        if seed % 10 == 0:
            gc.collect()
    gc.enable()
    return found


@contextmanager
def other_memory(seed: int) -> Iterator[None]:
    """What is made within lies in another order in memory: a story that follows the order of a set
    of tasks, which is that of their addresses, then shows it."""
    blocks = [bytes(size - _BYTES_HEAD) for size in _SIZES for _ in range(_BLOCKS)]
    random.Random(seed).shuffle(blocks)
    del blocks[len(blocks) // 2 :]
    yield
    blocks.clear()


def _differs(one: Result, other: Result) -> str:
    pairs = zip([*one.told, "(its end)"], [*other.told, "(its end)"], strict=False)
    return next(
        (f"{first!r}, then {second!r}" for first, second in pairs if first != second),
        "one is longer",
    )


def main() -> int:
    arguments = _arguments()
    if os.environ.get("PYTHONHASHSEED") != HASH_SEED:
        environment = os.environ | {"PYTHONHASHSEED": HASH_SEED}
        os.execve(sys.executable, [sys.executable, "-m", "simulation", *sys.argv[1:]], environment)
    if arguments.planted:
        from simulation.planted import hunt

        return hunt(arguments.seeds)
    if arguments.seed is not None:
        return tell(arguments.seed, shrinks=arguments.shrink, verbose=arguments.verbose)
    return play_all(arguments.start, arguments.seeds, arguments.jobs)


def tell(seed: int, *, shrinks: bool, verbose: bool) -> int:
    """One story, line by line."""
    result = play_seed(seed)
    if shrinks and result.broken:
        from simulation.shrink import shrunk

        result = shrunk(result)
    print(result.plan)
    if verbose or result.broken:
        print("\n".join(result.told))
    print(result.broken or "all laws hold")
    return 1 if result.broken else 0


def play_all(first: int, count: int, jobs: int) -> int:
    """Stories from seed to seed, in batches, on ``jobs`` cores. Ctrl-C ends them, and tells what
    they came to so far."""
    began, total = time.perf_counter(), Sum()
    with suppress(KeyboardInterrupt):
        for part in _parts(first, count, jobs):
            total.join(part)
            for seed, words in part.bad:
                print(f"bad: ./dev simulate --seed {seed} -v   {words[:200]}", flush=True)
            if len(total.bad) >= MOST_BAD:
                break
    seconds = time.perf_counter() - began
    print(
        f"{total.stories} stories, {total.photos} photos, {total.runs} runs, "
        f"{total.crashes} crashes"
    )
    print(
        f"{seconds:.1f} s, {total.stories / seconds:.0f} stories a second; "
        f"{total.virtual / 86400:.0f} days of theirs"
    )
    for kind, times in sorted(total.fired.items()):
        print(f"  {times:7} {kind}")
    for leak in sorted(total.leaks):
        print(f"not handed in: {leak}")
    print(
        f"lost {total.lost}, false claims {total.false_claims}, sent twice {total.sent_twice}"
        f" (not allowed {total.twice_wrongly}), compared {total.compared}, bad {len(total.bad)}"
    )
    return 1 if total.bad else 0


def _parts(first: int, count: int, jobs: int) -> Iterator[Sum]:
    batches = [
        (start, min(BATCH, first + count - start)) for start in range(first, first + count, BATCH)
    ]
    if jobs == 1 and len(batches) == 1:
        yield play_batch(*batches[0])
        return
    # What was killed within a story stays in memory for good: a process plays a few batches, and
    # ends.
    with Pool(jobs, _leave_interrupts, maxtasksperchild=10) as pool:
        yield from pool.imap(_play_part, batches)


def _leave_interrupts() -> None:
    """Leave Ctrl-C to the process that waits for this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _play_part(batch: tuple[int, int]) -> Sum:
    return play_batch(*batch)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./dev simulate", description="Stories of the simulated world."
    )
    parser.add_argument("--seeds", type=int, default=200, help="how many stories")
    parser.add_argument("--from", dest="start", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="on how many cores")
    parser.add_argument("--seed", type=int, help="tell the story of one seed")
    parser.add_argument(
        "--shrink", action="store_true", help="with its fewest events, if it is bad"
    )
    parser.add_argument("--planted", action="store_true", help="hunt the planted bugs")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="line by line, also if it is good"
    )
    return parser.parse_args()
