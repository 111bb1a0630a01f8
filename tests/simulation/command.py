"""What a command does beside its engine, as a session does: it delivers notices, shows the run to
others, and hears signals."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from albumup.config.file import Config, Defaults
from albumup.config.unattended import Unattended
from albumup.journal import runs
from albumup.journal.opening import paths_of
from albumup.session.late import claim_late, mark_told
from albumup.session.live import Live
from albumup.session.notifying import Notifying
from albumup.uploader.engine_thread import Shown
from albumup.uploader.events import Event, NoticeOwed
from simulation.channel import SimulatedHands
from simulation.plan import WATCHERS

if TYPE_CHECKING:
    from albumup.uploader.engine import Engine
    from albumup.uploader.options import RunEnd
    from simulation.scene import Life, Scene

POLL = 0.1
GRACE = 5.0


class Command:
    """One command that sends, but for its engine."""

    def __init__(self, scene: Scene, life: Life) -> None:
        plan = scene.plan
        self.signals = 0
        self._scene, self._life = scene, life
        hook = ("tell",) if plan.hook else ()
        own = Unattended(on_done=hook, tell_after=plan.tell_after)
        config = Config("config.toml", defaults=Defaults(unattended=own))
        self.hands: SimulatedHands
        self.notifying = Notifying(
            lambda: config, lambda _: None, life.pid, self._with_hands, scene.loop.time
        )
        self._live: Live | None = None
        """Nothing, where nobody looks."""
        if any(event.kind in WATCHERS for event in plan.events):
            path = paths_of(scene.disk.journal)["live"]
            self._live = Live(path, scene.clock, scene.loop.time)
            self._live.name_target("club", "club")
        self._due = scene.loop.time() + POLL

    def _with_hands(self, hand_over: object) -> SimulatedHands:
        self.hands = SimulatedHands(self._scene, hand_over)  # type: ignore[arg-type]
        return self.hands

    def hear(self, event: Event) -> None:
        if isinstance(event, NoticeOwed):
            self.notifying.owed()
        elif self._live is not None:
            self._live.hear(event)

    def turn(self) -> None:
        """As the session does ten times a second."""
        life, now = self._life, self._scene.loop.time()
        if now < self._due or life.engine is None or life.has_let_go:
            return
        self._due = now + POLL
        self.notifying.turn(life.engine.change)  # type: ignore[arg-type]
        if self._live is not None:
            self._live.show(self._shown(life.engine))

    def _shown(self, engine: Engine) -> Shown:
        run = engine.run_id, engine.before(), engine.is_ending_early, engine.rate_limit
        return Shown(engine.progress(), engine.album_names, *run)

    def finish(self, end: RunEnd) -> None:
        """The engine has ended: closing words, then what is owed."""
        scene, life = self._scene, self._life
        assert life.engine is not None
        if self._live is not None:
            self._live.end(self._shown(life.engine), end)
        life.has_let_go = True
        told = [album.id for album in runs.albums(life.journal)] if scene.plan.watched else []
        began = scene.loop.time()
        heard = self.signals
        may_leave = partial(self._may_leave, heard, began)
        self.notifying.finish(life.journal, told, may_leave)

    def _may_leave(self, heard: int, began: float) -> bool:
        return self.signals > heard or (heard > 0 and self._scene.loop.time() >= began + GRACE)

    def end(self) -> None:
        """The process is dead."""
        self.hands.is_over = True


def look_at_terminal(scene: Scene) -> None:
    """The first lines of a command on a terminal: what nobody has told yet."""
    now = scene.clock()
    found = claim_late(scene.disk.journal, now)
    for late in found:
        key = late.notice.key
        scene.channel.said[key] += 1
        scene.fired["a notice is said late"] += 1
        scene.tell("person", f"reads late: {late.notice.message.words}")
    if found:
        mark_told(scene.disk.journal, found, now)


def deliver_the_rest(scene: Scene) -> None:
    """A command that has nothing to send, and then one on a terminal: all is well by now."""
    sql = "select 1 from notice where delivered is null or handed_over is null"
    if not scene.reader.execute(sql).fetchone():
        return
    scene.channel.is_well = True
    life = scene.begin_life()
    command = life.command = Command(scene, life)
    life.has_let_go = True
    command.notifying.finish(life.journal, (), lambda: False)
    scene.end_life()
    look_at_terminal(scene)
