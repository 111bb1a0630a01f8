"""Random kills of whatever runs when somebody starts uploads and walks away: is anything lost,
claimed and not there, left behind, or told twice?

    python tests/faults/background_kills.py --kills 200 --photos 60 --seed 7 [--keep DIR]

The parts of ``kill_loop`` with other commands: uploads in the background, people who watch, stop
and change them, cron, and the command that gets the notices. SIGKILL takes any of these processes
at any moment, and the rest go on. At the end everything is killed, as a power cut would, the server
turns kind, and cron sends what is left. Then the notices are counted, too: each is owed once, and
had by ``on_done``, twice only with one id. The last line of output sums it up.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

sys.path.insert(0, str(Path(__file__).parents[1]))

import zygote
from kill_loop import FORM_FAULTS, INBOX_FAULTS, Club, Command, Loop, Result, main
from servers import answer

from albumup.journal.lock import is_locked

ROLES = ("push", "resume", "uploader", "watch", "stop", "retry-failed", "hook")
_MOST_AT_ONCE = 6
_TELL_AFTER = 2.0
_HOOK = """#!/bin/sh
read -r notice
sleep 0.$((0x$(printf %.2s "$ALBUMUP_NOTICE_ID") % 8))
printf '%s\\n' "$notice" >> {got}
"""
"""Takes up to 0.7 seconds, so that there is something to kill."""


@dataclass(slots=True)
class BackgroundResult(Result):
    """``Result``, and what became of the notices."""

    notices: int = 0
    untold: list[str] = field(default_factory=list)
    """Notices that nobody had, or that were never owed."""
    same_id: int = 0
    """Notices that were had more than once."""
    two_ids: list[str] = field(default_factory=list)
    """Notices that were owed twice."""
    orphans: list[str] = field(default_factory=list)
    claims: int = 0
    asked: int = 0
    """How often an uploader was asked how it goes."""

    roles: ClassVar = ROLES

    def problems(self) -> list[str]:
        mine = [*self.untold, *self.two_ids, *self.orphans]
        claims = [f"{self.claims} claims left"] if self.claims else []
        return [*Result.problems(self), *mine, *claims]

    def __str__(self) -> str:
        return (
            f"{Result.__str__(self)}; {self.notices} notices: {len(self.untold)} lost, "
            f"{self.same_id} had twice with one id, {len(self.two_ids)} with two; "
            f"{len(self.orphans)} orphans, {self.claims} claims left; asked {self.asked} times"
        )


class Background(Loop):
    """A loop in which nobody stays to see what becomes of the uploads."""

    ended_well: ClassVar = (*Loop.ended_well, 143)

    def __init__(
        self, folder: str, seed: int, *, target: str = "form", timeout: float = 2.0
    ) -> None:
        super().__init__(folder, seed, target=target, timeout=timeout)
        zygote.adopt_orphans()
        self.result = self.background = BackgroundResult()
        self._got = os.path.join(folder, "got")
        hook = Path(folder, "hook")
        hook.write_text(_HOOK.format(got=shlex.quote(self._got)))
        hook.chmod(0o755)
        config = Path(self.config)
        more = f'on_done = ["{hook}"]\ntell_after = {_TELL_AFTER}\n'
        config.write_text(config.read_text().replace("[defaults]\n", f"[defaults]\n{more}"))
        self._running: list[Command] = []
        self._is_down = False

    # Commands.

    def _start_any(self) -> Command:
        rng = self.rng
        running = Counter(command.verb for command in self._running)
        if self._unseen and rng.random() < 0.7:
            return self.start_push(rng.choice(self._unseen), *self._sending())
        verbs = ["push", "resume", "resume", "retry-failed", "stop", "stop"]
        verb = rng.choice(verbs + ["watch", "watch"] * (running["watch"] < 2))
        known = sorted({album for album, _ in self._seen})
        album = [rng.choice(known)] if known else []
        if verb == "push":
            return self.start_push(rng.choice(self.pushes), *self._sending())
        if verb == "resume":
            return self.start("resume", *self._sending())
        if verb == "stop":
            options = rng.choice(([], album, ["--now"], [*album, "--now"]))
            return self.start("stop", *options)
        if verb == "watch":
            return self.start("watch", *rng.choice(([], album)))
        return self.start("retry-failed")

    def _sending(self) -> list[str]:
        """Options of a push or resume: in the background, and often with another rate."""
        rng = self.rng
        options = ["--detach"] if rng.random() < 0.9 else []
        if rng.random() < 0.5:
            options += ["--limit-rate", rng.choice(("64k", "1M", "20M"))]
        if rng.random() < 0.5:
            options += ["--jobs", str(rng.randint(1, 6))]
        return options

    def kill_once(self) -> None:
        """Start one or two commands beside those that run, and kill one process of all."""
        rng = self.rng
        while len(self._running) < rng.randint(2, _MOST_AT_ONCE):
            self._running.append(self._start_any())
            time.sleep(rng.uniform(0.0, 0.2))
        if rng.random() < (0.3 if self._is_down else 0.08):
            self._turn(is_down=not self._is_down)
        if rng.random() < 0.3:
            self._wait_for_hook(rng.uniform(0.0, self._window))
        else:
            self._wait_for_the_moment(rng.choice(self._running))
        if rng.random() < 0.3:
            self._ask()
        self._kill_any()
        self._look_at_ended()

    def _turn(self, *, is_down: bool) -> None:
        """The server goes down, or comes back."""
        self._is_down = is_down
        usual = INBOX_FAULTS if self.target == "inbox" else FORM_FAULTS
        self.server.weather.turn({"503": 1.0} if is_down else usual)
        if isinstance(self.server, Club):
            self.server.question = lambda: (answer(503 if is_down else 405),)

    def _wait_for_hook(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and "hook" not in dict(self._processes()).values():
            time.sleep(0.02)

    def _ask(self) -> None:
        """Ask who uploads how it goes: it says so, and goes on."""
        found = self.rows("select pid from run where ended is null")
        for pid in {row["pid"] for row in found} & dict(self._processes()).keys():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGUSR1)
                self.background.asked += 1

    def _kill_any(self) -> None:
        """One process, of a role at random: there are more of some than of others."""
        by_role: dict[str, list[int]] = {}
        for pid, role in self._processes():
            by_role.setdefault(role, []).append(pid)
        if not by_role:
            return
        role = self.rng.choice(sorted(by_role))
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.rng.choice(by_role[role]), signal.SIGKILL)
            self.result.kills[role] += 1

    def _processes(self) -> Iterator[tuple[int, str]]:
        """All living processes of this loop, and what they are."""
        for command in self._running:
            if command.process.poll() is None:
                yield command.process.pid, command.verb
        own = {command.process.pid for command in self._running}
        for pid, line in processes(self.folder):
            if pid not in own:
                yield pid, "uploader" if "--in-background" in line else "hook"

    def _look_at_ended(self) -> None:
        ended = [one for one in self._running if one.process.poll() is not None]
        self._running = [one for one in self._running if one not in ended]
        for command in ended:
            if command.process.returncode != -signal.SIGKILL:
                self.result.ended += 1
                self._look_at_end(command)
        self._expect_acknowledged(ended)
        self._reap({one.process.pid for one in self._running})

    def _reap(self, kept: set[int]) -> None:
        self.result.faults += [
            f"process {pid} was ended by SIGUSR1"
            for pid, code in reap(kept).items()
            if code == -signal.SIGUSR1
        ]

    def _look_at_end(self, command: Command) -> None:
        if (
            "in the background was ended by SIGKILL" not in command.said()
        ):  # it says so, and exits 1
            super()._look_at_end(command)

    # The end.

    def settle(self) -> None:
        """The power goes, the server turns kind, and cron sends what is left: first what it can
        send by itself, then what somebody asks for."""
        self._cut_power()
        self._turn(is_down=False)
        self.server.weather.calm = True
        for push in list(self._unseen):
            self._finish(self.start_push(push, "--detach"))
        self._finish(self.start("resume", "--detach"))  # what was stopped is held
        self._cut_power()
        self._finish(self.start("retry-failed"))
        super().settle()
        self._finish(self.start("retry-failed"))
        self._count_notices()
        self._count_orphans()

    def close(self) -> None:
        self._cut_power()
        self.server.close()

    def _cut_power(self) -> None:
        """Kill all that runs, and wait until it is gone: a zombie looks like a living process."""
        while found := list(self._processes()):
            for pid, _ in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for command in self._running:
                command.process.wait()
            while any(os.path.exists(f"/proc/{pid}") for pid, _ in found):
                self._reap(set())
                time.sleep(0.01)
        self._running = []

    def _count_orphans(self) -> None:
        """Nobody is left when all commands are over."""
        until = time.monotonic() + 5.0
        while (left := list(processes(self.folder))) and time.monotonic() < until:
            reap(set())
            time.sleep(0.05)
        self.background.orphans += [f"process {pid} is left: {line}" for pid, line in left]
        if is_locked(f"{self.journal}.lock"):
            self.background.orphans.append("somebody holds the lock")

    def _count_notices(self) -> None:
        result = self.background
        owed = self.rows("select * from notice order by id")
        had = Counter(one["id"] for one in self._had())
        result.notices = len(owed)
        result.claims = sum(row["claimed_by"] is not None for row in owed)
        for row in owed:
            if not had[row["key"]] and not row["fault"]:
                result.untold.append(f"nobody was told notice {dict(row)}")
        result.same_id = sum(count > 1 for count in had.values())
        result.untold += [
            f"the journal does not know notice {key}" for key in had.keys() - keys(owed)
        ]
        self._compare_albums(owed)
        self._compare_targets(owed)

    def _had(self) -> Iterator[dict[str, Any]]:
        """What the command got: each notice whole, or not at all."""
        with contextlib.suppress(FileNotFoundError), open(self._got, encoding="utf-8") as file:
            for line in file:
                try:
                    yield json.loads(line)
                except ValueError:
                    self.result.faults.append(f"the command got no notice, but {line!r}")

    def _compare_albums(self, owed: list[Any]) -> None:
        """The last notice of an album is of its end, and no two in a row say the same."""
        for album in self.rows("select id, name from album"):
            ours = [
                row for row in owed if (row["cause"], row["album_id"]) == ("settled", album["id"])
            ]
            said = [counts(row) for row in ours]
            result = self.background
            for one, other, row in zip(said, said[1:], ours[1:], strict=False):
                if one == other:
                    result.two_ids.append(f"{album['name']} is told twice: {dict(row)}")
            now = Counter(
                row["state"]
                for row in self.rows("select album, state from v_tasks")
                if row["album"] == album["name"]
            )
            if not said or said[-1] != now:
                result.untold.append(
                    f"{album['name']} ended with {dict(now)}, and was told {said[-1:]}"
                )

    def _compare_targets(self, owed: list[Any]) -> None:
        """A target is told to be well once it was told to be unreachable; it is told to be that
        again once the pause has begun anew: it also ends where nothing waits."""
        told: dict[str, float] = {}
        for row in owed:
            name, at = row["target"], row["created"]
            if row["cause"] == "unreachable":
                is_twice = at < told.get(name, float("-inf")) + _TELL_AFTER
                told[name] = at
            elif row["cause"] == "well":
                is_twice = told.pop(name, None) is None
            else:
                continue
            if is_twice:
                self.background.two_ids.append(f"told twice: {dict(row)}")


def keys(owed: list[Any]) -> set[str]:
    return {row["key"] for row in owed}


def counts(row: Mapping[str, Any]) -> Counter[str]:
    return +Counter(json.loads(row["summary"])["counts"])


def processes(folder: str) -> Iterator[tuple[int, str]]:
    """The living processes with this folder on their command line, but for who started us."""
    ours = set(_ancestors(os.getpid()))
    for entry in os.scandir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            line = Path(entry.path, "cmdline").read_bytes().replace(b"\0", b" ")
            if os.fsencode(folder) in line and int(entry.name) not in ours:
                yield int(entry.name), os.fsdecode(line)


def _ancestors(pid: int) -> Iterator[int]:
    while pid > 0:
        yield pid
        pid = int(_status(pid)[1])


def _status(pid: int) -> list[str]:
    """The state of a process, its parent, and so on, as in proc_pid_stat(5)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def reap(kept: set[int]) -> dict[int, int]:
    """Wait for orphans that have ended, as their new parent; their exit codes. ``kept``: those of
    somebody else."""
    codes = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and int(entry.name) not in kept:
            with contextlib.suppress(OSError):
                state, parent, *_ = _status(int(entry.name))
                if (state, int(parent)) == ("Z", os.getpid()):
                    pid, status = os.waitpid(int(entry.name), os.WNOHANG)
                    codes[pid] = os.waitstatus_to_exitcode(status)
    return codes


if __name__ == "__main__":
    sys.exit(main(Background, __doc__))
