"""The commands to type about an album, for closing words and notices."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from albumup.errors import KNOWN_TARGETS
from albumup.journal import reading, runs
from albumup.journal.journal import Journal
from albumup.journal.rows import Album
from albumup.journal.states import State
from albumup.journal.summary import Summary
from albumup.photos.file_names import command, quoted


def album_command(journal: Journal, name: str, album: Album, *options: str) -> str:
    """A command about an album, with its target if another album has the same name.

    ``options``: further ones, as they are typed.
    """
    where = reading.narrowing(journal.connection, album.name, album.target)
    return command(name, [album.name], *where, *options)


def albums_command(journal: Journal, name: str, albums: Sequence[Album], *options: str) -> str:
    """A command about albums, with their target if there are others of their names elsewhere."""
    names = list(dict.fromkeys(album.name for album in albums))
    known = {album.id for album in runs.albums(journal) if album.name in names}
    targets = {album.target for album in albums}
    if len(targets) == 1 and known - {album.id for album in albums}:
        options = (f"--target {quoted(*targets)}", *options)
    return command(name, names, *options)


def retry_command(journal: Journal, now: Summary) -> str:
    """The command that gives fresh tries to all photos of an album that did not get there."""
    is_unasked = reading.goes_unasked(journal.connection, now.album.name, now.album.target)
    options = retry_options(now, is_unasked=is_unasked)
    return album_command(journal, "retry-failed", now.album, *options)


def retry_options(now: Summary, *, is_unasked: bool) -> list[str]:
    """The options by which ``retry-failed`` takes all photos that did not get to the server."""
    has_rejected = bool(now.count(State.REJECTED))
    return ["--rejected"] * has_rejected + ["--in-doubt"] * is_unasked


def target_command(name: str, hint: str) -> str:
    """The command that shows what is wrong with a target's settings, or sets the target up anew.

    ``hint``: of the error about them. A target that is not in the config cannot be checked.
    """
    if not hint.startswith(KNOWN_TARGETS):
        return command("target check", [name])
    return command("target add", [name]) if "albumup target add" in hint else "albumup target list"


def way_back(why: str) -> str:
    """What a person has to do about a folder that is away, for the beginning of a sentence.

    ``why``: as ``root_is_away`` has it.
    """
    is_closed = why.endswith(os.strerror(errno.EACCES))
    return "Let albumup read it" if is_closed else "Bring back its card or disk"
