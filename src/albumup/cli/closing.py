"""How a run ended: what got there, what did not and why, and what to type now."""

from __future__ import annotations

import sqlite3

from albumup.cli.screen import escape, name_of, photos, size, span
from albumup.cli.words import quoted, title_of
from albumup.config import shown
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.rows import Album, Tally
from albumup.journal.states import DONE, WANTING, Owed, State
from albumup.uploader.terms import RunEnd

_MOST_NAMED = 20


def summary(journal: Journal, album: Album, before: int, end: RunEnd, local: str = "") -> list[str]:
    """How a run ended for one album. ``before``: photos that were there before; ``local``: the inbox's folder.

    The total is of this run: neither what was there before, nor what was given up in an earlier one, is in it.
    """
    tally = runs.tally(journal, album.id)
    sent = tally.count(*DONE) - before
    unsent = runs.unsent(journal, album.id)
    wanting = tally.count(*WANTING) - runs.asking(journal, album.id)
    earlier = _given_up_before(journal, album, end.run_id)
    known, known_bytes = _not_sent_as_there(journal, album, end.run_id)
    sent -= known
    total = sent + unsent + wanting - earlier
    name, code = title_of(journal, album), end.exit_code
    tail = f"    (exit {code})" if code else ""
    verb = "copied" if local else "sent"
    if unsent:
        stopped = "stopped, " if end.exit_code in (129, 130, 143) else ""
        on_hold = "On hold until: albumup resume" if end.exit_code == 130 else "Go on with: albumup resume"
        lines = [f"{name}: {stopped}{sent} of {total} {verb}, {unsent} waiting. {on_hold}{tail}"]
        return [*lines, *named(journal, album, wanting)]
    moved = tally.size(*DONE) - end.before[album.id][1] - known_bytes
    pace = f" in {span(end.seconds)} ({size(moved)}, {size(moved / max(end.seconds, 0.001))}/s)"
    duplicates = tally.count(State.DUPLICATE) - known
    parts = [f"{sent} of {total} {verb}{pace if sent else ''}" if total else "nothing to send"]
    if wanting > earlier:
        parts[0] += f", {wanting - earlier} not"
    if known:
        parts.append(f"{known} already there")
    if before:
        parts.append(f"{before} were there before")
    elif duplicates:
        parts.append(f"{duplicates} of them were there already")
    if earlier:
        parts.append(f"{earlier} still not, from before")
    if not total and runs.owes(journal, album.id):
        parts = ["all sent"]
    lines = [f"{name}: {'; '.join(parts)}" + ("" if wanting else tail)]
    if share := _share(journal, album):
        lines.append(f"  {share}")
    lines += _sidecars(journal, album, end.run_id)
    lines += _unplaced(journal, album)
    return [*lines, *named(journal, album, wanting, tail)]


def _sidecars(journal: Journal, album: Album, run_id: int) -> list[str]:
    """The sidecars of what got there in this run: how many went along, and which did not."""
    rows = journal.rows(
        "select sidecar.path, sidecar.sent, sidecar.sha256, task.state from sidecar join task on task.id = task_id"
        " where task.album_id = ? and task.state in ('uploaded', 'duplicate') and case when task.attempts"
        " then exists (select 1 from attempt where attempt.task_id = task.id and run_id = ?)"
        " else task.updated >= (select started from run where id = ?) end order by task.id",
        album.id,
        run_id,
        run_id,
    )
    went, left = sum(row["sent"] for row in rows), [row for row in rows if not row["sent"]]
    lines = []
    if went:
        lines.append(f"  {went} {'sidecar goes' if went == 1 else 'sidecars go'} along")
    if left:
        lines.append(f"  {len(left)} {'sidecar did' if len(left) == 1 else 'sidecars did'} not go along:")
        lines += [f"    {name_of(row['path'])}  {_why_left(row)}" for row in left[:_MOST_NAMED]]
    if len(left) > _MOST_NAMED:
        lines.append(f"    and {len(left) - _MOST_NAMED} more")
    return lines


def _why_left(row: sqlite3.Row) -> str:
    if row["sha256"] is None:
        return "it could not be read, or is too large for one (1 MiB)"
    if row["state"] == State.DUPLICATE:
        return "the server had its photo already"
    return "nothing shows that its photo was taken from us"


def _unplaced(journal: Journal, album: Album) -> list[str]:
    """Photos that are on the server and not in the album there."""
    lines = []
    if owed := runs.unplaced(journal, album.id, Owed.PLACE):
        lines.append(f"  {photos(owed)} sent, and not yet in the album there. Go on with: albumup resume")
    elif runs.owes_share(journal, album.id):
        lines.append("  its share link is not made yet. Go on with: albumup resume")
    if waiting := runs.unplaced(journal, album.id, Owed.WAITS):
        clips = "clip of a live photo is" if waiting == 1 else "clips of live photos are"
        lines.append(f"  {waiting} {clips} there, and outside the album until the still gets there or is cancelled")
    rows = journal.rows(
        f"select photo.path, task.reason from task join photo on photo.id = task.photo_id"
        f" where task.album_id = ? and task.owed = {int(Owed.GIVEN_UP)} order by task.id limit ?",
        album.id,
        _MOST_NAMED,
    )
    lines += [f"  {name_of(row['path'])}  {escape(row['reason'])}" for row in rows]
    if rows:
        name = quoted(album.name)
        lines.append(f"Again: albumup retry-failed {name}; what was deleted there: albumup forget {name}, then push")
    return lines


