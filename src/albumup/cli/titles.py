"""The titles of albums on a screen, and their folders on this computer."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

from albumup.cli.escaping import escape
from albumup.cli.words import shown_name
from albumup.config.file import shown
from albumup.errors import ConfigError
from albumup.journal import reading
from albumup.journal.journal import Journal
from albumup.journal.rows import Album
from albumup.targets.registry import INBOX, inbox_folder

if TYPE_CHECKING:
    from albumup.session.telling import Configs


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


def local_folder(connection: sqlite3.Connection, album: Album, is_configured: bool) -> str:
    """The folder on this computer that an album is copied to; "" if it goes to a server."""
    if album.target != INBOX or is_configured or INBOX in reading.target_definitions(connection):
        return ""
    return inbox_of(album.name)


def verb_of(connection: sqlite3.Connection, album: Album, configs: Configs) -> str:
    """The word for what happens to an album's photos: "copied" into the inbox, or "sent"."""
    try:
        is_configured = album.target in configs.config.targets
    except ConfigError:  # commands that send report the bad config
        is_configured = True
    return "copied" if local_folder(connection, album, is_configured) else "sent"


def inbox_of(album: str) -> str:
    """The folder of an album in the built-in inbox."""
    from albumup.receive.names import album_folder_name

    return shown(os.path.join(inbox_folder(), album_folder_name(album)))
