"""Changes of tasks between their preparing and their sending, on servers that are asked first or pair live photos."""

from __future__ import annotations

from albumup.journal import steps
from albumup.journal.rows import Body, Task
from albumup.journal.states import Together
from albumup.journal.store import Store


class Stages(Store):
    """What is asked about first, and what waits for its clip."""

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
        self.connection.execute(steps.WITHOUT_CLIP, (task_id,))
        self.connection.execute(steps.FRAME_ANEW, (task_id,))

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
