"""The laws: DESIGN.md's promise, checked against the server's ledger and the person's own files."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from albumup.journal.states import DONE, WANTING, State

if TYPE_CHECKING:
    from albumup.uploader.options import RunEnd
    from simulation.scene import Scene

_TASKS = (
    "select task.*, body.sha256, photo.path, photo.card from task "
    "left join body on body.task_id = task.id"
    " join photo on photo.id = task.photo_id order by task.id"
)
_HELD_OF_UNFINISHED = (
    "select album.held from album join v_albums on v_albums.album = album.name where not settled"
)
SICK = ("429", "502", "503", "504")
SPENT = ("not_taken", "in_doubt", "broken")


class Broken(AssertionError):
    """A law was broken."""


def rows(reader: sqlite3.Connection, sql: str, *values: object) -> list[sqlite3.Row]:
    return reader.execute(sql, values).fetchall()


def always(scene: Scene, reader: sqlite3.Connection) -> None:
    """What holds at every instant, and so in every crash image."""
    _always(scene, reader, rows(reader, _TASKS))


def _always(scene: Scene, reader: sqlite3.Connection, tasks: list[sqlite3.Row]) -> None:
    _none_is_lost(scene, tasks)
    _none_is_claimed_falsely(scene, reader, tasks)
    _words_are_given(tasks)
    _sent_once(scene, reader, tasks)
    _tries_are_counted(scene, reader, tasks)
    _sickness_costs_nothing(scene, reader, tasks)
    _copies_are_kept(scene, tasks)
    _cards_are_kept_apart(scene, tasks)
    touched = scene.photos.untouched()
    if scene.party is not None:
        touched += scene.party.untouched()
    if touched:
        raise Broken(f"originals were touched: {touched}")


def after_run(scene: Scene, reader: sqlite3.Connection, end: RunEnd) -> None:
    """What holds when a run has ended by itself."""
    tasks = rows(reader, _TASKS)
    _always(scene, reader, tasks)
    if not scene.is_abandoned and (
        sending := [task["id"] for task in tasks if task["state"] == State.SENDING]
    ):
        raise Broken(f"the run has ended, and these are still sending: {sending}")
    unended = rows(reader, "select task_id from attempt where ended is null")
    if unended and not (scene.was_cut or scene.is_abandoned):
        raise Broken(f"attempts have no end: {[row[0] for row in unended]}")
    if not scene.came_too_late:
        _code_is_deserved(scene, tasks, end)
    if scene.was_stopped and not scene.clock_jumped:
        _stopping_stops(scene, reader, end)
    _notices_are_owed_once(scene, reader, tasks)
    if scene.loop.errors:
        raise Broken(f"errors that nobody heard: {scene.loop.errors}")
    if end.fault is not None and not scene.expects_fault:
        raise Broken(f"the run failed: {type(end.fault).__name__}: {end.fault}")
    if scene.left and not scene.was_cut:
        raise Broken(f"coroutines are left: {scene.left}")
    # What ends by a time-out, or by the person, ends by a timer.
    is_by_answer = end.exit_code == 0 or (end.exit_code == 3 and not scene.excuses)
    late = scene.loop.fired - scene.fired_before
    # A question to the user's own command is waited for, a second at most.
    if is_by_answer and not scene.course.stood_still and late > (scene.leave is not None):
        raise Broken(f"{late} timers fired after the last word")


def at_the_end(scene: Scene, reader: sqlite3.Connection, end: RunEnd) -> None:
    """What holds once all faults are over and resume has gone as often as it takes."""
    tasks = rows(reader, _TASKS)
    is_excused = end.away and (not scene.photos.truth or _wait_for_another_card(scene, tasks))
    if end.exit_code not in (0, 3) and not is_excused:
        states = dict(Counter(task["state"] for task in tasks))
        closings = {name: closing.words for name, closing in end.closings.items()}
        raise Broken(
            f"all is well, and resume ends with {end.exit_code}: {states}, {closings}, {end.away}"
        )


def _wait_for_another_card(scene: Scene, tasks: list[sqlite3.Row]) -> bool:
    """Do those that wait lie on a card that does not come back? Where the disk does not tell an
    edit from another card, its photos tell, those that are still there; what a plain push then
    finds is queued beside them. It is for the person to cancel the old ones."""
    if len(scene.plan.volume) > len("1A2B-3C4D"):
        return False
    there = {
        os.fsencode(path): hashlib.sha256(content).hexdigest()
        for path, content in scene.truth.items()
    }
    queued = {
        (task["path"], task["sha256"]) for task in tasks if task["state"] in (*DONE, *WANTING)
    }
    still = [task for task in tasks if task["path"] in there]
    on_card = Counter(task["card"] for task in still)
    as_queued = Counter(task["card"] for task in still if task["sha256"] == there[task["path"]])
    return all(
        2 * as_queued[task["card"]] <= on_card[task["card"]]
        and (task["path"] not in there or (task["path"], there[task["path"]]) in queued)
        for task in tasks
        if task["state"] in (State.PENDING, State.SENDING)
    )


def _none_is_lost(scene: Scene, tasks: list[sqlite3.Row]) -> None:
    """Acknowledged work: each photo that was queued has its task still."""
    there = Counter(bytes(task["path"]) for task in tasks)
    if lost := scene.acknowledged - there:
        raise Broken(f"queued, and not in the journal any more: {dict(lost)}")


def _none_is_claimed_falsely(
    scene: Scene, reader: sqlite3.Connection, tasks: list[sqlite3.Row]
) -> None:
    for task in tasks:
        if task["state"] not in DONE:
            continue
        sha256 = task["sha256"]
        copies = [copy for copy in scene.server.ledger.copies if copy.sha256 == sha256]
        claimed = task["updated"] - scene.born
        held = [copy for copy in copies if copy.gone_at is None]
        # A server that cannot be asked, says "duplicate" and deletes afterwards: nobody can know.
        # Nor of one that can, as long as nobody has heard that it met a fault.
        nobody_knows = (
            scene.clock_jumped
            or scene.plan.kind != "asked"
            or not _told_of_all_faults(scene, reader, task)
        )
        if not held and not (copies and nobody_knows):
            scene.false_claims += 1
            raise Broken(
                f"photo {task['id']} is called {task['state']} at {claimed:.2f} s, "
                f"and is not there: {copies}"
            )


def _told_of_all_faults(scene: Scene, reader: sqlite3.Connection, task: sqlite3.Row) -> bool:
    met = sum(
        came.sha256 == task["sha256"] and came.answer.startswith("5")
        for came in scene.server.ledger.came
    )
    sql = "select count(*) from attempt where task_id = ? and http_status between 500 and 599"
    return bool(rows(reader, sql, task["id"])[0][0] >= met)


def _words_are_given(tasks: list[sqlite3.Row]) -> None:
    """What is not there says why; a doubt that is to be asked about says when."""
    for task in tasks:
        if task["state"] in WANTING and not task["reason"]:
            raise Broken(f"photo {task['id']} is {task['state']} without a reason")


def _sent_once(scene: Scene, reader: sqlite3.Connection, tasks: list[sqlite3.Row]) -> None:
    plan, ledger = scene.plan, scene.server.ledger
    by_digest = Counter(task["sha256"] for task in tasks if task["sha256"])
    by_path = Counter(task["path"] for task in tasks)
    marked = {task["sha256"] for task in tasks if task["maybe_twice"]}
    for task in tasks:
        sha256 = task["sha256"]
        count = ledger.count(sha256) if sha256 else 0
        # One that was edited while it was sent may be there as it is now; pushed again it is a task
        # of its own.
        if count <= (by_path[task["path"]] if plan.resend == "never" else by_digest[sha256]):
            continue
        scene.sent_twice.add(sha256)
        if plan.kind == "asked" and not _came_after_a_no(scene, sha256):
            raise Broken(
                f"photo {task['id']} is there {count} times, where it could be asked about"
            )
        if plan.resend == "never":
            raise Broken(
                f"photo {task['id']} is there {count} times, and is to be sent once at most"
            )
        # Of several tasks with the same bytes the one says so that was sent twice.
        if plan.kind == "blind" and sha256 not in marked:
            raise Broken(
                f"photo {task['id']} is there {count} times, and the journal does not say so"
            )
    if plan.kind == "blind":
        _is_marked_itself(scene, reader, tasks)


def _is_marked_itself(scene: Scene, reader: sqlite3.Connection, tasks: list[sqlite3.Row]) -> None:
    """What was stored twice of one task's own sendings is marked in that task."""
    ledger = scene.server.ledger
    task_of = dict(reader.execute("select boundary, task_id from attempt").fetchall())
    brought = [(ledger.came_as(copy.request).boundary, copy) for copy in ledger.copies]
    own = Counter(
        (task_of.get(boundary), copy.sha256) for boundary, copy in brought if copy.gone_at is None
    )
    for task in tasks:
        if (count := own[task["id"], task["sha256"]]) > 1 and not task["maybe_twice"]:
            raise Broken(
                f"photo {task['id']} was stored {count} times, and the journal does not say so"
            )


