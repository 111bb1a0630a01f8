"""News during a run: events as sentences and as JSON, the run's beginning, and its obstacles."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import UNSET, UnsetType
from msgspec.structs import asdict

from albumup.cli.escaping import escape
from albumup.cli.figures import photos, size, span
from albumup.cli.layout import sentence
from albumup.cli.names import Names
from albumup.cli.pace import pace
from albumup.cli.titles import title_of
from albumup.cli.words import shown_name, utc
from albumup.journal import media, runs
from albumup.journal.journal import Journal
from albumup.journal.reading import narrowing, status_of
from albumup.journal.rows import Album
from albumup.journal.states import State
from albumup.journal.summary import Summary, summary_of
from albumup.photos.file_names import command, quoted, text_of
from albumup.retry import Outcome
from albumup.uploader.commands import way_back
from albumup.uploader.events import (
    AddressNote,
    AlbumNote,
    Answered,
    Changed,
    Event,
    FramedAnew,
    GoesOn,
    Missing,
    Paused,
    PhotoEvent,
    Recorded,
    Regulated,
    Spooled,
    Tried,
    Waits,
    Woke,
    name_of,
)
from albumup.uploader.origins import STRANGER
from albumup.uploader.upstream import Closing

_TOLD = (Outcome.REJECTED, Outcome.NOT_TAKEN, Outcome.IN_DOUBT, Outcome.BROKEN)
"""Outcomes of an attempt that deserve a line although another attempt follows."""
_GIVEN_UP = (State.FAILED, State.REJECTED, State.MISSING)


def event_json(event: Event) -> dict[str, object]:
    """An event as an object for ``--json``."""
    found = {
        "event": name_of(event),
        **{key: value for key, value in asdict(event).items() if value is not UNSET},
    }
    found.pop("state", None)
    found["time"] = utc(event.time)
    if isinstance(event, PhotoEvent):
        found["path"] = text_of(event.path)
    if isinstance(event, Tried) and event.next_at:
        found["next_at"] = utc(event.next_at)
    return found


def summary_event(code: int, sums: Sequence[Summary]) -> dict[str, object]:
    """The object of the last line of ``--json``."""
    albums = [status_of(found) for found in sums]
    album, target = shared_place(sums)
    when = utc(time.time())
    return {
        "event": "summary",
        "time": when,
        "album": album,
        "target": target,
        "exit": code,
        "albums": albums,
    }


def shared_place(sums: Sequence[Summary]) -> tuple[str | None, str | None]:
    """The name and the target of the only album; None for both if there are several."""
    if len(sums) != 1:
        return None, None
    return sums[0].album.name, sums[0].album.target


def detached_event(pid: int, album: str | None, target: str | None) -> dict[str, object]:
    """The object for ``--json`` that says that process ``pid`` sends in the background.

    ``album``, ``target``: None if there are several albums.
    """
    when = utc(time.time())
    return {"event": "detached", "time": when, "album": album, "target": target, "pid": pid}


def event_line(event: Event, names: Names, target: str = "") -> str:
    """An event as a line above the bars; "" for most. ``target``: its target's title on screens."""
    match event:
        case PhotoEvent(path=path):
            # Most photos get no line, and a photo's name costs a query.
            found = _photo_line(event)
            return f"  {found.mark} {names.of(path)}  {found.words}" if found else ""
        case Paused():
            return f"  ! {escape(target)}: {_pause(event)}"
        case Woke(seconds=seconds):
            return f"Awake again after {span(seconds)}; going on."
        case Waits(reason=reason):
            return f"  ! {escape(target)}: waits: {escape(reason)}"
        case GoesOn():
            return f"{escape(target)}: may_run says yes; going on."
        case Regulated():
            return f"Goes on with {pace(options_of(event))}, as another command asked."
        case AddressNote(words=words):
            return f"  ! {escape(target)}: {escape(words, 1000)}"
        case AlbumNote(album=album, words=words):
            return f"  ! {escape(album or '')}: {escape(words)}"
        case FramedAnew():
            return (
                f"{escape(target)} has other settings now: what was ready for it is made ready anew"
            )
        case Spooled(album=album, photos=count):
            return f"{shown_name(album)}: {copied(count)}" if album else copied(count)
    return ""


def copied(count: int) -> str:
    """The words after which a card may be taken out."""
    return f"{photos(count)} copied. You can take the card out now."


