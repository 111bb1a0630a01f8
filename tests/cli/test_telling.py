"""What is said while albums are sent, on a screen that only keeps it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from test_bars import progress

from albumup.cli.bars import asked
from albumup.cli.stop import _sentence
from albumup.cli.telling import Teller, lines_of
from albumup.journal.flight import Upload
from albumup.session.rate import Rate
from albumup.session.stopping import Finishing
from albumup.session.telling import Stopping, TakenOver
from albumup.uploader.events import Pause, Regulated
from albumup.uploader.options import Draining


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


@pytest.mark.parametrize(("count", "named"), [(3, "a, b, c: "), (4, "a, b, c and 1 more: ")])
def test_uploads_that_are_cut_are_named_or_counted(count: int, named: str) -> None:
    cutting = tuple((b"/t/" + b"abcd"[one : one + 1], 1000) for one in range(count))
    (line,) = lines_of(Stopping(Draining((), cutting), is_interrupt=True))
    total = f"{count}.0 kB to send again"
    assert line == f"Cutting {count} uploads ({named}{total}). Ctrl-C again leaves at once."


@pytest.mark.parametrize(
    ("count", "words"), [(1, "1 upload (0: 1 B) in flight has"), (2, "(0, 1: 2 B) in flight have")]
)
def test_one_upload_has_ended_and_two_have(count: int, words: str) -> None:
    uploads = [Upload(b"/t/%d" % number, 1) for number in range(count)]
    said = _sentence(Finishing(uploads), "albumup stop --now", is_now=False)
    assert f"{words} ended. To cut: albumup stop --now" in said
