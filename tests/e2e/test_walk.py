"""A photo walks from the command to the wire and back as docs/design.md shows it."""

from __future__ import annotations

import os
import re
import sys
import threading
from pathlib import Path
from types import FrameType

from servers import FormServer

import albumup

from .conftest import Home

DESIGN = Path(__file__).parents[2] / "docs" / "design.md"
SOURCES = os.path.dirname(albumup.__file__) + os.sep
HOP = re.compile(r"^ {4,}([A-Za-z_.]+) +([a-z_]+(?:/[a-z_]+)*\.py) {2,}\S", re.MULTILINE)
MOST_HOPS = 40


def hops() -> list[tuple[str, str]]:
    """The file and the name of each hop."""
    text = DESIGN.read_text().partition("## The walk of a photo")[2].partition("\n## ")[0]
    found = [(file, name) for name, file in HOP.findall(text)]
    assert len(found) == len(re.findall(r"^ {4,}\S", text, re.MULTILINE)), (
        "each line of the picture is read"
    )
    return found


def test_each_hop_of_the_walk_is_made_and_they_are_few(home: Home, server: FormServer) -> None:
    called: set[tuple[str, str]] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(SOURCES):
            called.add(
                (code.co_filename.removeprefix(SOURCES), code.co_qualname.removesuffix(".__init__"))
            )

    home.form(server)
    photos = home.photos(100)  # those of the first handful show what their folder is like
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        done = home.run("push", photos, "--target", "club")
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    assert done.returncode == 0, done.stderr
    assert [hop for hop in hops() if hop not in called] == []
    assert 30 < len(hops()) <= MOST_HOPS
