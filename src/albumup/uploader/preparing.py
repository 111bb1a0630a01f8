"""The preparer: reads photos once, in the order of their push, and journals their bodies; never waits for uploads."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from albumup.body import AnotherVolume, SourceChanged, SourceGone, sent_name
from albumup.disk import fsync_folder
from albumup.errors import AlbumupError, ConfigError, TryLater
from albumup.facts import FactsReader
from albumup.journal import copies, framing
from albumup.journal.journal import Journal, LostTask
from albumup.journal.naming import Folder
from albumup.journal.rows import Body, Task
from albumup.journal.states import Prepared
from albumup.prepare import Reading, body_of, photo_of, read, reread
from albumup.uploader.lane import Lane
from albumup.uploader.origins import STRANGER
from albumup.uploader.spooling import is_away, open_copy

if TYPE_CHECKING:
    from albumup.uploader.engine import Engine

_Batch = list[tuple[Lane, Task]]

_BATCH = 64
_FLUSH_SECONDS = 0.1
_IDLE_SECONDS = 0.25
_RESTLESS_SECONDS = 1.0
_MOST_RESTLESS = 5
"""Readings of a file that is being written to before it is given up as missing."""


class _Ended(Exception):
    """The run is over; the reading is not needed."""


class Preparer(threading.Thread):
    """Prepares every unprepared task in the run's scope."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(name="preparer", daemon=True)
        self._engine = engine
        self._restless: dict[int, tuple[int, float]] = {}
        self._spooled = 0
        self._facts = FactsReader()
        self._zones: dict[int | None, str | None] = {}
        self._spool_folder, self._was_used = engine.options.spool_folder, False
        self._told_anew: set[Lane] = set()
        """Targets of which the user knows that bodies are framed anew."""

    def run(self) -> None:
        engine = self._engine
        try:
            self._was_used = engine.recorder.do(self._is_in_use).wait()
            while not engine.dispatch.ended.is_set():
                tasks, stills, stale = engine.recorder.do(self._next_batch).wait()
                engine.preparing = bool(tasks or stale)
                self._pair(stills)
                self._prepare(stale, self._reread)
                self._prepare(tasks, self._read)
                if tasks or stills or stale:
                    continue
                if self._spooled:
                    engine.recording.spooled(self._spooled)
                    self._spooled = 0
                engine.dispatch.wake.set()
                engine.dispatch.to_ask.set()
                engine.dispatch.ended.wait(_IDLE_SECONDS)
        except _Ended:
            pass
        except BaseException as error:  # noqa: BLE001 - whatever it was, the run must hear of it
            engine.fail(error)
        finally:
            self._facts.close()
            engine.preparing = False

    def _is_in_use(self, journal: Journal) -> bool:
        """Were copies put into the spool folder before? The one beside the journal is on no other disk."""
        return copies.was_used(journal, self._spool_folder)

    def _next_batch(self, journal: Journal) -> tuple[_Batch, _Batch, _Batch]:
        """What is to be read next; stills of live photos whose clips they need not wait for any more; and what is to
        be framed anew."""
        engine, now = self._engine, time.monotonic()
        found: _Batch = []
        stills: _Batch = []
        stale: _Batch = []
        with engine.dispatch.cond:
            for album in engine.dispatch.albums.values():
                lane = engine.dispatch.lanes.get(album.target)
                if lane is None:
                    continue
                if lane.closing is None and lane.target.pairs_live:
                    stills += [(lane, task) for task in journal.unpaired(album.id, _BATCH)]
                for root_id in engine.dispatch.album_roots.get(album.id, ()):
                    is_away = root_id in engine.dispatch.away
                    if lane.closing is None and len(stale) < _BATCH:
                        stale += [
                            (lane, task) for task in framing.stale(journal, album.id, root_id, _BATCH, copies=is_away)
                        ]
                    if is_away or len(found) >= _BATCH:
                        continue
                    for task in journal.unprepared(album.id, root_id, _BATCH + len(self._restless)):
                        waits = self._restless.get(task.id, (0, 0.0))[1] > now
                        if (lane.closing is None or task.spool) and not waits:
                            found.append((lane, task))
        return found[:_BATCH], stills, stale[:_BATCH]

    def _prepare(self, tasks: _Batch, read_one: Callable[[Lane, Task], Reading | None]) -> None:
        """Read and journal a batch, in parts that are not longer under way than a blink."""
        done: list[tuple[Lane, Task, Reading]] = []
        flush_at = time.monotonic()  # the first one goes at once: sending may begin
        for lane, task in tasks:
            reading = read_one(lane, task)
            if reading is not None:
                done.append((lane, task, reading))
            if time.monotonic() >= flush_at:
                self._journal(done)
                done, flush_at = [], time.monotonic() + _FLUSH_SECONDS
        self._journal(done)

    def _pair(self, stills: _Batch) -> None:
        """Frame stills with their clips' ids, or let them go without."""
        engine = self._engine
        changes: list[tuple[int, Body | None]] = []
        for lane, task in stills:
            body = task.body
            try:
                if task.clip_id and body is not None:
                    reading = Reading(body.pins, body.digests, body.taken, body.spool, task.sidecar)
                    changes.append((task.id, body_of(task, reading, lane.target, task.sent_as or "", lane.definition)))
                else:
                    changes.append((task.id, None))
            except AlbumupError as error:
                engine.dispatch.close_lane(lane, error)

        def record(journal: Journal) -> None:
            for task_id, framed in changes:
                with contextlib.suppress(LostTask):  # cancelled meanwhile
                    journal.paired(task_id, framed)

        if changes:
            engine.recorder.do(record, lambda: engine.dispatch.wet(lane for lane, _ in stills)).wait()

    def _read(self, lane: Lane, task: Task) -> Reading | None:
        engine = self._engine
        if task.root_id in engine.dispatch.away or (
            not engine.origins.is_known(task) and engine.dispatch.root_away(task.root_id, STRANGER)
        ):
            return None

        def on_block(size: int) -> None:
            if engine.dispatch.ended.is_set():
                raise _Ended
            if task.spool:
                engine.recording.counts.spooled_bytes += size

        try:
            spool = partial(open_copy, self._spool_folder, was_used=self._was_used) if task.spool else None
            reading = read(task, lane.target, self._facts, spool, on_block)
        except AnotherVolume as other:
            engine.dispatch.root_away(task.root_id, str(other))
            return None
        except SourceGone as gone:
            if not engine.dispatch.root_away(task.root_id, engine.origins.stranger(task)):
                self._give_up(task, str(gone))
            return None
        except SourceChanged as changed:
            times = self._restless.get(task.id, (0, 0.0))[0] + 1
            self._restless[task.id] = (times, time.monotonic() + _RESTLESS_SECONDS)
            if times >= _MOST_RESTLESS:
                self._give_up(task, f"{changed}, again and again")
            return None
        except ConfigError as error:
            engine.dispatch.close_lane(lane, error)
            return None
        differs = (reading.pins.size, reading.pins.mtime_ns) != task.seen
        if differs and (why := engine.origins.stranger(task)) and engine.dispatch.root_away(task.root_id, why):
            return None
        if reading.pins.size == 0:
            self._give_up(task, "it is empty now")
            return None
        self._restless.pop(task.id, None)
        self._spooled += task.spool
        return reading

    def _reread(self, lane: Lane, task: Task) -> Reading | None:
        """What is known of a photo whose body is framed anew, and what its form wants besides."""
        engine, body = self._engine, task.body
        assert body is not None
        if lane not in self._told_anew:
            self._told_anew.add(lane)
            engine.recording.framed_anew(lane)
        copy = os.path.join(engine.options.spool_folder, body.spool) if body.spool else None
        try:
            return self._reread_from(lane, task, copy)
        except AnotherVolume as other:
            engine.dispatch.root_away(task.root_id, str(other))
        except (SourceChanged, SourceGone) as fault:
            if copy and isinstance(fault, SourceGone) and (why := is_away(copy)):
                words = f"{os.path.dirname(copy)}: {why}; copies of photos are to be there"
                engine.fail(TryLater(words, "Bring back its disk, then: albumup resume"))
            elif copy:
                return self._reread_itself(lane, task, f"its copy cannot be used ({fault})")
            elif not engine.dispatch.root_away(task.root_id, engine.origins.stranger(task)):
                self._start_afresh(task, str(fault))
        except ConfigError as error:
            engine.dispatch.close_lane(lane, error)
        return None

    def _reread_itself(self, lane: Lane, task: Task, words: str) -> Reading | None:
        """The photo itself in place of its copy, if it has the journaled bytes still; else it is missing."""
        try:
            return replace(self._reread_from(lane, task, None), spool=None)
        except (SourceChanged, SourceGone, AnotherVolume) as other:
            self._give_up(task, f"{words}, and the photo itself neither ({other})")
        except ConfigError as error:
            self._engine.dispatch.close_lane(lane, error)
        return None

    def _reread_from(self, lane: Lane, task: Task, copy: str | None) -> Reading:
        """``reread``, from a copy if there is one. Raises as it does."""
        engine, body = self._engine, task.body
        assert body is not None
        zone = self._zone_of(body.definition) if body.taken else None

        def on_block(_: int) -> None:
            if engine.dispatch.ended.is_set():
                raise _Ended

        return reread(
            task,
            lane.target,
            self._facts,
            os.fsencode(copy) if copy else None,
            on_block,
            same_zone=zone == (lane.target.settings.timezone or ""),
        )

    def _zone_of(self, definition: int | None) -> str | None:
        """The time zone that a definition named; None if the definition is not known."""
        if definition not in self._zones:
            self._zones[definition] = self._engine.recorder.do(
                lambda journal: framing.timezone_of(journal, definition)
            ).wait()
        return self._zones[definition]

    def _start_afresh(self, task: Task, words: str) -> None:
        """It has other bytes, or is gone: it is read as if for the first time."""

        def record(journal: Journal) -> None:
            with contextlib.suppress(LostTask):
                journal.prepare_again(task.id)

        self._engine.recorder.do(record, lambda: self._engine.recording.tell("changed", task, error=words)).wait()

    def _give_up(self, task: Task, words: str) -> None:
        recording = self._engine.recording
        self._restless.pop(task.id, None)
        self._engine.recorder.do(
            lambda journal: recording.missing(journal, task, words), lambda: recording.told_missing(task, words)
        )

    def _journal(self, done: list[tuple[Lane, Task, Reading]]) -> None:
        """Name, frame and journal what was read; the copies' folder is fsynced before the rows that name them."""
        if not done:
            return
        engine = self._engine
        if any(reading.spool for _, _, reading in done):
            fsync_folder(self._spool_folder)
        wanted = [
            lane.target.filename(photo_of(task, reading.pins, reading.digests, reading.taken, lane.target))
            for lane, task, reading in done
        ]
        names = engine.recorder.do(
            lambda journal: [
                _name(journal, lane, task, name, reading.digests["sha256"])
                for (lane, task, reading), name in zip(done, wanted, strict=True)
            ]
        )
        changes = []
        for (lane, task, reading), name in zip(done, names.wait(), strict=True):
            try:
                changes.append(
                    (lane, task, body_of(task, reading, lane.target, name, lane.definition), name, reading.sidecar)
                )
            except AlbumupError as error:
                engine.dispatch.close_lane(lane, error)

        def record(journal: Journal) -> None:
            if any(body.spool for _, _, body, *_ in changes):
                copies.note_folder(journal, self._spool_folder)
                self._was_used = self._is_in_use(journal)
            for lane, task, body, name, sidecar in changes:
                try:
                    then = Prepared.UNASKED if lane.target.asks_first else Prepared.READY
                    journal.prepared(task.id, body, name, seen=task.seen, then=then)
                except LostTask:
                    continue  # cancelled meanwhile; its copy is swept
                if sidecar is not None:
                    journal.sidecar_read(task.id, sidecar, hashlib.sha256(sidecar).hexdigest())

        def recorded() -> None:
            engine.dispatch.wet(lane for lane, *_ in changes)

        engine.recorder.do(record, recorded).wait()


def _name(journal: Journal, lane: Lane, task: Task, wanted: str, sha256: str) -> str:
    """What a photo is sent as; unique where it is put, where the server may overwrite by name."""
    target = lane.target
    if not target.overwrites_by_name:
        return sent_name(wanted)
    folder = Folder(target.puts_into(task.album), is_shared=target.shares_folder(task.album))
    return journal.name_photo(task.id, task.album_id, partial(sent_name, wanted), task.sent_as, folder, sha256)
