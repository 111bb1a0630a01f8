"""Where a push goes: what ``--target`` or ``--url`` says, else where an album of that name is, else the default."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from albumup.cli import words
from albumup.cli.app import App
from albumup.cli.escaping import escape
from albumup.cli.figures import photos
from albumup.config.file import TargetTable, shown, target_from_options
from albumup.errors import ConfigError, UsageError
from albumup.journal import definitions, reading
from albumup.journal.definitions import Described, Place, place_of
from albumup.journal.definitions import is_redefined as is_redefined_by
from albumup.photos.file_names import quoted
from albumup.targets.base import Target
from albumup.targets.building import INBOX, build, default_target, table_of

_WITH_URL = {
    "fields": "--field",
    "file_field": "--file-field",
    "headers": "--header",
    "auth": "--auth",
    "token_file": "--token-file",
    "token_env": "--token-env",
    "success_text": "--success-text",
    "failure_text": "--failure-text",
}


class Destination(Struct, frozen=True):
    """A target's name, and the target itself, None for the built-in inbox; built already, so that what is wrong with it
    is said before anything is queued."""

    name: str
    target: Target | None
    described: Described | None = None
    """What --url and its companions said."""
    was: str = ""
    """The target where the album is, which may be another one until now."""
    notes: Sequence[str] = ()
    """What the user should know of it."""
    is_redefined: bool = False
    """Do the notes say that it has other settings now?"""


def kept_in(connection: sqlite3.Connection | None) -> dict[str, str]:
    """Targets given by an earlier ``--url``: name to definition."""
    if connection is None:
        return {}
    return reading.target_definitions(connection)


def kept_targets(app: App) -> dict[str, str]:
    """``kept_in`` the journal, opened to be read."""
    connection = app.reader()
    try:
        return kept_in(connection)
    finally:
        if connection is not None:
            connection.close()


def destination(app: App, connection: sqlite3.Connection | None, album: str, given: dict[str, Any]) -> Destination:
    """Where the push of an album goes. Raises UsageError, ConfigError, LocalError."""
    if given["url"] is not None:
        return _by_url(app, connection, album, given)
    if named := [option for key, option in _WITH_URL.items() if given[key]]:
        verb = "goes" if len(named) == 1 else "go"
        raise UsageError(f"{' and '.join(named)} {verb} with --url", _with_url(connection, album))
    kept, notes = kept_in(connection), []
    name = given["target"]
    if name is None:
        there = definitions.targets_of(connection, album)
        if app.config.targets and INBOX in there and INBOX not in {*app.config.targets, *kept}:
            there.remove(INBOX)
            folder = words.inbox_of(album)
            notes.append(f"{words.shown_name(album)} is also in {escape(folder)} on this computer, and stays there")
        if len(there) > 1:
            where = ", ".join(_title(one, kept) for one in there)
            raise UsageError(
                f"there are several albums {album!r}: on {where}",
                f"say which one with --target, as in: --target {there[0]}",
            )
        name = there[0] if there else default_target(app.config)
        if there and name not in {*app.config.targets, *kept, INBOX}:
            raise ConfigError(
                f"the album {album!r} is on a target {name!r} that is not in {shown(app.config.path)} any more",
                "put it back there, or name another one with --target",
            )
    if table_of(name, app.config, kept) is None:
        return Destination(name, None, None, name, notes)
    return Destination(name, build(name, app.config, kept), None, name, notes)


def _with_url(connection: sqlite3.Connection | None, album: str) -> str:
    """Where options that describe a server belong: beside the address that the album has, else in the config file."""
    kept = kept_in(connection)
    there = [TargetTable.from_json(kept[name]) for name in definitions.targets_of(connection, album) if name in kept]
    if len(there) != 1:
        return "put them into the config file for a configured target"
    return f"name the address again, too: --url {quoted(str(there[0].settings['url']))}"


def _by_url(app: App, connection: sqlite3.Connection | None, album: str, given: dict[str, Any]) -> Destination:
    if given["target"] is not None:
        raise UsageError("--url and --target: one of them, please")
    table = target_from_options(
        given["url"],
        given["fields"],
        given["file_field"],
        given["headers"],
        given["auth"],
        given["token_file"],
        given["token_env"],
        success_text=given["success_text"],
        failure_text=given["failure_text"],
    )
    described = Described(table, {*app.config.targets, INBOX})
    place = place_of(connection, album, described)
    target = build(place.target, app.config, {place.target: table.to_json()})
    notes = _notes(connection, album, place, table)
    is_redefined = place.before is not None and is_redefined_by(place.before, table)
    return Destination(place.target, target, described, place.was, notes, is_redefined)


def _notes(connection: sqlite3.Connection | None, album: str, place: Place, table: TargetTable) -> list[str]:
    """What --url changes of an album, and what it leaves where it was."""
    name, now = words.shown_name(album), escape(str(table.settings["url"]))
    if place.before is not None and is_redefined_by(place.before, table):
        before = escape(str(place.before.settings["url"]))
        where = f"went to {before}, and goes to {now}" if before != now else f"goes to {now}"
        return [f"{name} {where} with the fields given now, also what waited"]
    if place.was or connection is None:
        return []
    notes = []
    for other, text, count in definitions.waiting(connection, album):
        where = _title(other, {other: text})
        give_up = f"albumup cancel {quoted(album)} --target {other}"
        wait, them = ("waits", "it") if count == 1 else ("wait", "them")
        notes.append(f"{photos(count)} of {name} still {wait} for {where}; to give {them} up: {give_up}")
    return notes


def _title(name: str, kept: dict[str, str]) -> str:
    """A target by its name, and where only --url described it, by its URL."""
    if name not in kept:
        return escape(name)
    return f"{escape(name)} ({escape(str(TargetTable.from_json(kept[name]).settings.get('url')))})"
