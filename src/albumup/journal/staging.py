"""Gathers the photos of a push in a temporary table, then journals them in one transaction.

Scanning 200,000 photos takes a while, and must not hold up the commits of a running uploader; the
transaction takes well under a second. Memory stays flat, because the temporary table is a file.
"""

from __future__ import annotations

import os
import sqlite3
from array import array
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum

from msgspec import Struct

from albumup.journal import definitions, live
from albumup.journal.definitions import Described
from albumup.journal.journal import Journal
from albumup.journal.known import beside
from albumup.journal.live import Halves, Joined, near
from albumup.journal.media import write_in
from albumup.journal.rows import stored
from albumup.journal.states import MAY_BE_THERE, State, is_in
from albumup.photos.cards import Medium
from albumup.photos.pins import Pins, is_young


class Action(StrEnum):
    """What to do with a photo that was found."""

    NEW = "new"
    """Queue it."""
    AGAIN = "again"
    """Queue a second task: the photo was sent, and has other bytes now."""
    REDO = "redo"
    """Start its task afresh: the photo was not sent, and has other bytes now."""
    BACK = "back"
    """Start its task afresh: the photo was missing."""
    REPIN = "repin"
    """Note its new metadata: the bytes are the same."""


class RootFound(Struct, frozen=True):
    """A root of this push, and the medium on which it lies now."""

    path: bytes
    volume: str
    card: int
    is_folder: bool


class Arrival(Struct, frozen=True):
    """A photo to take in. ``root``: an index; ``error``: why it is unreadable, or "".

    ``task_id``: 0 if it is new. ``medium``: the medium on which the journal has it; ``volume``:
    the id of that medium if it is known now, else "".
    """

    action: Action
    task_id: int
    root: int
    path: bytes
    medium: Medium
    relative: bytes
    mime: str
    pins: Pins
    error: str
    volume: str = ""


