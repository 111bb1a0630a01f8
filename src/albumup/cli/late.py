"""The first lines of a command on a terminal: notices that the user has not seen yet."""

from __future__ import annotations

import time
from collections.abc import Sequence

from albumup.cli import sums
from albumup.cli.app import App
from albumup.cli.escaping import escape
from albumup.cli.figures import counted, span
from albumup.cli.layout import sentence
from albumup.cli.words import shown_name
from albumup.errors import AlbumupError
from albumup.journal.notices import Cause, Notice
from albumup.journal.rows import Album
from albumup.journal.summary import Summary
from albumup.photos.file_names import quoted
from albumup.session.late import MOST, Late, claim_late, mark_told


def tell_late(app: App) -> None:
    """Tell each notice that nobody has seen, once; under ``-q`` only those about trouble."""
    now, is_quiet = time.time(), bool(app.options.get("quiet"))
    try:
        if not app.has_journal():
            return
        found = claim_late(app.journal, now, lambda one: one.is_trouble or not is_quiet)
    except (AlbumupError, OSError):
        return  # the command itself reports what is wrong with the journal
    if found:
        told = _told(app, found, now)
        mark_told(app.journal, found[:told], now, untold=found[told:])


def _told(app: App, found: Sequence[Late], now: float) -> int:
    """Tell notices; return the number of the first ones that the terminal has got."""
    told = max(0, len(found) - MOST)
    if told and not app.screen.takes(f"{counted(told, 'earlier notice')}: albumup status"):
        return 0
    for one in found[told:]:
        if not app.screen.takes(line_of(one, now)):
            break  # the terminal has gone; the next command tells the rest
        told += 1
    return told


def line_of(late: Late, now: float) -> str:
    """A notice as a line."""
    notice = late.notice
    message, when = notice.message, span(max(0.0, now - notice.created))
    hint, fault, typed = message.hint, escape(notice.fault, 1000), _command(late)
    if notice.cause is Cause.SETTLED:
        standing = message.words.removeprefix(f"{message.album}: ")  # an album may be called so
        verb = "copied" if "copied" in standing else "sent"
        words = f"{_title(late)}: {sums.of_late_notice(_summary(notice), when, verb)}"
        hint = f"Again: {typed}" if typed else ""
    elif notice.cause is Cause.STOPPED:
        words = f"{_title(late) or 'A run'}: stopped {when} ago: {escape(message.words, 1000)}"
        hint = message.hint or f"Go on with: {typed}"
    else:
        words = f"{when} ago: {escape(message.words, 1000)}"
        hint = f"See: {typed}" if typed else ""
    line = f"{words}. {sentence(escape(hint, 1000))}" if hint else words
    return f"{line} ({fault})" if fault else line


def _command(late: Late) -> str:
    """The command to type, with the album's target if another album has got its name since."""
    typed = late.notice.message.command
    is_of_album = typed.startswith(("albumup resume ", "albumup retry-failed "))
    if not (late.has_twin and is_of_album) or "--target " in typed:
        return typed
    program, verb, rest = typed.split(" ", 2)
    where = f"--target {quoted(late.notice.target)}"
    # As everywhere, options stand last, unless the album's name begins with a dash.
    words = (where, rest) if rest.startswith("-") else (rest, where)
    return " ".join((program, verb, *words))


def _title(late: Late) -> str:
    """The album's title; "" if the notice is about several albums, or none."""
    notice = late.notice
    name = shown_name(notice.message.album or "")
    return f"{name} ({escape(notice.message.title)})" if late.has_twin else name


def _summary(notice: Notice) -> Summary:
    """The sums of the notice's album at that time."""
    message = notice.message
    album = Album(notice.album_id or 0, message.album or "", notice.target, False)
    return Summary(album, photos=message.counts)
