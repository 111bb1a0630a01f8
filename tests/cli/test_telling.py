"""What is said while albums are sent, on a screen that only keeps it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from test_bars import progress

from albumup.cli.bars import asked
from albumup.cli.telling import Teller
from albumup.session.rate import Rate
from albumup.session.telling import TakenOver
from albumup.uploader.events import Pause, Regulated


class Screen:
    def __init__(self) -> None:
        self.said: list[str] = []

    def show(self, *_: object) -> None: ...

    def report(self, _: object, title: str) -> None:
        self.said.append(title)


def test_whoever_asks_gets_one_line_with_the_next_look() -> None:
    screen = Screen()
    conclusion: Any = SimpleNamespace(app=SimpleNamespace(screen=screen))
    teller = Teller(conclusion)
    teller.show(progress(1), ["trip"])
    teller.report()
    assert screen.said == []
    for _ in range(3):
        teller.show(progress(1), iter(["trip"]))
    assert screen.said == ["trip"]
    teller.report()
    teller.show(progress(1), ["trip", "more"])
    assert screen.said == ["trip", "2 albums"]


def test_the_line_says_how_long_it_takes_and_how_much_is_in_flight() -> None:
    now, rate = progress(4), Rate()
    rate.note(0.0, 1)
    rate.note(10.0, 10_000_001)
    line = asked(now, "trip", rate)
    flying = sum(upload is not None for upload in now.uploads)
    assert ", 1.0 MB/s; " in line
    assert " left; " in line
    assert line.endswith(f"; {flying} uploads in flight")
    paused = progress(4, pauses=(Pause("club", "busy", 10.0, 290.0),))
    assert " left; " not in asked(paused, "trip", rate)
    assert "paused for 10 s, gives up in 4 min 50 s: busy; " in asked(paused, "trip", rate)


def test_what_this_command_asked_for_is_said_once() -> None:
    class Said(Screen):
        def say(self, line: str) -> None:
            self.said.append(line)

    screen = Said()
    conclusion: Any = SimpleNamespace(
        app=SimpleNamespace(screen=screen), json=False, is_cron=False, names=None, titles={}
    )
    teller = Teller(conclusion)
    mine, others = Regulated(0.0, None, None, jobs=2), Regulated(0.0, None, None, jobs=3)
    teller.hear(mine)
    teller.say(TakenOver(4121, {"jobs": 2}))
    teller.hear(mine)
    teller.hear(others)
    assert screen.said == [
        "Goes on with 2 uploads at once, as another command asked.",
        "Process 4121 goes on with 2 uploads at once.",
        "Goes on with 3 uploads at once, as another command asked.",
    ]
