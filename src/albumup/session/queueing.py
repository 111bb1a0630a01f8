"""Queues a push: finds its roots, its spool and the album's name, and journals the photos."""

from __future__ import annotations

import os
import sqlite3
import unicodedata
from collections.abc import Callable, Sequence

from msgspec import Struct

from albumup.config.file import Config
from albumup.errors import UsageError
from albumup.journal.journal import Journal
from albumup.journal.reading import newest_task, was_pushed
from albumup.photos.scan import Root, open_roots, read_list
from albumup.photos.spelling import Spelling
from albumup.session.damage import nothing_queued
from albumup.session.destination import Destination
from albumup.session.intake import Intake
from albumup.session.journaled import Journaled
from albumup.session.spool import look_at_spool, make_spool

_MOST_NAME = 255
"""The most bytes of an album's name: as many as a folder's name may have."""


class Spool(Struct, frozen=True):
    """The folder that photos are copied to first."""

    folder: str
    is_named: bool = False
    """The user named it, so it is not made on another disk if its own is missing."""
    is_typed: bool = False
    """The user named it on the command line, not in the config."""

    def look(self, journal: Journal | None, config: Config) -> None:
        """Raise TryLater, UsageError or ConfigError if the disk named is not there."""
        if self.is_named:
            look_at_spool(journal, self.folder, config, is_typed=self.is_typed)


def spool_of(
    config: Config, folder: str, *, is_wanted: bool | None, named: str | None
) -> Spool | None:
    """The spool of a push; None: it copies nothing. ``is_wanted``, ``named``: its options, None if
    not given."""
    copies = config.defaults.spool if is_wanted is None else is_wanted
    if not (copies or named):
        return None
    return Spool(folder, bool(named or config.defaults.spool_dir), bool(named))


class Queued(Struct, frozen=True):
    """A push that was queued. ``newest``: the id of the newest task before it."""

    journal: Journal
    intake: Intake
    album_id: int
    newest: int


def are_known(connection: sqlite3.Connection | None, paths: Sequence[str]) -> bool:
    """Were these folders pushed before, so that they were not mistyped?"""
    if connection is None or not paths:
        return False
    return all(was_pushed(connection, os.path.abspath(os.fsencode(path))) for path in paths)


def roots_of(paths: Sequence[str], listed: bytes | None) -> list[Root]:
    """Open the folders and files of the command line and of ``--files-from``. Raises UsageError."""
    named: list[str | bytes] = list(paths)
    if listed is not None:
        named += read_list(listed)
    if not named:
        raise UsageError("nothing to push", "name a folder: albumup push ./trip")
    return open_roots(named)


def album_of(given: str | None, roots: Sequence[Root]) -> str:
    """The album's name: the ``given`` one, else the name of the only folder. Raises UsageError."""
    name = given
    if name is None:
        folders = [root for root in roots if root.is_folder]
        if len(roots) != 1 or len(folders) != 1:
            raise UsageError("which album?", "name it: albumup push --album NAME ...")
        name = os.path.basename(roots[0].path).decode(errors="replace").replace("\ufffd", "_")
    if why := _unfit(name):
        raise UsageError(
            f"{name!r} cannot be an album's name: {why}", "name it: albumup push --album NAME ..."
        )
    return name


def _unfit(name: str) -> str:
    """Why a text cannot be an album's name; "" if it can."""
    if not name.strip():
        return "it is empty"
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        return "there is a control character in it, or what is no text"
    return f"it is longer than {_MOST_NAME} bytes" if len(name.encode()) > _MOST_NAME else ""


def as_called(connection: sqlite3.Connection | None, album: str, folder: bytes) -> str:
    """The name of a folder's album, in the journal's spelling."""
    return album if connection is None else Journaled(connection, Spelling()).album(album, folder)


def check_share(where: Destination, album: str) -> None:
    """Raise UsageError unless the target makes share links, or its config names one."""
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
) -> Queued | None:
    """Queue the photos that the intake finds, durably. Raises as ``Intake.take_in``; then nothing
    is queued. None: there is no album yet, and all files are still being written.

    ``on_made`` is called with the path of the spool folder if it was made.
    """
    newest = newest_task(journal.connection)
    where = intake.where
    share = where.target.share(intake.album) if where.target else ""
    with nothing_queued(journal.path):
        if spool is not None and spool.is_named and (made := make_spool(spool.folder)):
            on_made(made)
        folder = None if spool is None else spool.folder
        album_id = intake.take_in(
            journal, where.described, folder, share=share, wants_share=wants_share
        )
    return None if album_id is None else Queued(journal, intake, album_id, newest)
