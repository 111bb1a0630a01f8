"""``albumup status``: where every album stands. Creates nothing, imports little."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from albumup.cli.app import App
from albumup.cli.due import next_round
from albumup.cli.escaping import escape
from albumup.cli.figures import ago, size, span
from albumup.cli.layout import sentence, size_of
from albumup.cli.screen import put_json, put_table
from albumup.cli.words import shown_name
from albumup.errors import ConfigError
from albumup.journal.lock import is_locked
from albumup.journal.opening import journal_gone, local_faults, paths_of
from albumup.journal.reading import (
    Running,
    goes_unasked,
    last_run,
    pauses,
    rounds_had,
    running,
    status_of,
)
from albumup.journal.states import State
from albumup.journal.summary import Summary, summaries
from albumup.photos.file_names import command, quoted
from albumup.session.albums import chosen
from albumup.uploader.commands import retry_options

if TYPE_CHECKING:
    import sqlite3

    from albumup.cli.left import Why
    from albumup.session.snapshot import Snapshot

_AROUND = 9
"""The rows of a terminal that are for what stands around the table: facts, and what to type."""


class Standing(NamedTuple):
    """The albums that were shown, and the run that is on."""

    albums: list[Summary]
    run: Running | None
    now: Snapshot | None
    """The run's latest snapshot."""
    why: Why | None = None
    """Why the albums wait, if no run is on."""


def run(app: App, albums: tuple[str, ...], target: str | None, as_json: bool) -> int:
    """Print a line for each album: sent, waiting and failed photos, and who uploads."""
    show(app, albums, target, as_json=as_json)
    return 0


def show(
    app: App,
    albums: Sequence[str] = (),
    target: str | None = None,
    *,
    as_json: bool = False,
    fits: bool = False,
) -> Standing:
    """Print the albums' standing on stdout, and further facts about them on stderr.

    ``fits``: if the table is higher than the terminal, albums that are well are only counted.
    """
    with local_faults(app.journal):
        is_held = is_locked(paths_of(app.journal)["lock"])
        connection = app.reader()
        if connection is None:
            return _without_journal(app, albums, target, as_json=as_json, is_held=is_held)
        known = summaries(connection)
        sick, rounds = pauses(connection), rounds_had(connection)
        run = running(connection) if is_held else None
        wanted = set(chosen([_place(one) for one in known], albums, target))
        found = [one for one in known if _place(one) in wanted]
        if not as_json:  # people read the end first
            found.sort(key=lambda one: (_urgency(one, run), one.changed))
        is_left = not is_held and any(one.is_unfinished for one in found)
        why = _why_left(app, connection, found, sick) if is_left else None
    if why is not None:
        sick = [one for one in sick if one[0] not in why.misled]
    standing = Standing(found, run, _snapshot(app, run), why)
    if as_json:
        _put_json(app, standing)
    elif found:
        done = _beyond_room(found, run) if fits else 0
        if done:
            app.screen.say(f"{done} more albums are settled, all photos there: albumup status")
        _put_table(found[done:], run)
        _say_running(app, standing.now)
        _say_sick(app, standing, sick)
        for line in why.lines if why is not None else ():
            app.screen.complain(line)
        _say_rounds(app, found, rounds)
    else:
        _say_nothing(app)
    return standing


def _snapshot(app: App, run: Running | None) -> Snapshot | None:
    """The snapshot of the present run; without a run, its modules are not loaded."""
    if run is None:
        return None
    from albumup.cli.running import snapshot_of

    return snapshot_of(app.journal, run)


def _why_left(
    app: App,
    connection: sqlite3.Connection,
    albums: list[Summary],
    sick: Sequence[tuple[str, float, str]],
) -> Why:
    from albumup.cli.left import why_left

    told = [name for name, _, _ in sick]
    return why_left(app.journal, connection, last_run(connection), albums, told)


def _say_running(app: App, now: Snapshot | None) -> None:
    if now is None:
        return
    from albumup.cli.running import lines

    for line in lines(now, time.time()):
        app.screen.say(line)


def _without_journal(
    app: App, albums: Sequence[str], target: str | None, *, as_json: bool, is_held: bool
) -> Standing:
    nothing = Standing([], None, None)
    if is_held:
        gone = journal_gone(app.journal)
        app.screen.complain(f"{gone}. {sentence(gone.hint)}")
    else:
        chosen([], albums, target)
    if as_json:
        _put_json(app, nothing)
    elif not is_held:
        _say_nothing(app)
    return nothing


def _say_nothing(app: App) -> None:
    from albumup.config.file import shown

    app.screen.say(f"nothing to do ({shown(app.journal)})")


def _put_json(app: App, standing: Standing) -> None:
    albums = [
        {key: value for key, value in status_of(one).items() if key != "changed"}
        for one in standing.albums
    ]
    uploader: dict[str, object] | None = None
    if standing.run is not None:
        uploader = {"pid": standing.run.pid, "since": standing.run.since}
    if uploader is not None and standing.now is not None:
        from albumup.cli.running import as_json

        uploader |= as_json(standing.now)
    put_json({"schema": 1, "journal": app.journal, "uploader": uploader, "albums": albums})


