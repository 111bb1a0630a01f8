"""What every command shares: the global options, and where the journal and the config are."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypedDict, TypeVar

import click

from albumup import __version__
from albumup.cli.help import GENERAL, OneOf, option

if TYPE_CHECKING:
    import sqlite3

    from albumup.cli.outlet import Outlet
    from albumup.cli.screen import Screen
    from albumup.config.file import Config
    from albumup.journal.journal import Journal

F = TypeVar("F", bound=Callable[..., object])


class GlobalOptions(TypedDict, total=False):
    """What was typed before or after a command, of what all of them take."""

    journal: str
    config: str
    quiet: bool
    verbose: int
    progress: str
    color: str


@dataclass(slots=True)
class App:
    """The global options, wherever on the line they stood, and what is made of them when first
    wanted."""

    options: GlobalOptions = field(default_factory=GlobalOptions)
    makes_config: bool = False
    """The command writes the config file, so that the one that is named need not exist yet."""
    writes: bool = False
    """The command has the journal open for writing: it is the one to set a damaged one aside."""
    _screen: Screen | None = None
    _events: Outlet | None = None
    _config: Config | None = None
    _opened: list[Journal | sqlite3.Connection] = field(default_factory=list)
    """Whatever the journal was opened by."""

    @property
    def journal(self) -> str:
        """The journal's path, absolute and without links: its locks stand beside it, whatever it
        was called by."""
        named = self.options.get("journal") or os.environ.get("ALBUMUP_JOURNAL")
        if named:
            return os.path.realpath(os.path.expanduser(named))
        from platformdirs import user_state_dir

        return os.path.realpath(
            os.path.join(user_state_dir("albumup", appauthor=False), "journal.db")
        )

    @property
    def screen(self) -> Screen:
        if self._screen is None:
            from albumup.cli.screen import Screen

            self._screen = Screen(
                quiet=bool(self.options.get("quiet")),
                verbose=int(self.options.get("verbose") or 0),
                progress=self.options.get("progress") or "auto",
                color=self.options.get("color") or "auto",
            )
        return self._screen

    @property
    def config(self) -> Config:
        """The config file, read once. Raises ConfigError."""
        if self._config is None:
            self._config = self._read_config()
        return self._config

    def _read_config(self) -> Config:
        from albumup.config.file import load

        named = self.options.get("config") or os.environ.get("ALBUMUP_CONFIG") or None
        return load(named, may_be_missing=self.makes_config)

    @property
    def events(self) -> Outlet:
        """Stdout, for what is told while photos are sent."""
        if self._events is None:
            from albumup.cli.outlet import Outlet

            sys.stdout.flush()
            self._events = Outlet(sys.stdout.fileno())
        return self._events

    def tell(self, event: Mapping[str, object]) -> None:
        """An event as a line of JSON on stdout; whoever does not read it holds nobody up."""
        from albumup.cli.escaping import json_line

        self.events.put(json_line(event))

    def abandon(self) -> None:
        """Leave what was told and is not out: somebody wants us gone, and nobody reads it."""
        self._events = None
        self.screen.abandon()

    def let_out(self) -> None:
        """Wait until all that was said is out, so that it stands before the last word."""
        if self._screen is not None:
            self._screen.wait_again()

    def finish(self) -> None:
        """Wait until all that was said and told is out. Raises LocalError where it cannot be
        written."""
        self.let_out()
        if self._events is None:
            return
        self._events.wait()
        self._events.close()
        fault = self._events.fault
        if fault is not None and not isinstance(fault, BrokenPipeError):
            from albumup.errors import LocalError

            raise LocalError(f"stdout: {fault.strerror or fault}") from fault

    def read_config_again(self) -> None:
        """It may have been edited meanwhile. Raises ConfigError, and stays as it was."""
        self._config = self._read_config()

    def has_journal(self) -> bool:
        """Is there a journal, or at least something in its place?"""
        try:
            return os.path.getsize(self.journal) > 0
        except OSError:
            return False

    def writer(self) -> Journal:
        """The journal to write to, made when missing. Raises ConfigError, LocalError, TryLater,
        UsageError."""
        from albumup.journal.journal import Journal

        if not self.has_journal():
            self._look_at_place()
        self.writes = True
        journal = Journal(self.journal)
        self._opened.append(journal)
        return journal

    def close(self) -> None:
        """Close the journal where the command has left that to us: what waits beside it is then
        part of it."""
        import sqlite3

        for journal in self._opened:
            with suppress(sqlite3.Error):
                journal.close()

    def _look_at_place(self) -> None:
        """A new journal is not made on another disk than was meant, one that is not mounted now."""
        from albumup.disk import missing_disk, unmounted
        from albumup.errors import TryLater, UsageError
        from albumup.photos.file_names import quoted

        folder = os.path.dirname(self.journal)
        if place := unmounted(folder):
            raise TryLater(
                f"{place} is not mounted, and the journal is to be {self.journal}",
                f"mount {quoted(place)}",
            )
        if place := missing_disk(folder):
            words = f"{self.journal}: there is no folder {place}; is its disk mounted?"
            raise UsageError(words, f"mount it, or: mkdir -p {quoted(folder)}; then try again")

    def watched(self) -> Journal | None:
        """The journal to look at again and again, while others write to it; None when there is
        none yet. Raises ConfigError, LocalError."""
        from albumup.journal.journal import Journal
        from albumup.journal.lock import is_locked
        from albumup.journal.opening import is_a_copy, journal_gone, paths_of

        is_used = is_locked(paths_of(self.journal)["lock"])
        reader = self.reader(stays=True)
        if reader is None and is_used:
            raise journal_gone(self.journal)
        if reader is None:
            return None
        if is_used and is_a_copy(reader):
            from albumup.errors import LocalError

            words = f"{self.journal}: an older albumup is still uploading from it"
            raise LocalError(words, "wait for its end, then try again")
        return Journal(self.journal, reader=reader)

    def reader(self, *, stays: bool = False) -> sqlite3.Connection | None:
        """A read-only connection to the journal; None when there is none yet. ``stays``: it sees
        what others write later, too."""
        from albumup.journal.opening import open_reader

        connection = open_reader(self.journal, stays=stays)
        if connection is not None:
            self._opened.append(connection)
        return connection


def _version(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"albumup {__version__}")
        context.exit()


def _keep(context: click.Context, parameter: click.Parameter, value: object) -> None:
    """Store a global option; one after the command wins over one before it."""
    app = context.ensure_object(App)
    given = context.get_parameter_source(parameter.name or "")
    if given is not click.core.ParameterSource.DEFAULT:
        app.options[parameter.name] = value  # type: ignore[literal-required]  # each is named so below


_general = partial(option, group=GENERAL, expose_value=False)
_GLOBAL = (
    _general(
        "--journal", metavar="FILE", callback=_keep, help="The journal to use (ALBUMUP_JOURNAL)."
    ),
    _general(
        "--config", metavar="FILE", callback=_keep, help="The config file to use (ALBUMUP_CONFIG)."
    ),
    _general("-q", "--quiet", is_flag=True, callback=_keep, help="Say only what went wrong."),
    _general("-v", "--verbose", count=True, callback=_keep, help="Say more."),
    _general(
        "--progress",
        type=OneOf(["auto", "bar", "plain", "none"]),
        callback=_keep,
        metavar="HOW",
        help="auto, bar, plain (a line every half minute) or none.",
    ),
    _general(
        "-V",
        "--version",
        is_flag=True,
        is_eager=True,
        callback=_version,
        help="Show the version and exit.",
    ),
    _general(
        "--color",
        type=OneOf(["auto", "always", "never"]),
        callback=_keep,
        metavar="WHEN",
        help="Use colours: auto, always or never.",
    ),
)


def shared(command: F) -> F:
    """Add the global options, so that they may stand before and after the command."""
    for add in reversed(_GLOBAL):
        command = add(command)
    return command


pass_app = click.make_pass_decorator(App, ensure=True)
