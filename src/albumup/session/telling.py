"""The messages of a session that sends, and the audience that gets them. The command's audience
puts them in words."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from albumup.config.file import Config
from albumup.journal.journal import Journal
from albumup.journal.summary import summary_of
from albumup.session.snapshot import Ended
from albumup.uploader.events import Event, Progress
from albumup.uploader.options import Draining, RunEnd


class Standing(Struct, frozen=True):
    """The state of albums before anything is sent."""

    sent: dict[int, int]
    """Album id to the number of photos that the server has."""
    unfinished: frozenset[int]
    """The ids of albums that are not settled."""


def standing(journal: Journal, album_ids: Sequence[int]) -> Standing:
    """The state of albums now."""
    found = {album: summary_of(journal, album) for album in album_ids}
    sent = {album: one.there for album, one in found.items()}
    return Standing(sent, frozenset(album for album, one in found.items() if one.is_unfinished))


class HandedOver(Struct, frozen=True):
    """Process ``pid`` is uploading, and sends these photos, too. ``changed``: the options that it
    took over, as the journal has them; ``ignored``: typed options that differ from its own.
    ``inherits``: this process goes on when that one ends early."""

    pid: int
    changed: Mapping[str, Any] | None = None
    ignored: Sequence[str] = ()
    inherits: bool = False


class Inherited(Struct, frozen=True):
    """Process ``pid`` has ended early, and this process goes on."""

    pid: int


class Following(Struct, frozen=True):
    """Process ``pid`` is uploading, and the totals are shown. ``ignored``: typed options that
    differ from its own."""

    pid: int
    ignored: Sequence[str]


class TakenOver(Struct, frozen=True):
    """Process ``pid`` goes on with these options, by name."""

    pid: int
    value: Mapping[str, Any]


class Left(Struct, frozen=True):
    """A signal ended the following of process ``pid``, which goes on. ``code``: our exit code."""

    pid: int
    code: int


class JournalGone(Struct, frozen=True):
    """The journal was moved or deleted while this process uploads from it, which ends therefore."""

    path: str


class LockTaken(Struct, frozen=True):
    """The lock's file was deleted, and another process has taken the lock meanwhile: this one
    ends."""

    path: str


class Watching(Struct, frozen=True):
    """Process ``pid`` is uploading, and is watched. ``began``: Unix seconds."""

    pid: int
    began: float


class Ebbing(Struct, frozen=True):
    """The run that is watched ends early: nothing new starts."""


class Silent(Struct, frozen=True):
    """Process ``pid`` holds the lock, and has shown nothing since ``when`` (Unix seconds), which
    ``lasted`` so many seconds."""

    pid: int
    when: float
    lasted: float


class Vanished(Struct, frozen=True):
    """Process ``pid`` was killed, or its computer was off."""

    pid: int


class Nobody(Struct, frozen=True):
    """No process uploads. ``pid``: one that uploads, but other albums; None: there is none."""

    pid: int | None = None


class Stopping(Struct, frozen=True):
    """After a signal, some uploads finish and others are cut. ``is_interrupt``: the signal was
    Ctrl-C's."""

    draining: Draining
    is_interrupt: bool


class Cutting(Struct, frozen=True):
    """After a second signal, all uploads are cut."""


class Hanging(Struct, frozen=True):
    """Something hangs, and is left behind."""


class TokenAwaited(Struct, frozen=True):
    """The command that prints the token of a target, named here, takes its time."""

    target: str


class Warned(Struct, frozen=True):
    """Something did not go well that holds up no photo."""

    words: str


Word = (
    (HandedOver | Inherited | Following | Left | Stopping | Cutting | Hanging)
    | (JournalGone | LockTaken | Watching | Ebbing | Silent | Vanished | Nobody)
    | (Warned | TakenOver | TokenAwaited)
)  # fmt: skip


class Watched(Struct, frozen=True):
    """What came of albums that another process was watched to send.

    ``code``: this command's exit code; ``run_id``: 0 if there was no run; ``before``: as in
    ``RunEnd``, without albums that the run did not have; ``ended``: the end of the run, None if it
    goes on or was killed. ``is_all``: no albums were named.
    """

    album_ids: Sequence[int]
    code: int
    run_id: int
    before: Mapping[int, tuple[int, int]]
    ended: Ended | None
    is_all: bool = False


class Audience(Protocol):
    """Gets the messages of a session. Only ``let_out`` waits for readers."""

    def begin(self, standing: Standing) -> None:
        """Albums are about to be sent."""

    def begun(self) -> None:
        """This process's run is journaled, and goes on."""

    def heard(self, number: int) -> None:
        """A signal has come that ends the run."""

    def hear(self, event: Event) -> None: ...

    def recall(self, event: Event) -> None:
        """Tell of an event that was before this command came; to people alone."""

    def show(self, progress: Progress, albums: Iterable[str]) -> None: ...

    def end_show(self) -> None: ...

    def report(self) -> None:
        """Say in a line how it stands, with the next ``show``: somebody asks by a signal. Called by
        its handler."""

    def say(self, word: Word) -> None: ...

    def name_target(self, name: str, title: str) -> None:
        """Set the title of a target on screens."""

    def let_out(self, gives_up: Callable[[], bool]) -> None:
        """Wait until readers have read the output, or until ``gives_up`` is true."""

    def told(self, gives_up: Callable[[], bool]) -> Collection[int]:
        """The ids of the albums whose end was said on a terminal that is still there. Waits until
        it has read that, or until ``gives_up`` is true."""

    # The ends. Each returns the command's exit code.

    def nothing_to_send(self) -> int: ...

    def handed_over(self) -> int: ...

    def followed(self, code: int | None, ended: Ended | None = None) -> int:
        """Another process has sent. ``code``: the exit code of its run; None if the albums are
        settled. ``ended``: how the run ended, as far as that is known."""

    def has_gone(self) -> bool:
        """True once nobody reads the output any more."""

    def watched(self, seen: Watched) -> int:
        """Another process was watched to the end."""

    def ended(self, end: RunEnd) -> int:
        """This process's run has ended. The caller holds the uploader's lock."""


class Configs(Protocol):
    """The source of the configuration."""

    @property
    def config(self) -> Config: ...

    def read_config_again(self) -> None: ...

    def completed_elsewhere(self, text: str) -> str:
        """A text whose commands to type name the journal and config, for other shells."""
