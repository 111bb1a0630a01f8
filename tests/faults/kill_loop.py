"""Random kills of the real command, against a server that misbehaves: is anything lost, or claimed
and not there?

    python tests/faults/kill_loop.py --kills 200 --photos 60 --seed 7 [--target inbox] [--keep DIR]

It starts push, resume and retry-failed as processes of their own and ends them with SIGKILL: at
random moments, right after their start, or the instant something happens at the server. After each
kill the journal is checked against what the server holds; at the end the server turns kind, the
rest is sent, and everything is counted. The last line of output sums it up; exit 1 if anything was
lost, falsely claimed, sent twice without being marked, or corrupt.

The seed fixes what is chosen, not how threads and processes interleave: a failure may take a few
runs to come back.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote

sys.path.insert(0, str(Path(__file__).parents[1]))

from home import COMMAND, Home
from servers import (
    FormServer,
    Line,
    Received,
    Script,
    Step,
    answer,
    close,
    form_of,
    linger,
    page,
    reset,
    send,
    until_gone,
)

TARGET = "club"
ALBUMS = ("trip", "garden", "trip 2")
DONE = ("uploaded", "duplicate")
LEAST_BYTES, MOST_BYTES = 20_000, 3_000_000
SETTLING_SECONDS = 600.0
"""How long one command may take, once the server is kind, until it counts as hanging."""

FORM_FAULTS = {
    "drop": 0.07,  # a reset in the middle of the body
    "stall": 0.03,  # nothing more is read, in the middle of the body
    "early 500": 0.03,  # an answer in the middle of the body
    "500 kept": 0.04,
    "500": 0.03,
    "503": 0.03,
    "429": 0.02,
    "413": 0.02,
    "page": 0.02,  # a captive portal's
    "no id": 0.02,  # 200, but not this server's kind of answer
    "garbage kept": 0.03,
    "garbage": 0.02,
    "lost kept": 0.06,  # a reset instead of an answer
    "cut kept": 0.03,  # half an answer
    "mute kept": 0.02,  # no answer at all
}
INBOX_FAULTS = {
    "drop": 0.07,
    "stall": 0.03,
    "lost-answer": 0.08,
    "cut-answer": 0.05,
    "garbage": 0.04,
    "page": 0.02,
    "500": 0.04,
    "502": 0.02,
    "503": 0.03,
    "429": 0.02,
    "413": 0.02,
    "slow": 0.03,
}
_MIDWAY = ("drop", "stall", "early 500")


class Weather:
    """What befalls the next photo at the server: by chance, or by a script; nothing once it is
    calm."""

    def __init__(self, rng: random.Random, shares: Mapping[str, float]) -> None:
        self._rng = rng
        self._shares = dict(shares)
        self._script: deque[str] = deque()
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.calm = False

    def script(self, *faults: str) -> None:
        """These, and calm after them."""
        with self._lock:
            self._shares = {}
            self._script.extend(faults)

    def turn(self, shares: Mapping[str, float]) -> None:
        """From now on these faults have these shares."""
        with self._lock:
            self._shares = dict(shares)

    def pick(self, _: random.Random | None = None) -> str | None:
        """The fault, or None. Takes the place of a receiver's ``Faults``."""
        with self._lock:
            if self.calm:
                return None
            if self._script:
                return self._script.popleft()
            throw = self._rng.random()
            for fault, share in self._shares.items():
                throw -= share
                if throw < 0:
                    self.counts[fault] += 1
                    return fault
            return None


class Bell:
    """Lets somebody wait for the next time that something happens at the server."""

    def __init__(self) -> None:
        self._cond = threading.Condition()
        self._rung: Counter[str] = Counter()

    def ring(self, what: str) -> None:
        with self._cond:
            self._rung[what] += 1
            self._cond.notify_all()

    def wait(self, what: str, seconds: float) -> bool:
        """Until it happens next."""
        with self._cond:
            before = self._rung[what]
            return self._cond.wait_for(lambda: self._rung[what] > before, seconds)

    def wait_until(self, what: str, count: int, seconds: float) -> bool:
        """Until it has happened ``count`` times in all."""
        with self._cond:
            return self._cond.wait_for(lambda: self._rung[what] >= count, seconds)


