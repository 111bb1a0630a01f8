"""Targets that ``push --url`` described: kept under their hosts' names, for the albums that go to them.

Albums of one definition share a target; an album whose options are given again takes what is its own along with it.
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
    """What ``--url`` and its companions said; ``taken`` are the names of the configured targets."""

    table: TargetTable
    taken: Collection[str]


class Place(Struct, frozen=True):
    """Where an album goes: its target's name from now on; and until now, if the album is there already."""

    target: str
    was: str = ""
    before: TargetTable | None = None
    _target_id: int | None = None
    _album_id: int | None = None


class _Kept(Struct, frozen=True):
    id: int
    name: str
    table: TargetTable


def place_of(connection: sqlite3.Connection | None, album: str, described: Described) -> Place:
    """The target of an album that is pushed with ``--url``; None: there is no journal yet.

    An album of that name at that host is the one that is meant: its definition is the one given now. One at another
    port of it is so only while nothing of it can have arrived there; else these are two servers on one host.
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
    """Keep a definition for an album, which goes to that target with all that is in it; the target's name.

    Inside a transaction. The album itself is made by whoever calls this, if it is new.
    """
    place = place_of(journal.connection, album, described)
    table = replace(described.table, name=place.target)
    if place._target_id is None:
        target_id = journal.rows(
            "insert into target (name, definition) values (?, ?) returning id", place.target, table.to_json()
        )[0][0]
    else:
        target_id = place._target_id
        if place.target == place.was and is_redefined(place.before, table):
            journal.connection.execute(
                "update target set sick_since = null, sick_words = '', spent = 0 where id = ?", (target_id,)
            )
        journal.connection.execute("update target set definition = ? where id = ?", (table.to_json(), target_id))
    if place._album_id is not None and place.target != place.was:
        journal.connection.execute("update album set target_id = ? where id = ?", (target_id, place._album_id))
        drop_unused(journal)
    return place.target


def target_of(journal: Journal, album_id: int) -> str:
    """The name of the target that an album goes to."""
    rows = journal.rows(
        "select target.name from target join album on target_id = target.id where album.id = ?", album_id
    )
    return str(rows[0]["name"])


def is_redefined(before: TargetTable | None, now: TargetTable) -> bool:
    """Does what goes into request and body differ?"""
    return before is not None and _fingerprint(before) != _fingerprint(now)


def keep_apart(journal: Journal, taken: Collection[str]) -> None:
    """The config has got targets with the names of kept ones: these take the next free number. In a transaction."""
    for one in _kept(journal.connection):
        if one.name in taken:
            names = {row[0] for row in journal.rows("select name from target")}
            name = _free_name(host_of(str(one.table.settings["url"])), {*taken, *names})
            journal.connection.execute(
                "update target set name = ?, definition = ? where id = ?",
                (name, replace(one.table, name=name).to_json(), one.id),
            )


def drop_unused(journal: Journal) -> None:
    """Forget the targets that no album goes to any more, and the definitions that no body was framed under."""
    journal.connection.execute(
        "delete from target where definition not null and id not in (select target_id from album)"
    )
    journal.connection.execute(
        "delete from definition where not exists (select 1 from target where definition_id = definition.id)"
        " and not exists (select 1 from body where definition_id = definition.id)"
    )


def _kept(connection: sqlite3.Connection) -> Iterator[_Kept]:
    rows = connection.execute("select id, name, definition from target where definition is not null order by id")
    for row in rows.fetchall():
        yield _Kept(row["id"], row["name"], TargetTable.from_json(row["definition"]))


def _is_meant(connection: sqlite3.Connection, kept: _Kept, album_id: int, table: TargetTable) -> bool:
    if _port(kept.table) == _port(table):
        return True
    arrived = connection.execute(
        f"select 1 from tally where album_id = ? and photos > 0 and {is_in(*MAY_BE_THERE)}", (album_id,)
    ).fetchone()
    return arrived is None


def _is_shared(connection: sqlite3.Connection, target_id: int, album_id: int) -> bool:
    """Do other albums go to the target, too?"""
    row = connection.execute("select 1 from album where target_id = ? and id <> ? limit 1", (target_id, album_id))
    return row.fetchone() is not None


def _free_name(host: str, taken: Collection[str]) -> str:
    names = (host if number == 1 else f"{host}-{number}" for number in count(1))
    return next(name for name in names if name not in taken)


def _port(table: TargetTable) -> int | None:
    """The port that its address names."""
    return urlsplit(str(table.settings["url"])).port


def _words(table: TargetTable) -> str:
    """All that a definition says, in one form however it was said; the order of the fields counts."""
    try:
        return json.dumps(non_defaults(settings_of(table, FormSettings)))
    except ConfigError:  # an older version took it
        return json.dumps(dict(table.settings))


def _fingerprint(table: TargetTable) -> str:
    try:
        return fingerprint(table.kind, settings_of(table, FormSettings))
    except ConfigError:
        return ""


def targets_of(connection: sqlite3.Connection | None, album: str) -> list[str]:
    """The targets that have an album of that name; those where all of it was cancelled only if there is no other."""
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
    """The targets that ``--url`` described for which photos of an album wait: name, definition, how many."""
    rows = connection.execute(
        "select target.name, definition, sum(photos) as waiting from tally join album on album.id = album_id"
        " join target on target.id = target_id where album.name = ? and definition is not null"
        f" and {is_in(*GOING)} and photos > 0 group by target.id",
        (album,),
    )
    return [(row["name"], row["definition"], row["waiting"]) for row in rows]
