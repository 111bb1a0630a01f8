"""ALBUM on the command line: every album of that name; ``--target`` narrows the choice."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from albumup.cli.events import summary_event
from albumup.cli.screen import put_json
from albumup.config.file import shown
from albumup.errors import ConfigError
from albumup.journal import runs
from albumup.session.albums import chosen
from albumup.session.destination import keep_apart

if TYPE_CHECKING:
    from albumup.cli.app import App
    from albumup.journal.journal import Journal
    from albumup.journal.rows import Album


def opened(
    app: App, names: Sequence[str], target: str | None
) -> tuple[Journal, list[Album]] | None:
    """The journal, open for writing, and the chosen albums; None if there is no journal.

    Raises the errors of ``chosen`` and ``App.writer``.
    """
    if not app.has_journal():
        chosen([], names, target)
        return None
    journal = app.writer()
    with suppress(ConfigError):  # a broken config does not stop a command that can do without it
        keep_apart(journal, app.config)
    known = runs.albums(journal)
    meant = set(chosen([(album.name, album.target) for album in known], names, target))
    return journal, [album for album in known if (album.name, album.target) in meant]


def say_nothing_to_do(app: App, first: str = "", *, as_json: bool, is_silent: bool = False) -> int:
    """Say that no album is left to work on, and in which journal; return the exit code."""
    if not is_silent:
        words = ", ".join(filter(None, (first, "nothing to do")))
        app.screen.say(f"{words} ({shown(app.journal)})")
    if as_json:
        put_json(summary_event(0, []))
    return 0
