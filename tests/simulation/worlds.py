"""Outages, poison photos and busy servers over hours and days, played by the real engine from push
through cron."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from albumup.transfer.values import Answer, Sent
from simulation.disk import emptied
from simulation.manners import HONEST, Manner
from simulation.outside import held_still
from simulation.plan import Plan
from simulation.scene import MOST_ROUNDS, ROUNDS, Scene
from simulation.story import own_folder

GAP = 900.0
"""Seconds from the end of a run to cron's next."""
PATIENCE = {"push": 300.0, "detach": 86400.0, "cron": 0.0}
_KINDS = {"allowed": "blind", "never": "blind", "safe": "dedupes", "asked": "asked"}


@dataclass(frozen=True)
class World:
    """``answer(photo, seconds, attempt)`` is what a sending comes to, ``question(seconds)`` what a
    question does.

    ``takes``: seconds of a photo that the server takes so long with, by what it answers.
    """

    photos: int
    answer: Callable[[int, float, int], str]
    question: Callable[[float], str] = lambda _: "ok"
    first: str = "push"
    runs: int = 400
    takes: Callable[[int, str], float] = lambda _photo, _code: 1.0
    rule: str = "allowed"
    tries_before: int = 0
    chance: float = 0.999
    """What spreads the waits: nearly 1 makes them as long as they may be, as in the rule's
    model."""


@dataclass
class Ended:
    """How a world ended. ``whole`` and ``cut``: bodies of each photo."""

    states: dict[str, int]
    codes: list[int]
    whole: Counter[int]
    cut: Counter[int]
    hours: float

    def row(self) -> str:
        runs = " ".join(f"{code}x{len(list(same))}" for code, same in itertools.groupby(self.codes))
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.states.items()))
        most = max(self.whole.values(), default=0), max(self.cut.values(), default=0)
        return (
            f"{runs[:60]} | {self.hours:.1f} h | {states} | {most[0]} | {most[1]} | {self.bodies}"
        )

    @property
    def bodies(self) -> int:
        return self.whole.total() + self.cut.total()


def play(world: World) -> Ended:
    """Play a world until nothing more is sent, ever."""
    plan = Plan(
        1, _sizes(world), _KINDS[world.rule], "safe" if world.rule == "asked" else world.rule,
        patience=PATIENCE[world.first], tick=60.0, speed=0.0, helpers_slow=0.0,
    )  # fmt: skip
    scene = Scene(plan, emptied(own_folder()), most_steps=20_000_000)
    scene.draw = lambda: world.chance
    whole: Counter[int] = Counter()
    cut: Counter[int] = Counter()
    _give_manners(scene, world, whole, cut)
    codes: list[int] = []
    with held_still(scene):
        scene.push()
        if world.tries_before:
            _have_tried(scene, world.tries_before)
        for number in range(world.runs):
            end = scene.run(lifts=False, cron=number > 0 or world.first == "cron")
            codes.append(end.exit_code if end is not None else -1)
            if codes[-1] in (0, 3) and _is_over(scene):
                break
            scene.loop.pass_time(GAP)
    states = {
        row[0]: row[1]
        for row in scene.reader.execute("select state, count(*) from task group by state")
    }
    scene.close()
    scene.disk.close()
    return Ended(states, codes, whole, cut, scene.loop.time() / 3600)


def _sizes(world: World) -> tuple[int, ...]:
    """Bodies are longer than what a kernel keeps, so that one can be cut; one that takes long is
    larger."""
    return tuple(
        600_000 if world.takes(number, "ok") > 60 else 6000 for number in range(world.photos)
    )


def _give_manners(scene: Scene, world: World, whole: Counter[int], cut: Counter[int]) -> None:
    server = scene.server
    scene.line.buffer = 2048
    attempts: Counter[int] = Counter()
    small = server.small

    def manner_of(_: int, name: str) -> Manner:
        number = int(name[4:-4])
        attempts[number] += 1
        code = world.answer(number, scene.loop.time(), attempts[number])
        (cut if code == "cut" else whole)[number] += 1
        return _manner(code, world.takes(number, code))

    def asked(method: str, url: str, question: object) -> Sent:
        status = world.question(scene.loop.time())
        if status == "ok":
            return small(method, url, question)
        answer = Answer.of(
            int(status), "Said", {"content-type": "application/json"}, b"{}", complete=True
        )
        return Sent(answer, None, "", whole=True, bytes=0)

    server.manner_of = manner_of  # type: ignore[method-assign, assignment]
    server.small = asked  # type: ignore[method-assign]


def _manner(code: str, seconds: float) -> Manner:
    match code:
        case "ok" if seconds > 60:
            return Manner(pace=50.0)
        case "ok":
            return Manner("slow", seconds=seconds) if seconds else HONEST
        case "cut":
            return Manner("breaks", share=0.5)
        case "lost":
            return Manner("lost", ends="close", seconds=seconds)
        case _:
            return Manner("status", int(code[:3]), page="page" in code, seconds=min(seconds, 59.0))


def _have_tried(scene: Scene, tries: int) -> None:
    with closing(scene.open()) as journal, journal.transaction():
        journal.connection.execute("update task set tries = ?", (tries,))


def _is_over(scene: Scene) -> bool:
    """Will cron send nothing more, ever?"""
    rule = "asked" if scene.plan.kind == "asked" else scene.plan.resend
    left = scene.reader.execute(
        "select count(*) from task where (state in ('failed', 'missing') and rounds < ?)"
        " or (state = 'in_doubt' and rounds < ?)",
        (ROUNDS, MOST_ROUNDS[rule]),
    ).fetchone()[0]
    return not left
