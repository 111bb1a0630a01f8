"""A week of cron: ``retry-failed`` at each of its turns, as ``schedule cron`` has it typed, on a
clock in the tests' hand. What cron would have mailed is kept, and each notice that ``on_done`` got.

    PYTHONPATH=tests python tests/week.py [--days 7]

prints both; two days are its short form. The week begins on a Monday: a person pushes albums that
settle, one with a photo that its server always refuses, and one that is then put on hold. The
server of another is dead for more than a day, and somebody revokes the key of a third for some
hours.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import within
from clock import Clock
from home import Home
from msgspec import Struct
from servers import FormServer, Script, answer, linger, read, reset

MONDAY = datetime(2029, 1, 1, tzinfo=UTC).timestamp()
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
TURN = 15 * MINUTE
HOPELESS, HELD = 11, 41
"""The numbers of two photos."""


def _refused(_number: int, name: str) -> Script | None:
    """Before it has come to its end, so that nobody can think that it was taken."""
    return [read(1000), answer(500, {}), linger] if name == f"IMG_{HOPELESS}.JPG" else None


class Mail(Struct, frozen=True):
    """What a turn of cron said, and its exit code. ``at``: seconds since the week began."""

    at: float
    said: str
    code: int

    def __str__(self) -> str:
        return f"{when(self.at)}  exit {self.code}\n{self.said}"


def when(at: float) -> str:
    return datetime.fromtimestamp(MONDAY + at, UTC).strftime("%a %H:%M:%S")


class Week:
    """A home, its servers, and the turns of its cron."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home", within.run)
        self.clock = Clock(MONDAY)
        self.club, self.far, self.keyed = FormServer(), FormServer(), FormServer()
        self.turns: list[Mail] = []
        self._got = folder / "got"
        self._configure(folder / "hook")
        self.club.rule = _refused

    @contextmanager
    def begun(self) -> Iterator[None]:
        with ExitStack() as stack:
            for server in (self.club, self.far, self.keyed):
                stack.enter_context(server)
            stack.callback(self.home.close)
            stack.enter_context(self.clock.is_the_computers())
            yield

    def _configure(self, hook: Path) -> None:
        hook.write_text(f"#!/bin/sh\ncat >> {self._got}\n")
        hook.chmod(0o755)
        servers = {"club": self.club, "far": self.far, "keyed": self.keyed}
        tables = "".join(
            f'[targets.{name}]\nkind = "form"\nurl = "{server.url}"\n'
            for name, server in servers.items()
        )
        tables += f'token_file = "{self.home.secret("not-a-real-key")}"\n'
        more = f'[defaults]\nretries = 0\non_done = ["{hook}"]\ntell_after = "24h"\n'
        self.home.config(more + tables)

    # What happens.

    def push(self, album: str, photos: int, first: int, target: str) -> int:
        """A person pushes more photos of a folder, and does not wait for a server that is down."""
        place = self.home.photos(photos, album, first=first)
        words = ("push", place, "--target", target, "--patience", "0", "-q")
        return int(self.home.run(*words).returncode)

    def monday(self) -> None:
        """A person pushes some albums, and puts one on hold before all of it is sent."""
        self.club.says(503)
        assert self.push("held", 1, HELD, "club") == 75
        self.home.sql("update album set held = 1 where name = 'held'")
        self.club.says(200)
        assert self.push("garden", 3, 1, "club") == 0
        self.home.photos(1, "trip", first=HOPELESS, size=8 << 20)
        assert self.push("trip", 2, HOPELESS + 1, "club") == 3
        assert self.push("far", 1, 21, "far") == 0
        assert self.push("keyed", 1, 31, "keyed") == 0

    def dies(self) -> None:
        """The far server's machine is there, and whoever connects is thrown out."""
        self.far.rule = lambda *_: (reset,)
        self.far.question = lambda: (reset,)
        assert self.push("far", 2, 22, "far") == 75

    def lives(self) -> None:
        self.far.rule = lambda *_: None
        self.far.says(200)

    def revoked(self) -> None:
        self.keyed.answer = lambda _: answer(401, {})
        assert self.push("keyed", 2, 32, "keyed") == 4

    def given_back(self) -> None:
        self.keyed.answer = lambda _: answer(200, {})

    # Cron.

    def run(self, days: int) -> None:
        """Take all turns of so many days. What happens comes a minute before a turn."""
        self.monday()
        events = self.story(days)
        variables, words = self._line()
        for number in range(1, round(days * DAY / TURN) + 1):
            at = number * TURN
            for due in [one for one in events if one < at]:
                self.clock.turn_to(MONDAY + at - MINUTE)
                events.pop(due)()
            self.clock.turn_to(MONDAY + at)
            done = self.home.run(*words, **variables)
            self.turns.append(Mail(at, done.stdout + done.stderr, done.returncode))

    def _line(self) -> tuple[dict[str, str], list[str]]:
        """The variables and the words of cron's line, as ``schedule cron`` prints it."""
        line = self.home.run("schedule", "cron").stdout
        typed = shlex.split(line, comments=True)[5:]
        program = next(index for index, word in enumerate(typed) if word.startswith("/"))
        variables = dict(word.split("=", 1) for word in typed[:program])
        words = typed[program + 1 :]
        assert words[-1] == "retry-failed", line
        return variables, words

    def mail(self) -> list[Mail]:
        """What cron would have mailed: it mails whatever is said."""
        return [one for one in self.turns if one.said]

    def notices(self) -> list[dict[str, Any]]:
        text = self._got.read_text() if self._got.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def story(self, days: int) -> dict[float, Callable[[], None]]:
        """What happens in a week, or in its short form of two days, by the time."""
        hours = {7: (30, 78, 105, 110), 2: (6, 36, 42, 44)}[days]
        what = (self.dies, self.lives, self.revoked, self.given_back)
        return {hour * HOUR: one for hour, one in zip(hours, what, strict=True)}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--days", type=int, choices=(2, 7), default=7)
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="albumup-week-") as folder:
        week = Week(Path(folder))
        with week.begun():
            week.run(given.days)
        for mail in week.mail():
            print(mail)
        for notice in week.notices():
            at = datetime.fromisoformat(notice["created"]).timestamp() - MONDAY
            print(when(at), json.dumps(notice))
        print(
            f"{len(week.turns)} turns, {len(week.mail())} mails, {time.monotonic() - began:.0f} s"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
