"""``albumup wait``: returns when albums are done. Loads little, as it may wait for hours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from albumup.config.file import parse_duration
from albumup.errors import UsageError
from albumup.journal import runs
from albumup.journal.opening import local_faults
from albumup.session.albums import chosen
from albumup.session.waiting import wait

if TYPE_CHECKING:
    from albumup.cli.app import App
    from albumup.journal.journal import Journal
    from albumup.journal.rows import Album


def run(app: App, albums: tuple[str, ...], target: str | None, timeout: str | None) -> int:
    """Wait for albums without output; return the exit code."""
    try:
        seconds = None if timeout is None else parse_duration(timeout)
    except ValueError as error:
        raise UsageError(f"--timeout: {error}") from None
    with local_faults(app.journal):
        found = looked_at(app, albums, target)
        assert found is not None  # without a journal, looked_at() has refused the albums' names
        journal, meant = found
        return wait(journal, [album.id for album in meant], seconds)


def looked_at(
    app: App, names: Sequence[str], target: str | None
) -> tuple[Journal, list[Album]] | None:
    """The journal, open for reading, and the chosen albums; None if there is no journal.

    Raises the errors of ``chosen``.
    """
    if (journal := app.watched()) is None:
        chosen([], names, target)
        return None
    known = runs.albums(journal)
    meant = set(chosen([(album.name, album.target) for album in known], names, target))
    return journal, [album for album in known if (album.name, album.target) in meant]
