"""``albumup demo``: the whole story in a minute, on bundled pictures, in a journal of its own."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from albumup.cli.app import App
from albumup.journal.reading import is_sending
from albumup.photos.file_names import quoted
from albumup.receive import Receiver, Store, parse_faults

if TYPE_CHECKING:
    from albumup.cli.screen import Screen

_PHOTOS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "demo_photos")
_MEDIA = (".JPG", ".HEIC", ".MOV")
_STEP_SECONDS = 60.0


class _Show:
    """The demo's story on the screen, its folders, and its commands as they are typed."""

    def __init__(self, screen: Screen, folder: str) -> None:
        self._screen = screen
        self._say = screen.say
        self.folder = folder
        self.trip = os.path.join(folder, "trip")
        self.received = os.path.join(folder, "server")
        self.journal = os.path.join(folder, "journal.db")
        self.config = os.path.join(folder, "config.toml")

    def tell(self, *lines: str) -> None:
        self._say("")
        for line in lines:
            self._say(f"# {line}")

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "albumup", "--progress", self._screen.progress, *arguments]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "ALBUMUP_JOURNAL": self.journal, "ALBUMUP_CONFIG": self.config}

    def type(self, *arguments: str) -> int:
        """Run the command to its end, as it is typed; return its exit code."""
        self._prompt(arguments)
        # One stream for all, so that the story keeps its order in a file, too.
        return subprocess.run(
            self.command(*arguments),
            env=self.environment(),
            stdout=sys.stderr,
            timeout=_STEP_SECONDS,
        ).returncode

    def type_and_kill(self, *arguments: str, when: Callable[[], bool]) -> None:
        """Run the command, and ``kill -9`` it as soon as ``when()`` is true."""
        self._prompt(arguments)
        process = subprocess.Popen(self.command(*arguments), env=self.environment())
        end = time.monotonic() + _STEP_SECONDS
        while process.poll() is None and not when() and time.monotonic() < end:
            time.sleep(0.02)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        self._screen.wipe_bars()
        self._say("")
        self._say("Killed")

    def _prompt(self, arguments: tuple[str, ...]) -> None:
        self._say("")
        self._say(f"$ albumup {' '.join(map(quoted, arguments))}")

    def is_sending(self, name: str) -> bool:
        """Whether the journal has the photo ``name`` on its way."""
        try:
            return is_sending(self.journal, os.path.join(self.trip, name))
        except sqlite3.Error:
            return False


def run(app: App, keep: str | None) -> int:
    """Upload an album to a server that misbehaves; kill the uploader, and go on."""
    if keep is not None:
        os.makedirs(keep, exist_ok=True)
        return _tell(app, os.path.abspath(keep))
    folder = tempfile.mkdtemp(prefix="albumup-demo-")
    code = _tell(app, folder)
    app.screen.say(f"# Look at all of it; it goes with: rm -r {quoted(folder)}")
    return code


def _tell(app: App, folder: str) -> int:
    import shutil

    show = _Show(app.screen, folder)
    os.makedirs(show.trip, exist_ok=True)
    pictures = sorted(name for name in os.listdir(_PHOTOS) if name.endswith(_MEDIA))
    for name in pictures:
        shutil.copy(os.path.join(_PHOTOS, name), show.trip)
    # The numbers count the requests with photos, from 1. The second breaks off in its middle, the
    # fourth meets a busy server, and the fifth is too large for it. The video comes last and
    # slowly, which leaves time to kill the uploader.
    faults = parse_faults("drop=#2,503=#4,413=#5,slow=#8")
    with Receiver(Store(show.received), token="demo-token", faults=faults) as receiver:
        with open(
            os.open(show.config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            "w",
            encoding="utf-8",
        ) as file:
            file.write(
                f'[targets.demo]\nkind = "inbox"\nurl = "{receiver.url}"\ntoken = '
                '"demo-token"\nsettle = 1\nstable_for = 0\n'
            )
        show.tell(
            f"{len(pictures)} pictures lie in {show.trip}.",
            "A server in a bad mood runs on this computer: it will drop a connection,",
            "be busy once (503), and refuse one file as too large (413).",
            "In the middle of the video, the uploader is killed with kill -9.",
        )
        show.type_and_kill(
            "push", show.trip, "--jobs", "1", when=lambda: show.is_sending(pictures[-1])
        )
        show.tell("Nothing is lost: the journal knows what is sent and what is not.")
        show.type("status")
        show.tell(
            "Another process goes on where it stopped. LEFT counts the photo that the",
            "server rejected, too: it is sent again only when somebody asks for it.",
        )
        code = show.type("resume")
        show.tell("One photo was rejected. The list says which, and why.")
        show.type("list", "trip", "--state", "rejected")
        show.tell("The server has been given more room: that one is sent again on request.")
        again = show.type("retry-failed", "trip", "--rejected")
        show.type("status")
        stored = os.listdir(os.path.join(show.received, "trip"))
        show.tell(
            f"The {len(stored)} pictures are there, each byte checked:",
            os.path.join(show.received, "trip"),
        )
    well = code == 3 and again == 0 and len(stored) == len(pictures)
    if not well:
        app.screen.complain("The demo did not go as it should; please report this.")
    return 0 if well else 1
