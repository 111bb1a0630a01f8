"""The journal: one method per state change, each a few statements inside somebody's transaction.

A process has one connection to its journal, and one thread at a time uses it (:mod:`albumup.journal.commits`): closing
a second one would drop the first one's POSIX locks. Methods that change something are called inside ``transaction()``.
Times are Unix seconds, UTC.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sqlite3
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from albumup.errors import LocalError
from albumup.journal import bodies, naming, steps
from albumup.journal.naming import Folder
from albumup.journal.opening import journal_fault, open_writer
from albumup.journal.rows import Body, CutOff, Framed, Task, plain, stored, tasks
from albumup.journal.states import (
    WANTING,
    Membership,
    Stage,
    State,
    Together,
)
from albumup.photos.pins import Pins

HAS_COPY = " and exists (select 1 from body where body.task_id = task.id and body.spool is not null)"

_UNSKIPPED = "task.id not in (select value from json_each(?))"
_UNTRIED = (-math.inf, 0.0)
"""The times of trying again of tasks that were never tried in this set."""


class LostTask(Exception):
    """The task is not in a state from which this change is allowed: somebody cancelled or forgot it."""


class Journal:
    """The state changes of tasks, on one connection."""

    def __init__(self, path: str, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self.clock = clock
        self.connection = open_writer(path)
        self._file = _identity(path)
        self._last: dict[Hashable, Callable[[], None]] = {}
        self._after: list[Callable[[], None]] = []
        self._plain_folders: naming.PlainFolders = {}

    def close(self) -> None:
        self.connection.close()

    def expect_in_place(self) -> None:
        """Raise LocalError if another process has set this journal aside as damaged: nobody would look into it."""
        if _identity(self.path) != self._file:
            raise LocalError(f"{self.path}: set aside meanwhile, because it was damaged", "push again")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """BEGIN IMMEDIATE ... COMMIT: durable when it ends well, undone otherwise. Raises LocalError."""
        try:
            self.begin()
            yield
            self.finish()
            self.commit()
        except BaseException as error:
            self.undo()
            if isinstance(error, sqlite3.Error):
                raise journal_fault(self.path, error) from error
            raise

    # Its parts, for whoever gathers changes. They raise sqlite3.Error.

    def begin(self) -> None:
        self._last.clear()
        self._after.clear()
        self._plain_folders.clear()
        self.connection.execute("begin immediate")

    def finish(self) -> None:
        """Make the changes that come at a transaction's end."""
        for change in self._last.values():
            change()

    def commit(self) -> None:
        """May be called by another thread than the one that changed something, while that waits."""
        self.connection.execute("commit")

    def undo(self) -> None:
        if self.connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self.connection.execute("rollback")

    def before_commit(self, key: Hashable, change: Callable[[], None]) -> None:
        """Make ``change`` at the end of this transaction: once, however often it is asked for under that ``key``."""
        self._last[key] = change

    def after_commit(self, call: Callable[[], None]) -> None:
        """``call`` is made once this transaction is durable, by whoever made it (``made``)."""
        self._after.append(call)

    def made(self) -> None:
        """The transaction is durable: make the calls that wait for it."""
        calls, self._after = self._after, []
        for call in calls:
            call()

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """All rows of a query."""
        return self.connection.execute(sql, values).fetchall()

    def tasks(self, condition: str, *values: Any) -> list[Task]:
        """The tasks that a condition selects."""
        return tasks(self.connection, condition, values)

    def move(self, task_id: int, state: State, reason: str = "", also: str = "", *values: Any) -> None:
        """One step of the state machine; LostTask if the table of transitions does not allow it.

        ``also``: other columns of the task that change with it (SQL, ", tries = ?"), and their ``values``.
        """
        update, allowed = steps.MOVE[state]
        moved = self.connection.execute(update + also + allowed, (plain(reason), self.clock(), *values, task_id))
        if moved.rowcount != 1:
            raise LostTask(task_id)

    def _take(self, step: str, *values: Any) -> None:
        """Make the statement of a step; the last of its values is the task's id. LostTask if it is not allowed."""
        if self.connection.execute(step, values).rowcount != 1:
            raise LostTask(values[-1])

    def reason_of(self, task_id: int) -> str:
        """Why a task stands where it does, in words."""
        found = self.rows("select reason from task where id = ?", task_id)
        return str(found[0]["reason"]) if found else ""

    # Preparing.

    def unprepared(
        self, album_id: int, root_id: int, limit: int, after: int = 0, *, skip: Collection[int] = ()
    ) -> list[Task]:
        """Tasks of an album that wait for their body, in the order of their push; those to ``skip`` are left out."""
        return self.tasks(
            f"where task.album_id = ? and task.root_id = ? and {steps.IS_UNREAD}"
            f" and task.id > ? and {_UNSKIPPED} order by task.next_at, task.id limit ?",
            album_id,
            root_id,
            after,
            json.dumps([*skip]),
            limit,
        )

    def name_photo(
        self,
        task_id: int,
        album_id: int,
        wanted: Callable[[int], str],
        had: str | None = None,
        folder: Folder | None = None,
        sha256: str = "",
    ) -> str:
        """The name under which a photo is sent: ``naming.name_photo``."""
        return naming.name_photo(
            self.connection, task_id, album_id, wanted, had, folder, sha256, plain=self._plain_folders
        )

    def forget_names(self, album_id: int) -> None:
        """An album is about to be dropped: ``naming.forget_names``."""
        self._plain_folders.clear()
        naming.forget_names(self.connection, album_id)

    def prepared(
        self,
        task_id: int,
        body: Body,
        sent_as: str,
        *,
        seen: tuple[int, int] | None = None,
        then: Stage = Stage.READY,
    ) -> None:
        """A pending task got its body. LostTask if it is no longer pending.

        ``then``: what comes before it can be sent. ``seen``: size and modification time (ns) that the journal has of
        the photo, where they are known.
        """
        self._take(steps.FRAMED_AND_SIZE[then], sent_as, self.clock(), body.pins.size, task_id)
        attempts = self.rows("select attempts from task where id = ?", task_id)[0][0]
        bodies.keep(self.connection, [(task_id, body, attempts)])
        if seen != (body.pins.size, body.pins.mtime_ns):
            self._see(task_id, body.pins)

    def prepared_many(self, framed: Sequence[Framed]) -> set[int]:
        """The same of many tasks; the ids of those that are no longer pending."""
        now = self.clock()
        lost: set[int] = set()
        execute = self.connection.cursor().execute
        for one in framed:
            # A statement that may change the size costs a look at the tally, too.
            size, task_id = one.body.pins.size, one.task.id
            if execute(steps.FRAMED[one.then], (one.sent_as, now, task_id, size)).rowcount == 1:
                continue
            if execute(steps.FRAMED_AND_SIZE[one.then], (one.sent_as, now, size, task_id)).rowcount != 1:
                lost.add(task_id)
        kept = [one for one in framed if one.task.id not in lost]
        bodies.keep(self.connection, [(one.task.id, one.body, one.task.attempts) for one in kept])
        for one in kept:
            pins = one.body.pins
            if one.task.seen != (pins.size, pins.mtime_ns):
                self._see(one.task.id, pins)
        return lost

    # What comes between preparing and sending, on some servers.

    def unasked(self, album_id: int, limit: int) -> list[Task]:
        """Tasks that the server is to be asked about before they are sent."""
        return self.tasks(f"where task.album_id = ? and {steps.IS_UNASKED} limit ?", album_id, limit)

    def unasked_count(self, album_id: int, most: int) -> int:
        """How many of them there are, counted no further than ``most``."""
        found = self.rows(
            f"select count(*) from (select 1 from task where album_id = ? and {steps.IS_UNASKED} limit ?)",
            album_id,
            most,
        )
        return int(found[0][0])

    def asked(self, task_id: int) -> None:
        """The server does not have it: it can be sent, the still of a live photo after its clip. LostTask if it is not
        waiting for that any more."""
        if self.connection.execute(steps.ASKED, (task_id,)).rowcount != 1:
            self._take(steps.ASKED_STILL, task_id)

    def unpaired(self, album_id: int, limit: int) -> list[Task]:
        """Stills of live photos whose clip is there, or will not get there in this set of tries."""
        return self.tasks(
            f"where task.album_id = ? and {steps.IS_UNPAIRED} and not exists"
            f" (select 1 from task clip where clip.id = task.clip_id and {steps.CLIP_IS_OPEN}) limit ?",
            album_id,
            limit,
        )

    def paired(self, task_id: int, framed: Body | None) -> None:
        """A still is ``framed`` with its clip's id, or goes without (None) and is joined to it should it come.

        LostTask if it does not wait for that any more.
        """
        together = Together.BY_SENDING if framed is not None else Together.NOT_YET
        self._take(steps.PAIRED, together, task_id)
        if framed is not None:
            self.connection.execute(
                "update body set head = ?, tail = ?, boundary = ?, content_type = ?, length = ?, definition_id = ?"
                " where task_id = ?",
                (
                    framed.head,
                    framed.tail,
                    framed.boundary,
                    framed.content_type,
                    framed.length,
                    framed.definition,
                    task_id,
                ),
            )

    def go_alone(self, task_id: int) -> None:
        """The clip of this still is not on the server: it is framed anew, without."""
        self.connection.execute("update task set clip_id = null, alone = 0 where id = ?", (task_id,))
        self.connection.execute("update body set head = null, length = null where task_id = ?", (task_id,))

    def parted(self, album_id: int, limit: int) -> list[tuple[int, str, str]]:
        """Stills that were there before their clips, which are there by now: task, and the server's ids of both."""
        found = self.rows(
            "select still.id, still.remote_id as still, clip.remote_id as clip"
            " from task clip join task still on still.clip_id = clip.id where clip.album_id = ?"
            f" and {steps.IS_PARTED_CLIP} limit ?",
            album_id,
            limit,
        )
        return [(row["id"], row["still"], row["clip"]) for row in found]

    def joined(self, task_id: int, *, well: bool) -> None:
        """A still and its clip are one there, or will not be (``well`` False): then the clip is a photo of its own."""
        together = Together.JOINED if well else Together.REFUSED
        self.connection.execute("update task set alone = ? where id = ?", (int(together), task_id))

    def rest_clips(self, album_id: int) -> None:
        """Clips whose still did not get there and may yet wait for it, outside the album."""
        self.connection.execute(steps.REST_CLIPS, (album_id,))

    def wake_clip(self, task_id: int) -> None:
        """Something becomes of a still: what its clip waits for is decided anew."""
        self.connection.execute(steps.WAKE_CLIP, (task_id,))

    def sidecar_read(self, task_id: int, content: bytes, sha256: str) -> None:
        """What goes along with a photo's next sending."""
        self.connection.execute(
            "update sidecar set content = ?, size = ?, sha256 = ? where task_id = ?",
            (content, len(content), sha256, task_id),
        )

    def sidecar_sent(self, task_id: int) -> None:
        """The server took the body that it was in. What is not in the journal was in none: too large, or unreadable."""
        self.connection.execute(
            "update sidecar set sent = 1, content = null where task_id = ? and content is not null", (task_id,)
        )

    def sidecar_left(self, task_id: int) -> None:
        """Its photo is there, and a sidecar that did not go with it stays here."""
        self.connection.execute("update sidecar set content = null where task_id = ? and not sent", (task_id,))

    # What is to be put into the server's album.

    def members_pending(self, album_id: int, limit: int) -> list[tuple[int, str]]:
        """Stored photos that are to be put into the server's album: task and the server's id of it, in order.

        A live photo's clip has no place of its own once its still is one with it; as long as that may be it waits.
        """
        return [
            (row["id"], row["remote_id"])
            for row in self.rows(
                f"select task.id, task.remote_id from task where task.album_id = ? and {steps.IS_TO_BE_PLACED}"
                f" and not {steps.MAY_BE_ONE} order by task.id limit ?",
                album_id,
                limit,
            )
        ]

    def members_pending_count(self, album_id: int, most: int) -> int:
        """How many stored photos could be put into the server's album, counted no further than ``most``."""
        found = self.rows(
            f"select count(*) from (select 1 from task where task.album_id = ? and {steps.IS_TO_BE_PLACED}"
            " and not exists (select 1 from task still where still.clip_id = task.id"
            f" and {steps.STILL_IS_OPEN}) limit ?)",
            album_id,
            most,
        )
        return int(found[0][0])

    def drop_clips(self, album_id: int) -> None:
        """Clips whose still is stored are in the album with it: nothing is to be done about them."""
        self.connection.execute(steps.DROP_CLIPS, (album_id,))

    def renew_members(self, album_id: int) -> None:
        """The server's album is new, or was deleted there: all that is stored is to be put into it."""
        self.connection.execute(steps.PLACE_ALL, (album_id,))

    def renew_refused(self, album_id: int) -> None:
        """Photos that the server would not put into the album, or would not join, are to be tried again."""
        self.connection.execute(steps.PLACE_CLIPS_AGAIN, (album_id,))
        self.connection.execute(steps.JOIN_AGAIN, (album_id,))
        self.connection.execute(steps.PLACE_AGAIN, (album_id,))

    def placed(self, task_id: int, why_not: str = "") -> None:
        """The server said that a photo is in the album now, or ``why_not``. When its state changed stays as it was."""
        self.connection.execute(steps.NOT_PLACED if why_not else steps.PLACED, (plain(why_not), task_id))

    def album_known(self, album_id: int, remote_id: str | None) -> None:
        """What the server calls an album; None: it has it no more."""
        self.connection.execute(
            "update album set remote_id = ?1, share = iif(wants_share and ?1 is null, null, share) where id = ?2",
            (plain(remote_id), album_id),
        )

    def want_share(self, album_id: int) -> None:
        """The user asked for the album's share link."""
        self.connection.execute("update album set wants_share = 1 where id = ?", (album_id,))

    def shared(self, album_id: int, url: str) -> None:
        """The album has a share link."""
        self.connection.execute(
            "update album set share = ?, changed = ? where id = ?", (plain(url), self.clock(), album_id)
        )

    def unshared(self, album_id: int) -> None:
        """The share link leads nowhere any more; another one is made only when it is asked for."""
        self.connection.execute("update album set share = null, wants_share = 0 where id = ?", (album_id,))

    def repin(self, task_id: int, pins: Pins) -> None:
        """The source's metadata changed and its bytes did not."""
        self.connection.execute(
            "update body set mtime_ns = ?, inode = ?, ctime_ns = ? where task_id = ?",
            (stored(pins.mtime_ns), stored(pins.inode), stored(pins.ctime_ns), task_id),
        )
        self._see(task_id, pins)

    def _see(self, task_id: int, pins: Pins) -> None:
        seen = pins.size, stored(pins.mtime_ns), stored(pins.inode)
        self.connection.execute(
            "update photo set size = ?, mtime_ns = ?, inode = ? where id = (select photo_id from task where id = ?)"
            " and (size, mtime_ns, inode) is not (?, ?, ?)",
            (*seen, task_id, *seen),
        )

    def prepare_again(self, task_id: int, now: Pins | None = None) -> None:
        """The source has other bytes: a pending task loses its body and starts afresh, with fresh tries.

        ``now``: how the photo looks since it was edited, where that is known. What was marked because of a doubt stays
        marked: it may be there as it is now, or be edited back.

        LostTask if it is no longer pending.
        """
        self._take(steps.START_AFRESH, task_id)
        if now is not None:
            self._see(task_id, now)
        self.connection.execute("delete from body where task_id = ?", (task_id,))
        if self.rows("select 1 from attempt where task_id = ? and whole_at is not null limit 1", task_id):
            self.connection.execute("update sent_name set used = 1 where task_id = ?", (task_id,))

    # Sending.

    def ready(
        self,
        album_id: int,
        root_id: int,
        now: float,
        limit: int,
        untried: bool,
        *,
        copies: bool = False,
        skip: Collection[int] = (),
    ) -> list[Task]:
        """Prepared tasks whose time has come: those never tried in this set, or those to be tried again.

        ``copies``: only those with a copy of their own, which are there although their root is away. Those to ``skip``
        are left out.
        """
        times = _UNTRIED if untried else (0.0, now)
        return self._prepared(album_id, root_id, times, limit, copies=copies, skip=skip)

    def _prepared(
        self,
        album_id: int,
        root_id: int,
        times: tuple[float, float],
        limit: int,
        *,
        copies: bool,
        skip: Collection[int] = (),
    ) -> list[Task]:
        """``times``: after the first of them a task is to be tried again, and at the second at the latest."""
        return self.tasks(
            f"where task.album_id = ? and task.root_id = ? and {steps.IS_READY}"
            f" and task.next_at > ? and task.next_at <= ?{HAS_COPY if copies else ''} and {_UNSKIPPED}"
            " order by task.next_at, task.id limit ?",
            album_id,
            root_id,
            *times,
            json.dumps([*skip]),
            limit,
        )

    def of_another_type(self, album_ids: Iterable[int], mime: str) -> Task | None:
        """A pending photo of these albums that is of another type, prepared or not."""
        for album_id in album_ids:
            found = self.tasks(
                f"where task.album_id = ? and {steps.IS_UNHELD} and photo.mime <> ?"
                f" order by {steps.AT_READY} desc, task.id limit 1",
                album_id,
                mime,
            )
            if found:
                return found[0]
        return None

    def next_time(self, album_id: int, root_id: int, *, copies: bool = False) -> float | None:
        """The earliest time at which a prepared task of an album and root may be tried again; ``copies`` as above."""
        found = self.rows(
            f"select next_at from task where album_id = ? and root_id = ? and {steps.IS_READY}"
            f"{HAS_COPY if copies else ''} order by next_at limit 1",
            album_id,
            root_id,
        )
        return found[0][0] if found else None

    def bring_forward(self, places: Iterable[tuple[int, int]], after: float, to: float) -> None:
        """Prepared tasks of these albums and roots that would wait until ``after`` or longer wait until ``to``."""
        self.connection.executemany(
            f"update task set next_at = ? where album_id = ? and root_id = ? and {steps.IS_READY} and next_at > ?",
            [(to, album_id, root_id, after) for album_id, root_id in places],
        )

    def task(self, task_id: int) -> Task | None:
        """One task, or None if it was forgotten."""
        found = self.tasks("where task.id = ?", task_id)
        return found[0] if found else None

    def start(self, task_id: int, run_id: int, boundary: str, *, whole: bool = False) -> int:
        """An attempt at sending the body with that boundary begins; its id. ``whole``: all of it is about to leave.

        LostTask if the task is not ready any more, or has another body by now: its source has other bytes.
        """
        now = self.clock()
        started = self.connection.execute(steps.START, ("", now, task_id, boundary))
        if started.rowcount != 1:
            raise LostTask(task_id)
        cursor = self.connection.execute(
            "insert into attempt (task_id, run_id, boundary, number, started, whole_at)"
            " values (?, ?, ?, (select attempts from task where id = ?), ?, ?)",
            (task_id, run_id, boundary, task_id, now, now if whole else None),
        )
        return int(cursor.lastrowid or 0)

    def whole(self, attempt_id: int) -> None:
        """The last byte of the body is about to leave; the caller waits for this to be durable."""
        self.connection.execute("update attempt set whole_at = ? where id = ?", (self.clock(), attempt_id))

    def stayed(self, attempt_id: int) -> None:
        """The last byte of an attempt's body is known not to have left, whatever was noted before."""
        self.connection.execute("update attempt set whole_at = null where id = ?", (attempt_id,))

    def end_attempt(
        self,
        attempt_id: int,
        outcome: str,
        *,
        status: int | None = None,
        sent: int = 0,
        error: str = "",
        stayed: bool = False,
    ) -> None:
        """How an attempt ended; the task's own change comes in the same transaction.

        ``stayed``: the last byte of the body is known not to have left, whatever was noted before.
        """
        self.connection.execute(
            "update attempt set ended = ?, outcome = ?, http_status = ?, bytes = ?, error = ?,"
            " whole_at = iif(?, null, whole_at) where id = ?",
            (self.clock(), outcome, status, sent, plain(error) or None, stayed, attempt_id),
        )

    def settle_task(
        self,
        task_id: int,
        state: State,
        reason: str = "",
        *,
        tries: int | None = None,
        remote_id: str = "",
        url: str = "",
        membership: Membership = Membership.SETTLED,
    ) -> None:
        """A task reaches a state in which nothing more is done with it for now; ``tries`` None: as many as before.

        ``membership``: PENDING if it is to be put into the server's album.
        """
        self.move(
            task_id,
            state,
            reason,
            ", tries = coalesce(?, tries), remote_id = coalesce(?, remote_id), url = coalesce(?, url)",
            tries,
            plain(remote_id) or None,
            plain(url) or None,
        )
        if membership is Membership.PENDING:
            self.connection.execute(steps.TO_PLACE, (task_id,))
        if state is State.DUPLICATE:  # the still of a live photo, there before its clip: what that is, is decided anew
            self.connection.execute(steps.TO_PLACE_CLIP, (task_id,))

    def try_later(
        self,
        task_id: int,
        reason: str,
        *,
        tries: int,
        refunds: int,
        next_at: float,
        maybe_twice: bool,
        is_held: bool = False,
    ) -> None:
        """Back to pending, to be tried again at ``next_at`` (0: as if never tried), or when it is no longer held."""
        self.move(
            task_id,
            State.PENDING,
            reason,
            ", tries = ?, refunds = ?, next_at = ?, ask_at = null, maybe_twice = max(maybe_twice, ?)",
            tries,
            refunds,
            next_at,
            maybe_twice,
        )
        if is_held:
            self.connection.execute(steps.HOLD, (task_id,))

    def least_tried(self, places: Iterable[tuple[int, int, bool]], limit: int) -> list[Task]:
        """Prepared tasks of these albums and roots, whenever their time comes: untried ones first, ``limit`` at most.

        The third of a place: only those with a copy of their own.
        """
        found: list[Task] = []
        for times in (_UNTRIED, (0.0, math.inf)):
            for album_id, root_id, copies in places:
                if (room := limit - len(found)) > 0:
                    found += self._prepared(album_id, root_id, times, room, copies=copies)
        return found

    def doubt(self, task_id: int, reason: str, *, tries: int, ask_at: float | None) -> None:
        """Whether the server has it is unknown: asked about at ``ask_at``, or final when None."""
        self.move(task_id, State.IN_DOUBT, reason, ", tries = ?, ask_at = ?", tries, ask_at)

    def seen(self, task_id: int, again_at: float) -> None:
        """The original of a photo in doubt was seen there, and is looked at once more at ``again_at``."""
        self.connection.execute(
            "update task set seen_at = coalesce(seen_at, ?), ask_at = ?, updated = ?"
            " where id = ? and state = 'in_doubt'",
            (self.clock(), again_at, self.clock(), task_id),
        )

    def seen_at(self, task_id: int) -> float | None:
        """When the original of a photo in doubt was first seen there."""
        found = self.rows("select seen_at from task where id = ?", task_id)
        return found[0][0] if found else None

    def met_a_fault(self, task_id: int) -> bool:
        """Did the server answer 5xx to a whole body of this photo, which may have arrived nevertheless?"""
        return bool(
            self.rows(
                "select 1 from attempt join body using (task_id, boundary)"
                " where attempt.task_id = ? and outcome = 'in_doubt' and http_status between 500 and 599 limit 1",
                task_id,
            )
        )

    def ask_again(self, task_id: int, rounds: int) -> None:
        """Asked for: a photo that stayed in doubt is asked about once more, with a fresh set of tries."""
        self.connection.execute(
            "update task set ask_at = ?, tries = 0, next_at = 0, seen_at = null, rounds = ?"
            " where id = ? and state = 'in_doubt'",
            (self.clock(), rounds, task_id),
        )
        self.wake_clip(task_id)

    def has_doubts(self, task_id: int) -> bool:
        """True if an attempt at sending the present bytes, however they were framed, may have reached the server."""
        return bool(
            self.rows(
                "select 1 from attempt join body using (task_id)"
                " where attempt.task_id = ? and outcome = 'in_doubt' and number > earlier limit 1",
                task_id,
            )
        )

    def was_unconfirmed(self, task_id: int) -> bool:
        """Did the server call the last sending a duplicate, so that it was asked where?"""
        return bool(
            self.rows(
                "select 1 from attempt where id = (select max(id) from attempt where task_id = ?)"
                " and outcome = 'duplicate'",
                task_id,
            )
        )

    def clear_doubts(self, task_id: int) -> None:
        """The server said no: none of the attempts arrived."""
        self.connection.execute("update task set seen_at = null where id = ?", (task_id,))
        self.connection.execute(
            "update attempt set outcome = 'not_taken' where task_id = ? and outcome = 'in_doubt'", (task_id,)
        )

    def doubts_due(self, album_id: int, now: float, limit: int) -> list[Task]:
        """Tasks whose time to be asked about has come."""
        return self.tasks(
            "where task.album_id = ? and task.state = 'in_doubt' and task.ask_at <= ? order by task.ask_at limit ?",
            album_id,
            now,
            limit,
        )

    def ask_no_later(self, album_id: int, then: float) -> None:
        """No doubt of an album waits longer than until ``then``, whatever a clock that was wrong has written."""
        self.connection.execute(
            "update task set ask_at = ? where album_id = ? and state = 'in_doubt' and ask_at > ?",
            (then, album_id, then),
        )

    def doubt_stays(self, task_id: int, reason: str) -> None:
        """Asked about, and nothing more is done with it: the doubt is final."""
        self.connection.execute(
            "update task set ask_at = null, seen_at = null, reason = ?, updated = ?"
            " where id = ? and state = 'in_doubt'",
            (plain(reason), self.clock(), task_id),
        )

    def next_doubt(self, album_ids: Iterable[int]) -> float | None:
        """The earliest time at which a doubt of these albums is to be asked about."""
        times = [
            row[0]
            for album_id in album_ids
            for row in self.rows(
                f"select min(ask_at) from task where album_id = ? and {steps.IS_ASKING}",
                album_id,
            )
            if row[0] is not None
        ]
        return min(times, default=None)

    def cut_off(self) -> list[CutOff]:
        """Tasks found ``sending``; meaningful only to the holder of the lock.

        No index has them, for each photo would go in and out of it: where there are any, all tasks are looked through.
        """
        if not self.rows("select 1 from tally where state = 'sending' and photos > 0 limit 1"):
            return []
        return [
            CutOff(row["id"], row["album_id"], row["target"], row["whole_at"])
            for row in self.rows(
                "select task.id, task.album_id, target.name as target,"
                " (select whole_at from attempt where task_id = task.id order by number desc limit 1) as whole_at"
                " from task join album on album.id = task.album_id join target on target.id = album.target_id"
                " where task.state = 'sending'"
            )
        ]

    def last_attempt(self, task_id: int) -> int:
        """The id of a task's newest attempt."""
        return int(self.rows("select max(id) from attempt where task_id = ?", task_id)[0][0] or 0)

    # Retrying, cancelling.

    def fresh_set(self, task_id: int, *, rounds: int, is_safe: bool = False) -> None:
        """Asked for: a task that was given up gets a fresh set of tries, and is prepared again if it went missing.

        One in doubt may then be on the server twice, unless its target makes sending again safe. LostTask if it was
        not given up.
        """
        rows = self.rows("select state from task where id = ?", task_id)
        if not rows or rows[0]["state"] not in WANTING:
            raise LostTask(task_id)
        row = rows[0]
        self.move(task_id, State.PENDING, "", ", tries = 0, next_at = 0, ask_at = null, rounds = ?", rounds)
        self.wake_clip(task_id)
        # The still of a live photo that was framed without its clip goes with it, should that be there by now.
        self.connection.execute(steps.PAIR_AGAIN, (task_id,))
        if row["state"] == State.MISSING:  # one with a copy goes by that first
            self.connection.execute(steps.READ_AGAIN, (task_id,))
        if row["state"] == State.REJECTED:  # perhaps for how it was framed; that may be configured otherwise now
            self.connection.execute("update body set head = null, length = null where task_id = ?", (task_id,))
        if row["state"] == State.IN_DOUBT and not is_safe:
            self.connection.execute("update task set maybe_twice = 1 where id = ?", (task_id,))

    def accepted(self, target: str, url: str) -> None:
        """The target at this address has accepted a photo: from now on it is known to be right."""
        self.connection.execute("update target set accepted_url = ? where name = ?", (url, target))

    def accepted_urls(self) -> Mapping[str, str]:
        """Target name to the address that accepted a photo."""
        return {
            row[0]: row[1] for row in self.rows("select name, accepted_url from target where accepted_url not null")
        }


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
