"""A journal of its own for each test, with albums that are only sums."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clock import StillClock

from albumup.journal.journal import Journal

MakeAlbum = Callable[..., int]
"""Makes an album on the target home, or changes its sums: photos by state."""


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def journal(tmp_path: Path, clock: StillClock) -> Iterator[Journal]:
    journal = Journal(str(tmp_path / "journal.db"), clock=clock)
    journal.connection.execute("insert into target (name) values ('home')")
    yield journal
    journal.close()


@pytest.fixture
def album(journal: Journal) -> MakeAlbum:
    def make(name: str, **photos: int) -> int:
        sql = journal.connection.execute
        sql(
            "insert or ignore into album (name, target_id, created, changed) values (?, 1, 0, 0)",
            [name],
        )
        ((album_id,),) = journal.rows("select id from album where name = ?", name)
        sql("delete from tally where album_id = ?", [album_id])
        for state, count in photos.items():
            sql("insert into tally values (?, ?, ?, ?)", [album_id, state, count, 1000 * count])
        return int(album_id)

    return make
