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
from albumup.cli.destination import sentence_of, wanted
from albumup.cli.escaping import escape
from albumup.cli.queued import say_queued, tell_queued, unread
from albumup.cli.sending import options_of
from albumup.cli.telling import send
from albumup.cli.titles import title_of
from albumup.cli.typed import PushOptions
from albumup.config.file import shown
from albumup.config.settings import warnings
from albumup.errors import UsageError
from albumup.journal import runs
from albumup.photos.filters import Filters
from albumup.photos.scan import parse_since
from albumup.session import queueing
from albumup.session.again import Again, look_again
from albumup.session.aside import aside
from albumup.session.damage import nothing_queued
from albumup.session.destination import destination, keep_apart
from albumup.session.intake import Intake

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
    queued = aside(_queue, app, paths, given)
    return queued if isinstance(queued, int) else _send(app, *queued, given)


def _queue(app: App, paths: tuple[str, ...], given: PushOptions) -> tuple[Queued, Options] | int:
    """Look at the folders, and queue what lies there; after a dry run, its exit code."""
    options = options_of(app, given, spool_dir=given["spool_dir"])
    roots = queueing.roots_of(paths, listed(given["files_from"]))
    album = queueing.album_of(given["album"], roots)
    # A journal that is there is opened first, and so brought up to date; a new one is made when all
    # else is known well.
    journal = app.writer() if app.has_journal() and not given["dry_run"] else None
    with _connection(app, journal) as connection:
        if given["album"] is None:
            album = queueing.as_called(connection, album, roots[0].path)
        where = _destination(app, journal, connection, album, given)
    if where.target is not None:
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
    )
    if given["dry_run"]:
        from albumup.cli.dry_run import dry_run

        return dry_run(
            app, intake, spool.folder if spool is not None else "", as_json=given["as_json"]
        )
    with nothing_queued(app.journal):
        journal = journal or app.writer()
    made = partial(_say_made, app)
    return queueing.queue(
        journal, intake, spool, wants_share=given["wants_share"], on_made=made
    ), options


@contextmanager
def _connection(app: App, journal: Journal | None) -> Iterator[sqlite3.Connection | None]:
    """To ask the journal before anything is written; None where there is none."""
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


def _send(app: App, queued: Queued, options: Options, given: PushOptions) -> int:
    """Say what is queued, and upload."""
    journal, intake = queued.journal, queued.intake
    album_id, newest = queued.album_id, queued.newest
    target = intake.where.target
    for note in intake.where.notes:
        app.screen.say(sentence_of(intake.album, note))
    conclusion = Conclusion(
        app, journal, {album_id: intake.album}, json=given["as_json"], newest=newest
    )
    again = Again(is_asked=target is not None and not target.can_share)
    known = next((one for one in runs.albums(journal) if one.id == album_id), None)
    if known is not None:  # it may be forgotten by now, if all of it is sent
        say_queued(app, journal, intake.survey, known, target)
        if given["as_json"]:
            tell_queued(app, journal, known, newest, intake.survey.requeued)
        if target is not None and target.keeps_albums:
            again = _look_again(app, journal, known, target, wants_share=given["wants_share"])
            say_unasked(app, title_of(journal, known), again)
            conclusion.shortcomings += lost_lines(journal, known, again)
    conclusion.lost = len(again.lost)
    conclusion.shortcomings += unread(intake.survey.folders)
    is_settled = known is not None and not runs.is_unfinished(journal, album_id)
    if given["detach"] and not (is_settled and given["wants_share"]):
        from albumup.cli.detaching import detach

        return detach(conclusion, options, given, spool_dir=given["spool_dir"])
    code = send(conclusion, options, is_told_anew=intake.where.is_redefined)
    if known is not None and is_settled and given["wants_share"]:
        say_link(app, journal, known, is_asked=again.is_asked)
    return code


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
    """What the options say of the files to take. Raises UsageError."""
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
