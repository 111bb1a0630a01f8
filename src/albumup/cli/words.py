"""The sentences: what happened, what failed, what to type now. Everything from files and servers is escaped here."""

from __future__ import annotations

import os
import sqlite3
import time
from datetime import UTC, datetime
from typing import Any

from albumup.cli.screen import escape, name_of, photos, size, span
from albumup.config import shown
from albumup.journal import media, runs
from albumup.journal.journal import Journal
from albumup.journal.reading import addresses
from albumup.journal.rows import Album, Tally
from albumup.journal.states import DONE, WANTING, Owed, State
from albumup.retry import LADDER
from albumup.targets.building import INBOX, inbox_folder
from albumup.uploader.lane import Closing
from albumup.uploader.origins import STRANGER
from albumup.uploader.progress import Progress
from albumup.uploader.terms import RunEnd

_MOST_NAMED = 20
_UNSENT = (State.PENDING, State.SENDING, State.IN_DOUBT)


def shown_name(album: str) -> str:
    return escape(album, 60)


def quoted(text: str) -> str:
    """An album's name, or a path, as it is typed in a shell."""
    import shlex

    if text.isprintable():
        return shlex.quote(text)
    # As bash and zsh read it: nothing invisible is shown, and what is typed is the name.
    return "$'" + "".join(_typed(letter) for letter in text) + "'"


def _typed(letter: str) -> str:
    """A character between ``$'`` and ``'``."""
    number = ord(letter)
    if letter in "\\'":
        return "\\" + letter
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is no text
        return f"\\x{number - 0xDC00:02x}"
    code = f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
    return letter if letter.isprintable() else code


def utc(seconds: float) -> str:
    """Unix seconds as JSON has them."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event_json(event: dict[str, Any]) -> dict[str, Any]:
    """An event as a line of ``--json``."""
    found = {"event": event["event"], "time": utc(event["time"]), "album": None, "target": None} | event
    found["time"] = utc(event["time"])
    if "path" in event:
        found["path"] = os.fsdecode(event["path"])
    if event.get("next_at"):
        found["next_at"] = utc(event["next_at"])
    return found


def summary_event(code: int, albums: list[dict[str, Any]]) -> dict[str, Any]:
    """The last line of ``--json``."""
    one = albums[0] if len(albums) == 1 else {}
    return {
        "event": "summary",
        "time": utc(time.time()),
        "album": one.get("album"),
        "target": one.get("target"),
        "exit": code,
        "albums": albums,
    }


def event_line(event: dict[str, Any]) -> str:
    """What a person is told of an event while the bars go; "" for most."""
    if event["event"] in DONE:
        return ""
    name = name_of(event.get("path", b""))
    error = escape(str(event.get("error") or ""))
    match event["event"]:
        case "attempt" if event.get("outcome") == "rejected":
            return f"  ! {name}  {error}; held back, for this server has not accepted any photo yet"
        case "attempt" if event.get("held"):
            return f"  ! {name}  {error}, try {event['tries']} of {event['of']}; given up if other photos get through"
        case "attempt" if event.get("outcome") in ("not_taken", "in_doubt", "broken"):
            if not event["costs"]:
                return f"  ! {name}  {error}, not counted as a try"
            wait = max(0.0, event["next_at"] - time.time())
            due = f"in {span(wait)}" if wait >= 0.5 else "at once"
            return f"  ! {name}  {error}, try {event['tries']} of {event['of']}, next {due}"
        case "failed" | "rejected" | "missing":
            return f"  ! {name}  {event['event']}: {error}"
        case "in_doubt":
            asks_in = event.get("asks_in")
            ask = f"; the server is asked in {span(asks_in)}" if asks_in is not None else ""
            return f"  ? {name}  {error}{ask}"
        case "changed":
            return f"  ! {name}  changed since it was queued ({error}); it is read again"
        case "paused":
            return f"  ! {escape(event['target'])}: {_pause(event)}"
        case "album":
            return f"  ! {escape(event['album'])}: {escape(str(event['words']))}"
        case "framed_anew":
            return f"{escape(event['target'])} is set up otherwise now: what was ready for it is made ready anew"
        case "spooled":
            return f"{photos(event['photos'])} copied. You can take the card out now."
    return ""


def _pause(event: dict[str, Any]) -> str:
    """ "502 Bad Gateway, for 3 h 5 min now; trying again for 5 min at most"."""
    lasted = f", for {span(event['lasted'])} now" if event["lasted"] >= 60 else ""
    return f"{escape(str(event['reason']))}{lasted}; trying again for {span(event['seconds'])} at most"


def local_folder(journal: Journal, album: Album, is_configured: bool) -> str:
    """The folder an album is copied to on this computer, or "" when it goes to a server."""
    if album.target != INBOX or is_configured or INBOX in runs.target_definitions(journal):
        return ""
    return inbox_of(album.name)


def inbox_of(album: str) -> str:
    """The folder of an album in the built-in inbox."""
    from albumup.receive.names import album_folder_name

    return shown(os.path.join(inbox_folder(), album_folder_name(album)))


def summary(journal: Journal, album: Album, before: int, end: RunEnd, local: str = "") -> list[str]:
    """How a run ended for one album. ``before``: photos that were there before; ``local``: the inbox's folder.

    The total is of this run: neither what was there before, nor what was given up in an earlier one, is in it.
    """
    tally = runs.tally(journal, album.id)
    sent = tally.count(*DONE) - before
    unsent = _unfinished(journal, album)
    wanting = tally.count(*WANTING) - _asking(journal, album)
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
        return [*lines, *_named(journal, album, wanting)]
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
    return [*lines, *_named(journal, album, wanting, tail)]


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


def _named(journal: Journal, album: Album, wanting: int, tail: str = "") -> list[str]:
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


def title_of(journal: Journal, album: Album) -> str:
    """The album's name, with its target where another one has the same name."""
    twins = journal.rows("select count(*) from album where name = ?", album.name)[0][0]
    name = shown_name(album.name)
    where = addresses(journal.connection).get(album.target, album.target)
    return f"{name} ({escape(where)})" if twins > 1 else name


