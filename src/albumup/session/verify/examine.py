"""Examines an album: its photos on the server, the files in its folders, and whether the server is
elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from albumup.config.file import Config
from albumup.journal.journal import Journal
from albumup.journal.rows import Album
from albumup.journal.runs import servers, target_definitions
from albumup.journal.summary import summary_of
from albumup.photos.file_names import text_of
from albumup.session.again import Fate, what_became_of
from albumup.session.verify.findings import Finding, Kind, Outcome
from albumup.session.verify.here import look_here, pushed_folders
from albumup.session.verify.there import Copies, look_there
from albumup.targets.base import Target
from albumup.targets.registry import build
from albumup.transfer.own import is_own


class CannotAsk(Struct, frozen=True):
    """The server cannot be asked about photos. It accepted ``accepted`` of ``total``."""

    address: str
    accepted: int
    total: int


class Examined(Struct, frozen=True):
    """The results for an album. ``fate``: whether the album was deleted or emptied on its
    server."""

    address: str
    outcome: Outcome
    findings: Sequence[Finding]
    """One for each file, without files of kind OTHER."""
    folders: Sequence[bytes]
    copies: Copies
    fate: Fate | None


def examine(
    journal: Journal,
    config: Config,
    album: Album,
    *,
    deep: bool,
    on_begin: Callable[[str, int], None],
) -> Examined | CannotAsk:
    """Ask about every photo of an album, and read every file in its folders. ``deep``: download the
    originals.

    ``on_begin`` is called with the server's address and the number of photos. Raises Unasked,
    ConfigError, LocalError.
    """
    server = build(album.target, config, target_definitions(journal), servers(journal))
    try:
        found = summary_of(journal, album.id)
        total = sum(found.photos.values())
        if not server.can_ask:
            return CannotAsk(server.address, found.there, total)
        on_begin(server.address, total)
        outcome = Outcome()
        copies = look_there(journal, album, server, deep=deep)
        folders = pushed_folders(journal, album)
        findings = [
            one for one in look_here(copies, folders, outcome) if one.kind is not Kind.OTHER
        ]
        outcome.beside = _beside(server, outcome)
        return Examined(
            server.address,
            outcome,
            findings,
            folders,
            copies,
            what_became_of(journal, album, server),
        )
    finally:
        server.close()


def _beside(server: Target, outcome: Outcome) -> str:
    """Why the server's copies are on this computer or in the pushed folder; "" if they are
    elsewhere."""
    if server.is_local:
        return "that is this computer"
    http = server.http()
    for folder in outcome.stores:
        if server.keeps_in(http, folder):
            return f"it keeps them in {text_of(folder)}, with the folder that was pushed"
    if any(map(is_own, server.addresses)) and not server.settings.elsewhere:
        key = server.key("elsewhere")
        return f"that is this computer (if a tunnel leads to another one: {key} = true)"
    return ""
