"""The common part of all commands: the global options, and the places of journal and config."""

from __future__ import annotations

import os
import stat
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
    from albumup.cli.pasted import Place
    from albumup.cli.screen import Screen
    from albumup.config.file import Config
    from albumup.journal.journal import Journal

F = TypeVar("F", bound=Callable[..., object])
_VARIABLES: Mapping[Place, str] = {
    "journal": "ALBUMUP_JOURNAL",
    "config": "ALBUMUP_CONFIG",
}
"""The variables of the environment that stand for global options, by the option's name."""


class GlobalOptions(TypedDict, total=False):
    """The global options that were typed before or after a command."""

    journal: str
    config: str
    quiet: bool
    verbose: int
    progress: str
    color: str


@dataclass(slots=True)
class App:
    """The global options of a command line, and the objects that are made of them on first use."""

    options: GlobalOptions = field(default_factory=GlobalOptions)
    makes_config: bool = False
    """The command writes the config file, so a file that was named need not exist yet."""
    writes: bool = False
    """The command has the journal open for writing, so it sets a damaged journal aside."""
    command: str = ""
    """The name of the command that was typed; "" for ``albumup`` alone."""
    is_in_background: bool = False
    """The command's words go into the log."""
    _screen: Screen | None = None
    _events: Outlet | None = None
    _config: Config | None = None
    _opened: list[Journal | sqlite3.Connection] = field(default_factory=list)
    """Everything that has opened the journal."""

    @property
    def journal(self) -> str:
        """The journal's absolute path without links: its locks stand beside the real file."""
        named = self._named("journal")
        return os.path.realpath(os.path.expanduser(named)) if named else self.usual_journal()

    def _named(self, name: Place) -> str | None:
        """A path that an option or the environment gives."""
        return self.options.get(name) or os.environ.get(_VARIABLES[name]) or None

    @staticmethod
    def usual_journal() -> str:
        """The journal's path if neither an option nor the environment names one."""
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
                completed=self.completed,
            )
        return self._screen

    def completed(self, text: str) -> str:
        """A text whose commands to type name the journal and config that were typed here."""
        if self.is_in_background:
            return self.completed_elsewhere(text)
        typed = {name: self.options.get(name) for name in _VARIABLES}
        if not any(typed.values()):
            return text
        usual = {name: os.environ.get(variable) for name, variable in _VARIABLES.items()}
        return self._completed(text, typed, usual)

    def completed_elsewhere(self, text: str) -> str:
        """A text whose commands to type name the journal and config, except for the usual ones.

        Its readers have another shell: those of the log, and of notices.
        """
        return self._completed(text, {name: self._named(name) for name in _VARIABLES}, {})

    def _completed(
        self, text: str, named: Mapping[Place, str | None], usual: Mapping[Place, str | None]
    ) -> str:
        from albumup.cli.pasted import completed, options_of
        from albumup.config.file import default_path

        journal = usual.get("journal") or self.usual_journal()
        config = usual.get("config") or default_path()
        return completed(text, options_of(named, {"journal": journal, "config": config}))

    @property
    def config(self) -> Config:
        """The config file, read once. Raises ConfigError."""
        if self._config is None:
            self._config = self._read_config()
        return self._config

    def _read_config(self) -> Config:
        from albumup.config.file import load

        return load(self._named("config"), may_be_missing=self.makes_config)

    @property
    def events(self) -> Outlet:
        """The outlet to stdout, for events while photos are sent."""
        if self._events is None:
            from albumup.cli.outlet import Outlet

            sys.stdout.flush()
            self._events = Outlet(sys.stdout.fileno())
        return self._events

    def tell(self, event: Mapping[str, object]) -> None:
        """Write an event to stdout as a line of JSON; a slow reader holds nobody up."""
        from albumup.cli.escaping import json_line

        self.events.put(json_line(event))

    def abandon(self) -> None:
        """Drop the output that is not out yet: somebody wants an end, and nobody reads it."""
        self._events = None
        self.screen.abandon()

    def let_out(self) -> None:
        """Wait until all messages are out, so that they stand before the last one."""
        if self._screen is not None:
            self._screen.wait_again()

    def finish(self) -> None:
        """Wait until all messages and events are out. Raises LocalError if stdout fails."""
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
        """Read the config file anew, and so its tokens. Raises ConfigError, and then keeps the old
        config."""
        from albumup.config.token_source import ask_again

        self._config = self._read_config()
        ask_again()

    def has_journal(self) -> bool:
        """Whether there is a journal, or at least something in its place but an empty file."""
        try:
            found = os.stat(self.journal)
        except OSError:
            return False
        return found.st_size > 0 or not stat.S_ISREG(found.st_mode)

    def writer(self) -> Journal:
        """The journal, open for writing, made if there is none.

        Raises ConfigError, LocalError, TryLater, UsageError.
        """
        from albumup.journal.journal import Journal

        if not self.has_journal():
            self._look_at_place()
        self.writes = True
        journal = Journal(self.journal)
        self._opened.append(journal)
        return journal

    def close(self) -> None:
        """Close the journals that are still open, so that SQLite can merge their WAL files."""
        import sqlite3

        for journal in self._opened:
            with suppress(sqlite3.Error):
                journal.close()

    def _look_at_place(self) -> None:
        """Refuse to make a new journal below a place where a disk should be mounted, but is not.

        Raises TryLater, UsageError.
        """
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
        """The journal for repeated reading while others write to it; None if there is none yet.

        Raises ConfigError, LocalError.
        """
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
        """A read-only connection to the journal; None if there is none yet.

        ``stays``: the connection also sees later changes by others.
        """
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
    """Store a global option; one that stands after the command overrides one before it."""
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
    """Add the global options, so that they may stand before or after the command."""
    for add in reversed(_GLOBAL):
        command = add(command)
    return command


pass_app = click.make_pass_decorator(App, ensure=True)
