"""Finds a target by name: in the config, in the journal, or the built-in inbox.

Other packages add kinds by the entry point group ``albumup.targets``: the name is the kind, the
object the class.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from albumup.config.file import Config, TargetTable, absolute, settings_of, shown
from albumup.config.known_secrets import know
from albumup.config.settings import CommonSettings
from albumup.config.shown_address import MASK, secrets_in, shown_address
from albumup.config.template import did_you_mean
from albumup.config.token_source import read_token
from albumup.errors import KNOWN_TARGETS, ConfigError
from albumup.photos.file_names import command
from albumup.targets.base import BUILT_IN, Check, Target

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from albumup.transfer import Sent

INBOX = "inbox"
"""The name of the built-in target."""

_NONE: Mapping[str, str] = {}
_BUILT_IN = ("form", "immich", "inbox")


def default_target(config: Config) -> str:
    """The target of a push that names none: ``default_target``, else the only one, else the inbox.

    Raises ConfigError if there are several.
    """
    if config.default_target is not None:
        return config.default_target
    if len(config.targets) > 1:
        raise ConfigError(
            f"{config.path}: several targets and no default_target: "
            f"{', '.join(sorted(config.targets))}",
            "name one with --target, or set default_target",
        )
    return next(iter(config.targets), INBOX)


def inbox_folder() -> str:
    """Where the built-in inbox stores: ``inbox`` below the user's data folder."""
    from platformdirs import user_data_dir

    return os.path.join(user_data_dir("albumup", appauthor=False), "inbox")


def table_of(name: str, config: Config, kept: Mapping[str, str]) -> TargetTable | None:
    """A target's table, from the config or from ``kept`` (name to definition, in the journal); None
    for the inbox.

    Raises ConfigError for an unknown name.
    """
    if name in config.targets:
        return config.targets[name]
    if name in kept:
        return replace(TargetTable.from_json(kept[name]), name=name)
    if name == INBOX:
        return None
    known = sorted({*config.targets, *kept, INBOX})
    near = did_you_mean(name, known)
    new = "" if near else f"; a new one: {command('target add', [name])}"
    raise ConfigError(
        f"there is no target {name!r} in {shown(config.path)}{near}",
        f"{KNOWN_TARGETS}{', '.join(known)}{new}",
    )


def build(
    name: str, config: Config, kept: Mapping[str, str], servers: Mapping[str, str] = _NONE
) -> Target:
    """Make the target of that name; the caller closes it. Raises ConfigError, LocalError.

    ``servers``: by what the servers of targets with several addresses are known.
    """
    table = table_of(name, config, kept)
    if table is None:
        from albumup.targets.inbox import BuiltInInbox

        return BuiltInInbox(INBOX, inbox_folder())
    target = _made(table, config)
    target.server = servers.get(name, "")
    return target


def rebuild(text: str, present: Target, config: Config) -> Target | None:
    """Make a target by an earlier definition (``Target.kept``), to ask about photos sent by it.

    None if its kind cannot be asked. Raises ConfigError if it cannot be made any more: its token is
    looked for where it was then.
    """
    kept = json.loads(text)
    if kept["kind"] == BUILT_IN:
        from albumup.targets.inbox import BuiltInInbox

        return BuiltInInbox(INBOX, inbox_folder())
    table = TargetTable(present.name, kept["kind"], kept["settings"], kept["where"])
    if not kind_of(table).can_ask:
        return None
    urls = addresses_of(table)
    if is_the_same_but_for_addresses(text, present):
        return present  # it leads to the same server, also where its former address does not
    url = urls[0]
    if MASK in url:
        table, url = _with_secret(table, url, present), present.settings.url
    if kept["has_token"]:
        # The token stood in the config, or came from a command. The present token is for the
        # present server only.
        if present.token is None or urlsplit(url)[:2] != urlsplit(present.settings.url)[:2]:
            raise ConfigError(
                f"{url}: the token that it was sent with is not kept, so it cannot be asked"
            )
        table = replace(table, settings={**table.settings, "token": present.token})
    return _made(table, config)


def _with_secret(table: TargetTable, shown: str, present: Target) -> TargetTable:
    """The table with the present address, if it is ``shown`` like the one in the table."""
    if shown_address(present.settings.url) != shown:
        raise ConfigError(f"{shown}: the secret in it is not kept, so it cannot be asked")
    return replace(table, settings={**table.settings, "url": present.settings.url})


