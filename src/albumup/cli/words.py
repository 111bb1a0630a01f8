"""Words that screens share: how albums, folders and times are called."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from albumup.cli.escaping import escape
from albumup.config.file import shown
from albumup.journal import reading, runs
from albumup.journal.journal import Journal
from albumup.journal.rows import Album
from albumup.targets.registry import INBOX, inbox_folder


def shown_name(album: str) -> str:
    return escape(album, 60)


def utc(seconds: float) -> str:
    """Unix seconds as JSON has them."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ended(line: str, code: int) -> str:
    """A last line, with the exit code at its end."""
    return f"{line}    (exit {code})"


def title_of(journal: Journal, album: Album) -> str:
    """The album's name, with its target where another one has the same name."""
    name = shown_name(album.name)
    if not has_twin(journal, album):
        return name
    return f"{name} ({escape(reading.addresses(journal.connection).get(album.target, album.target))})"


def title_of_all(names: Iterable[str]) -> str:
    """Several albums in a few words: their name if they share one, else their number."""
    different = set(names)
    return shown_name(different.pop()) if len(different) == 1 else f"{len(different)} albums"


def has_twin(journal: Journal, album: Album) -> bool:
    """Is there another album of that name, on another target?"""
    return reading.has_twin(journal.connection, album.name, album.id)


def by_state(counts: Mapping[str, int]) -> str:
    """Photos by state: "1 rejected, 2 in doubt"."""
    return ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in counts.items())


def forgotten(name: str) -> str:
    """An album that another albumup dropped from the journal while this one was at it: it was settled."""
    return f"{escape(name, 60)}: forgotten meanwhile; nothing of it waits"


def local_folder(journal: Journal, album: Album, is_configured: bool) -> str:
    """The folder an album is copied to on this computer, or "" when it goes to a server."""
    if album.target != INBOX or is_configured or INBOX in runs.target_definitions(journal):
        return ""
    return inbox_of(album.name)


def inbox_of(album: str) -> str:
    """The folder of an album in the built-in inbox."""
    from albumup.receive.names import album_folder_name

    return shown(os.path.join(inbox_folder(), album_folder_name(album)))
