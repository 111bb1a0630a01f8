"""Reads a damaged journal, as far as it can be read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from urllib.parse import quote


def pushes(path: str, most: int) -> list[tuple[str, bytes, str]]:
    """At most ``most`` pushes: album, path of the root, and target, "" for one that ``--url``
    described.

    Raises sqlite3.Error.
    """
    with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)) as connection:
        return connection.execute(
            "select distinct album.name, root.path, iif(target.definition is null, target.name, '')"
            " from root join album on exists"
            " (select 1 from photo where photo.root_id = root.id and photo.album_id = album.id)"
            " join target on target.id = target_id limit ?",
            (most,),
        ).fetchall()
