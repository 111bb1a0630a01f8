"""``albumup push``: scan, queue, upload."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from albumup.cli.app import App, pass_app, shared
from albumup.cli.help import HOW, NO_CONFIG, WHAT, WHERE, command, option
from albumup.cli.sending import options_of, upload_options

if TYPE_CHECKING:
    from albumup.journal.journal import Journal
    from albumup.journal.rows import Album
    from albumup.photos.filters import Filters
    from albumup.photos.scan import Root, Skipped
    from albumup.session.again import Again
    from albumup.session.destination import Destination
    from albumup.session.intake import Intake
    from albumup.targets.base import Target
    from albumup.uploader.options import Options

_MOST_NAME = 255
"""Bytes of an album's name: those that a folder's may have."""


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
def push(app: App, /, paths: tuple[str, ...], **given: Any) -> int:
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
    return queued if isinstance(queued, int) else _send(app, queued, given)


@dataclass(frozen=True, slots=True)
class _Queued:
    """What was queued, and is to be sent now. ``newest``: the newest task before this push."""

    journal: Journal
    intake: Intake
    where: Destination
    album_id: int
    newest: int
    options: Options


def _queue(app: App, paths: tuple[str, ...], given: dict[str, Any]) -> _Queued | int:
    """Look at the folders, and queue what lies there; after a dry run, its exit code."""
    from albumup.errors import UsageError
    from albumup.journal.reading import newest_task
    from albumup.session.damage import nothing_queued
    from albumup.session.intake import Intake
    from albumup.session.spool import look_at_spool, make_spool

    options = options_of(app, given)
    roots = _roots(paths, given["files_from"])
    album = _album_name(given["album"], roots)
    # A journal that is there is opened first, and so brought up to date; a new one is made when all else is known well.
    journal = app.writer() if app.has_journal() and not given["dry_run"] else None
    if given["album"] is None:
        album = _as_it_is_called(app, journal, album, roots[0].path)
    where = _destination(app, journal, album, given)
    name, target = where.name, where.target
    if target is not None:
        _warn(app, target)
    if given["wants_share"] and (target is None or not (target.can_share or target.share(album))):
        raise UsageError(f"--share: {name} makes no share links", "push without it")
    spool_folder = options.spool_folder if _spools(app, given) else None
    names_disk = spool_folder is not None and bool(given["spool_dir"] or app.config.defaults.spool_dir)
    if names_disk:
        look_at_spool(journal, options.spool_folder, app.config, is_typed=bool(given["spool_dir"]))
    intake = Intake(
        roots,
        _filters(given),
        album=album,
        target=name,
        was=where.was,
        server=target,
        on_skip=lambda skipped: _say_skipped(app, skipped),
        edited=given["edited"],
    )
    if given["dry_run"]:
        from albumup.cli.dry_run import dry_run

        return dry_run(app, intake, where, target, spool_folder or "", as_json=given["as_json"])
    with nothing_queued(app.journal):
        journal = journal or app.writer()
    newest = newest_task(journal.connection)
    share = target.share(album) if target else ""
    with nothing_queued(app.journal):
        if names_disk and (made := make_spool(options.spool_folder)):
            _say_made(app, made)
        album_id = intake.take_in(journal, where.described, spool_folder, share=share, wants_share=given["wants_share"])
    return _Queued(journal, intake, where, album_id, newest, options)


def _send(app: App, queued: _Queued, given: dict[str, Any]) -> int:
    """Say what is queued, and upload."""
    from albumup.cli.again import lost_lines, say_link, say_unasked
    from albumup.cli.conclusion import Conclusion
    from albumup.cli.destination import sentence_of
    from albumup.cli.queued import say_queued, tell_queued, unread
    from albumup.cli.session import Session
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
    code = Session(conclusion, queued.options, is_told_anew=queued.where.is_redefined).run_if_needed()
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


def _spools(app: App, given: dict[str, Any]) -> bool:
    return bool(app.config.defaults.spool if given["spool"] is None else given["spool"]) or bool(given["spool_dir"])


def _roots(paths: tuple[str, ...], files_from: str | None) -> list[Root]:
    from albumup.errors import UsageError
    from albumup.photos.scan import open_roots, read_list

    named: list[str | bytes] = list(paths)
    if files_from is not None:
        try:
            if files_from == "-":
                data = sys.stdin.buffer.read()
            else:
                with open(files_from, "rb") as file:
                    data = file.read()
        except OSError as error:
            raise UsageError(f"--files-from {files_from!r}: {error.strerror}") from None
        named += read_list(data)
    if not named:
        raise UsageError("nothing to push", "name a folder: albumup push ./trip")
    return open_roots(named)


def _album_name(given: str | None, roots: list[Root]) -> str:
    from albumup.errors import UsageError

    name = given
    if name is None:
        folders = [root for root in roots if root.is_folder]
        if len(roots) != 1 or len(folders) != 1:
            raise UsageError("which album?", "name it: albumup push --album NAME ...")
        name = os.path.basename(roots[0].path).decode(errors="replace").replace("\ufffd", "_")
    if why := _unfit(name):
        raise UsageError(f"{name!r} cannot be an album's name: {why}", "name it: albumup push --album NAME ...")
    return name


def _as_it_is_called(app: App, journal: Journal | None, album: str, folder: bytes) -> str:
    """The album of a folder: it may be called by another spelling of the folder's name."""
    from contextlib import closing

    from albumup.photos.spelling import Spelling
    from albumup.session.journaled import Journaled

    if journal is not None:
        return Journaled(journal.connection, Spelling()).album(album, folder)
    if (connection := app.reader()) is None:
        return album
    with closing(connection):
        return Journaled(connection, Spelling()).album(album, folder)


def _unfit(name: str) -> str:
    """Why a text is no name for an album; "" if it is."""
    import unicodedata

    if not name.strip():
        return "it is empty"
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        return "there is a control character in it, or what is no text"
    return f"it is longer than {_MOST_NAME} bytes" if len(name.encode()) > _MOST_NAME else ""


def _destination(app: App, journal: Journal | None, album: str, given: dict[str, Any]) -> Destination:
    from contextlib import closing

    from albumup.cli.destination import wanted
    from albumup.session.destination import destination, keep_apart

    asked = wanted(album, given)
    if journal is not None:
        keep_apart(journal, app.config)
        return destination(journal.connection, app.config, asked)
    if (connection := app.reader()) is None:
        return destination(None, app.config, asked)
    with closing(connection):
        return destination(connection, app.config, asked)


def _warn(app: App, target: Target) -> None:
    from albumup.cli.escaping import escape
    from albumup.config.settings import warnings

    for warning in warnings(target.settings):
        app.screen.complain(f"Warning: {escape(warning)}")


def _filters(given: dict[str, Any]) -> Filters:
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
