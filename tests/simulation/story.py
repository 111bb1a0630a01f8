"""A story from its plan: pushed, run, killed, resumed until all is quiet; then the laws are read to
it."""

from __future__ import annotations

import fcntl
import os
import signal
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from types import FrameType

from albumup.uploader.options import RunEnd
from simulation import alone_laws, laws, notice_laws
from simulation.command import deliver_the_rest
from simulation.disk import PLACE, emptied
from simulation.loop import Endless, Stuck
from simulation.outside import held_still
from simulation.plan import Plan, draw
from simulation.scene import Scene

MOST_RUNS = 12
"""Runs in which the faults of a plan come about, at most."""
MOST_QUIET_RUNS = 6
"""Runs without any fault until all must be done."""


MOST_SECONDS, MOST_REAL_SECONDS = 30, 600
"""After so many seconds of the processor, or of the real clock, a step of the loop has no end. (On
a machine that is busy, or was asleep, the real clock alone says little.)"""


class Hung(BaseException):
    """A step of the loop does not end."""


@contextmanager
def _alarm() -> Iterator[None]:
    def ring(_: int, frame: FrameType | None) -> None:
        places: list[str] = []
        while frame is not None and len(places) < 12:
            places.append(f"{frame.f_code.co_name}:{frame.f_lineno}")
            frame = frame.f_back
        raise Hung(f"a step has no end: {' < '.join(places)}")

    before = [signal.signal(number, ring) for number in (signal.SIGPROF, signal.SIGALRM)]
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    signal.alarm(MOST_REAL_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.alarm(0)
        signal.signal(signal.SIGPROF, before[0])
        signal.signal(signal.SIGALRM, before[1])


@dataclass
class Result:
    """How a story went. ``broken``: the law that it broke, in words; empty if it broke none."""

    plan: Plan
    told: list[str]
    broken: str = ""
    fired: Counter[str] = field(default_factory=Counter)
    crashes: int = 0
    runs: int = 0
    photos: int = 0
    seconds: float = 0.0
    """Virtual ones."""
    steps: int = 0
    false_claims: int = 0
    lost: int = 0
    sent_twice: int = 0
    leaks: set[str] = field(default_factory=set)


def play_seed(seed: int) -> Result:
    return play(draw(seed))


def play(plan: Plan) -> Result:
    """Play a story; whatever breaks is in the result."""
    folder = emptied(own_folder())
    scene = Scene(plan, folder)
    result = Result(plan, scene.told)
    with held_still(scene):
        try:
            with _alarm():
                _live(scene, result)
        except (laws.Broken, Stuck, Endless, Hung) as broken:
            result.broken = f"{type(broken).__name__}: {broken}"
        except Exception as error:  # noqa: BLE001 - a story is told to its end
            places = traceback.extract_tb(error.__traceback__)[-4:]
            where = " < ".join(f"{one.name}:{one.lineno}" for one in reversed(places))
            result.broken = f"Raised: {type(error).__name__}: {error} at {where}"
        finally:
            if scene.life is not None or result.broken:
                scene.bury(power=False)
            scene.close()
            scene.disk.close()
            scene.loop.close()
    result.fired, result.leaks = scene.fired, scene.leaks
    result.seconds, result.steps = scene.loop.time(), scene.loop.steps
    result.photos = len(plan.sizes)
    result.false_claims, result.sent_twice = scene.false_claims, len(scene.sent_twice)
    result.lost = result.broken.startswith("Broken: queued, and not")
    if result.broken:
        scene.tell("law", result.broken)
    return result


def _live(scene: Scene, result: Result) -> None:
    scene.push()
    retried = 0
    cron = False
    for _ in range(MOST_RUNS):
        if cron and not scene.has_albums_for_cron():
            break
        end = scene.run(cron=cron)
        result.runs += 1
        _judge(scene, result, end)
        if end is None:
            scene.loop.pass_time(scene.chance.of("person").choice((0.0, 1.0, 600.0)))
            # Nobody is there: it is cron that goes on.
            is_left = scene.is_alone and not scene.plan.watched
            cron = is_left and scene.chance.of("cron").random() < 0.5
            continue
        if end.exit_code in (0, 3):
            if retried >= scene.plan.cron or end.exit_code == 0:
                break
            retried, cron = retried + 1, True
        elif scene.was_ordered:  # cron comes by, or somebody goes on
            cron = scene.chance.of("cron").random() < 0.5
        scene.loop.pass_time(scene.chance.of("person").choice((1.0, 60.0, 3600.0, 30_000.0)))
    _be_quiet(scene, result)


def _be_quiet(scene: Scene, result: Result) -> None:
    """All faults are over: what is left must come to its end."""
    scene.events.end()
    scene.loop.pass_time(7200.0)
    end: RunEnd | None = None
    for _ in range(MOST_QUIET_RUNS):
        if not scene.has_work():
            break
        end = scene.run()
        result.runs += 1
        _judge(scene, result, end)
        if end is not None and end.exit_code in (0, 3):
            break
        if end is not None and end.away and scene.photos.truth:
            scene.push(edited=True)  # its words say so
        scene.loop.pass_time(7200.0)
    laws.always(scene, scene.reader)
    if end is not None:
        laws.at_the_end(scene, scene.reader, end)
    if scene.plan.hook is not None:
        deliver_the_rest(scene)
        notice_laws.at_the_end(scene, scene.reader)


def _judge(scene: Scene, result: Result, end: RunEnd | None) -> None:
    if end is None:
        result.crashes += 1
        laws.always(scene, scene.reader)
    else:
        laws.after_run(scene, scene.reader, end)
    if scene.is_alone:
        scene.orders.always()
        notice_laws.always(scene, scene.reader)
        if end is not None:
            scene.orders.after_run(end.run_id)
            notice_laws.after_run(scene, scene.reader, end)
            alone_laws.after_run(scene, scene.reader, end, scene.course)
    else:
        notice_laws.well_is_told_once(scene, scene.reader)


@cache
def own_folder() -> str:
    """A folder that no other process plays in, of a name that is the same for the first of them
    each time: the paths of a story are part of it."""
    for number in range(64):
        folder = f"{PLACE or '/tmp'}/simulation-{number}"
        os.makedirs(folder, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        return folder
    raise AssertionError("64 processes play already")
