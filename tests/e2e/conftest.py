"""Fixtures: a home with the real command in it, and servers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import background
import pytest
import within
import zygote
from home import COMMAND, DISK, PATIENCE, Home, finish, jpeg, sha256, until
from immich.fake import KEY, Immich
from servers import FormServer

__all__ = ["COMMAND", "DISK", "PATIENCE", "Home", "finish", "jpeg", "sha256", "until"]

Start = Callable[..., Immich]
"""Starts an Immich server, of a version or with options (``Immich``), that ends with the test."""


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[Immich] = []

    def one(*given: str, **more: object) -> Immich:
        started.append(Immich(*given, **more))  # type: ignore[arg-type]
        return started[-1]

    yield one
    for server in started:
        server.close()


@pytest.fixture
def immich(start: Start, home: Home) -> Immich:
    server = start()
    configure(home, server.url)
    return server


def configure(home: Home, url: str, more: str = "") -> None:
    """A config whose only target, home, is the Immich server at ``url``; ``more`` lines belong to
    it."""
    token = home.secret(KEY)
    home.config(
        f'[targets.home]\nkind = "immich"\nurl = "{url}"\ntoken_file = "{token}"\n'
        f"elsewhere = true\n{more}"
    )


@pytest.fixture
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    """One whose uploaders in the background end with the test: as orphans they are the tests' own
    children."""
    zygote.adopt_orphans()
    home = Home(tmp_path / "home", within.runner(request))
    yield home
    home.close()
    if Path(f"{home.journal}.log").exists():
        background.end_all(home)


@pytest.fixture
def server() -> Iterator[FormServer]:
    with FormServer() as server:
        yield server


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB: room for a journal and its write-ahead log (4 MiB), and quickly
    filled."""
    place = tmp_path / "tiny"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", place],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"no tmpfs may be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)
