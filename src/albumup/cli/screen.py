"""The output of a command: messages, bars, data; all through :mod:`albumup.cli.gate`.

Data goes to stdout, everything else to stderr. Only the caller's thread paints.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import IO, TYPE_CHECKING, cast

from albumup.cli import layout
from albumup.cli.bars import ERASE, Bars, asked, plain
from albumup.cli.escaping import json_line, tame
from albumup.cli.gate import Own
from albumup.cli.outlet import Outlet
from albumup.cli.tables import table
from albumup.errors import LocalError
from albumup.session.rate import Rate

if TYPE_CHECKING:
    from albumup.uploader.events import Progress

_PLAIN_SECONDS = 30.0
_READ_SECONDS = 1.0
"""Seconds that a terminal may take to show closing words; a stopped one shows nothing."""
_LAG = 1 << 14
"""The most bytes that a terminal may lag behind while bars are painted."""
_MOST_AT_ONCE = 256
"""The most lines of data in one write."""
_COLOURS = {"red": "31", "yellow": "33", "green": "32", "bold": "1", "dim": "2"}


class Screen:
    """The messages and bars of a command."""

    def __init__(
        self,
        *,
        quiet: bool,
        verbose: int,
        progress: str,
        color: str,
        completed: Callable[[str], str] = str,
    ) -> None:
        """``completed``: completes the commands to type in a sentence."""
        self.quiet = quiet
        self._completed = completed
        self.verbose = verbose
        self._err = Own(sys.stderr)
        self.is_terminal = self._err.isatty()
        """A person reads the output now."""
        is_terminal = self.is_terminal and os.environ.get("TERM") != "dumb"
        self.tells_news_only = not self.is_terminal and not verbose
        """Nobody reads the output now, so nothing is told that was told before."""
        self.progress = progress
        if progress == "auto":
            off_bars = "plain" if self.is_terminal else "none"
            self.progress = "bar" if is_terminal else off_bars
        self._is_asked_for = progress == "bar"
        if quiet:
            self.progress = "none"
        wanted = color == "always" or (
            color == "auto" and is_terminal and not os.environ.get("NO_COLOR")
        )
        self._color = wanted
        self._bars: Bars | None = None
        self._outlet: Outlet | None = None
        self._plain_at = 0.0
        self._rate, self._copying = Rate(), Rate()

    def say(self, text: str, color: str = "") -> None:
        """Write one sentence to stderr, whatever characters are in it; nothing under ``-q``."""
        if not self.quiet:
            self._write(self.paint(self._broken(text), color))

    def complain(self, text: str) -> None:
        """Write a sentence also under ``-q``."""
        self._write(self._broken(text))

    def takes(self, text: str) -> bool:
        """Write a sentence also under ``-q``; return False if the terminal has gone."""
        return self._write(self._broken(text))

    def _broken(self, text: str) -> str:
        return layout.broken(self._completed(text), cast(IO[str], self._err))

    def paint(self, text: str, color: str) -> str:
        return f"\033[{_COLOURS[color]}m{text}\033[0m" if color and self._color else text

    def _write(self, text: str) -> bool:
        try:
            if self._bars is not None:
                self._bars.write(text)
            else:
                print(text, file=self._err, flush=True)
        except OSError:
            return False  # the terminal has gone, but the work goes on
        return True

    def show(self, progress: Progress, title: str) -> None:
        """Paint the bars, or write a line every half minute, or do nothing."""
        if self._outlet is not None and self._outlet.backlog > _LAG:
            return  # nobody is looking
        now = time.monotonic()
        self._rate.note(now, progress.bytes_done, title)
        if self.progress == "bar" and not self._is_in_front():
            self._bars = None  # now a shell's prompt stands there, or another command's words
        elif self.progress == "bar":
            self._copying.note(now, progress.spooled_bytes)
            try:
                if self._bars is None:
                    self._bars = Bars(cast(IO[str], self._err))
                self._bars.show(progress, title, self._rate, self._copying)
            except OSError:
                self.progress = "none"
        elif self.progress == "plain" and now >= self._plain_at:
            self._plain_at = now + _PLAIN_SECONDS
            self._write(self._broken(plain(progress, title, self._rate)))

    @property
    def is_lost(self) -> bool:
        """Whether nobody reads the messages any more."""
        return self._outlet is not None and self._outlet.fault is not None

    def report(self, progress: Progress, title: str) -> None:
        """Write a line about the progress, for a user who has asked; also under ``-q``."""
        self.complain(asked(progress, title, self._rate))

    def _is_in_front(self) -> bool:
        """Whether this command is in the terminal's foreground, or bars were asked for."""
        if self._is_asked_for:
            return True
        try:
            return os.tcgetpgrp(self._err.fileno()) == os.getpgrp()
        except (OSError, ValueError):  # as far as can be told, it is nobody's terminal
            return True

    def never_wait(self) -> None:
        """From now on let no message wait for the terminal, which may be stopped (Ctrl-S)."""
        if self._outlet is not None:
            return
        try:
            self._err.flush()
            self._outlet = Outlet(self._err.fileno())
        except (OSError, ValueError):  # there is no such stream, so messages go nowhere
            return
        self._err = Own(cast(IO[str], _Stream(self._outlet, sys.stderr)))

    def wait_again(self, gives_up: Callable[[], bool] = lambda: False) -> bool:
        """Wait until all messages are out; return False as soon as ``gives_up()`` is true."""
        if self._outlet is None:
            return True
        if not self._outlet.wait(gives_up):
            return False
        self._outlet.close()
        self._outlet, self._err = None, Own(sys.stderr)
        return True

    def has_read(self, gives_up: Callable[[], bool]) -> bool:
        """Whether the terminal has got all messages; waits a moment, or until ``gives_up()``."""
        if self._outlet is None:
            return True
        until = time.monotonic() + _READ_SECONDS
        is_out = self._outlet.wait(lambda: gives_up() or time.monotonic() >= until)
        return is_out and self._outlet.fault is None

    def abandon(self) -> None:
        """Drop the messages that are not out yet: somebody wants an end, and nobody reads them."""
        self._outlet = None

    def end_bars(self) -> None:
        if self._bars is not None:
            with contextlib.suppress(OSError):  # the terminal has gone
                self._bars.close()
            self._bars = None

    def wipe_bars(self) -> None:
        """Erase the bars that a killed process has left here."""
        if self.progress == "bar":
            self._err.write(ERASE)
            self._err.flush()


