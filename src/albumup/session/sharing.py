"""Finds an album's share link: the known one if it still works, else a new one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from albumup.errors import TryLater, UsageError
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.lock import FileLock
from albumup.journal.opening import paths_of
from albumup.journal.rows import Album
from albumup.journal.summary import summary_of
from albumup.targets.base import Target, Unasked
from albumup.uploader.albums import AlbumWork, directly

_POLL = 0.1


class LinkGone(Struct, frozen=True):
    """The server does not have the album's link any more; a new one is made."""


class UploaderAtWork(Struct, frozen=True):
    """An uploader runs: it makes the link, or this command does when it has ended."""


class Said(Struct, frozen=True):
    """Words about the album on the server."""

    words: str


Told = LinkGone | UploaderAtWork | Said


def share(
    journal: Journal, album: Album, server: Target, name: str, tell: Callable[[Told], None]
) -> str:
    """The URL of an album's share link, made if need be. ``name``: the album's name on screens.

    Raises TryLater, UsageError, and the errors of ``Target.share_link``.
    """
    return _living(journal, album, server, tell) or _made(
        journal, replace(album, share=None), server, name, tell
    )


def _living(
    journal: Journal, album: Album, server: Target, tell: Callable[[Told], None]
) -> str | None:
    """The album's link if it has one and the server still has it, else None. Raises TryLater."""
    if album.share is None or not server.can_share:
        return album.share
    try:
        if server.has_link(server.http(), album.share):
            return album.share
    except Unasked as unasked:
        raise TryLater(
            f"{album.target} could not be asked for its link: {unasked}", "try again later"
        ) from None
    with journal.transaction():
        journal.unshared(album.id)
    tell(LinkGone())
    return None


def _made(
    journal: Journal, album: Album, server: Target, name: str, tell: Callable[[Told], None]
) -> str:
    """Make the link. The wish is journaled first: a run makes the link if this is cut off."""
    if not server.can_share:
        raise UsageError(
            f"{album.target} makes no share links",
            "a form of the config file may name one for its albums: its key share",
        )
    if not summary_of(journal, album.id).there:
        raise TryLater(
            f"nothing of {name} is on {server.address} yet", "send it first: albumup resume"
        )
    with journal.transaction():
        journal.want_share(album.id)
    lock = FileLock(paths_of(journal.path)["lock"])
    if not lock.take(0.0):
        tell(UploaderAtWork())
    while not lock.take(0.0):
        if (url := link_of(journal, album)) is not None:
            return url
        time.sleep(_POLL)
    try:
        if album.id not in {one.id for one in runs.albums(journal)}:
            raise UsageError(f"{name}: forgotten meanwhile; nothing of it waits")
        work = AlbumWork(
            server, server.http(), directly(journal), lambda _, words: tell(Said(words))
        )
        return link_of(journal, album) or asyncio.run(work.share(album))
    except Unasked as unasked:
        hint = f"the link of {name} is made by the next: albumup resume"
        raise TryLater(f"{album.target}: {unasked}", hint) from None
    finally:
        lock.release()


def link_of(journal: Journal, album: Album) -> str | None:
    """The album's link in the journal now."""
    return next((one.share for one in runs.albums(journal) if one.id == album.id), None)
