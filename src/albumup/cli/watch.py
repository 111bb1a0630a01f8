"""``albumup watch``: shows another process's uploads, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from albumup.cli.albums import say_nothing_to_do
from albumup.cli.conclusion import Conclusion
from albumup.cli.telling import Teller
from albumup.cli.wait import looked_at
from albumup.journal.opening import local_faults
from albumup.session.watching import Watch

if TYPE_CHECKING:
    from albumup.cli.app import App


def run(app: App, albums: tuple[str, ...], target: str | None, as_json: bool) -> int:
    """Show the work of the uploading process until it is over; return the exit code."""
    with local_faults(app.journal):
        if (found := looked_at(app, albums, target)) is None:
            return say_nothing_to_do(app, as_json=as_json)
        journal, meant = found
        names = {album.id: album.name for album in meant}
        conclusion = Conclusion(app, journal, names, json=as_json)
        ids = list(names) if albums or target is not None else []
        return Watch(journal, ids, Teller(conclusion)).run()
