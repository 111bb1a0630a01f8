"""``albumup push``: scan, queue, upload."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from albumup.cli.again import lost_lines, say_link, say_unasked
from albumup.cli.app import App
from albumup.cli.conclusion import Conclusion
from albumup.cli.cron import is_news
from albumup.cli.destination import sentence_of, wanted
from albumup.cli.escaping import escape
from albumup.cli.events import summary_event
from albumup.cli.queued import say_queued, tell_queued, unread
from albumup.cli.sending import beginning, options_of
from albumup.cli.telling import send
from albumup.cli.titles import title_of
from albumup.cli.typed import PushOptions
from albumup.config.file import shown
from albumup.config.settings import warnings
from albumup.errors import AlbumupError, ConfigError, UsageError
from albumup.journal import runs
from albumup.journal.opening import CorruptJournal
from albumup.photos.filters import Filters
from albumup.photos.scan import parse_since
from albumup.session import queueing, settling
from albumup.session.again import Again, look_again
from albumup.session.aside import aside
from albumup.session.damage import nothing_queued
from albumup.session.destination import destination, keep_apart
from albumup.session.intake import Intake
from albumup.session.news import tell

if TYPE_CHECKING:
    import sqlite3

    from albumup.journal.journal import Journal
    from albumup.journal.rows import Album
    from albumup.photos.scan import Skipped
    from albumup.session.destination import Destination
    from albumup.session.queueing import Queued
    from albumup.targets.base import Target
    from albumup.uploader.options import Options


def run(app: App, paths: tuple[str, ...], given: PushOptions) -> int:
    """Queue every photo and video under PATH, then upload them as one album."""
    app.writes = not given["dry_run"]
    app.screen.never_wait()
    what = f"push {[*paths, given['album'], given['target']]!a}"
    try:
        with beginning(app), nothing_queued(app.journal):
            queued = aside(_queue, app, paths, given)
        return queued if isinstance(queued, int) else _send(app, *queued, given, what)
    except CorruptJournal:
        raise
    except AlbumupError as fault:
        is_mistyped = isinstance(fault, UsageError) and not _are_known(app, paths)
        if app.screen.tells_news_only and not is_mistyped and not is_news(app, what, str(fault)):
            return fault.exit_code
        raise


def _are_known(app: App, paths: tuple[str, ...]) -> bool:
    with _connection(app, None) as connection:
        return queueing.are_known(connection, paths)


def _queue(app: App, paths: tuple[str, ...], given: PushOptions) -> tuple[Queued, Options] | int:
    """Queue the photos of the folders; return an exit code instead if nothing is to be done."""
    options = options_of(app, given, spool_dir=given["spool_dir"])
    roots = queueing.roots_of(paths, listed(given["files_from"]))
    album = queueing.album_of(given["album"], roots)
    # An existing journal is opened first, which brings it up to date. A new one is made only after
    # everything else has been checked.
    journal = app.writer() if app.has_journal() and not given["dry_run"] else None
    with _connection(app, journal) as connection:
        if given["album"] is None:
            album = queueing.as_called(connection, album, roots[0].path)
        where = _destination(app, journal, connection, album, given)
    if where.target is not None and not app.screen.tells_news_only:
        _warn(app, where.target)
    if given["wants_share"]:
        queueing.check_share(where, album)
    spool = queueing.spool_of(
        app.config, options.spool_folder, is_wanted=given["spool"], named=given["spool_dir"]
    )
    if spool is not None:
        spool.look(journal, app.config)
    intake = Intake(
        roots,
        filters_of(given),
        album,
        where,
        on_skip=lambda skipped: _say_skipped(app, skipped),
        edited=given["edited"],
        settling=settling.settling_of(app.config, where.name, is_watched=app.screen.is_terminal),
    )
    if given["dry_run"]:
        from albumup.cli.dry_run import dry_run

        return dry_run(
            app, intake, spool.folder if spool is not None else "", as_json=given["as_json"]
        )
    journal = journal or app.writer()
    made = partial(_say_made, app)
    queued = queueing.queue(journal, intake, spool, wants_share=given["wants_share"], on_made=made)
    if queued is not None:
        return queued, options
    if given["as_json"]:
        app.tell(summary_event(0, []))
    return 0


@contextmanager
def _connection(app: App, journal: Journal | None) -> Iterator[sqlite3.Connection | None]:
    """Connect to the journal for questions before anything is written; None if there is none."""
    if journal is not None:
        yield journal.connection
    elif (connection := app.reader()) is None:
        yield None
    else:
        with closing(connection):
            yield connection


def listed(files_from: str | None) -> bytes | None:
    """The content of a list of files; None without one. Raises UsageError."""
    try:
        if files_from is None:
            return None
        if files_from == "-":
            return sys.stdin.buffer.read()
        with open(files_from, "rb") as file:
            return file.read()
    except OSError as error:
        raise UsageError(f"--files-from {files_from!r}: {error.strerror}") from None


def _send(app: App, queued: Queued, options: Options, given: PushOptions, what: str) -> int:
    """Say what is queued, and upload; return the exit code. ``what``: cron's name of the push."""
    journal, intake, album_id = queued.journal, queued.intake, queued.album_id
    is_unwatched = app.screen.tells_news_only and not given["detach"]
    conclusion = Conclusion(
        app,
        journal,
        {album_id: intake.album},
        json=given["as_json"],
        is_cron=is_unwatched and not _is_news(intake),
        is_noted=is_unwatched,
        newest=queued.newest,
    )
    if is_unwatched:
        tell(journal, what, "")  # nothing has kept the push from its work
    known = next((one for one in runs.albums(journal) if one.id == album_id), None)
    is_asked = _say(conclusion, queued, known, given)
    conclusion.shortcomings += unread(intake.survey.folders)
    if is_unwatched:
        conclusion.note_shortcomings()
    is_settled = known is not None and not runs.is_unfinished(journal, album_id)
    if given["detach"] and not (is_settled and given["wants_share"]):
        from albumup.cli.detaching import detach

        return detach(conclusion, options, given, spool_dir=given["spool_dir"])
    code = send(conclusion, options, is_told_anew=intake.where.is_redefined)
    if known is not None and is_settled and given["wants_share"] and not conclusion.is_cron:
        say_link(app, journal, known, is_asked=is_asked)
    return code


