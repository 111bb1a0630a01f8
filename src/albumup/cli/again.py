"""Words about photos that were sent and are gone from their server, and about the album there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from albumup.cli import titles
from albumup.cli.endings import forget_command
from albumup.cli.escaping import escape
from albumup.cli.figures import are, photos
from albumup.cli.layout import sentence
from albumup.cli.names import Names
from albumup.journal import runs
from albumup.session.again import Again, Fate
from albumup.uploader.commands import album_command

if TYPE_CHECKING:
    from albumup.cli.app import App
    from albumup.journal.journal import Journal
    from albumup.journal.rows import Album

_MOST_NAMED = 8


def say_unasked(app: App, title: str, again: Again) -> None:
    """Say why the server could not be asked, if it could not."""
    if again.fault is None:
        return
    app.screen.say(
        f"{title}: whether it is all still there could not be asked: {escape(str(again.fault))}"
    )
    if hint := getattr(again.fault, "hint", ""):
        app.screen.say(escape(sentence(hint), 1000))


def lost_lines(journal: Journal, album: Album, again: Again) -> Sequence[str]:
    """Lines that name the photos that are gone from the server, and the command to type."""
    if not again.lost:
        return ()
    title, count = titles.title_of(journal, album), len(again.lost)
    names = Names(journal, lambda: [album.id])
    said = [f"{title}: {photos(count)} sent before {are(count)} gone there:"]
    said += [f"  {names.of(path)}  {escape(why)}" for path, why in again.lost[:_MOST_NAMED]]
    if count > _MOST_NAMED:
        said.append(f"  and {count - _MOST_NAMED} more")
    return [*said, f"To send again what was deleted there: {forget_command(journal, album)}"]


def say_link(app: App, journal: Journal, album: Album, *, is_asked: bool) -> None:
    """Show the share link of an album that needs no run, unless the server was not asked for it."""
    link = next((one.share for one in runs.albums(journal) if one.id == album.id), None)
    if link is not None and is_asked:
        app.screen.say(f"  {escape(link)}")
    elif link is not None:
        ask = album_command(journal, "share", album)
        app.screen.say(f"Its share link was not asked for now: {ask}")


def fate_line(fate: Fate | None, address: str) -> str:
    """A line that says that the album was deleted or emptied on its server; "" if it was not."""
    where = escape(address)
    if fate is Fate.GONE:
        return f"the album is gone on {where}; a push of the same folder makes it again"
    if fate is Fate.EMPTY:
        hidden = "or shows none of its photos: clips of live photos, what is in the trash"
        return f"the album is empty on {where}, {hidden}; a push of the same folder sees to it"
    return ""
