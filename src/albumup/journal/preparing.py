"""Changes of tasks up to the journaling of their bodies."""

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
    """Changes of tasks that are read, framed or pinned."""

    def unprepared(
        self, album_id: int, root_id: int, limit: int, after: int = 0, *, skip: Collection[int] = ()
    ) -> list[Task]:
        """Unread tasks of an album and root with an id greater than ``after``, in order, without
        those to ``skip``."""
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
        """Take a name for a photo: see ``naming.name_photo``."""
        return naming.name_photo(
            self.connection,
            task_id,
            album_id,
            wanted,
            had,
            folder,
            sha256,
            plain=self._plain_folders,
        )

    def forget_names(self, album_id: int) -> None:
        """Keep the names of an album that is about to be dropped: see ``naming.forget_names``."""
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
        """Give a pending task its body. Raises LostTask if it is no longer pending.

        ``then``: the task's next stage. ``seen``: size (bytes) and modification time (ns) of the
        photo in the journal, if the caller knows them.
        """
        self._make_step(steps.FRAMED_AND_SIZE[then], sent_as, self.clock(), body.pins.size, task_id)
        attempts = self.rows("select attempts from task where id = ?", task_id)[0][0]
        bodies.keep(self.connection, [(task_id, body, attempts)])
        if seen != (body.pins.size, body.pins.mtime_ns):
            self._note_seen(task_id, body.pins)

    def prepared_many(self, framed: Sequence[Framed]) -> set[int]:
        """Give many tasks their bodies; return the ids of those that are no longer pending."""
        now = self.clock()
        lost: set[int] = set()
        execute = self.connection.cursor().execute
        for one in framed:
            # A statement that sets the size also evaluates the tally's trigger, so the other one
            # comes first.
            size, task_id = one.body.pins.size, one.task.id
            if execute(steps.FRAMED[one.then], (one.sent_as, now, task_id, size)).rowcount == 1:
                continue
            if (
                execute(steps.FRAMED_AND_SIZE[one.then], (one.sent_as, now, size, task_id)).rowcount
                != 1
            ):
                lost.add(task_id)
        kept = [one for one in framed if one.task.id not in lost]
        bodies.keep(self.connection, [(one.task.id, one.body, one.task.attempts) for one in kept])
        for one in kept:
            pins = one.body.pins
            if one.task.seen != (pins.size, pins.mtime_ns):
                self._note_seen(one.task.id, pins)
        return lost

    def sidecar_read(self, task_id: int, content: bytes, sha256: str) -> None:
        """Keep the content of a sidecar, which goes along when its photo is sent next."""
        self.connection.execute(
            "update sidecar set content = ?, size = ?, sha256 = ? where task_id = ?",
            (content, len(content), sha256, task_id),
        )

    def sidecar_sent(self, task_id: int) -> None:
        """Note that the server took the body with the sidecar in it.

        A sidecar without content in the journal was in no body: it was too large or unreadable.
        """
        self.connection.execute(
            "update sidecar set sent = 1, content = null where task_id = ? and content is not null",
            (task_id,),
        )

    def sidecar_left(self, task_id: int) -> None:
        """Drop the content of a sidecar that did not go along: its photo is on the server
        already."""
        self.connection.execute(
            "update sidecar set content = null where task_id = ? and not sent", (task_id,)
        )

    def repin(self, task_id: int, pins: Pins) -> None:
        """Note the new metadata of a photo whose bytes are the same."""
        self.connection.execute(
            "update body set mtime_ns = ?, inode = ?, ctime_ns = ? where task_id = ?",
            (stored(pins.mtime_ns), stored(pins.inode), stored(pins.ctime_ns), task_id),
        )
        self._note_seen(task_id, pins)

    def prepare_again(self, task_id: int, now: Pins | None = None) -> None:
        """Start a pending task afresh, without a body and with fresh tries, because its photo has
        other bytes.

        ``now``: the photo's pins since the edit, if known. ``maybe_twice`` stays set after a doubt:
        the photo may be there as it is now, or be edited back. Raises LostTask if the task is no
        longer pending.
        """
        self._make_step(steps.START_AFRESH, task_id)
        if now is not None:
            self._note_seen(task_id, now)
        self.connection.execute("delete from body where task_id = ?", (task_id,))
        if self.rows(
            "select 1 from attempt where task_id = ? and whole_at is not null limit 1", task_id
        ):
            self.connection.execute("update sent_name set used = 1 where task_id = ?", (task_id,))
