"""Every screen that a document shows is what the command shows."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from .blocks import INTERRUPT, ROOT, Block, blocks, pages, written
from .front import Front
from .scenarios import LONG, SCENARIOS
from .stage import Stage

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the terminal and its processes are Linux's"
)
WRITES = bool(os.environ.get("ALBUMUP_WRITE_SCREENS"))
HOSTS = ("photos.example.org", "club.example.org")
SHOWN = [block for page in pages() for block in blocks(page)]
NAMED = list(dict.fromkeys((block.page, block.name) for block in SHOWN if block.name))


@pytest.fixture(scope="module")
def front(authority: trustme.CA, ca_file: Path) -> Iterator[Front]:
    front = Front(authority, HOSTS, str(ca_file))
    yield front
    front.close()


@pytest.fixture
def stage(front: Front) -> Iterator[Stage]:
    front.forget()
    stage = Stage(front)
    yield stage
    stage.close()


def test_every_screen_has_its_scenario_and_every_scenario_its_screen() -> None:
    unmarked = [
        f"{block.page.relative_to(ROOT)}:{block.start + 1}" for block in SHOWN if block.name is None
    ]
    assert unmarked == [], "these blocks show what nobody ran"
    assert {block.name for block in SHOWN} == set(SCENARIOS)


@pytest.mark.parametrize(
    ("page", "name"),
    [
        pytest.param(
            page, name, id=f"{page.stem}-{name}", marks=[pytest.mark.long] * (name in LONG)
        )
        for page, name in NAMED
    ],
)
def test_a_screen_is_what_the_command_shows(stage: Stage, page: Path, name: str) -> None:
    """Blocks of one name on a page are one story."""
    SCENARIOS[name](stage)
    number = 0
    while number < len(story := _story(page, name)):
        lines = _played(stage, story[number])
        if WRITES:
            written(story[number], lines)
        else:
            shown = list(story[number].lines)
            where = f"{page.relative_to(ROOT)}:{story[number].start + 1}"
            differs = "\n".join(
                difflib.unified_diff(shown, lines, where, "the command", lineterm="")
            )
            assert lines == shown, f"./dev docs writes it anew:\n{differs}"
        number += 1


def _story(page: Path, name: str) -> list[Block]:
    return [block for block in blocks(page) if block.name == name]


def _played(stage: Stage, block: Block) -> list[str]:
    """The block as it ought to be: what is typed, and what then stands there."""
    lines: list[str] = []
    for command in block.commands:
        if command == INTERRUPT:
            lines += [INTERRUPT, *stage.interrupt()]
        else:
            lines += [*f"$ {command}".splitlines(), *stage.type(command)]
    return lines