def options_of(event: Regulated) -> dict[str, object]:
    """The options that a run goes on with, by name."""
    options = {"limit_rate": event.limit_rate, "jobs": event.jobs}
    return {name: value for name, value in options.items() if value is not UNSET}


class _PhotoLine(NamedTuple):
    mark: str
    words: str


def _photo_line(event: PhotoEvent) -> _PhotoLine | None:
    match event:
        case Tried():
            return _PhotoLine("!", _trial(event)) if event.outcome in _TOLD else None
        case Changed(error=error):
            return _PhotoLine("!", f"changed since it was queued ({_why(error)}); it is read again")
        case Recorded(state=State.IN_DOUBT, error=error, asks_in=seconds):
            return _PhotoLine("?", f"{_why(error)}{_asked(seconds)}")
        case Answered(state=State.IN_DOUBT, error=error, asks_in=seconds):
            return _PhotoLine("?", f"{_why(error)}{_asked(seconds)}")
        case Missing(error=error):
            return _PhotoLine("!", f"missing: {_why(error)}")
        case Recorded(state=state, error=error) | Answered(state=state, error=error) if (
            state in _GIVEN_UP
        ):
            return _PhotoLine("!", f"{state.value}: {_why(error)}")
    return None


def _why(error: str | UnsetType | None) -> str:
    return escape(error) if error else "no reason was given"


def _trial(event: Tried) -> str:
    """The words for an attempt that another one follows."""
    why = _why(event.error)
    if event.outcome == Outcome.REJECTED:
        return f"{why}; held back, for this server has not accepted any photo yet"
    if event.held:
        return f"{why}, try {event.tries} of {event.of}; given up if other photos get through"
    if not event.costs:
        return f"{why}, not counted as a try"
    wait = max(0.0, event.next_at - time.time())
    due = f"in {span(wait)}" if wait >= 0.5 else "at once"
    return f"{why}, try {event.tries} of {event.of}, next {due}"


def _asked(seconds: float | UnsetType | None) -> str:
    """The time until a photo is asked about, for a sentence's end; "" if it is not."""
    if not isinstance(seconds, float):
        return ""
    return (
        f"; the server is asked in {span(seconds)}"
        if seconds >= 0.5
        else "; the server is asked now"
    )


def _pause(event: Paused) -> str:
    """A pause in words: "502 Bad Gateway, for 3 h 5 min now; trying again for 5 min at most".

    A run without patience tries again "with a few photos".
    """
    lasted = f", for {span(event.lasted)} now" if event.lasted >= 60 else ""
    what = f"for {span(event.seconds)}" if event.seconds >= 1 else "with a few photos"
    return f"{escape(event.reason)}{lasted}; trying again {what} at most"


def closed(name: str, closing: Closing) -> list[str]:
    """The lines that say why a target is not tried again in this run."""
    lines = [escape(closing.words, 1000)]
    if closing.exit_code == 75:
        lines = [f"{escape(name)}: {escape(closing.words)}; given up for now, try again later"]
    return [*lines, sentence(escape(closing.hint, 1000))] if closing.hint else lines


def away(journal: Journal, path: bytes, why: str) -> list[str]:
    """The lines that say why the photos below ``path`` wait, and what to do."""
    # Another card may lie there: then nothing suggests a plain push, which would take that card's
    # photos for edited ones of this card.
    again = "" if why == STRANGER else " (or push it again)"
    lines = [f"{escape(path)}: {escape(why)}. {way_back(why)}, then: albumup resume{again}"]
    if why == STRANGER:
        folder = [text_of(path)]
        for name, target in media.waiting_at(journal.connection, path):
            where = narrowing(journal.connection, name, target)
            push = command("push", folder, "--edited", f"--album {quoted(name)}", *where)
            lines.append(f"Or, if these are the same photos, edited: {push}")
            lines.append(f"To give up what is not sent: {command('cancel', [name], *where)}")
    return lines


def opening(journal: Journal, album: Album) -> str:
    """An album before its run: "trip: stopped 3 hours ago; 176 left, 2.4 GB"."""
    last = runs.last_touched(journal, album.id)
    when = f"stopped {_ago(journal.clock() - last)}; " if last else ""
    found = summary_of(journal, album.id)
    if not found.unsent:
        return (
            f"{title_of(journal, album)}: {when}all sent, and not yet all done in the album there"
        )
    return (
        f"{title_of(journal, album)}: {when}{photos(found.unsent)} left, {size(found.unsent_bytes)}"
    )


def _ago(seconds: float) -> str:
    return f"{span(seconds)} ago" if seconds >= 1 else "just now"
