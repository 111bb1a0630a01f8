"""The media that photos lie on, cards and disks, as the journal knows them.

A medium has an id and a number. The number tells media apart that share an id or have none.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator

from albumup.photos.cards import Medium, Seen
from albumup.photos.pins import Pins

_AT_A_TIME = 1000


def albums(connection: sqlite3.Connection) -> list[int]:
    """The ids of all albums."""
    return [row[0] for row in connection.execute("select id from album order by id").fetchall()]


def under(connection: sqlite3.Connection, path: bytes) -> list[Medium]:
    """The media of all photos below a folder, in any album; the one with the newest photo first."""
    newest: dict[Medium, int] = {}
    for album_id in albums(connection):
        rows = connection.execute(
            "select volume, card, max(id)"
            " from photo where album_id = ? and path > ? and path < ? group by 1, 2",
            (album_id, *_bounds(path)),
        )
        for volume, card, photo_id in rows.fetchall():
            medium = Medium(volume, card)
            newest[medium] = max(newest.get(medium, 0), photo_id)
    return sorted(newest, key=lambda medium: -newest[medium])


def waiting_at(connection: sqlite3.Connection, path: bytes) -> list[tuple[str, str]]:
    """The albums with pending photos from the root at ``path``: their names, and those of their
    targets."""
    rows = connection.execute(
        "select distinct album.name, target.name"
        " from album join task on task.album_id = album.id join root on root.id = task.root_id"
        " join target on target.id = album.target_id where task.state = 'pending'"
        " and root.path = ? order by album.id",
        (path,),
    )
    return [(row[0], row[1]) for row in rows.fetchall()]


def roots(connection: sqlite3.Connection) -> list[bytes]:
    """The paths of all roots, the newest first: pushed folders, and those of single files."""
    rows = connection.execute("select path from root group by path order by max(id) desc")
    return [row[0] for row in rows.fetchall()]


def has_below(connection: sqlite3.Connection, path: bytes) -> bool:
    """Does the journal have a photo below a folder, in any album?"""
    query = "select 1 from photo where album_id = ? and path > ? and path < ? limit 1"
    return any(
        connection.execute(query, (one, *_bounds(path))).fetchone() for one in albums(connection)
    )


def albums_of_root(connection: sqlite3.Connection, path: bytes) -> list[str]:
    """The names of the albums that a folder was pushed to, the newest first."""
    rows = connection.execute(
        "select name from album where id in (select album_id"
        " from pushed join root on root.id = root_id where root.path = ?) order by id desc",
        (path,),
    )
    return [row[0] for row in rows.fetchall()]


def folders(connection: sqlite3.Connection, album_id: int) -> set[bytes]:
    """The folders of an album's photos."""
    rows = connection.execute("select path from photo where album_id = ?", (album_id,))
    return {os.path.dirname(path) for (path,) in rows}


def names_in(connection: sqlite3.Connection, album_id: int, folder: bytes) -> list[bytes]:
    """The names of an album's photos in one folder."""
    rows = connection.execute(
        "select distinct path from photo where album_id = ? and path > ? and path < ?",
        (album_id, *_bounds(folder)),
    )
    return [os.path.basename(path) for (path,) in rows if os.path.dirname(path) == folder]


def photos_of(connection: sqlite3.Connection, path: bytes, medium: Medium) -> Iterator[Seen]:
    """The photos of a medium below a folder, of any album and state."""
    for album_id in albums(connection):
        after = b""
        while page := page_of(connection, album_id, path, medium, after):
            yield from page
            after = page[-1].path


def page_of(
    connection: sqlite3.Connection, album_id: int, path: bytes, medium: Medium, after: bytes = b""
) -> list[Seen]:
    """The next thousand photos of a medium below a folder, in one album."""
    first, last = _bounds(path)
    rows = connection.execute(
        "select id, path, volume, size, mtime_ns, inode, (select ctime_ns from body"
        " where task_id = (select max(id) from task where photo_id = photo.id)) as ctime_ns"
        " from photo where album_id = ? and path > ? and path < ? and volume = ? and card = ?"
        " order by path limit ?",
        (album_id, max(first, after), last, medium.volume, medium.card, _AT_A_TIME),
    )
    return [
        Seen(photo_id, path, volume, Pins(size, int(mtime_ns), int(inode or 0), int(ctime_ns or 0)))
        for photo_id, path, volume, size, mtime_ns, inode, ctime_ns in rows.fetchall()
    ]


def count(connection: sqlite3.Connection, path: bytes, medium: Medium) -> int:
    """The number of photos of a medium below a folder, of any album and state."""
    first, last = _bounds(path)
    rows = connection.execute(
        "select count(*) from photo"
        " where album_id in (select id from album) and path > ? and path < ?"
        " and volume = ? and card = ?",
        (first, last, medium.volume, medium.card),
    )
    return int(rows.fetchone()[0])


def next_card(connection: sqlite3.Connection) -> int:
    """A number that no medium has yet."""
    rows = connection.execute(
        "select max(card) from photo union all select max(card) from root"
    ).fetchall()
    return max(int(row[0] or 0) for row in rows) + 1


def write_in(connection: sqlite3.Connection, task_id: int, volume: str) -> None:
    """Write the id of the file system of a task's photo into the journal, which lacked it.

    If the journal already has a photo there with this id, both rows stay as they are.
    """
    connection.execute(
        "update or ignore photo set volume = ?"
        " where id = (select photo_id from task where id = ?) and volume = ''",
        (volume, task_id),
    )


def name(
    connection: sqlite3.Connection, photos: Iterable[tuple[int, str]], root_id: int, volume: str
) -> None:
    """Like ``write_in`` for several photos (pairs of photo id and volume id), and for the root
    above them."""
    connection.executemany(
        "update or ignore photo set volume = ?2 where id = ?1 and volume = ''",
        photos,
    )
    if volume:
        connection.execute(
            "update or ignore root set volume = ? where id = ? and volume = ''", (volume, root_id)
        )


def _bounds(folder: bytes) -> tuple[bytes, bytes]:
    """The two paths between which all paths below a folder sort."""
    inside = os.path.join(folder, b"")
    return inside, inside[:-1] + bytes([inside[-1] + 1])
