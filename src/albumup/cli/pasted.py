"""Commands to type, with the journal and the config file that a bare command would not find.

A command is composed and journaled without them, as nobody knows yet where it will be typed. Who
shows it completes it for its readers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Literal

from albumup.cli.commands import COMMANDS
from albumup.photos.file_names import quoted

Place = Literal["journal", "config"]
"""A file that an option of this name gives."""
_WITHOUT = frozenset({"receive", "demo", "help", "version"})
"""The commands that use no journal of their reader."""


def completed(text: str, options: str) -> str:
    """A text whose commands to type have ``options``, unless they name a journal already."""
    if not options:
        return text
    from albumup.cli.layout import TYPED

    return TYPED.sub(lambda found: _completed(found, options), text)


def _completed(found: re.Match[str], options: str) -> str:
    program, _, rest = found[0].partition(" ")
    name = rest.partition(" ")[0]
    if program != "albumup" or name not in COMMANDS or name in _WITHOUT:
        return found[0]
    return f"{program} {options} {rest}"


def options_of(named: Mapping[Place, str | None], usual: Mapping[Place, str]) -> str:
    """The options of commands to type; "" if they need none.

    ``named`` has the paths that this command was given, ``usual`` those that a command without
    options uses.
    """
    words = []
    for name, path in named.items():
        if path and _absolute(path) != _absolute(usual[name]):
            words += [f"--{name}", _absolute(path)]
    return " ".join(map(quoted, words))


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))
