"""An album's share link: the one it has, where the server has it still, else a new one."""

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
from albumup.journal.states import DONE
from albumup.targets.base import Target, Unasked
from albumup.uploader.albums import AlbumWork, directly

_POLL = 0.1


class LinkGone(Struct, frozen=True):
    """The server has the album's link no more; a new one is made."""


class UploaderAtWork(Struct, frozen=True):
    """Somebody is uploading: they make the link, or it is made when they have ended."""


class Said(Struct, frozen=True):
    """A word on the album there."""

    words: str


Told = LinkGone | UploaderAtWork | Said


def share(journal: Journal, album: Album, server: Target, name: str, tell: Callable[[Told], None]) -> str:
    """The address of an album's share link. ``name``: what screens call the album.

    Raises TryLater and UsageError; and as the target does.
    """
    return _living(journal, album, server, tell) or _made(journal, replace(album, share=None), server, name, tell)


def _living(journal: Journal, album: Album, server: Target, tell: Callable[[Told], None]) -> str | None:
    """The link that the album has, if the server still has it; None also where there is none."""
    if album.share is None or not server.can_share:
        return album.share
    try:
        if server.has_link(server.http(), album.share):
            return album.share
    except Unasked as unasked:
        raise TryLater(f"{album.target} could not be asked for its link: {unasked}", "try again later") from None
    with journal.transaction():
        journal.unshared(album.id)
    tell(LinkGone())
    return None


def _made(journal: Journal, album: Album, server: Target, name: str, tell: Callable[[Told], None]) -> str:
    """The link, asked for in the journal first: a run makes it, too, if this does not get that far."""
    if not server.can_share:
        raise UsageError(
            f"{album.target} makes no share links",
            "a form of the config file may name one for its albums: its key share",
        )
    if not runs.tally(journal, album.id).count(*DONE):
        raise TryLater(f"nothing of {name} is on {server.address} yet", "send it first: albumup resume")
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
        work = AlbumWork(server, server.http(), directly(journal), lambda _, words: tell(Said(words)))
        return link_of(journal, album) or asyncio.run(work.share(album))
    except Unasked as unasked:
        hint = f"the link of {name} is made by the next: albumup resume"
        raise TryLater(f"{album.target}: {unasked}", hint) from None
    finally:
        lock.release()


def link_of(journal: Journal, album: Album) -> str | None:
    """The link that the journal has by now."""
    return next((one.share for one in runs.albums(journal) if one.id == album.id), None)
