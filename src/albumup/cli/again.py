"""Before a push says that all of it is sent: is what was sent before still on its server?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from albumup.cli.app import App
    from albumup.journal.journal import Journal
    from albumup.journal.rows import Album
    from albumup.targets.base import Target

_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Again:
    """The findings about an album's earlier photos: ``lost`` has lines about the ``count`` photos that are gone there.
    ``is_asked``: was the server asked, also for the share link?"""

    lost: Sequence[str] = ()
    count: int = 0
    is_asked: bool = False


def look_again(app: App, journal: Journal, album: Album, server: Target, *, wants_share: bool) -> Again:
    """Look at the photos of an album that were sent before.

    Work that turns out to be owed is journaled, for the run that follows. Nothing is asked while somebody is uploading.
    """
    import asyncio

    from albumup.cli import words
    from albumup.cli.escaping import escape
    from albumup.cli.figures import are, photos
    from albumup.cli.layout import sentence
    from albumup.cli.names import Names
    from albumup.errors import AlbumupError
    from albumup.journal import runs
    from albumup.journal.lock import FileLock
    from albumup.journal.opening import paths_of
    from albumup.journal.states import DONE
    from albumup.photos.file_names import quoted
    from albumup.targets.base import Unasked
    from albumup.uploader.albums import AlbumWork, directly

    lock = FileLock(paths_of(journal.path)["lock"])
    if not runs.tally(journal, album.id).count(*DONE) or not lock.take(0.0):
        return Again()
    title = words.title_of(journal, album)

    def tell(_: Album, what: str) -> None:
        app.screen.say(f"{title}: {escape(what)}")

    try:
        work = AlbumWork(server, server.http(), directly(journal), tell)
        lost = asyncio.run(work.look_again(album))
    except (Unasked, AlbumupError) as error:
        if not runs.is_unfinished(journal, album.id):
            app.screen.say(f"{title}: whether it is all still there could not be asked: {escape(str(error))}")
            if hint := getattr(error, "hint", ""):
                app.screen.say(escape(sentence(hint), 1000))
        return Again()
    finally:
        if wants_share:
            with journal.transaction():
                journal.want_share(album.id)
        lock.release()
    if not lost:
        return Again(is_asked=True)
    names = Names(journal, lambda: [album.id])
    said = [f"{title}: {photos(len(lost))} sent before {are(len(lost))} gone there:"]
    said += [f"  {names.of(path)}  {escape(why)}" for path, why in lost[:_MOST_NAMED]]
    if len(lost) > _MOST_NAMED:
        said.append(f"  and {len(lost) - _MOST_NAMED} more")
    name, has_twin = quoted(album.name), title != words.shown_name(album.name)
    forget = f"albumup forget {name}" + (f" --target {album.target}" if has_twin else "")
    return Again([*said, f"To send again what was deleted there: {forget}, then push"], len(lost), is_asked=True)


def say_link(app: App, journal: Journal, album: Album, *, is_asked: bool) -> None:
    """Show the share link of an album that needs no run; one that the server was not asked for is not shown."""
    from albumup.cli.escaping import escape
    from albumup.journal import runs
    from albumup.photos.file_names import quoted

    link = next((one.share for one in runs.albums(journal) if one.id == album.id), None)
    if link is not None and is_asked:
        app.screen.say(f"  {escape(link)}")
    elif link is not None:
        app.screen.say(f"Its share link was not asked for now: albumup share {quoted(album.name)}")


def what_became_of(journal: Journal, album: Album, server: Target) -> str:
    """That the album was deleted or emptied on its server; "" if not, or if nobody can tell. Raises Unasked."""
    from albumup.cli.escaping import escape
    from albumup.errors import ConfigError
    from albumup.journal.there import placed
    from albumup.targets.base import NotAllowed

    if not server.keeps_albums or album.remote_id is None:
        return ""
    try:
        found = server.find_album(server.http(), album.name, album.remote_id)
    except NotAllowed:
        return ""
    except ConfigError:
        found = None  # it has others of that name, and not this one
    is_gone = found is None or found.id != album.remote_id
    if not (is_gone or (found is not None and found.photos == 0)) or not placed(journal, album.id):
        return ""
    where = escape(server.address)
    if is_gone:
        return f"the album is gone on {where}; a push of the same folder makes it again"
    hidden = "or shows none of its photos: clips of live photos, what is in the trash"
    return f"the album is empty on {where}, {hidden}; a push of the same folder sees to it"
