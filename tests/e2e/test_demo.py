"""The demo, as a person sees it on a terminal of 80 columns."""

from __future__ import annotations

import re
import subprocess

import pytest

from .conftest import COMMAND, Home


@pytest.mark.long
def test_the_demo_leaves_no_bars_and_its_sizes_agree(home: Home) -> None:
    terminal = home.at_terminal("demo", launch=COMMAND, stdin=subprocess.DEVNULL)
    code, lines = terminal.end(), [*terminal.window.screen.gone, *terminal.window.rows()]
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
