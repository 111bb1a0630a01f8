"""The names under which photos are sent: unique, without regard to case, in a folder of the server as far as that is
known, also against earlier pushes, other albums, and albums that were forgotten.

A server that stores by name replaces a photo by another of the same name. The functions here are called inside a
transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Folder:
    """Where the photos of an album lie on a server. ``key`` tells it from other folders; ``is_shared``: all albums of
    its target lie there, as far as can be told."""

    key: str
    is_shared: bool


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where a task's name must be unique, as SQL parameters; None: no such place."""

    task: int
    album: int
    folder: int | None
    target: int | None
    sha256: str


def name_photo(
    connection: sqlite3.Connection,
    task_id: int,
    album_id: int,
    wanted: Callable[[int], str],
    had: str | None = None,
    folder: Folder | None = None,
    sha256: str = "",
) -> str:
    """The name under which a photo is sent, unique in its album and its ``folder``.

    ``wanted(1)`` is the name as it is, ``wanted(2)`` the one to try when that is taken, and so on. A task keeps the
    name that it ``had``, if it still wants it, unless other bytes of it may be on the server under that name.
    ``sha256`` of the photo: what was forgotten with the same bytes is not in its way.
    """
    folder_id = _number_of(connection, folder.key) if folder is not None else None
    target_id = None
    if folder is not None and folder.is_shared:
        target_id = connection.execute("select target_id from album where id = ?", (album_id,)).fetchone()[0]
    scope = _Scope(task_id, album_id, folder_id, target_id, sha256)
    number = 1
    while _is_taken(connection, scope, wanted(number)):
        has_to_count = number > 1 or had is not None
        number = number + 1 if has_to_count else _free_number(connection, scope, wanted)
    name = wanted(number)
    connection.execute(
        "insert into sent_name (album_id, folded, task_id, folder_id) values (?, ?, ?, ?)"
        " on conflict do update set folder_id = excluded.folder_id",
        (album_id, name.casefold(), task_id, folder_id),
    )
    return name


def forget_names(connection: sqlite3.Connection, album_id: int) -> None:
    """An album is about to be dropped: the names that its photos may have on a server stay taken for other bytes."""
    connection.execute(
        "insert or ignore into lasting_name (folder_id, folded, sha256)"
        " select folder_id, folded, iif(used, '', coalesce(sha256, '')) from sent_name left join body using (task_id)"
        " where album_id = ? and folder_id is not null and exists"
        " (select 1 from attempt where attempt.task_id = sent_name.task_id and whole_at is not null)",
        (album_id,),
    )


def _number_of(connection: sqlite3.Connection, key: str) -> int:
    """The journal's number of a folder."""
    found = connection.execute("select id from folder where key = ?", (key,)).fetchone()
    if found is None:
        found = connection.execute("insert into folder (key) values (?) returning id", (key,)).fetchone()
    return int(found[0])


def _is_taken(connection: sqlite3.Connection, scope: _Scope, name: str) -> bool:
    """Is a name another photo's, or that of other bytes of this one?"""
    folded = name.casefold()
    others = "(task_id <> ? or used)"
    found = connection.execute(
        f"select 1 from sent_name where album_id = ? and folded = ? and {others}"
        f" union all select 1 from sent_name where folder_id = ? and folded = ? and {others}"
        " union all select 1 from sent_name where album_id in (select id from album where target_id = ?)"
        f" and folded = ? and {others}"
        " union all select 1 from lasting_name where folder_id = ? and folded = ? and sha256 <> ? limit 1",
        (
            *(scope.album, folded, scope.task),
            *(scope.folder, folded, scope.task),
            *(scope.target, folded, scope.task),
            *(scope.folder, folded, scope.sha256),
        ),
    )
    return found.fetchone() is not None


def _free_number(connection: sqlite3.Connection, scope: _Scope, wanted: Callable[[int], str]) -> int:
    """A number whose name is free, in a few looks: a thousand folders may hold the same thousand names."""
    taken, free = 1, 2
    while _is_taken(connection, scope, wanted(free)):
        taken, free = free, 2 * free
    while free - taken > 1:
        middle = (taken + free) // 2
        if _is_taken(connection, scope, wanted(middle)):
            taken = middle
        else:
            free = middle
    return free
