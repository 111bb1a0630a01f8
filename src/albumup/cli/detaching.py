"""``--detach`` of push and resume: an uploader in the background, and the words about it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from albumup.cli import staying, words
from albumup.cli.conclusion import Conclusion
from albumup.cli.escaping import escape
from albumup.cli.events import copied, event_json
from albumup.cli.figures import photos
from albumup.cli.telling import send
from albumup.cli.typed import SendingOptions
from albumup.config.file import shown
from albumup.errors import AlbumupError
from albumup.journal import runs
from albumup.journal.opening import paths_of
from albumup.journal.rows import Album
from albumup.journal.summary import summary_of
from albumup.session.background import (
    Ended,
    Left,
    NothingLeft,
    Order,
    Outcome,
    Start,
    Stopped,
    Uploading,
)
from albumup.session.late import Late, late_notices, mark_told
from albumup.session.others import STOPPED
from albumup.session.staying import goes_on, look, this_user
from albumup.uploader.commands import album_command, albums_command, way_back
from albumup.uploader.events import Spooled
from albumup.uploader.options import Options

if TYPE_CHECKING:
    from albumup.uploader.events import Progress


def detach(
    conclusion: Conclusion,
    options: Options,
    given: SendingOptions,
    *,
    spool_dir: str | None = None,
) -> int:
    """Have a command's albums sent in the background, if any need it; return the exit code."""
    journal = conclusion.journal
    if not any(runs.is_unfinished(journal, album) for album in conclusion.album_ids):
        return send(conclusion, options)
    screen = conclusion.app.screen
    screen.never_wait()
    order = _order(conclusion, given, spool_dir)
    began, queued = time.time(), _unsent(conclusion)
    outcome = Start(journal, order, _Waiting(conclusion)).run()
    code = _told(conclusion, outcome, queued)
    if isinstance(outcome, Ended) and screen.is_terminal:
        told = [one for one in _late(journal.path) if one.notice.created >= began]
        mark_told(journal.path, told, time.time())  # the user has just read these words
    return code


def _late(journal: str) -> Sequence[Late]:
    try:
        return late_notices(journal, time.time())
    except (AlbumupError, OSError):
        return ()


def _order(conclusion: Conclusion, given: SendingOptions, spool_dir: str | None) -> Order:
    app = conclusion.app
    typed = {
        "--retries": given["retries"],
        "--jobs": given["jobs"],
        "--limit-rate": given["limit_rate"],
        "--patience": given["patience"],
        "--spool-dir": os.path.abspath(os.path.expanduser(spool_dir)) if spool_dir else None,
    }
    said = [f"{name}={value}" for name, value in typed.items() if value is not None]
    said += ["--verbose"] * int(app.options.get("verbose") or 0)
    config = app.config.path if os.path.exists(app.config.path) else ""
    return Order(app.journal, config, conclusion.album_ids, said)


class _Waiting:
    """The progress that is shown until the command returns."""

    def __init__(self, conclusion: Conclusion) -> None:
        self._conclusion, self._screen = conclusion, conclusion.app.screen

    def show(self, progress: Progress, albums: Iterable[str]) -> None:
        self._screen.show(progress, words.title_of_all(albums))

    def end_show(self) -> None:
        self._screen.end_bars()

    def copied(self, photos: int) -> None:
        event = Spooled(time.time(), None, None, photos)
        if self._conclusion.json:
            self._conclusion.app.tell(event_json(event))
        self._screen.say(copied(photos))


def _told(conclusion: Conclusion, outcome: Outcome, queued: int) -> int:
    """Say how the start went; return the exit code. ``queued``: the photos that waited before."""
    match outcome:
        case Uploading():
            said = list(_uploading(conclusion, outcome, photos(queued)))
            return conclusion.in_background(outcome.pid, said, list(_uncopied(outcome)))
        case NothingLeft():
            return conclusion.followed(None)
        case Ended(code, said):
            lines = [line.removesuffix(words.ended("", code)) for line in said]
            return conclusion.not_in_background([*lines, *_waiting(conclusion)], code)
        case Stopped():
            return conclusion.not_in_background([_stopped(conclusion)], STOPPED)
        case Left(pid, code, is_copying):
            return conclusion.not_in_background([_left(pid, is_copying=is_copying)], code)


def _uploading(conclusion: Conclusion, found: Uploading, queued: str) -> Iterator[str]:
    app, pid = conclusion.app, found.pid
    albums = _albums(conclusion)
    is_one = len({album.name for album in albums}) == 1
    watch = albums_command(conclusion.journal, "watch", albums if is_one else ())
    if found.log_fault:
        log = escape(shown(paths_of(app.journal)["log"]))
        app.screen.complain(f"No log of it can be written: {log}: {escape(found.log_fault)}")
    if not found.is_new:
        yield f"{queued} queued; process {pid} is uploading, and has them too; {watch}"
        if found.changed:
            yield f"It goes on with {found.changed}."
        yield from words.ignored(found.ignored)
        if found.heir:
            yield f"If that one ends early, process {found.heir} goes on in the background."
            yield from _what_ends(conclusion, found.heir, albums[0])
        return
    yield f"{queued} queued; uploading in the background (pid {pid}); {watch}"
    yield from _what_ends(conclusion, pid, albums[0])


def _albums(conclusion: Conclusion) -> list[Album]:
    """The chosen albums; there is at least one."""
    return [one for one in runs.albums(conclusion.journal) if one.id in conclusion.albums]


def _what_ends(conclusion: Conclusion, pid: int, album: Album) -> Iterator[str]:
    """Lines about what ends the process in the background, or delays it."""
    wait = album_command(conclusion.journal, "wait", album)
    is_scheduled = goes_on(conclusion.app.journal)
    yield from staying.lines(look(this_user()), pid, wait, is_scheduled=is_scheduled)


def _uncopied(found: Uploading) -> Iterator[str]:
    """Lines about photos that are not copied, for which the card is still needed."""
    for one, why in found.uncopied:
        yield (
            f"Not copied: {photos(one.photos)} in {escape(one.root.path)}: {escape(why)}."
            f" {way_back(why)}, then: albumup resume --detach"
        )


def _unsent(conclusion: Conclusion) -> int:
    return sum(summary_of(conclusion.journal, album).unsent for album in conclusion.album_ids)


def _waiting(conclusion: Conclusion) -> Iterator[str]:
    """A line about the photos that wait while nobody sends them; none if no photo waits."""
    if count := _unsent(conclusion):
        wait = "waits" if count == 1 else "wait"
        yield f"Nothing uploads in the background; {photos(count)} {wait}: albumup resume"


def _stopped(conclusion: Conclusion) -> str:
    resume = albums_command(conclusion.journal, "resume", _albums(conclusion), "--detach")
    line = "Stopped before all was copied: the card is still needed. On hold until:"
    return f"{line} {resume}"


def _left(pid: int, *, is_copying: bool) -> str:
    card = "do not take the card out yet: albumup watch" if is_copying else "albumup status"
    return f"Left. Process {pid} goes on in the background; {card}. It ends with: albumup stop"
