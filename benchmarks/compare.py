"""Two versions of albumup in one run, turn by turn, and beside a peer: what a change of the engine
made of the figures.

Each row says how many times as fast as the peer, or as the version before, the present one shall be
at least.
"""

from __future__ import annotations

import contextlib
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import peers
from scale import first_byte, first_line, grow, resume
from scenes import Sizes
from stage import Cost, Failed, Program, Stage, interleaved, run
from tabulate import tabulate

QUICK = Sizes(64 << 20, 20, 300, 200, 1000, (1000, 5000))
AS_GOOD = 0.95
"""Of the version before: as fast, within the noise."""
MEMORY = Path("/dev/shm")
START = "import requests, click, sqlite3, asyncio"


@dataclass(frozen=True, slots=True)
class Row:
    """Less is better. ``aim``: how many times as good as ``of``, "peer" or "before", the present
    version shall be."""

    work: str
    unit: str
    before: float
    now: float
    peer: str
    theirs: float | None
    aim: float
    of: str

    @property
    def ratios(self) -> tuple[float | None, float | None, float]:
        """The version before and the present one beside the peer; the present one beside that
        before."""
        times = self.before / self.now if self.now else 1.0
        if self.theirs is None:
            return None, None, times
        return self.theirs / self.before, self.theirs / self.now, times

    @property
    def is_met(self) -> bool:
        _, beside_peer, beside_before = self.ratios
        found = beside_peer if self.of == "peer" else beside_before
        return found is not None and found >= self.aim

    def cells(self) -> list[str]:
        figures = [f"{self.before:.3g} {self.unit}", f"{self.now:.3g} {self.unit}", self.peer]
        theirs = "" if self.theirs is None else f"{self.theirs:.3g} {self.unit}"
        ratios = ["" if ratio is None else f"{ratio:.2f}" for ratio in self.ratios]
        return [
            self.work,
            *figures,
            theirs,
            *ratios,
            f"{self.aim:.2g} x {self.of}",
            "yes" if self.is_met else "NO",
        ]


@dataclass(slots=True)
class Comparison:
    """Where rows are measured, and what they found. ``folder``: of the scratch folder that is on a
    disk."""

    before: Program
    now: Program
    sizes: Sizes
    runs: int
    folder: Path | None
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    _stages: dict[Path | None, Stage] = field(default_factory=dict)

    def disk(self) -> Stage:
        return self._stage(self.folder)

    def memory(self) -> Stage:
        """A stage whose files, journals too, are in memory."""
        if not MEMORY.is_dir():
            raise Failed(f"{MEMORY} is missing")
        return self._stage(MEMORY)

    def _stage(self, folder: Path | None) -> Stage:
        if folder not in self._stages:
            self._stages[folder] = Stage(folder)
        return self._stages[folder]

    def of_both(self, stage: Stage) -> tuple[Stage, Stage]:
        return stage.running(self.before), stage.running(self.now)

    def turns(
        self,
        stage: Stage,
        ours: Callable[[Stage], Cost],
        runs: int = 0,
        **theirs: Callable[[], Cost],
    ) -> dict[str, Cost]:
        """Median costs: of ``ours`` by both versions, as "before" and "now", and of the peers."""
        before, now = self.of_both(stage)
        contestants = {"before": partial(ours, before), "now": partial(ours, now), **theirs}
        return interleaved(runs or self.runs, contestants)

    def row(
        self,
        work: str,
        unit: str,
        found: tuple[float, float],
        aim: float,
        peer: str = "",
        theirs: float | None = None,
    ) -> None:
        """``aim``: of the peer's figure, if there is one."""
        self.rows.append(
            Row(work, unit, *found, peer, theirs, aim, "before" if theirs is None else "peer")
        )

    def no_worse(
        self,
        work: str,
        unit: str,
        found: tuple[float, float],
        peer: str = "",
        theirs: float | None = None,
    ) -> None:
        """A row with a peer, whose aim is the version before all the same."""
        self.rows.append(Row(work, unit, *found, peer, theirs, AS_GOOD, "before"))

    def tables(self) -> str:
        """What was found, for people."""
        heads = [
            "work", "before", "now", "beside", "peer", "before:peer", "now:peer", "now:before",
            "aim", "met",
        ]  # fmt: skip
        found = tabulate([row.cells() for row in self.rows], heads, disable_numparse=True)
        return "\n\n".join([found, *self.notes, *(f"not run: {words}" for words in self.missing)])


