"""The blocks of a document that show a screen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
INTERRUPT = "^C"
_MARKER = re.compile(r"<!-- screen: ([a-z0-9-]+) -->")


@dataclass(frozen=True)
class Block:
    """Lines ``start`` to ``end`` (exclusive, from 0) of a page. ``name`` is None where no marker
    stands above."""

    page: Path
    name: str | None
    start: int
    end: int
    indent: str
    lines: tuple[str, ...]
    """Without the indent."""

    @property
    def commands(self) -> list[str]:
        """What is typed, with its comments; what ends with a backslash goes on in the next line.

        ``^C`` first ends what was left running.
        """
        found: list[str] = []
        for line in self.lines:
            if found and found[-1].endswith("\\"):
                found[-1] += "\n" + line
            elif line.startswith("$ ") or (line == INTERRUPT and not found):
                found.append(line.removeprefix("$ "))
        return found


def pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """Those with something typed in them, indented by four or fenced."""
    return [block for block in _all(page, page.read_text().splitlines()) if block.commands]


def _all(page: Path, lines: list[str]) -> Iterator[Block]:
    number = 0
    while number < len(lines):
        start = number
        if lines[number].startswith("```"):
            while number + 1 < len(lines) and lines[number + 1] != "```":
                number += 1
            yield _block(page, lines, start + 1, number + 1, start, "")
            number += 2
        elif lines[number].startswith("    "):
            while number < len(lines) and (lines[number].startswith("    ") or not lines[number]):
                number += 1
            end = number
            while not lines[end - 1]:
                end -= 1
            yield _block(page, lines, start, end, start, "    ")
        else:
            number += 1


def _block(page: Path, lines: list[str], start: int, end: int, top: int, indent: str) -> Block:
    above = next((line for line in reversed(lines[:top]) if line), "")
    found = _MARKER.fullmatch(above)
    inside = tuple(line.removeprefix(indent) for line in lines[start:end])
    return Block(page, found[1] if found else None, start, end, indent, inside)


def written(block: Block, lines: list[str]) -> None:
    """Put other lines in a block's place."""
    old = block.page.read_text().splitlines()
    new = [(block.indent + line).rstrip() for line in lines]
    block.page.write_text("\n".join([*old[: block.start], *new, *old[block.end :]]) + "\n")
