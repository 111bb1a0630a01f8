"""Words and events about the photos that a push has queued, or has left out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from albumup.cli import titles, words
from albumup.cli.escaping import escape
from albumup.cli.events import event_json
from albumup.cli.figures import are, counted, photos, size
from albumup.cli.oddities import say_oddities
from albumup.journal import reading
from albumup.journal.states import State
from albumup.journal.summary import summary_of
from albumup.photos.filters import SkipReason
from albumup.photos.metadata.reader import INSTALL_PHOTOS
from albumup.photos.skipped import skipped_words
from albumup.uploader.commands import retry_command
from albumup.uploader.events import Missing, Queued

if TYPE_CHECKING:
    from albumup.cli.app import App
    from albumup.journal.journal import Journal
    from albumup.journal.rows import Album
    from albumup.photos.scan import Unreadable
    from albumup.session.survey import Survey
    from albumup.targets.base import Target

_MOST_UNREAD = 10


def say_queued(
    app: App,
    journal: Journal,
    survey: Survey,
    album: Album,
    target: Target | None,
    *,
    detaches: bool = False,
) -> None:
    """Say how many photos wait now, and for whom; and which were left out.

    ``target``: None for the inbox. ``detaches``: ``--detach`` counts them in its own last line.
    """
    name = words.shown_name(album.name)
    local = titles.local_folder(journal.connection, album, album.target in app.config.targets)
    address = target.address if target else album.target
    where = "" if local else f" for {escape(address)}"
    if survey.queued and (local or not detaches):
        app.screen.say(
            f"{name}: {_kinds(survey)} queued ({size(survey.size)}){where}; "
            "safe to interrupt from here"
        )
    if parts := left_out(survey):
        app.screen.say("; ".join(parts))
    say_oddities(app.screen, survey)
    if survey.maybe_live:
        app.screen.say(_maybe_live(survey.maybe_live))
    if survey.wanting_count and survey.queued:
        again = retry_command(journal, summary_of(journal, album.id))
        app.screen.say(
            f"{photos(survey.wanting_count)} did not get there earlier "
            f"and did not change since: {again}"
        )
    if local and survey.queued:
        they = "it" if survey.queued == 1 else "they"
        start = (
            they.capitalize()
            if app.config.targets
            else f"No server is set up (albumup target add), so {they}"
        )
        app.screen.say(f"{start} {are(survey.queued)} copied to {local} on this computer.")


def _kinds(survey: Survey) -> str:
    """The queued files: "900 photos (640 live), 40 videos"; "940 photos" if none are live."""
    if not survey.live.stills:
        return photos(survey.queued)
    videos = survey.videos - survey.live.clips
    more = f", {counted(videos, 'video')}" if videos else ""
    return f"{photos(survey.queued - survey.videos)} ({survey.live.stills} live){more}"


def _maybe_live(count: int) -> str:
    """The words for clips whose stills are unknown, with the package to install."""
    what = f"{count} live photos go as two files each, still and clip"
    if count == 1:
        what = "1 live photo goes as two files, its still and its clip"
    joined = f"{INSTALL_PHOTOS}, then push again: that joins them"
    return f"{what}: nothing here reads which still it is; {joined}"


def left_out(survey: Survey) -> list[str]:
    """Words that count the files that were not queued on their own, by reason."""
    them = "it" if survey.cancelled_before == 1 else "them"
    forget = f"to send {them}: albumup forget, then push"
    counts = {
        "already there": survey.sent_before,
        "queued before": survey.waiting_before,
        "changed since": survey.changed,
        f"cancelled earlier and left so ({forget})": survey.cancelled_before,
        "made live with what was pushed before": survey.live.late,
    }
    parts = [f"{count} {what}" for what, count in counts.items() if count]
    if survey.sidecars:
        parts.append(f"{counted(survey.sidecars, 'sidecar')} beside them")
    if (sidecars := survey.skipped[SkipReason.SIDECAR]) > 0:
        parts.append(f"{sidecars} not sent: sidecar")
    if skipped := skipped_words(survey.skipped, survey.suffixes):
        parts.append(skipped)
    if (young := survey.skipped[SkipReason.YOUNG]) > 0:
        parts.append(f"{young} still being written, left for the next push")
    return parts


def unread(folders: Sequence[Unreadable]) -> Iterator[str]:
    """Lines for folders that could not be read: ten at most, and a count of the others."""
    for folder in folders[:_MOST_UNREAD]:
        yield f"Not read: {escape(folder.path)}: {escape(folder.reason)}"
    if len(folders) > _MOST_UNREAD:
        yield f"Not read: {counted(len(folders) - _MOST_UNREAD, 'more folder')}"


def tell_queued(
    app: App, journal: Journal, album: Album, newest: int, requeued: Sequence[int]
) -> None:
    """Put an event on stdout for each photo that a push queued.

    These are the album's tasks that are newer than ``newest``, and the tasks ``requeued``.
    """
    for one in reading.queued(journal.connection, album.id, newest, requeued):
        about = time.time(), album.name, album.target, one.path
        app.tell(event_json(Queued(*about, one.size)))
        if one.state == State.MISSING:  # it could not be read, so no uploader will report it
            app.tell(event_json(Missing(*about, one.reason)))
