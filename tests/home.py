"""The person of the tests, by its home: the real command is run there, at a terminal or off one,
killed, and what it came to is looked up."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import random
import sqlite3
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import zygote
from servers import FormServer
from terminal import Terminal

from albumup.cli.task_lines import json_lines
from albumup.journal.opening import open_reader
from albumup.journal.reading import json_rows, statuses

T = TypeVar("T")
Run = Callable[..., Any]
"""Runs a command, as ``zygote.run``."""
PATIENCE = 60.0  # seconds until a test gives up on something that should have come long ago
COMMAND = zygote.COMMAND
DISK = "0b0a1c9e-21a6-4a1b-8f0b-5d2e2d5f6a11"
"""The id of a disk; those of FAT cards are shorter, and not their own."""


_NO_VARIABLES = {"stdin", "stdout", "stderr", "launch", "preexec_fn", "start_new_session"}
"""What a command may be given that is no variable of its environment."""


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
    """A person's home: its environment, its files, and the command run in it.

    ``run`` is how: in a process of its own (``zygote.run``), or within the test's
    (``within.run``). ``ca_file`` vouches for the tests' servers that speak TLS.
    """

    def __init__(self, folder: Path, run: Run = zygote.run, *, ca_file: Path | None = None) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca_file = ca_file
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
        self.terminals: list[Terminal] = []

    # The command.

    def run(
        self, *args: object, stdin: str | bytes = b"", patience: float = PATIENCE, **given: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run the command to its end. No test wants to see a traceback. Beside another process, it
        is one itself. ``given`` as for ``start``."""
        env, more = self._split(given)
        is_alone = not more and all(one.poll() is not None for one in self.started)
        run = self._run if is_alone else zygote.run
        done = run(
            _words(args),
            stdin=stdin.encode() if isinstance(stdin, str) else stdin,
            env=env,
            cwd=self.folder,
            timeout=patience,
            **more,
        )
        out, err = (
            (text or b"").decode(errors="surrogateescape") for text in (done.stdout, done.stderr)
        )
        assert "Traceback" not in err, err
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def start(self, *args: object, **given: Any) -> subprocess.Popen[str]:
        """Start the command; ``finish`` or kill it.

        ``given``: variables of its environment, and what ``zygote.Started`` may be told, such as
        streams that are no pipes, a ``launch`` of its own, or a session of its own.
        """
        env, more = self._split(given)
        streams = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
        }
        given_too = {"text": True, "env": env, "cwd": self.folder}
        process = zygote.Started(_words(args), **streams | given_too | more)
        self.started.append(process)
        return process

    def at_terminal(
        self,
        *args: object,
        columns: int = 80,
        rows: int = 24,
        is_controlling: bool = False,
        **given: Any,
    ) -> Terminal:
        """Start the command in a terminal, in a session of its own; ``given`` as for ``start``.

        ``is_controlling``: the terminal is the session's, its keys send signals, and it can hang
        up. The command has an interpreter of its own then.
        """

        def start(theirs: int) -> subprocess.Popen[str]:
            more: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
            if is_controlling:
                more["preexec_fn"] = lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            return self.start(*args, **{"start_new_session": True, **more, **given})

        self.terminals.append(Terminal(start, columns, rows))
        return self.terminals[-1]

    def on_terminal(self, *args: object, **given: Any) -> tuple[int, list[str]]:
        """Run the command to its end where somebody looks: its exit code, and the lines it said."""
        terminal = self.at_terminal(*args, **{"stdin": subprocess.DEVNULL, **given})
        code, said = terminal.end(), terminal.painted.decode(errors="surrogateescape")
        assert "Traceback" not in said, said
        return code, said.replace("\r\n", "\n").splitlines()

    def _split(self, given: dict[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
        """The whole environment, and what is no part of it."""
        more = {name: value for name, value in given.items() if name in _NO_VARIABLES}
        return self.env | {name: given[name] for name in given.keys() - more.keys()}, more

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
            process.wait()
        for terminal in self.terminals:
            terminal.close()

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

    def named(self, *names: str, folder: str = "trip", size: int = 2000) -> Path:
        """A folder with photos of these names, which go in their order; ``size`` in bytes."""
        place = self.folder / folder
        place.mkdir(parents=True, exist_ok=True)
        for name in names:
            (place / f"{name}.JPG").write_bytes(b"\xff\xd8\xff " + name.encode())
            os.truncate(place / f"{name}.JPG", size)
        return place

    def config(self, text: str) -> Path:
        self.config_file.parent.mkdir(parents=True, exist_ok=True)
        self.config_file.write_text(text)
        return self.config_file

    def form(
        self, server: FormServer | str, more: str = "", name: str = "club", *, also: bool = False
    ) -> Path:
        """A config with a form target, which is the only one, or is there ``also``; ``more`` lines
        belong to it."""
        url = server if isinstance(server, str) else server.url
        if url.startswith("https:") and self.ca_file:
            more = f'ca_file = "{self.ca_file}"\n{more}'
        before = self.config_file.read_text() if also and self.config_file.exists() else ""
        return self.config(f'{before}[targets.{name}]\nkind = "form"\nurl = "{url}"\n{more}\n')

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

    def look(self, column: str) -> dict[str, Any]:
        """A column of the journal's public view, by base name."""
        rows = self.sql(f"select path, {column} from v_tasks")
        return {os.path.basename(path): value for path, value in rows}

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


def _words(args: Sequence[object]) -> list[str | bytes]:
    return [arg if isinstance(arg, bytes) else str(arg) for arg in args]


def finish(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for a command's end."""
    out, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in err, err
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)
