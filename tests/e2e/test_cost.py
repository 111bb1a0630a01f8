"""What a photo costs, counted: statements of the journal and calls of the kernel, not seconds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from .conftest import COMMAND, Home
from .server import FormServer

FAILPOINT = Path(__file__).parent.parent / "faults" / "failpoint.py"
FEW, MANY = 40, 240

MOST_STATEMENTS = 11.5
"""Preparing takes 4, starting 2, the body's end 1, the answer 4; the rest is shared by many."""

MOST_CALLS = {
    "openat": 3.5,  # the scan's, the preparer's, the worker's
    "newfstatat": 8,
    "preadv2": 2.5,
    "sendto": 2.5,  # head and payload, tail
    "recvfrom": 9,  # 4, and more where the answer has not come yet
    "close": 3.5,
    "connect": 0.1,
    "fsync": 0.1,
}
"""Of the kernel, for a photo of 2 KB."""


def per_photo(few: Counter[str], many: Counter[str]) -> dict[str, float]:
    return {name: (count - few[name]) / (MANY - FEW) for name, count in many.items()}


@pytest.fixture
def club(home: Home, server: FormServer) -> FormServer:
    home.form(server)
    return server


def pushes(home: Home) -> list[Path]:
    return [home.photos(count, folder=f"of-{count}", first=1000 * count) for count in (FEW, MANY)]


def test_statements_of_the_journal_per_photo(home: Home, club: FormServer) -> None:
    counts = []
    for folder in pushes(home):
        told = home.folder / f"{folder.name}.json"
        command = [sys.executable, FAILPOINT, f"count:{told}", "--journal", home.journal, "push", folder]
        subprocess.run(command, env=home.env, check=True, capture_output=True)
        counts.append(Counter(json.loads(told.read_text())))
    assert len(club.ledger) == FEW + MANY
    for count in counts:
        count["own"] = count["sql"] - 2 * count["committed"]  # how many share a commit depends on the moment
    each = per_photo(*counts)
    assert each["own"] <= MOST_STATEMENTS, each


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_calls_of_the_kernel_per_photo(home: Home, club: FormServer) -> None:
    counts = []
    for folder in pushes(home):
        told = home.folder / f"{folder.name}.strace"
        command = ["strace", "-f", "-c", "-U", "calls,name", "-o", told, *COMMAND, "push", folder]
        subprocess.run(command, env=home.env, check=True, capture_output=True)
        rows = (line.split() for line in told.read_text().splitlines())
        counts.append(Counter({row[1]: int(row[0]) for row in rows if len(row) == 2 and row[0].isdigit()}))
    assert len(club.ledger) == FEW + MANY
    each = per_photo(*counts)
    over = {name: each.get(name, 0.0) for name, most in MOST_CALLS.items() if each.get(name, 0.0) > most}
    assert not over, each
    assert each["openat"] > 2, "nothing was counted"
