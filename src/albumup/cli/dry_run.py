"""``albumup push --dry-run``: what a push would do, and what its server has already."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from albumup.cli.destination import sentence_of
from albumup.cli.escaping import escape
from albumup.cli.events import event_json, summary_event
from albumup.cli.figures import photos, size
from albumup.cli.oddities import say_oddities
from albumup.cli.queued import left_out, unread
from albumup.cli.screen import put_json
from albumup.cli.titles import inbox_of
from albumup.cli.words import shown_name
from albumup.config.file import OPTIONS
from albumup.config.shown_address import shown_address
from albumup.journal.reading import narrowing
from albumup.journal.states import GOING, State
from albumup.journal.summary import Summary, summaries
from albumup.photos.file_names import command
from albumup.session.already import Already
from albumup.uploader.events import Progress, Queued

if TYPE_CHECKING:
    import sqlite3

    from albumup.cli.app import App
    from albumup.session.destination import Destination
    from albumup.session.intake import Intake


def dry_run(app: App, intake: Intake, copies_to: str, *, as_json: bool) -> int:
    """Say what a push would do; journal, target and spool stay as they are.

    A server that a push would ask about digests is asked here, too. ``copies_to``: the folder that
    the photos would be copied to first, or "". Returns the exit code.
    """
    reader = app.reader()
    intake.look_into(reader)
    already = _already(app, intake)
    _say_photos(app, intake, already, as_json=as_json)
    known = _known(reader, intake)
    _say_album(app, intake, known)
    if already is not None and intake.survey.queued:
        _say_there(app, already)
    if copies_to:
        app.screen.say(f"They would be copied to {escape(copies_to)} first.")
    for note in intake.where.notes:
        app.screen.say(sentence_of(intake.album, note))
    _say_left_out(app, intake, reader)
    app.screen.say("Nothing was done: nothing is queued, and nothing was sent.")
    code = 3 if intake.survey.folders else 0
    if as_json:
        put_json(summary_event(code, known))
    return code


def _already(app: App, intake: Intake) -> Already | None:
    """The object that asks the server which photos it has; None if the server is not asked."""
    server = intake.where.target
    if server is None or not server.asks_first or app.screen.quiet:
        return None
    return Already(server, intake.album, partial(_show_read, app))


def _say_photos(app: App, intake: Intake, already: Already | None, *, as_json: bool) -> None:
    """Name each photo that would be queued."""
    for arrival in intake.arrivals():
        if arrival.action == "repin":
            continue
        if as_json:
            event = Queued(
                time.time(), intake.album, intake.where.name, arrival.path, arrival.pins.size
            )
            put_json(event_json(event))
        app.screen.say(escape(arrival.path, 4096))
        if already is not None:
            already.add(arrival)
    intake.expect_photos()


def _say_album(app: App, intake: Intake, known: Sequence[Summary]) -> None:
    survey, name = intake.survey, shown_name(intake.album)
    verb = "copied" if intake.where.target is None else "sent"
    would = f"{photos(survey.queued)} would be queued ({size(survey.size)})"
    app.screen.say(f"{name}: {would}, {_where(intake.where, intake.album)}")
    app.screen.say(_of_album(known[0], verb) if known else "It would be a new album.")


def _say_left_out(app: App, intake: Intake, reader: sqlite3.Connection | None) -> None:
    """Say which files would not be queued, and why."""
    survey = intake.survey
    for line in unread(survey.folders):
        app.screen.complain(line)
    parts = left_out(survey)
    if survey.wanting_count and reader is not None:
        where = narrowing(reader, intake.album, intake.where.name)
        again = command("retry-failed", [intake.album], *where)
        parts.append(f"{photos(survey.wanting_count)} did not get there earlier: {again}")
    if parts:
        app.screen.say(f"Of what lies here: {'; '.join(parts)}")
    say_oddities(app.screen, survey)


def _where(where: Destination, album: str) -> str:
    """The words for the server, or for the folder on this computer, that photos would go to."""
    target = where.target
    if target is None:
        return f"to be copied to {escape(inbox_of(album))} on this computer"
    url = escape(shown_address(target.settings.url))
    return f"for {url}" if target.where == OPTIONS else f"for {escape(target.title)} ({url})"


def _known(reader: sqlite3.Connection | None, intake: Intake) -> list[Summary]:
    """The sums of the album that the photos would go to; empty if the journal has no such album."""
    sums = summaries(reader) if reader is not None else []
    place = intake.album, intake.where.name
    return [one for one in sums if (one.album.name, one.album.target) == place]


def _of_album(found: Summary, verb: str) -> str:
    """An album as the journal has it: "The album has 12 photos: 10 sent, 1 waiting, 1 failed"."""
    rest = (State.FAILED, State.REJECTED, State.MISSING, State.IN_DOUBT, State.CANCELLED)
    parts = {
        verb: found.there,
        "waiting": found.count(*GOING),
        **{state.replace("_", " "): found.count(state) for state in rest},
    }
    words = ", ".join(f"{count} {state}" for state, count in parts.items() if count)
    return f"The album has {photos(sum(parts.values()))}, by the journal: {words}"


def _show_read(app: App, count: int, length: int) -> None:
    """Show how many photos are read; their total is unknown before the scan has ended."""
    app.screen.show(Progress(count, count + 1, length, length, False, 0, 0, (), ()), "reading")


def _say_there(app: App, already: Already) -> None:
    """Say how many of the photos the server has, and how many would be sent."""
    there, address = already.all(), escape(already.address)
    app.screen.end_bars()
    if there.fault:
        app.screen.say(f"What {address} has already could not be asked: {escape(there.fault)}")
        return
    known = photos(there.known) if there.known else "none"
    sent = f"{photos(there.new)} would be sent ({size(there.new_bytes)})"
    app.screen.say(f"{address} has {known} of them already; {sent}.")
    for why, count in there.refused.items():
        app.screen.say(f"It would refuse {photos(count)}: {escape(why)}")