def _of(
    found: dict[str, Cost], figure: Callable[[Cost], float] = lambda cost: cost.seconds
) -> tuple[float, float]:
    """A figure of the version before, and of the present one."""
    return figure(found["before"]), figure(found["now"])


def _peaks(found: dict[str, Cost]) -> tuple[float, float]:
    return _of(found, lambda cost: cost.memory / 1e6)


def small(comparison: Comparison) -> None:
    """Little photos, in memory, over HTTP."""
    stage, count = comparison.memory(), comparison.sizes.small
    folder = stage.photos("small", count, 30_000)
    found = comparison.turns(
        stage, lambda stage: stage.push(folder), curl=lambda: peers.curl_many(stage, folder),
        bare=lambda: peers.bare_socket(stage, folder, 4),
    )  # fmt: skip
    name, each = f"{count:,} x 30 KB in memory, HTTP", 1e6 / count
    curl = found["curl"].seconds * each
    seconds = _of(found, lambda cost: cost.seconds * each)
    comparison.row(f"{name}, each", "µs", seconds, 0.35, "curl --parallel", curl)
    bare = found["bare"].seconds * each
    comparison.notes.append(f"a bare socket, 4 threads, is done with one of these in {bare:.0f} µs")
    processor = _of(found, lambda cost: cost.processor * each)
    theirs = found["curl"].processor * each
    comparison.rows.append(
        Row(
            f"{name}, processor, each",
            "µs",
            *processor,
            "curl --parallel",
            theirs,
            1 / 0.45,
            "before",
        )
    )
    comparison.no_worse(f"{name}, peak memory", "MB", _peaks(found))


def tls(comparison: Comparison) -> None:
    """The same over TLS."""
    stage, count = comparison.memory(), comparison.sizes.small
    folder = stage.photos("small", count, 30_000)
    found = comparison.turns(
        stage,
        lambda stage: stage.push(folder, "secure"),
        curl=lambda: peers.curl_many(stage, folder, secure=True),
    )
    each = 1e6 / count
    seconds = _of(found, lambda cost: cost.seconds * each)
    curl = found["curl"].seconds * each
    comparison.row(
        f"{count:,} x 30 KB in memory, TLS, each", "µs", seconds, 0.3, "curl --parallel", curl
    )


def disk(comparison: Comparison) -> None:
    """The same from a disk, with the journal on it."""
    stage, count = comparison.disk(), comparison.sizes.small
    folder = stage.photos("small", count, 30_000)
    found = comparison.turns(
        stage, lambda stage: stage.counted_push(folder), curl=lambda: peers.curl_many(stage, folder)
    )
    name, each = f"{count:,} x 30 KB on a disk, HTTP", 1e6 / count
    seconds = _of(found, lambda cost: cost.seconds * each)
    curl = found["curl"].seconds * each
    comparison.rows.append(
        Row(f"{name}, each", "µs", *seconds, "curl --parallel", curl, 3.0, "before")
    )
    fsyncs = _of(found, lambda cost: cost.fsyncs / count)
    comparison.no_worse(f"{name}, fsyncs, each", "", fsyncs)


def receive(comparison: Comparison) -> None:
    """Little photos into the receiver, which shares this machine with the push."""
    stage, count = comparison.disk(), comparison.sizes.small // 2
    folder = stage.photos("received", count, 30_000)
    found = comparison.turns(stage, lambda stage: stage.push_to_receiver(folder))
    seconds = _of(found, lambda cost: cost.seconds / count * 1e6)
    comparison.row(f"{count:,} x 30 KB into albumup receive, each", "µs", seconds, 2.0)


def _without_hashing(found: dict[str, Cost]) -> tuple[float, float]:
    digest = found["digest"].seconds
    return _of(found, lambda cost: cost.seconds - digest)


