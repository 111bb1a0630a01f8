"""``albumup push``: scan, queue, upload."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Unpack

import click

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import HOW, NO_CONFIG, WHAT, WHERE, command, option
from albumup.cli.sending import AddressOptions, SendingOptions, options_of, upload_options

if TYPE_CHECKING:
    import sqlite3

    from albumup.journal.journal import Journal
    from albumup.journal.rows import Album
    from albumup.photos.filters import Filters
    from albumup.photos.scan import Skipped
    from albumup.session.again import Again
    from albumup.session.destination import Destination
    from albumup.session.queueing import Queued
    from albumup.targets.base import Target
    from albumup.uploader.options import Options


class PushOptions(SendingOptions, AddressOptions):
    """What was typed; None: nothing."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]
    since: str | None
    files_from: str | None
    no_recursive: bool
    follow_symlinks: bool
    hidden: bool
    no_skip: bool
    edited: bool
    album: str | None
    wants_share: bool
    dry_run: bool
    spool: bool | None
    spool_dir: str | None


@command(short_help="Queue every photo under PATH, then upload.")
@click.argument("paths", nargs=-1, metavar="PATH...", type=click.Path(readable=False, path_type=str))
@option("--include", group=WHAT, multiple=True, metavar="GLOB", help="Only these (repeatable).")
@option("--exclude", group=WHAT, multiple=True, metavar="GLOB", help="Not these (repeatable).")
@option("--since", group=WHAT, metavar="WHEN", help="Only photos changed since a date, or within 12h, 7d.")
@option(
    "--files-from", group=WHAT, metavar="FILE", help="Read paths from FILE (- for stdin), one a line or NUL-separated."
)
@option("--no-recursive", group=WHAT, is_flag=True, help="Do not enter sub-folders.")
@option("--follow-symlinks", group=WHAT, is_flag=True, help="Follow links that lead out of the folder.")
@option("--hidden", group=WHAT, is_flag=True, help="Take hidden files too.")
@option("--no-skip", group=WHAT, is_flag=True, help="Take what cameras, servers and tools leave (@eaDir, bins) too.")
@option("--edited", group=WHAT, is_flag=True, help="What differs on this card was edited: send it as it is now.")
@option("--album", group=WHERE, metavar="NAME", help="The album's name; the folder's when one folder is given.")
@option("--target", group=WHERE, metavar="T", help="A target of the config file.")
@option("--share", "wants_share", group=WHERE, is_flag=True, help="Make a share link for the album.")
@option("-n", "--dry-run", group=HOW, is_flag=True, help="Say what would be queued, and where it would go.")
@option(
    "--spool", group=HOW, is_flag=True, default=None, help="Copy the photos first, so that the card can be taken out."
)
@option("--spool-dir", group=HOW, metavar="DIR", help="Where to put the copies.")
@option("--url", group=NO_CONFIG, metavar="U", help="A form to send to, without any config file.")
@option("--field", "fields", group=NO_CONFIG, multiple=True, metavar="K=V", help="A field of the form (repeatable).")
@option("--file-field", group=NO_CONFIG, metavar="F", help="The name of the file's field (file).")
@option("--header", "headers", group=NO_CONFIG, multiple=True, metavar="'K: V'", help="A header to send (repeatable).")
@option("--auth", group=NO_CONFIG, metavar="A", help="bearer, header:NAME or none (basic: in the config file).")
@option("--token-file", group=NO_CONFIG, metavar="F", help="A file that holds the token (0600).")
@option("--token-env", group=NO_CONFIG, metavar="V", help="The environment variable that holds the token.")
@option("--success-text", group=NO_CONFIG, metavar="RE", help="What its answer says of a photo that it took.")
@option("--failure-text", group=NO_CONFIG, metavar="RE", help="What its answer says of a photo that it will not take.")
@upload_options()
@shared
@pass_app
def push(app: App, /, paths: tuple[str, ...], **given: Unpack[PushOptions]) -> int:
    """Queue every photo and video under PATH, then upload them as one album.

    \b
      albumup push ./trip                   to the configured server, or the inbox
      albumup push ./trip --album "Trip 2026"
      albumup push ./trip --spool           copy first; the card can be taken out
      albumup push ./trip --url https://photos.example.org/up --field a=trip

    Once it says that the photos are queued, it is safe to interrupt: albumup resume goes on.
    """
    from albumup.session.aside import aside

    app.writes = not given["dry_run"]
    app.screen.never_wait()
    queued = aside(_queue, app, paths, given)
    return queued if isinstance(queued, int) else _send(app, *queued, given)


