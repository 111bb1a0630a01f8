"""The log as a standard stream: whatever is printed becomes lines, fit to be read on a terminal."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from albumup.cli.background import LogTeller
from albumup.cli.log_stream import LogStream
from albumup.cli.screen import Screen
from albumup.config import known_secrets
from albumup.session.log import Log
from albumup.session.parent_line import Begun, ChildLine, ParentLine
from albumup.uploader.options import RunEnd

TOKEN = "not-a-real-token-4711"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db.log"


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture
def stream(path: Path, heard: list[str]) -> Iterator[LogStream]:
    log = Log(str(path))
    yield LogStream(log, heard.append)
    log.close()


def words(path: Path) -> list[str]:
    return [line.partition("] ")[2] for line in path.read_text().splitlines()]


def test_a_line_is_one_however_it_was_written(
    path: Path, stream: LogStream, heard: list[str]
) -> None:
    print("one", 2, file=stream)
    print("half", end="", file=stream)
    stream.flush()
    print(" and half", file=stream)
    stream.writelines(["a\n", "b\nc"])
    assert words(path) == heard == ["one 2", "half and half", "a", "b"]


def test_threads_do_not_mix_their_lines(path: Path, stream: LogStream) -> None:
    print("mine", end="", file=stream)
    other = threading.Thread(target=print, args=("other",), kwargs={"file": stream})
    other.start()
    other.join()
    print(" too", file=stream)
    assert words(path) == ["other", "mine too"]


def test_nothing_in_it_moves_a_terminal(path: Path, stream: LogStream) -> None:
    print("IMG\x1b[2J\r.JPG", file=stream)
    assert words(path) == ["IMG\\x1b[2J\\x0d.JPG"]


def test_what_never_ends_is_cut(path: Path, stream: LogStream) -> None:
    stream.write("x" * 100_000)
    assert words(path) == ["x" * 100_000]


def test_a_traceback_and_what_a_library_prints_hold_no_token(
    path: Path, stream: LogStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_secrets, "_known", set())
    known_secrets.know(TOKEN)
    monkeypatch.setattr(sys, "stderr", stream)
    try:
        raise ValueError(f"Invalid header value b'Bearer {TOKEN}'")
    except ValueError:
        traceback.print_exc()
    click.echo(f"GET https://photos.example.org/api?key={TOKEN}", err=True)

    def fail() -> None:
        raise RuntimeError(f'form-data; name="key" {TOKEN}')

    thread = threading.Thread(target=fail)
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    thread.start()
    thread.join()
    said = path.read_text()
    assert TOKEN not in said
    assert said.count("********") == 3
    assert said.count("Traceback (most recent call last):") == 2


@pytest.mark.parametrize(("code", "is_told"), [(0, True), (3, True), (4, False), (75, False)])
def test_a_run_that_was_too_short_to_be_seen_has_begun_if_it_came_to_something(
    stream: LogStream, code: int, is_told: bool
) -> None:
    line = ChildLine()
    parent = ParentLine(line.theirs)
    ends: list[int] = []
    app = SimpleNamespace(journal="", screen=None)
    conclusion = SimpleNamespace(app=app, ended=lambda end: ends.append(end.exit_code))
    teller = LogTeller(conclusion, stream.log, parent)  # type: ignore[arg-type]
    teller.ended(RunEnd(code, 1, {}, {}, {}, None, 0.01))
    parent.close()
    assert list(line.hear(1.0)) == ([Begun()] if is_told else [])
    assert ends == [code]
    line.close()


def test_a_screen_says_there_what_it_has_to_say(
    path: Path, stream: LogStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    screen = Screen(quiet=False, verbose=0, progress="auto", color="auto")
    screen.never_wait()
    screen.say("x " * 100)
    assert not screen.is_terminal
    assert words(path) == ["x " * 100]
