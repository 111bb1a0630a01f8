"""The end of a run for an album: its sent photos, the others and why, and what to type now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from albumup.cli import sums
from albumup.cli.escaping import escape
from albumup.cli.figures import counted, photos
from albumup.cli.names import Names
from albumup.cli.reasons import MOST_LINES, lines_of, rows
from albumup.cli.titles import title_of
from albumup.cli.words import ended
from albumup.config.file import shown
from albumup.errors import AlbumupError
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.rows import Album
from albumup.journal.states import WANTING, State
from albumup.journal.summary import Outside, RunSummary, Sidecar, Summary, outside_of, sidecars
from albumup.session.reasons import Group, grouped
from albumup.session.snapshot import Ended
from albumup.uploader.commands import album_command, retry_command
from albumup.uploader.options import RunEnd
from albumup.uploader.upstream import Closing

_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Note:
    """A further line about an album; its items are named below it if there is room."""

    words: str
    items: Sequence[str] = ()
    """A line for each of the first things."""
    count: int = 0
    """The number of all things."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The closing words of an album.

    People read them from below: the commands to type, the ``summary``, and the details behind it.
    """

    album_id: int
    summary: str
    is_well: bool = False
    groups: Sequence[Group] = ()
    """The photos that did not get to the server."""
    notes: Sequence[Note] = ()
    commands: Sequence[str] = ()
    link: str = ""
    """The album's address for people, or ""."""


