"""What is to be put into the server's album, and its share link."""

from __future__ import annotations

from albumup.journal import steps
from albumup.journal.rows import plain
from albumup.journal.store import Store


class Members(Store):
    """The places of photos in the server's album."""

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
