"""All output while albums are sent: lines, bars, events, and the closing words."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from albumup.cli import events, words
from albumup.cli.conclusion import Conclusion
from albumup.cli.escaping import escape
from albumup.cli.figures import counted, size
from albumup.cli.layout import shortened
from albumup.cli.names import WIDEST, telling
from albumup.cli.pace import pace
from albumup.cli.running import silent
from albumup.config.file import shown
from albumup.session.scheduling import SCHEDULE
from albumup.session.sending import Session
from albumup.session.snapshot import Ended
from albumup.session.telling import (
    Cutting,
    Ebbing,
    Following,
    HandedOver,
    Hanging,
    Inherited,
    JournalGone,
    Left,
    LockTaken,
    Nobody,
    Silent,
    Standing,
    Stopping,
    TakenOver,
    TokenAwaited,
    Vanished,
    Warned,
    Watched,
    Watching,
    Word,
)
from albumup.uploader.events import Event, FramedAnew, Progress, Regulated
from albumup.uploader.options import Draining, Options, RunEnd

_MOST_NAMED = 3
"""The most uploads that are named when they are cut."""


class Teller:
    """The screen and stdout of a command, as the audience of its session.

    ``is_told_anew``: the command has said already that a target has other settings now.
    """

    def __init__(self, conclusion: Conclusion, *, is_told_anew: bool = False) -> None:
        self._conclusion, self._is_told_anew = conclusion, is_told_anew
        self._app, self._screen = conclusion.app, conclusion.app.screen
        self._is_asked = False
        """The user has asked how far the run is."""
        self._changed: Mapping[str, object] = {}
        """The options with which another process goes on because this command asked."""

    def begin(self, standing: Standing) -> None:
        self._conclusion.begin(standing)
        self._screen.never_wait()

    def begun(self) -> None:
        """Do nothing: the screen shows that the run has begun."""

    def heard(self, number: int) -> None:
        """Do nothing: ``Stopping`` says what the signal does."""

    def hear(self, event: Event) -> None:
        if self._conclusion.json:
            self._app.tell(events.event_json(event))
        self.recall(event)

    def recall(self, event: Event) -> None:
        if self._conclusion.is_cron or (self._is_told_anew and isinstance(event, FramedAnew)):
            return
        if isinstance(event, Regulated) and events.options_of(event) == self._changed:
            return  # this was said already
        name = event.target or ""
        line = events.event_line(
            event, self._conclusion.names, self._conclusion.titles.get(name, name)
        )
        if line:
            self._screen.say(line)

    def show(self, progress: Progress, albums: Iterable[str]) -> None:
        title = words.title_of_all(albums)
        self._screen.show(progress, title)
        if self._is_asked:
            self._is_asked = False
            self._screen.report(progress, title)

    def report(self) -> None:
        self._is_asked = True

    def end_show(self) -> None:
        self._screen.end_bars()

    def say(self, word: Word) -> None:
        if isinstance(word, HandedOver) and not self._screen.is_terminal:
            return
        if isinstance(word, Warned):
            self._screen.complain(f"Warning: {escape(word.words)}")
            return
        if isinstance(word, Following | Silent | TokenAwaited) and self._conclusion.is_cron:
            return
        if isinstance(word, TakenOver):
            self._changed = word.value
        for line in lines_of(word):
            self._screen.say(line)

    def name_target(self, name: str, title: str) -> None:
        self._conclusion.titles[name] = title

    def let_out(self, gives_up: Callable[[], bool]) -> None:
        is_out = self._screen.wait_again(gives_up)
        if not is_out or (self._conclusion.json and not self._app.events.wait(gives_up)):
            self._app.abandon()

    def told(self, gives_up: Callable[[], bool]) -> Collection[int]:
        is_read = self._screen.is_terminal and self._screen.has_read(gives_up)
        return self._conclusion.told if is_read else ()

    def nothing_to_send(self) -> int:
        return self._conclusion.nothing_to_send()

    def handed_over(self) -> int:
        return self._conclusion.handed_over()

    def has_gone(self) -> bool:
        return self._app.events.fault is not None if self._conclusion.json else self._screen.is_lost

    def watched(self, seen: Watched) -> int:
        return self._conclusion.watched(seen)

    def followed(self, code: int | None, ended: Ended | None = None) -> int:
        return self._conclusion.followed(code, ended)

    def ended(self, end: RunEnd) -> int:
        return self._conclusion.ended(end)


def send(
    conclusion: Conclusion,
    options: Options,
    *,
    hands_over: bool = False,
    is_told_anew: bool = False,
) -> int:
    """Send a command's albums, or follow the process that sends them; return the exit code."""
    teller = Teller(conclusion, is_told_anew=is_told_anew)
    who = conclusion.journal, conclusion.album_ids, options, conclusion.app, teller
    schedule = "" if options.is_watched else os.environ.get(SCHEDULE, "")
    return Session(*who, hands_over, schedule).run_if_needed()


