"""What is measured: a scene runs its contestants in turn, several times, and adds rows of ratios
and plain figures."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import peers
from scale import Point, grow, measure
from stage import Cost, Stage, interleaved, on_a_terminal, run
from tabulate import tabulate


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of the big file; numbers of photos and tasks."""

    big: int
    mid: int
    small: int
    few: int
    many: int
    tasks: tuple[int, ...]


FULL = Sizes(2 << 30, 1000, 10_000, 10_000, 200_000, (1000, 10_000, 100_000, 1_000_000))
QUICK = Sizes(256 << 20, 50, 600, 500, 2500, (1000, 20_000))


@dataclass(frozen=True, slots=True)
class Row:
    """``ratio``: how many times as fast as the peer, or how many times within the limit;
    ``budget``: at least that."""

    work: str
    peer: str
    ours: str
    theirs: str
    ratio: float
    budget: float


@dataclass(slots=True)
class Bench:
    """Where scenes put what they found."""

    stage: Stage
    sizes: Sizes
    runs: int
    rows: list[Row] = field(default_factory=list)
    figures: list[tuple[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    pushes: list[tuple[int, float]] = field(default_factory=list)

    def interleaved(
        self, runs: int | None = None, **contestants: Callable[[], Cost]
    ) -> dict[str, Cost]:
        """The median costs of each contestant, run in turn."""
        return interleaved(runs or self.runs, contestants)

    def row(
        self, work: str, peer: str, ours: float, theirs: float, budget: float, unit: str = "s"
    ) -> None:
        self.rows.append(
            Row(work, peer, f"{ours:.3g} {unit}", f"{theirs:.3g} {unit}", theirs / ours, budget)
        )

    def figure(self, what: str, value: str) -> None:
        self.figures.append((what, value))

    def tables(self) -> str:
        """What was found, for people."""
        rows = [
            (
                row.work,
                row.peer,
                row.ours,
                row.theirs,
                f"{row.ratio:.2f}",
                f"{row.budget:g}",
                "yes" if row.ratio >= row.budget else "NO",
            )
            for row in self.rows
        ]
        parts = [
            tabulate(
                rows,
                ["work", "beside", "ours", "theirs", "ratio", "at least", "met"],
                disable_numparse=True,
            )
        ]
        if self.figures:
            parts.append(tabulate(self.figures, ["and", ""], disable_numparse=True))
        parts += [f"not run: {words}" for words in self.missing]
        return "\n\n".join(parts)


def big(bench: Bench) -> None:
    """One video, over HTTP and over TLS."""
    stage, size = bench.stage, bench.sizes.big
    folder = stage.photos("big", 1, size)
    (file,) = stage.files(folder)
    name = f"one {size / (1 << 30):g} GiB file"
    found = bench.interleaved(
        push=lambda: stage.push(folder),
        secure=lambda: stage.push(folder, target="secure"),
        digest=lambda: peers.openssl_digest(stage, folder),
        bare=lambda: peers.bare_socket(stage, folder, 1),
        curl=lambda: peers.curl_one(stage, file),
        curl_secure=lambda: peers.curl_one(stage, file, secure=True),
        encoder=lambda: peers.requests_encoder(stage, folder),
    )
    digest = found["digest"].seconds
    ours, secure = found["push"].seconds - digest, found["secure"].seconds - digest
    bench.row(
        f"{name}, HTTP, push minus hashing",
        "bare socket, sendfile",
        ours,
        found["bare"].seconds,
        0.9,
    )
    bench.row(f"{name}, HTTP, push minus hashing", "curl -F", ours, found["curl"].seconds, 1.0)
    bench.row(
        f"{name}, TLS, push minus hashing", "curl -F", secure, found["curl_secure"].seconds, 1.1
    )
    gigabytes = size / 1e9
    bench.figure(
        f"{name}: requests with MultipartEncoder, beside curl -F",
        f"{found['curl'].seconds / found['encoder'].seconds:.2f} x",
    )
    bench.figure(
        "processor seconds per GB: push, HTTP", f"{found['push'].processor / gigabytes:.2f} s"
    )
    bench.figure(
        "processor seconds per GB: push, TLS", f"{found['secure'].processor / gigabytes:.2f} s"
    )
    bench.figure(
        "processor seconds per GB: openssl dgst, then curl -F",
        f"{(found['digest'].processor + found['curl'].processor) / gigabytes:.2f} s",
    )
    bench.figure("peak memory, that push", f"{found['push'].memory / 1e6:.0f} MB")


def mid(bench: Bench) -> None:
    """Photos as a camera makes them."""
    stage, count = bench.stage, bench.sizes.mid
    folder = stage.photos("mid", count, 3_000_000)
    cli = peers.ImmichCli(stage)
    found = bench.interleaved(
        push=lambda: stage.push(folder),
        checked=lambda: stage.push(folder, target="checked"),
        digest=lambda: peers.openssl_digest(stage, folder),
        curl=lambda: peers.curl_many(stage, folder),
        bare=lambda: peers.bare_socket(stage, folder, 2),
        immich=lambda: cli.upload(folder),
    )
    name = f"{count:,} x 3 MB, whole push"
    both = found["digest"].seconds + found["curl"].seconds
    bench.row(name, "openssl dgst, then curl --parallel", found["push"].seconds, both, 1.0)
    bench.row(name, "immich upload -c 4", found["push"].seconds, found["immich"].seconds, 5.0)
    bench.figure(
        f"{name}, beside a bare socket, 2 threads",
        f"{found['bare'].seconds / found['push'].seconds:.2f} x",
    )
    bench.figure(
        f"{name}, to a sink that checks digests", f"{found['checked'].seconds:.2f} s, all equal"
    )
    bench.figure(
        "processor seconds per GB of 3 MB photos",
        f"{found['push'].processor / (count * 0.003):.2f} s",
    )


def small(bench: Bench) -> None:
    """Many little ones: what a photo costs whatever its size."""
    stage, count = bench.stage, bench.sizes.small
    folder = stage.photos("small", count, 30_000)
    found = bench.interleaved(
        push=lambda: stage.push(folder),
        curl=lambda: peers.curl_many(stage, folder),
        bare=lambda: peers.bare_socket(stage, folder, 2),
        bars=lambda: _push_with_bars(bench, folder),
    )
    name = f"{count:,} x 30 KB, whole push"
    bench.row(name, "curl --parallel", found["push"].seconds, found["curl"].seconds, 1.0)
    bench.figure(
        f"{name}, beside a bare socket, 2 threads",
        f"{found['bare'].seconds / found['push'].seconds:.2f} x",
    )
    bench.figure(
        f"{name}, with bars, beside without",
        f"{found['push'].seconds / found['bars'].seconds:.2f} x",
    )
    bench.figure(
        "processor seconds per 1,000 photos", f"{found['push'].processor / count * 1000:.2f} s"
    )
    bench.figure("peak memory, that push", f"{found['push'].memory / 1e6:.0f} MB")
    stage.push(folder)
    size = stage.journal.stat().st_size
    bench.figure("journal, bytes per photo", f"{size / count:.0f}")


def _push_with_bars(bench: Bench, folder: object) -> Cost:
    stage = bench.stage
    command = [
        stage.program.command, "--journal", stage.fresh_journal(), "push", str(folder), "--album",
        "bench", "--target", "plain", "--progress", "bar",
    ]  # fmt: skip
    with on_a_terminal(command, {**stage.environment, "TERM": "xterm"}) as end:
        return end()


def again(bench: Bench) -> None:
    """A second push of a folder that did not change."""
    stage, count = bench.stage, bench.sizes.small
    folder = stage.photos("small", count, 30_000)
    rclone = peers.Rclone(stage, folder)
    stage.push(folder)
    before = stage.plain.count()["photos"]
    arguments = ["push", folder, "--album", "bench", "--target", "plain", "--progress", "none"]
    found = bench.interleaved(push=lambda: stage.albumup(*arguments), rclone=rclone.copy)
    assert stage.plain.count()["photos"] == before
    name = f"second push of {count:,} unchanged files"
    bench.row(
        name, "rclone copy, its own WebDAV", found["push"].seconds, found["rclone"].seconds, 1.0
    )


def growth(bench: Bench) -> None:
    """What a photo costs in a push of many, beside a push of few."""
    stage, sizes = bench.stage, bench.sizes
    counts = [
        count for count in sorted({1000, sizes.few, 50_000, sizes.many}) if count <= sizes.many
    ]
    folders = {count: stage.photos(f"of-{count}", count, 2048) for count in counts}
    contestants = {str(count): partial(stage.push, folder) for count, folder in folders.items()}
    found = {int(count): cost for count, cost in bench.interleaved(**contestants).items()}
    bench.pushes = [(count, found[count].seconds / count) for count in counts]
    each = dict(bench.pushes)
    bench.row(
        f"push of {sizes.many:,} photos, each", f"of {sizes.few:,}, each", each[sizes.many] * 1e6,
        each[sizes.few] * 1e6, 1 / 1.15, "µs",
    )  # fmt: skip
    bench.row(
        f"peak memory, push of {sizes.many:,}",
        "80 MB",
        found[sizes.many].memory / 1e6,
        80,
        1.0,
        "MB",
    )
    bench.figure(f"peak memory, push of {counts[0]:,}", f"{found[counts[0]].memory / 1e6:.0f} MB")


def tasks(bench: Bench) -> None:
    """A long queue: looked at, taken from, gone on with."""
    bench.points = [measure(bench.stage, count, bench.runs) for count in bench.sizes.tasks]
    few, many = bench.points[0], bench.points[-1]
    bench.row(f"status, {many.tasks:,} tasks", "0.3 s", many.status, 0.3, 1.0)
    bench.row(
        f"peak memory, resume of {many.tasks:,} tasks", "80 MB", many.memory / 1e6, 80, 1.0, "MB"
    )
    bench.row(
        f"peak memory, resume of {many.tasks:,} tasks",
        f"of {few.tasks:,}",
        many.memory / 1e6,
        few.memory / 1e6,
        0.95,
        "MB",
    )
    for point in bench.points:
        bench.figure(
            f"{point.tasks:,} tasks: status, list, claim of 64, resume to its first byte",
            f"{point.status:.2f} s, {point.list_:.2f} s, "
            f"{point.claim * 1e3:.2f} ms, {point.first_byte:.2f} s",
        )
    bench.figure("journal of pending tasks, bytes each", f"{many.journal / many.tasks:.0f}")


def start(bench: Bench) -> None:
    """What a command costs before it does anything."""
    stage = bench.stage
    journal = grow(stage, 1000)
    found = bench.interleaved(
        bench.runs * 4,
        version=lambda: run([stage.program.command, "--version"]),
        status=lambda: stage.albumup("status", journal=journal),
        click=lambda: run([sys.executable, "-c", "import click"]),
        python=lambda: run([sys.executable, "-c", ""]),
    )
    click = found["click"].seconds
    bench.row(
        "albumup --version",
        "python -c 'import click'",
        found["version"].seconds * 1e3,
        click * 1e3,
        1 / 1.5,
        "ms",
    )
    bench.figure(
        "albumup status, 1,000 tasks, beside it",
        f"{found['status'].seconds / click:.2f} x its time",
    )
    bench.figure("python -c '', beside it", f"{found['python'].seconds / click:.2f} x its time")


def durability(bench: Bench) -> None:
    """What the disk gives: one small commit after the other, as SQLite's FULL has it."""
    path = bench.stage.folder / "commits.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute("create table t (id integer primary key, value)")
    count = 500
    began = time.perf_counter()
    for number in range(count):
        connection.execute("insert into t (value) values (?)", (number,))
    bench.figure(
        "one durable commit on this disk", f"{(time.perf_counter() - began) / count * 1e6:.0f} µs"
    )
    connection.close()


ALL: dict[str, Callable[[Bench], None]] = {
    scene.__name__: scene for scene in (big, mid, small, again, growth, tasks, start, durability)
}
