"""Bars on a terminal: what is left on its screen, whatever becomes of its window."""

import fcntl
import io
import itertools
import os
import pty
import struct
import termios
from collections.abc import Iterator

import pytest
from terminal import Window

from albumup.cli.bars import Bars, plain
from albumup.cli.layout import cells
from albumup.cli.screen import Screen
from albumup.session.rate import Rate
from albumup.uploader.events import Counts, Pause, Progress, Upload

NAMES = [
    b"IMG_4120.MOV",
    "写真_4124.HEIC".encode(),
    b"a name that is far longer than a slot has room for.jpg",
    b"e.jpg",
]


def progress(step: int, slots: int = 4, pauses: tuple[Pause, ...] = ()) -> Progress:
    uploads = [
        Upload(NAMES[n % 4], 48_400_000, min(48_400_000, step * 100_000 + n)) for n in range(slots)
    ]
    held: tuple[Upload | None, ...] = (*uploads[:-1], None if step % 2 else uploads[-1])
    return Progress(
        117 + step, 294, 1_720_000_000 + step, 4_180_000_000, step % 3 == 0, 0, 0, held, pauses
    )


class Terminal(io.StringIO):
    """A stream that leads to a terminal emulator, with a window to be changed."""

    encoding = "utf-8"  # type: ignore[assignment]

    def __init__(self, monkeypatch: pytest.MonkeyPatch, columns: int, rows: int) -> None:
        super().__init__()
        self.window = Window(columns, rows)
        self.screen = self.window.screen
        self.painted: list[tuple[int, str]] = []
        monkeypatch.delenv("COLUMNS", raising=False)
        monkeypatch.setattr(
            os,
            "get_terminal_size",
            lambda _: os.terminal_size((self.screen.columns, self.screen.lines)),
        )

    def write(self, text: str) -> int:
        self.painted.append((self.screen.columns, text))
        self.window.feed(text.replace("\n", "\r\n"))
        return len(text)

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2

    def resize(self, columns: int, rows: int, *, breaks_anew: bool) -> None:
        """As some terminals do it: what is too wide is cut. Or as others: it is broken anew, and
        the cursor keeps its place in the text."""
        if not breaks_anew:
            self.screen.resize(rows, columns)
            return
        below = "\n".join(self.lines()[self.screen.cursor.y :]).rstrip("\n").split("\n")
        self.screen.resize(rows, columns)
        broken = list(itertools.chain.from_iterable(_broken(line, columns) for line in below))
        self.window.feed("\r\033[J" + "\r\n".join(broken) + "\033[A" * (len(broken) - 1) + "\r")

    def lines(self) -> list[str]:
        return self.window.rows()

    def said(self) -> list[str]:
        """All lines that are there, also those that have left the window at its top."""
        return self.window.lines()


def _read(leader: int, mark: bytes, times: int) -> bytes:
    found = b""
    while found.count(mark) < times:
        found += os.read(leader, 1 << 16)
    return found


def _broken(line: str, width: int) -> Iterator[str]:
    piece = ""
    for letter in line:
        if cells(piece + letter) > width:
            yield piece
            piece = ""
        piece += letter
    yield piece


@pytest.mark.parametrize("breaks_anew", [False, True], ids=["cut", "broken anew"])
@pytest.mark.parametrize(
    "widths", [(80, 40, 120), (120, 20, 80), (80, 79, 78), (40, 100, 20), (20, 21, 20)], ids=str
)
def test_a_window_that_changes_leaves_no_broken_bars(
    monkeypatch: pytest.MonkeyPatch, widths: tuple[int, ...], breaks_anew: bool
) -> None:
    terminal = Terminal(monkeypatch, widths[0], 48)
    bars = Bars(terminal)
    said = []
    for step, width in enumerate(widths * 2):
        if step:
            terminal.resize(width, 48, breaks_anew=breaks_anew)
        said.append(f"said {step}")
        bars.show(progress(2 * step), "trip", Rate())
        bars.write(said[-1])
        bars.show(progress(2 * step), "trip", Rate())
        shown = [line for line in terminal.lines() if line]
        assert shown[: len(said)] == said
        assert len(shown) == len(said) + 5
        assert all(cells(line) < width for line in shown)
    bars.close()
    assert terminal.said() == said