def addresses_of(table: TargetTable) -> list[str]:
    """All addresses in a target's table, unchecked."""
    url = table.settings.get("url", "")
    return [str(one) for one in url] if isinstance(url, list) else [str(url)]


def is_the_same_but_for_addresses(text: str, present: Target) -> bool:
    """Does an earlier definition share an address with the present one, and all else that frames?

    Addresses of one list lead to one server. Only where there are several now or were then.
    """
    kept = json.loads(text)
    then = addresses_of(TargetTable(present.name, kept["kind"], kept["settings"], kept["where"]))
    if len(then) + len(present.addresses) < 3 or not set(then) & set(present.addresses):
        return False
    before, now = kept["settings"], json.loads(present.kept)["settings"]
    return kept["kind"] == present.kind and all(
        before.get(key) == now.get(key) for key in before.keys() | now.keys() if key != "url"
    )


def _made(table: TargetTable, config: Config) -> Target:
    kind, settings = kind_of(table), settings_for(table)
    if settings.ca_file is not None:
        settings = msgspec.structs.replace(
            settings, ca_file=absolute(settings.ca_file, config.folder)
        )
    for url in (settings.url, *settings.also):
        for secret in secrets_in(url):
            know(secret)
    return kind(table.name, settings, read_token(settings, table.where, config.folder), table.where)


def recognised(url: str, ca_file: str | None) -> tuple[str, str] | None:
    """Ask the server at ``url`` for its kind: kind and address, None if none recognises it."""
    from albumup.targets.immich import ImmichTarget
    from albumup.targets.inbox import InboxTarget
    from albumup.transfer import Peer
    from albumup.transfer.http import Http

    for kind in (ImmichTarget, InboxTarget):
        address = kind.recognises(Http(Peer(10.0, ca_file), []), url)
        if address is not None:
            return kind.kind, address
    return None


def looked_at(url: str, ca_file: str | None) -> Sent:
    """The result of a plain GET of an address."""
    from albumup.transfer import Peer
    from albumup.transfer.http import Http

    return Http(Peer(10.0, ca_file), []).call("GET", url)


def wants_token(table: TargetTable, ca_file: str | None) -> bool:
    """Does the server want a token, as far as can be seen without one? Raises ConfigError for an
    unknown kind."""
    from albumup.transfer import Peer
    from albumup.transfer.http import Http

    return kind_of(table).wants_token(Http(Peer(10.0, ca_file), []), addresses_of(table)[0])


def tried(name: str, table: TargetTable, token: str | None) -> list[Check]:
    """The result of ``target check`` for a target that is not in the config yet."""
    target = kind_of(table)(name, settings_for(table), token, table.where)
    try:
        return target.check()
    finally:
        target.close()


def settings_for(table: TargetTable) -> CommonSettings:
    """A target's settings, of the type that its kind wants. Raises ConfigError."""
    return settings_of(table, kind_of(table).settings_type)


def check_all(config: Config) -> None:
    """Check all targets' tables, used or not: later is a worse moment. Raises ConfigError for the
    first mistake."""
    for name, table in config.targets.items():
        settings_for(table)
        config.unattended(name)


def kind_of(table: TargetTable) -> type[Target]:
    """The class of a target's kind. Raises ConfigError, which names the nearest kind."""
    if table.kind == "form":
        from albumup.targets.form import FormTarget

        return FormTarget
    if table.kind == "immich":
        from albumup.targets.immich import ImmichTarget

        return ImmichTarget
    if table.kind == "inbox":
        from albumup.targets.inbox import InboxTarget

        return InboxTarget
    found = _plugins()
    if table.kind in found:
        kind: type[Target] = found[table.kind].load()
        return kind
    known = kinds()
    raise ConfigError(
        f"{table.place('kind')}: {table.kind!r} is no kind of server known "
        f"here{did_you_mean(table.kind, known)}",
        f"kinds: {', '.join(known)}",
    )


def kinds() -> list[str]:
    """The known kinds of server: the built-in ones, and those of other packages."""
    return sorted({*_BUILT_IN, *_plugins()})


def _plugins() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group="albumup.targets")}
