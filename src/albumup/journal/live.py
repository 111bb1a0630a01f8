"""Live photos: joins stills and clips that carry the same identifier (Apple's), whatever their
names are.

Identifiers are read before the transaction that takes a push in, and kept with the photos: so a
half from a later push finds the other one. A photo's ``content_id`` is null until it was read, and
empty if the file has none.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from albumup.journal import steps
from albumup.journal.journal import Journal
from albumup.journal.states import DONE, Stage, State, Together, is_in
from albumup.photos.pins import Pins

_CLIP = "{0}.mime >= 'video/' and {0}.mime < 'video0'"
_STILL = "{0}.mime >= 'image/' and {0}.mime < 'image0'"
_HAS_BYTES = "arrival.action in ('new', 'again', 'redo', 'back') and arrival.error = ''"
_CHANGED = (
    "(select photo_id from temp.arrival cross join task on task.id = arrival.task_id"
    " where arrival.task_id > 0 and action in ('again', 'redo'))"
)
"""The ids of journaled photos that have other bytes now."""
_AT_A_TIME = 500

_TABLES = (
    "drop table if exists temp.heard",
    "create temp table heard (arrival_id int, photo_id int, folder blob, near blob, is_clip int,"
    " content_id text)",
    "create index temp.heard_folder on heard (folder) where is_clip and content_id <> ''",
    "create index if not exists temp.arrival_near on arrival (folder, near)",
)


class Half(Struct, frozen=True):
    """A still or a clip that may be half of a live photo. ``pins``: from the journal; None for an
    arrival."""

    number: int
    """The id of the arrival, or of the journal's photo."""
    path: bytes
    mime: str
    pins: Pins | None = None


class Joined(Struct, frozen=True):
    """The live photos of a push: stills and clips queued together, and pairs with a half from an
    earlier push."""

    stills: int = 0
    clips: int = 0
    late: int = 0


def near(name: bytes) -> bytes:
    """The part of a name that both halves of a live photo usually share.

    ``IMG_2 (1).HEIC`` goes with ``img_2(1).mov``, and ``IMG_2.HEIC`` with icloudpd's
    ``IMG_2_HEVC.MOV``.
    """
    return b"".join(_stem(name).split()).removesuffix(b"_hevc")


def matched(stills: Sequence[bytes], clips: Sequence[bytes]) -> list[tuple[int, int]]:
    """Pair the stills and clips of one identifier by their names; return pairs of indexes.

    Equal stems are paired first, then near names, then the rest in order. A still without a clip of
    its own shares one; a clip without a still is a video of its own.
    """
    if len(stills) == len(clips) == 1:
        return [(0, 0)]
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for alike in (_stem, near, _any):
        left: dict[bytes, deque[int]] = {}
        for number, clip in enumerate(clips):
            if number not in taken:
                left.setdefault(alike(clip), deque()).append(number)
        for number, still in enumerate(stills):
            if number not in pairs and left.get(alike(still)):
                pairs[number] = left[alike(still)].popleft()
                taken.add(pairs[number])
    if clips:
        by_name = {near(clip): number for number, clip in reversed(list(enumerate(clips)))}
        for number, still in enumerate(stills):
            pairs.setdefault(number, by_name.get(near(still), 0))
    return sorted(pairs.items())


def _stem(name: bytes) -> bytes:
    return os.path.splitext(name)[0].lower()


def _any(_: bytes) -> bytes:
    return b""


