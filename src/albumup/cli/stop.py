"""``albumup stop``: put albums on hold, and wait until the uploader has let go of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from albumup.cli import sums, titles, words
from albumup.cli.albums import opened
from albumup.cli.app import App
from albumup.cli.endings import resume_command
from albumup.cli.escaping import escape
from albumup.cli.figures import counted, size, span
from albumup.cli.layout import shortened
from albumup.cli.names import WIDEST, telling
from albumup.config.file import shown
from albumup.photos.file_names import command, quoted
from albumup.session.signals import Handlers
from albumup.session.stopping import Fate, Finishing, Leaving, Left, Stopping, Unheard

if TYPE_CHECKING:
    from albumup.journal.flight import Upload
    from albumup.journal.journal import Journal
    from albumup.session.stopping import Stopped, Stops, Told

_MOST_ALBUMS = 12
_MOST_NAMED = 3
_LET_GO = (Fate.STOPPED, Fate.FINISHED)


def run(app: App, albums: tuple[str, ...], target: str | None, *, is_now: bool) -> int:
    """Put albums on hold, and return when the uploader has let go of them."""
    app.writes = True
    if (found := opened(app, albums, target)) is None:
        return _nothing_to_stop(app)
    journal, meant = found
    options = [f"--target {quoted(target)}"] if target is not None else []
    cut = command("stop", albums, *options, "--now")
    signals: list[int] = []

    def tell(told: Told) -> None:
        app.screen.say(_sentence(told, cut, is_now=is_now))

    try:
        with Handlers(signals):
            stops = Stopping(journal, meant, is_now, tell, signals).stop()
    except Left as left:
        return left.code
    is_named = bool(albums)
    said = [one for one in stops.albums if is_named or one.fate is not Fate.SETTLED]
    if not said:
        return _nothing_to_stop(app)
    for line in _lines(app, journal, said, stops):
        app.screen.say(line)
    return 0


def _nothing_to_stop(app: App) -> int:
    app.screen.say(f"nothing to stop ({shown(app.journal)})")
    return 0


def _sentence(told: Told, cut: str, *, is_now: bool) -> str:
    """A message as a sentence. ``cut``: the command that does not wait for uploads in flight."""
    match told:
        case Finishing(uploads) if is_now:
            return f"Cutting {_named(uploads)}."
        case Finishing(uploads, seconds):
            about = f", in about {span(seconds)}" if seconds and seconds >= 1 else ""
            have = "has" if len(uploads) == 1 else "have"
            return f"Waiting until {_named(uploads)} in flight {have} ended{about}. To cut: {cut}"
        case Unheard(pid):
            return f"Process {pid} has not answered yet. It is waited for; Ctrl-C leaves it at that"
        case Leaving(pid, code):
            line = f"Left. Process {pid} lets go of it as soon as what is in flight has ended"
            return words.ended(line, code)


def _named(uploads: Sequence[Upload], more: str = "") -> str:
    """Uploads in words: their number, the first names, and their bytes."""
    paths = [one.path for one in uploads]
    names = [shortened(escape(telling(path, paths)), WIDEST) for path in paths[:_MOST_NAMED]]
    left = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
    total = size(sum(one.bytes for one in uploads))
    return f"{counted(len(uploads), 'upload')} ({', '.join(names)}{left}: {total}{more})"


def _lines(app: App, journal: Journal, said: Sequence[Stopped], stops: Stops) -> list[str]:
    """Lines about the albums' fates, and about the uploader."""
    lines = []
    cut = [upload for one in said for upload in one.cut]
    if parts := [upload for upload in cut if not upload.is_whole]:
        lines.append(f"Cut {_named(parts, ' to send again')}")
    if whole := [upload for upload in cut if upload.is_whole]:
        they = "it" if len(whole) == 1 else "they"
        lines.append(f"Cut before the answer came: {_named(whole)}; {they} may be there already")
    if stops.pid is None and any(one.fate is not Fate.SETTLED for one in said):
        lines.append("Nobody is uploading.")
    lines += [_album_line(app, journal, one) for one in said[:_MOST_ALBUMS]]
    if len(said) > _MOST_ALBUMS:
        lines.append(f"and {len(said) - _MOST_ALBUMS} more albums, likewise: albumup status")
    if stops.pid is not None and stops.goes_on:
        lines.append(f"Process {stops.pid} goes on with {words.title_of_all(stops.goes_on)}.")
    elif stops.pid is not None and any(one.fate in _LET_GO for one in said):
        lines.append(f"Process {stops.pid} ends.")
    return lines


def _album_line(app: App, journal: Journal, one: Stopped) -> str:
    album, found = one.found.now.album, one.found
    verb = titles.verb_of(journal.connection, album, app)
    resume = resume_command(journal, album)
    match one.fate:
        case Fate.STOPPED:
            line = sums.of_stopped_run(found, 143, verb, resume)
        case Fate.WAITS | Fate.WAITED:
            is_held = one.fate is Fate.WAITED
            line = sums.of_album_on_hold(found, verb, resume, was_held=is_held)
        case Fate.RESUMED:
            line = "handed over again meanwhile, and goes on"
        case _:
            line = sums.of_finished_album(found, verb)
    return f"{titles.title_of(journal, album)}: {line}"
