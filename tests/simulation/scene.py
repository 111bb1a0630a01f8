"""One story's world: the loop, the line, the server, the disks, and the person who types
commands."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from albumup.config.settings import FormSettings, InboxSettings
from albumup.journal import notices, runs
from albumup.journal.journal import Journal
from albumup.photos.filters import Filters
from albumup.photos.scan import open_root
from albumup.session import rounds
from albumup.session.destination import Destination
from albumup.session.intake import Intake
from albumup.targets.base import Target
from albumup.targets.form import FormTarget
from albumup.targets.inbox import InboxTarget
from albumup.uploader.engine import Engine
from albumup.uploader.events import Event, PhotoEvent, Spooled, Woke, name_of
from albumup.uploader.options import Options, RunEnd, Stop
from albumup.uploader.world import World
from simulation import events
from simulation.alone_laws import Course
from simulation.chance import Chance
from simulation.channel import Channel
from simulation.command import Command, look_at_terminal
from simulation.disk import JournalDisk, Photos
from simulation.helpers import SimulatedHelpers
from simulation.laws import Broken
from simulation.line import Line
from simulation.loop import Killed, SimulatedLoop
from simulation.network import SimulatedNetwork
from simulation.orders import Orders
from simulation.plan import WAITS
from simulation.server import FIRST, SECOND, Server
from simulation.watcher import Watcher

if TYPE_CHECKING:
    from albumup.transfer.values import Sent
    from simulation.ledger import Came
    from simulation.plan import Plan
    from simulation.wire import SimulatedWire

BORN = 1_800_000_000.0
MOST_SECONDS = 40 * 86400.0
PHOTOS_AGE = 87_400
"""Seconds, and no whole number of hours: a disk that keeps times loosely takes an edit that comes
so for none."""
MOST_STEPS = 400_000
ROUNDS = 5
MOST_ROUNDS = {"never": 0, "allowed": 1, "safe": ROUNDS, "asked": ROUNDS}
"""Fresh sets that cron gives a photo in doubt."""
NO_LEAVE = "may_run says no (on a hotspot)"
FIRST_PID = 100
FIRST_OF_PARTY = 500
URL = "http://club.example.org/albums/{album}/photos"
_UNFINISHED = "select exists (select 1 from v_albums where not settled)"


class SimulatedHttp:
    """A target's small requests: answered by the server at the moment they are made."""

    def __init__(self, scene: Scene, helpers: SimulatedHelpers, timeout: float) -> None:
        self._scene, self._helpers, self._timeout = scene, helpers, timeout

    def call(self, method: str, url: str, *, json: Any = None, **_: Any) -> Sent:
        sent = self._scene.server.small(method, url, json)
        self._helpers.more_seconds += (
            self._timeout if sent.fault == "lost" else self._scene.line.latency
        )
        return sent


@dataclass
class Life:
    """One process of albumup."""

    journal: Journal
    helpers: SimulatedHelpers
    network: SimulatedNetwork
    pid: int = 1
    engine: Engine | None = None
    command: Command | None = None
    """What goes on beside the engine, where a story has that."""
    has_let_go: bool = False
    """It holds the lock no more."""


