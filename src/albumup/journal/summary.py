"""The sums of an album, counted here and nowhere else: its state now, and what a run did for it.

Screens, cron's mail and ``--json`` are made of these values.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from albumup.config.shown_address import shown_address
from albumup.journal.rows import Album
from albumup.journal.states import DONE, GOING, WANTING, Membership, State, is_asking, is_in

if TYPE_CHECKING:
    from albumup.journal.journal import Journal

_AT_A_TIME = 1000
_MEANT = frozenset(State) - {State.CANCELLED}
_SUMS = f"""
select album.id, album.name, target.name,
    album.held, album.remote_id, album.share, album.wants_share,
    strftime('%Y-%m-%dT%H:%M:%fZ', album.changed, 'unixepoch'),
    json_extract(target.definition, '$.settings.url'),
    (select json_group_object(state, json_array(photos, bytes))
        from tally where album_id = album.id),
    (select json_array(count(*), coalesce(sum(size), 0))
        from task where album_id = album.id and {is_asking()}),
    exists (select 1 from task where album_id = album.id and {is_in(Membership.PENDING)}),
    exists (select 1 from task where album_id = album.id and {is_in(Membership.REFUSED)})
from album join target on target.id = album.target_id
"""
"""One query, so that all sums are of one moment. It scans no tasks: ``tally`` is kept by triggers,
and the rest has indexes."""


class Summary(Struct, frozen=True):
    """The state of an album now."""

    album: Album
    address: str | None = None
    """The URL of a target that ``--url`` described, as it may be shown."""
    changed: str = ""
    """When it last changed: ISO 8601, UTC."""
    photos: dict[str, int] = {}
    """The number of photos by state."""
    bytes: dict[str, int] = {}
    """The bytes of photos by state."""
    asked: int = 0
    """The number of photos in doubt that are still to be asked about."""
    asked_bytes: int = 0
    is_placing: bool = False
    """Is a photo still to be put into the server's album?"""
    is_refused: bool = False
    """Is there a photo that the server would not put into its album?"""
    wants_share: bool = False
    """Was a share link asked for?"""

    def count(self, *states: str) -> int:
        return sum(self.photos.get(state, 0) for state in states)

    def size(self, *states: str) -> int:
        return sum(self.bytes.get(state, 0) for state in states)

    @property
    def there(self) -> int:
        """The number of photos that the server has."""
        return self.count(*DONE)

    @property
    def there_bytes(self) -> int:
        return self.size(*DONE)

    @property
    def unsent(self) -> int:
        """The number of photos pending, sending, or in doubt and still to be asked about."""
        return self.count(*GOING) + self.asked

    @property
    def unsent_bytes(self) -> int:
        return self.size(*GOING) + self.asked_bytes

    @property
    def wanting(self) -> int:
        """The number of wanting photos, without those that are still to be asked about."""
        return self.count(*WANTING) - self.asked

    @property
    def wanting_bytes(self) -> int:
        return self.size(*WANTING) - self.asked_bytes

    @property
    def total(self) -> int:
        """All photos but those that were cancelled."""
        return self.count(*_MEANT)

    @property
    def total_bytes(self) -> int:
        return self.size(*_MEANT)

    @property
    def is_share_pending(self) -> bool:
        """Is a share link still to be made? None is made for an album without photos on the
        server."""
        return self.wants_share and self.album.share is None and self.there > 0

    @property
    def is_pending_there(self) -> bool:
        """Is a photo still to be put into the server's album, or a share link to be made?"""
        return self.is_placing or self.is_share_pending

    @property
    def is_unfinished(self) -> bool:
        """Is the album not settled: is something unsent, or to be done in the server's album?"""
        return self.unsent > 0 or self.is_pending_there

    @property
    def is_wanting(self) -> bool:
        """Is a photo wanting, or refused by the server's album? Here a photo that is to be asked
        about counts, too."""
        return self.count(*WANTING) > 0 or self.is_refused


def summary_of(journal: Journal, album_id: int) -> Summary:
    """The state of an album; without photos if it was forgotten meanwhile."""
    rows = _rows(journal.connection, f"{_SUMS} where album.id = ?", (album_id,))
    return _summary(rows[0]) if rows else Summary(Album(album_id, "", "", False))