class Staging:
    """The photos of one push, on the journal's own connection."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: list[Arrival] = []
        self.queued = 0
        self.bytes = 0
        connection = journal.connection
        connection.execute("pragma temp_store = file")
        connection.execute("drop table if exists temp.arrival")
        connection.execute(
            "create temp table arrival (id integer primary key, action text, task_id integer,"
            " root integer, path blob, volume text, card integer, now text, shown text,"
            " relative blob, mime text, size integer, mtime_ns, inode, error text,"
            " folder blob, near blob)"
        )
        connection.execute("drop table if exists temp.beside")
        connection.execute(
            "create temp table beside (path blob primary key, owner blob, arrival_id integer)"
        )
        self._halves: Halves | None = None
        self.joined = Joined()
        self.requeued = array("q")
        """The ids of earlier tasks that are pending anew: photos that are back or changed."""

    def add(self, arrival: Arrival) -> None:
        if arrival.action is not Action.REPIN:
            self.queued += 1
            self.bytes += arrival.pins.size
        self._waiting.append(arrival)
        if len(self._waiting) >= 1000:
            self._flush()

    def add_sidecar(self, path: bytes, owner: bytes) -> None:
        """Add an XMP file, which goes along if its photo, ``owner``, is among the arrivals."""
        self._journal.connection.execute(
            "insert or ignore into temp.beside (path, owner) values (?, ?)", (path, owner)
        )

    def match_sidecars(self, on_left: Callable[[bytes], None]) -> int:
        """Keep the sidecars of arrivals, and return their number; ``on_left`` gets the others."""
        self._flush()
        connection = self._journal.connection
        connection.execute("create index if not exists temp.arrival_path on arrival (path)")
        connection.execute(
            "update temp.beside set arrival_id = (select id"
            " from temp.arrival where path = owner and error = '' and action <> 'repin')"
        )
        # IMG_1.xmp and IMG_1.JPG.xmp are both of IMG_1.JPG: the longer name goes.
        left = (
            "from temp.beside where arrival_id is null or exists"
            " (select 1 from temp.beside other where other.arrival_id = beside.arrival_id"
            " and length(other.path) > length(beside.path))"
        )
        for (path,) in connection.execute(f"select path {left} order by path"):
            on_left(path)
        connection.execute(f"delete {left}")
        return int(connection.execute("select count(*) from temp.beside").fetchone()[0])

    def photos_beside(self, album_id: int, path: bytes) -> list[bytes]:
        """The album's earlier photos beside ``path`` that share its name up to the first dot."""
        found = self._journal.rows(
            "select path from photo where album_id = ? and path between ? and ?",
            album_id,
            *beside(path),
        )
        return [row["path"] for row in found]

    def halves(self, album_id: int | None) -> Halves:
        """The possible halves of live photos, here or in the album; ``take_in`` joins them."""
        self._flush()
        connection = self._journal.connection
        connection.create_function("folder_of", 1, os.path.dirname, deterministic=True)
        connection.create_function(
            "near_of", 1, lambda path: near(os.path.basename(path)), deterministic=True
        )
        connection.execute("update temp.arrival set folder = folder_of(path), near = near_of(path)")
        self._halves = Halves(self._journal, album_id)
        return self._halves

    def take_in(self, album_id: int, roots: Sequence[RootFound], *, spool: bool) -> None:
        """Write all arrivals into the journal; the end of the transaction acknowledges them."""
        self._flush()
        connection, now = self._journal.connection, self._journal.clock()
        root_ids = [_root_id(connection, root) for root in roots]
        connection.executemany(
            "update temp.arrival set root = ? where root = ?",
            [(-root_id, index) for index, root_id in enumerate(root_ids)],
        )
        connection.executemany(
            "insert or ignore into pushed values (?, ?)",
            [(album_id, root_id) for root_id in root_ids],
        )
        # An uploader may have sent a photo during the scan: its other bytes make a second task.
        connection.execute(
            "update temp.arrival set action = 'again' where action = 'redo' and exists"
            f" (select 1 from task where task.id = arrival.task_id and {is_in(*MAY_BE_THERE)}"
            " and (state <> 'sending' or task.spool))"
        )
        connection.execute(
            "insert into photo (album_id, root_id, path, volume, card, shown, relative, mime,"
            " size, mtime_ns, inode)"
            " select ?, -root, path, volume, card, shown, relative, mime, size, mtime_ns, inode"
            " from temp.arrival where true order by id"
            " on conflict do update set root_id = excluded.root_id, mime = excluded.mime,"
            " relative = excluded.relative, size = excluded.size, mtime_ns = excluded.mtime_ns,"
            " inode = excluded.inode",
            (album_id,),
        )
        connection.execute(
            "insert into task (photo_id, album_id, root_id, state, reason, size, spool, position,"
            " total, updated, maybe_twice)"
            " select photo.id, photo.album_id, photo.root_id,"
            " case when error = '' then 'pending' else 'missing' end, error, arrival.size, ?,"
            " row_number() over (order by arrival.id), count(*) over (), ?,"
            # Its bytes may be there, as those that an earlier task could not be sure of.
            " action = 'again' and exists (select 1 from task former"
            " where former.photo_id = photo.id and former.maybe_twice) from temp.arrival"
            " cross join photo on photo.album_id = ? and photo.path = arrival.path"
            " and photo.volume = arrival.volume and photo.card = arrival.card"
            # During the scan another push may have queued a photo, or forget may have dropped one.
            " where case when action in ('new', 'again') then not exists"
            " (select 1 from task where task.photo_id = photo.id and task.id > arrival.task_id)"
            " else not exists (select 1 from task where task.photo_id = photo.id) end"
            " order by arrival.id",
            (spool, now, album_id),
        )
        for row in self._known():
            if row["action"] not in (Action.NEW, Action.AGAIN):
                self._change(row, spool)
        self._take_in_company(album_id)
        for row in self._known():
            if row["now"]:
                write_in(connection, row["task_id"], row["now"])
        connection.execute("drop table temp.arrival")
        connection.execute("drop table temp.beside")

    def _take_in_company(self, album_id: int) -> None:
        """Join clips to their stills, and sidecars to their photos."""
        connection = self._journal.connection
        task = (
            "(select max(task.id) from temp.arrival"
            " cross join photo on photo.album_id = ? and photo.path = arrival.path"
            " and photo.volume = arrival.volume and photo.card = arrival.card"
            " join task on task.photo_id = photo.id where arrival.id = ?)"
        )
        if self._halves is not None:
            self.joined = live.take_in(self._journal, album_id)
            connection.execute("drop table temp.heard")
        sidecars = connection.execute(
            "select path, arrival_id from temp.beside where arrival_id is not null"
        ).fetchall()
        connection.executemany(
            "insert or replace into sidecar (task_id, path, size) select task.id, ?, 0"
            f" from task where id = {task} and state = 'pending'",
            [(row["path"], album_id, row["arrival_id"]) for row in sidecars],
        )

    def _known(self) -> Iterator[sqlite3.Row]:
        """The arrivals with a task, a thousand at a time: the caller may write in between."""
        last = 0
        while rows := self._journal.rows(
            "select * from temp.arrival where id > ? and task_id > 0 order by id limit 1000", last
        ):
            yield from rows
            last = rows[-1]["id"]

    def _change(self, row: sqlite3.Row, spool: bool) -> None:
        journal, task_id = self._journal, row["task_id"]
        found = journal.rows("select state from task where id = ?", task_id)
        if not found:
            return
        state = found[0]["state"]
        journal.connection.execute(
            "update task set root_id = ? where id = ?", (-row["root"], task_id)
        )
        pins = Pins(row["size"], int(row["mtime_ns"]), int(row["inode"]))
        if row["action"] == Action.REPIN:
            if not is_young(pins, journal.clock()):
                journal.repin(task_id, pins)
        elif state in (State.FAILED, State.REJECTED, State.MISSING, State.PENDING):
            if state != State.PENDING:
                journal.fresh_set(task_id, rounds=0)
            journal.prepare_again(task_id, pins)
            self.requeued.append(task_id)
            journal.connection.execute(
                "update task set size = ?, spool = ? where id = ?", (row["size"], spool, task_id)
            )

    def _flush(self) -> None:
        self._journal.connection.executemany(
            "insert into temp.arrival (action, task_id,"
            " root, path, volume, card, now, shown, relative, mime, size, mtime_ns, inode, error)"
            " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    arrival.action,
                    arrival.task_id,
                    arrival.root,
                    arrival.path,
                    arrival.medium.volume,
                    arrival.medium.card,
                    arrival.volume,
                    shown(arrival.path),
                    arrival.relative,
                    arrival.mime,
                    arrival.pins.size,
                    stored(arrival.pins.mtime_ns),
                    stored(arrival.pins.inode),
                    arrival.error,
                )
                for arrival in self._waiting
            ],
        )
        self._waiting.clear()