def big_in_memory(comparison: Comparison) -> None:
    """One video in memory: what a push does before its first byte and after its last."""
    stage, size = comparison.memory(), comparison.sizes.big
    folder = stage.photos("big", 1, size)
    found = comparison.turns(
        stage, lambda stage: stage.push(folder), digest=lambda: peers.openssl_digest(stage, folder),
        bare=lambda: peers.bare_socket(stage, folder, 1),
    )  # fmt: skip
    work = f"{size / (1 << 30):g} GiB in memory, HTTP, minus hashing"
    comparison.row(
        work, "s", _without_hashing(found), 0.8, "bare socket, sendfile", found["bare"].seconds
    )


def big(comparison: Comparison) -> None:
    """One video on a disk."""
    stage, size = comparison.disk(), comparison.sizes.big
    folder = stage.photos("big", 1, size)
    (file,) = stage.files(folder)
    found = comparison.turns(
        stage, lambda stage: stage.push(folder), digest=lambda: peers.openssl_digest(stage, folder),
        curl=lambda: peers.curl_one(stage, file),
    )  # fmt: skip
    secure = comparison.turns(
        stage, lambda stage: stage.push(folder, "secure"),
        digest=lambda: peers.openssl_digest(stage, folder),
        curl=lambda: peers.curl_one(stage, file, secure=True),
    )  # fmt: skip
    name = f"{size / (1 << 30):g} GiB on a disk"
    for kind, costs in ("HTTP", found), ("TLS", secure):
        work = f"{name}, {kind}, minus hashing"
        comparison.no_worse(work, "s", _without_hashing(costs), "curl -F", costs["curl"].seconds)
    comparison.no_worse(f"{name}, HTTP, peak memory", "MB", _peaks(found))


def mid(comparison: Comparison) -> None:
    """Photos as a camera makes them."""
    stage, count = comparison.disk(), comparison.sizes.mid
    folder = stage.photos("mid", count, 3_000_000)
    found = comparison.turns(
        stage, lambda stage: stage.push(folder), digest=lambda: peers.openssl_digest(stage, folder),
        curl=lambda: peers.curl_many(stage, folder),
    )  # fmt: skip
    both = found["digest"].seconds + found["curl"].seconds
    work = f"{count:,} x 3 MB, whole push"
    comparison.no_worse(work, "s", _of(found), "openssl dgst, then curl --parallel", both)
    comparison.no_worse(f"{work}, peak memory", "MB", _peaks(found))


def again(comparison: Comparison) -> None:
    """A second push of a folder that did not change."""
    stage, count = comparison.disk(), comparison.sizes.small
    folder = stage.photos("small", count, 30_000)
    arguments = ["push", folder, "--album", "bench", "--target", "plain", "--progress", "none"]
    for one in comparison.of_both(stage):
        one.push(folder)
    found = comparison.turns(stage, lambda stage: stage.albumup(*arguments))
    comparison.no_worse(f"second push of {count:,} unchanged files", "s", _of(found))


def growth(comparison: Comparison) -> None:
    """What a photo costs in a push of many, beside one in a push of few; and what memory many
    take."""
    stage, sizes = comparison.disk(), comparison.sizes
    counts = sorted({1000, sizes.few, sizes.many})
    folders = {count: stage.photos(f"of-{count}", count, 2048) for count in counts}
    found = {
        count: comparison.turns(stage, lambda stage, folder=folder: stage.push(folder))  # type: ignore[misc]
        for count, folder in folders.items()
    }
    many, few = found[sizes.many], found[sizes.few]
    seconds = _of(many, lambda cost: cost.seconds / sizes.many * 1e6)
    comparison.no_worse(f"push of {sizes.many:,}, each", "µs", seconds)
    scale = sizes.few / sizes.many
    ratios = [many[version].seconds / few[version].seconds * scale for version in ("before", "now")]
    comparison.row(
        f"the same over one of {sizes.few:,}", "x", (ratios[0], ratios[1]), 1.0, "limit", 1.15
    )
    peaks = [many[version].memory / found[1000][version].memory for version in ("before", "now")]
    comparison.no_worse(f"push of {sizes.many:,}, peak memory", "MB", _peaks(many), "limit", 80)
    comparison.no_worse("the same over that of 1,000", "x", (peaks[0], peaks[1]))


