"""The uploader in the background, as ``--detach`` starts it. All its output goes into its log."""

from __future__ import annotations

import math
import sqlite3
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from signal import Signals

from albumup import __version__
from albumup.cli import sums
from albumup.cli.app import App
from albumup.cli.conclusion import Conclusion
from albumup.cli.escaping import escape, tame
from albumup.cli.figures import size, span
from albumup.cli.log_stream import LogStream
from albumup.cli.pace import pace
from albumup.cli.sending import options_of
from albumup.cli.telling import Teller, lines_of
from albumup.cli.titles import title_of, verb_of
from albumup.cli.typed import ResumeOptions
from albumup.cli.words import shown_name
from albumup.errors import AlbumupError, LocalError, UsageError
from albumup.journal import copies, runs
from albumup.journal.journal import Journal
from albumup.journal.opening import open_reader, paths_of
from albumup.journal.rows import Album
from albumup.journal.states import DONE
from albumup.journal.summary import Summary, summaries
from albumup.session.background import leave_terminal
from albumup.session.handed_tokens import take as take_tokens
from albumup.session.log import Log
from albumup.session.parent_line import Begun, Handed, ParentLine, Settled
from albumup.session.sending import Session
from albumup.session.telling import HandedOver, Standing, Word
from albumup.uploader.events import Event, Progress, Recorded, Spooled
from albumup.uploader.options import Options, RunEnd

_LOOK = 5.0
"""Seconds between two looks for albums that have settled."""


def run(app: App, line: int, given: ResumeOptions) -> int:
    """Send the given albums, or hand them over to a running uploader; return the exit code.

    ``line``: the descriptor of the line to the parent.
    """
    app.writes = app.is_in_background = True
    try:
        parent = ParentLine(line)
    except OSError:
        raise UsageError("--in-background is for albumup itself", "type --detach") from None
    leave_terminal()
    take_tokens()
    log = Log(paths_of(app.journal)["log"], also=(1, 2))
    sys.stdout = sys.stderr = LogStream(log, parent.say)
    try:
        code = _sent(app, log, parent, given)
    except AlbumupError as error:
        log.line(
            f"Ends (exit {error.exit_code}):"
        )  # the error's words follow: all commands end alike
        raise
    except (OSError, sqlite3.Error):
        log.line(f"Ends (exit {LocalError.exit_code}):")
        raise
    except Exception:
        log.line(tame(traceback.format_exc().rstrip("\n")))
        raise
    except BaseException as error:
        log.line(f"Ends before it has begun: {type(error).__name__.strip('_')}")
        raise
    log.line(f"Ended (exit {code}).")
    return code


def _sent(app: App, log: Log, parent: ParentLine, given: ResumeOptions) -> int:
    options = options_of(app, given, spool_dir=given["spool_dir"], in_background=True)
    journal = app.writer()
    meant = [album for album in runs.albums(journal) if album.id in given["album_ids"]]
    log.line(_first_line(journal, meant, options))
    conclusion = Conclusion(app, journal, {album.id: album.name for album in meant})
    teller = LogTeller(conclusion, log, parent)
    session = Session(journal, conclusion.album_ids, options, app, teller, hands_over=True)
    return session.run_if_needed()


def _first_line(journal: Journal, albums: Sequence[Album], options: Options) -> str:
    """The first line of an upload in the log, clear enough for a reader a week later."""
    named = ", ".join(title_of(journal, album) for album in albums)
    rate = options.shown["limit_rate"]
    limit = f", --limit-rate {escape(rate)}" if rate else ""
    return (
        f"albumup {__version__} begins: {named}; --jobs {options.jobs},"
        f" --retries {options.retries}, --patience {span(options.patience)}{limit}"
    )


class SettledAlbums:
    """Finds the albums that have settled while others go on.

    It has its own connection to the journal, because the run's connection belongs to the run.
    """

    def __init__(
        self,
        journal: str,
        verb_of: Callable[[sqlite3.Connection, Album], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``verb_of``: "sent", or "copied"."""
        self._journal, self._verb_of, self._clock = journal, verb_of, clock
        self._unfinished: set[int] = set()
        self._looked = -math.inf

    def lines(self) -> list[str]:
        """A line for each album that has settled since the last look, which is some seconds old."""
        if self._clock() < self._looked + _LOOK:
            return []
        self._looked = self._clock()
        try:
            connection = open_reader(self._journal)
            if connection is None:
                return []
            with closing(connection):
                return list(self._settled(connection))
        except (AlbumupError, sqlite3.Error):
            return []  # the run itself reports the error

    def _settled(self, connection: sqlite3.Connection) -> Iterator[str]:
        found = summaries(connection)
        before, self._unfinished = self._unfinished, _unfinished(found)
        for one in found:
            if one.album.id in before - self._unfinished:
                words = sums.of_standing(one, self._verb_of(connection, one.album))
                yield f"{shown_name(one.album.name)}: settled, {words}"


def _unfinished(found: Iterable[Summary]) -> set[int]:
    return {one.album.id for one in found if one.is_unfinished}


class LogTeller(Teller):
    """The audience of a session in the background: the log, and at first the parent."""

    def __init__(self, conclusion: Conclusion, log: Log, parent: ParentLine) -> None:
        super().__init__(conclusion)
        self._log, self._parent, app = log, parent, conclusion.app
        self._is_copying = False
        """The parent waits until the photos are copied."""
        self._settled = SettledAlbums(app.journal, partial(verb_of, configs=app))

    def begin(self, standing: Standing) -> None:
        super().begin(standing)
        meant = self._conclusion
        self._is_copying = bool(copies.to_come(meant.journal, meant.album_ids))

    def show(self, progress: Progress, albums: Iterable[str]) -> None:
        super().show(progress, albums)
        for line in self._settled.lines():
            self._log.line(line)

    def begun(self) -> None:
        self._log.may_rotate = True
        self._tell_begun()
        if not self._is_copying:
            self._parent.close()

    def heard(self, number: int) -> None:
        self._log.line(f"Stops: {Signals(number).name}")

    def hear(self, event: Event) -> None:
        super().hear(event)
        match event:
            case Recorded(path=path, state=state, size=count) if state in DONE:
                if self._screen.verbose:
                    self._log.line(f"  {self._conclusion.names.of(path)}  {state}, {size(count)}")
            case Spooled():
                self._parent.close()

    def say(self, word: Word) -> None:
        if not isinstance(word, HandedOver):
            super().say(word)
            return
        how = pace(word.changed or {}), tuple(word.ignored), word.inherits
        self._parent.tell(Handed(word.pid, *how))
        for line in lines_of(word):
            self._screen.say(line)

    def nothing_to_send(self) -> int:
        self._parent.tell(Settled())
        return super().nothing_to_send()

    def ended(self, end: RunEnd) -> int:
        if end.exit_code in (0, 3):  # the run has begun, however short it was
            self._tell_begun()
        return super().ended(end)

    def _tell_begun(self) -> None:
        self._parent.tell(Begun(self._log.fault))
