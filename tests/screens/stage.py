"""A person's computer for a screen: a home folder, photos, servers, and a terminal."""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import shutil
import socket
import string
import sys
from collections.abc import Callable
from pathlib import Path

from home import Home
from immich.fake import Immich
from servers import FormServer, answer
from terminal import Terminal

from .front import Front

COLUMNS, ROWS = 80, 200
HOME = "/home/anna"
SIZES = (
    2_913_204, 3_048_116, 2_604_871, 3_377_402, 1_981_645, 2_722_930, 3_105_588, 2_467_019,
    9_847_263,
)  # fmt: skip
"""Bytes of the photos of the trip; the last is a clip."""
_FIXED = {
    r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z": "2026-09-20T16:20:00.000Z",
    r"20\d\d-\d\d-\d\d \d\d:\d\d": "2026-09-20 16:20",
    r"(?<=albumup-)[0-9a-f]{16,32}(?:\n[0-9a-f]{1,16})?": "5f0c1c2e9f6b4d7a8e3d2b1a0c9f8e7d",
    r"(?<=/share/)[\w-]{43}": "mT8q0Zk3vYx1WcN5sRr7pLj2bHd9gFa4eUi6oKt0yQw",
}
"""What differs from run to run, and what the document says instead; as long."""
React = tuple[str, Callable[[Terminal], object]]
"""Words on the screen, and what is done once they stand there."""
_NGINX = (("Server", "nginx"), ("Date", "Sun, 20 Sep 2026 16:20:00 GMT"))
_HEIC = bytes.fromhex("00000018667479706865696300000000") + b"mif1heic"
_MOV = bytes.fromhex("0000001466747970") + b"qt  \0\0\0\0qt  "
_PROGRAM = f"""#!/bin/sh
exec {shlex.quote(sys.executable)} -m screens.process "$@"
"""


