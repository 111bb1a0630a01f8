"""Fixtures: a home of its own with the real command in it, and a form server."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import random
import sqlite3
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest
import within
import zygote
from immich.fake import KEY, Immich
from servers import FormServer

from albumup.cli.task_lines import json_lines
from albumup.journal.opening import open_reader
from albumup.journal.reading import json_rows, statuses

T = TypeVar("T")
PATIENCE = 60.0  # seconds until a test gives up on something that should have come long ago
COMMAND = zygote.COMMAND
DISK = "0b0a1c9e-21a6-4a1b-8f0b-5d2e2d5f6a11"
"""The id of a disk; those of FAT cards are shorter, and not their own."""


def until(condition: Callable[[], Any], what: str = "") -> Any:
    """Wait for a condition and return what it came to; fail when it does not come true."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain: {what or condition}"
        time.sleep(0.02)
    return found


def jpeg(number: int, size: int = 2000) -> bytes:
    """A JPEG by its first bytes; each number has other bytes."""
    head = bytes.fromhex("ffd8ffe000104a46494600010100000100010000")
    return head + random.Random(number).randbytes(size) + b"\xff\xd9"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Home:
    """A person's home: its environment, its files, and the command run in it."""

    def __init__(self, folder: Path, run: within.Run = zygote.run) -> None:
        self.folder = folder
        self._run = run
        self.env = {
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_DATA_HOME": str(folder / "data"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PATH": os.environ.get("PATH", ""),
            "LC_ALL": "C.UTF-8",
            "TERM": "xterm",
            "TZ": "UTC",
            **({"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}),
        }
        self.journal = folder / "state" / "albumup" / "journal.db"
        self.inbox = folder / "data" / "albumup" / "inbox"
        self.config_file = folder / "config" / "albumup" / "config.toml"
        self.started: list[subprocess.Popen[str]] = []

    # The command.

    def run(
        self, *args: object, stdin: str | bytes = b"", **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the command to its end. No test wants to see a traceback. Beside another process, it
        is one itself."""
        stdin = stdin.encode() if isinstance(stdin, str) else stdin
        words = [_argument(arg) for arg in args]
        run = zygote.run if self.started else self._run
        done = run(words, stdin=stdin, env=self.env | env, cwd=self.folder, timeout=PATIENCE)
        out, err = (text.decode(errors="surrogateescape") for text in (done.stdout, done.stderr))
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def start(self, *args: object, **env: str) -> subprocess.Popen[str]:
        """Start the command; ``finish`` or kill it."""
        process = zygote.Started(
            [_argument(arg) for arg in args],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=self.env | env, cwd=self.folder,
        )  # fmt: skip
        self.started.append(process)
        return process

    def on_terminal(self, *args: object, **env: str) -> tuple[int, list[str]]:
        """Run the command on a terminal of 80 columns: its exit code, and the lines it said."""
        ours, theirs = os.openpty()
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        process = zygote.Started(
            [_argument(arg) for arg in args],
            stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=self.env | env,
            cwd=self.folder,
        )  # fmt: skip
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError):  # the terminal's end
            while piece := os.read(ours, 1 << 16):
                said += piece
        os.close(ours)
        code = process.wait(PATIENCE)
        assert b"Traceback" not in said, said
        return code, said.decode(errors="surrogateescape").replace("\r\n", "\n").splitlines()

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
            process.wait()

    def lies_on(self, volume: str) -> None:
        """Whatever lies on this computer lies on a file system that the system calls so, or, "",
        does not name."""
        self.env[zygote.VOLUME] = volume

    # Its files.

    def photos(self, count: int, folder: str = "trip", first: int = 1, size: int = 2000) -> Path:
        """A folder with ``count`` more photos, IMG_1.JPG and so on, each with its own bytes."""
        place = self.folder / folder
        place.mkdir(parents=True, exist_ok=True)
        for number in range(first, first + count):
            (place / f"IMG_{number}.JPG").write_bytes(jpeg(number, size))
        return place

    def config(self, text: str) -> Path:
        self.config_file.parent.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(text)
        return self.config_file

    def form(self, server: FormServer, more: str = "", name: str = "club") -> Path:
        """A config with one form target; ``more`` lines belong to it."""
        return self.config(f'[targets.{name}]\nkind = "form"\nurl = "{server.url}"\n{more}')

    def secret(self, token: str, name: str = "token") -> Path:
        file = self.folder / name
        file.write_text(token + "\n")
        file.chmod(0o600)
        return file

    # What it knows.

    def tasks(self, *args: str) -> list[dict[str, Any]]:
        """The tasks as ``list --json`` has them; without ``args``, not asked of the command."""
        if args:
            return [
                json.loads(line) for line in self.run("list", "--json", *args).stdout.splitlines()
            ]
        return read(self.journal, all_tasks)

    def states(self) -> dict[str, str]:
        """State by base name."""
        return {os.path.basename(task["path"]): task["state"] for task in self.tasks()}

    def status(self) -> dict[str, Any]:
        return json.loads(self.run("status", "--json").stdout)

    def album(self) -> dict[str, Any]:
        """The only album, as status has it."""
        (found,) = read(self.journal, statuses)
        return found

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Look into the journal, or, to have time pass, change it."""
        with closing(sqlite3.connect(self.journal, timeout=PATIENCE)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def later(self, seconds: float) -> None:
        """Let time pass for what the journal remembers."""
        self.sql("update task set updated = updated - ?", seconds)


def all_tasks(connection: sqlite3.Connection | None) -> list[dict[str, Any]]:
    if connection is None:
        return []
    albums = [(album["album"], album["target"]) for album in statuses(connection)]
    lines = (
        line for album in albums for line in json_lines(*album, json_rows(connection, *album, []))
    )
    return [json.loads(line) for line in lines]


def read(journal: Path, look: Callable[[sqlite3.Connection | None], T]) -> T:
    """What ``look`` sees in a journal, without a command for it."""
    connection = open_reader(str(journal))
    try:
        return look(connection)
    finally:
        if connection is not None:
            connection.close()


def _argument(value: object) -> str | bytes:
    return value if isinstance(value, bytes) else str(value)


def finish(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for a command's end."""
    out, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


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
    home = Home(tmp_path / "home", within.runner(request))
    home.folder.mkdir()
    yield home
    home.close()


@pytest.fixture
def server() -> Iterator[FormServer]:
    with FormServer() as server:
        yield server
