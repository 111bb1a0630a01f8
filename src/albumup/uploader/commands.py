"""The commands to type about an album, for closing words and notices."""

from __future__ import annotations

from albumup.journal import reading
from albumup.journal.journal import Journal
from albumup.journal.rows import Album
from albumup.journal.states import State
from albumup.journal.summary import Summary
from albumup.photos.file_names import quoted


def typed_album(journal: Journal, album: Album) -> str:
    """An album's name as it is typed, with its target if another album has the same name."""
    name = quoted(album.name)
    if not reading.has_twin(journal.connection, album.name, album.id):
        return name
    return f"{name} --target {quoted(album.target)}"


def retry_command(journal: Journal, now: Summary) -> str:
    """The command that gives fresh tries to all photos of an album that did not get there."""
    album = now.album
    is_unasked = reading.goes_unasked(journal.connection, album.name, album.target)
    options = retry_options(now, is_unasked=is_unasked)
    return f"albumup retry-failed {typed_album(journal, album)}{options}"


def retry_options(now: Summary, *, is_unasked: bool) -> str:
    """The options by which ``retry-failed`` takes all photos that did not get to the server."""
    return " --rejected" * bool(now.count(State.REJECTED)) + " --in-doubt" * is_unasked
