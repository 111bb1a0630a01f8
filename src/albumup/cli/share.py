"""``albumup share``: make or show an album's share link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from albumup.cli.albums import opened
from albumup.cli.app import App
from albumup.cli.screen import put
from albumup.cli.words import shown_name
from albumup.journal.runs import servers, target_definitions
from albumup.session import sharing
from albumup.session.sharing import LinkGone, UploaderAtWork
from albumup.targets.registry import build

if TYPE_CHECKING:
    from albumup.session.sharing import Told


def run(app: App, album: str, target: str | None) -> int:
    """Make ALBUM's share link, or show the one it has: whoever has the link sees the album."""
    found = opened(app, [album], target)
    assert found is not None  # without a journal, opened() has refused the album's name
    journal, meant = found
    name = shown_name(album)
    for one in meant:
        server = build(one.target, app.config, target_definitions(journal), servers(journal))
        try:
            put(
                sharing.share(
                    journal, one, server, name, lambda told: app.screen.say(_sentence(name, told))
                )
            )
        finally:
            server.close()
    return 0


def _sentence(name: str, told: Told) -> str:
    match told:
        case LinkGone():
            return f"{name}: the link it had is gone; this is a new one"
        case UploaderAtWork():
            return (
                f"An uploader is at work; the link of {name} is made by it, or when it has ended."
            )
    return f"{name}: {told.words}"
