"""Changes of tasks between reading and sending, on servers that are asked first or that pair live
photos."""

from __future__ import annotations

from albumup.journal import steps
from albumup.journal.rows import Body, Task
from albumup.journal.states import Together
from albumup.journal.store import Store


class Stages(Store):
    """Changes of tasks that are asked about first, and of stills that wait for their clips."""

    def unasked(self, album_id: int, limit: int) -> list[Task]:
        """Tasks to ask the server about before they are sent."""
        return self.tasks(
            f"where task.album_id = ? and {steps.IS_UNASKED} limit ?", album_id, limit
        )

    def unasked_count(self, album_id: int, most: int) -> int:
        """The number of such tasks, or ``most`` if there are more."""
        found = self.rows(
            "select count(*) from (select 1"
            f" from task where album_id = ? and {steps.IS_UNASKED} limit ?)",
            album_id,
            most,
        )
        return int(found[0][0])

    def is_unasked(self, task: Task) -> bool:
        """Is the server still to be asked about a task, with these bytes and by this definition?"""
        assert task.body is not None
        return bool(
            self.rows(
                "select 1 from task join body on body.task_id = task.id where task.id = ?"
                f" and {steps.IS_UNASKED} and body.sha256 = ? and body.definition_id is ?",
                task.id,
                task.body.digests["sha256"],
                task.body.definition,
            )
        )

    def asked(self, task_id: int) -> None:
        """Let a task be sent: the server does not have its photo; a still waits for its clip.

        Raises LostTask if the task is no longer unasked.
        """
        if self.connection.execute(steps.ASKED, (task_id,)).rowcount != 1:
            self._make_step(steps.ASKED_STILL, task_id)

    def unpaired(self, album_id: int, limit: int) -> list[Task]:
        """Unpaired stills whose clips have reached the server, or will not in this set of tries."""
        return self.tasks(
            f"where task.album_id = ? and {steps.IS_UNPAIRED} and not exists (select 1"
            f" from task clip where clip.id = task.clip_id and {steps.CLIP_IS_OPEN}) limit ?",
            album_id,
            limit,
        )

    def paired(self, task_id: int, framed: Body | None) -> None:
        """Let a still be sent, ``framed`` with its clip's id; or without (None), to be joined to
        the clip later.

        Raises LostTask if the task is no longer unpaired.
        """
        together = Together.BY_SENDING if framed is not None else Together.NOT_YET
        self._make_step(steps.PAIRED, together, task_id)
        if framed is not None:
            self.connection.execute(
                "update body set head = ?, tail = ?,"
                " boundary = ?, content_type = ?, length = ?, definition_id = ? where task_id = ?",
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
        """Have a still framed anew without its clip, which is not on the server."""
        self.connection.execute(steps.WITHOUT_CLIP, (task_id,))
        self.connection.execute(steps.FRAME_ANEW, (task_id,))

    def parted(self, album_id: int, limit: int) -> list[tuple[int, str, str]]:
        """Stills that reached the server before their clips, which are there now.

        For each the still's task, and the server's ids of the still and the clip.
        """
        found = self.rows(
            "select still.id, still.remote_id as still, clip.remote_id as clip"
            " from task clip join task still on still.clip_id = clip.id where clip.album_id = ?"
            f" and {steps.IS_PARTED_CLIP} limit ?",
            album_id,
            limit,
        )
        return [(row["id"], row["still"], row["clip"]) for row in found]

    def joined(self, task_id: int, *, well: bool) -> None:
        """Note that the server joined a still to its clip, or refused to (``well`` False): the clip
        stays a video."""
        together = Together.JOINED if well else Together.REFUSED
        self.connection.execute("update task set alone = ? where id = ?", (int(together), task_id))

    def rest_clips(self, album_id: int) -> None:
        """Let clips wait, outside the server's album, whose stills may still get there."""
        self.connection.execute(steps.REST_CLIPS, (album_id,))