def lines_of(word: Word) -> Sequence[str]:
    """A message of a session in words."""
    match word:
        case HandedOver(pid, changed, ignored, inherits):
            has_them = f"Process {pid} is uploading, and has these photos too: albumup watch"
            taken_over = lines_of(TakenOver(pid, changed)) if changed else []
            heir = ["When it ends early, this process goes on."] if inherits else []
            return [has_them, *taken_over, *words.ignored(ignored), *heir]
        case Inherited(pid):
            return [f"Process {pid} has ended; this process goes on."]
        case Following(pid, ignored):
            line = (
                f"Process {pid} is uploading; these photos were added to its work. "
                "Ctrl-C leaves it at that."
            )
            return [line, *words.ignored(ignored)]
        case TakenOver(pid, value):
            return [f"Process {pid} goes on with {pace(value)}."]
        case Left(pid, code):
            return [words.ended(f"Left. Process {pid} goes on; stop it with: albumup stop", code)]
        case TokenAwaited(target):
            return [f"Waiting for the token of {escape(target)}: its token_command still runs."]
        case JournalGone(path):
            gone = f"{escape(shown(path))} was moved or deleted: nothing new starts."
            return [f"{gone} Bring it back, then: albumup resume"]
        case LockTaken(path):
            taken = f"{escape(shown(path))} was deleted, and another process uploads now."
            return [f"{taken} This one ends; see: albumup status"]
        case Watching(pid):
            return [
                f"Process {pid} is uploading. Ctrl-C leaves it at that; to stop it: albumup stop"
            ]
        case Ebbing():
            return ["It stops: what is in flight ends, and nothing new starts."]
        case Silent(pid, when, lasted):
            return [silent(pid, when, lasted)]
        case Vanished(pid):
            return [f"Process {pid} is gone: it was killed, or the computer was off."]
        case Nobody(pid):
            return [_nobody_words(pid)]
        case Stopping(draining, is_interrupt):
            return [_draining_words(draining, is_interrupt=is_interrupt)]
        case Cutting():
            return ["Cutting all."]
        case Hanging():
            return [
                "Something does not let go (a disk?), and is left behind. "
                "Go on with: albumup resume"
            ]
    return []


def _nobody_words(pid: int | None) -> str:
    if pid is None:
        return "Nobody is uploading."
    return f"Process {pid} is uploading, but not what is left here."


def _draining_words(draining: Draining, *, is_interrupt: bool) -> str:
    """The words for uploads that finish or are cut, and for bytes that were sent in vain."""
    finishing, cutting = len(draining.finishing), [name for name, _ in draining.cutting]
    words = f"Finishing {counted(finishing, 'upload')}" if finishing else ""
    if cutting:
        again_bytes = sum(count for _, count in draining.cutting)
        named = [
            shortened(escape(telling(name, cutting)), WIDEST) for name in cutting[:_MOST_NAMED]
        ]
        more = f" and {len(cutting) - len(named)} more" if len(cutting) > len(named) else ""
        what = f"{', '.join(named)}{more}"
        again = f": {size(again_bytes)} to send again" if again_bytes else ""
        cut = (
            f", cutting {len(cutting)}"
            if finishing
            else f"Cutting {counted(len(cutting), 'upload')}"
        )
        words += f"{cut} ({what}{again})"
    if not is_interrupt:
        return f"{words}."
    return f"{words}. Ctrl-C again {'cuts all' if finishing else 'leaves at once'}."