class Club(FormServer):
    """Takes forms at ``/albums/ALBUM/photos``, as the weather is. Its ledger has every body that
    came to its end, also of those photos that it did not keep.

    ``pace``: a body takes up to that many seconds to be read, at random.
    """

    def __init__(self, weather: Weather, rng: random.Random, pace: float = 0.0) -> None:
        self.weather = weather
        self.pace = pace
        self.bell = Bell()
        self._rng = rng
        super().__init__(self._script)
        self.question = lambda: (answer(405),)

    def holdings(self) -> Counter[tuple[str, str]]:
        """How many copies the server has, by album and SHA-256."""
        return Counter((_album_of(one), one.sha256) for one in list(self.ledger) if one.kept)

    def photos_by_name(self) -> dict[tuple[str, str], set[str]]:
        """The photos that came under each name (without regard to case) of an album, by SHA-256."""
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for one in list(self.ledger):
            found[_album_of(one), one.filename.casefold()].add(one.sha256)
        return found

    def answers(self, album: str, sha256: str) -> list[str]:
        """What it said, each time, to a photo that came whole."""
        ours = [one for one in list(self.ledger) if one.sha256 == sha256]
        return [one.said for one in ours if _album_of(one) == album]

    def config(self) -> str:
        """The target's keys, as TOML."""
        return f'kind = "form"\nurl = "{self.origin}/albums/{{album}}/photos"\nid = "id"\n'

    def _script(self, _number: int, _name: str) -> Script:
        fault = self.weather.pick()
        self.bell.ring("begun")
        if fault is not None and fault in _MIDWAY:
            return [self._read_some, self._rings("midway"), *_SUFFERED[fault]]
        if fault is None:
            end = [_stored, self._rings("answered")]
        else:
            end = [*_SUFFERED[fault.removesuffix(" kept")]]
        kept = partial(self._note, fault)
        return [self._read_slowly, kept, self._rings("whole"), self._think, *end]

    def _rings(self, what: str) -> Step:
        return lambda _line: self.bell.ring(what)

    def _read_some(self, line: Line) -> None:
        self._read(line, int(line.unread * self._rng.uniform(0.0, 0.7)))

    def _read_slowly(self, line: Line) -> None:
        self._read(line, line.unread)

    def _read(self, line: Line, size: int) -> None:
        pace = 0.0 if self.weather.calm else self.pace * self._rng.random()
        for came in line.fill(size):
            if pace:
                time.sleep(pace * min(1.0, came / size))

    def _note(self, fault: str | None, line: Line) -> None:
        kept = fault is None or fault.endswith("kept")
        self.enter(replace(form_of(line), kept=kept, said=fault or "201"))

    def _think(self, _line: Line) -> None:
        if not self.weather.calm:
            time.sleep(self.pace * self._rng.random() / 4)


def _stored(line: Line) -> None:
    assert line.received is not None
    answer(201, {"id": line.received.sha256})(line)


def _album_of(one: Received) -> str:
    return unquote(one.path.split("/")[2])


