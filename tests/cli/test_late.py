"""The first lines of a command: what nobody was told."""

from __future__ import annotations

import contextlib
import io
import sqlite3
import time
from pathlib import Path

import pytest

from albumup.cli.app import App
from albumup.cli.late import line_of, tell_late
from albumup.journal import notices, opening
from albumup.journal.connecting import is_connected
from albumup.journal.journal import Journal
from albumup.journal.notices import Cause, Message, Notice
from albumup.journal.opening import open_for_a_word
from albumup.session import late
from albumup.session.late import Late


class Terminal(io.StringIO):
    """A terminal that vanishes once it has got some lines."""

    def __init__(self, lines: int) -> None:
        self.left = lines
        super().__init__()

    def write(self, text: str) -> int:
        if not self.left:
            raise OSError(5, "Input/output error")
        self.left -= text.count("\n")
        return super().write(text)

    def isatty(self) -> bool:
        return True


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A journal with notices of three targets that do not work."""
    journal = Journal(str(tmp_path / "journal.db"))
    with journal.transaction():
        for name in "abc":
            message = Message(exit=75, words=f"{name} has not worked for 24 h")
            notices.owe(journal, Cause.UNREACHABLE, message, target=name)
    journal.close()
    return str(tmp_path / "journal.db")


def told(path: str, monkeypatch: pytest.MonkeyPatch, lines: int = 99) -> list[str]:
    """What a terminal gets until it vanishes: the names."""
    terminal = Terminal(lines)
    monkeypatch.setattr("sys.stderr", terminal)
    tell_late(App({"journal": path}))
    return [line.split(": ")[1].split()[0] for line in terminal.getvalue().splitlines()]


def test_what_a_terminal_that_vanished_did_not_get_is_told_later(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert told(path, monkeypatch, 1) == ["a"]
    assert told(path, monkeypatch, 0) == []
    assert told(path, monkeypatch) == ["b", "c"]
    assert told(path, monkeypatch) == []


class Crowded(Terminal):
    """A terminal on which another process looks, too, at each line."""

    def __init__(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(99)
        self.others: list[str] = []
        self._path, self._patch = path, monkeypatch

    def write(self, text: str) -> int:
        if text.strip():
            with self._patch.context() as patch:
                patch.setattr("os.getpid", lambda: 1)
                patch.setattr("sys.stderr", other := Terminal(99))
                tell_late(App({"journal": self._path}))
            self.others.append(other.getvalue())
        return super().write(text)


def test_what_one_terminal_is_being_told_no_other_is(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Crowded(path, monkeypatch)
    monkeypatch.setattr("sys.stderr", terminal)
    tell_late(App({"journal": path}))
    assert len(terminal.getvalue().splitlines()) == 3
    assert terminal.others == [""] * 3
    assert told(path, monkeypatch) == []


def test_whoever_cannot_claim_them_leaves_those_that_another_has_claimed(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had to wait too long for the other one's commits."""
    claimed = []

    def busy(journal: str, patience: float) -> sqlite3.Connection | None:
        connection = open_for_a_word(journal, patience)
        if not claimed and connection is not None:
            with contextlib.closing(connection):
                claimed.append(notices.claim_to_say(connection, time.time(), 1, [2]))
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(late, "open_for_a_word", busy)
    assert told(path, monkeypatch) == ["a", "c"]
    assert claimed == [{2}]


@pytest.mark.parametrize("is_readable", [True, False])
def test_what_cannot_be_claimed_is_told_all_the_same(
    path: str, monkeypatch: pytest.MonkeyPatch, is_readable: bool
) -> None:
    """On a disk that is read-only, or full: SQLite needs room to read, too."""
    real, opened = opening.open_reader, []

    def cannot_be_written(_: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    def open_reader(journal: str) -> sqlite3.Connection | None:
        opened.append(is_connected(journal))
        if opened[1:] and not is_readable:
            raise sqlite3.OperationalError("unable to open database file")
        return real(journal)

    monkeypatch.setattr(opening, "_set_up", cannot_be_written)
    monkeypatch.setattr(late, "open_reader", open_reader)
    assert told(path, monkeypatch) == ["a", "b", "c"]
    assert opened == [False, False], "the failed connection is closed"


def test_where_nothing_is_known_nothing_is_said_or_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("missing.db", "."):
        assert told(str(tmp_path / place), monkeypatch) == []
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    assert told(str(tmp_path / "photo.jpg"), monkeypatch) == []
    assert [one.name for one in tmp_path.iterdir()] == ["photo.jpg"]


@pytest.mark.parametrize("verb", ["sent", "copied"])
def test_a_late_notice_says_what_happened_to_the_photos(verb: str) -> None:
    message = Message(album="trip", counts={"uploaded": 3}, words=f"3 photos {verb}")
    notice = Notice(1, "key", Cause.SETTLED, 1, "inbox", 0.0, message, "")
    assert line_of(Late(notice), 60.0) == f"trip: finished 1 min ago: 3 photos {verb}"


@pytest.mark.parametrize("verb", ["sent", "copied"])
def test_an_albums_name_says_nothing_about_its_photos(verb: str) -> None:
    words = f"copied: 3 photos {verb}"
    message = Message(album="copied", counts={"uploaded": 3}, words=words)
    notice = Notice(1, "key", Cause.SETTLED, 1, "club", 0.0, message, "")
    assert line_of(Late(notice), 60.0) == f"copied: finished 1 min ago: 3 photos {verb}"
