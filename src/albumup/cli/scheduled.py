"""The command that a schedule runs: read as if it were typed now, but not run."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from typing import NamedTuple, NoReturn, cast

import click

from albumup.cli.app import App
from albumup.cli.destination import wanted
from albumup.cli.help import no_such_option
from albumup.cli.push import filters_of, listed
from albumup.cli.sending import options_of
from albumup.cli.typed import PushOptions
from albumup.config.from_options import target_from_options
from albumup.errors import ConfigError, UsageError
from albumup.photos.scan import read_list
from albumup.session import queueing
from albumup.session.destination import kept_in, name_of
from albumup.session.scheduling import COMMANDS, tokens
from albumup.targets.registry import table_of

_PATHS = frozenset({"files_from", "spool_dir", "token_file"})
_ELSEWHERE = frozenset({"journal", "config"})
"""Options that a schedule keeps apart from the command's words."""
_SENSELESS = {
    "--help": "it only shows the help",
    "--version": "it only shows the version",
    "--dry-run": "it sends nothing",
    "--detach": "a schedule runs it in the background already",
}
"""Options that make no sense in a schedule, with the reason."""


class Given(PushOptions, total=False):
    """The parameters of a push, or of another command that can be scheduled."""

    paths: tuple[str, ...]
    albums: tuple[str, ...]
    every: bool


class Scheduled(NamedTuple):
    """A command that was read. ``app``: holds the command's own global options."""

    name: str
    words: tuple[str, ...]
    given: Given
    app: App


def read(words: Sequence[str], app: App) -> Scheduled:
    """Read a command line. ``app``: holds the options of ``albumup schedule`` itself.

    Raises albumup's and click's UsageError for a command that could not run.
    """
    own = App(options={**app.options})
    cli = click.get_current_context().find_root().command
    assert isinstance(cli, click.Group)
    outer = cli.context_class(cli, info_name="albumup", obj=own, **cli.context_settings)
    before, rest = _typed(cli, outer, words)
    if not rest:
        raise UsageError("no command to schedule", f"there are: {', '.join(COMMANDS)}")
    name, command, rest = cli.resolve_command(outer, rest)
    if name is None or command is None or name not in COMMANDS:
        raise UsageError(
            f"albumup {name} makes no sense in a schedule",
            f"these do: {', '.join(COMMANDS)}",
        )
    cli.make_context("albumup", list(words), obj=own)  # keeps the options before the command
    after, _ = _typed(command, command.context_class(command, info_name=name, parent=outer), rest)
    context = command.make_context(name, rest, parent=outer)
    typed = [*_rendered(cli, before), *_rendered(command, after)]
    return Scheduled(name, (name, *typed), cast(Given, context.params), own)


def check(command: Scheduled) -> list[str]:
    """Check a command as far as possible now; return the targets that it uses.

    Raises the error that the command would end with. Raises ConfigError also if a target takes its
    token from a variable.
    """
    app, given = command.app, command.given
    options_of(app, given, spool_dir=given.get("spool_dir"))
    with ExitStack() as stack:
        connection = app.reader()
        if connection is not None:
            stack.enter_context(closing(connection))
        if command.name == "push":
            targets = _targets_of_push(command, connection)
        else:
            targets = tokens.targets_of(connection, app.config, given["albums"], given["target"])
        tokens.check(connection, app.config, targets)
    return targets


def _targets_of_push(command: Scheduled, connection: sqlite3.Connection | None) -> list[str]:
    given = command.given
    paths = listed(given["files_from"])
    roots = queueing.roots_of([_absolute(path) for path in given["paths"]], paths)
    if paths is not None and not all(map(os.path.isabs, read_list(paths))):
        raise UsageError(
            f"--files-from {given['files_from']}: a path in it is relative",
            "a schedule starts in another folder: write the paths from / on",
        )
    album = queueing.album_of(given["album"], roots)
    filters_of(given)
    place = wanted(album, given)
    if place.by_url is None:
        config = command.app.config
        name, _ = name_of(connection, config, place)
        table_of(name, config, kept_in(connection))
        return [name]
    target_from_options(place.by_url)
    if (variable := given["token_env"]) is not None:
        raise ConfigError(
            f"--token-env {variable}: only your shell has that variable",
            "name a file that holds the token: --token-file FILE",
        )
    return []


def _typed(
    command: click.Command, context: click.Context, words: Sequence[str]
) -> tuple[dict[str, object], list[str]]:
    """The typed parameters by name, and the remaining words; a group leaves its command's words."""
    try:
        typed, rest, order = command.make_parser(context).parse_args(list(words))
    except click.NoSuchOption as error:
        no_such_option(command, context, error.option_name)
    for parameter in order:
        for option in sorted(_SENSELESS.keys() & {*parameter.opts}):
            _refuse(option, _SENSELESS[option])
    if typed.get("files_from") == "-":
        _refuse("--files-from -", "nobody writes into it")
    names = [parameter.name or "" for parameter in order]
    return {name: typed[name] for name in names if not _is_absent(typed[name])}, rest


def _is_absent(value: object) -> bool:
    """Whether the value is click's mark for an argument without words."""
    return not isinstance(value, int | str | list | tuple)


def _refuse(option: str, why: str) -> NoReturn:
    raise UsageError(f"{option} makes no sense in a schedule: {why}")


def _rendered(command: click.Command, typed: Mapping[str, object]) -> list[str]:
    """The typed parameters as words again, with absolute paths; arguments come last."""
    options: list[str] = []
    arguments: list[str] = []
    for parameter in command.params:
        name = parameter.name or ""
        if name not in typed or name in _ELSEWHERE:
            continue
        if isinstance(parameter, click.Option):
            options += _words_of(parameter, typed[name])
        else:
            words = cast(tuple[str, ...], typed[name])
            arguments += map(_absolute, words) if name == "paths" else words
    is_dashed = any(word.startswith("-") for word in arguments)
    return [*options, *(["--"] if is_dashed else []), *arguments]


def _words_of(option: click.Option, value: object) -> list[str]:
    name = max(option.opts, key=len)
    if isinstance(value, int):  # the value of a flag, or the number of times it was typed
        return [name] * value
    values = cast(list[str], value) if option.multiple else [str(value)]
    is_path = option.name in _PATHS
    return [word for one in values for word in (name, _absolute(one) if is_path else one)]


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))
