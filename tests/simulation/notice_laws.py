"""The laws of notices: each cause has exactly one, and the user gets it once."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from albumup.journal.states import State
from albumup.uploader.kinds import kind_of
from simulation.laws import Broken, rows

if TYPE_CHECKING:
    from albumup.uploader.options import RunEnd
    from simulation.scene import Scene


class _Told(NamedTuple):
    """A notice that is or was in the journal."""

    cause: str
    target: str
    words: str
    run: int


def always(scene: Scene, reader: sqlite3.Connection) -> None:
    """What holds in each crash image, and after each run."""
    found = rows(reader, "select * from notice order by id")
    keys = {row["key"] for row in found}
    if not scene.clock_jumped and (lost := scene.owed - keys):
        raise Broken(f"notices are not in the journal any more: {lost}")
    scene.owed |= keys
    _settled_is_told(reader, found)
    sick, run = "select sick_since from target", "select coalesce(max(id), 0) from run"
    if rows(reader, sick)[0][0] is None:
        scene.well_after.add(rows(reader, run)[0][0])
    well_is_told_once(scene, reader)
    _troubles_are_told_once(scene, reader, found)
    _is_delivered_once(scene)


def well_is_told_once(scene: Scene, reader: sqlite3.Connection) -> None:
    """That a target works again is told once, where it was told that it does not."""
    before: dict[str, str] = {}
    for one in _history(scene, rows(reader, "select * from notice")):
        last = before.get(one.target, "")
        if one.cause == "well" and last != "unreachable":
            raise Broken(f"{one.target} works again, and nobody had been told: {last}")
        if one.cause in ("unreachable", "well"):
            before[one.target] = one.cause


def after_run(scene: Scene, reader: sqlite3.Connection, end: RunEnd) -> None:
    """A run that nobody watched has told why it did not go on; one that somebody watched has
    not."""
    owed = rows(reader, "select * from notice where cause = 'stopped' order by id")
    messages = [json.loads(row["summary"]) for row in owed]
    own = [one for one in messages if one["run"] == end.run_id]
    is_watched = rows(reader, "select watched from run where id = ?", end.run_id)[0][0]
    is_stopped = end.exit_code in (130, 143) and not scene.was_ordered
    if own and (is_watched or is_stopped):
        raise Broken(f"somebody saw the run end, and a notice is owed: {own}")
    found = [one.words for one in end.closings.values() if one.exit_code in (1, 4)]
    if is_watched:
        scene.seen.update(map(kind_of, found))  # the screen of the run has told them
    if (
        is_watched
        or end.exit_code in (0, 3)
        or scene.was_stopped
        or scene.came_too_late
        or end.fault is not None
    ):
        return
    told = {kind_of(one["words"]) for one in messages} | scene.seen
    if lacking := [words for words in found if kind_of(words) not in told]:
        raise Broken(f"nobody saw the run end, and no notice tells of {lacking}")
    if len(own) > len(found) + len(end.away):
        raise Broken(f"the run owes {len(own)} notices for {found} and {end.away}")


def at_the_end(scene: Scene, reader: sqlite3.Connection) -> None:
    """What holds once commands had the time to deliver."""
    always(scene, reader)
    for row in rows(reader, "select * from notice order by id"):
        words = f"the notice {row['cause']} ({json.loads(row['summary'])['words']})"
        if row["delivered"] is None or row["claimed_by"] is not None:
            raise Broken(f"{words} is not delivered")
        key, channel = row["key"], scene.channel
        if scene.plan.hook and row["handed_over"] is None:
            raise Broken(f"{words} was never handed over")
        if scene.plan.hook and not channel.got[key] and not channel.failed[key]:
            raise Broken(f"{words} is lost: its hook was never run")


def _settled_is_told(reader: sqlite3.Connection, found: list[sqlite3.Row]) -> None:
    """Of a settled album the last notice says how it stands; none says what the one before it
    said."""
    told: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in found:
        if row["cause"] == "settled":
            told[row["album_id"]].append(json.loads(row["summary"])["counts"])
    for album_id, counts in told.items():
        if any(one == before for before, one in pairwise(counts)):
            raise Broken(f"album {album_id} is told twice to have settled, and nothing is new")
    sql = (
        "select id from v_albums join album on album.name = v_albums.album where settled"
        " and id in (select album_id from scope)"
    )
    for (album_id,) in reader.execute(sql).fetchall():
        states = dict(
            reader.execute(
                "select state, count(*) from task where album_id = ? group by state", (album_id,)
            ).fetchall()
        )
        now = {state.value: states.get(state.value, 0) for state in State}
        if not told[album_id] or told[album_id][-1] != now:
            raise Broken(f"album {album_id} has settled with {states}, and nobody is told")


def _troubles_are_told_once(
    scene: Scene, reader: sqlite3.Connection, found: list[sqlite3.Row]
) -> None:
    """A trouble is told once until it is over."""
    before: dict[tuple[str, str], tuple[str, int]] = {}
    for one in _history(scene, found):
        if one.cause == "settled":
            continue
        kind = kind_of(one.words) if one.cause == "stopped" else ""
        last, run = before.get((one.target, kind), ("", 0))
        before[one.target, kind] = one.cause, one.run
        is_over = one.cause == "unreachable" and any(
            run <= well < one.run for well in scene.well_after
        )
        if one.cause == last and not is_over and not _went_well(reader, run, one.run):
            raise Broken(f"{one.words}: that was told before")


def _history(scene: Scene, found: list[sqlite3.Row]) -> list[_Told]:
    """All that the user was owed, in its order: what the journal holds, and what it has dropped, as
    that was handed over a month ago."""
    all_told = {
        one.id: _Told(one.cause.value, one.target, one.message.words, one.message.run)
        for one in scene.channel.had.values()
        if one.id  # a fault of this computer may be told, and not journaled
    }
    for row in found:
        message = json.loads(row["summary"])
        all_told[row["id"]] = _Told(row["cause"], row["target"], message["words"], message["run"])
    return [one for _, one in sorted(all_told.items())]


def _went_well(reader: sqlite3.Connection, since: int, until: int) -> bool:
    """Has a run from ``since`` to before ``until`` ended well, or had a photo accepted?"""
    sql = (
        "select 1 from run where id >= ? and id < ? and (exit in (0, 3) or exists (select 1 from"
        " attempt where run_id = run.id and outcome in ('uploaded', 'duplicate', 'rejected')))"
    )
    return bool(rows(reader, sql, since, until))


def _is_delivered_once(scene: Scene) -> None:
    """Once, or twice with one key if a crash fell between handing over and noting that."""
    channel = scene.channel
    for key, count in channel.got.items():
        scene.told_twice += count == 2 and channel.excused[key] > 0
        if count > 1 + channel.excused[key]:
            raise Broken(f"notice {key} was delivered {count} times")
    for key, count in channel.said.items():
        if count > 1 + channel.failed[key]:  # that its hook has failed is news
            raise Broken(f"notice {key} was said {count} times")
