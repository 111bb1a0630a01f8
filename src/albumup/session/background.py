"""Starts an uploader in the background: a process of its own that outlives its terminal.

The command that starts it returns when the uploader holds the lock, or has handed its albums over
to a running one. It also waits until all photos that are copied first are on this disk.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from albumup.errors import LocalError
from albumup.journal import runs
from albumup.journal.copies import ToCopy
from albumup.journal.journal import Journal
from albumup.journal.lock import is_locked
from albumup.journal.opening import paths_of
from albumup.session.aside import aside
from albumup.session.copying import Copying
from albumup.session.handed_tokens import handed
from albumup.session.log import open_to_append
from albumup.session.parent_line import Begun, ChildLine, Handed, Message, Said, Settled
from albumup.session.signals import Handlers
from albumup.uploader.events import Progress

_POLL = 0.1
_REST = 10
"""The rest after a look at the journal is so many times as long as the look."""
_FILES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables that name files; they become absolute, as the working directory changes."""


class Order(Struct, frozen=True):
    """The task of an uploader in the background. ``words``: the options of its command."""

    journal: str
    """An absolute path."""
    config: str
    """An absolute path; "" for the default file."""
    album_ids: Sequence[int]
    words: Sequence[str] = ()


class Uploading(Struct, frozen=True):
    """Process ``pid`` uploads the albums; ``is_new``: it was started for them.

    ``log_fault``: why it cannot write its log, or "". ``uncopied``: photos that could not be copied
    because their root is away, with the reason. ``changed``, ``ignored``: see ``Handed``. ``heir``:
    the process that goes on when that one ends early, or 0.
    """

    pid: int
    is_new: bool
    log_fault: str = ""
    uncopied: Sequence[tuple[ToCopy, str]] = ()
    changed: str = ""
    ignored: Sequence[str] = ()
    heir: int = 0


class NothingLeft(Struct, frozen=True):
    """Another process has sent everything meanwhile."""


class Ended(Struct, frozen=True):
    """The uploader, or the one that it handed over to, has ended before its work was done.

    ``said``: its last words, which may be none.
    """

    exit_code: int
    said: Sequence[str]


class Left(Struct, frozen=True):
    """A signal has ended the wait.

    Process ``pid``, if there is one, goes on. ``is_copying``: some photos are not copied yet.
    """

    pid: int
    exit_code: int
    is_copying: bool


class Stopped(Struct, frozen=True):
    """The albums were put on hold before all of their photos were copied."""


Outcome = Uploading | NothingLeft | Ended | Left | Stopped


class Waiting(Protocol):
    """Shows the progress while a command waits for an uploader in the background."""

    def show(self, progress: Progress, albums: Iterable[str]) -> None: ...

    def end_show(self) -> None: ...

    def copied(self, photos: int) -> None:
        """Note that all photos that can be copied are copied, durably."""


