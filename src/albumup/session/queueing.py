"""What a push queues: its roots, the album's name, and the photos, into the journal."""

from __future__ import annotations

import os
import sqlite3
import unicodedata
from collections.abc import Callable, Sequence

from msgspec import Struct

from albumup.config.file import Config
from albumup.errors import UsageError
from albumup.journal.journal import Journal
from albumup.journal.reading import newest_task
from albumup.photos.scan import Root, open_roots, read_list
from albumup.photos.spelling import Spelling
from albumup.session.damage import nothing_queued
from albumup.session.destination import Destination
from albumup.session.intake import Intake
from albumup.session.journaled import Journaled
from albumup.session.spool import look_at_spool, make_spool

_MOST_NAME = 255
"""Bytes of an album's name: those that a folder's may have."""


class Spool(Struct, frozen=True):
    """Where photos are copied to first. ``is_named``: by the user, so that a missing disk is not made up for."""

    folder: str
    is_named: bool = False
    is_typed: bool = False
    """On the command line, not in the config."""

    def look(self, journal: Journal | None, config: Config) -> None:
        """Raises TryLater, UsageError, ConfigError where the disk that was named is not there."""
        if self.is_named:
            look_at_spool(journal, self.folder, config, is_typed=self.is_typed)


def spool_of(config: Config, folder: str, *, is_wanted: bool | None, named: str | None) -> Spool | None:
    """Where a push copies its photos to; None: nowhere. ``is_wanted``, ``named``: its options; None: not given."""
    copies = config.defaults.spool if is_wanted is None else is_wanted
    if not (copies or named):
        return None
    return Spool(folder, bool(named or config.defaults.spool_dir), bool(named))


class Queued(Struct, frozen=True):
    """What was queued, and is to be sent now. ``newest``: the newest task before this push."""

    journal: Journal
    intake: Intake
    album_id: int
    newest: int


def roots_of(paths: Sequence[str], listed: bytes | None) -> list[Root]:
    """The folders and files that were named, and those of a list. Raises UsageError."""
    named: list[str | bytes] = list(paths)
    if listed is not None:
        named += read_list(listed)
    if not named:
        raise UsageError("nothing to push", "name a folder: albumup push ./trip")
    return open_roots(named)


def album_of(given: str | None, roots: Sequence[Root]) -> str:
    """The album's name: the one that was given, else the folder's. Raises UsageError."""
    name = given
    if name is None:
        folders = [root for root in roots if root.is_folder]
        if len(roots) != 1 or len(folders) != 1:
            raise UsageError("which album?", "name it: albumup push --album NAME ...")
        name = os.path.basename(roots[0].path).decode(errors="replace").replace("\ufffd", "_")
    if why := _unfit(name):
        raise UsageError(f"{name!r} cannot be an album's name: {why}", "name it: albumup push --album NAME ...")
    return name


def _unfit(name: str) -> str:
    """Why a text is no name for an album; "" if it is."""
    if not name.strip():
        return "it is empty"
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        return "there is a control character in it, or what is no text"
    return f"it is longer than {_MOST_NAME} bytes" if len(name.encode()) > _MOST_NAME else ""


def as_called(connection: sqlite3.Connection | None, album: str, folder: bytes) -> str:
    """The album of a folder: it may be called by another spelling of the folder's name."""
    return album if connection is None else Journaled(connection, Spelling()).album(album, folder)


def check_share(where: Destination, album: str) -> None:
    """UsageError unless the target makes share links, or names one."""
    target = where.target
    if target is None or not (target.can_share or target.share(album)):
        raise UsageError(f"--share: {where.name} makes no share links", "push without it")


def queue(
    journal: Journal,
    intake: Intake,
    spool: Spool | None,
    *,
    wants_share: bool,
    on_made: Callable[[str], None],
) -> Queued:
    """Queue what lies there, durably. Raises as ``Intake.take_in``; then nothing is queued.

    ``on_made`` is called with the folder that was made for copies, if one was.
    """
    newest = newest_task(journal.connection)
    where = intake.where
    share = where.target.share(intake.album) if where.target else ""
    with nothing_queued(journal.path):
        if spool is not None and spool.is_named and (made := make_spool(spool.folder)):
            on_made(made)
        folder = None if spool is None else spool.folder
        album_id = intake.take_in(journal, where.described, folder, share=share, wants_share=wants_share)
    return Queued(journal, intake, album_id, newest)
