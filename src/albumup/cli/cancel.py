"""``albumup cancel`` and ``albumup forget``: give up unsent photos; drop a settled album."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from albumup.cli.albums import opened
from albumup.cli.app import App
from albumup.cli.figures import photos
from albumup.cli.names import Names
from albumup.cli.reasons import named
from albumup.cli.titles import title_of
from albumup.cli.words import by_state
from albumup.session import giving_up

if TYPE_CHECKING:
    from albumup.journal.journal import Journal
    from albumup.journal.rows import Album

_MOST_LINES = 3


def cancel(app: App, album: str, files: tuple[str, ...], target: str | None) -> int:
    """Give up the unsent photos of ALBUM, or only the named ones; nothing is deleted anywhere."""
    found = opened(app, [album], target)
    assert found is not None  # without a journal, opened() has refused the album's name
    journal, meant = found
    done = giving_up.cancel(journal, meant, files)
    cancelled = sum(one.cancelled for one in done)
    is_named = bool(files) and cancelled > len(files)  # one of the names fits several photos
    app.screen.say(f"{photos(cancelled)} cancelled" + (":" if is_named else ""))
    if is_named:
        for line in _named(journal, meant, [path for one in done for path in one.paths], cancelled):
            app.screen.say(line)
    if sending := sum(one.sending for one in done):
        app.screen.say(f"{photos(sending)} being sent right now: left to the uploader")
    if sent := sum(one.sent for one in done) if files or not cancelled else 0:
        app.screen.say(
            f"{photos(sent)} sent before: left as {'it is' if sent == 1 else 'they are'}"
        )
    if (before := sum(one.before for one in done)) and not cancelled:
        app.screen.say(f"{photos(before)} cancelled before")
    return 0


def _named(
    journal: Journal, albums: Sequence[Album], paths: Sequence[bytes], count: int
) -> list[str]:
    """Lines that name the first of ``count`` photos, told apart by their folders."""
    names = Names(journal, lambda: [album.id for album in albums])
    return named(map(names.of, paths), count, _MOST_LINES)


def forget(app: App, album: str, target: str | None) -> int:
    """Drop ALBUM from the journal if it is settled; nothing is deleted anywhere else."""
    found = opened(app, [album], target)
    assert found is not None  # without a journal, opened() has refused the album's name
    journal, meant = found
    titles = [title_of(journal, one) for one in meant]
    lost = giving_up.forget(journal, meant)
    for title in titles:
        app.screen.say(f"{title} is forgotten; what was sent stays where it is")
    if lost:
        app.screen.say(f"Forgotten too, and not known to be there: {by_state(lost)}")
    return 0