def summaries(connection: sqlite3.Connection) -> list[Summary]:
    """The state of every album, sorted by name and target."""
    return [
        _summary(row) for row in _rows(connection, f"{_SUMS} order by album.name, target.name", ())
    ]


def _rows(connection: sqlite3.Connection, query: str, values: tuple[int, ...]) -> list[Any]:
    cursor = connection.cursor()
    cursor.row_factory = None
    return cursor.execute(query, values).fetchall()


def _summary(row: Any) -> Summary:
    (
        number,
        name,
        target,
        held,
        remote_id,
        share,
        wants,
        changed,
        address,
        by_state,
        asked,
        placing,
        refused,
    ) = row
    tally = json.loads(by_state)
    photos, sizes = ({state: one[index] for state, one in tally.items()} for index in (0, 1))
    album = Album(number, name, target, bool(held), remote_id, share)
    counted = *json.loads(asked), bool(placing), bool(refused), bool(wants)
    shown = shown_address(address) if address is not None else None
    return Summary(album, shown, changed, photos, sizes, *counted)


class Sidecar(Struct, frozen=True):
    """A sidecar whose photo got there. ``is_read``: it could be read, and was not too large."""

    path: bytes
    was_sent: bool
    is_read: bool
    state: State
    """The state of its photo."""


def sidecars(journal: Journal, album_id: int, run_id: int) -> list[Sidecar]:
    """The sidecars of the photos that got there in a run, in the order of the photos."""
    rows = journal.rows(
        # A cross join: few photos have a sidecar, and SQLite would go through all tasks.
        "select sidecar.path, sidecar.sent, sidecar.sha256, task.state"
        " from sidecar cross join task where task.id = task_id and task.album_id = ?"
        f" and {is_in(*DONE, table='task')} and case when task.attempts then exists"
        " (select 1 from attempt where attempt.task_id = task.id and run_id = ?)"
        " else task.updated >= (select started from run where id = ?) end order by task_id",
        album_id,
        run_id,
        run_id,
    )
    return [
        Sidecar(path, bool(sent), sha256 is not None, State(state))
        for path, sent, sha256, state in rows
    ]


class Outside(Struct, frozen=True):
    """The numbers of photos that are on the server, but not in its album."""

    placing: int = 0
    """Still to be put into it."""
    waiting: int = 0
    """Clips of live photos whose still is not on the server yet."""
    refused: int = 0
    """The server would not put them into it."""
    reasons: tuple[tuple[bytes, str], ...] = ()
    """Path and reason of the first refused photos."""


def outside_of(journal: Journal, album_id: int, most: int) -> Outside:
    """Count an album's photos that are not in the server's. ``most``: reasons to look up."""
    return Outside(
        _members(journal, album_id, Membership.PENDING),
        _members(journal, album_id, Membership.WAITING),
        _members(journal, album_id, Membership.REFUSED),
        tuple(_refused_places(journal, album_id, most)),
    )


def _members(journal: Journal, album_id: int, membership: Membership) -> int:
    sql = f"select count(*) from task where album_id = ? and {is_in(membership)}"
    return int(journal.rows(sql, album_id)[0][0])


def _refused_places(journal: Journal, album_id: int, most: int) -> list[tuple[bytes, str]]:
    rows = journal.rows(
        f"select photo.path, task.reason from task join photo on photo.id = task.photo_id"
        f" where task.album_id = ? and {is_in(Membership.REFUSED, table='task')}"
        " order by task.id limit ?",
        album_id,
        most,
    )
    return [(row["path"], row["reason"]) for row in rows]


class FoundThere(Struct, frozen=True):
    """The numbers of a run's photos that the server had when their turn came."""

    known: int = 0
    """Found there before they were sent."""
    twins: int = 0
    """Found there because another photo of the run has the same bytes."""
    sent_to_it: int = 0
    """Sent before the server said that it has them."""
    photos: int = 0
    """Not counted as sent."""
    bytes: int = 0
    """The bytes of photos that were not sent at all."""