class _Stream:
    """An outlet as the stream that ``print`` and the bars need.

    A text goes out whole at ``flush``: an event on stdout must not come before a line's end.
    """

    def __init__(self, outlet: Outlet, stream: IO[str]) -> None:
        self._outlet, self._stream = outlet, stream
        self._written: list[str] = []
        self.encoding: str = getattr(stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        if self._outlet.fault is not None:
            raise self._outlet.fault  # the terminal has gone, which the bars need to know
        self._written.append(text)
        return len(text)

    def flush(self) -> None:
        """Hand over what was written to the outlet's thread."""
        text, self._written = "".join(self._written), []
        self._outlet.put(text.encode(self.encoding, "backslashreplace"))

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


def put(
    text: str, *, flush: bool = True, under: int | None = None, whole: Sequence[str] = ()
) -> None:
    """Print lines of data, broken at words on a terminal. Raises BrokenPipeError, LocalError.

    ``under``, ``whole``: as in :func:`albumup.cli.layout.wrapped`.
    """
    lines = layout.wrapped(tame(text), layout.columns_of(sys.stdout), under=under, whole=whole)
    put_raw(f"{lines}\n".encode(sys.stdout.encoding or "utf-8", "backslashreplace"))
    if flush:
        put_flush()


def put_table(
    headers: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    cut: Collection[str] = (),
    broken: Sequence[str] = (),
) -> None:
    """Print a table: ``table`` fits it to a terminal. Raises the errors of ``put``."""
    put(table(headers, rows, layout.columns_of(sys.stdout), cut, broken))


def put_lines(lines: Iterable[str]) -> int:
    """Print many lines of data unbroken, so not for a terminal; return their number.

    Raises the errors of ``put``.
    """
    encoding = sys.stdout.encoding or "utf-8"
    return put_pieces(f"{tame(line)}\n".encode(encoding, "backslashreplace") for line in lines)


def put_pieces(pieces: Iterable[bytes]) -> int:
    """Print many pieces of data, the first at once, then more and more together.

    Returns their number. Raises the errors of ``put``.
    """
    left, count, at_once = iter(pieces), 0, 1
    while some := list(islice(left, at_once)):
        put_raw(b"".join(some))
        put_flush()
        count += len(some)
        at_once = min(2 * at_once, _MOST_AT_ONCE)
    return count


def put_json(value: object) -> None:
    """Print a value as a line of JSON. Raises the errors of ``put``."""
    put_raw(json_line(value))
    put_flush()


def put_raw(data: bytes) -> None:
    """Write data to stdout as it is, without a flush, for ``-0`` and for text that is fit already.

    Raises the errors of ``put``.
    """
    with _stdout_faults():
        sys.stdout.buffer.write(data)


def put_flush() -> None:
    """Flush stdout. Raises the errors of ``put``."""
    with _stdout_faults():
        sys.stdout.buffer.flush()


@contextlib.contextmanager
def _stdout_faults() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise LocalError(f"stdout: {error.strerror or error}") from error
