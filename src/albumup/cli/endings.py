"""How a run ended for an album: what got there, what did not and why, and what to type now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from albumup.cli.escaping import escape
from albumup.cli.figures import counted, photos, size, span, were
from albumup.cli.names import Names
from albumup.cli.reasons import MOST_LINES, lines_of, rows
from albumup.cli.titles import has_twin, title_of
from albumup.cli.words import ended
from albumup.config.file import shown
from albumup.journal import runs
from albumup.journal import summary as summary_of
from albumup.journal.journal import Journal
from albumup.journal.reading import goes_unasked
from albumup.journal.rows import Album, Tally
from albumup.journal.states import DONE, WANTING, Membership, State
from albumup.journal.summary import Sidecar
from albumup.photos.file_names import quoted
from albumup.session.reasons import Group, grouped
from albumup.uploader.options import RunEnd

_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Note:
    """Something else there is to say of an album, in a line; what it counts is named below it, where there is room."""

    words: str
    items: Sequence[str] = ()
    """A line each, of the first of them."""
    count: int = 0
    """How many there are of them."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The closing words of an album. Read from below: what to type, the ``summary``, and the details it comes from."""

    album_id: int
    summary: str
    is_well: bool = False
    groups: Sequence[Group] = ()
    """The photos that did not get there."""
    notes: Sequence[Note] = ()
    commands: Sequence[str] = ()
    link: str = ""
    """The album's address for people."""


def composed(endings: Sequence[Ending], names: Names) -> list[tuple[str, bool]]:
    """The lines of a run's end, each with whether it is a line of an album that is well.

    The details of all albums together have ten lines; each album has its share. The last words are of those that are
    not well.
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
    """At most that many rows: first what is said, then what it counts, by name."""
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
    """What a note counts, in at most that many rows, each line of which is counted."""
    if len(note.items) >= note.count and sum(map(rows, note.items)) <= most:
        return list(note.items)
    kept = _fitting(note.items, most - 1)
    return [*kept, f"    and {note.count - len(kept)} more"] if kept else []


def _fitting(lines: Sequence[str], most: int) -> list[str]:
    """The first of them, as many as have that many rows together."""
    kept = 0
    while kept < len(lines) and sum(map(rows, lines[: kept + 1])) <= most:
        kept += 1
    return list(lines[:kept])


def with_code(lines: Sequence[tuple[str, bool]], code: int) -> list[tuple[str, bool]]:
    """The lines, with the exit code at the end of the last one, which is then not silenced; as they are with 0."""
    if not code or not lines:
        return list(lines)
    return [*lines[:-1], (ended(lines[-1][0], code), False)]


def summary(
    journal: Journal, album: Album, before: int, end: RunEnd, names: Names, local: str = "", newest: int | None = None
) -> Ending:
    """How a run ended for one album. ``before``: photos that were there before; ``local``: the inbox's folder;
    ``newest``: the newest task that there was before the command, None where it queued nothing.

    The total is of this run: neither what was there before, nor what was given up in an earlier one, is in it.
    """
    tally = runs.tally(journal, album.id)
    unsent = runs.unsent(journal, album.id)
    wanting = runs.wanting(journal, album.id)
    earlier = summary_of.given_up_before(journal, album.id, end.run_id, newest)
    there = summary_of.found_there(journal, album.id, end.run_id)
    sent = tally.count(*DONE) - before - there.photos
    total = sent + unsent + wanting - earlier
    verb = "copied" if local else "sent"
    counted = f"{sent} of {total} {verb}" if total else "nothing to send"
    name = title_of(journal, album)
    groups = grouped(journal, album.id) if wanting else []
    commands = commands_for(journal, album, wanting)
    if unsent:
        stopped = "stopped, " if end.exit_code in (129, 130, 143) else ""
        gone = f", {wanting - earlier} not" if wanting > earlier else ""
        on_hold = "On hold until: albumup resume" if end.exit_code == 130 else "Go on with: albumup resume"
        line = f"{name}: {stopped}{counted}, {unsent} waiting{gone}. {on_hold}"
        return Ending(album.id, line, False, groups, (), commands)
    moved = tally.size(*DONE) - end.before[album.id][1] - there.bytes
    pace = f" in {span(end.seconds)} ({size(moved)}, {size(moved / max(end.seconds, 0.001))}/s)"
    parts = [f"{counted}{pace if sent else ''}"]
    if wanting > earlier:
        parts[0] += f", {wanting - earlier} not"
    if there.known:
        parts.append(f"{there.known} already there")
    if there.twins:
        parts.append(f"{there.twins} twice in the folder")
    if there.sent_to_it:
        parts.append(f"{there.sent_to_it} of them {were(there.sent_to_it)} there already")
    if before:
        parts.append(f"{before} {were(before)} there before")
    if earlier:
        parts.append(f"{earlier} still not, from before")
    if not total and runs.is_pending_there(journal, album.id):
        parts = ["all sent"]
    is_well = not wanting and not runs.is_unfinished(journal, album.id) and not runs.is_wanting(journal, album.id)
    notes = [*_unplaced(journal, album, names), *_sidecars(journal, album, end.run_id, names)]
    link = escape(summary_of.share_of(journal, album.id))
    return Ending(album.id, f"{name}: {'; '.join(parts)}", is_well, groups, notes, commands, link)


def _sidecars(journal: Journal, album: Album, run_id: int, names: Names) -> list[Note]:
    """The sidecars of what got there in this run: how many went along, and which did not."""
    found = summary_of.sidecars(journal, album.id, run_id)
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


def _unplaced(journal: Journal, album: Album, names: Names) -> list[Note]:
    """Photos that are on the server and not in the album there."""
    notes = []
    if pending := runs.members(journal, album.id, Membership.PENDING):
        notes.append(Note(f"  {photos(pending)} sent, and not yet in the album there. Go on with: albumup resume"))
    elif runs.is_share_pending(journal, album.id):
        notes.append(Note("  its share link is not made yet. Go on with: albumup resume"))
    if waiting := runs.members(journal, album.id, Membership.WAITING):
        clips = "clip of a live photo is" if waiting == 1 else "clips of live photos are"
        words = f"  {waiting} {clips} there, and outside the album until the still gets there or is cancelled"
        notes.append(Note(words))
    if given_up := runs.members(journal, album.id, Membership.REFUSED):
        refused = summary_of.refused_places(journal, album.id, _MOST_NAMED)
        named = [f"    {names.of(path)}  {escape(reason)}" for path, reason in refused]
        notes.append(Note(f"  {photos(given_up)} could not be put into the album there", named, given_up))
    return notes


def commands_for(journal: Journal, album: Album, wanting: int) -> list[str]:
    """The commands for the ``wanting`` photos that did not get there, and for those outside the album there."""
    tally, name = runs.tally(journal, album.id), _typed(journal, album)
    lines = []
    if runs.members(journal, album.id, Membership.REFUSED):
        lines.append(f"What was deleted there: {forget_command(journal, album)}")
        if not wanting:
            lines.append(f"Again: albumup retry-failed {name}")
    if wanting:
        states = "".join(f" --state {state}" for state in sorted(WANTING) if tally.count(state))
        lines.append(f"Again: {retry_command(journal, album)}")
        lines.append(f"Details: albumup list {name}{states}")
    return lines


def _typed(journal: Journal, album: Album) -> str:
    """An album's name as it is typed, with its target where another one has the same name."""
    name = quoted(album.name)
    return f"{name} --target {quoted(album.target)}" if has_twin(journal, album) else name