def shown(path: bytes) -> str | None:
    r"""A path with undecodable bytes as ``\udcXX`` and controls escaped; None if it is plain."""
    try:
        text = path.decode()
        if text.isprintable():
            return None
    except UnicodeDecodeError:
        text = path.decode(errors="surrogateescape")
    return "".join(letter if letter.isprintable() else _escape(letter) for letter in text)


def _escape(letter: str) -> str:
    number = ord(letter)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def add_album(
    journal: Journal, name: str, target: str, described: Described | None, share: str = ""
) -> int:
    """Make an album if it is new, and lift its hold; return its id. Inside a transaction.

    ``described``: a target of ``--url``, instead of ``target``. ``share``: the URL of the album's
    page, or "".
    """
    now = journal.clock()
    if described is not None:
        target = definitions.settle(journal, name, described)
    target_id = journal.rows(
        "insert into target (name) values (?) on conflict do update set name = name returning id",
        target,
    )[0]["id"]
    return int(
        journal.rows(
            # Ids are never used again: a command that holds the id of a forgotten album must not
            # act on another one.
            "insert into album (id, name, target_id, created, changed, share)"
            " select 1 + max(id), ?, ?, ?, ?, ? from (select 0 as id"
            " union all select max(id) from album union all select max(album_id) from forgotten)"
            " where true on conflict (name, target_id) do update set held = 0,"
            " share = iif(wants_share, coalesce(excluded.share, share), excluded.share)"
            " returning id",
            name,
            target_id,
            now,
            now,
            share or None,
        )[0]["id"]
    )


def _root_id(connection: sqlite3.Connection, root: RootFound) -> int:
    row = connection.execute(
        "insert into root (path, volume, card, is_folder) values (?, ?, ?, ?)"
        " on conflict do update set is_folder = excluded.is_folder returning id",
        (root.path, root.volume, root.card, root.is_folder),
    ).fetchone()
    return int(row["id"])
