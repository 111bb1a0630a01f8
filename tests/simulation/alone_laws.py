"""The laws of runs that are left alone: a sleep costs nothing, and patience counts waking hours."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from albumup.journal.states import State
from albumup.uploader.events import Event, GoesOn, Paused, Waits
from albumup.uploader.sleep import LATE
from simulation.laws import SPENT, Broken, rows
from simulation.plan import ORDERS, SLEEPS, WAITS, WATCHERS

if TYPE_CHECKING:
    import sqlite3

    from albumup.uploader.options import RunEnd
    from simulation.scene import Scene

GENTLE = {
    *SLEEPS, *WATCHERS, *WAITS, *ORDERS, "moves", "kill", "power cut", "drain", "drain twice",
    "stop", "join", "commit slow",
}  # fmt: skip
"""What costs no photo a try, and calls no target sick."""
_SLACK = 5.0


@dataclass
class Course:
    """How a run goes, by the loop's time."""

    began: float
    ran_on: float = 0.0
    """Seconds of sleep that the loop's time has counted, and the engine could tell."""
    stood_still: bool = False
    waited: float = 0.0
    """Seconds in which it was told that nothing may start."""
    waits_since: float | None = None
    waits: list[tuple[float, float]] = field(default_factory=list)
    """From when to when nothing might start, by the wall clock."""
    paused: Counter[str] = field(default_factory=Counter)

    def hear(self, event: Event, now: float) -> None:
        if isinstance(event, Paused):
            self.paused[event.reason] += 1
        elif isinstance(event, Waits):
            self.waits_since = now
            self.waits.append((event.time, float("inf")))
        elif isinstance(event, GoesOn) and self.waits_since is not None:
            self.waited += now - self.waits_since
            self.waits_since = None
            self.waits[-1] = self.waits[-1][0], event.time

    def sleeps(self, seconds: float, tick: float) -> None:
        """It stands still: what it cannot notice is not counted."""
        self.stood_still = True
        if self.waits_since is None:  # else it is counted as waiting
            self.ran_on += max(0.0, seconds - tick - LATE)

    def waking(self, now: float) -> float:
        """The seconds in which it could send."""
        waited = self.waited + (now - self.waits_since if self.waits_since is not None else 0.0)
        return now - self.began - self.ran_on - waited


def after_run(scene: Scene, reader: sqlite3.Connection, end: RunEnd, course: Course) -> None:
    _gentle_costs_nothing(scene, reader, course)
    _patience_counts_waking(scene, end, course)
    _nothing_starts_without_leave(scene, reader, end, course)


def _nothing_starts_without_leave(
    scene: Scene, reader: sqlite3.Connection, end: RunEnd, course: Course
) -> None:
    """But what was being opened."""
    sql = "select count(*) from attempt where run_id = ? and started > ? and started < ?"
    for since, until in course.waits if not scene.clock_jumped else ():
        begun = rows(reader, sql, end.run_id, since, until)[0][0]
        if begun > max(scene.plan.jobs, scene.orders.most_jobs):
            raise Broken(f"{begun} attempts began while nothing might start")


def _gentle_costs_nothing(scene: Scene, reader: sqlite3.Connection, course: Course) -> None:
    if not scene.excuses <= GENTLE:
        return
    if course.paused:
        raise Broken(f"nobody was at fault, and a target is paused: {dict(course.paused)}")
    for task in rows(reader, "select * from task"):
        words = f"photo {task['id']} is {task['state']} after {task['tries']} tries"
        if task["tries"] > 1 or task["state"] in (State.FAILED, State.REJECTED, State.MISSING):
            raise Broken(f"nobody was at fault, and {words}")
        if task["state"] == State.PENDING and task["tries"]:
            sql = f"select count(*) from attempt where task_id = ? and outcome in {SPENT}"
            if not rows(reader, sql, task["id"])[0][0]:
                raise Broken(f"nobody was at fault, and {words}")


def _patience_counts_waking(scene: Scene, end: RunEnd, course: Course) -> None:
    """A target is given up once patience is over, sleep and waiting not counted."""
    plan = scene.plan
    if plan.resend == "never" or scene.is_cron or scene.clock_was_set:
        return
    waking = course.waking(scene.ended_at)
    for name, closing in end.closings.items():
        if closing.exit_code == 75 and not closing.is_waiting and waking < plan.patience - _SLACK:
            raise Broken(
                f"{name} was given up ({closing.words}) after {waking:.0f} s awake, "
                f"with a patience of {plan.patience:.0f} s"
            )
