"""The words for cron: only news since the last run, and what to type."""

from __future__ import annotations

from collections.abc import Sequence

from albumup.cli.endings import Ending, commands_for
from albumup.cli.figures import photos, span
from albumup.cli.titles import title_of
from albumup.journal import rounds as rounds_of
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.rows import Album
from albumup.journal.states import DONE, RETRIED, State
from albumup.photos.file_names import quoted
from albumup.session.reasons import grouped
from albumup.session.rounds import due_in, wait_after


def cron_summary(journal: Journal, album: Album, before: int, rounds: int) -> Ending:
    """What retry-failed says of an album when there is news."""
    tally = runs.tally(journal, album.id)
    sent = tally.count(*DONE) - before
    failed, rejected = tally.count(*RETRIED), tally.count(State.REJECTED)
    doubts = tally.count(State.IN_DOUBT) - runs.asking(journal, album.id)
    unsent = runs.unsent(journal, album.id)
    had = rounds_of.most(journal, album.id) if failed else 0
    parts = []
    if failed:
        nth = f" (round {had} of {rounds}, {_next_round(had, rounds)})" if had else ""
        parts.append(f"{photos(failed)} failed{' again' if had else ''}{nth}")
    if rejected:
        parts.append(f"{rejected} rejected")
    if doubts:
        parts.append(f"{doubts} in doubt")
    if sent:
        parts.append(f"{sent} sent")
    if unsent:
        parts.append(f"{unsent} waiting")
    wanting = failed + rejected + doubts
    is_well = not (wanting or unsent or runs.is_unfinished(journal, album.id))
    line = f"{title_of(journal, album)}: {', '.join(parts) or 'nothing to send'}"
    groups = grouped(journal, album.id) if wanting else []
    commands = commands_for(journal, album, wanting)
    if failed and had >= rounds:
        stays = "It stays failed until: " if failed == 1 else "They stay failed until: "
        commands = [command.replace("Again: ", stays) for command in commands]
    if unsent:
        commands.append(f"Go on with: albumup resume {quoted(album.name)}")
    return Ending(album.id, line, is_well, groups, (), commands)


def on_hold(journal: Journal, album: Album) -> str:
    """The line that an album on hold is left alone, and how to go on."""
    waiting = runs.unsent(journal, album.id)
    what = f"; {waiting} waiting" if waiting else ""
    return f"{title_of(journal, album)}: on hold, left alone{what}. Go on with: albumup resume {quoted(album.name)}"


def due(journal: Journal, album: Album, rounds: int) -> str:
    """When cron gives what failed its next fresh set of tries, for the end of a sentence; "" where nothing failed."""
    found = rounds_of.had(journal, album.id)
    if not found:
        return ""
    return f"; {next_round(found, rounds, journal.clock())}"


def next_round(tasks: Sequence[tuple[int, float]], most: int, now: float) -> str:
    """When the next fresh set of tries is due for photos that failed, as ``due_in`` has it."""
    left = due_in(tasks, most, now)
    if left is None:
        return "cron gives no more rounds"
    return f"next round in {span(left)}" if left > 0 else "next round at cron's next turn"


def _next_round(had: int, rounds: int) -> str:
    return "the last one" if had >= rounds else f"next in {span(wait_after(had))}"
