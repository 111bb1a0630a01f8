"""A command within the process of its test ends as in one of its own, and leaves nothing of it
behind."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import within
import zygote
from home import until
from servers import FormServer

from .conftest import PATIENCE, Home

COMMANDS: list[list[str]] = [
    [],
    ["--version"],
    ["status", "--json"],
    ["push", "trip"],
    ["push", "trip", "--json"],
    ["push", "nowhere"],
    ["pusch"],
    ["list", "trip"],
    ["cancel", "trip"],
    ["retry-failed", "--config", "nowhere"],
]


def seen(home: Home, run: within.Run) -> list[tuple[int, list[str], bytes]]:
    """What comes of each command, but for times and what is counted by them."""
    ends = []
    for words in COMMANDS:
        done = run(list(words), env=home.env, cwd=home.folder, timeout=PATIENCE)
        ends.append(
            (done.returncode, done.stdout.split(b'"')[::2], done.stderr.partition(b" in ")[0])
        )
    return ends


def test_it_ends_as_in_a_process_of_its_own(tmp_path: Path, server: FormServer) -> None:
    ends = []
    for run in (within.run, zygote.run):
        home = Home(tmp_path / "home")
        home.form(server)
        home.photos(3)
        ends.append(seen(home, run))
        modes = {
            path.relative_to(home.folder): path.stat().st_mode for path in home.folder.rglob("*")
        }
        ends[-1].append((0, sorted(map(str, modes.items())), b""))
        home.folder.rename(tmp_path / run.__module__)
    assert ends[0] == ends[1]
    assert {code for code, _, _ in ends[0]} == {0, 2, 4}


def own() -> dict[str, Any]:
    """What a process has for itself."""
    mask = os.umask(0o022)
    os.umask(mask)
    return {
        "variables": dict(os.environ),
        "folder": os.getcwd(),
        "umask": mask,
        "descriptors": {name: os.readlink(f"/dev/fd/{name}") for name in ("0", "1", "2")},
        "open": len(os.listdir("/dev/fd")),
        "streams": [
            sys.stdin,
            sys.stdout,
            sys.stderr,
            sys.__stdin__,
            sys.__stdout__,
            sys.__stderr__,
        ],
        "hooks": [sys.unraisablehook, sys.excepthook, threading.excepthook, warnings.showwarning],
        "typed": sys.argv,
        "handlers": [signal.getsignal(number) for number in signal.Signals],
        "threads": {
            thread for thread in threading.enumerate() if not thread.name.startswith("Thread-")
        },
    }


def test_nothing_of_it_stays(home: Home, server: FormServer) -> None:
    home.form(server)
    home.photos(3)
    before = own()
    for words in COMMANDS:
        within.run(
            list(words), env=home.env | {"TZ": "Asia/Tokyo"}, cwd=home.folder, timeout=PATIENCE
        )
        # The server, which is in this process as well, closes its end of a connection later.
        until(lambda: own() == before, f"nothing of {words} is left")