def _is_news(intake: Intake) -> bool:
    """Whether a push has found work that was not known before."""
    return bool(intake.survey.queued) or intake.where.is_redefined


def _say(conclusion: Conclusion, queued: Queued, album: Album | None, given: PushOptions) -> bool:
    """Say what is queued, and how it stands on the server; return whether the server was asked.

    ``album`` is None if it was forgotten meanwhile, because all of it is sent.
    """
    app, journal, intake = conclusion.app, conclusion.journal, queued.intake
    target, is_quiet = intake.where.target, conclusion.is_cron
    if target is not None and app.screen.tells_news_only and not is_quiet:
        _warn(app, target)
    for note in intake.where.notes if not is_quiet else ():
        app.screen.say(sentence_of(intake.album, note))
    again = Again(is_asked=target is not None and not target.can_share)
    if album is not None:
        if not is_quiet:
            say_queued(app, journal, intake.survey, album, target, detaches=given["detach"])
        if given["as_json"]:
            tell_queued(app, journal, album, queued.newest, intake.survey.requeued)
        if target is not None and target.keeps_albums:
            again = _look_again(app, journal, album, target, wants_share=given["wants_share"])
            if not is_quiet or _is_new_refusal(journal, album, again):
                say_unasked(app, title_of(journal, album), again)
            conclusion.shortcomings += lost_lines(journal, album, again)
    conclusion.lost = len(again.lost)
    return again.is_asked


def _is_new_refusal(journal: Journal, album: Album, again: Again) -> bool:
    """Whether the server refuses to be asked, and the user has not been told of that yet."""
    is_refusal = isinstance(again.fault, ConfigError)
    return tell(journal, f"unasked {album.id}", str(again.fault) if is_refusal else "")


def _look_again(
    app: App, journal: Journal, album: Album, server: Target, *, wants_share: bool
) -> Again:
    def tell(words: str) -> None:
        app.screen.say(f"{title_of(journal, album)}: {escape(words)}")

    return look_again(journal, album, server, wants_share=wants_share, tell=tell)


def _say_made(app: App, folder: str) -> None:
    new, above = escape(shown(folder)), escape(shown(os.path.dirname(folder)))
    app.screen.complain(
        f"The folder {new} is new: it was made for the copies, on the disk of {above}"
    )


def _destination(
    app: App,
    journal: Journal | None,
    connection: sqlite3.Connection | None,
    album: str,
    given: PushOptions,
) -> Destination:

    if journal is not None:
        keep_apart(journal, app.config)
    return destination(connection, app.config, wanted(album, given))


def _warn(app: App, target: Target) -> None:
    for warning in warnings(target.settings):
        app.screen.complain(f"Warning: {escape(warning)}")


def filters_of(given: PushOptions) -> Filters:
    """The filters for files that the options ask for. Raises UsageError."""
    try:
        since = parse_since(given["since"], time.time()) if given["since"] is not None else None
    except ValueError as error:
        raise UsageError(f"--since: {error}") from None
    return Filters(
        include=given["include"],
        exclude=given["exclude"],
        since=since,
        recursive=not given["no_recursive"],
        follow_symlinks=given["follow_symlinks"],
        hidden=given["hidden"],
        no_skip=given["no_skip"],
    )


def _say_skipped(app: App, skipped: Skipped) -> None:
    if app.screen.verbose:
        app.screen.say(f"skipped ({skipped.reason}): {escape(skipped.path)}")