def tasks(comparison: Comparison) -> None:
    """A long queue: looked at, and gone on with."""
    for count in (comparison.sizes.tasks[0], comparison.sizes.tasks[-1]):
        stages = comparison.of_both(comparison.disk())
        for stage in stages:
            grow(stage, count)
        found = comparison.turns(
            comparison.disk(),
            lambda stage, count=count: stage.albumup("status", journal=grow(stage, count)),
        )  # type: ignore[misc]
        name = f"{count:,} tasks"
        comparison.no_worse(f"status of {name}", "s", _of(found))
        turns = [
            [resume(stage, grow(stage, count)) for stage in stages]
            for _ in range(min(3, comparison.runs))
        ]
        firsts = [statistics.median(turn[at][0] for turn in turns) for at in (0, 1)]
        peaks = [max(turn[at][1] for turn in turns) / 1e6 for at in (0, 1)]
        comparison.no_worse(f"resume of {name}, start to first byte", "s", (firsts[0], firsts[1]))
        comparison.no_worse(
            f"resume of {name}, peak memory", "MB", (peaks[0], peaks[1]), "limit", 80
        )


def listing(comparison: Comparison) -> None:
    """``list`` of a long queue."""
    stage, count = comparison.disk(), comparison.sizes.tasks[-1]
    stages = comparison.of_both(stage)
    journals = {one.program: grow(one, count) for one in stages}
    found = comparison.turns(
        stage, lambda stage: stage.albumup("list", journal=journals[stage.program]),
        sqlite=lambda: peers.sqlite_list(journals[comparison.now]),
    )  # fmt: skip
    work = f"list of {count:,} tasks"
    comparison.row(work, "s", _of(found), 0.5, "sqlite3, v_tasks", found["sqlite"].seconds)
    lines = comparison.turns(stage, lambda stage: Cost(first_line(stage, journals[stage.program])))
    comparison.row(f"{work}, its first line", "s", _of(lines), 1.0, "limit", 0.5)


def start(comparison: Comparison) -> None:
    """What a command costs before it does anything."""
    stage = comparison.disk()
    python = comparison.now.python
    found = comparison.turns(
        stage, lambda stage: run([stage.program.command, "--version"]), comparison.runs * 4,
        click=lambda: run([python, "-c", "import click"]),
    )  # fmt: skip
    seconds = _of(found, lambda cost: cost.seconds * 1e3)
    peer = "python -c 'import click'"
    comparison.row("albumup --version", "ms", seconds, 1 / 1.5, peer, found["click"].seconds * 1e3)


def first(comparison: Comparison) -> None:
    """One photo more into a journal that is there, until its first byte leaves."""
    stage = comparison.disk()
    folder, more = stage.photos("seed-of-first", 20, 30_000), stage.photos("more", 1, 30_000)
    for one in comparison.of_both(stage):
        one.push(folder)
        shutil.copytree(one.journal.parent, one.own / "kept")
    found = comparison.turns(
        stage, lambda stage: Cost(_first_of_push(stage, more)), comparison.runs * 2,
        python=lambda: run([comparison.now.python, "-c", START]),
    )  # fmt: skip
    seconds = _of(found, lambda cost: cost.seconds * 1e3)
    peer = f"python -c '{START}'"
    comparison.row(
        "one-photo push, start to first byte",
        "ms",
        seconds,
        1 / 1.5,
        peer,
        found["python"].seconds * 1e3,
    )


def _first_of_push(stage: Stage, folder: Path) -> float:
    with _copied(stage.own / "kept", stage.own) as journals:
        return first_byte(
            stage, journals / "journal.db", "push", folder, "--album", "bench", "--target", "plain"
        )


@contextlib.contextmanager
def _copied(folder: Path, within: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=within) as made:
        yield Path(shutil.copytree(folder, Path(made) / "journal"))


ALL: dict[str, Callable[[Comparison], None]] = {
    scene.__name__: scene
    for scene in (
        small, tls, disk, receive, big_in_memory, big, mid, again, start, first, listing, tasks,
        growth,
    )
}  # fmt: skip
