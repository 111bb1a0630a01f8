"""What a push found, gathered in a temporary table and then taken into the journal in one transaction.

The scan of 200,000 photos takes a while and must not hold up a running uploader's commits; the transaction that ends it
takes well under a second. Memory stays flat: the temporary table spills to a file.
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
from albumup.journal.live import Halves, Joined, near
from albumup.journal.media import write_in
from albumup.journal.rows import stored
from albumup.journal.states import MAY_BE_THERE, UNDECIDED, State, is_in
from albumup.photos.cards import Medium
from albumup.photos.pins import Pins


class Action(StrEnum):
    """What becomes of a photo that was found."""

    NEW = "new"
    """Queue it."""
    AGAIN = "again"
    """New bytes of a photo that was sent: a second task."""
    REDO = "redo"
    """New bytes of an unsent photo: prepared again in place, with fresh tries."""
    BACK = "back"
    """A missing photo came back: pending."""
    REPIN = "repin"
    """Other metadata, the same bytes."""


class Known(Struct, frozen=True):
    """A task of a photo that the journal has at a place, and how the photo looked then."""

    task_id: int
    state: State
    size: int
    mtime_ns: int
    mime: str
    spool: bool
    sha256: str | None
    """Of the bytes that it is to send, or has sent; None as long as it was never prepared. Then ``length`` is, too."""
    length: int | None
    medium: Medium
    path: bytes
    """As it is journaled."""
    is_asking: bool = False
    """It is in doubt, and still to be asked about."""


class RootFound(Struct, frozen=True):
    """A root as the push sees it now."""

    path: bytes
    volume: str
    card: int
    is_folder: bool


class Arrival(Struct, frozen=True):
    """A photo to be taken in. ``task_id`` is 0 for a new one; ``error`` says why it cannot be read.

    ``medium`` is the one that the journal knows it on; ``volume``, if not "", that medium's id, known by now.
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


