"""The command on a terminal, whose window is changed while it paints."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import subprocess
import termios
from collections.abc import Callable

import pyte
import pytest
import zygote
from servers import FormServer, answer

from .conftest import PATIENCE, Home, finish, until

pytestmark = pytest.mark.process

_ROWS = 24


class Window:
    """A terminal with its emulator, and a command that runs there."""

    def __init__(self, home: Home, columns: int, *words: str) -> None:
        self._ours, theirs = os.openpty()
        self.screen = pyte.HistoryScreen(columns, _ROWS, history=1000)
        self._stream = pyte.ByteStream(self.screen)
        self.resize(columns)
        self.process = zygote.Started(
            list(words),
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            env=home.env,
            cwd=home.folder,
        )
        os.close(theirs)

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, columns, 0, 0))
        self.screen.resize(_ROWS, columns)

    def lines(self) -> list[str]:
        gone = ["".join(row[x].data for x in sorted(row)) for row in self.screen.history.top]
        return [line.rstrip() for line in (*gone, *self.screen.display) if line.strip()]

    def until(self, is_so: Callable[[], bool]) -> None:
        """Read on until something is seen; the test's time-out ends what never comes."""
        while not is_so():
            self._stream.feed(os.read(self._ours, 1 << 16))

    def close(self) -> int:
        """Read to the end; the exit code."""
        with contextlib.suppress(OSError):  # the terminal's end
            self.until(lambda: False)
        os.close(self._ours)
        return self.process.wait(PATIENCE)


def test_a_window_that_is_narrowed_during_a_push_leaves_no_broken_bars(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    home.photos(3)
    server.may_answer.clear()
    window = Window(home, 100, "push", "trip", "-j2")
    window.until(lambda: "IMG_1.JPG" in window.lines()[-1] if window.lines() else False)
    for columns in (40, 20, 120):
        window.resize(columns)
        width = min(columns, 80) - 1
        window.until(lambda width=width: _is_painted(window.lines(), width))  # type: ignore[misc]
    server.may_answer.set()
    assert window.close() == 0
    lines = window.lines()
    assert not [line for line in lines if "%" in line or "|" in line], lines
    assert lines[-1].startswith("trip: 3 of 3 sent in ")
    assert home.sql("select watched from run") == [(1,)]


def _is_painted(lines: list[str], width: int) -> bool:
    """Is there one line for the run and one for the upload, with bars that fill the width, or too
    narrow for bars?"""
    bars = [line for line in lines if "%" in line]
    fits = len(bars) == 2 and all(len(line) <= width for line in bars)
    return fits and (len(bars[0]) == width if width > 30 else "|" not in bars[0])


def test_a_list_of_nothing_says_so_where_somebody_looks(home: Home) -> None:
    window = Window(home, 80, "list", "--state", "failed", "--state", "in_doubt")
    assert window.close() == 0
    assert window.lines() == ["no photo that is failed or in doubt (~/state/albumup/journal.db)"]
    done = home.run("list")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_list_of_one_kind_of_failure_names_the_others_that_there_are(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    server.answer = lambda one: answer(413 if one.filename == "IMG_2.JPG" else 200, {})
    assert home.run("push", home.photos(3)).returncode == 3
    window = Window(home, 80, "list", "trip", "--state", "failed")
    assert window.close() == 0
    late, _, *lines = window.lines()
    assert late.startswith("trip: finished ")
    assert lines == [
        "no photo that is failed (~/state/albumup/journal.db)",
        "Others did not get there: albumup list trip --state rejected",
    ]
    window = Window(home, 80, "list", "trip", "--state", "pending")
    assert window.close() == 0
    assert window.lines() == ["no photo that is pending (~/state/albumup/journal.db)"]


@pytest.mark.long
def test_retry_failed_that_hands_over_says_so_where_somebody_looks(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    home.photos(2)
    server.may_answer.clear()
    first = home.start("push", "trip")
    until(lambda: server.ledger)
    window = Window(home, 80, "retry-failed")
    assert window.close() == 0
    assert window.lines() == [
        f"Process {first.pid} is uploading, and has these photos too: albumup watch"
    ]
    off_it = home.run("retry-failed")
    assert (off_it.returncode, off_it.stderr) == (0, "")
    server.may_answer.set()
    assert finish(first).returncode == 0


def test_the_bare_command_says_where_things_stand_and_what_to_type_next(
    home: Home, server: FormServer
) -> None:
    def said() -> list[str]:
        window = Window(home, 80)
        assert window.close() == 0
        return window.lines()

    last = "    (all commands: albumup --help)"
    assert said() == [
        "nothing to do (~/state/albumup/journal.db)",
        f"Next: albumup push FOLDER{last}",
    ]
    home.form(server)
    server.answer = lambda one: answer(413 if one.filename == "IMG_2.JPG" else 401, {})
    home.run("push", home.photos(3), "-j1")
    assert said()[-1] == f"Next: albumup resume{last}"
    server.answer = lambda one: answer(413 if one.filename == "IMG_2.JPG" else 200, {})
    home.run("resume")
    late, command, head, line, after = said()
    assert late.startswith("trip: finished ")
    assert late.endswith(" ago: 2 photos sent, 1 not. Again:")
    assert command.strip() == "albumup retry-failed trip --rejected"
    assert head.split()[:3] == ["ALBUM", "TARGET", "STATE"]
    assert line.split()[:4] == ["trip", "club", "settled", "2/3"]
    assert after == f"Next: albumup retry-failed trip --rejected{last}"
    home.run("cancel", "trip")
    assert said()[-1] == f"Next: albumup push FOLDER{last}"
    off_it = home.run()
    assert (off_it.returncode, off_it.stdout) == (2, "")
    assert off_it.stderr.startswith("Usage: albumup ")


def test_on_a_terminal_photos_of_several_albums_stand_under_their_albums(home: Home) -> None:
    for album in ("first", "second"):
        home.run("push", home.photos(1), "--album", album)
    window = Window(home, 100, "list")
    window.close()
    assert [line for line in window.lines() if "--target" in line] == [
        "first, --target inbox:",
        "second, --target inbox:",
    ]
    window = Window(home, 100, "list", "second")
    window.close()
    assert not [line for line in window.lines() if "--target" in line]
