"""Make what documents take from the program: the marked parts of the pages in man/, and
completion/.

    ./dev docs

A page is written by hand, in mdoc. Between ``.\\" made: WHAT`` and ``.\\" end`` stands what the
program itself says: options, keys, views, types of files. A test holds that making it again changes
nothing.
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
MAN = ROOT / "man"
COMPLETION = {"bash": "albumup", "zsh": "_albumup", "fish": "albumup.fish"}
"""What each shell looks for, below completion/."""

_PART = re.compile(r'(\.\\" made: (.+)\n)(?:.*\n)*?(\.\\" end\n)')


def main() -> None:
    for page in pages():
        page.write_text(renewed(page.read_text()))
    for shell, name in COMPLETION.items():
        (ROOT / "completion" / name).write_text(script(shell))


def pages() -> list[Path]:
    """The pages of the manual."""
    return sorted(MAN.glob("*.[157]"))


def renewed(text: str) -> str:
    """A page with its made parts made again."""

    def part(found: re.Match[str]) -> str:
        kind, *words = found[2].split()
        lines = _MAKERS[kind](*words)
        return found[1] + "".join(f"{line}\n" for line in lines) + found[3]

    return _PART.sub(part, text)


def script(shell: str) -> str:
    """The completion for a shell, as the program prints it."""
    environment = {**os.environ, "_ALBUMUP_COMPLETE": f"{shell}_source"}
    command = [sys.executable, "-m", "albumup"]
    return subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, check=True, text=True
    ).stdout


def command_of(*names: str) -> click.Command:
    """A command by its words; the program itself without any."""
    from albumup.cli import cli

    found: click.Command = cli
    for name in names:
        assert isinstance(found, click.Group)
        next_one = found.get_command(click.Context(found), name)
        assert next_one is not None, name
        found = next_one
    return found


def options_of(*names: str) -> dict[str, list[click.Option]]:
    """The options of a command that are its own, by heading; of the program itself, those that
    every command takes."""
    from albumup.cli.help import GENERAL, grouped

    command = command_of(*names)
    found = dict(grouped(command, click.Context(command, help_option_names=["-h", "--help"])))
    return {
        heading: options for heading, options in found.items() if not names or heading != GENERAL
    }


def _options(*names: str) -> Iterator[str]:
    """The options of a command in one list."""
    yield from _listed([one for options in options_of(*names).values() for one in options])


def _groups(*names: str) -> Iterator[str]:
    """The same, in the groups that --help has."""
    for heading, options in options_of(*names).items():
        yield f".Ss {heading}"
        yield from _listed(options)


def _listed(options: Sequence[click.Option]) -> Iterator[str]:
    yield ".Bl -tag -width Ds"
    for option in options:
        yield from _option(option)
    yield ".El"


def _option(option: click.Option) -> Iterator[str]:
    names = " , ".join(f"Fl {name.removeprefix('-')}" for name in option.opts)
    yield f".It {names}{_value(option)}"
    for sentence in re.split(r"(?<=[.;:]) (?=[A-Z])", option.help or ""):
        yield prose(sentence)


def _value(option: click.Option) -> str:
    if option.is_flag or option.count:
        return ""
    if option.metavar is None and isinstance(option.type, click.Choice):
        return " Ar " + " | ".join(map(str, option.type.choices))
    name = option.metavar or (option.name or "").upper()
    return f' Ar "{prose(name)}"' if " " in name else f" Ar {prose(name)}"


def _commands() -> Iterator[str]:
    """Every command in a line, and the page that tells more."""
    yield ".Bl -tag -width retry-failed"
    group = command_of()
    assert isinstance(group, click.Group)
    for name in group.list_commands(click.Context(group)):
        yield f".It Cm {name}"
        yield prose(command_of(name).get_short_help_str(200))
        if (MAN / f"albumup-{name}.1").exists():
            yield "See"
            yield f".Xr albumup-{name} 1 ."
    yield ".El"


def _keys(kind: str) -> Iterator[str]:
    """The keys of a table of the config file: what may stand there, and what holds without."""
    yield from _table([("key", "value", "default"), *keys_of(kind)])


def keys_of(kind: str) -> list[tuple[str, str, str]]:
    """Key, value and default of ``[defaults]``, of unwatched runs ("unattended"), of every
    target ("common"), or of what a kind has besides."""
    from dataclasses import fields

    from msgspec.structs import fields as struct_fields

    from albumup.config import settings
    from albumup.config.file import Defaults
    from albumup.config.unattended import Unattended

    if kind == "unattended":
        return [
            (one.name, _UNATTENDED[one.name], _default(one.default)) for one in fields(Unattended)
        ]
    if kind == "defaults":
        of_options = {"patience": "duration", "limit_rate": "rate", "spool_dir": "folder"}
        return [
            (one.name, of_options.get(one.name, _word(str(one.type))), _default(one.default))
            for one in fields(Defaults)
            if one.name != "unattended"
        ]
    common = struct_fields(settings.CommonSettings)
    if kind == "common":
        found = tuple(one for one in common if one.name not in settings.NO_KEYS)
    else:
        known = {one.name for one in common}
        found = tuple(one for one in struct_fields(settings.FormSettings) if one.name not in known)
    return [
        (one.name, _OTHERS.get(one.name, _type(one.type)), _default(one.default)) for one in found
    ]


_UNATTENDED = {
    "on_done": "command | desktop",
    "notify": "list of URLs",
    "notify_on": "all | trouble",
    "ping": "URL",
    "tell_after": "duration",
    "may_run": "command",
    "stable_for": "duration",
}


_OTHERS = {"url": "text | list of text"}
"""Values that a field's type does not tell."""