_STATES = {state.value: state for state in State}


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
            "create temp table arrival (id integer primary key, action text, task_id integer, root integer, path blob,"
            " volume text, card integer, now text, shown text, relative blob, mime text, size integer, mtime_ns, inode,"
            " error text, folder blob, near blob)"
        )
        connection.execute("drop table if exists temp.beside")
        connection.execute("create temp table beside (path blob primary key, owner blob, arrival_id integer)")
        self._halves: Halves | None = None
        self.joined = Joined()
        self.requeued = array("q")
        """The tasks that were there before, and wait anew: what came back, and what has other bytes now."""

    def add(self, arrival: Arrival) -> None:
        if arrival.action is not Action.REPIN:
            self.queued += 1
            self.bytes += arrival.pins.size
        self._waiting.append(arrival)
        if len(self._waiting) >= 1000:
            self._flush()

    def add_sidecar(self, path: bytes, owner: bytes) -> None:
        """An XMP file that was found, and the photo that it is of: it goes along if that is among the arrivals."""
        self._journal.connection.execute("insert or ignore into temp.beside (path, owner) values (?, ?)", (path, owner))

    def match_sidecars(self, on_left: Callable[[bytes], None]) -> int:
        """How many sidecars there are whose photo is among the arrivals; ``on_left`` hears of each of the others."""
        self._flush()
        connection = self._journal.connection
        connection.execute("create index if not exists temp.arrival_path on arrival (path)")
        connection.execute(
            "update temp.beside set arrival_id = (select id from temp.arrival where path = owner and error = ''"
            " and action <> 'repin')"
        )
        # Two for one photo, as IMG_1.xmp and IMG_1.JPG.xmp: the one with its whole name goes.
        left = (
            "from temp.beside where arrival_id is null or exists (select 1 from temp.beside other"
            " where other.arrival_id = beside.arrival_id and length(other.path) > length(beside.path))"
        )
        for (path,) in connection.execute(f"select path {left} order by path"):
            on_left(path)
        connection.execute(f"delete {left}")
        return int(connection.execute("select count(*) from temp.beside").fetchone()[0])

    def photos_beside(self, album_id: int, path: bytes) -> list[bytes]:
        """The paths of photos that the album had before this push, and whose names begin as that of a file does."""
        found = self._journal.rows(
            "select path from photo where album_id = ? and path between ? and ?", album_id, *_beside(path)
        )
        return [row["path"] for row in found]

    def halves(self, album_id: int | None) -> Halves:
        """The possible halves of live photos, here and in the album; ``take_in`` goes by what they hear."""
        self._flush()
        connection = self._journal.connection
        connection.create_function("folder_of", 1, os.path.dirname, deterministic=True)
        connection.create_function("near_of", 1, lambda path: near(os.path.basename(path)), deterministic=True)
        connection.execute("update temp.arrival set folder = folder_of(path), near = near_of(path)")
        self._halves = Halves(self._journal, album_id)
        return self._halves

    def take_in(self, album_id: int, roots: Sequence[RootFound], *, spool: bool) -> None:
        """Write it all into the journal; inside ``Journal.transaction()``, whose end acknowledges the push."""
        self._flush()
        connection, now = self._journal.connection, self._journal.clock()
        root_ids = [_root_id(connection, root) for root in roots]
        connection.executemany(
            "update temp.arrival set root = ? where root = ?",
            [(-root_id, index) for index, root_id in enumerate(root_ids)],
        )
        connection.executemany(
            "insert or ignore into pushed values (?, ?)", [(album_id, root_id) for root_id in root_ids]
        )
        # What went on while this one looked: the bytes that are there now are new ones of a photo that was sent.
        connection.execute(
            "update temp.arrival set action = 'again' where action = 'redo' and exists"
            f" (select 1 from task where task.id = arrival.task_id and {is_in(*MAY_BE_THERE)}"
            " and (state <> 'sending' or task.spool))"
        )
        connection.execute(
            "insert into photo (album_id, root_id, path, volume, card, shown, relative, mime, size, mtime_ns, inode)"
            " select ?, -root, path, volume, card, shown, relative, mime, size, mtime_ns, inode"
            " from temp.arrival where true"
            " order by id"
            " on conflict do update set root_id = excluded.root_id, mime = excluded.mime, relative = excluded.relative,"
            " size = excluded.size, mtime_ns = excluded.mtime_ns, inode = excluded.inode",
            (album_id,),
        )
        connection.execute(
            "insert into task (photo_id, album_id, root_id, state, reason, size, spool, position, total, updated)"
            " select photo.id, photo.album_id, photo.root_id, case when error = '' then 'pending' else 'missing' end,"
            " error, arrival.size, ?, row_number() over (order by arrival.id), count(*) over (), ?"
            " from temp.arrival cross join photo on photo.album_id = ? and photo.path = arrival.path"
            " and photo.volume = arrival.volume and photo.card = arrival.card"
            # What another push has queued, or forget has dropped, while this one looked.
            " where case when action in ('new', 'again') then"
            " not exists (select 1 from task where task.photo_id = photo.id and task.id > arrival.task_id)"
            " else not exists (select 1 from task where task.photo_id = photo.id) end order by arrival.id",
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
        """What goes with other tasks: clips with their stills, sidecars with their photos."""
        connection = self._journal.connection
        task = (
            "(select max(task.id) from temp.arrival cross join photo on photo.album_id = ? and"
            " photo.path = arrival.path and photo.volume = arrival.volume and photo.card = arrival.card"
            " join task on task.photo_id = photo.id where arrival.id = ?)"
        )
        if self._halves is not None:
            self.joined = live.take_in(self._journal, album_id)
            connection.execute("drop table temp.heard")
        beside = connection.execute("select path, arrival_id from temp.beside where arrival_id is not null").fetchall()
        connection.executemany(
            f"insert or replace into sidecar (task_id, path, size) select task.id, ?, 0 from task where id = {task}"
            " and state = 'pending'",
            [(row["path"], album_id, row["arrival_id"]) for row in beside],
        )

    def _known(self) -> Iterator[sqlite3.Row]:
        """The arrivals that the journal knew, a thousand at a time: they may be changed on the way."""
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
        journal.connection.execute("update task set root_id = ? where id = ?", (-row["root"], task_id))
        pins = Pins(row["size"], int(row["mtime_ns"]), int(row["inode"]))
        if row["action"] == Action.REPIN:
            journal.repin(task_id, pins)
        elif state in (State.FAILED, State.REJECTED, State.MISSING, State.PENDING):
            if state != State.PENDING:
                journal.fresh_set(task_id, rounds=0)
            journal.prepare_again(task_id, pins)  # as it is now, also where the disk does not tell whose it is
            self.requeued.append(task_id)
            journal.connection.execute(
                "update task set size = ?, spool = ? where id = ?", (row["size"], spool, task_id)
            )

    def _flush(self) -> None:
        self._journal.connection.executemany(
            "insert into temp.arrival (action, task_id, root, path, volume, card, now, shown, relative, mime, size,"
            " mtime_ns, inode, error) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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


class Beside(Struct, frozen=True):
    """A sidecar of the journal. ``sent``: it went along with its photo, else it waits with it; ``sha256``: hex."""

    sent: bool
    sha256: str | None


def sidecar_with_photo(connection: sqlite3.Connection, album_id: int, path: bytes) -> Beside | None:
    """The newest task's sidecar that has this path, and went along with its photo or waits with it."""
    found = connection.execute(
        "select sidecar.sent, sidecar.sha256 from photo join task on task.photo_id = photo.id"
        " join sidecar on task_id = task.id where photo.album_id = ? and photo.path between ? and ?"
        f" and sidecar.path = ? and (sent or {is_in(*UNDECIDED, table='task')})"
        " order by task.id desc limit 1",
        (album_id, *_beside(path), path),
    ).fetchone()
    return Beside(bool(found[0]), found[1]) if found is not None else None


def _beside(path: bytes) -> tuple[bytes, bytes]:
    """Between which two paths all files lie whose names are the same up to the first point."""
    folder, name = os.path.split(path)
    stem = os.path.join(folder, name.partition(b".")[0])
    return stem + b".", stem + b"/"


def shown(path: bytes) -> str | None:
    r"""A path as text, its undecodable bytes as ``\udcXX`` and its controls escaped; None if the bytes are plain."""
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


def known_photos(connection: sqlite3.Connection, album_id: int, path: bytes) -> list[Known]:
    """Every task of the photos that lie, or lay, at this place, whatever card it was on; the newest first."""
    rows = connection.execute(
        "select task.id, task.state, photo.size, photo.mtime_ns, photo.mime, task.spool, body.sha256,"
        " body.size, photo.volume, photo.card, task.ask_at is not null from photo join task on task.photo_id = photo.id"
        " left join body on body.task_id = task.id"
        " where photo.album_id = ? and photo.path = ? order by task.id desc",
        (album_id, path),
    )
    return [
        Known(
            task_id,
            _STATES[state],
            size,
            int(mtime_ns),
            mime,
            bool(spool),
            sha256,
            length,
            Medium(*medium),
            path,
            bool(asks),
        )
        for task_id, state, size, mtime_ns, mime, spool, sha256, length, *medium, asks in rows.fetchall()
    ]


def album_id_of(connection: sqlite3.Connection, name: str, target: str) -> int | None:
    """The album of that name on that target, if there is one."""
    row = connection.execute(
        "select album.id from album join target on target.id = album.target_id"
        " where album.name = ? and target.name = ?",
        (name, target),
    ).fetchone()
    return int(row["id"]) if row else None


def add_album(journal: Journal, name: str, target: str, described: Described | None, share: str = "") -> int:
    """The album of that name on that target, made if need be; inside a transaction.

    ``described``: what --url said, which decides the target.
    """
    now = journal.clock()
    if described is not None:
        target = definitions.settle(journal, name, described)
    target_id = journal.rows(
        "insert into target (name) values (?) on conflict do update set name = name returning id", target
    )[0]["id"]
    return int(
        journal.rows(
            # A command that looked at an album which is forgotten meanwhile must not act on another one.
            "insert into album (id, name, target_id, created, changed, share) select 1 + max(id), ?, ?, ?, ?, ? from"
            " (select 0 as id union all select max(id) from album union all select max(album_id) from forgotten)"
            " where true on conflict (name, target_id) do update set held = 0,"
            " share = iif(wants_share, coalesce(excluded.share, share), excluded.share) returning id",
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