def _not_sent_as_there(journal: Journal, album: Album, run_id: int) -> tuple[int, int]:
    """Photos, and their bytes, that the server was found to have in this run, so that they were not sent."""
    row = journal.rows(
        "select count(*), coalesce(sum(size), 0) from task where album_id = ? and state = 'duplicate' and attempts = 0"
        " and updated >= (select started from run where id = ?)",
        album.id,
        run_id,
    )[0]
    return row[0], row[1]


def _given_up_before(journal: Journal, album: Album, run_id: int) -> int:
    """Photos that are not there since before this run, and that it did not touch."""
    return int(
        journal.rows(
            "select count(*) from task where album_id = ? and state in ('failed', 'rejected', 'missing', 'in_doubt')"
            " and ask_at is null and updated < (select started from run where id = ?)",
            album.id,
            run_id,
        )[0][0]
    )


def _share(journal: Journal, album: Album) -> str:
    """The album's address for people, where the config names one."""
    rows = journal.rows("select share from album where id = ?", album.id)
    return escape(rows[0][0] or "") if rows else ""


def named(journal: Journal, album: Album, wanting: int, tail: str = "") -> list[str]:
    """The photos that did not get there, and what to type."""
    if not wanting:
        return []
    rows = journal.rows(
        "select photo.path, task.state, task.reason from task join photo on photo.id = task.photo_id"
        " where task.album_id = ? and task.state in ('failed', 'rejected', 'missing', 'in_doubt')"
        " and task.ask_at is null order by task.id limit ?",
        album.id,
        _MOST_NAMED,
    )
    width = max((len(name_of(row["path"])) for row in rows), default=0)
    lines = [
        f"  {name_of(row['path']):<{width}}  {row['state'].replace('_', ' '):<8}  {escape(row['reason'])}"
        for row in rows
    ]
    if wanting > len(rows):
        lines.append(f"  and {wanting - len(rows)} more")
    tally, name = runs.tally(journal, album.id), quoted(album.name)
    states = "".join(f" --state {state}" for state in sorted(WANTING) if tally.count(state))
    flags = _flags(journal, album, tally)
    return [*lines, f"Again: albumup retry-failed {name}{flags}{tail}", f"Details: albumup list {name}{states}"]


def _flags(journal: Journal, album: Album, tally: Tally) -> str:
    """What ``retry-failed`` has to be told, so that it takes all that did not get there."""
    flags = " --rejected" if tally.count(State.REJECTED) else ""
    goes_unasked = journal.rows(
        "select 1 from task where album_id = ? and state = 'in_doubt'"
        " and (reason like '%(resend = never)%' or reason like '%cannot be asked%') limit 1",
        album.id,
    )
    return flags + (" --in-doubt" if goes_unasked else "")


def settled(journal: Journal, album: Album, path: str, code: int) -> list[str]:
    """An album with nothing to send; names the journal that was looked at."""
    tally = runs.tally(journal, album.id)
    wanting = tally.count(*WANTING)
    tail = f"    (exit {code})" if code else ""
    gone = f", {wanting} not" if wanting else ""
    line = f"{title_of(journal, album)}: nothing to do; {tally.count(*DONE)} sent{gone} ({shown(path)})"
    return [line, *_unplaced(journal, album), *named(journal, album, wanting, tail)]


def followed(journal: Journal, album: Album, before: int) -> list[str]:
    """What a follower says at the end."""
    tally = runs.tally(journal, album.id)
    sent, unsent = tally.count(*DONE) - before, runs.unsent(journal, album.id)
    wanting = tally.count(*WANTING) - runs.asking(journal, album.id)
    waiting = f", {unsent} waiting. Go on with: albumup resume" if unsent else ""
    gone = f", {wanting} not" if wanting else ""
    line = f"{title_of(journal, album)}: {sent} of {sent + unsent + wanting} sent{gone}{waiting}"
    return [line, *named(journal, album, wanting)]


def late_notice(journal: Journal, album: Album, created: float) -> str:
    """The notice that a process owed when it died."""
    tally = runs.tally(journal, album.id)
    wanting = tally.count(*WANTING) - runs.asking(journal, album.id)
    gone = f", {wanting} not" if wanting else ""
    when = span(max(0.0, journal.clock() - created))
    return f"{title_of(journal, album)}: finished {when} ago: {photos(tally.count(*DONE))} sent{gone}"
