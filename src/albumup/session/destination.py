"""Where a push goes: to ``--target`` or ``--url``, else to the target of an album of that name,
else to the default."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from msgspec import Struct

from albumup.config.file import Config, TargetTable, shown
from albumup.config.from_options import FormOptions, target_from_options
from albumup.config.shown_address import shown_address
from albumup.errors import ConfigError, UsageError
from albumup.journal import definitions, reading
from albumup.journal.definitions import Described, Place, place_of
from albumup.journal.definitions import is_redefined as is_redefined_by
from albumup.journal.journal import Journal
from albumup.journal.runs import target_definitions
from albumup.photos.file_names import quoted
from albumup.targets.base import Target
from albumup.targets.registry import INBOX, build, default_target, table_of


class Wanted(Struct, frozen=True):
    """The album and the options that decide where it goes."""

    album: str
    target: str | None = None
    by_url: FormOptions | None = None
    companions: Sequence[str] = ()
    """Options that go with ``--url`` and were given without it."""


class StaysInInbox(Struct, frozen=True):
    """An album of that name is also in the built-in inbox, and stays there."""


class GoesTo(Struct, frozen=True):
    """The album's waiting photos go to another address now, or with other fields."""

    before: str
    now: str


class StillWait(Struct, frozen=True):
    """Photos of the album wait for another target, described by an earlier ``--url``."""

    target: str
    url: str
    count: int


Note = StaysInInbox | GoesTo | StillWait
"""Something that the user should know about where a push goes."""


class Destination(Struct, frozen=True):
    """A target, by name and built. Building it early reports its errors before anything is
    queued."""

    name: str
    target: Target | None
    """None for the built-in inbox."""
    described: Described | None = None
    """The target as ``--url`` described it."""
    was: str = ""
    """The name of the target where the album may be until now; "": ``name``."""
    notes: Sequence[Note] = ()
    is_redefined: bool = False
    """Has ``--url`` changed the album's definition?"""


def kept_in(connection: sqlite3.Connection | None) -> dict[str, str]:
    """Name to definition (JSON) of the targets of earlier ``--url`` options."""
    return {} if connection is None else reading.target_definitions(connection)


def destination(
    connection: sqlite3.Connection | None, config: Config, wanted: Wanted
) -> Destination:
    """Decide where the push of an album goes. Raises UsageError, ConfigError, LocalError."""
    if wanted.by_url is not None:
        return _by_url(connection, config, wanted, wanted.by_url)
    name, notes = name_of(connection, config, wanted)
    kept = kept_in(connection)
    if table_of(name, config, kept) is None:
        return Destination(name, None, None, name, notes)
    servers = {} if connection is None else reading.servers(connection)
    return Destination(name, build(name, config, kept, servers), None, name, notes)


def name_of(
    connection: sqlite3.Connection | None, config: Config, wanted: Wanted
) -> tuple[str, list[Note]]:
    """The target of a push without ``--url``, which need not exist, and what is to be known of it.

    Raises UsageError, ConfigError.
    """
    if named := wanted.companions:
        verb = "goes" if len(named) == 1 else "go"
        raise UsageError(
            f"{' and '.join(named)} {verb} with --url", _with_url(connection, wanted.album)
        )
    if wanted.target is not None:
        return wanted.target, []
    kept = kept_in(connection)
    there = definitions.targets_of(connection, wanted.album)
    notes: list[Note] = []
    if config.targets and INBOX in there and INBOX not in {*config.targets, *kept}:
        there.remove(INBOX)
        notes.append(StaysInInbox())
    return _only(there, kept, config, wanted.album), notes


def _only(there: Sequence[str], kept: dict[str, str], config: Config, album: str) -> str:
    """The target of an existing album, else the default one. Raises UsageError if there are several
    albums."""
    if len(there) > 1:
        where = ", ".join(_title(one, kept) for one in there)
        raise UsageError(
            f"there are several albums {album!r}: on {where}",
            f"say which one with --target, as in: --target {there[0]}",
        )
    name = there[0] if there else default_target(config)
    if there and name not in {*config.targets, *kept, INBOX}:
        raise ConfigError(
            f"the album {album!r} is on a target {name!r} "
            f"that is not in {shown(config.path)} any more",
            "put it back there, or name another one with --target",
        )
    return name


def _with_url(connection: sqlite3.Connection | None, album: str) -> str:
    """A hint where options of a form belong: beside the album's URL, else in the config file."""
    kept = kept_in(connection)
    there = [kept[name] for name in definitions.targets_of(connection, album) if name in kept]
    if len(there) != 1:
        return "put them into the config file for a configured target"
    return f"name the address again, too: --url {quoted(_url_of(there[0]))}"


def _by_url(
    connection: sqlite3.Connection | None, config: Config, wanted: Wanted, given: FormOptions
) -> Destination:
    if wanted.target is not None:
        raise UsageError("--url and --target: one of them, please")
    table = target_from_options(given)
    described = Described(table, {*config.targets, INBOX})
    place = place_of(connection, wanted.album, described)
    target = build(place.target, config, {place.target: table.to_json()})
    is_redefined = place.before is not None and is_redefined_by(place.before, table)
    notes = _notes(connection, wanted.album, place, table)
    return Destination(place.target, target, described, place.was, notes, is_redefined)


def _notes(
    connection: sqlite3.Connection | None, album: str, place: Place, table: TargetTable
) -> list[Note]:
    """Say what ``--url`` changes about an album, and which photos wait elsewhere."""
    if place.before is not None and is_redefined_by(place.before, table):
        return [GoesTo(_address_of(place.before), _address_of(table))]
    if place.was or connection is None:
        return []
    waiting = definitions.waiting(connection, album)
    return [StillWait(name, _url_of(definition), count) for name, definition, count in waiting]


def _title(name: str, kept: dict[str, str]) -> str:
    """A target's name for people, with the URL if ``--url`` described it."""
    return f"{name} ({_url_of(kept[name])})" if name in kept else name


def _url_of(definition: str) -> str:
    return _address_of(TargetTable.from_json(definition))


def _address_of(table: TargetTable) -> str:
    """The URL of a target that ``--url`` described, as it may be shown."""
    return shown_address(str(table.settings.get("url")))


def keep_apart(journal: Journal, config: Config) -> None:
    """Rename targets of earlier ``--url`` options whose names the config uses now. Raises
    ConfigError."""
    if config.targets.keys() & target_definitions(journal).keys():
        with journal.transaction():
            definitions.keep_apart(journal, config.targets.keys())
