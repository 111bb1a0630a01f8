"""Asks whether photos that were sent before are still on their server, for a push without news, and
for verify."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum

from msgspec import Struct

from albumup.errors import AlbumupError, ConfigError
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.lock import FileLock
from albumup.journal.opening import paths_of
from albumup.journal.rows import Album
from albumup.journal.summary import summary_of
from albumup.journal.there import placed
from albumup.targets.base import NotAllowed, Target, Unasked


class Again(Struct, frozen=True):
    """The findings about an album's earlier photos. ``lost``: path and reason of each photo that is
    gone there."""

    lost: Sequence[tuple[bytes, str]] = ()
    is_asked: bool = False
    """Was the server asked, also for the share link?"""
    fault: Unasked | AlbumupError | None = None
    """Why the server could not be asked; None if a run of this album follows, which will say so."""


def look_again(
    journal: Journal,
    album: Album,
    server: Target,
    *,
    wants_share: bool,
    tell: Callable[[str], None],
) -> Again:
    """Look for the photos of an album that were sent before. ``tell`` is called with words about
    the album there.

    Work that turns up is journaled for the next run. Nothing is asked while an uploader runs.
    """
    import asyncio

    # Imported here, because most pushes ask nothing.
    from albumup.uploader.albums import AlbumWork, directly

    lock = FileLock(paths_of(journal.path)["lock"])
    if not summary_of(journal, album.id).there or not lock.take(0.0):
        return Again()
    try:
        work = AlbumWork(server, server.http(), directly(journal), lambda _, words: tell(words))
        return Again(asyncio.run(work.look_again(album)), is_asked=True)
    except (Unasked, AlbumupError) as error:
        return Again(fault=None if runs.is_unfinished(journal, album.id) else error)
    finally:
        if wants_share:
            with journal.transaction():
                journal.want_share(album.id)
        lock.release()


class Fate(Enum):
    """What the server lost of an album."""

    GONE = "gone"
    EMPTY = "empty"


def what_became_of(journal: Journal, album: Album, server: Target) -> Fate | None:
    """Was the album deleted or emptied on its server? None: no, or it is not known. Raises
    Unasked."""
    if not server.keeps_albums or album.remote_id is None:
        return None
    try:
        found = server.find_album(server.http(), album.name, album.remote_id)
    except NotAllowed:
        return None
    except ConfigError:
        found = None  # the server has other albums of that name, not this one
    is_gone = found is None or found.id != album.remote_id
    if not (is_gone or (found is not None and found.photos == 0)) or not placed(journal, album.id):
        return None
    return Fate.GONE if is_gone else Fate.EMPTY