def _came_after_a_no(scene: Scene, sha256: str) -> bool:
    """Was a photo that is there twice sent again because it was not there when all had settled? One
    "no" then suffices, ``settle`` seconds after the body's end: what is stored later than that is
    not for anybody to know."""
    ledger = scene.server.ledger
    copies = [copy for copy in ledger.copies if copy.sha256 == sha256 and copy.gone_at is None]
    copies.sort(key=lambda copy: copy.request)
    nos = [asked.at for asked in ledger.asked if sha256 in asked.not_there]
    for former, copy in pairwise(copies):
        began, settled = (
            ledger.came_as(copy.request).began,
            scene.settles_at(ledger.came_as(former.request)),
        )
        if not any((settled <= at or scene.clock_jumped) and at <= began for at in nos):
            return False
    return True


def _tries_are_counted(scene: Scene, reader: sqlite3.Connection, tasks: list[sqlite3.Row]) -> None:
    """A photo fails after all of its tries and not before; what was given back was given back."""
    for task in tasks:
        if task["state"] == State.FAILED and not task["tries"]:
            raise Broken(f"photo {task['id']} failed without a try: {task['reason']}")
        if task["rounds"] or task["id"] in scene.pushed_again:
            continue
        spent = rows(
            reader,
            f"select count(*) from attempt where task_id = ? and outcome in {SPENT}",
            task["id"],
        )[0][0]
        back = task["back_whole"] + task["back_cut"] + task["back_429"] + task["refunds"]
        # Of one that was taken nobody looks what was given back of it meanwhile.
        most = (
            spent + 1
            if task["state"] in DONE
            else max(0, spent - back) + (task["state"] == State.REJECTED)
        )
        if task["tries"] > most + _asked(task):
            raise Broken(
                f"photo {task['id']} has {task['tries']} tries of {spent} attempts, "
                f"{back} given back"
            )
        if task["state"] == State.FAILED and spent - back < scene.plan.retries + 1:
            raise Broken(
                f"photo {task['id']} failed after {spent} attempts, {back} of them given back"
            )
        if (
            task["state"] in (State.PENDING, State.SENDING)
            and task["tries"] > scene.plan.retries + 1
        ):
            raise Broken(f"photo {task['id']} is {task['state']} after {task['tries']} tries")


