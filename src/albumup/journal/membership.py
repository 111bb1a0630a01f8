"""The photos to put into the server's album, and the album's share link."""

from __future__ import annotations

from albumup.journal import steps
from albumup.journal.rows import plain
from albumup.journal.store import Store


class Members(Store):
    """Changes of photos' membership of the server's album."""

    def members_pending(self, album_id: int, limit: int) -> list[tuple[int, str]]:
        """Stored photos to put into the server's album, in order: the task's id, and the server's
        id of the photo.

        A clip is left out while it may still become one with its still, because then it needs no
        place of its own.
        """
        return [
            (row["id"], row["remote_id"])
            for row in self.rows(
                "select task.id, task.remote_id from task where task.album_id = ?"
                f" and {steps.IS_TO_BE_PLACED} and not {steps.MAY_BE_ONE} order by task.id limit ?",
                album_id,
                limit,
            )
        ]

    def members_pending_count(self, album_id: int, most: int) -> int:
        """The number of stored photos that could be put into the server's album, or ``most`` if
        there are more."""
        found = self.rows(
            "select count(*) from (select 1 from task"
            f" where task.album_id = ? and {steps.IS_TO_BE_PLACED} and not exists (select 1"
            f" from task still where still.clip_id = task.id and {steps.STILL_IS_OPEN}) limit ?)",
            album_id,
            most,
        )
        return int(found[0][0])

    def drop_clips(self, album_id: int) -> None:
        """Settle clips whose still is stored: they are in the album with it."""
        self.connection.execute(steps.DROP_CLIPS, (album_id,))

    def renew_members(self, album_id: int) -> None:
        """Have all stored photos put into the server's album, which is new or was deleted there."""
        self.connection.execute(steps.PLACE_ALL, (album_id,))

    def renew_refused(self, album_id: int) -> None:
        """Try photos again that the server would not put into the album or join to clips."""
        self.connection.execute(steps.PLACE_CLIPS_AGAIN, (album_id,))
        self.connection.execute(steps.JOIN_AGAIN, (album_id,))
        self.connection.execute(steps.PLACE_AGAIN, (album_id,))

    def placed(self, task_id: int, why_not: str = "") -> None:
        """Note the server's word that a photo is in the album, or ``why_not``. ``updated`` is not
        changed."""
        self.connection.execute(
            steps.NOT_PLACED if why_not else steps.PLACED, (plain(why_not), task_id)
        )

    def album_known(self, album_id: int, remote_id: str | None) -> None:
        """Note the server's id of an album; None: the server does not have the album any more.

        Its share link went with it. Another one is made only when the user asks for it.
        """
        if remote_id is None:
            self.connection.execute(
                "update album set share = null, wants_share = 0"
                " where id = ? and wants_share and share is not null",
                (album_id,),
            )
        self.connection.execute(
            "update album set remote_id = ? where id = ?", (plain(remote_id), album_id)
        )

    def want_share(self, album_id: int) -> None:
        """Note that the user asked for the album's share link."""
        self.connection.execute("update album set wants_share = 1 where id = ?", (album_id,))

    def shared(self, album_id: int, url: str) -> None:
        """Note the URL of the album's share link."""
        self.connection.execute(
            "update album set share = ?, changed = ? where id = ?",
            (plain(url), self.clock(), album_id),
        )

    def unshared(self, album_id: int) -> None:
        """Forget a share link that no longer works. Another one is made only when asked for."""
        self.connection.execute(
            "update album set share = null, wants_share = 0 where id = ?", (album_id,)
        )
