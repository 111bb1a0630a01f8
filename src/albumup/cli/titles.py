"""The titles of albums on a screen, and their folders on this computer."""

from __future__ import annotations

import os

from albumup.cli.escaping import escape
from albumup.cli.words import shown_name
from albumup.config.file import shown
from albumup.journal import reading, runs
from albumup.journal.journal import Journal
from albumup.journal.rows import Album
from albumup.targets.registry import INBOX, inbox_folder


def title_of(journal: Journal, album: Album) -> str:
    """The album's name, with its target if another album has the same name."""
    name = shown_name(album.name)
    if not has_twin(journal, album):
        return name
    return (
        f"{name} ({escape(reading.addresses(journal.connection).get(album.target, album.target))})"
    )


def has_twin(journal: Journal, album: Album) -> bool:
    """Whether another target has an album of the same name."""
    return reading.has_twin(journal.connection, album.name, album.id)


def local_folder(journal: Journal, album: Album, is_configured: bool) -> str:
    """The folder on this computer that an album is copied to; "" if it goes to a server."""
    if album.target != INBOX or is_configured or INBOX in runs.target_definitions(journal):
        return ""
    return inbox_of(album.name)


def inbox_of(album: str) -> str:
    """The folder of an album in the built-in inbox."""
    from albumup.receive.names import album_folder_name

    return shown(os.path.join(inbox_folder(), album_folder_name(album)))