def _sickness_costs_nothing(
    scene: Scene, reader: sqlite3.Connection, tasks: list[sqlite3.Row]
) -> None:
    """What a target answered while it was sick, and was so for a while after, is given back: three
    whole bodies of a photo at least."""
    met = [one for one in scene.server.ledger.came if one.answer in SICK and one.sick_for > 45.0]
    if (
        not met or scene.clock_jumped or "ask hangs" in scene.excuses
    ):  # until it is well again, perhaps
        return
    times: Counter[int] = Counter()
    for attempt in rows(
        reader,
        f"select * from attempt where http_status in ({', '.join(SICK)}) and ended is not null",
    ):
        since, until = attempt["started"] - scene.born, attempt["ended"] - scene.born
        times[attempt["task_id"]] += any(
            one.boundary == attempt["boundary"]
            and since <= one.began <= until
            and one.answer == str(attempt["http_status"])
            for one in met
        )
    for task in tasks:
        back = task["back_whole"] + task["back_429"] + task["back_cut"]
        if task["rounds"] == 0 and back < min(3, times[task["id"]]):
            words = f"{times[task['id']]} times, and {back} tries were given back"
            raise Broken(f"photo {task['id']} met a sick target {words}")


def _copies_are_kept(scene: Scene, tasks: list[sqlite3.Row]) -> None:
    """Once it was said that the card can be taken out, its photos need it no more."""
    for task in tasks:
        if (
            task["spool"]
            and not scene.lost_copies
            and task["id"] in scene.copied
            and task["state"] == State.MISSING
        ):
            raise Broken(f"photo {task['id']} is missing, and there was a copy: {task['reason']}")


