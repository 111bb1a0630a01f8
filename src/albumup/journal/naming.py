"""The names under which photos are sent: unique, without regard to case, in a folder of the server as far as that is
known, also against earlier pushes, other albums, and albums that were forgotten.

A server that stores by name replaces a photo by another of the same name. The functions here are called inside a
transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from msgspec import Struct


class Folder(Struct, frozen=True):
    """Where the photos of an album lie on a server. ``key`` tells it from other folders; ``is_shared``: all albums of
    its target lie there, as far as can be told."""

    key: str
    is_shared: bool


_OTHERS = "folded = :folded and (task_id <> :task or used)"
_TAKEN = f"""
select 1 from sent_name where album_id = :album and {_OTHERS}
union all select 1 from sent_name where folder_id = (select id from folder where key = :key) and {_OTHERS}
union all select 1 from sent_name where :is_shared and {_OTHERS} and album_id in
    (select id from album where target_id = (select target_id from album where id = :album))
union all select 1 from lasting_name where folder_id = (select id from folder where key = :key)
    and folded = :folded and sha256 <> :sha256
"""
"""A name is another photo's, or that of other bytes of this one."""
_TAKE = f"""
insert into sent_name (album_id, folded, task_id, folder_id)
select :album, :folded, :task, (select id from folder where key = :key) where not exists ({_TAKEN})
on conflict do update set folder_id = excluded.folder_id returning folder_id
"""
_PLAIN = """
select iif(exists (select 1 from lasting_name where folder_id = folder.id) or (:is_shared and exists (select 1
    from album where target_id = (select target_id from album where id = :album) and id <> :album)), null, id)
from folder where key = :key
"""
_ADD = """
insert into sent_name (album_id, folded, task_id, folder_id) select ?, ?, ?, ?
where not exists (select 1 from sent_name where folder_id = ? and folded = ?) on conflict do nothing
"""
_Scope = dict[str, int | str | None]
"""Whose name it is, and where it must be unique: parameters of the statements above, but ``folded``."""
PlainFolders = dict[tuple[int, Folder], int | None]
"""The ids of folders, by album; None where names have to be looked for elsewhere, too: albums that were forgotten have
left some there, or the folder is shared, and the target has other albums.
It holds for one transaction, in which nobody else writes."""


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
    """The name under which a photo is sent, unique in its album and its ``folder``.

    ``wanted(1)`` is the name as it is, ``wanted(2)`` the one to try when that is taken, and so on. A task keeps the
    name that it ``had``, if it still wants it, unless other bytes of it may be on the server under that name.
    ``sha256`` of the photo: what was forgotten with the same bytes is not in its way.
    ``plain``: what this transaction knows, and comes to know, of folders.
    """
    if folder is not None and had is None:
        folder_id = _plain_id(connection, album_id, folder, plain)
        first = wanted(1)
        if folder_id is not None and _take_at_once(connection, task_id, album_id, first, folder_id):
            return first
    scope: _Scope = {"task": task_id, "album": album_id, "sha256": sha256, "key": None, "is_shared": False}
    if folder is not None:
        scope |= {"key": folder.key, "is_shared": folder.is_shared}
    number = 1
    while (name := _take(connection, scope, wanted(number))) is None:
        has_to_count = number > 1 or had is not None
        number = number + 1 if has_to_count else _free_number(connection, scope, wanted)
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


def _plain_id(connection: sqlite3.Connection, album_id: int, folder: Folder, plain: PlainFolders) -> int | None:
    """The id of a folder, if it is a plain one."""
    place = album_id, folder
    if place not in plain:
        wanted = {"album": album_id, "key": folder.key, "is_shared": folder.is_shared}
        found = connection.execute(_PLAIN, wanted).fetchone()
        if found is None:
            return None
        plain[place] = found[0]
    return plain[place]


def _take_at_once(connection: sqlite3.Connection, task_id: int, album_id: int, name: str, folder_id: int) -> bool:
    """Take a name of which a short look tells that it is nobody's, in a plain folder and the album."""
    folded = name.casefold()
    values = (album_id, folded, task_id, folder_id, folder_id, folded)
    return connection.execute(_ADD, values).rowcount == 1


def _take(connection: sqlite3.Connection, scope: _Scope, name: str) -> str | None:
    """The name, which is the task's from now on; None if it is taken."""
    now = scope | {"folded": name.casefold()}
    found = connection.execute(_TAKE, now).fetchone()
    if found is None:
        return None
    if found[0] is None and scope["key"] is not None:
        connection.execute("insert into folder (key) values (:key)", now)
        connection.execute(
            "update sent_name set folder_id = last_insert_rowid() where album_id = :album and folded = :folded", now
        )
    return name


def _is_taken(connection: sqlite3.Connection, scope: _Scope, name: str) -> bool:
    now = scope | {"folded": name.casefold()}
    return connection.execute(_TAKEN + " limit 1", now).fetchone() is not None


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