def forget_command(journal: Journal, album: Album) -> str:
    """What sends again what the server had, and has no more."""
    return f"albumup forget {_typed(journal, album)}, then push"


def retry_command(journal: Journal, album: Album) -> str:
    """The command that gives all photos of an album that did not get there a fresh set of tries."""
    flags = _flags(journal, album, runs.tally(journal, album.id))
    return f"albumup retry-failed {_typed(journal, album)}{flags}"


def _flags(journal: Journal, album: Album, tally: Tally) -> str:
    """The options with which ``retry-failed`` takes all photos that did not get there."""
    flags = " --rejected" if tally.count(State.REJECTED) else ""
    held_back = goes_unasked(journal.connection, album.name, album.target)
    return flags + (" --in-doubt" if held_back else "")


def settled(journal: Journal, album: Album, path: str, names: Names, lost: int = 0) -> Ending:
    """An album with nothing to send; names the journal that was looked at. ``lost``: photos that the server had."""
    tally = runs.tally(journal, album.id)
    wanting = tally.count(*WANTING)
    gone = f", {wanting} not" if wanting else ""
    if lost:
        gone = f" before, {lost} of them gone there{gone}"
    line = f"{title_of(journal, album)}: nothing to do; {tally.count(*DONE)} sent{gone} ({shown(path)})"
    groups = grouped(journal, album.id) if wanting else []
    notes, commands = _unplaced(journal, album, names), commands_for(journal, album, wanting)
    return Ending(album.id, line, not commands, groups, notes, commands)


def followed(journal: Journal, album: Album, before: int) -> Ending:
    """The closing words of a follower."""
    tally = runs.tally(journal, album.id)
    sent, unsent = tally.count(*DONE) - before, runs.unsent(journal, album.id)
    wanting = runs.wanting(journal, album.id)
    waiting = f", {unsent} waiting. Go on with: albumup resume" if unsent else ""
    gone = f", {wanting} not" if wanting else ""
    line = f"{title_of(journal, album)}: {sent} of {sent + unsent + wanting} sent{gone}{waiting}"
    groups = grouped(journal, album.id) if wanting else []
    return Ending(album.id, line, not wanting and not unsent, groups, (), commands_for(journal, album, wanting))


def late_notice(journal: Journal, album: Album, created: float) -> str:
    """The notice that a process owed when it died."""
    tally = runs.tally(journal, album.id)
    wanting = runs.wanting(journal, album.id)
    gone = f", {wanting} not" if wanting else ""
    when = span(max(0.0, journal.clock() - created))
    return f"{title_of(journal, album)}: finished {when} ago: {photos(tally.count(*DONE))} sent{gone}"
