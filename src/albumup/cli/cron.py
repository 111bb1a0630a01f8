"""What cron is told: only what changed since it was last told, and what to type."""

from __future__ import annotations

from albumup.cli.closing import Ending, commands_for
from albumup.cli.reasons import grouped
from albumup.cli.screen import photos, span
from albumup.cli.words import title_of
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.rows import Album
from albumup.journal.states import DONE, State
from albumup.retry import LADDER


def cron_summary(journal: Journal, album: Album, before: int, rounds: int) -> Ending:
    """What retry-failed says of an album when there is news."""
    tally = runs.tally(journal, album.id)
    sent = tally.count(*DONE) - before
    failed, others = tally.count(State.FAILED, State.MISSING), tally.count(State.REJECTED, State.IN_DOUBT)
    others -= runs.asking(journal, album.id)
    unsent = runs.unsent(journal, album.id)
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
    line = f"{title_of(journal, album)}: {', '.join(parts) or 'nothing to send'}"
    groups = grouped(journal, album.id) if failed + others else []
    return Ending(album.id, line, is_well, groups, (), commands_for(journal, album, failed + others))


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
