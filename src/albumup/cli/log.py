"""``albumup log``: prints the log of uploaders in the background, and follows it."""

from __future__ import annotations

import os
import select
import stat
import sys
import time
from contextlib import closing

from albumup.cli.app import App
from albumup.cli.escaping import escape
from albumup.cli.screen import put, put_flush
from albumup.config.file import shown
from albumup.errors import LocalError
from albumup.journal.opening import paths_of
from albumup.session.log import Reader
from albumup.session.signals import Handlers

_POLL = 0.25


def run(app: App, *, follow: bool) -> int:
    """Print the log; return the exit code.

    It is 0, or 128 and the number of the signal that ended the following. Raises LocalError.
    """
    path = paths_of(app.journal)["log"]
    heard: list[int] = []
    try:
        with closing(Reader(path)) as reader, Handlers(heard):
            for former, why in reader.faults.items():
                app.screen.complain(f"{escape(shown(former))}: {escape(why)}; left out here")
            if reader.is_empty():
                wait = ", waiting for one" if follow else ""
                app.screen.say(f"no log yet ({escape(shown(path))}){wait}; --detach writes one")
            lines = _Lines()
            while not heard:
                for piece in reader.read():
                    lines.take(piece)
                    if heard:
                        break
                put_flush()
                if not follow:
                    lines.end()
                    return 0
                if not heard and _is_left(_POLL):
                    return 0
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise LocalError(f"{shown(path)}: {error.strerror or error}") from error
    return 128 + heard[0]


class _Lines:
    """Prints whole lines on stdout."""

    def __init__(self) -> None:
        self._begun = b""

    def take(self, piece: bytes) -> None:
        *lines, self._begun = (self._begun + piece).split(b"\n")
        for line in lines:
            put(line.decode(errors="backslashreplace"), flush=False)

    def end(self) -> None:
        """Print the last line although it has no end, because none will follow."""
        if self._begun:
            self.take(b"\n")
            put_flush()


def _is_left(seconds: float) -> bool:
    """Wait; return True as soon as the reader at the other end of the pipe has gone."""
    output = sys.stdout.fileno()
    if not stat.S_ISFIFO(os.fstat(output).st_mode):
        time.sleep(seconds)
        return False
    poll = select.poll()
    poll.register(output, 0)
    return bool(poll.poll(seconds * 1000))