def composed(endings: Sequence[Ending], names: Names) -> list[tuple[str, bool]]:
    """The lines of a run's end, each with whether it is about an album that is well.

    The details of all albums together have ten lines; each album has its share. Albums that are not
    well come last.
    """
    lines: list[tuple[str, bool]] = []
    left = MOST_LINES
    telling = [one for one in endings if one.groups or one.notes]
    for ending in sorted(endings, key=lambda one: not one.is_well):
        details: list[str] = []
        if ending in telling:
            details = _details(ending, names, -(-left // len(telling)))
            telling.remove(ending)
            left -= sum(map(rows, details))
        said = [*details, ending.summary, *ending.commands]
        lines += [(line, ending.is_well) for line in said]
        if ending.link:
            lines.insert(-len(ending.commands) or len(lines), (f"  {ending.link}", ending.is_well))
    return lines


def _details(ending: Ending, names: Names, most: int) -> list[str]:
    lines = lines_of(ending.groups, names, most)
    return [*lines, *_noted(ending.notes, most - sum(map(rows, lines)))]


def _noted(notes: Sequence[Note], most: int) -> list[str]:
    """The notes in at most ``most`` rows: first their own words, then their items."""
    spare = most - sum(rows(note.words) for note in notes)
    if spare < 0:
        kept = _fitting([note.words for note in notes], most - 1)
        return [*kept, f"  and {len(notes) - len(kept)} more"] if most > 0 else []
    lines: list[str] = []
    for note in notes:
        named = _named(note, spare)
        spare -= sum(map(rows, named))
        lines += [note.words + (":" if named else ""), *named]
    return lines


def _named(note: Note, most: int) -> list[str]:
    """The things that a note counts, in at most ``most`` rows."""
    if len(note.items) >= note.count and sum(map(rows, note.items)) <= most:
        return list(note.items)
    kept = _fitting(note.items, most - 1)
    return [*kept, f"    and {note.count - len(kept)} more"] if kept else []


def _fitting(lines: Sequence[str], most: int) -> list[str]:
    """As many of the first lines as fit into ``most`` rows."""
    kept = 0
    while kept < len(lines) and sum(map(rows, lines[: kept + 1])) <= most:
        kept += 1
    return list(lines[:kept])


def with_code(lines: Sequence[tuple[str, bool]], code: int) -> list[tuple[str, bool]]:
    """The lines, the last one with the exit code and never silenced; unchanged if the code is 0."""
    if not code or not lines:
        return list(lines)
    return [*lines[:-1], (ended(lines[-1][0], code), False)]


def of_run(
    journal: Journal, found: RunSummary, end: RunEnd, names: Names, *, verb: str = "sent"
) -> Ending:
    """The end of a run for one album. ``verb``: "sent", or "copied" into the inbox."""
    now = found.now
    album = now.album
    name, groups = title_of(journal, album), _groups(journal, now)
    commands = commands_for(journal, now)
    if now.unsent and album.id in runs.with_heirs(journal, end.run_id):
        line = f"{name}: {sums.of_inherited(found, verb)}"
        return Ending(album.id, line, not groups, groups, (), commands)
    if now.unsent:
        resume = resume_command(journal, album, end.exit_code)
        line = f"{name}: {sums.of_stopped_run(found, end.exit_code, verb, resume)}"
        return Ending(album.id, line, False, groups, (), commands)
    along = sidecars(journal, album.id, end.run_id)
    notes = [
        *_unplaced(now, outside_of(journal, album.id, _MOST_NAMED), names),
        *_sidecar_notes(along, names),
    ]
    is_well = not (now.is_unfinished or now.is_wanting)
    line = f"{name}: {sums.of_ended_run(found, end.seconds, verb)}"
    return Ending(album.id, line, is_well, groups, notes, commands, escape(album.share or ""))


def resume_command(journal: Journal, album: Album, code: int = 0) -> str:
    """The command that goes on with an album.

    ``code``: the run's exit code. After Ctrl-C all albums wait for that command, else only an album
    on hold.
    """
    is_alone = album.held and code != 130
    return album_command(journal, "resume", album) if is_alone else sums.RESUME


def run_end(ended: Ended, run_id: int, before: dict[int, tuple[int, int]]) -> RunEnd:
    """The end of a run that another process has made. ``before``: as in ``RunEnd``."""
    why = ended.fault
    fault = AlbumupError(why.words, why.hint) if why is not None else None
    closings = {
        name: Closing(one.exit_code, one.words, one.hint) for name, one in ended.closings.items()
    }
    return RunEnd(
        exit_code=ended.exit_code,
        run_id=run_id,
        before=before,
        closings=closings,
        away=ended.away,
        fault=fault,
        seconds=ended.seconds,
    )


def _groups(journal: Journal, now: Summary) -> list[Group]:
    """The photos that did not get to the server, grouped by reason; most albums have none."""
    return grouped(journal, now.album.id) if now.wanting else []


def _sidecar_notes(found: Sequence[Sidecar], names: Names) -> list[Note]:
    """Notes about the sidecars of a run's photos: how many went along, and which did not."""
    went, left = sum(one.was_sent for one in found), [one for one in found if not one.was_sent]
    notes = []
    if went:
        notes.append(Note(f"  {went} {'sidecar goes' if went == 1 else 'sidecars go'} along"))
    if left:
        words = f"  {counted(len(left), 'sidecar')} did not go along"
        named = [f"    {names.of(one.path)}  {_why_left(one)}" for one in left[:_MOST_NAMED]]
        notes.append(Note(words, named, len(left)))
    return notes


def _why_left(sidecar: Sidecar) -> str:
    if not sidecar.is_read:
        return "it could not be read, or is too large for one (1 MiB)"
    if sidecar.state is State.DUPLICATE:
        return "the server had its photo already"
    return "nothing shows that its photo was taken from us"


def _unplaced(now: Summary, outside: Outside, names: Names) -> list[Note]:
    """Notes about photos that are on the server, but not in the album there."""
    notes = []
    if outside.placing:
        placing = photos(outside.placing)
        notes.append(
            Note(f"  {placing} sent, and not yet in the album there. Go on with: albumup resume")
        )
    elif now.is_share_pending:
        notes.append(Note("  its share link is not made yet. Go on with: albumup resume"))
    if outside.waiting:
        clips = "clip of a live photo is" if outside.waiting == 1 else "clips of live photos are"
        words = f"{clips} there, and outside the album until the still gets there or is cancelled"
        notes.append(Note(f"  {outside.waiting} {words}"))
    if outside.refused:
        named = [f"    {names.of(path)}  {escape(reason)}" for path, reason in outside.reasons]
        words = f"  {photos(outside.refused)} could not be put into the album there"
        notes.append(Note(words, named, outside.refused))
    return notes


def commands_for(journal: Journal, now: Summary) -> list[str]:
    """The commands for photos that did not get to the server, or not into the album there."""
    lines = []
    if now.is_refused:
        lines.append(f"What was deleted there: {forget_command(journal, now.album)}")
        if not now.wanting:
            lines.append(f"Again: {album_command(journal, 'retry-failed', now.album)}")
    if now.wanting:
        states = [f"--state {state}" for state in sorted(WANTING) if now.count(state)]
        lines.append(f"Again: {retry_command(journal, now)}")
        lines.append(f"Details: {album_command(journal, 'list', now.album, *states)}")
    return lines


def forget_command(journal: Journal, album: Album) -> str:
    """The command that sends photos again which the server had and has no more."""
    return f"{album_command(journal, 'forget', album)}, then push"


def settled(
    journal: Journal, now: Summary, path: str, names: Names, *, lost: int = 0, verb: str = "sent"
) -> Ending:
    """The closing words of an album with nothing to send, with the journal's path.

    ``lost``: the number of photos that the server had and has no more. ``verb``: as in ``of_run``.
    """
    line = f"{title_of(journal, now.album)}: {sums.of_settled(now, lost, verb)} ({shown(path)})"
    notes = _unplaced(now, outside_of(journal, now.album.id, _MOST_NAMED), names)
    commands = commands_for(journal, now)
    return Ending(now.album.id, line, not commands, _groups(journal, now), notes, commands)


def followed(journal: Journal, found: RunSummary, verb: str = "sent", code: int = 0) -> Ending:
    """The closing words about an album that another process has sent.

    ``verb``: as in ``of_run``; ``code``: the run's exit code.
    """
    now = found.now
    words = sums.of_followed(found, verb, resume_command(journal, now.album, code))
    is_well = not now.wanting and not now.unsent
    return _without_notes(journal, now, words, is_well=is_well)


def standing(journal: Journal, now: Summary, verb: str = "sent") -> Ending:
    """The closing words about an album that nobody sends."""
    words = sums.of_standing(now, verb, resume_command(journal, now.album))
    is_well = not now.wanting and not now.is_unfinished
    return _without_notes(journal, now, words, is_well=is_well)


def _without_notes(journal: Journal, now: Summary, words: str, *, is_well: bool) -> Ending:
    line = f"{title_of(journal, now.album)}: {words}"
    groups, commands = _groups(journal, now), commands_for(journal, now)
    return Ending(now.album.id, line, is_well, groups, (), commands)