class RunSummary(Struct, frozen=True):
    """The results of a run for an album, or of the command that began the run."""

    now: Summary
    """The state of the album at the end."""
    before: int = 0
    """The number of photos that were on the server before."""
    before_bytes: int = 0
    found: FoundThere = FoundThere()
    earlier: int = 0
    """The number of photos that were wanting before, and were not touched."""

    @property
    def sent(self) -> int:
        return self.now.there - self.before - self.found.photos

    @property
    def sent_bytes(self) -> int:
        return self.now.there_bytes - self.before_bytes - self.found.bytes

    @property
    def wanting(self) -> int:
        """The number of wanting photos, without the ``earlier`` ones."""
        return self.now.wanting - self.earlier

    @property
    def total(self) -> int:
        """The number of photos that the run was about, without those that were there before or
        wanting ``earlier``."""
        return self.sent + self.now.unsent + self.wanting


def run_summary_of(
    journal: Journal, now: Summary, run_id: int, before: int, before_bytes: int, newest: int | None
) -> RunSummary:
    """Count what a run did for an album. ``before``: photos that were there before;
    ``before_bytes``: their bytes.

    ``newest``: the id of the newest task before the command; None if it queued nothing.
    """
    found = (
        _found_there(journal, now.album.id, run_id) if now.count(State.DUPLICATE) else FoundThere()
    )
    earlier = _given_up_before(journal, now.album.id, run_id, newest)
    return RunSummary(now, before, before_bytes, found, earlier)


def _found_there(journal: Journal, album_id: int, run_id: int) -> FoundThere:
    row = journal.rows(
        "select coalesce(sum(attempts = 0), 0) as known, coalesce(sum(attempts > 0),"
        " 0) as sent_to_it, coalesce(sum(iif(attempts, 0, size)), 0) as bytes"
        " from task where album_id = ?"
        " and state = 'duplicate' and updated >= (select started from run where id = ?)",
        album_id,
        run_id,
    )[0]
    known, sent_to_it, unsent_bytes = row
    if not known + sent_to_it:
        return FoundThere()
    equal = journal.rows(
        "select sum(state = 'duplicate') as there,"
        " sum(state = 'duplicate' and attempts > 0) as sent_to_it, count(*) as photos from task"
        f" join body on task_id = task.id where album_id = ? and {is_in(*DONE)} and updated >="
        " (select started from run where id = ?) group by sha256 having photos > 1 and there > 0",
        album_id,
        run_id,
    )
    twins = sum(min(one["there"], one["photos"] - 1) for one in equal)
    sent_twins = sum(min(one["there"], one["photos"] - 1, one["sent_to_it"]) for one in equal)
    return FoundThere(
        known - (twins - sent_twins),
        twins,
        sent_to_it - sent_twins,
        known + sent_twins,
        unsent_bytes,
    )


def _given_up_before(journal: Journal, album_id: int, run_id: int, newest: int | None) -> int:
    """The number of wanting photos that were so before a command, and that it did not touch.

    ``newest`` leaves out photos that became missing when the command queued them, before its run
    began.
    """
    sql = (
        f"select count(*) from task where album_id = ? and {is_in(*WANTING)} and ask_at is null"
        " and updated < (select started from run where id = ?) and id <= coalesce(?, id)"
    )
    return int(journal.rows(sql, album_id, run_id, newest)[0][0])


class Wanting(Struct, frozen=True):
    """A photo that did not get there. ``sent_as``: its name on the server, if it was given one."""

    path: bytes
    state: State
    reason: str
    sent_as: str


def wanting(journal: Journal, album_id: int) -> Iterator[Wanting]:
    """The wanting photos of an album, without those that are still to be asked about."""
    last = 0
    while rows := journal.rows(
        "select task.id, photo.path, task.state, task.reason, task.sent_as from task"
        " join photo on photo.id = task.photo_id where task.album_id = ?"
        f" and {is_in(*WANTING, table='task')} and task.ask_at is null"
        " and task.id > ? order by task.id limit ?",
        album_id,
        last,
        _AT_A_TIME,
    ):
        for row in rows:
            yield Wanting(row["path"], State(row["state"]), row["reason"], row["sent_as"] or "")
        last = rows[-1]["id"]