def _type(wanted: object) -> str:
    from albumup.config.settings import choices_of

    choices = choices_of(wanted)
    return " | ".join(choices) if choices else _word(str(wanted))


_WORDS = {
    "dict": "table",
    "tuple[str": "list of text",
    "tuple": "list of statuses",
    "bool": "true | false",
    "float": "seconds",
    "int": "number",
}


def _word(name: str) -> str:
    """A type in words: a float is a number of seconds wherever it is a setting."""
    return next((word for part, word in _WORDS.items() if part in name), "text")


def _default(value: object) -> str:
    import msgspec

    if value is msgspec.NODEFAULT or value is None or value == () or value is False:
        return "false" if value is False else "\N{EM DASH}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _views() -> Iterator[str]:
    yield ".Bl -tag -width Ds"
    for view, columns in views().items():
        yield f".It Ic {view}"
        for column in columns:
            yield f".Va {column}{' ,' if column != columns[-1] else ''}"
    yield ".El"


def views() -> dict[str, Sequence[str]]:
    """The journal's public views, and the columns of each."""
    from albumup.journal.migrations import migrate

    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, 0)
    names = [
        row[0]
        for row in connection.execute(
            "select name from sqlite_master where type = 'view' order by rowid"
        )
    ]
    return {
        name: [row[1] for row in connection.execute(f"pragma table_info({name})")]
        for name in sorted(names)
    }


_SUFFIXES_WIDE = 26
"""Columns that the suffixes of one line may take."""


def _media() -> Iterator[str]:
    """The table of types by suffix and content: what is called alike and told alike stands
    together."""
    from albumup.photos.types import rows

    together: dict[tuple[str, str], list[str]] = {}
    for row in rows():
        told_by = "both" if " and " in row.told_by else row.told_by
        together.setdefault((row.words, told_by), []).extend(row.suffixes)
    lines = [("type", "suffixes", "told by")]
    for (words, told_by), suffixes in together.items():
        first, *more = textwrap.wrap(" ".join(suffixes), _SUFFIXES_WIDE)
        lines += [(words, first, told_by), *(("", line, "") for line in more)]
    yield from _table(lines)


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as they are: man and mandoc make lists of columns in ways of their own."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield ".Bd -literal -offset 2n"
    for row in rows:
        yield prose(
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        )
    yield ".Ed"


def _faults() -> Iterator[str]:
    """What ``receive --faults`` can do."""
    from albumup.receive.faults import KINDS

    yield ".Bl -tag -width lost-answer"
    for name, words in KINDS.items():
        yield f".It Cm {name}"
        yield prose(words[:1].upper() + words[1:] + ".")
    yield ".El"


def _outcomes() -> Iterator[str]:
    """What an attempt can come to."""
    from albumup.retry import Outcome

    names = [str(one) for one in Outcome]
    yield f".Cm {' , '.join(names[:-1])}"
    yield "or"
    yield f".Cm {names[-1]} ."


def prose(text: str) -> str:
    """Text as it has to be written in mdoc."""
    text = (
        text.replace("\\", "\\e")
        .replace("'", "\\(aq")
        .replace('"', "\\(dq")
        .replace("\N{EM DASH}", "\\(en")
    )
    text = re.sub(r"(?<![\w-])(--?)(?=\w)", lambda found: "\\-" * len(found[1]), text)
    return f"\\&{text}" if text.startswith(".") else text


_MAKERS: dict[str, Callable[..., Iterator[str]]] = {
    "options": _options,
    "groups": _groups,
    "commands": _commands,
    "keys": _keys,
    "views": _views,
    "faults": _faults,
    "media": _media,
    "outcomes": _outcomes,
}

if __name__ == "__main__":
    main()
