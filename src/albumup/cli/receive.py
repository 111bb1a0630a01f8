"""``albumup receive``: the receiving server for another machine's push."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

from albumup.cli.app import App
from albumup.cli.escaping import escape
from albumup.cli.figures import counted, photos, size
from albumup.cli.typed import ReceiveOptions
from albumup.config.file import OPTIONS, shown
from albumup.config.settings import InboxSettings
from albumup.config.token_source import read_token
from albumup.errors import UsageError
from albumup.receive import is_loopback, parse_faults, serve

if TYPE_CHECKING:
    from albumup.receive import Faults, Tally


def run(app: App, folder: str, given: ReceiveOptions) -> int:
    """Receive albums into the folder DIR until Ctrl-C; return the exit code."""
    host, token_file, faults = given["host"], given["token_file"], given["faults"]
    if token_file is None and not is_loopback(host):
        raise UsageError(
            f"--host {host}: others could send to it",
            "give --token-file F, a file of mode 0600 with a long random line",
        )
    try:
        chosen = parse_faults(faults) if faults else None
    except ValueError as error:
        raise UsageError(f"--faults: {error}") from None
    token = None
    if token_file is not None:
        settings = InboxSettings(
            url="http://localhost", token_file=os.path.abspath(os.path.expanduser(token_file))
        )
        token = read_token(settings, OPTIONS, os.getcwd())

    def ready(url: str) -> None:
        app.screen.complain(
            f"Receiving into {escape(shown(os.path.abspath(folder)))} at {url}; Ctrl-C ends it."
        )
        for line in _what_to_type(url, host, token is not None):
            app.screen.complain(line)

    tally = serve(
        os.path.abspath(folder),
        host,
        given["port"],
        token,
        chosen,
        ready,
        warn=lambda line: app.screen.complain(escape(line, 1000)),
        log=(lambda line: app.screen.say(escape(line))) if app.screen.verbose else lambda _: None,
    )
    if sys.stderr.isatty():
        app.screen.say("")  # end the line that shows ^C
    for line in received(tally, chosen):
        app.screen.say(line)
    return 0


def _what_to_type(url: str, host: str, has_token: bool) -> list[str]:
    """Lines that say how to send photos here.

    0.0.0.0 and :: are no addresses to send to, so this computer's name stands for them.
    """
    if not has_token:
        return [
            "Any program on this computer can send to it; --token-file F asks for a token.",
            f"From another terminal: albumup push ./trip --url '{url}/albums/{{album}}/photos'",
        ]
    if host in ("0.0.0.0", "::"):
        url = f"http://{socket.gethostname()}:{url.rpartition(':')[2]}"
    return [f"On the other machine: albumup target add NAME {url}"]


def _again(times: int) -> str:
    """How often photos came that were there already; one photo may have come several times."""
    if times == 1:
        return "1 came again, and is there only once."
    return f"Photos came again {times} times, and are there only once."


def received(tally: Tally, faults: Faults | None) -> list[str]:
    """The last lines of a receiver: the photos that it took in, and its faults on purpose."""
    folders = sorted(tally.folders)
    where = escape(folders[0], 60) if len(folders) == 1 else counted(len(folders), "album")
    lines = ["Nothing was received."]
    if folders:
        lines = [f"Received {photos(tally.photos)} ({size(tally.size)}) into {where}."]
    if tally.again:
        lines[0] += f" {_again(tally.again)}"
    if faults is not None:
        counts = ", ".join(f"{count} {name}" for name, count in sorted(faults.counts.items()))
        lines.append(f"Went wrong on purpose: {counts or 'nothing'}.")
    return lines