class Halves:
    """The possible halves of live photos, among a push's arrivals and the album's earlier
    photos."""

    def __init__(self, journal: Journal, album_id: int | None) -> None:
        """Make the temporary tables. ``album_id`` None: the album is new."""
        self._connection = journal.connection
        self._album_id = album_id
        for statement in _TABLES:
            self._connection.execute(statement)

    def unheard_clips(self) -> Iterator[Half]:
        """Clips whose identifiers were not read yet."""
        found = self._connection.execute(
            "select id, path, mime from temp.arrival"
            f" where {_HAS_BYTES} and {_CLIP.format('arrival')} order by id"
        )
        yield from (Half(*row) for row in found)
        yield from self._known(_CLIP)

    def hear(self, half: Half, content_id: str) -> None:
        """Note the identifier of a half, "" if it has none. The journal gets it by ``take_in``."""
        folder, name = os.path.split(half.path)
        arrival_id, photo_id = (half.number, None) if half.pins is None else (None, half.number)
        self._connection.execute(
            "insert into temp.heard values (?, ?, ?, ?, ?, ?)",
            (arrival_id, photo_id, folder, near(name), half.mime.startswith("video/"), content_id),
        )

    def folders(self) -> Iterator[tuple[bytes, dict[str, set[bytes]]]]:
        """Folders with clips whose stills are not known; for each the clips' identifiers with their
        ``near`` names."""
        self._hear_lone_clips()
        folders = self._connection.execute(
            "select distinct folder from temp.heard"
            " where is_clip and content_id <> '' order by folder"
        ).fetchall()
        for (folder,) in folders:
            wanted: dict[str, set[bytes]] = {}
            for name, content_id in self._connection.execute(
                "select near, content_id from temp.heard"
                " where folder = ? and is_clip and content_id <> ''",
                (folder,),
            ):
                wanted.setdefault(content_id, set()).add(name)
            for content_id in self._read_before(folder, wanted):
                del wanted[content_id]
            if wanted:
                yield folder, wanted

    def _hear_lone_clips(self) -> None:
        """Note clips that were read in an earlier push and have no still, or only one that has
        other bytes now."""
        lone = self._connection.execute(
            f"select id, path, mime, content_id from photo where album_id = ? and content_id <> ''"
            f" and {_CLIP.format('photo')} and not exists (select 1 from task clip join task still"
            " on still.clip_id = clip.id where clip.photo_id = photo.id and still.id not in"
            " (select task_id from temp.arrival where action = 'again'))",
            (self._album_id,),
        )
        for number, path, mime, content_id in lone.fetchall():
            self.hear(Half(number, path, mime, Pins(0, 0, 0)), content_id)

    def _read_before(self, folder: bytes, wanted: Iterable[str]) -> list[str]:
        """Those of the wanted identifiers that a still in the folder is known to have."""
        found = []
        for content_id in wanted:
            rows = self._connection.execute(
                "select path from photo where album_id = ? and content_id = ? and content_id <> ''"
                f" and {_STILL.format('photo')} and id not in {_CHANGED}",
                (self._album_id, content_id),
            )
            if any(os.path.dirname(path) == folder for (path,) in rows):
                found.append(content_id)
        return found

    def unheard_stills(self, folder: bytes, nears: set[bytes]) -> Iterator[Half]:
        """Stills in a folder whose identifiers were not read yet; those with names in ``nears``
        come first."""
        for some in _batches(nears):
            rows = self._connection.execute(
                "select id, path, mime from temp.arrival"
                f" where folder = ? and near in ({', '.join('?' * len(some))})"
                f" and {_HAS_BYTES} and {_STILL.format('arrival')} order by id",
                (folder, *some),
            )
            yield from (Half(*row) for row in rows)
        for is_near in (True, False):
            for half in self._known(_STILL, folder):
                if (near(os.path.basename(half.path)) in nears) is is_near:
                    yield half
            if is_near:
                continue
            rows = self._connection.execute(
                f"select id, path, mime from temp.arrival where folder = ? and {_HAS_BYTES}"
                f" and {_STILL.format('arrival')} order by id",
                (folder,),
            )
            yield from (
                Half(*row) for row in rows if near(os.path.basename(row["path"])) not in nears
            )

    def _known(self, kind: str, folder: bytes | None = None) -> Iterator[Half]:
        """Earlier photos of the album, in ``folder`` or anywhere, that were never read for it."""
        where, values = "", tuple[bytes, ...]()
        if folder is not None:
            inside = os.path.join(folder, b"")
            where = " and path > ? and path < ?"
            values = (inside, inside[:-1] + bytes([inside[-1] + 1]))
        rows = self._connection.execute(
            "select id, path, mime, size, mtime_ns, inode from photo"
            f" where album_id = ? and content_id is null and {kind.format('photo')}{where}",
            (self._album_id, *values),
        )
        for number, path, mime, size, mtime_ns, inode in rows:
            if folder in (None, os.path.dirname(path)):
                yield Half(number, path, mime, Pins(size, int(mtime_ns), int(inode or 0)))


