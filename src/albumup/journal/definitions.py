"""Targets that ``push --url`` described, kept under the names of their hosts.

Albums with the same definition share a target. When options are given again for an album, its
target is changed if no other album uses it; else the album moves to another target.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import count
from urllib.parse import urlsplit

from msgspec import Struct

from albumup.config.definition import fingerprint, non_defaults
from albumup.config.file import TargetTable, settings_of
from albumup.config.settings import FormSettings
from albumup.config.template import host_of
from albumup.errors import ConfigError
from albumup.journal.journal import Journal
from albumup.journal.states import GOING, MAY_BE_THERE, is_in


class Described(Struct, frozen=True):
    """A target as ``--url`` and its companions describe it. ``taken``: the names of the configured
    targets."""

    table: TargetTable
    taken: Collection[str]


class Place(Struct, frozen=True):
    """Where an album goes."""

    target: str
    """The name of the album's target from now on."""
    was: str = ""
    """The name of its target until now; "" if the album is new."""
    before: TargetTable | None = None
    """The definition of that target."""
    _target_id: int | None = None
    _album_id: int | None = None


class _Kept(Struct, frozen=True):
    id: int
    name: str
    table: TargetTable


def place_of(connection: sqlite3.Connection | None, album: str, described: Described) -> Place:
    """The place of an album pushed with ``--url``. ``connection`` None: there is no journal yet.

    An album of that name at the same host is the same album, with a new definition. At another port
    of the host it is the same album only if none of its photos can have arrived there; else there
    are two servers on one host.
    """
    table = described.table
    host = host_of(str(table.settings["url"]))
    if connection is None:
        return Place(_free_name(host, described.taken))
    here = [one for one in _kept(connection) if host_of(str(one.table.settings["url"])) == host]
    albums = {
        row["target_id"]: row["id"]
        for row in connection.execute("select id, target_id from album where name = ?", (album,))
    }
    same = next((one for one in here if _words(one.table) == _words(table)), None)
    own = [one for one in here if one.id in albums]
    own.sort(key=lambda one: (one is not same, _port(one.table) != _port(table), one.id))
    mine = next((one for one in own if _is_meant(connection, one, albums[one.id], table)), None)
    album_id = albums[mine.id] if mine else None
    was, before = (mine.name, mine.table) if mine else ("", None)
    if same is None and mine is not None and not _is_shared(connection, mine.id, albums[mine.id]):
        same = mine
    if same is not None:
        return Place(same.name, was, before, same.id, album_id)
    names = {row[0] for row in connection.execute("select name from target")}
    return Place(_free_name(host, {*described.taken, *names}), was, before, None, album_id)


def settle(journal: Journal, album: str, described: Described) -> str:
    """Keep a definition for an album, and move the album to its target if it goes elsewhere; return
    the target's name.

    Inside a transaction. The caller makes the album if it is new.
    """
    place = place_of(journal.connection, album, described)
    table = replace(described.table, name=place.target)
    if place._target_id is None:
        target_id = journal.rows(
            "insert into target (name, definition) values (?, ?) returning id",
            place.target,
            table.to_json(),
        )[0][0]
    else:
        target_id = place._target_id
        if place.target == place.was and is_redefined(place.before, table):
            journal.connection.execute(
                "update target set sick_since = null, sick_words = '', spent = 0 where id = ?",
                (target_id,),
            )
        journal.connection.execute(
            "update target set definition = ? where id = ?", (table.to_json(), target_id)
        )
    if place._album_id is not None and place.target != place.was:
        journal.connection.execute(
            "update album set target_id = ? where id = ?", (target_id, place._album_id)
        )
        drop_unused(journal)
    return place.target


def target_of(journal: Journal, album_id: int) -> str:
    """The name of an album's target."""
    rows = journal.rows(
        "select target.name from target join album on target_id = target.id where album.id = ?",
        album_id,
    )
    return str(rows[0]["name"])


