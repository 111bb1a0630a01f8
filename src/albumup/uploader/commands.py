"""What a person types about an album: as closing words and notices say it."""

from __future__ import annotations

from albumup.journal import reading
from albumup.journal.journal import Journal
from albumup.journal.rows import Album
from albumup.journal.states import State
from albumup.journal.summary import Summary
from albumup.photos.file_names import quoted


def typed_album(journal: Journal, album: Album) -> str:
    """An album's name as it is typed, with its target where another one has the same name."""
    name = quoted(album.name)
    if not reading.has_twin(journal.connection, album.name, album.id):
        return name
    return f"{name} --target {quoted(album.target)}"


def retry_command(journal: Journal, now: Summary) -> str:
    """The command that gives all photos of an album that did not get there a fresh set of tries."""
    album = now.album
    is_unasked = reading.goes_unasked(journal.connection, album.name, album.target)
    options = retry_options(now, is_unasked=is_unasked)
    return f"albumup retry-failed {typed_album(journal, album)}{options}"


def retry_options(now: Summary, *, is_unasked: bool) -> str:
    """The options with which ``retry-failed`` takes all photos that did not get there."""
    return " --rejected" * bool(now.count(State.REJECTED)) + " --in-doubt" * is_unasked
