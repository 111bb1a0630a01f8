"""The names under which photos are sent. They are unique, ignoring case, in an album and in a
folder of the server.

A server that stores by name replaces a photo by another of the same name. So names of earlier
pushes, of other albums and of forgotten albums count, too. Call these functions inside a
transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from msgspec import Struct


class Folder(Struct, frozen=True):
    """The folder of an album's photos on a server. ``key`` identifies it.

    ``is_shared``: as far as is known, all albums of the target lie in it.
    """

    key: str
    is_shared: bool


_OTHERS = "folded = :folded and (task_id <> :task or used)"
_TAKEN = f"""
select 1 from sent_name where album_id = :album and {_OTHERS}
union all select 1 from sent_name where {_OTHERS}
    and folder_id = (select id from folder where key = :key)
union all select 1 from sent_name where :is_shared and {_OTHERS} and album_id in
    (select id from album where target_id = (select target_id from album where id = :album))
union all select 1 from lasting_name where folder_id = (select id from folder where key = :key)
    and folded = :folded and sha256 <> :sha256
"""
"""Finds a row if the name belongs to another photo, or to other bytes of this one."""
_TAKE = f"""
insert into sent_name (album_id, folded, task_id, folder_id)
select :album, :folded, :task, (select id from folder where key = :key) where not exists ({_TAKEN})
on conflict do update set folder_id = excluded.folder_id returning folder_id
"""
_PLAIN = """
select iif(
    exists (select 1 from lasting_name where folder_id = folder.id)
    or (:is_shared and exists (select 1 from album where id <> :album
        and target_id = (select target_id from album where id = :album))),
    null, id)
from folder where key = :key
"""
_ADD = """
insert into sent_name (album_id, folded, task_id, folder_id) select ?, ?, ?, ?
where not exists (select 1 from sent_name where folder_id = ? and folded = ?) on conflict do nothing
"""
_Scope = dict[str, int | str | None]
"""Parameters of the statements above, without ``folded``: whose name it is, and where it must be
unique."""
PlainFolders = dict[tuple[int, Folder], int | None]
"""The ids of folders, by album and folder; valid for one transaction, in which nobody else writes.

None if the folder is not a plain one: forgotten albums left names in it, or it is shared and its
target has other albums. Then names must be looked up there, too."""


def name_photo(
    connection: sqlite3.Connection,
    task_id: int,
    album_id: int,
    wanted: Callable[[int], str],
    had: str | None = None,
    folder: Folder | None = None,
    sha256: str = "",
    *,
    plain: PlainFolders,
) -> str:
    """Take and return the name that a photo is sent under, unique in its album and ``folder``.

    ``wanted(1)`` is the name as it is, ``wanted(2)`` the one to try if that is taken, and so on. A
    task keeps the name that it ``had`` if it still wants it, unless other bytes of it may be on the
    server under that name. ``sha256``: of the photo; a name that a forgotten album used for the
    same bytes is free. ``plain``: a cache of folders for this transaction.
    """
    if folder is not None and had is None:
        folder_id = _plain_id(connection, album_id, folder, plain)
        first = wanted(1)
        if folder_id is not None and _take_at_once(connection, task_id, album_id, first, folder_id):
            return first
    scope: _Scope = {
        "task": task_id,
        "album": album_id,
        "sha256": sha256,
        "key": None,
        "is_shared": False,
    }
    if folder is not None:
        scope |= {"key": folder.key, "is_shared": folder.is_shared}
    number = 1
    while (name := _take(connection, scope, wanted(number))) is None:
        has_to_count = number > 1 or had is not None
        number = number + 1 if has_to_count else _free_number(connection, scope, wanted)
    return name


def forget_names(connection: sqlite3.Connection, album_id: int) -> None:
    """Keep the names that an album's photos may have on a server, before the album is dropped.

    Photos with other bytes cannot take these names afterwards.
    """
    connection.execute(
        "insert or ignore into lasting_name (folder_id, folded, sha256) select folder_id,"
        " folded, iif(used, '', coalesce(sha256, '')) from sent_name left join body using (task_id)"
        " where album_id = ? and folder_id is not null and exists (select 1"
        " from attempt where attempt.task_id = sent_name.task_id and whole_at is not null)",
        (album_id,),
    )


def _plain_id(
    connection: sqlite3.Connection, album_id: int, folder: Folder, plain: PlainFolders
) -> int | None:
    """The id of a folder if it is a plain one (``PlainFolders``), else None."""
    place = album_id, folder
    if place not in plain:
        wanted = {"album": album_id, "key": folder.key, "is_shared": folder.is_shared}
        found = connection.execute(_PLAIN, wanted).fetchone()
        if found is None:
            return None
        plain[place] = found[0]
    return plain[place]


def _take_at_once(
    connection: sqlite3.Connection, task_id: int, album_id: int, name: str, folder_id: int
) -> bool:
    """Take a name if it is free in a plain folder and in the album; False if it is not."""
    folded = name.casefold()
    values = (album_id, folded, task_id, folder_id, folder_id, folded)
    return connection.execute(_ADD, values).rowcount == 1


def _take(connection: sqlite3.Connection, scope: _Scope, name: str) -> str | None:
    """Take a name for the task and return it; None if it is taken."""
    now = scope | {"folded": name.casefold()}
    found = connection.execute(_TAKE, now).fetchone()
    if found is None:
        return None
    if found[0] is None and scope["key"] is not None:
        connection.execute("insert into folder (key) values (:key)", now)
        connection.execute(
            "update sent_name set folder_id = last_insert_rowid()"
            " where album_id = :album and folded = :folded",
            now,
        )
    return name


def _is_taken(connection: sqlite3.Connection, scope: _Scope, name: str) -> bool:
    now = scope | {"folded": name.casefold()}
    return connection.execute(_TAKEN + " limit 1", now).fetchone() is not None


def _free_number(
    connection: sqlite3.Connection, scope: _Scope, wanted: Callable[[int], str]
) -> int:
    """A number whose name is free, found in a few queries: a thousand folders may hold the same
    thousand names."""
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