def _queue(app: App, paths: tuple[str, ...], given: PushOptions) -> tuple[Queued, Options] | int:
    """Look at the folders, and queue what lies there; after a dry run, its exit code."""
    from albumup.session import queueing
    from albumup.session.damage import nothing_queued
    from albumup.session.intake import Intake

    options = options_of(app, given, spool_dir=given["spool_dir"])
    roots = queueing.roots_of(paths, _listed(given["files_from"]))
    album = queueing.album_of(given["album"], roots)
    # A journal that is there is opened first, and so brought up to date; a new one is made when all else is known well.
    journal = app.writer() if app.has_journal() and not given["dry_run"] else None
    with _connection(app, journal) as connection:
        if given["album"] is None:
            album = queueing.as_called(connection, album, roots[0].path)
        where = _destination(app, journal, connection, album, given)
    if where.target is not None:
        _warn(app, where.target)
    if given["wants_share"]:
        queueing.check_share(where, album)
    spool = queueing.spool_of(app.config, options.spool_folder, is_wanted=given["spool"], named=given["spool_dir"])
    if spool is not None:
        spool.look(journal, app.config)
    intake = Intake(
        roots,
        _filters(given),
        album=album,
        target=where.name,
        was=where.was,
        server=where.target,
        on_skip=lambda skipped: _say_skipped(app, skipped),
        edited=given["edited"],
    )
    if given["dry_run"]:
        from albumup.cli.dry_run import dry_run

        return dry_run(app, intake, where, spool.folder if spool is not None else "", as_json=given["as_json"])
    with nothing_queued(app.journal):
        journal = journal or app.writer()
    made = partial(_say_made, app)
    return queueing.queue(journal, intake, where, spool, wants_share=given["wants_share"], on_made=made), options


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


def _listed(files_from: str | None) -> bytes | None:
    """The content of a list of files; None without one."""
    from albumup.errors import UsageError

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
    from albumup.cli.again import lost_lines, say_link, say_unasked
    from albumup.cli.conclusion import Conclusion
    from albumup.cli.destination import sentence_of
    from albumup.cli.queued import say_queued, tell_queued, unread
    from albumup.cli.telling import send
    from albumup.cli.words import title_of
    from albumup.journal import runs
    from albumup.session.again import Again

    journal, intake, album_id, newest = queued.journal, queued.intake, queued.album_id, queued.newest
    target = queued.where.target
    for note in queued.where.notes:
        app.screen.say(sentence_of(intake.album, note))
    conclusion = Conclusion(app, journal, {album_id: intake.album}, json=given["as_json"], newest=newest)
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
    code = send(conclusion, options, is_told_anew=queued.where.is_redefined)
    if known is not None and is_settled and given["wants_share"]:
        say_link(app, journal, known, is_asked=again.is_asked)
    return code


def _look_again(app: App, journal: Journal, album: Album, server: Target, *, wants_share: bool) -> Again:
    from albumup.cli.escaping import escape
    from albumup.cli.words import title_of
    from albumup.session.again import look_again

    def tell(words: str) -> None:
        app.screen.say(f"{title_of(journal, album)}: {escape(words)}")

    return look_again(journal, album, server, wants_share=wants_share, tell=tell)


def _say_made(app: App, folder: str) -> None:
    from albumup.cli.escaping import escape
    from albumup.config.file import shown

    new, above = escape(shown(folder)), escape(shown(os.path.dirname(folder)))
    app.screen.complain(f"The folder {new} is new: it was made for the copies, on the disk of {above}")


def _destination(
    app: App, journal: Journal | None, connection: sqlite3.Connection | None, album: str, given: PushOptions
) -> Destination:
    from albumup.cli.destination import wanted
    from albumup.session.destination import destination, keep_apart

    if journal is not None:
        keep_apart(journal, app.config)
    return destination(connection, app.config, wanted(album, given))


def _warn(app: App, target: Target) -> None:
    from albumup.cli.escaping import escape
    from albumup.config.settings import warnings

    for warning in warnings(target.settings):
        app.screen.complain(f"Warning: {escape(warning)}")


def _filters(given: PushOptions) -> Filters:
    from albumup.errors import UsageError
    from albumup.photos.filters import Filters
    from albumup.photos.scan import parse_since

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
        from albumup.cli.escaping import escape

        app.screen.say(f"skipped ({skipped.reason}): {escape(skipped.path)}")