class Start:
    """One start of an uploader in the background, for queued albums."""

    def __init__(self, journal: Journal, order: Order, waiting: Waiting) -> None:
        self._journal, self._order, self._waiting = journal, order, waiting
        self._signals: list[int] = []
        self._said: list[str] = []

    def run(self) -> Outcome:
        """Start the uploader, and wait until its fate is clear. Raises LocalError if that fails."""
        with Handlers(self._signals):
            return aside(self._run, meanwhile=self._watch)

    def _watch(self) -> None:
        """End the command at a second signal, even if a disk hangs; the uploader goes on."""
        if len(self._signals) > 1:
            os._exit(128 + self._signals[0])

    def _run(self) -> Outcome:
        copying = Copying(self._journal, self._order.album_ids)
        with closing(ChildLine()) as line:
            process = self._started(line)
            while not self._signals and not line.is_over:
                for message in line.hear(_POLL):
                    found = self._understood(message, process.pid)
                    if isinstance(found, Uploading) and copying.is_needed:
                        return self._copied(found, line, process, copying)
                    if found is not None:
                        return found
            if self._signals:
                return Left(process.pid, 128 + self._signals[0], copying.is_needed)
            return self._ended(process)

    def _started(self, line: ChildLine) -> subprocess.Popen[bytes]:
        try:
            return start(self._order, line)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise LocalError(
                f"no process could be started in the background: {sys.executable or 'python'}:"
                f" {why}",
                "everything waits; upload here: albumup resume",
            ) from error
        finally:
            line.hand_over()

    def _understood(self, message: Message, pid: int) -> Uploading | NothingLeft | None:
        match message:
            case Said(text):
                self._said.append(text)
            case Begun(log_fault):
                return Uploading(pid, True, log_fault)
            case Handed(other, changed, ignored, inherits):
                heir = pid if inherits else 0
                return Uploading(other, False, changed=changed, ignored=ignored, heir=heir)
            case Settled():
                return NothingLeft()
        return None

    def _ended(self, process: subprocess.Popen[bytes]) -> Ended | Left:
        while process.poll() is None:
            if self._signals:
                return Left(process.pid, 128 + self._signals[0], False)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_POLL)
        code = process.returncode
        if code < 0:
            self._said.append(f"The process in the background was ended by {_named(-code)}")
        elif not self._said:
            self._said.append("The process in the background has ended at once; see: albumup log")
        return Ended(code if code >= 0 else 1, self._said)

    # Copies.

    def _copied(
        self, found: Uploading, line: ChildLine, process: subprocess.Popen[bytes], copying: Copying
    ) -> Outcome:
        """Wait until no photo is left that can be copied; return the outcome."""
        outcome: Outcome | None = None
        while not copying.look() and outcome is None:
            began = time.monotonic()
            if self._signals:
                outcome = Left(found.pid, 128 + self._signals[0], True)
            elif not self._is_on(line):
                outcome = self._ended(process) if found.is_new else Ended(self._exit_code(), ())
            elif self._are_on_hold():
                outcome = Stopped()
            self._waiting.show(copying.progress(), copying.albums())
            self._rest(line, max(_POLL, _REST * (time.monotonic() - began)))
        self._waiting.end_show()
        if outcome is not None:
            return outcome
        if not copying.left and (count := copying.copied()) > 0:
            self._waiting.copied(count)
        gone = [(one, copying.away[one.root.path]) for one in copying.left]
        return replace(found, uncopied=gone)

    def _rest(self, line: ChildLine, seconds: float) -> None:
        if line.is_over:
            time.sleep(seconds)
        self._said += [one.text for one in line.hear(seconds) if isinstance(one, Said)]

    def _is_on(self, line: ChildLine) -> bool:
        """Whether the uploader still runs.

        Its line is open until all is copied; for another process's uploader the lock tells.
        """
        return not line.is_over or is_locked(paths_of(self._journal.path)["lock"])

    def _are_on_hold(self) -> bool:
        known = {album.id: album for album in runs.albums(self._journal)}
        return all(known[one].held for one in self._order.album_ids if one in known)

    def _exit_code(self) -> int:
        last = runs.last(self._journal)
        return (last.exit if last is not None else None) or 1


def start(order: Order, line: ChildLine) -> subprocess.Popen[bytes]:
    """Start the uploader with this interpreter and this albumup. Raises OSError, ValueError."""
    if not sys.executable:
        raise ValueError("the path of the interpreter is unknown")
    try:
        output = open_to_append(paths_of(order.journal)["log"])
    except OSError:
        output = os.open(os.devnull, os.O_WRONLY)  # the uploader itself reports that it has no log
    tokens = handed()
    try:
        return subprocess.Popen(
            _command(order, line.theirs),
            stdin=tokens,
            stdout=output,
            stderr=output,
            env=_environment(),
            start_new_session=True,
            pass_fds=[line.theirs],
        )
    finally:
        os.close(output)
        os.close(tokens)


def _command(order: Order, line: int) -> list[str]:
    """The uploader's command line.

    -P keeps modules in the working directory out, which may be a folder of photos.
    """
    config = ["--config", order.config] if order.config else []
    albums = [word for one in order.album_ids for word in ("--album-id", str(one))]
    return [
        *(sys.executable, "-P", "-m", "albumup", "--journal", order.journal, *config),
        *("resume", "--in-background", str(line), *albums, *order.words),
    ]


def _environment() -> dict[str, str]:
    environment = dict(os.environ)
    for name in _FILES:
        if environment.get(name):
            environment[name] = os.path.abspath(environment[name])
    return environment


def leave_terminal() -> None:
    """Detach this process from its terminal, and from the folder in which it was started."""
    os.chdir("/")
    os.umask(0o077)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _named(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