class Stage:
    """What a scenario sets up, and a block's commands are typed on. ``front`` leads the names of
    hosts to servers."""

    def __init__(self, front: Front) -> None:
        letters = "".join(
            random.SystemRandom().choices(string.ascii_lowercase, k=len(HOME) - len("/tmp/"))
        )
        self.home = Path("/tmp") / letters
        self.home.mkdir(0o700)
        self.took = 4.0
        """Seconds that each run takes, as far as its words go."""
        self.pid = 4121
        self.columns = COLUMNS
        self.bars: list[float] = []
        """What the bars show of the uploads in flight, 0.5 for half; as it is, when empty."""
        self.seed = 0
        """Of what happens by chance."""
        self._front = front
        self._person = Home(self.home)
        self._reacts: dict[str, list[React]] = {}
        self._reacting: dict[Terminal, list[React]] = {}
        self._stays: dict[str, str] = {}
        self._left_out: list[str] = []
        self._ends: list[Callable[[], None]] = []
        self._staying: list[Terminal] = []
        self._plain: dict[str, int] = {}
        self._replaced: list[tuple[str, str]] = [(str(self.home), HOME)]

    # What a scenario says.

    def photos(
        self, folder: str = "trip", sizes: tuple[int, ...] = SIZES, first: int = 4101
    ) -> Path:
        """``folder`` with a photo of each size, the largest of them a clip."""
        place = self.home / folder
        place.mkdir(parents=True, exist_ok=True)
        for number, size in enumerate(sizes, first):
            head, suffix = (_MOV, "MOV") if size > 5e6 else (_HEIC, "HEIC")
            path = place / f"IMG_{number}.{suffix}"
            path.write_bytes(head + f"{folder} {number}".encode())
            os.truncate(path, size)
            os.utime(path, (1_790_000_000 + number, 1_790_000_000 + number))
        return place

    def config(self, text: str) -> None:
        path = self.home / ".config/albumup/config.toml"
        path.parent.mkdir(0o700, parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)

    def secret(self, path: str, text: str) -> None:
        file = self.home / path
        file.parent.mkdir(0o700, parents=True, exist_ok=True)
        file.write_text(text + "\n")
        file.chmod(0o600)

    def host(self, name: str, port: int) -> None:
        """``https://name`` is what listens at ``port``."""
        self._front.lead(name, port)

    def plain_host(self, name: str, port: int) -> None:
        """``http://name`` is what listens at ``port``."""
        self._plain[name] = port

    def immich(self, **options: object) -> Immich:
        """https://photos.example.org is an Immich server."""
        server = Immich(externalDomain="https://photos.example.org", **options)  # type: ignore[arg-type]
        self.at_end(server.close)
        self.host("photos.example.org", server.port)
        return server

    def form(self) -> FormServer:
        """https://club.example.org takes forms."""
        server = FormServer()
        server.answer = lambda _: answer(200, {}, _NGINX)
        self.at_end(server.close)
        self.host("club.example.org", server.port)
        return server

    def when(self, command: str, words: str, then: Callable[[Terminal], object]) -> None:
        """Once these words stand under the command that begins so."""
        self._reacts.setdefault(command, []).append((words, then))

    def stays(self, command: str, until: str) -> None:
        """The command goes on in a terminal of its own; what it shows when this pattern is found is
        the screen."""
        self._stays[command] = until

    def stays_no_more(self) -> None:
        """Commands that are typed from here on are awaited."""
        self._stays.clear()

    def reads(self, real: str, shown: str) -> None:
        """``shown`` stands in the document for what is ``real`` here: as long, since lines break by
        their length."""
        assert len(real) == len(shown)
        self._replaced.append((real, shown))

    def leave_out(self, *beginnings: str) -> None:
        """Lines that begin so are no two runs' own: ``...`` stands for them."""
        self._left_out += beginnings

    def at_end(self, what: Callable[[], None]) -> None:
        self._ends.append(what)

    def run(self, *commands: str) -> None:
        """What was typed before."""
        for command in commands:
            self.type(command)

    # What the test does.

    def type(self, command: str) -> list[str]:
        """The lines under a command that is typed."""
        for real, shown in self._replaced:
            command = command.replace(shown, real)
        typed = shlex.split(command.replace("\\\n", ""), comments=True)
        is_plain = typed[0] == "albumup" and not set("|;&<>$") & set(command.partition("  #")[0])
        self._person.env = self._env(is_plain)
        words, given = (typed[1:], {}) if is_plain else ([], {"launch": ["bash", "-c", command]})
        terminal = self._person.at_terminal(*words, columns=self.columns, rows=ROWS, **given)
        self._reacting[terminal] = [
            react
            for beginning, reacts in self._reacts.items()
            for react in reacts
            if command.startswith(beginning)
        ]
        until = next(
            (words for beginning, words in self._stays.items() if command.startswith(beginning)),
            None,
        )
        text = self._read_on(terminal, until)
        if until is not None:
            self._staying.append(terminal)
        assert "Traceback" not in text, text
        return self._shown(text)

    def interrupt(self) -> list[str]:
        """Ctrl-C in the terminal where a command stayed last: the lines that are new there, up to
        the command's end."""
        terminal = self._staying[-1]
        before = terminal.text.splitlines()
        terminal.press("\x03")
        after = self._read_on(terminal).removeprefix("^C\n").splitlines()
        same = next(
            (n for n, (old, new) in enumerate(zip(before, after, strict=False)) if old != new),
            len(before),
        )
        return self._shown("\n".join(after[same:]).removeprefix("^C\n"))

    def _read_on(self, terminal: Terminal, until: str | None = None) -> str:
        """What stands there at the command's end, or when this pattern is found there."""
        reacts = self._reacting[terminal]
        while until is None or not re.search(until, terminal.text, re.DOTALL):
            if not terminal.read():
                terminal.end()
                break
            unbroken = " ".join(terminal.text.split()) if reacts else ""
            for react in [react for react in reacts if react[0] in unbroken]:
                reacts.remove(react)
                react[1](terminal)
        return terminal.text

    def close(self) -> None:
        self._person.close()
        for what in reversed(self._ends):
            what()
        shutil.rmtree(self.home, ignore_errors=True)

    def _env(self, is_plain: bool) -> dict[str, str]:
        given = {
            "hosts": dict.fromkeys(self._front.names, self._front.port) | self._plain,
            "took": self.took, "pid": self.pid, "seed": self.seed, "bars": self.bars,
            "terminal": is_plain,
        }  # fmt: skip
        programs = self.home / ".local/bin"
        programs.mkdir(parents=True, exist_ok=True)
        if not is_plain:
            (programs / "albumup").write_text(_PROGRAM)
            (programs / "albumup").chmod(0o755)
        return {
            "HOME": str(self.home),
            "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(Path(__file__).parent.parent),
            "LC_ALL": "C.UTF-8",
            "TERM": "xterm-256color",
            "TZ": "UTC",
            "SSL_CERT_FILE": self._front.ca_file,
            "ALBUMUP_SCREEN": json.dumps(given),
        }

    def _shown(self, text: str) -> list[str]:
        for real, shown in self._replaced:
            text = text.replace(real, shown)
        for pattern, shown in _FIXED.items():
            text = re.sub(pattern, lambda found, shown=shown: _broken_as(found[0], shown), text)  # type: ignore[misc]
        lines: list[str] = []
        deep = 1000
        for line in text.splitlines():
            indent = len(line) - len(line.lstrip())
            if line.startswith(tuple(self._left_out)) if self._left_out else False:
                deep = indent + 1  # and the lines that it goes on in
            elif indent < deep:
                deep = 1000
            if deep == 1000:
                lines.append(line)
            elif lines[-1:] != ["..."]:
                lines.append("...")
        return lines


def free_port() -> int:
    """One of four digits."""
    while True:
        port = random.SystemRandom().randrange(2000, 10000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _broken_as(real: str, shown: str) -> str:
    """``shown``, with its line broken where that of ``real`` is."""
    first, _, second = real.partition("\n")
    return f"{shown[: len(first)]}\n{shown[len(first) :]}" if second else shown