@pytest.mark.parametrize("rows", [1, 2, 3, 5])
@pytest.mark.parametrize("slots", [1, 4, 64])
def test_a_low_window_shows_what_it_has_room_for(
    monkeypatch: pytest.MonkeyPatch, rows: int, slots: int
) -> None:
    terminal = Terminal(monkeypatch, 80, rows)
    bars = Bars(terminal)
    for step in range(5):
        bars.show(progress(step, slots), "trip", Rate())
        bars.write(f"said {step}")
        assert sum("trip" in line for line in terminal.lines()) == 1
        assert terminal.screen.cursor.x == 0
    bars.close()
    assert terminal.said() == [f"said {step}" for step in range(5)]


@pytest.mark.parametrize("columns", [2, 3, 5, 9, 14, 19, 20, 25, 33, 40, 57, 79, 80, 99, 130])
@pytest.mark.parametrize("title", ["trip", "写真" * 20, "an album of a name that is long " * 2])
def test_each_painted_line_is_narrower_than_the_window(
    monkeypatch: pytest.MonkeyPatch, columns: int, title: str
) -> None:
    terminal = Terminal(monkeypatch, columns, 24)
    bars = Bars(terminal)
    pause = Pause("club", "503 Service Unavailable 日本語", 10.0, 290.0)
    for found in (progress(0), progress(3), progress(4, pauses=(pause,))):
        rate = Rate()
        rate.note(0.0, 0)
        rate.note(5.0, 40_000_000)
        bars.show(found, title, rate)
        assert all(cells(line) < columns for line in terminal.lines())
        if columns >= 20:
            assert f"{found.photos_done}/294" in terminal.lines()[0] or columns < 40
        if columns >= 80:
            assert "41% |" in terminal.lines()[0]


def test_a_window_that_narrows_while_it_is_painted_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal(monkeypatch, 80, 24)
    bars = Bars(terminal)
    terminal.screen.resize(24, 50)
    monkeypatch.setattr(
        os, "get_terminal_size", lambda _: os.terminal_size((80, 24))
    )  # as it was a moment ago
    bars.show(progress(0), "trip", Rate())
    assert terminal.screen.cursor.y == 0
    bars.close()
    assert terminal.said() == []


def test_a_job_in_the_background_paints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch, 80, 24)
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    in_front = [os.getpgrp()]
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: in_front[0])
    screen = Screen(quiet=False, verbose=0, progress="auto", color="never")
    screen.show(progress(0), "trip")
    assert len([line for line in terminal.lines() if "%" in line]) == 5
    in_front[0] += 1
    painted = len(terminal.painted)
    screen.show(progress(2), "trip")
    assert len(terminal.painted) == painted
    screen.say("trip: said")
    assert terminal.painted[painted:] == [(80, "trip: said"), (80, "\n")]
    in_front[0] -= 1
    screen.show(progress(4), "trip")
    assert "trip 121/294" in "\n".join(terminal.lines())


def test_a_terminal_that_has_only_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch, 80, 24)
    terminal.encoding = "ascii"
    bars = Bars(terminal)
    bars.show(progress(4), "写真", Rate())
    shown = [line for line in terminal.lines() if line]
    assert all(line.isascii() and len(line) < 80 for line in shown)
    assert "/>=" in shown[0]


