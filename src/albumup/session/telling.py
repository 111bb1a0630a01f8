"""What a session tells while it sends, and to whom: the command that began it puts it in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from msgspec import Struct

from albumup.config.file import Config
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.states import DONE
from albumup.uploader.events import Event, Progress
from albumup.uploader.options import Draining, RunEnd


class Standing(Struct, frozen=True):
    """How albums stand before anything is sent: their photos that are on the server, and which are unfinished."""

    sent: dict[int, int]
    unfinished: frozenset[int]


def standing(journal: Journal, album_ids: Sequence[int]) -> Standing:
    """How albums stand now."""
    sent = {album: runs.tally(journal, album).count(*DONE) for album in album_ids}
    return Standing(sent, frozenset(album for album in album_ids if runs.is_unfinished(journal, album)))


class HandedOver(Struct, frozen=True):
    """Process ``pid`` is uploading, and sends these photos too."""

    pid: int


class Following(Struct, frozen=True):
    """Process ``pid`` is uploading, and its totals are shown. ``ignored``: options that differ from its own."""

    pid: int
    ignored: Sequence[str]


class Left(Struct, frozen=True):
    """Whoever followed process ``pid`` leaves it at that. ``code``: with which exit code."""

    pid: int
    code: int


class Stopping(Struct, frozen=True):
    """A signal was heard: some uploads end, others are cut. ``is_interrupt``: by Ctrl-C."""

    draining: Draining
    is_interrupt: bool


class Cutting(Struct, frozen=True):
    """A second signal was heard: all uploads are cut."""


class Hanging(Struct, frozen=True):
    """Something does not let go, and is left behind."""


Word = HandedOver | Following | Left | Stopping | Cutting | Hanging


class Audience(Protocol):
    """Who is told how albums are sent. Nothing here waits for a reader, but for ``let_out``."""

    def begin(self, standing: Standing) -> None:
        """Something is to be sent."""

    def tell_old_notices(self) -> None:
        """Tell what a process owed when it died, once. The caller holds the uploader's lock."""

    def hear(self, event: Event) -> None: ...

    def show(self, progress: Progress, albums: Iterable[str]) -> None: ...

    def end_show(self) -> None: ...

    def say(self, word: Word) -> None: ...

    def name_target(self, name: str, title: str) -> None:
        """What screens call a target."""

    def let_out(self, gives_up: Callable[[], bool]) -> None:
        """Wait for those who read what was said, until ``gives_up`` says so."""

    # How it ended; each returns the command's exit code.

    def nothing_to_send(self) -> int: ...

    def handed_over(self) -> int: ...

    def followed(self, code: int | None) -> int:
        """Somebody else has sent. ``code``: their run's, None where the albums are settled."""

    def ended(self, end: RunEnd) -> int:
        """A run of ours has ended. The caller holds the uploader's lock."""


class Configs(Protocol):
    """Where the configuration comes from."""

    @property
    def config(self) -> Config: ...

    def read_config_again(self) -> None: ...
