"""ALBUM on the command line: every album of that name; ``--target`` narrows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from albumup.config.template import did_you_mean
from albumup.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from albumup.cli.app import App
    from albumup.journal.journal import Journal
    from albumup.journal.rows import Album

_MOST_NAMED = 10


def chosen(known: Sequence[tuple[str, str]], names: Sequence[str], target: str | None = None) -> list[tuple[str, str]]:
    """The (album, target) pairs that are meant; all when no name is given. UsageError with the nearest name."""
    for name in names:
        if name not in {album for album, _ in known}:
            names_there = sorted({repr(album) for album, _ in known})
            more = f" and {len(names_there) - _MOST_NAMED} more: albumup status" if names_there[_MOST_NAMED:] else ""
            there = (", ".join(names_there[:_MOST_NAMED]) or "none yet; albumup push FOLDER makes one") + more
            raise UsageError(
                f"there is no album {name!r}{did_you_mean(name, {album for album, _ in known})}", f"albums: {there}"
            )
    if target is not None and target not in {one for _, one in known}:
        raise UsageError(f"no album goes to a target {target!r}{did_you_mean(target, {one for _, one in known})}")
    found = [(album, where) for album, where in known if (not names or album in names) and target in (None, where)]
    if names and not found:
        raise UsageError(f"no album {', '.join(map(repr, names))} goes to {target}")
    return found


def opened(app: App, names: Sequence[str], target: str | None) -> tuple[Journal, list[Album]] | None:
    """The journal, open for writing, and the albums that are meant; None where there is no journal.

    Raises as ``chosen`` and ``App.writer`` do.
    """
    from albumup.journal import runs

    if not app.has_journal():
        chosen([], names, target)
        return None
    journal = app.writer()
    with suppress(ConfigError):  # who does not need the config is not kept from working by it
        keep_apart(app, journal)
    known = runs.albums(journal)
    meant = set(chosen([(album.name, album.target) for album in known], names, target))
    return journal, [album for album in known if (album.name, album.target) in meant]


def keep_apart(app: App, journal: Journal) -> None:
    """No target of the config has the name of one that --url described: that one gets another. Raises ConfigError."""
    from albumup.journal import definitions
    from albumup.journal.runs import target_definitions

    if app.config.targets.keys() & target_definitions(journal).keys():
        with journal.transaction():
            definitions.keep_apart(journal, app.config.targets.keys())


def say_nothing_to_do(app: App, first: str = "", *, as_json: bool, is_silent: bool = False) -> int:
    """There is no journal, or no album in it that is meant; the exit code. Names the journal that was looked at."""
    from albumup.cli.events import summary_event
    from albumup.cli.screen import put_json
    from albumup.config.file import shown

    if not is_silent:
        words = ", ".join(filter(None, (first, "nothing to do")))
        app.screen.say(f"{words} ({shown(app.journal)})")
    if as_json:
        put_json(summary_event(0, []))
    return 0