class Scene:
    """``told`` is the trace. ``fired``: how often each kind of event came about."""

    def __init__(self, plan: Plan, folder: str, most_steps: int = MOST_STEPS) -> None:
        self.plan, self.born = plan, BORN
        self.chance = Chance(plan.seed)
        self.told: list[str] = []
        self.fired: Counter[str] = Counter()
        self.leaks: set[str] = set()
        self.offset = 0.0
        self.leave: Callable[[], str] | None = None
        """What may_run says: "" for yes, else why not; None: there is no such command."""
        self.asleep = 0.0
        """Seconds that the computer has slept, and its system knows of."""
        self.loop = SimulatedLoop(
            None if plan.fifo else self.chance.of("loop"),
            most_seconds=MOST_SECONDS,
            most_steps=most_steps,
        )
        self.line = Line(self.loop, self.chance.of("line"), latency=plan.latency, tells=plan.tells)
        self.server = Server(
            plan.kind,
            self.loop,
            self.line,
            self.chance.of("server"),
            self.tell,
            speed=plan.speed,
            keeps=plan.keeps,
        )
        if plan.second == "stranger":
            self.server.stranger = SECOND
        self.server.on_stranger = self._goes_astray
        self.server.on_second = lambda: self.fired.update(["the second address is used"])
        self.server.on_untold = lambda: self.fired.update(["(an answer that nobody could tell)"])
        self.disk = JournalDisk(folder)
        self.photos = Photos(folder, self.chance.of("files"), BORN)
        self.photos.volume = plan.volume
        self.party = Photos(folder, self.chance.of("party"), BORN, "party") if plan.party else None
        """The photos of the second album."""
        self.file_system = "vfat" if len(plan.volume) == 9 else "tmpfs"
        self.draw: Callable[[], float] = self.chance.of("engine").random
        """The engine's own chance."""
        self.life: Life | None = None
        self._reader: sqlite3.Connection | None = None
        self._pushed: Journal | None = None
        self.took = 0.0
        self.slow_commits = 0
        # What the laws ask for.
        self.acknowledged: Counter[bytes] = Counter()
        self.pushed_again: set[int] = set()
        self.cards: dict[tuple[bytes, int], set[int]] = defaultdict(set)
        """By folder and the journal's number of a card: on which ones its photos were."""
        self.said_edited = False
        """Somebody has said that the photos of another card are the same ones, edited."""
        self.pushes: Counter[int] = Counter()
        self.sent_twice: set[str] = set()
        self.false_claims = 0
        self.told_twice = 0
        self.copied: set[int] = set()
        """Tasks of photos that need their card no more."""
        self.fired_before = 0
        self.left: list[str] = []
        """Coroutines that a run has left behind."""
        self.heard_at = -1.0
        self.was_stopped = self.was_cut = self.clock_jumped = self.expects_fault = False
        self.clock_was_set = False
        """The clock has jumped while the computer was awake."""
        self.lost_copies = False
        self.came_too_late = False
        """Somebody pushed when the run was over: that is his own to send."""
        self.is_abandoned = False
        """The run that was stopped has left behind what cannot be cut: a helper's work."""
        self.stopped_at = 0.0
        self.in_hand = 0
        """The photo whose last byte went last."""
        self.excuses: set[str] = set()
        """Why a run may end before its work is done."""
        self.handed: dict[int, events.Outgoing] = {}
        self.whole_at: dict[int, list[float]] = {}
        """By the connection, of each body on it: since when its end may have left; virtual
        seconds."""
        self.channel = Channel(self)
        self.orders = Orders(self)
        self.was_ordered = False
        """Somebody has stopped albums of the run that is on, or the last one."""
        self.asked_for: set[int] = set()
        """The albums that the last command was asked to send."""
        self.watchers: list[Watcher] = []
        self.lives = 0
        self.is_alone = plan.hook is not None
        self.has_slept = False
        self.course = Course(0.0)
        self.ended_at = 0.0
        """When the last run ended, by the loop's time."""
        self.is_cron = False
        self.no_leave_until = 0.0
        self.well_after: set[int] = set()
        """The runs after which no pause was left."""
        self.seen: set[str] = set()
        """The kinds of troubles that the screen of a run has told."""
        self.owed: set[str] = set()
        """The keys of all notices that were seen in the journal."""
        if any(event.kind in WAITS for event in plan.events):
            self.leave = self._leave_given
        self.events = events.Events(self)
        self.loop.after_step = self._after_step
        for number, size in enumerate(plan.sizes):
            self.photos.take(number, size, BORN - PHOTOS_AGE + 60 * number)
        if self.party is not None:
            self.party.volume = plan.volume
        for number, size in enumerate(plan.party, start=FIRST_OF_PARTY):
            assert self.party is not None
            self.party.take(number, size, BORN - PHOTOS_AGE + 60 * number)

    def clock(self) -> float:
        return BORN + self.offset + self.loop.time()

    def tell(self, who: str, what: str) -> None:
        self.told.append(f"{self.loop.time():12.4f} {who}: {what}")

    def settles_at(self, came: Came) -> float:
        """From when on one "no" suffices of what was sent with a request; virtual seconds."""
        return self.whole_at[came.wire][came.nth] + self.target().settings.settle

    def commit_seconds(self) -> float:
        """What a commit takes, or what lies between two."""
        if self.slow_commits > 0:
            self.slow_commits -= 1
            self.fired["commit slow"] += 1
            return 0.1
        return 0.0001

    # What the person does.

    def target(self, _: str = "club") -> Target:
        plan = self.plan
        if plan.kind == "asked":
            also = (f"http://{SECOND}",) if plan.second else ()
            inbox = InboxSettings(url=f"http://{FIRST}", also=also)
            return InboxTarget("club", inbox, None, "config.toml")
        fields = {"sha256": "{sha256}"} if plan.kind == "dedupes" else {}
        settings = FormSettings(
            url=URL,
            id="id",
            duplicate=(409,) if plan.kind == "dedupes" else (),
            resend=plan.resend,  # type: ignore[arg-type]
            fields=fields,
        )
        return FormTarget("club", settings, None, "config.toml")

    def push(self, journal: Journal | None = None, *, edited: bool = False) -> None:
        """Queue the folder; on return the photos are acknowledged. ``edited``: as ``push
        --edited``."""
        own = journal or self._open()
        self.said_edited = self.said_edited or edited
        before, last = self._queued(own), own.rows("select max(id) from photo")[0][0]
        intake = Intake(
            [open_root(self.photos.folder)], Filters(), "trip", Destination("club", self.target()),
            on_skip=lambda _: None, edited=edited,
        )  # fmt: skip
        spool = self.disk.spool if self.plan.spool else None
        album_id = intake.take_in(own, None, spool)
        self.orders.lifted({album_id})
        if self.party is not None and not before:
            Intake(
                [open_root(self.party.folder)], Filters(), "party",
                Destination("club", self.target()), on_skip=lambda _: None,
            ).take_in(own, None, spool)  # fmt: skip
        after = self._queued(own)
        self.pushed_again.update(
            set(after) & {task for task in before if before[task] != after[task]}
        )
        self.acknowledged = Counter(path for path, _ in after.values())
        # What is pushed again with other bytes is copied again.
        has_copy = own.rows("select task_id from body where spool not null")
        self.copied &= {row[0] for row in has_copy}
        for path, card in own.rows("select path, card from photo where id > ?", last or 0):
            self._is_on_card(path, card)
        self.tell("person", f"pushes: {len(after)} photos")
        if self.plan.proven and not before:
            with own.transaction():
                own.accepted("club", self.target().settings.url)
        if journal is None:
            self._pushed = own  # the same process sends, if one does

    def _is_on_card(self, path: bytes, number: int) -> None:
        """The journal has a new photo by the number of its card."""
        folder = os.path.dirname(path)
        is_of_party = self.party is not None and folder == os.fsencode(self.party.folder)
        self.cards[folder, number].add(0 if is_of_party else self.photos.card)

    def run(self, *, lifts: bool = True, cron: bool = False) -> RunEnd | None:
        """One command that sends; None when it was killed, or when there is nothing to send."""
        plan = self.plan
        if plan.hook is not None and plan.watched and not cron and self.owed:
            look_at_terminal(self)
        life = self.begin_life()
        lifts = lifts and not (cron and self.is_alone)
        albums = runs.albums(life.journal)
        album_ids = [album.id for album in albums if lifts or not (self.is_alone and album.held)]
        self.asked_for = set(album_ids)
        with life.journal.transaction():
            runs.close_dead(life.journal)
            if lifts:
                runs.hold(life.journal, album_ids, False)
                self.orders.lifted(self.asked_for)
            if plan.hook is None:
                owed = notices.claim(life.journal, 1, lambda _: False)
                notices.handed_over(life.journal, [one.id for one in owed], is_taken=True)
                self.channel.had.update({one.id: one for one in owed})
            if cron:
                self._fresh_sets(life.journal)
        options = Options(
            retries=plan.retries, jobs=plan.jobs, patience=0.0 if cron else plan.patience,
            spool_folder=self.disk.spool, is_cron=cron, spends_again=not cron,
            shown={"jobs": plan.jobs, "limit_rate": None} if self.is_alone else {},
            may_run=lambda _: ("may-run",) if self.leave is not None else (),
            is_watched=plan.watched and not cron, tell_after=lambda _: plan.tell_after,
        )  # fmt: skip
        self.fired_before = self.loop.fired
        self.course, self.is_cron = Course(self.loop.time()), cron
        self.tell("person", "retry-failed" if cron else "resume")
        self.was_stopped = self.was_cut = self.came_too_late = self.was_ordered = False
        world = World(
            life.helpers, life.network, self.clock, self.draw,
            lambda _, timeout: SimulatedHttp(self, life.helpers, timeout or 60.0),  # type: ignore[arg-type, return-value]
            lambda: self.asleep,
            lambda _, __: self.leave() if self.leave is not None else "",
        )  # fmt: skip

        if plan.hook is not None:
            life.command = Command(self, life)

        async def live() -> RunEnd:
            life.engine = Engine(life.journal, album_ids, self.target, options, self._listen, world)
            return await life.engine.run()

        try:
            end = self.loop.play(live())
            self.ended_at = self.loop.time()
            self.tell("engine", f"ends with {end.exit_code}")
            self.loop.settle()
            was_stopped = self.was_stopped or self.was_ordered
            self.is_abandoned = was_stopped and life.helpers.is_busy
            self.left = self.loop.waiting()
            if life.command is not None:
                life.command.finish(end)
        except Killed as killed:
            self.bury(power=killed.power)
            return None
        life.network.end(power=False)
        life.helpers.end()
        self.end_life()
        return end

    def end_life(self) -> None:
        """A process ends by itself."""
        assert self.life is not None
        self._end_beside(self.life)
        self.life.journal.close()
        self.life = None

    def _end_beside(self, life: Life) -> None:
        """A life is over, and so is what went on beside its engine."""
        for watcher in self.watchers:
            watcher.end()
        if life.command is not None:
            life.command.end()
            noted = self.reader.execute("select key from notice where handed_over is not null")
            self.channel.crashed({row[0] for row in noted})
            self.orders.ended()

    @property
    def is_locked(self) -> bool:
        """Does a process hold the uploader's lock?"""
        return self.life is not None and not self.life.has_let_go

    @property
    def has_begun(self) -> bool:
        """Is the run of the process that lives in the journal, ended or not?"""
        return (
            self.life is not None and self.life.engine is not None and self.life.engine.run_id > 0
        )

    @property
    def truth(self) -> dict[str, bytes]:
        """What the paths of all albums hold."""
        return self.photos.truth | (self.party.truth if self.party is not None else {})

    def is_alive(self, pid: int) -> bool:
        return self.life is not None and self.life.pid == pid

    def has_albums_for_cron(self) -> bool:
        """Is an album not on hold?"""
        sql = "select exists (select 1 from album where not held)"
        return not self.is_alone or bool(self.reader.execute(sql).fetchone()[0])

    def has_work(self) -> bool:
        """Would a command send anything?"""
        return bool(self.reader.execute(_UNFINISHED).fetchone()[0])

    def bury(self, *, power: bool) -> None:
        """The life that runs is over, at this instant."""
        life, self.life = self.life, None
        self.loop.bury()
        if life is not None:
            self._end_beside(life)
            if self.watchers and self.chance.of("watcher").random() < 0.5:
                self.fired["a torn snapshot"] += self.disk.tear_snapshot(self.chance.of("tear"))
        self.close()
        if life is not None:
            life.helpers.end()
            life.network.end(power=power)
            self.disk.crash(life.journal.connection, power=power)

    @property
    def reader(self) -> sqlite3.Connection:
        """Reads the journal as it lies on the disk."""
        if self._reader is None:
            self._reader = sqlite3.connect(
                f"file:{self.disk.journal}?mode=ro", uri=True, isolation_level=None
            )
            self._reader.row_factory = sqlite3.Row
        return self._reader

    def close(self) -> None:
        """Nothing is read for now."""
        for connection in (self._reader, self._pushed):
            if connection is not None:
                connection.close()
        self._reader = self._pushed = None

    def open(self) -> Journal:
        return Journal(self.disk.journal, self.clock)

    def _open(self) -> Journal:
        """As the push before it has left it, if there was one."""
        return self._pushed or self.open()

    def _queued(self, journal: Journal) -> dict[int, tuple[bytes, int]]:
        found = journal.rows(
            "select task.id, path, task.updated from task join photo on photo.id = task.photo_id"
        )
        return {row[0]: (bytes(row[1]), row[2]) for row in found}

    def begin_life(self) -> Life:
        journal, self._pushed = self._open(), None
        helpers = SimulatedHelpers(
            self.line, self.chance.of("helpers"), slow=self.plan.helpers_slow
        )
        network = SimulatedNetwork(self.line, self.server.accept, self._handed)
        self.lives += 1
        self.life = Life(journal, helpers, network, FIRST_PID + self.lives)
        self.handed.clear()
        self.events.prepare(helpers)
        return self.life

    def _fresh_sets(self, journal: Journal) -> None:
        """What retry-failed does first, from cron."""
        rule = "asked" if self.plan.kind == "asked" else self.plan.resend
        for album in runs.albums(journal):
            rounds.give(journal, album, rounds.Wanted(ROUNDS), rule)

    # What the world sees.

    def _listen(self, event: Event) -> None:
        name = event.path.rpartition(b"/")[2].decode() if isinstance(event, PhotoEvent) else ""
        if isinstance(event, Spooled) and self.life is not None:
            self.copied.update(
                row[0]
                for row in self.reader.execute("select task_id from body where spool not null")
            )
        self.tell("engine", f"{name_of(event)} {name} {getattr(event, 'error', '') or ''}".rstrip())
        if self.life is not None and self.life.command is not None:
            self.life.command.hear(event)
            self.course.hear(event, self.loop.time())
        if isinstance(event, Woke) and not self.has_slept:
            self.events.broken = self.events.broken or Broken("it woke, and had not slept")

    def _goes_astray(self, what: str) -> None:
        self.events.broken = self.events.broken or Broken(f"{what} goes to another server")

    def _leave_given(self) -> str:
        """What may_run says."""
        return NO_LEAVE if self.loop.time() < self.no_leave_until else ""

    def _handed(self, wire: SimulatedWire, data: bytes | None, count: int) -> None:
        outgoing = self.handed.setdefault(wire.number, events.Outgoing())
        for boundary in outgoing.went(data, count):
            self._last_byte(boundary, self.whole_at.setdefault(wire.number, []))

    def _last_byte(self, boundary: str, whole_at: list[float]) -> None:
        """The law of whole_at, at the instant when the last byte of a body is handed over."""
        assert self.life is not None
        found = self.reader.execute(
            "select whole_at, task_id, photo.path from attempt join task on task.id = task_id"
            " join photo on photo.id = photo_id where boundary = ? "
            "order by attempt.id desc limit 1",
            (boundary,),
        ).fetchone()
        self.tell(
            "engine", f"hands over the last byte of photo {found['task_id'] if found else '?'}"
        )
        if found is None or found["whole_at"] is None:
            self.events.broken = Broken("the last byte of a body left, and that was not durable")
        else:
            whole_at.append(found["whole_at"] - BORN - self.offset)
        self.in_hand = int(found["path"].rpartition(b"IMG_")[2][:-4]) if found else 0
        self.events.happened("last byte")

    def sleep(self, seconds: float, *, runs_on: bool = False, hangs_up: bool = True) -> None:
        """The computer sleeps, now.

        The loop's time stands still, as on Linux and macOS. ``runs_on``: it does not, and no clock
        tells of the sleep, as when the process was stopped. ``hangs_up``: the servers do meanwhile,
        and nobody here hears of it.
        """
        self.tell("world", f"sleeps for {seconds:g} s")
        self.has_slept = True
        if hangs_up and self.life is not None:
            for wire in self.life.network.wires:
                wire.fall_silent()
        if runs_on:
            self.course.sleeps(seconds, self.plan.tick)
            self.loop.stand_still(seconds)
        else:
            self.offset += seconds
            self.asleep += seconds

    def move(self) -> None:
        """The computer leaves its network for another one; what it has connected stays silent."""
        self.tell("world", "moves to another network")
        for wire in self.life.network.wires if self.life is not None else ():
            wire.is_homeless = True
            wire.fall_silent()

    def drain(self, stop: Stop, grace: float) -> None:
        if self.life is not None and self.life.engine is not None:
            self.life.engine.drain(stop, grace)

    def _after_step(self) -> None:
        if self.line.last_heard != self.heard_at:
            self.heard_at, self.fired_before = self.line.last_heard, self.loop.fired
        if self.is_alone and self.life is not None and self.life.command is not None:
            self.life.command.turn()
            self.orders.turn()
            for watcher in self.watchers:
                watcher.turn()
        self.events.after_step()