def alone(app: App) -> int:
    """Print the screen of ``albumup`` alone: where things stand, and what to type next."""
    found, run, _, why = show(app, fits=True)
    if run is not None:
        app.screen.say(f"Process {run.pid} is uploading. Next: albumup watch")
    elif found or not is_locked(paths_of(app.journal)["lock"]):  # else the journal was moved
        command = (why.command if why is not None else "") or _next(app, found)
        app.screen.say(f"Next: {command}    (all commands: albumup --help)")
    return 0


def _next(app: App, found: list[Summary]) -> str:
    """The one command that makes sense now."""
    if any(one.is_unfinished for one in found):
        return "albumup resume"
    failing = next((one for one in reversed(found) if one.wanting), None)
    if failing is None:
        return "albumup push FOLDER"
    album, target = _place(failing)
    is_told_apart = [one.album.name for one in found].count(album) > 1
    with local_faults(app.journal):
        connection = app.reader()
        is_unasked = connection is not None and goes_unasked(connection, album, target)
    where = [f"--target {quoted(target)}"] if is_told_apart else []
    options = retry_options(failing, is_unasked=is_unasked)
    return command("retry-failed", [album], *where, *options)


def _place(one: Summary) -> tuple[str, str]:
    """The album's name and its target's name."""
    return one.album.name, one.album.target


def _say_sick(app: App, standing: Standing, sick: Sequence[tuple[str, float, str]]) -> None:
    """Say for how long a server that albums wait for has not worked, and when it is given up."""
    waiting = {one.album.target: one.address for one in standing.albums if one.is_unfinished}
    now = time.time()
    for name, since, why in sick:
        if name in waiting:
            lasted = span(max(0.0, now - since))
            title, until = escape(waiting[name] or name), _given_up(standing.now, name, now)
            app.screen.say(f"{title} has not worked for {lasted}: {escape(why)}{until}")


def _given_up(snapshot: Snapshot | None, target: str, now: float) -> str:
    """The time until a sick server is given up, for a sentence's end; "" if it is unknown."""
    if snapshot is None:
        return ""
    from albumup.cli.running import given_up_in

    left = given_up_in(snapshot, target, now)
    return f"; given up in {span(left)}" if left is not None and left >= 1 else ""


def _say_rounds(
    app: App, found: list[Summary], rounds: dict[tuple[str, str], list[tuple[int, float]]]
) -> None:
    """Say when cron's next round is due, for albums that had a round."""
    having = [one for one in found if _place(one) in rounds and not one.album.held]
    if not having:
        return
    try:
        most = app.config.defaults.rounds
    except ConfigError:
        return  # commands that send report the bad config
    names = [one.album.name for one in found]
    for one in having:
        album, target = _place(one)
        name = shown_name(album)
        title = name if names.count(album) == 1 else f"{name} ({one.address or target})"
        app.screen.say(f"{title}: {next_round(rounds[album, target], most, time.time())}")


def _urgency(one: Summary, run: Running | None) -> int:
    """The place of an album in the table: what runs or needs something comes last."""
    if not one.is_unfinished:
        return 1 if one.wanting or one.is_refused else 0
    if one.album.held:
        return 2
    return 4 if run is not None and one.album.id in run.scope else 3


def _beyond_room(found: Sequence[Summary], run: Running | None) -> int:
    """The number of albums that are well, come first, and have no room on the terminal."""
    size = size_of(sys.stdout)
    if size is None:
        return 0
    well = sum(_urgency(one, run) == 0 for one in found)
    beyond = len(found) + _AROUND - size[1]
    return min(well, beyond) if beyond > 1 else 0


def _put_table(found: list[Summary], run: Running | None) -> None:
    any_cancelled = any(one.count(State.CANCELLED) for one in found)
    names = Counter(one.album.name for one in found)
    rows = [
        _row(one, run, any_cancelled=any_cancelled, is_twin=names[one.album.name] > 1)
        for one in found
    ]
    cancelled = ["CANCELLED"] if any_cancelled else []
    headers = (
        "ALBUM",
        "TARGET",
        "STATE",
        "SENT",
        "WAITING",
        "FAILED",
        *cancelled,
        "LEFT",
        "CHANGED",
    )
    put_table(headers, rows, cut=("ALBUM", "TARGET"), broken=("STATE", "CHANGED"))


def _row(
    one: Summary, run: Running | None, *, any_cancelled: bool, is_twin: bool = False
) -> tuple[object, ...]:
    """A row of the table. ``is_twin``: another album has its name; --target wants to be typed."""
    target = one.album.target
    place = target if is_twin else one.address or target
    state = _state(one, run)
    cancelled = [one.count(State.CANCELLED)] if any_cancelled else []
    return (
        one.album.name,
        place,
        state,
        f"{one.there}/{one.total}",
        one.unsent,
        one.wanting,
        *cancelled,
        size(one.total_bytes - one.there_bytes),
        "now" if state.startswith("running") else _when(one.changed),
    )


def _state(one: Summary, run: Running | None) -> str:
    if not one.is_unfinished:
        return "settled"
    if one.album.held:
        return "held"
    return f"running pid {run.pid}" if run and one.album.id in run.scope else "waiting"


def _when(iso: str) -> str:
    return ago((datetime.now(UTC) - datetime.fromisoformat(iso)).total_seconds())
