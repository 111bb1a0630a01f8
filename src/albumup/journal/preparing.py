"""Changes of tasks until their bodies are prepared."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence

from albumup.journal import bodies, naming, steps
from albumup.journal.naming import Folder
from albumup.journal.rows import Body, Framed, Task, stored
from albumup.journal.states import (
    Stage,
)
from albumup.journal.store import Store
from albumup.photos.pins import Pins


class Preparing(Store):
    """What is read, framed and pinned."""

    def unprepared(
        self, album_id: int, root_id: int, limit: int, after: int = 0, *, skip: Collection[int] = ()
    ) -> list[Task]:
        """Tasks of an album that wait for their body, in the order of their push; those to ``skip`` are left out."""
        return self.tasks(
            f"where task.album_id = ? and task.root_id = ? and {steps.IS_UNREAD}"
            f" and task.id > ? and {steps.UNSKIPPED} order by task.next_at, task.id limit ?",
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

    def repin(self, task_id: int, pins: Pins) -> None:
        """The source's metadata changed and its bytes did not."""
        self.connection.execute(
            "update body set mtime_ns = ?, inode = ?, ctime_ns = ? where task_id = ?",
            (stored(pins.mtime_ns), stored(pins.inode), stored(pins.ctime_ns), task_id),
        )
        self._see(task_id, pins)

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
