"""Finds targets that a scheduler cannot send to: only a shell's variable has their token."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from albumup.config.file import Config, shown
from albumup.errors import AlbumupError, ConfigError
from albumup.journal import reading
from albumup.session.albums import chosen
from albumup.session.destination import kept_in
from albumup.targets.registry import default_target, table_of


def targets_of(
    connection: sqlite3.Connection | None,
    config: Config,
    albums: Sequence[str],
    target: str | None,
) -> list[str]:
    """The targets that ``resume`` or ``retry-failed`` uses, for the named albums, or else for all.

    Without names the default target is among them, because the next push goes there. Raises
    UsageError for an unknown album, or for a target without one.
    """
    known = reading.albums(connection) if connection is not None else []
    found = [where for _, where in chosen(known, albums, target)]
    if not albums and target is None:
        try:
            found.append(default_target(config))
        except ConfigError:
            found.extend(config.targets)
    return list(dict.fromkeys(found))


def check(connection: sqlite3.Connection | None, config: Config, targets: Iterable[str]) -> None:
    """Raise ConfigError for the first target whose token only a shell's variable has."""
    kept = kept_in(connection)
    for name in targets:
        try:
            table = table_of(name, config, kept)
        except AlbumupError:
            continue  # every run reports a target that is gone
        if table is None or (variable := table.settings.get("token_env")) is None:
            continue
        raise ConfigError(
            f"{name} takes its token from the variable {variable}, which only your shell has",
            _instead(name, config),
        )


def _instead(name: str, config: Config) -> str:
    if name not in config.targets:
        return "push the album again, with --token-file FILE instead of --token-env"
    return (
        f"write token_file or token_command instead of token_env, under [targets.{name}] in "
        f"{shown(config.path)}"
    )
