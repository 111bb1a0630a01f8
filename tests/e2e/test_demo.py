"""The demo, as a person sees it on a terminal of 80 columns."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import struct
import subprocess
import termios

import pyte
import pytest

from .conftest import COMMAND, PATIENCE, Home


def seen(home: Home, *words: str, columns: int = 80) -> tuple[int, list[str]]:
    """The exit code, and the lines that stay on the terminal, those that left it at its top too."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [*COMMAND, *words],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env=home.env,
        cwd=home.folder,
    )
    os.close(theirs)
    screen = pyte.HistoryScreen(columns, 24, history=1000)
    stream = pyte.ByteStream(screen)
    with contextlib.suppress(OSError):  # the terminal's end
        while piece := os.read(ours, 1 << 16):
            stream.feed(piece)
    os.close(ours)
    code = process.wait(PATIENCE)
    gone = ["".join(row[x].data for x in range(columns)) for row in screen.history.top]
    return code, [line.rstrip() for line in (*gone, *screen.display)]


@pytest.mark.long
def test_the_demo_leaves_no_bars_and_its_sizes_agree(home: Home) -> None:
    code, lines = seen(home, "demo")
    text = "\n".join(lines)
    assert code == 0, text
    assert not re.search(r"%.*\|", text), text  # the killed command's bars are gone, too
    assert "\n\nKilled\n\n" in text
    assert max(map(len, lines)) <= 80
    (queued,) = re.findall(r"8 photos queued \((.*?)\)", text)
    left = re.findall(r"^trip .* (\S+ k?B) +now$", text, re.MULTILINE)
    (resumed,) = re.findall(r"3 photos left, (.*)", text)
    sent, again = re.findall(r"sent in .*? \((.*?),", text)
    (rejected,) = re.findall(r"^rejected +(\S+ kB)", text, re.MULTILINE)
    assert resumed == sent
    assert again == rejected
    assert left[1] == "0 B"
    assert _kilobytes(left[0]) == pytest.approx(_kilobytes(sent) + _kilobytes(again), abs=0.11)
    assert _kilobytes(queued) > _kilobytes(left[0])


def _kilobytes(shown: str) -> float:
    number, unit = shown.split()
    assert unit == "kB"
    return float(number)
