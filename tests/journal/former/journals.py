"""Journals of earlier versions, as SQL dumps: laid out again with their files, for the servers of a
test.

In a dump, paths begin with @HOME@ and addresses are @CLUB@ and so on. Beside the journal's tables
it has ``former_file`` and ``former_asset``: what make.py found on its disk and on its Immich
server.
"""

from __future__ import annotations

import gzip
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IDENTITY = ("application_id", "user_version")


@dataclass(frozen=True)
class Asset:
    """What an Immich server had. ``clip``: the id of a still's clip."""

    id: str
    name: str
    sha256: str
    clip: str | None
    in_album: bool


def lay_out(dump: Path, journal: Path, names: Mapping[str, str]) -> list[Asset]:
    """Write the journal, and the files that it is about, where ``names`` says; what the Immich
    server had."""
    journal.parent.mkdir(parents=True, mode=0o700)
    with closing(sqlite3.connect(journal)) as connection:
        connection.executescript(gzip.decompress(dump.read_bytes()).decode())
        replace_all(connection, names)
        for path, size, mtime_ns, content in connection.execute(
            "select * from former_file"
        ).fetchall():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            Path(os.fsdecode(path)).write_bytes(content.ljust(size, b"-"))
            os.utime(path, ns=(mtime_ns, mtime_ns))
        assets = [
            Asset(*row[:4], bool(row[4]))
            for row in connection.execute("select * from former_asset")
        ]
        connection.execute("drop table former_file")
        connection.execute("drop table former_asset")
        connection.commit()
        connection.execute("vacuum")
    journal.chmod(0o600)
    return assets


def replace_all(connection: sqlite3.Connection, names: Mapping[str, str]) -> None:
    """Other words for these, in every text and blob."""
    connection.create_function("renamed", 1, lambda value: _renamed(value, names))
    for (table,) in connection.execute(
        "select name from sqlite_master where type = 'table'"
    ).fetchall():
        for _, column, *_ in connection.execute(f"pragma table_info({table})").fetchall():
            connection.execute(
                f"update {table} set {column} = renamed({column}) "
                f"where renamed({column}) is not {column}"
            )
    connection.commit()


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    for old, new in names.items():
        if isinstance(value, str):
            value = value.replace(old, new)
        elif isinstance(value, bytes):
            value = value.replace(old.encode(), new.encode())
    return value