def settled(journal: Journal, album: Album, path: str, code: int) -> list[str]:
    """An album with nothing to send; names the journal that was looked at."""
    tally = runs.tally(journal, album.id)
    wanting = tally.count(*WANTING)
    tail = f"    (exit {code})" if code else ""
    gone = f", {wanting} not" if wanting else ""
    line = f"{title_of(journal, album)}: nothing to do; {tally.count(*DONE)} sent{gone} ({shown(path)})"
    return [line, *_unplaced(journal, album), *_named(journal, album, wanting, tail)]


def forgotten(name: str) -> str:
    """An album that another albumup dropped from the journal while this one was at it: it was settled."""
    return f"{escape(name, 60)}: forgotten meanwhile; nothing of it waits"


def followed(journal: Journal, album: Album, before: int) -> list[str]:
    """What a follower says at the end."""
    tally = runs.tally(journal, album.id)
    sent, unsent = tally.count(*DONE) - before, _unfinished(journal, album)
    wanting = tally.count(*WANTING) - _asking(journal, album)
    waiting = f", {unsent} waiting. Go on with: albumup resume" if unsent else ""
    gone = f", {wanting} not" if wanting else ""
    line = f"{title_of(journal, album)}: {sent} of {sent + unsent + wanting} sent{gone}{waiting}"
    return [line, *_named(journal, album, wanting)]


def cron_summary(journal: Journal, album: Album, before: int, end: RunEnd, rounds: int) -> list[str]:
    """What retry-failed says of an album when there is news: one line, and the photos that failed again."""
    tally = runs.tally(journal, album.id)
    sent = tally.count(*DONE) - before
    failed, others = tally.count(State.FAILED, State.MISSING), tally.count(State.REJECTED, State.IN_DOUBT)
    others -= _asking(journal, album)
    unsent = _unfinished(journal, album)
    parts = []
    if failed:
        row = journal.rows(
            "select max(rounds) as rounds from task where album_id = ? and state in ('failed', 'missing')", album.id
        )[0]
        had = row["rounds"]
        nth = f" (round {had} of {rounds}, {_next_round(had, rounds)})" if had else ""
        parts.append(f"{photos(failed)} failed{' again' if had else ''}{nth}")
    if others:
        parts.append(f"{others} rejected or in doubt")
    if sent:
        parts.append(f"{sent} sent")
    if unsent:
        parts.append(f"{unsent} waiting")
    is_well = not (failed or others or unsent or runs.is_unfinished(journal, album.id))
    tail = f"    (exit {end.exit_code})" if end.exit_code and not is_well else ""
    line = f"{title_of(journal, album)}: {', '.join(parts) or 'nothing to send'}{tail}"
    return [line, *_named(journal, album, failed + others)[:-2]]


