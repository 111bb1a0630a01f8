"""``albumup status``: where every album stands. Creates nothing, imports little."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from albumup.cli.app import App
from albumup.cli.escaping import escape
from albumup.cli.figures import ago, size, span
from albumup.cli.screen import put_json, put_table
from albumup.cli.sums import retry_options
from albumup.cli.words import shown_name
from albumup.errors import ConfigError
from albumup.journal.lock import is_locked
from albumup.journal.opening import local_faults, paths_of
from albumup.journal.reading import goes_unasked, pauses, rounds_had, running, status_of
from albumup.journal.states import State
from albumup.journal.summary import Summary, summaries
from albumup.photos.file_names import quoted
from albumup.session.albums import chosen

Standing = tuple[list[Summary], tuple[int, str] | None]
"""Albums, and the run that is on: its process id and start."""


def run(app: App, albums: tuple[str, ...], target: str | None, as_json: bool) -> int:
    """A line per album: what is sent, what waits, what failed, who is uploading."""
    show(app, albums, target, as_json=as_json)
    return 0


def show(
    app: App, albums: Sequence[str] = (), target: str | None = None, *, as_json: bool = False
) -> Standing:
    """Where the albums stand, on stdout; what else is to be known of them, on stderr."""
    from albumup.config.file import shown

    with local_faults(app.journal):
        connection = app.reader()
        found = summaries(connection) if connection is not None else []
        sick = pauses(connection) if connection is not None else []
        rounds = rounds_had(connection) if connection is not None else {}
        run = (
            running(connection)
            if connection is not None and is_locked(paths_of(app.journal)["lock"])
            else None
        )
    wanted = set(chosen([_place(one) for one in found], albums, target))
    found = [one for one in found if _place(one) in wanted]
    if as_json:
        shown_ones = [
            {key: value for key, value in status_of(one).items() if key != "changed"}
            for one in found
        ]
        uploader = {"pid": run[0], "since": run[1]} if run else None
        put_json({"schema": 1, "journal": app.journal, "uploader": uploader, "albums": shown_ones})
    elif found:
        _put_table(found, run)
        _say_sick(app, found, sick)
        _say_rounds(app, found, rounds)
    else:
        app.screen.say(f"nothing to do ({shown(app.journal)})")
    return found, run


def alone(app: App) -> int:
    """What ``albumup`` alone says on a terminal: where things stand, and what to type next."""
    found, run = show(app)
    if run is not None:
        app.screen.say(f"Process {run[0]} is uploading. Next: albumup status")
    else:
        app.screen.say(f"Next: {_next(app, found)}    (all commands: albumup --help)")
    return 0


def _next(app: App, found: list[Summary]) -> str:
    """The one command that makes sense now."""
    if any(one.is_unfinished for one in found):
        return "albumup resume"
    failing = next((one for one in found if one.wanting), None)
    if failing is None:
        return "albumup push FOLDER"
    album, target = _place(failing)
    is_told_apart = [one.album.name for one in found].count(album) > 1
    with local_faults(app.journal):
        connection = app.reader()
        is_unasked = connection is not None and goes_unasked(connection, album, target)
    words = f"{quoted(album)} --target {quoted(target)}" if is_told_apart else quoted(album)
    return f"albumup retry-failed {words}{retry_options(failing, is_unasked=is_unasked)}"


def _place(one: Summary) -> tuple[str, str]:
    """Its name and its target's."""
    return one.album.name, one.album.target


def _say_sick(app: App, found: list[Summary], sick: Sequence[tuple[str, float, str]]) -> None:
    """Since when a server that albums wait for does not work."""
    waiting = {one.album.target: one.address for one in found if one.is_unfinished}
    for name, since, why in sick:
        if name in waiting:
            lasted = span(max(0.0, time.time() - since))
            app.screen.say(
                f"{escape(waiting[name] or name)} has not worked for {lasted}: {escape(why)}"
            )


def _say_rounds(
    app: App, found: list[Summary], rounds: dict[tuple[str, str], list[tuple[int, float]]]
) -> None:
    """When cron's next round is due, of the albums that had one."""
    having = [one for one in found if _place(one) in rounds and not one.album.held]
    if not having:
        return
    from albumup.cli.cron import next_round

    try:
        most = app.config.defaults.rounds
    except ConfigError:
        return  # whoever wants to send anything is told of that
    names = [one.album.name for one in found]
    for one in having:
        album, target = _place(one)
        name = shown_name(album)
        title = name if names.count(album) == 1 else f"{name} ({one.address or target})"
        app.screen.say(f"{title}: {next_round(rounds[album, target], most, time.time())}")


def _put_table(found: list[Summary], run: tuple[int, str] | None) -> None:
    any_cancelled = any(one.count(State.CANCELLED) for one in found)
    rows = [_row(one, run, any_cancelled=any_cancelled) for one in found]
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


def _row(one: Summary, run: tuple[int, str] | None, *, any_cancelled: bool) -> tuple[object, ...]:
    state = _state(one, run)
    cancelled = [one.count(State.CANCELLED)] if any_cancelled else []
    return (
        one.album.name,
        one.address or one.album.target,
        state,
        f"{one.there}/{one.total}",
        one.unsent,
        one.wanting,
        *cancelled,
        size(one.total_bytes - one.there_bytes),
        "now" if state.startswith("running") else _when(one.changed),
    )


def _state(one: Summary, run: tuple[int, str] | None) -> str:
    if not one.is_unfinished:
        return "settled"
    if one.album.held:
        return "held"
    return f"running pid {run[0]}" if run else "waiting"


def _when(iso: str) -> str:
    return ago((datetime.now(UTC) - datetime.fromisoformat(iso)).total_seconds())