def take_in(journal: Journal, album_id: int) -> Joined:
    """Keep the identifiers that were read, and join the tasks of live photos.

    Inside the transaction of a push, once its photos and tasks are written.
    """
    connection = journal.connection
    connection.execute(f"update photo set content_id = null where id in {_CHANGED}")
    heard = connection.execute(
        "select photo.id, heard.content_id"
        " from temp.heard cross join temp.arrival on arrival.id = heard.arrival_id"
        " join photo on photo.album_id = ? and photo.path = arrival.path"
        " and photo.volume = arrival.volume and photo.card = arrival.card",
        (album_id,),
    ).fetchall()
    connection.executemany(
        "update photo set content_id = ?2 where id = ?1", [tuple(row) for row in heard]
    )
    connection.execute(
        "update photo set content_id = heard.content_id"
        " from temp.heard where heard.photo_id = photo.id and photo.album_id = ?",
        (album_id,),
    )
    arrived = {row[0] for row in heard}
    rows = connection.execute(
        "select photo.id, photo.path, photo.volume, photo.card, photo.mime, photo.content_id,"
        " task.id as task_id, task.state, task.stage, task.clip_id, task.remote_id"
        " from (select distinct content_id as wanted from temp.heard where content_id <> '')"
        " cross join photo on photo.album_id = ?"
        " and photo.content_id = wanted and photo.content_id <> ''"
        " join task on task.id = (select max(id) from task where photo_id = photo.id)"
        f" where not {is_in(State.CANCELLED, State.MISSING, table='task')}"
        " order by photo.content_id, photo.id",
        (album_id,),
    )
    stills, late = 0, 0
    clips: set[int] = set()
    for _, group in itertools.groupby(rows.fetchall(), key=lambda row: row["content_id"]):
        by_place: dict[tuple[bytes, str, int], list[sqlite3.Row]] = {}
        for row in group:
            place = os.path.dirname(row["path"]), row["volume"], row["card"]
            by_place.setdefault(place, []).append(row)
        for some in by_place.values():
            for still, clip in _new_pairs(some):
                _join(connection, still, clip)
                if still["id"] in arrived and clip["id"] in arrived:
                    stills += 1
                    clips.add(clip["id"])
                else:
                    late += 1
    return Joined(stills, len(clips), late)


def _new_pairs(halves: Sequence[sqlite3.Row]) -> Iterator[tuple[sqlite3.Row, sqlite3.Row]]:
    """Pairs of still and clip among files of one identifier and folder, without stills that have a
    clip already."""
    clips = [half for half in halves if half["mime"].startswith("video/")]
    stills = [
        half for half in halves if half["mime"].startswith("image/") and half["clip_id"] is None
    ]
    taken = {half["clip_id"] for half in halves}
    free = [clip for clip in clips if clip["task_id"] not in taken] or clips
    for still, clip in matched(_names(stills), _names(free)):
        yield stills[still], free[clip]


def _names(halves: Iterable[sqlite3.Row]) -> list[bytes]:
    return [os.path.basename(half["path"]) for half in halves]


def _join(connection: sqlite3.Connection, still: sqlite3.Row, clip: sqlite3.Row) -> None:
    """Make a still and a clip one live photo.

    A still that will be sent later is sent with its clip's id; another one is joined to its clip on
    the server.
    """
    waits = (Stage.UNREAD, Stage.UNASKED, Stage.UNPAIRED, Stage.STALE)
    is_to_come = (
        still["state"] in (State.PENDING, State.FAILED, State.REJECTED) and still["stage"] in waits
    )
    together = Together.BY_SENDING if is_to_come else Together.NOT_YET
    connection.execute(
        "update task set clip_id = ?, alone = ? where id = ?",
        (clip["task_id"], int(together), still["task_id"]),
    )
    if still["state"] in DONE and clip["state"] in DONE and clip["remote_id"] is not None:
        # Decide anew whether the clip has a place of its own in the server's album.
        connection.execute(steps.TO_PLACE_AGAIN, (clip["task_id"],))


def _batches(names: set[bytes]) -> Iterator[list[bytes]]:
    ordered = iter(sorted(names))
    while some := list(itertools.islice(ordered, _AT_A_TIME)):
        yield some
