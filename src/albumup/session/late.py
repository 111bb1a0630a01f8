"""Notices that the user has not seen; the next command on a terminal tells them first."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from albumup.errors import AlbumupError
from albumup.journal import notices, reading
from albumup.journal.lock import is_locked
from albumup.journal.notices import Cause, Notice
from albumup.journal.opening import local_faults, open_for_a_word, open_reader, paths_of
from albumup.journal.summary import summaries

if TYPE_CHECKING:
    from albumup.journal.journal import Journal

MOST = 8
"""The most notices that are told one by one: the last ones."""
_PATIENCE = 0.2


class Late(Struct, frozen=True):
    """A notice to tell.

    ``has_twin``: another album has the same name. ``stands_for``: the ids of all notices told by
    it.
    """

    notice: Notice
    has_twin: bool = False
    stands_for: tuple[int, ...] = ()


def late_notices(path: str, now: float) -> list[Late]:
    """The notices that the user has not seen, the oldest first. Raises AlbumupError, OSError.

    Of an album that settled several times, only the last notice is returned.
    """
    with local_faults(path):
        connection = open_reader(path)
        if connection is None:
            return []
        with closing(connection):
            is_running = is_locked(paths_of(path)["lock"])
            found = notices.unsaid(connection, now, is_running=is_running)
            return [_with_twin(connection, one) for one in _joined(found)]


def claim_late(
    path: str, now: float, is_wanted: Callable[[Notice], bool] = lambda _: True
) -> list[Late]:
    """Claim the notices that the user has not seen and wants, so that no other terminal tells them.

    If the journal cannot be written now, they are told all the same, unless another command has
    claimed them meanwhile. Raises AlbumupError, OSError.
    """
    found = [one for one in late_notices(path, now) if is_wanted(one.notice)]
    if not found:
        return []
    ids, free = _ids(found), list[int]()
    pid = os.getpid()
    if not _write(path, lambda one: free.extend(notices.claim_to_say(one, now, pid, ids))):
        with suppress(AlbumupError, OSError):
            ids = _ids(late_notices(path, now))
        free = ids
    own = set(free)
    found = [replace(one, stands_for=tuple(own.intersection(one.stands_for))) for one in found]
    return [one for one in found if one.stands_for]


def mark_told(path: str, told: Collection[Late], now: float, untold: Collection[Late] = ()) -> None:
    """Note that these notices were told, and give up the claims to the ``untold`` ones.

    If the journal cannot be written now, they come again.
    """
    pid, ids, others = os.getpid(), _ids(told), _ids(untold)
    _write(path, lambda connection: notices.said(connection, now, pid, ids, others))


def note_told(journal: Journal, album_ids: Collection[int]) -> None:
    """Note that the user was told of these albums, even if ``journal`` is open for reading only."""
    now = journal.clock()
    if album_ids:
        _write(
            journal.path,
            lambda one: notices.said_of_albums(one, now, album_ids, of_another=True),
        )


def _write(path: str, change: Callable[[sqlite3.Connection], None]) -> bool:
    """Make a change; return False if the journal cannot be written now."""
    with suppress(AlbumupError, OSError, sqlite3.Error):
        connection = open_for_a_word(path, _PATIENCE)
        if connection is not None:
            with closing(connection):
                change(connection)
            return True
    return False


def _ids(found: Iterable[Late]) -> list[int]:
    return [number for one in found for number in one.stands_for]


def _joined(found: Sequence[Notice]) -> list[Late]:
    """Join the notices of an album that settled several times."""
    told: dict[object, Late] = {}
    for notice in found:
        key = notice.album_id if notice.cause is Cause.SETTLED else notice.key
        before = told.pop((notice.cause, key), None)
        ids = before.stands_for if before is not None else ()
        told[notice.cause, key] = Late(notice, stands_for=(*ids, notice.id))
    return list(told.values())


def _with_twin(connection: sqlite3.Connection, late: Late) -> Late:
    """A notice with facts about its album. Notices of former versions lack the sums."""
    notice, message = late.notice, late.notice.message
    if notice.album_id is None:
        return late
    if not message.counts:
        now = next(one for one in summaries(connection) if one.album.id == notice.album_id)
        counts = {state: one for state, one in now.photos.items() if one}
        message = replace(
            message, album=now.album.name, counts=counts, exit=3 if now.is_wanting else 0
        )
        notice = replace(notice, message=message)
    has_twin = reading.has_twin(connection, message.album or "", notice.album_id or 0)
    return replace(late, notice=notice, has_twin=has_twin)
