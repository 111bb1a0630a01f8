"""Journals of many tasks: what they cost to look at, to go on with, and to hold in memory."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import statistics
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stage import Failed, Stage, ended

from albumup.journal.journal import Journal

SEED = 1000
"""Tasks of a real push, which a journal of many repeats under other folders."""


@dataclass(frozen=True, slots=True)
class Point:
    """One size of journal. Seconds, bytes."""

    tasks: int
    status: float
    list_: float
    claim: float
    """Of a batch of 64."""
    first_byte: float
    """From the start of ``resume`` until it connects to send."""
    memory: int
    """The peak of a ``resume`` that sends some three hundred photos."""
    journal: int


def grow(stage: Stage, tasks: int) -> Path:
    """A journal of ``tasks`` pending tasks, prepared, each of a file that can be read under a path
    of its own.

    A thousand are pushed to a server that is away, until all are prepared. The others are the same
    rows, of the same files by other paths: each folder of them is a symbolic link to the first.
    """
    path = stage.own / f"grown-{tasks}" / "journal.db"
    if path.exists():
        return path
    photos = stage.photos("seed", SEED, 4096)
    first = photos / "000"
    copies = tasks // SEED
    for number in range(1, copies):
        link = photos / f"{number:03}"
        if not link.is_symlink():
            link.symlink_to(first)
    process = stage.start(
        "push", first, "--album", "bench", "--target", "plain", "--progress", "none",
        journal=path, config=_moved(stage, 1),
    )  # fmt: skip
    while _prepared(path) < SEED and not _is_over(process):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGTERM)
    ended(process, time.perf_counter(), codes=(143,))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.create_function(
            "elsewhere", 2, lambda old, n: old.replace(b"/000/", b"/%03d/" % n), deterministic=True
        )
        connection.execute("pragma synchronous = off")
        # The counters are made up for at the end: what a push of a million costs is not measured
        # here.
        triggers = connection.execute(
            "select name, sql from sqlite_master where type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            connection.execute(f"drop trigger {name}")
        for table in ("photo", "task", "body", "sent_name"):
            _repeat(connection, table, copies)
        connection.execute(f"update tally set photos = photos * {copies}, bytes = bytes * {copies}")
        for _, sql in triggers:
            connection.execute(sql)
        connection.commit()
        connection.execute("pragma wal_checkpoint(truncate)")
    return path


def _prepared(path: Path) -> int:
    """How many photos of a journal have a body; 0 while it is being made."""
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as journal,
    ):
        return int(journal.execute("select count(*) from body").fetchone()[0])
    return 0


def _moved(stage: Stage, port: int) -> Path:
    """A config of the same targets at another port; nobody listens at port 1."""
    path = stage.folder / f"at-{port}.toml"
    path.write_text(stage.config.read_text().replace(f":{stage.plain.port}/", f":{port}/"))
    return path


def _repeat(connection: sqlite3.Connection, table: str, copies: int) -> None:
    """Every row of a table again for each copy, its keys moved on."""
    keys = {"id", "photo_id", "task_id"}
    columns = [row[1] for row in connection.execute(f"pragma table_info({table})")]
    changed = {
        **{key: f"{key} + n * {SEED}" for key in keys},
        "path": "elsewhere(path, n)",
        "folded": "folded || '-' || n",
        "boundary": "boundary || '-' || n",
    }
    values = ", ".join(changed.get(column, column) for column in columns)
    connection.execute(
        "with recursive copy(n) as (select 1 union all "
        f"select n + 1 from copy where n < {copies - 1})"
        f" insert into {table} select {values} from copy cross join {table} where {copies} > 1"
    )


def measure(stage: Stage, tasks: int, runs: int) -> Point:
    """Medians of several runs on a journal of ``tasks``."""
    path = grow(stage, tasks)
    claims = list(_claims(path, runs))
    firsts, memories = zip(*(resume(stage, path) for _ in range(min(runs, 3))), strict=True)
    return Point(
        tasks=tasks,
        status=statistics.median(
            stage.albumup("status", journal=path).seconds for _ in range(runs)
        ),
        list_=statistics.median(
            stage.albumup("list", journal=path).seconds for _ in range(1 if tasks > 200_000 else 3)
        ),
        claim=statistics.median(claims),
        first_byte=statistics.median(firsts),
        memory=max(memories),
        journal=path.stat().st_size,
    )


def _claims(path: Path, runs: int) -> Iterator[float]:
    with contextlib.closing(Journal(str(path))) as journal:
        (album, root) = journal.rows("select album_id, root_id from task limit 1")[0]
        for _ in range(runs + 1):
            began = time.perf_counter()
            found = journal.ready(album, root, time.time(), 64, True)
            yield time.perf_counter() - began
            if not found:
                raise Failed("nothing to claim")


def resume(stage: Stage, path: Path) -> tuple[float, int]:
    """Seconds until ``resume`` connects, and its peak memory while it sends for a while; then it is
    stopped."""
    first = first_byte(stage, path, "resume")
    path = Path(
        shutil.copy(path, path.with_name("copy.db"))
    )  # what is sent here is to be sent in the next run, too
    before = stage.plain.count()["photos"]
    began = time.perf_counter()
    process = stage.start("resume", "--progress", "none", journal=path)
    while not _is_over(process) and stage.plain.count()["photos"] - before < 300:
        time.sleep(0.02)
    status = Path(f"/proc/{process.pid}/status").read_text()
    os.kill(process.pid, signal.SIGINT)
    ended(process, began, codes=(0, 130))
    for file in path.parent.glob("copy.db*"):
        file.unlink()
    return first, next(
        int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")
    )


def _is_over(process: subprocess.Popen[bytes]) -> bool:
    """Has it ended? It is left for ``ended`` to wait for: only that tells its memory."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def first_byte(stage: Stage, journal: Path, *arguments: str | Path) -> float:
    """Seconds from the start of a command that sends until its first byte is there; then it is
    killed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = _moved(stage, listener.getsockname()[1])
        listener.settimeout(60)
        began = time.perf_counter()
        process = stage.start(*arguments, "--progress", "none", journal=journal, config=config)
        try:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1)
                return time.perf_counter() - began
        finally:
            process.kill()
            process.wait()
            config.unlink()


def first_line(stage: Stage, journal: Path) -> float:
    """Seconds from the start of ``list`` until its first line is there."""
    began = time.perf_counter()
    process = stage.start("list", journal=journal, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as lines:
        if not lines.readline():
            raise Failed("list said nothing")
        seconds = time.perf_counter() - began
    process.wait()
    return seconds
