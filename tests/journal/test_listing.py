"""What ``list`` asks of a journal of many photos: from which index its rows come, and that none is
read ahead."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from journal.test_staging import arrival, push

from albumup.journal.journal import Journal
from albumup.journal.reading import json_rows, paths, text_rows

Rows = Callable[[Any, str, str, Sequence[str]], Iterator[Any]]
ALL: tuple[Rows, ...] = (json_rows, paths, text_rows)


@pytest.fixture
def many(journal: Journal) -> Journal:
    """A large album, and a small one that was pushed before and after it."""
    push(journal, [arrival(b"%d.jpg" % number) for number in range(2)], "small")
    push(journal, [arrival(b"%d.jpg" % number) for number in range(100)], "large")
    push(journal, [arrival(b"%d.jpg" % number) for number in range(2, 4)], "small")
    for state, task_id in (("failed", 3), ("missing", 103), ("cancelled", 4), ("uploaded", 5)):
        journal.connection.execute("update task set state = ? where id = ?", (state, task_id))
    return journal


class Explaining:
    """A connection whose cursors tell how SQLite would go about it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.execute = connection.execute
        self._connection = connection

    def cursor(self) -> Explainer:
        return self._connection.cursor(Explainer)


class Explainer(sqlite3.Cursor):
    def execute(self, query: str, values: Any = ()) -> Explainer:
        return super().execute(f"explain query plan {query}", values)


def plan_of(journal: Journal, rows: Rows, album: str, states: Sequence[str]) -> list[str]:
    """The steps of SQLite's plan."""
    return [detail for *_, detail in rows(Explaining(journal.connection), album, "home", states)]


@pytest.mark.parametrize("rows", ALL)
@pytest.mark.parametrize("album", ["small", "large"])
@pytest.mark.parametrize(
    "states", [[], ["failed"], ["missing", "failed"], ["cancelled"], ["cancelled", "sending"]]
)
def test_the_order_comes_from_an_index(
    many: Journal, rows: Rows, album: str, states: list[str]
) -> None:
    assert not [step for step in plan_of(many, rows, album, states) if "TEMP B-TREE" in step]


def test_a_small_album_is_found_by_its_photos(many: Journal) -> None:
    assert "SCAN task" in plan_of(many, json_rows, "large", [])
    assert not [step for step in plan_of(many, json_rows, "small", []) if step.startswith("SCAN")]


@pytest.mark.parametrize(
    ("states", "index"),
    [
        (["failed"], "task_wanting"),
        (["missing", "failed"], "task_wanting"),
        (["cancelled"], "task_state"),
    ],
)
def test_rare_states_are_found_by_their_index(many: Journal, states: list[str], index: str) -> None:
    assert [step for step in plan_of(many, json_rows, "large", states) if index in step]


@pytest.mark.parametrize("rows", ALL)
def test_tasks_come_in_the_order_in_which_they_were_queued(many: Journal, rows: Rows) -> None:
    def found(album: str, *states: str) -> list[bytes]:
        return [row[0] for row in rows(many.connection, album, "home", states)]

    assert found("small") == [b"/photos/trip/%d.jpg" % number for number in range(4)]
    assert found("large") == [b"/photos/trip/%d.jpg" % number for number in range(100)]
    assert found("large", "uploaded", "failed") == [b"/photos/trip/0.jpg", b"/photos/trip/2.jpg"]
    assert found("small", "missing") == [b"/photos/trip/2.jpg"]
    assert found("small", "cancelled") == []


@pytest.mark.parametrize("rows", ALL)
def test_no_row_is_read_before_it_is_wanted(many: Journal, rows: Rows) -> None:
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    def steps_of(count: int) -> int:
        nonlocal steps
        steps, found = 0, rows(many.connection, "large", "home", [])
        for _ in range(count):
            next(found)
        return steps

    many.connection.set_progress_handler(step, 1)
    steps_of(1)  # what is asked for the first time is prepared
    assert 0 < 10 * steps_of(1) < steps_of(100)