_CUT = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 80\r\n\r\n{"
_SUFFERED: dict[str, Script] = {
    "drop": [reset],
    "lost": [reset],
    "stall": [until_gone],
    "mute": [until_gone],
    "garbage": [send(b"\x16\x03\x01 SSH-2.0-nobody\r\n\r\n"), close],
    "cut": [send(_CUT), close],
    "page": [page()],
    "no id": [answer(200, {"welcome": True})],
    "early 500": [answer(500, {}), linger],
    **{str(status): [answer(status, {})] for status in (413, 429, 500, 503)},
}


class BuiltIn:
    """The inbox within the uploader itself: killed with it, and all that it has lies in its
    folder."""

    def __init__(self, folder: str, weather: Weather) -> None:
        self.weather = weather
        self.pace = 0.0
        self.bell = Bell()
        self.trouble: list[BaseException] = []
        self._folder = folder
        self._hashes: dict[tuple[str, int], str] = {}

    def close(self) -> None:
        """Nothing runs here."""

    def config(self) -> str:
        return ""

    def photos_by_name(self) -> dict[tuple[str, str], set[str]]:
        return {}  # it refuses to overwrite

    def answers(self, _album: str, _sha256: str) -> list[str]:
        return []  # its ledger is its folder

    def holdings(self) -> Counter[tuple[str, str]]:
        found: Counter[tuple[str, str]] = Counter()
        for album in os.listdir(self._folder) if os.path.isdir(self._folder) else ():
            if not album.startswith("."):
                for entry in os.scandir(os.path.join(self._folder, album)):
                    found[unquote(album), self._hash(entry)] += 1
        return found

    def _hash(self, entry: os.DirEntry[str]) -> str:
        key = (entry.path, entry.stat().st_mtime_ns)
        if key not in self._hashes:
            with open(entry.path, "rb") as file:
                self._hashes[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return self._hashes[key]


class Inbox(BuiltIn):
    """``albumup receive`` in this process, with faults; it holds what lies in its folder."""

    TOKEN = "a-secret-for-tests"

    def __init__(self, folder: str, weather: Weather) -> None:
        from albumup.receive import Receiver, Store

        super().__init__(os.path.join(folder, "inbox"), weather)
        self._token_file = os.path.join(folder, "token")
        with open(
            os.open(self._token_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w"
        ) as file:
            file.write(self.TOKEN + "\n")
        os.makedirs(self._folder)
        self._receiver = Receiver(
            Store(self._folder),
            token=self.TOKEN,
            faults=weather,  # type: ignore[arg-type]
            log=self._hear,
        )
        self._receiver.start()

    def close(self) -> None:
        self._receiver.stop()

    def config(self) -> str:
        return f'kind = "inbox"\nurl = "{self._receiver.url}"\ntoken_file = "{self._token_file}"\n'

    def _hear(self, line: str) -> None:
        self.bell.ring("midway" if "fault" in line else "whole")


@dataclass(slots=True)
class Push:
    """A folder that is to be in an album; ``photos``: absolute path to SHA-256."""

    folder: str
    album: str
    photos: dict[str, str]


@dataclass(slots=True)
class Command:
    """One invocation of albumup. ``push`` if it is one."""

    verb: str
    arguments: list[str]
    push: Push | None
    process: subprocess.Popen[str]
    errors: str
    """The file that takes its stderr."""

    def said(self) -> str:
        with open(self.errors, encoding="utf-8", errors="replace") as file:
            return file.read()

    def kill(self) -> bool:
        """SIGKILL to its process group; False if it had ended by itself."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait() == -signal.SIGKILL


@dataclass(slots=True)
class Result:
    """What the loop came to."""

    kills: Counter[str] = field(default_factory=Counter)
    ended: int = 0
    """Commands that ended before they were killed."""
    losses: list[str] = field(default_factory=list)
    false_claims: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Failed integrity checks, crashes of the program, commands that hang."""
    twice: int = 0
    """Photos that the server has more than once."""
    copies: int = 0
    """Copies beyond the first, in all."""
    marked: int = 0
    unexplained: list[str] = field(default_factory=list)
    photos: int = 0
    seconds: float = 0.0

    roles: ClassVar[Sequence[str]] = ("push", "resume", "retry-failed")
    """What is killed."""

    @property
    def is_good(self) -> bool:
        return not self.problems()

    def problems(self) -> list[str]:
        return self.losses + self.false_claims + self.faults + self.unexplained

    def __str__(self) -> str:
        kills = ", ".join(f"{role} {self.kills[role]}" for role in self.roles)
        faults = f"{len(self.faults)} faults of the program, " if self.faults else ""
        return (
            f"{self.kills.total()} kills ({kills}): {len(self.losses)} losses, "
            f"{len(self.false_claims)} false claims, "
            f"{faults}{self.twice} sent twice ({self.marked} marked maybe_twice, "
            f"{len(self.unexplained)} unexplained), "
            f"{self.photos} photos, {self.seconds:.0f} s"
        )


class Loop:
    """A folder with photos, a journal and a config; a server; and commands that are killed."""

    launch: ClassVar[Sequence[str] | None] = COMMAND
    """Begins a plain command's line; None where it may be forked, which is quicker."""
    ended_well: ClassVar[Sequence[int]] = (0, 3, 4, 75)
    """The codes with which a command may end by itself."""

    def __init__(
        self, folder: str, seed: int, *, target: str = "form", timeout: float = 2.0
    ) -> None:
        self.folder = folder
        self._home = Home(Path(folder))
        self.rng = random.Random(seed)
        self.journal = os.path.join(folder, "journal.db")
        self.data = os.path.join(folder, "data")
        self.result = Result()
        self.target = target
        self.server: Club | BuiltIn
        self.pushes: list[Push] = []
        self.unsettled = 0
        self._pace = 0.5
        self._window = 1.5
        self._commands = 0
        self._seen: set[tuple[str, str]] = set()
        self._unseen: list[Push] = []
        """Pushes that the journal does not hold, because they were killed before they said so."""
        weather_rng = random.Random(seed + 1)
        if target == "built-in":
            self.server = BuiltIn(
                os.path.join(self.data, "albumup", "inbox"), Weather(weather_rng, {})
            )
        elif target == "inbox":
            self.server = Inbox(folder, Weather(weather_rng, INBOX_FAULTS))
        else:
            self.server = Club(
                Weather(weather_rng, FORM_FAULTS), random.Random(seed + 2), self._pace
            )
        self.config = os.path.join(folder, "config.toml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("[defaults]\nstable_for = 0\n")
            if table := self.server.config():
                file.write(f"[targets.{TARGET}]\n{table}timeout = {timeout}\nsettle = 0.5\n")

    def run(self, kills: int, photos: int, seconds: float) -> Result:
        """Kill until it was done ``kills`` times or ``seconds`` are over, then settle and count."""
        began = time.monotonic()
        while self.result.kills.total() < kills and time.monotonic() - began < seconds:
            share = self.result.kills.total() / kills
            made = sum(len(push.photos) for push in self.pushes)
            if (made < photos and made <= share * photos) or not self.unsettled:
                left = max(
                    1, photos - made
                )  # more than asked for only if the work ran out too early
                self.add_photos(min(left, self.rng.randint(1, 4)))
            self._adapt()
            self.kill_once()
            self.check()
            if self.result.problems():
                break
        self.settle()
        self.check(final=True)
        self.server.close()
        self.result.photos = len(self._seen)
        self.result.seconds = time.monotonic() - began
        return self.result

    # Work.

    def add_photos(self, count: int, album: str | None = None, *sizes: int) -> Push:
        """A new folder of photos, all different, under names that come again and again; ``sizes``
        go round."""
        number = len(self.pushes)
        folder = os.path.join(self.folder, "photos", f"card {number:03}")
        os.makedirs(folder)
        photos = {}
        for index in range(count):
            path = os.path.join(folder, f"DSC_{index:04}.JPG")
            wanted = int(LEAST_BYTES * (MOST_BYTES / LEAST_BYTES) ** self.rng.random())
            if sizes:
                wanted = sizes[index % len(sizes)]
            data = b"\xff\xd8\xff\xe0\0\x10JFIF\0" + self.rng.randbytes(wanted)
            with open(path, "wb") as file:
                file.write(data)
            photos[path] = hashlib.sha256(data).hexdigest()
        push = Push(folder, album or self.rng.choice(ALBUMS), photos)
        self.pushes.append(push)
        self._unseen.append(push)
        return push

    def _adapt(self) -> None:
        """Keep some work waiting, whatever this machine's speed."""
        self._pace *= 1.15 if self.unsettled < 4 else 0.85 if self.unsettled > 8 else 1.0
        self._pace = min(max(self._pace, 0.05), 5.0)
        self.server.pace = self._pace

    # Commands.

    def start(
        self,
        verb: str,
        *arguments: str,
        push: Push | None = None,
        launch: Sequence[str] | None = None,
    ) -> Command:
        """A command in a process group of its own; ``launch`` begins its line, where it is
        another."""
        self._commands += 1
        errors = os.path.join(self.folder, f"stderr-{self._commands:04}-{verb}")
        with open(errors, "wb") as file:
            process = self._home.start(
                verb,
                *arguments,
                launch=launch or self.launch,
                stdout=subprocess.DEVNULL,
                stderr=file,
                start_new_session=True,
                ALBUMUP_JOURNAL=self.journal,
                ALBUMUP_CONFIG=self.config,
                XDG_DATA_HOME=self.data,
            )
        return Command(verb, list(arguments), push, process, errors)

    def start_push(self, push: Push, *options: str, launch: Sequence[str] | None = None) -> Command:
        where = (
            "--album",
            push.album,
            "--target",
            "inbox" if self.target == "built-in" else TARGET,
        )
        return self.start("push", push.folder, *where, *options, push=push, launch=launch)

    def _start_any(self) -> Command:
        rng = self.rng
        options = ["--retries", str(rng.randint(0, 3)), "--jobs", str(rng.randint(1, 6))]
        options += ["--patience", rng.choice(("1s", "3s", "5m"))]
        if self.target == "inbox":
            options += ["--limit-rate", f"{max(16, int(1500 / self._pace))}k"]
        if self._unseen and rng.random() < 0.8:
            return self.start_push(rng.choice(self._unseen), *options)
        verb = rng.choice(("push", "push", "resume", "resume", "retry-failed", "retry-failed"))
        if verb == "push":
            return self.start_push(rng.choice(self.pushes), *options)
        if verb == "retry-failed":
            options += rng.choice(
                ([], ["--all"], ["--all", "--rejected"], ["--all", "--rejected", "--in-doubt"])
            )
        return self.start(verb, *options)

    def kill_once(self) -> None:
        """Start a command, sometimes a second one beside it, and kill them."""
        rng = self.rng
        commands = [self._start_any()]
        began = time.monotonic()
        if rng.random() < 0.15:
            time.sleep(rng.uniform(0.0, 0.5))
            commands.append(self._start_any())
        rng.shuffle(commands)
        self._wait_for_the_moment(commands[0])
        for command in commands:
            if command.kill():
                self.result.kills[command.verb] += 1
                self._window = min(3.0, self._window * 1.02)
            else:
                self.result.ended += 1
                self._window = max(0.3, min(self._window, (time.monotonic() - began) * 0.95))
                self._look_at_end(command)
            if rng.random() < 0.5:
                time.sleep(rng.uniform(0.0, 0.7))  # the other one follows, or takes over
        self._expect_acknowledged(commands)

    def _wait_for_the_moment(self, command: Command) -> None:
        throw = self.rng.random()
        if throw < 0.15:
            time.sleep(self.rng.uniform(0.0, 0.15))  # right after its start
        elif throw < 0.4:
            self.server.bell.wait(
                self.rng.choice(("begun", "midway", "whole", "answered")), self._window
            )
        else:
            with contextlib.suppress(subprocess.TimeoutExpired):
                command.process.wait(self.rng.uniform(0.0, self._window))

    def _look_at_end(self, command: Command) -> None:
        """A command that ended by itself ended in one of the ways it may."""
        if command.process.returncode not in self.ended_well or "Traceback" in command.said():
            words = f"exit {command.process.returncode}: {command.said()[-2000:]}"
            self.result.faults.append(f"{command.verb} {' '.join(command.arguments)}: {words}")

    def settle(self) -> None:
        """The server is kind from now on: whatever is not there yet, and can be asked for, is
        sent."""
        self.server.weather.calm = True
        for push in list(self._unseen):
            self._finish(self.start_push(push))
        for _ in range(5):
            self._finish(
                self.start("retry-failed", "--all", "--rejected", "--in-doubt", "--patience", "30s")
            )
            if self._finish(self.start("resume", "--patience", "30s")) == 0:
                return
        self.result.faults.append("it never settled, although the server is kind")

    def _finish(self, command: Command) -> int:
        try:
            code = command.process.wait(SETTLING_SECONDS)
        except subprocess.TimeoutExpired:
            command.kill()
            self.result.faults.append(f"{command.verb} hangs: {command.said()[-2000:]}")
            return -1
        self._look_at_end(command)
        self._expect_acknowledged([command])
        return code

    # Checks.

    def rows(self, sql: str) -> list[sqlite3.Row]:
        """What a reader of the journal sees; nothing while there is none."""
        if not os.path.exists(self.journal) or not os.path.getsize(self.journal):
            return []
        connection = sqlite3.connect(f"file:{self.journal}?mode=ro", uri=True, timeout=30.0)
        connection.row_factory = sqlite3.Row
        try:
            if not connection.execute("pragma user_version").fetchone()[0]:
                return []
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def check(self, *, final: bool = False) -> None:
        """The journal is whole, forgot nothing, and claims nothing that the server does not
        have."""
        result, when = self.result, f"after {self.result.kills.total()} kills"
        try:
            verdicts = [row[0] for row in self.rows("pragma integrity_check")]
            tasks = {
                (row["album"], os.fsdecode(row["path_raw"])): row
                for row in self.rows("select * from v_tasks")
            }
        except sqlite3.Error as error:
            result.faults.append(f"{when} the journal cannot be read: {error}")
            return
        result.faults += [f"{when} the server met {error!r}" for error in self.server.trouble]
        if verdicts not in ([], ["ok"]):
            result.faults.append(f"{when} the journal is corrupt: {verdicts}")
        lost = self._seen - tasks.keys()
        result.losses += [
            f"{when} the journal no longer knows {path} in {album}" for album, path in sorted(lost)
        ]
        self._seen |= tasks.keys()
        self._unseen = [
            push
            for push in self._unseen
            if not {(push.album, path) for path in push.photos} <= self._seen
        ]
        self.unsettled = sum(row["state"] not in DONE for row in tasks.values()) + len(self._unseen)
        digests = {
            (push.album, path): sha256
            for push in self.pushes
            for path, sha256 in push.photos.items()
        }
        holdings = self.server.holdings()
        for place, row in tasks.items():
            if row["state"] in DONE and not holdings[place[0], digests[place]]:
                result.false_claims.append(
                    f"{when} {place} is {row['state']}, and the server does not have it"
                )
            if row["sha256"] not in (None, digests[place]):
                result.faults.append(f"{when} {place} has a wrong digest in the journal")
            if final and not holdings[place[0], digests[place]]:
                result.losses.append(
                    f"{place} is {row['state']} ({row['error']}), and the server does not have it"
                )
            if final and row["state"] not in DONE:
                result.faults.append(f"{place} is {row['state']} in the end: {row['error']}")
        if final:
            self._count_copies(tasks, digests, holdings)

    def _expect_acknowledged(self, commands: Iterable[Command]) -> None:
        """What a push called queued is in the journal."""
        for command in commands:
            if command.push and re.search(r"\b[0-9]+ photos? queued", command.said()):
                known = {
                    (row["album"], os.fsdecode(row["path_raw"]))
                    for row in self.rows("select * from v_tasks")
                }
                for path in command.push.photos:
                    if (command.push.album, path) not in known:
                        self.result.losses.append(
                            f"{path} was called queued, and the journal does not know it"
                        )

    def _count_copies(
        self,
        tasks: Mapping[tuple[str, str], sqlite3.Row],
        digests: Mapping[tuple[str, str], str],
        holdings: Counter[tuple[str, str]],
    ) -> None:
        """Each copy beyond the first needs an attempt in doubt, and the mark that says so."""
        result = self.result
        doubts = Counter(
            row["task"]
            for row in self.rows("select task from v_attempts where outcome = 'in_doubt'")
        )
        for place, row in tasks.items():
            copies = holdings[place[0], digests[place]] - 1
            if copies < 1:
                continue
            result.twice += 1
            result.copies += copies
            result.marked += row["maybe_twice"]
            if not row["maybe_twice"] or copies > doubts[row["id"]] or self.target != "form":
                history = [
                    tuple(one)
                    for one in self.rows(
                        "select number, whole_at, ended, outcome, http_status, error "
                        "from v_attempts"
                        f" where task = {row['id']} order by number"
                    )
                ]
                said = self.server.answers(place[0], digests[place])
                mark = "marked" if row["maybe_twice"] else "not marked"
                result.unexplained.append(
                    f"{place} is there {copies + 1} times, {mark}, "
                    f"{doubts[row['id']]} attempts in doubt: "
                    f"{history}; the server answered {said}"
                )
        for (album, name), photos in self.server.photos_by_name().items():
            if len(photos) > 1:
                result.losses.append(f"{len(photos)} different photos came as {name} into {album}")


def main(make: Callable[..., Loop] = Loop, about: str | None = __doc__) -> int:
    """Run a loop as the words typed say; ``about``: what help says of it."""
    parser = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument(
        "--seconds", type=float, default=900.0, help="make no more kills after this time"
    )
    parser.add_argument("--target", choices=("form", "inbox"), default="form")
    parser.add_argument("--keep", metavar="DIR", help="work in this new folder, and leave it")
    given = parser.parse_args()
    seed = random.randrange(1 << 16) if given.seed is None else given.seed
    if given.keep:
        os.makedirs(given.keep)
    folder = (
        os.path.abspath(given.keep) if given.keep else tempfile.mkdtemp(prefix="albumup-kills-")
    )
    loop = make(folder, seed, target=given.target)
    result = loop.run(given.kills, given.photos, given.seconds)
    print(
        f"seed {seed}, {given.target}; {result.ended} commands ended by themselves; "
        f"{result.copies} copies too many"
    )
    print(
        "faults:",
        ", ".join(f"{name} {count}" for name, count in sorted(loop.server.weather.counts.items())),
    )
    for problem in result.problems():
        print(problem)
    if result.is_good and not given.keep:
        shutil.rmtree(folder)
    else:
        print(f"everything is in {folder}")
    print(result)
    return 0 if result.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
