"""``albumup status``: where every album stands. Creates nothing, imports little."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from albumup.cli.app import App
from albumup.cli.escaping import escape
from albumup.cli.figures import ago, size, span
from albumup.cli.screen import put_json, put_table
from albumup.cli.words import shown_name
from albumup.errors import ConfigError
from albumup.journal.lock import is_locked
from albumup.journal.opening import local_faults, paths_of
from albumup.journal.reading import AlbumStatus, asking, goes_unasked, pauses, rounds_had, running, statuses
from albumup.photos.file_names import quoted
from albumup.session.albums import chosen

Standing = tuple[list[AlbumStatus], tuple[int, str] | None]
"""Albums, as ``statuses`` has them, and the run that is on: its process id and start."""


def run(app: App, albums: tuple[str, ...], target: str | None, as_json: bool) -> int:
    """A line per album: what is sent, what waits, what failed, who is uploading."""
    show(app, albums, target, as_json=as_json)
    return 0


def show(app: App, albums: Sequence[str] = (), target: str | None = None, *, as_json: bool = False) -> Standing:
    """Where the albums stand, on stdout; what else is to be known of them, on stderr."""
    from albumup.config.file import shown

    with local_faults(app.journal):
        connection = app.reader()
        found = statuses(connection)
        sick = pauses(connection) if connection is not None else []
        doubts = asking(connection) if connection is not None else {}
        rounds = rounds_had(connection) if connection is not None else {}
        run = running(connection) if connection is not None and is_locked(paths_of(app.journal)["lock"]) else None
    wanted = set(chosen([(one["album"], one["target"]) for one in found], albums, target))
    found = [one for one in found if (one["album"], one["target"]) in wanted]
    if as_json:
        shown_ones = [{key: value for key, value in one.items() if key != "changed"} for one in found]
        uploader = {"pid": run[0], "since": run[1]} if run else None
        put_json({"schema": 1, "journal": app.journal, "uploader": uploader, "albums": shown_ones})
    elif found:
        _put_table(found, run, doubts)
        _say_sick(app, found, sick)
        _say_rounds(app, found, rounds)
    else:
        app.screen.say(f"nothing to do ({shown(app.journal)})")
    return found, run


def alone(app: App) -> int:
    """What ``albumup`` without a command says on a terminal: where things stand, and what to type next."""
    found, run = show(app)
    if run is not None:
        app.screen.say(f"Process {run[0]} is uploading. Next: albumup status")
    else:
        app.screen.say(f"Next: {_next(app, found)}    (all commands: albumup --help)")
    return 0


def _next(app: App, found: list[AlbumStatus]) -> str:
    """The one command that makes sense now."""
    if not all(one["settled"] for one in found):
        return "albumup resume"
    for one in found:
        album, target, counts = one["album"], one["target"], one["counts"]
        if not counts["failed"] + counts["missing"] + counts["rejected"] + counts["in_doubt"]:
            continue
        words = ["albumup retry-failed", quoted(album)]
        if [other["album"] for other in found].count(album) > 1:
            words += ["--target", quoted(target)]
        if counts["rejected"]:
            words.append("--rejected")
        with local_faults(app.journal):
            connection = app.reader()
            if connection is not None and goes_unasked(connection, album, target):
                words.append("--in-doubt")
        return " ".join(words)
    return "albumup push FOLDER"


def _say_sick(app: App, found: list[AlbumStatus], sick: Sequence[tuple[str, float, str]]) -> None:
    """Since when a server that albums wait for does not work."""
    waiting = {one["target"]: one["address"] for one in found if not one["settled"]}
    for name, since, why in sick:
        if name in waiting:
            lasted = span(max(0.0, time.time() - since))
            app.screen.say(f"{escape(waiting[name] or name)} has not worked for {lasted}: {escape(why)}")


def _say_rounds(app: App, found: list[AlbumStatus], rounds: dict[tuple[str, str], list[tuple[int, float]]]) -> None:
    """When cron's next round is due, of the albums that had one."""
    having = [one for one in found if (one["album"], one["target"]) in rounds and not one["held"]]
    if not having:
        return
    from albumup.cli.cron import next_round

    try:
        most = app.config.defaults.rounds
    except ConfigError:
        return  # whoever wants to send anything is told of that
    names = [one["album"] for one in found]
    for one in having:
        name = shown_name(one["album"])
        title = name if names.count(one["album"]) == 1 else f"{name} ({one['address'] or one['target']})"
        app.screen.say(f"{title}: {next_round(rounds[one['album'], one['target']], most, time.time())}")


def _put_table(found: list[AlbumStatus], run: tuple[int, str] | None, asking: dict[tuple[str, str], int]) -> None:
    """``asking``: by album and target, the photos in doubt that are still to be asked about: they wait."""
    rows = []
    any_cancelled = any(one["counts"]["cancelled"] for one in found)
    for one in found:
        counts = one["counts"]
        sent = counts["uploaded"] + counts["duplicate"]
        in_doubt = asking.get((one["album"], one["target"]), 0)
        waiting = counts["pending"] + counts["sending"] + in_doubt
        failed = counts["failed"] + counts["rejected"] + counts["missing"] + counts["in_doubt"] - in_doubt
        state = _state(one, run)
        total = sent + waiting + failed
        left = one["bytes"]["total"] - one["bytes"]["sent"]
        changed = "now" if state.startswith("running") else _when(one["changed"])
        rows.append(
            (
                one["album"],
                one["address"] or one["target"],
                state,
                f"{sent}/{total}",
                waiting,
                failed,
                *([counts["cancelled"]] if any_cancelled else []),
                size(left),
                changed,
            )
        )
    cancelled = ["CANCELLED"] if any_cancelled else []
    headers = ("ALBUM", "TARGET", "STATE", "SENT", "WAITING", "FAILED", *cancelled, "LEFT", "CHANGED")
    put_table(headers, rows, cut=("ALBUM", "TARGET"), broken=("STATE", "CHANGED"))


def _state(album: AlbumStatus, run: tuple[int, str] | None) -> str:
    if album["settled"]:
        return "settled"
    if album["held"]:
        return "held"
    return f"running pid {run[0]}" if run else "waiting"


def _when(iso: str) -> str:
    return ago((datetime.now(UTC) - datetime.fromisoformat(iso)).total_seconds())