def is_redefined(before: TargetTable | None, now: TargetTable) -> bool:
    """Do the definitions differ in something that goes into request or body? False if there was
    none ``before``."""
    return before is not None and _fingerprint(before) != _fingerprint(now)


def keep_apart(journal: Journal, taken: Collection[str]) -> None:
    """Rename kept targets whose names the config uses now: they take the next free number. In a
    transaction."""
    for one in _kept(journal.connection):
        if one.name in taken:
            names = {row[0] for row in journal.rows("select name from target")}
            name = _free_name(host_of(str(one.table.settings["url"])), {*taken, *names})
            journal.connection.execute(
                "update target set name = ?, definition = ? where id = ?",
                (name, replace(one.table, name=name).to_json(), one.id),
            )


def drop_unused(journal: Journal) -> None:
    """Delete kept targets without albums, and definitions that neither a target nor a body uses."""
    journal.connection.execute(
        "delete from target where definition not null and id not in (select target_id from album)"
    )
    journal.connection.execute(
        "delete from definition where not exists"
        " (select 1 from target where definition_id = definition.id)"
        " and not exists (select 1 from body where definition_id = definition.id)"
    )


def _kept(connection: sqlite3.Connection) -> Iterator[_Kept]:
    rows = connection.execute(
        "select id, name, definition from target where definition is not null order by id"
    )
    for row in rows.fetchall():
        yield _Kept(row["id"], row["name"], TargetTable.from_json(row["definition"]))


def _is_meant(
    connection: sqlite3.Connection, kept: _Kept, album_id: int, table: TargetTable
) -> bool:
    if _port(kept.table) == _port(table):
        return True
    arrived = connection.execute(
        f"select 1 from tally where album_id = ? and photos > 0 and {is_in(*MAY_BE_THERE)}",
        (album_id,),
    ).fetchone()
    return arrived is None


def _is_shared(connection: sqlite3.Connection, target_id: int, album_id: int) -> bool:
    """Does another album go to the same target?"""
    row = connection.execute(
        "select 1 from album where target_id = ? and id <> ? limit 1", (target_id, album_id)
    )
    return row.fetchone() is not None


def _free_name(host: str, taken: Collection[str]) -> str:
    names = (host if number == 1 else f"{host}-{number}" for number in count(1))
    return next(name for name in names if name not in taken)


def _port(table: TargetTable) -> int | None:
    """The port in the target's URL."""
    return urlsplit(str(table.settings["url"])).port


def _words(table: TargetTable) -> str:
    """A definition in canonical form: equal for equal settings. The order of form fields counts."""
    try:
        return json.dumps(non_defaults(settings_of(table, FormSettings)))
    except ConfigError:  # an older version accepted these settings
        return json.dumps(dict(table.settings))


def _fingerprint(table: TargetTable) -> str:
    try:
        return fingerprint(table.kind, settings_of(table, FormSettings))
    except ConfigError:
        return ""


def targets_of(connection: sqlite3.Connection | None, album: str) -> list[str]:
    """The names of the targets of all albums of that name; wholly cancelled albums count only if
    there is no other."""
    if connection is None:
        return []
    rows = connection.execute(
        "select target.name, exists (select 1 from tally where album_id = album.id and photos > 0"
        " and state <> 'cancelled') as lives from album join target on target.id = target_id"
        " where album.name = ? order by album.id",
        (album,),
    ).fetchall()
    return [row["name"] for row in rows if row["lives"]] or [row["name"] for row in rows]


def waiting(connection: sqlite3.Connection, album: str) -> list[tuple[str, str, int]]:
    """Targets described by ``--url`` for which photos of an album wait: name, definition, number of
    photos."""
    rows = connection.execute(
        "select target.name, definition, sum(photos) as waiting"
        " from tally join album on album.id = album_id join target on target.id = target_id"
        f" where album.name = ? and definition is not null and {is_in(*GOING)} and photos > 0"
        " group by target.id",
        (album,),
    )
    return [(row["name"], row["definition"], row["waiting"]) for row in rows]
