"""The words for cron: only news since the last run, and the commands to type."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from albumup.cli.app import App
from albumup.cli.due import next_round
from albumup.cli.endings import Ending, commands_for
from albumup.cli.figures import photos, span
from albumup.cli.titles import title_of
from albumup.errors import AlbumupError
from albumup.journal import rounds as rounds_of
from albumup.journal.journal import Journal
from albumup.journal.rows import Album
from albumup.journal.states import RETRIED, State
from albumup.journal.summary import RunSummary, summary_of
from albumup.session.ladder import wait_after
from albumup.session.news import tell
from albumup.session.reasons import grouped
from albumup.uploader.commands import album_command


def cron_summary(journal: Journal, found: RunSummary, rounds: int, verb: str = "sent") -> Ending:
    """The closing words of retry-failed for an album with news. ``verb``: "sent" or "copied"."""
    now = found.now
    had = rounds_of.most(journal, now.album.id) if now.count(*RETRIED) else 0
    line = f"{title_of(journal, now.album)}: {cron_words(found, had, rounds, verb)}"
    commands = commands_for(journal, now)
    if had >= rounds and (failed := now.count(*RETRIED)):
        stays = "It stays failed until: " if failed == 1 else "They stay failed until: "
        commands = [command.replace("Again: ", stays) for command in commands]
    if now.unsent:
        commands.append(f"Go on with: {album_command(journal, 'resume', now.album)}")
    groups = grouped(journal, now.album.id) if now.wanting else []
    return Ending(now.album.id, line, not (now.wanting or now.is_unfinished), groups, (), commands)


def cron_words(found: RunSummary, had: int, rounds: int, verb: str = "sent") -> str:
    """The standing of an album after a round.

    ``had``: the most rounds that a failed photo has had; ``rounds``: the most that it gets;
    ``verb``: "sent" or "copied".
    """
    now = found.now
    failed, doubts = now.count(*RETRIED), now.count(State.IN_DOUBT) - now.asked
    parts = []
    if failed:
        nth = f" (round {had} of {rounds}, {_next_round(had, rounds)})" if had else ""
        parts.append(f"{photos(failed)} failed{' again' if had else ''}{nth}")
    counts = {
        "rejected": now.count(State.REJECTED),
        "in doubt": doubts,
        verb: now.there - found.before,
        "waiting": now.unsent,
    }
    parts += [f"{count} {words}" for words, count in counts.items() if count]
    return ", ".join(parts) or "nothing to send"


def on_hold(journal: Journal, album: Album) -> str:
    """The line that says that an album on hold is left alone, and how to go on."""
    waiting = summary_of(journal, album.id).unsent
    what = f"; {waiting} waiting" if waiting else ""
    resume = album_command(journal, "resume", album)
    return f"{title_of(journal, album)}: on hold, left alone{what}. Go on with: {resume}"


def due(journal: Journal, album: Album, rounds: int) -> str:
    """The time of cron's next set of tries, for a sentence's end; "" if nothing failed."""
    found = rounds_of.had(journal, album.id)
    if not found:
        return ""
    return f"; {next_round(found, rounds, journal.clock())}"


def is_news(app: App, what: str, fault: str) -> bool:
    """Whether ``fault``, which keeps a command from its work, differs from the last one reported.

    ``what``: the command; ``fault``: "" if there is none. If this cannot be noted, it counts as
    news.
    """
    try:
        if not app.has_journal():
            return True
        with closing(app.writer()) as journal:
            return tell(journal, what, fault)
    except (AlbumupError, sqlite3.Error):
        return True


def _next_round(had: int, rounds: int) -> str:
    return "the last one" if had >= rounds else f"next in {span(wait_after(had))}"