def test_copying_and_sending_each_have_their_own_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """``--spool``: a card is read at 60 MB/s, for seven seconds; then all is sent at 8 MB/s."""
    terminal = Terminal(monkeypatch, 80, 24)
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    now = [0.0]
    monkeypatch.setattr("albumup.cli.screen.time.monotonic", lambda: now[0])
    screen = Screen(quiet=False, verbose=0, progress="bar", color="never")
    counts = Counts(unprepared=210, spool_left=420_000_000)

    def shown(sent: int) -> str:
        found = (
            0,
            210,
            sent,
            420_000_000,
            not counts.unprepared,
            counts.spooled_bytes,
            counts.spool_total,
        )
        screen.show(Progress(*found, (), ()), "trip")
        return terminal.lines()[0]

    for step in range(70):
        now[0] = step / 10
        counts.spooled_bytes = step * 6_000_000
        if step == 69:  # some are in the journal, others are not yet
            counts.spool_journaled, counts.spool_left = 60_000_000, 360_000_000
        line = shown(0)
    assert "copying 414M/420M 60MB/s; 0/" in line
    counts.spooled_bytes = counts.spool_journaled = 420_000_000
    counts.unprepared = counts.spool_left = 0
    for step in range(70, 91):
        now[0] = step / 10
        line = shown((step - 69) * 800_000)
    assert "16.8M/420M 8MB/s ETA 00:50" in line


def test_a_real_terminal_is_read_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The size comes from the terminal itself, not from a signal that may be another's."""
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w", encoding="utf-8") as stream:
        monkeypatch.delenv("COLUMNS", raising=False)
        monkeypatch.setattr("sys.stderr", stream)
        monkeypatch.setenv("TERM", "xterm")
        screen = Screen(quiet=False, verbose=0, progress="auto", color="never")
        window = Window(100, 24)
        for columns in (100, 30, 80):
            fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            window.resize(columns, 24)
            screen.show(progress(2), "trip")
            screen.say("trip: a sentence of so many words that thirty columns are not enough")
            window.feed(_read(leader, b"\033[?7h", 2))
            assert all(cells(line) <= columns for line in window.rows())
        screen.end_bars()
        window.feed(_read(leader, b"\0338", 1))
        left = [row for row in window.rows() if row]
        assert not any("%" in line for line in left)
        assert len(left) == 5
    os.close(leader)


def test_uploads_of_one_name_are_told_apart_by_their_folders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal(monkeypatch, 80, 24)
    names = (b"/c/100/A.JPG", b"/c/101/A.JPG", b"/c/101/B.JPG")
    uploads = tuple(Upload(name, 100, 50) for name in names)
    Bars(terminal).show(Progress(0, 3, 0, 300, True, 0, 0, uploads, ()), "trip", Rate())
    assert [line.split()[0] for line in terminal.lines()[1:4]] == [
        "100/A.JPG",
        "101/A.JPG",
        "B.JPG",
    ]


@pytest.mark.parametrize(
    ("gives_up", "said"), [(290.0, "paused, gives up in 04:50"), (0.0, "paused")]
)
def test_a_pause_says_when_it_is_given_up_where_there_is_patience(
    monkeypatch: pytest.MonkeyPatch, gives_up: float, said: str
) -> None:
    terminal = Terminal(monkeypatch, 120, 24)
    paused = progress(4, pauses=(Pause("club", "busy", 10.0, gives_up),))
    Bars(terminal).show(paused, "trip", Rate())
    assert terminal.lines()[0].rstrip().endswith(f"| {said}: busy")
    assert (", gives up in" in plain(paused, "trip", Rate())) == (gives_up > 0)


def test_the_rate_begins_anew_with_other_albums() -> None:
    rate = Rate()
    rate.note(0.0, 1_000, "2 albums")
    rate.note(5.0, 9_000, "2 albums")
    for now in (5.1, 6.0):
        rate.note(now, 2_000, "trip")
    assert rate.value() is None, "there was no second to judge by"
    rate.note(7.1, 4_000, "trip")
    assert rate.value() == pytest.approx(1_000)
