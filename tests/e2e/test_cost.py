"""What a photo costs, counted: statements of the journal and calls of the kernel, not seconds."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest
from servers import FormServer

from .conftest import COMMAND, Home, finish, until

pytestmark = pytest.mark.process

FAILPOINT = Path(__file__).parent.parent / "faults" / "failpoint.py"
FEW, MANY = 40, 240

MOST_STATEMENTS = 9.0
"""Preparing takes 3, starting with the body's end 2, the answer 2; the rest is shared by many."""

MOST_CALLS = {
    "openat": 3,  # the scan's, the preparer's, the worker's
    "newfstatat": 9,  # three of them look whether its card is there, where the disk has no name
    "preadv2": 2.5,
    "sendmsg": 1.5,  # all of it at once
    "recvfrom": 4.5,  # 3, and more where the answer comes in pieces
    "poll": 4.5,
    "close": 3.2,
    "connect": 0.1,
    "fsync": 0.1,
    # 10 to 20 where threads seldom wait for each other; a hundred when a thread of its own
    # committed
    "futex": 60,
}
"""Of the kernel, for a photo of 2 KB."""


def per_photo(few: Counter[str], many: Counter[str]) -> dict[str, float]:
    return {name: (count - few[name]) / (MANY - FEW) for name, count in many.items()}


@pytest.fixture
def club(home: Home, server: FormServer) -> FormServer:
    home.form(server, "stable_for = 0")
    return server


def pushes(home: Home) -> list[Path]:
    return [home.photos(count, folder=f"of-{count}", first=1000 * count) for count in (FEW, MANY)]


@pytest.mark.long
def test_statements_of_the_journal_per_photo(home: Home, club: FormServer) -> None:
    counts = []
    for folder in pushes(home):
        told = home.folder / f"{folder.name}.json"
        launch = [sys.executable, FAILPOINT, f"count:{told}"]
        assert home.run("push", folder, launch=launch).returncode == 0
        counts.append(Counter(json.loads(told.read_text())))
    assert len(club.ledger) == FEW + MANY
    for count in counts:
        count["own"] = (
            count["sql"] - 2 * count["committed"]
        )  # how many share a commit depends on the moment
    each = per_photo(*counts)
    assert each["own"] <= MOST_STATEMENTS, each


@pytest.mark.long
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_calls_of_the_kernel_per_photo(home: Home, club: FormServer) -> None:
    counts = []
    for folder in pushes(home):
        told = home.folder / f"{folder.name}.strace"
        launch = ["strace", "-f", "-c", "-U", "calls,name", "-o", told, *COMMAND]
        assert home.run("push", folder, launch=launch).returncode == 0
        rows = (line.split() for line in told.read_text().splitlines())
        counts.append(
            Counter({row[1]: int(row[0]) for row in rows if len(row) == 2 and row[0].isdigit()})
        )
    assert len(club.ledger) == FEW + MANY
    each = per_photo(*counts)
    over = {
        name: each.get(name, 0.0) for name, most in MOST_CALLS.items() if each.get(name, 0.0) > most
    }
    assert not over, each
    assert each["openat"] > 1, "nothing was counted"


def loaded_by(home: Home, *words: str | Path) -> set[str]:
    """The modules that a command imports."""
    done = home.run(*words, launch=[sys.executable, "-X", "importtime", "-m", "albumup"])
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    return {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}


@pytest.mark.parametrize("words", [("status",), ("list",), ("list", "--json"), ("wait", "trip")])
def test_a_command_that_only_looks_loads_nothing_that_sends(
    home: Home, server: FormServer, words: tuple[str, ...]
) -> None:
    home.form(server, "stable_for = 0")
    home.run("push", home.photos(1))
    loaded = loaded_by(home, *words)
    assert {"click", "sqlite3"} <= loaded
    assert (
        loaded & {"asyncio", "ssl", "requests", "urllib3", "httptools", "albumup.uploader.events"}
        == set()
    )


def test_status_loads_nothing_that_sends_to_tell_of_what_runs_and_of_rounds(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    home.run("push", home.photos(1, "old", first=9), "--album", "old")
    home.sql("update task set state = 'failed', rounds = 1")
    server.may_answer.clear()
    uploading = home.start("push", home.photos(1))
    until(lambda: home.status()["uploader"] and home.status()["uploader"].get("uploads"))
    said = home.run("status").stderr
    assert "In flight: IMG_1.JPG" in said
    assert "old: next round" in said
    loaded = loaded_by(home, "status")
    server.may_answer.set()
    assert finish(uploading).returncode == 0
    assert "albumup.session.snapshot" in loaded
    assert loaded & {"asyncio", "ssl", "requests", "urllib3", "httptools"} == set()


def test_a_push_of_a_photo_loads_no_library_that_it_has_no_use_for(
    home: Home, server: FormServer
) -> None:
    home.form(server, "stable_for = 0")
    home.run("push", home.photos(1))
    loaded = loaded_by(home, "push", home.photos(1, first=2))
    assert {"click", "sqlite3", "asyncio"} <= loaded
    libraries = {
        "requests", "sqlite_utils", "tqdm", "humanize", "jmespath", "tomlkit", "truststore",
        "multipart", "wcwidth", "zoneinfo", "albumup.receive.server", "PIL",
        "urllib3", "http.client", "urllib.request", "email",
    }  # fmt: skip
    assert loaded & libraries == set()