def _cards_are_kept_apart(scene: Scene, tasks: list[sqlite3.Row]) -> None:
    """The photos of one card are never replaced by another's, unless the disk's id says that it is
    the same one, or the person does."""
    if len(scene.plan.volume) > len("1A2B-3C4D") or scene.said_edited:
        return
    of = scene.photos.card_of | (scene.party.card_of if scene.party is not None else {})
    for task in tasks:
        if task["sha256"]:
            folder = os.path.dirname(task["path"])
            scene.cards[folder, task["card"]].add(of[task["sha256"]])
    if mixed := [found for found in scene.cards.values() if len(found) > 1]:
        raise Broken(f"photos of one card are taken for those of another: {mixed}")


def _asked(task: sqlite3.Row) -> int:
    """A duplicate that is asked about counts as a try, and its attempt as no spent one."""
    return int(task["state"] == State.IN_DOUBT)


def _code_is_deserved(scene: Scene, tasks: list[sqlite3.Row], end: RunEnd) -> None:
    if scene.is_alone:
        tasks = [task for task in tasks if task["album_id"] in scene.asked_for]
    states = Counter(task["state"] for task in tasks)
    asked = any(task["state"] == State.IN_DOUBT and task["ask_at"] is not None for task in tasks)
    is_unfinished = bool(states[State.PENDING] or states[State.SENDING] or asked)
    code = end.exit_code
    if is_unfinished != (code not in (0, 3)):
        raise Broken(f"exit {code} with {dict(states)}{', asked about' if asked else ''}")
    if not is_unfinished and (code == 3) != any(states[state] for state in WANTING):
        raise Broken(f"exit {code} with {dict(states)}")
    was_stopped = scene.was_stopped or (scene.was_ordered and code == 143)
    if code in (129, 130, 143) and not was_stopped:
        raise Broken(f"exit {code}, and nobody stopped it")
    if code == 75 and not (end.fault or scene.excuses or end.away or end.closings):
        raise Broken("exit 75, and nothing was wrong")
    if code == 4 and not end.closings:
        raise Broken("exit 4 without a word")


def _stopping_stops(scene: Scene, reader: sqlite3.Connection, end: RunEnd) -> None:
    """Nothing new starts after Ctrl-C or a signal, but what was being opened; Ctrl-C puts the album
    on hold."""
    sql = "select count(*) from attempt where run_id = ? and started > ?"
    begun = rows(reader, sql, end.run_id, scene.stopped_at)[0][0]
    if begun > max(scene.plan.jobs, scene.orders.most_jobs):
        raise Broken(f"{begun} attempts began after it was told to stop")
    is_pushed_since = scene.came_too_late  # that lifts the hold
    if (
        end.exit_code == 130
        and not is_pushed_since
        and not all(row[0] for row in rows(reader, _HELD_OF_UNFINISHED))
    ):
        raise Broken("it was stopped by Ctrl-C, and is not on hold")


def _notices_are_owed_once(
    scene: Scene, reader: sqlite3.Connection, tasks: list[sqlite3.Row]
) -> None:
    """Of one settled album there is one notice for each time that it settled; never two for the
    same."""
    told = rows(reader, "select cause, summary, album_id from notice order by id")
    for album_id in {task["album_id"] for task in tasks}:
        own = [task for task in tasks if task["album_id"] == album_id]
        found = [
            json.loads(row["summary"])
            for row in told
            if row["album_id"] == album_id and row["cause"] == "settled"
        ]
        _settled_is_owed_once(scene, own, Counter(one.get("run") for one in found))


def _settled_is_owed_once(
    scene: Scene, tasks: list[sqlite3.Row], runs_told: Counter[int | None]
) -> None:
    unsettled = any(
        task["state"] in (State.PENDING, State.SENDING)
        or (task["state"] == State.IN_DOUBT and task["ask_at"] is not None)
        or task["membership"] == 1
        for task in tasks
    )
    if tasks and not unsettled and not runs_told:
        raise Broken("the album has settled, and no notice is owed")
    twice = {run: count for run, count in runs_told.items() if count > 1 + scene.pushes[run or 0]}
    if twice:
        raise Broken(f"runs owe several notices: {twice}")
