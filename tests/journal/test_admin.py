"""Cancel gives up what is not sent, forget drops an album and only what was its own."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from test_staging import BOUNDARY, ROOT, arrival, body_for, prepare_all, push, settle

from albumup.errors import UsageError
from albumup.journal import notices, runs
from albumup.journal.admin import Cancelled, cancel, forget
from albumup.journal.journal import Journal
from albumup.journal.notices import Cause, Message
from albumup.journal.staging import Action, RootFound
from albumup.journal.states import State

UNSENT = [State.PENDING, State.FAILED, State.REJECTED, State.MISSING, State.IN_DOUBT]


def states(journal: Journal) -> list[str]:
    return [row["state"] for row in journal.rows("select state from task order by id")]


def cancelled(journal: Journal, album_id: int, *files: bytes) -> Cancelled:
    with journal.transaction():
        return cancel(journal, album_id, files)


# Cancel.


def test_cancel_gives_up_all_that_is_not_sent(journal: Journal) -> None:
    album_id = push(journal, [arrival(b"%d.jpg" % number) for number in range(9)])
    for task_id, state in enumerate([*UNSENT, State.SENDING, State.UPLOADED, State.DUPLICATE], 1):
        settle(journal, task_id, state)
    other = push(journal, [arrival()], "other")
    assert cancelled(journal, album_id) == Cancelled(6, 1, 2)
    assert states(journal) == [
        *["cancelled"] * 5, "sending", "uploaded", "duplicate", "cancelled", "pending",
    ]  # fmt: skip
    assert cancelled(journal, album_id) == Cancelled(0, 1, 2, before=6)
    assert cancelled(journal, other) == Cancelled(1, 0, 0)


def test_a_cancelled_doubt_is_not_asked_about(journal: Journal) -> None:
    album_id = push(journal, [arrival()])
    prepare_all(journal)
    with journal.transaction():
        journal.start(1, 1, BOUNDARY)
        journal.doubt(1, "words", tries=1, ask_at=5.0)
    assert runs.is_unfinished(journal, album_id)
    cancelled(journal, album_id)
    assert not runs.is_unfinished(journal, album_id)
    assert journal.next_doubt([album_id]) is None


def test_a_cancelled_task_is_not_sent(journal: Journal) -> None:
    album_id = push(journal, [arrival()])
    with journal.transaction():
        journal.prepared(1, body_for(100), "1.jpg")
    assert len(journal.ready(album_id, 1, 0.0, 10, untried=True)) == 1
    cancelled(journal, album_id)
    assert journal.ready(album_id, 1, 0.0, 10, untried=True) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"/photos/trip/b/1.jpg", "..c."),  # a path
        (b"a/1.jpg", ".c.."),  # within the pushed folder
        (b"1.jpg", "c..."),  # there is one right in the folder
        (b"2.jpg", "...c"),  # a base name
        (b"b/../b/2.jpg", None),
    ],
)
def test_cancel_takes_a_path_or_a_name(journal: Journal, name: bytes, expected: str | None) -> None:
    album_id = push(
        journal, [arrival(found) for found in (b"1.jpg", b"a/1.jpg", b"b/1.jpg", b"b/2.jpg")]
    )
    if expected is None:
        with pytest.raises(UsageError, match="no photo of this album"):
            cancelled(journal, album_id, name)
        expected = "...."
    else:
        assert cancelled(journal, album_id, name).cancelled == 1
    assert states(journal) == ["cancelled" if mark == "c" else "pending" for mark in expected]


def test_cancel_takes_a_path_from_where_one_stands(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = os.fsencode(tmp_path)
    album_id = push(journal, [arrival(b"1.jpg"), arrival(b"1.jpg", folder=here)])
    monkeypatch.chdir(tmp_path)
    assert cancelled(journal, album_id, b"./1.jpg").cancelled == 1
    assert states(journal) == ["pending", "cancelled"]


def test_a_name_that_is_none_cancels_nothing_at_all(journal: Journal) -> None:
    album_id = push(journal, [arrival()])
    with pytest.raises(UsageError, match=r"'\\xfe\.jpg' is no photo of this album|udcfe") as error:
        cancelled(journal, album_id, b"1.jpg", b"\xfe.jpg")
    assert error.value.exit_code == 2
    assert states(journal) == ["pending"]


def test_the_way_on_names_the_album_as_it_is_typed(journal: Journal) -> None:
    album_id = push(journal, [arrival()], "trip\u200d")
    with pytest.raises(UsageError) as error:
        cancelled(journal, album_id, b"2.jpg")
    assert error.value.hint == r"see: albumup list $'trip\u200d'"


# Forget.


def rows_of(journal: Journal) -> dict[str, int]:
    tables = journal.rows(
        "select name from sqlite_schema where type = 'table' and name not like 'sqlite%'"
    )
    counts = {
        row["name"]: journal.rows(f"select count(*) from {row['name']}")[0][0] for row in tables
    }
    return {name: count for name, count in counts.items() if count}


def a_settled_album(
    journal: Journal, name: str, target: str = "home", folder: bytes = ROOT.path
) -> int:
    """An album with something in every table."""
    root = RootFound(folder, "UUID-1", 7, True)
    album_id = push(journal, [arrival(folder=folder)], name, target=target, roots=(root,))
    task_id = journal.rows("select max(id) from task")[0][0]
    with journal.transaction():
        run_id = runs.begin(journal, 1, {}, [album_id])
        journal.prepared(task_id, body_for(100), "1.jpg")
        journal.name_photo(task_id, album_id, lambda _: "1.jpg")
        attempt = journal.start(task_id, run_id, BOUNDARY)
        journal.end_attempt(attempt, "uploaded", status=201)
        journal.settle_task(task_id, State.UPLOADED)
        notices.owe(journal, Cause.SETTLED, Message(), album_id=album_id)
        runs.end(journal, run_id, 0)
    return album_id


def test_a_forgotten_album_leaves_nothing(journal: Journal) -> None:
    album_id = a_settled_album(journal, "trip")
    assert rows_of(journal).keys() >= {
        "album", "photo", "task", "body", "attempt", "sent_name", "scope", "notice",
    }  # fmt: skip
    with journal.transaction():
        forget(journal, album_id)
    assert rows_of(journal) == {
        "target": 1,
        "run": 1,
        "forgotten": 1,
    }  # its number is not given again


@pytest.mark.parametrize("folder", [ROOT.path, b"/other"])
def test_other_albums_keep_all_they_had(journal: Journal, folder: bytes) -> None:
    a_settled_album(journal, "kept")
    before = rows_of(journal)
    with journal.transaction():
        runs.tell(journal, "album 1", "words")
    album_id = a_settled_album(journal, "trip", folder=folder)
    with journal.transaction():
        forget(journal, album_id)
    assert rows_of(journal) == before | {"run": 2, "told": 1, "forgotten": 1}
    assert [row["album"] for row in journal.rows("select album from v_albums")] == ["kept"]
    assert len(journal.rows("select 1 from v_tasks")) == 1


def test_a_target_given_on_the_command_line_goes_with_its_last_album(journal: Journal) -> None:
    albums = [a_settled_album(journal, name, "example.org") for name in ("one", "two")]
    with journal.transaction():
        journal.connection.execute(
            "update target set definition = ?", (json.dumps({"kind": "form"}),)
        )
    left = []
    for album_id in albums:
        with journal.transaction():
            forget(journal, album_id)
        left.append(list(runs.target_definitions(journal)))
    assert left == [["example.org"], []]


def test_a_folder_that_only_old_tasks_of_another_album_name_is_kept(journal: Journal) -> None:
    """All photos of the first push changed and were pushed again by a folder above: the first root
    is the tasks'."""
    a_settled_album(journal, "trip")
    above = RootFound(b"/photos", "UUID-1", 7, True)
    push(journal, [arrival(action=Action.AGAIN, task_id=1, size=9)], "trip", roots=(above,))
    other = a_settled_album(journal, "other", folder=b"/other")
    with journal.transaction():
        forget(journal, other)
    assert [row["path"] for row in journal.rows("select path from root order by id")] == [
        ROOT.path,
        b"/photos",
    ]