def _next_round(had: int, rounds: int) -> str:
    return "the last one" if had >= rounds else f"next in {span(LADDER[min(had, len(LADDER) - 1)])}"


def fingerprint(journal: Journal, album: Album) -> str:
    """What cron is told of an album, without what changes by itself."""
    tally = runs.tally(journal, album.id)
    rounds = journal.rows(
        "select sum(rounds) from task where album_id = ? and state in ('failed', 'missing')", album.id
    )
    counts = ", ".join(f"{state} {count}" for state, count in sorted(tally.photos.items()) if count)
    return f"{counts}; rounds {rounds[0][0] or 0}"


def late_notice(journal: Journal, album: Album, created: float) -> str:
    """The notice that a process owed when it died."""
    tally = runs.tally(journal, album.id)
    wanting = tally.count(*WANTING) - _asking(journal, album)
    gone = f", {wanting} not" if wanting else ""
    when = span(max(0.0, journal.clock() - created))
    return f"{title_of(journal, album)}: finished {when} ago: {photos(tally.count(*DONE))} sent{gone}"


def closed(name: str, closing: Closing) -> list[str]:
    """Why a target is not tried again in this run."""
    lines = [escape(closing.words, 1000)]
    if closing.exit_code == 75:
        lines = [f"{escape(name)}: {escape(closing.words)}; given up for now, try again later"]
    hint = escape(closing.hint, 1000)
    return [*lines, hint if hint.startswith("albumup ") else hint[:1].upper() + hint[1:]] if hint else lines


def away(journal: Journal, path: bytes, why: str) -> list[str]:
    """Why the photos below a path wait, and what to do."""
    lines = [f"{escape(path)}: {escape(why)}. Bring back its card or disk, then: albumup resume (or push it again)"]
    if why == STRANGER:
        push = f"albumup push {quoted(os.fsdecode(path))} --edited"
        for name in media.waiting_at(journal.connection, path):
            lines.append(f"Or, if these are the same photos, edited: {push} --album {quoted(name)}")
            lines.append(f"To give up what is not sent: albumup cancel {quoted(name)}")
    return lines


def _asking(journal: Journal, album: Album) -> int:
    return int(
        journal.rows(
            "select count(*) from task where album_id = ? and state = 'in_doubt' and ask_at is not null", album.id
        )[0][0]
    )


def _unfinished(journal: Journal, album: Album) -> int:
    return runs.tally(journal, album.id).count(State.PENDING, State.SENDING) + _asking(journal, album)


def opening(journal: Journal, album: Album) -> str:
    """ "trip: stopped 3 hours ago; 176 left, 2.4 GB"."""
    tally = runs.tally(journal, album.id)
    last = journal.rows(
        "select max(changed, max(coalesce(ended, started))) from album join scope on album_id = album.id"
        " join run on run.id = run_id where album.id = ?",
        album.id,
    )[0][0]
    when = f"stopped {span(journal.clock() - last)} ago; " if last else ""
    left = _unfinished(journal, album)
    if not left:
        return f"{title_of(journal, album)}: {when}all sent, and not yet all done in the album there"
    return f"{title_of(journal, album)}: {when}{photos(left)} left, {size(tally.size(State.PENDING, State.SENDING))}"


class Follower:
    """Progress of albums as the journal has it."""

    def __init__(self, journal: Journal, album_ids: list[int], before: dict[int, int]) -> None:
        self._journal, self._album_ids, self._before = journal, album_ids, before
        self._bytes_before = sum(runs.tally(journal, album).size(*DONE) for album in album_ids)

    def title(self) -> str:
        known = {album.id: album.name for album in runs.albums(self._journal)}
        names = {known[one] for one in self._album_ids if one in known}
        return shown_name(names.pop()) if len(names) == 1 else f"{len(names)} albums"

    def progress(self) -> Progress:
        tallies = [runs.tally(self._journal, album) for album in self._album_ids]
        done = sum(tally.count(*DONE) for tally in tallies) - sum(self._before.values())
        done_bytes = sum(tally.size(*DONE) for tally in tallies) - self._bytes_before
        left = sum(tally.count(*_UNSENT) for tally in tallies)
        left_bytes = sum(tally.size(*_UNSENT) for tally in tallies)
        return Progress(done, done + left, done_bytes, done_bytes + left_bytes, True, 0, 0, (), ())
