"""What other commands want of a run that is on: ``stop``, ``resume`` and ``push`` that hand albums
over again, and other options."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from albumup.errors import AlbumupError
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.session import changing, stopping
from albumup.uploader.options import Options
from simulation.laws import Broken

if TYPE_CHECKING:
    from simulation.plan import Event
    from simulation.scene import Scene

_POLL = 0.1
_TRIES = 40
_RATES = ("20k", "200k", "1M")


@dataclass
class _Waiting:
    """A ``stop`` that has not returned."""

    given: stopping.Order
    polled: float = 0.0
    lifted: set[int] = field(default_factory=set)
    """The albums with which somebody went on meanwhile."""


@dataclass
class Orders:
    """The commands beside the runs of a story."""

    scene: Scene
    on_hold: dict[int, int] = field(default_factory=dict)
    """Albums whose ``stop`` has returned, and the attempts that they had by then."""
    handed: dict[int, int] = field(default_factory=dict)
    """Albums that were handed over and not stopped since, and to which run."""
    most_jobs: int = 0
    emptied_at: float | None = None
    """When a ``stop`` returned after which nothing was left in the run's scope."""
    _waiting: list[_Waiting] = field(default_factory=list)

    def do(self, event: Event) -> None:
        """Give an order, now or as soon as the journal can be written."""
        if event.kind.startswith("stop "):
            self._try(lambda journal: self._stop(journal, event))
        elif event.kind == "hand over":
            self._try(self._lift)
        else:
            self._try(lambda journal: self._change(journal, event))

    def _try(self, command: Callable[[Journal], None], tries: int = _TRIES) -> None:
        scene = self.scene
        journal = Journal(scene.disk.journal, scene.clock)
        journal.connection.execute("pragma busy_timeout = 0")
        try:
            command(journal)
        except (AlbumupError, sqlite3.OperationalError):
            if tries:
                scene.loop.outside(0.05, self._try, command, tries - 1)
        finally:
            journal.close()

    # Stopping.

    def _stop(self, journal: Journal, event: Event) -> None:
        which = event.kind.split()[1]
        albums = [one for one in runs.albums(journal) if which in (one.name, "all")]
        given = stopping.order(journal, albums, is_now=event.kind.endswith("now"))
        for album_id in given.unfinished:
            self.handed.pop(album_id, None)
        self.scene.tell("person", f"{event.kind}: {sorted(given.unfinished)}")
        self.scene.was_ordered = True
        self._waiting.append(_Waiting(given))
        if given.run is None or not self.scene.is_locked:
            self._look(self._waiting[-1])

    def turn(self) -> None:
        """As the commands that wait do."""
        now = self.scene.loop.time()
        for one in list(self._waiting):
            if now >= one.polled + _POLL:
                one.polled = now
                self._look(one)

    def _look(self, one: _Waiting) -> None:
        scene, run = self.scene, one.given.run
        reader = scene.reader
        is_on = run is not None and scene.is_locked
        is_on = (
            is_on
            and reader.execute(
                "select ended is null from run where id = ?", (run.id if run else 0,)
            ).fetchone()[0]
        )
        held = {row[0] for row in reader.execute("select id from album where held")}
        scope = set()
        if is_on and run is not None:
            scope = {
                row[0]
                for row in reader.execute("select album_id from scope where run_id = ?", (run.id,))
            }
        if one.given.albums & scope & held:
            return
        self._waiting.remove(one)
        scene.fired["a stop returns"] += 1
        scene.tell("person", "stop returns")
        if is_on and not scope:
            self.emptied_at = scene.loop.time()
        for album_id in one.given.unfinished - held - one.lifted:
            if self._is_unfinished(album_id):
                raise Broken(f"album {album_id} was stopped, and is not on hold")
        for album_id in one.given.unfinished & held:
            self._let_go(album_id, is_on=bool(is_on))

    def _let_go(self, album_id: int, *, is_on: bool) -> None:
        """What was in flight is settled or free. (What a hanging disk or resolver holds is left
        behind, and sends nothing.)"""
        reader = self.scene.reader
        sql = "select count(*) from task where album_id = ? and state = 'sending'"
        sending = reader.execute(sql, (album_id,)).fetchone()[0]
        assert self.scene.life is not None or not is_on
        hangs = self.scene.life is not None and self.scene.life.helpers.is_busy
        if is_on and sending and not hangs:
            raise Broken(f"stop has returned, and {sending} photos of album {album_id} are sent")
        self.on_hold[album_id] = self._attempts(album_id)

    def _attempts(self, album_id: int) -> int:
        """Attempts that were begun, and not only given up while they were opened."""
        sql = (
            "select count(*) from attempt join task on task.id = task_id where album_id = ?"
            " and (whole_at is not null or ended is null or started < ended)"
        )
        return int(self.scene.reader.execute(sql, (album_id,)).fetchone()[0])

    def lifted(self, album_ids: set[int]) -> None:
        """Somebody goes on with these albums."""
        for album_id in album_ids:
            self.on_hold.pop(album_id, None)
        for one in self._waiting:
            one.lifted |= album_ids
        if album_ids:
            self.emptied_at = None

    # Going on.

    def _lift(self, journal: Journal) -> None:
        """As ``resume`` does first: then it looks who uploads, a moment later."""
        scene = self.scene
        albums = {album.id for album in runs.albums(journal)}
        with journal.transaction():
            is_over = scene.has_begun and runs.running(journal) is None
            runs.hold(journal, albums, False)
        scene.came_too_late = scene.came_too_late or is_over
        self.lifted(albums)
        scene.loop.outside(0.0, self._try, self._hand_over)

    def _hand_over(self, journal: Journal) -> None:
        if not self.scene.is_locked:
            self.scene.came_too_late = True  # it sends itself: the next run of the story
            return
        with journal.transaction():
            albums = runs.albums(journal)
            run = runs.join(journal, [album.id for album in albums])
        # What was stopped again meanwhile stays so.
        self.joined(run, [album.id for album in albums if not album.held])

    def joined(self, run: runs.Run | None, album_ids: list[int]) -> None:
        scene = self.scene
        scene.tell("person", "hands over" if run is not None else "comes too late")
        if run is None:
            scene.came_too_late = True
            return
        scene.pushes[run.id] += 1
        self.handed.update(dict.fromkeys(album_ids, run.id))

    # Other options.

    def _change(self, journal: Journal, event: Event) -> None:
        with journal.transaction():
            run = runs.running(journal)
            if run is None or not self.scene.is_locked:
                return
            jobs = 1 + event.at % 5
            rate = _RATES[int(event.value * len(_RATES))]
            own = Options(shown={"jobs": jobs, "limit_rate": rate}, typed=("jobs", "limit_rate"))
            if changing.ask(journal, run, own) is not None:
                self.most_jobs = max(self.most_jobs, jobs)
                self.scene.fired["a change is asked for"] += 1

    # The laws.

    def always(self) -> None:
        """Nothing of an album is sent after its ``stop`` has returned, and it is on hold."""
        reader = self.scene.reader
        for album_id, attempts in self.on_hold.items():
            if (now := self._attempts(album_id)) > attempts:
                raise Broken(f"album {album_id} was stopped, and {now - attempts} attempts began")
            row = reader.execute("select held from album where id = ?", (album_id,)).fetchone()
            if not row[0] and self._is_unfinished(album_id):
                raise Broken(f"album {album_id} was stopped, and is not on hold")

    def _is_unfinished(self, album_id: int) -> bool:
        sql = (
            "select not settled from v_albums join album on album.name = v_albums.album"
            " where album.id = ?"
        )
        return bool(self.scene.reader.execute(sql, (album_id,)).fetchone()[0])

    def after_run(self, run_id: int) -> None:
        """Who has handed an album over is not missed; a run without albums ends."""
        scene = self.scene
        run = scene.reader.execute("select * from run where id = ?", (run_id,)).fetchone()
        sql = "select count(*) from instruction where run_id = ? and kind = 'change' and seen"
        if seen := scene.reader.execute(sql, (run_id,)).fetchone()[0]:
            scene.fired["a change is taken over"] += seen
            self._is_changed(run_id, json.loads(run["options"]))
        held = {row[0] for row in scene.reader.execute("select id from album where held")}
        for album_id, to in self.handed.items():
            if to == run_id and run["exit"] in (0, 3) and self._is_unfinished(album_id):
                raise Broken(f"album {album_id} was handed over, and missed")
            is_stopped = run["exit"] == 143 and not scene.was_stopped
            if to == run_id and is_stopped and not held and not scene.came_too_late:
                raise Broken(f"the run says that it was stopped, and album {album_id} is not")
        if self.emptied_at is not None:
            lasted = scene.ended_at - self.emptied_at
            if lasted > 130.0 + 2 * scene.plan.tick:
                raise Broken(f"nothing was left in the run's scope, and it ended {lasted:.0f} s on")
        self.emptied_at = None
        self.handed.clear()

    def _is_changed(self, run_id: int, options: dict[str, Any]) -> None:
        """The run has gone on with the last options that it has seen."""
        sql = "select value from instruction where run_id = ? and kind = 'change' and seen"
        *_, last = self.scene.reader.execute(f"{sql} order by id", (run_id,)).fetchall()
        if not json.loads(last[0]).items() <= options.items():
            raise Broken(f"the run was to go on with {last[0]}, and does with {options}")

    def ended(self) -> None:
        """A life is over: those that wait for it see that."""
        self.turn_all()
        self.emptied_at = None

    def turn_all(self) -> None:
        for one in list(self._waiting):
            self._look(one)
