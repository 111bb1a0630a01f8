"""Plays one run of a story that a test prepares, and tells how it went."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from albumup.uploader.options import RunEnd
from simulation import laws
from simulation.disk import emptied
from simulation.outside import held_still
from simulation.plan import Plan
from simulation.scene import Scene
from simulation.story import own_folder


@dataclass
class Told:
    """How a story went: the end, the outcomes of all attempts, and the trace."""

    end: RunEnd
    outcomes: list[str]
    tries: list[int]
    trace: str
    seconds: float
    """Virtual ones until the end of the run."""


@contextmanager
def scene_of(plan: Plan) -> Iterator[Scene]:
    scene = Scene(plan, emptied(own_folder()))
    try:
        with held_still(scene):
            yield scene
    finally:
        scene.close()
        scene.disk.close()
        scene.loop.close()


def played(plan: Plan, prepare: Callable[[Scene], object], *, cron: bool = False) -> Told:
    """Push, then run once; the laws hold."""
    with scene_of(plan) as scene:
        scene.push()
        prepare(scene)
        end = scene.run(cron=cron)
        assert end is not None
        laws.always(scene, scene.reader)
        outcomes = [row[0] for row in scene.reader.execute("select outcome from attempt")]
        tries = [row[0] for row in scene.reader.execute("select tries from task order by id")]
        return Told(end, outcomes, tries, "\n".join(scene.told), scene.loop.time())
