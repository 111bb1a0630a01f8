"""The words for cron: only news since the last run, and the commands to type."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from msgspec import Struct

from albumup.cli.app import App
from albumup.cli.due import next_round
from albumup.cli.endings import Ending, commands_for
from albumup.cli.figures import photos, span
from albumup.cli.titles import title_of
from albumup.config.file import Config
from albumup.errors import AlbumupError
from albumup.journal import rounds as rounds_of
from albumup.journal.journal import Journal
from albumup.journal.rows import Album
from albumup.journal.states import RETRIED, State
from albumup.journal.summary import RunSummary, summary_of
from albumup.session.ladder import wait_after
from albumup.session.news import tell
from albumup.session.reasons import grouped
from albumup.session.rounds import most_of_doubts
from albumup.uploader.commands import album_command


class Rounds(Struct, frozen=True):
    """The most rounds that some photos have had, and the most that they get; 0: none."""

    had: int
    most: int

    @property
    def are_over(self) -> bool:
        return 0 < self.most <= self.had


NO_ROUNDS = Rounds(0, 0)


def cron_summary(
    journal: Journal, config: Config, found: RunSummary, rounds: int, verb: str = "sent"
) -> Ending:
    """The closing words of retry-failed for an album with news. ``verb``: "sent" or "copied"."""
    now = found.now
    failed, doubts = now.count(*RETRIED), now.count(State.IN_DOUBT) - now.asked
    had = rounds_of.most(journal, now.album.id) if failed else 0
    doubted = NO_ROUNDS
    if doubts:
        most = most_of_doubts(journal, config, now.album, rounds)
        doubted = Rounds(rounds_of.most_of_doubts(journal, now.album.id), most)
    words = cron_words(found, had, rounds, verb, doubted)
    line = f"{title_of(journal, now.album)}: {words}"
    commands = commands_for(journal, now)
    if had >= rounds and failed:
        commands = _kept(commands, failed, "failed")
    elif doubted.are_over and not failed:
        commands = _kept(commands, doubts, "in doubt")
    if now.unsent:
        commands.append(f"Go on with: {album_command(journal, 'resume', now.album)}")
    groups = grouped(journal, now.album.id) if now.wanting else []
    return Ending(now.album.id, line, not (now.wanting or now.is_unfinished), groups, (), commands)


def _kept(commands: list[str], count: int, state: str) -> list[str]:
    """Commands for photos that cron gives no more rounds."""
    stays = f"It stays {state} until: " if count == 1 else f"They stay {state} until: "
    return [command.replace("Again: ", stays) for command in commands]


def cron_words(
    found: RunSummary, had: int, rounds: int, verb: str = "sent", doubted: Rounds = NO_ROUNDS
) -> str:
    """The standing of an album after a round.

    ``had``: the most rounds that a failed photo has had; ``rounds``: the most that it gets;
    ``verb``: "sent" or "copied"; ``doubted``: the rounds of photos in doubt.
    """
    now = found.now
    failed, doubts = now.count(*RETRIED), now.count(State.IN_DOUBT) - now.asked
    parts = []
    if failed:
        again = " again" if had else ""
        parts.append(f"{photos(failed)} failed{again}{_nth(Rounds(had, rounds))}")
    counts = {
        "rejected": now.count(State.REJECTED),
        f"in doubt{_nth(doubted)}": doubts,
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


def _nth(rounds: Rounds) -> str:
    """The round that photos have just had, in brackets; "" if they had none, or get none."""
    if not rounds.had or not rounds.most:
        return ""
    then = "the last one" if rounds.are_over else f"next in {span(wait_after(rounds.had))}"
    return f" (round {rounds.had} of {rounds.most}, {then})"
