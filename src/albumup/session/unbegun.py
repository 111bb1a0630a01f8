"""Tells of a run that nobody watches, and that cannot begin because its journal fails.

Its disk may have been full before, and then the journal takes no notice: the notice is told from
memory. That it was told stands in the snapshot's file, whose room is reserved, so that cron tells
it once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

from albumup.errors import AlbumupError, LocalError
from albumup.journal.lock import FileLock, is_locked
from albumup.journal.opening import CorruptJournal, journal_fault, open_reader, paths_of

if TYPE_CHECKING:
    from albumup.session.telling import Configs


@contextmanager
def telling(
    path: str, configs: Configs, warn: Callable[[str], None], *, is_watched: bool
) -> Iterator[None]:
    """Have the channels told of a fault of the journal at ``path``, which is raised all the same.

    ``warn``: gets a sentence for each channel that fails.
    """
    try:
        yield
    except (LocalError, sqlite3.Error) as error:
        fault = journal_fault(path, error) if isinstance(error, sqlite3.Error) else error
        is_of_journal = str(fault).startswith(path) and not isinstance(fault, CorruptJournal)
        if is_of_journal and not is_watched:
            with suppress(AlbumupError, OSError, sqlite3.Error):  # the journal cannot be read
                _tell(path, configs, warn, fault)
        raise


def _tell(path: str, configs: Configs, warn: Callable[[str], None], fault: AlbumupError) -> None:
    from albumup.journal import runs
    from albumup.journal.journal import Journal
    from albumup.session.notifying import Fault, Notifying
    from albumup.uploader.causes import unwritten

    connection = open_reader(path)
    if connection is None or is_locked(paths_of(path)["lock"]):
        return  # a run that is on tells of it itself
    with closing(Journal(path, reader=connection)) as journal:
        ids = [album.id for album in runs.albums(journal) if not album.held]
        notice = unwritten(journal, fault, ids, 0)
        if notice is None or _last_told(path) == notice.key:
            return
        told = Notifying(lambda: configs.config, warn, completed=configs.completed_elsewhere)
        told.finish(journal, (), lambda: False, Fault(fault, ids, None))
    _note_told(path, notice.key)


def _last_told(path: str) -> str:
    """The key of the last notice that was told so; "" if there is none."""
    from albumup.session.snapshot import Reader

    found = Reader(paths_of(path)["live"]).look()
    return found.told if found is not None else ""


def _note_told(path: str, key: str) -> None:
    """Note in the last run's snapshot that a notice was told, unless another run is on."""
    from msgspec.structs import replace

    from albumup.session.snapshot import ROOM, Reader, Writer, packed

    place, lock = paths_of(path)["live"], FileLock(paths_of(path)["lock"])
    found = Reader(place).look()
    if found is None or not lock.take(0.0):
        return
    try:
        noted = replace(found, told=key)
        if len(packed(noted)) > ROOM:
            noted = replace(noted, events=[])
        writer = Writer(place)
        writer.write(packed(noted))
        writer.close()
    finally:
        lock.release()
