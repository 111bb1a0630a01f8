"""How a process in the background is started: seen from its command line and its environment."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from albumup.errors import LocalError
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.session import background
from albumup.session.background import Ended, Order, Start, Stopped, Uploading
from albumup.session.parent_line import Begun, ChildLine, Handed, ParentLine, Said
from albumup.uploader.events import Progress

from .conftest import MakeAlbum

ORDER = Order("/state/journal.db", "/config/albumup.toml", [3, 7], ["--jobs=2"])


def test_its_command_line_names_numbers_and_nothing_of_the_folder_it_is_typed_in() -> None:
    assert background._command(ORDER, 9) == [
        *(sys.executable, "-P", "-m", "albumup"),
        *("--journal", "/state/journal.db", "--config", "/config/albumup.toml"),
        *("resume", "--in-background", "9", "--album-id", "3", "--album-id", "7", "--jobs=2"),
    ]


def test_certificates_are_named_for_another_working_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", "ca.pem")
    monkeypatch.setenv("SSL_CERT_DIR", "/etc/certs")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    found = background._environment()
    assert found["SSL_CERT_FILE"] == str(tmp_path / "ca.pem")
    assert found["SSL_CERT_DIR"] == "/etc/certs"
    assert "REQUESTS_CA_BUNDLE" not in found
    assert found["PATH"] == os.environ["PATH"]


class Nobody:
    def show(self, progress: Progress, albums: object) -> None: ...

    def end_show(self) -> None: ...

    def copied(self, photos: int) -> None: ...


@pytest.fixture
def start(tmp_path: Path) -> Start:
    journal = Journal(str(tmp_path / "journal.db"))
    return Start(journal, Order(journal.path, "", []), Nobody())


def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A program in place of the interpreter."""
    file = tmp_path / "python"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(file))


def test_one_that_is_killed_while_it_starts(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, monkeypatch, "kill -9 $$")
    assert start.run() == Ended(1, ["The process in the background was ended by SIGKILL"])


def test_one_that_ends_with_a_code_and_words_of_its_own(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, monkeypatch, "echo a library speaks; exit 4")
    assert start.run() == Ended(
        4, ["The process in the background has ended at once; see: albumup log"]
    )
    assert Path(f"{tmp_path}/journal.db.log").read_text() == "a library speaks\n"


def test_one_that_cannot_be_run(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path))  # a folder
    with pytest.raises(LocalError, match="Permission denied") as caught:
        start.run()
    assert caught.value.hint == "everything waits; upload here: albumup resume"


# The line.


def test_what_is_told_is_heard_until_the_line_is_closed() -> None:
    line = ChildLine()
    parent = ParentLine(line.theirs)
    parent.say("x" * 10_000)
    parent.tell(Handed(41))
    parent.tell(Begun("a fault"))
    said, *others = line.hear(1.0)
    assert said == Said("x" * 500)
    assert others == [Handed(41), Begun("a fault")]
    assert list(line.hear(0.0)) == []
    assert not line.is_over
    parent.close()
    parent.tell(Begun())
    assert list(line.hear(1.0)) == []
    assert line.is_over
    line.close()


def test_a_parent_that_hears_nothing_holds_nobody_up() -> None:
    line = ChildLine()
    parent = ParentLine(line.theirs)
    for _ in range(10_000):
        parent.say("more than a pipe holds")
    line.close()


def test_a_parent_that_is_gone_is_no_trouble() -> None:
    line = ChildLine()
    parent = ParentLine(line.theirs)
    line.close()
    before = signal.getsignal(signal.SIGPIPE)
    assert before is signal.SIG_IGN
    parent.say("to nobody")
    parent.say("to nobody")


def test_no_copies_are_waited_for_of_albums_on_hold(journal: Journal, album: MakeAlbum) -> None:
    """``stop`` was typed elsewhere, and the uploader goes on with others."""
    albums = [album("trip", pending=2), album("more", pending=1)]
    looks: list[list[str]] = []

    def look() -> bool:
        on_hold = [one for one in runs.albums(journal) if one.held]
        looks.append([one.name for one in on_hold])
        with journal.transaction():
            runs.hold(journal, albums[len(on_hold) : len(on_hold) + 1], True)
        assert len(looks) < 9
        return False

    copying: Any = SimpleNamespace(look=look, progress=lambda: None, albums=list)
    line: Any = SimpleNamespace(is_over=False, hear=lambda _: [])
    process: Any = None
    starting = Start(journal, Order(journal.path, "", albums), Nobody())
    assert starting._copied(Uploading(4121, False), line, process, copying) == Stopped()
    assert looks == [[], ["trip"], ["trip", "more"]], "once both are on hold"
