"""Targets that --url described: which album goes to which, and what becomes of bodies when a
definition changes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace
from test_staging import BOUNDARY, arrival, body_for, prepare_all, push

from albumup.config.file import TargetTable
from albumup.config.from_options import FormOptions, target_from_options
from albumup.journal import definitions, framing, runs
from albumup.journal.admin import forget
from albumup.journal.definitions import Described
from albumup.journal.journal import Journal
from albumup.journal.migrations import APPLICATION_ID, MIGRATIONS
from albumup.journal.staging import add_album
from albumup.journal.states import Stage

UP = "https://club.example/up"
OTHER = "https://club.example/other"
PORT = "https://club.example:8443/up"
HOST, SECOND = "club.example", "club.example-2"


def said(
    url: str, *fields: str, token: str | None = None, file_field: str | None = None
) -> Described:
    return Described(
        target_from_options(FormOptions(url, fields, file_field, token_file=token)),
        {"home", "inbox"},
    )


def push_to(journal: Journal, album: str, described: Described, state: str = "pending") -> str:
    """Push a photo with --url, and bring it into that state; the name of the album's target."""
    with journal.transaction():
        add_album(journal, album, "", described)
    target = targets(journal)[album]
    album_id = push(
        journal,
        [arrival(b"%d.jpg" % len(journal.rows("select 1 from task")))],
        album,
        target=target,
    )
    journal.connection.execute("update task set state = ? where album_id = ?", (state, album_id))
    return target


def targets(journal: Journal) -> dict[str, str]:
    return {album.name: album.target for album in runs.albums(journal)}


def url_of(journal: Journal, target: str) -> object:
    return TargetTable.from_json(runs.target_definitions(journal)[target]).settings["url"]


def test_albums_of_one_definition_share_a_target_and_others_do_not(journal: Journal) -> None:
    for album, described, target in (
        ("a", said(UP), HOST),
        ("b", said(UP, file_field="file"), HOST),
        ("c", said(OTHER), SECOND),
        ("d", said(UP, "a=1", "b=2"), "club.example-3"),
        ("e", said(UP, "b=2", "a=1"), "club.example-4"),
        ("f", said(UP, token="club.token"), "club.example-5"),
        ("g", said("https://inbox/up"), "inbox-2"),
        ("h", said("http://home/up"), "home-2"),
    ):
        assert push_to(journal, album, described) == target, album
    assert targets(journal)["a"] == HOST


def test_options_given_again_change_the_album_alone(journal: Journal) -> None:
    push_to(journal, "trip", said(UP), "uploaded")
    assert push_to(journal, "trip", said(OTHER)) == HOST  # its own, so it keeps its name
    assert url_of(journal, HOST) == OTHER
    push_to(journal, "wedding", said(OTHER))
    assert push_to(journal, "trip", said(UP)) == SECOND
    assert (url_of(journal, HOST), url_of(journal, SECOND)) == (OTHER, UP)
    assert push_to(journal, "trip", said(OTHER)) == HOST
    assert runs.target_definitions(journal).keys() == {HOST}
    assert len(runs.albums(journal)) == 2


@pytest.mark.parametrize(
    ("state", "then"),
    [
        ("pending", [("trip", PORT)]),
        ("cancelled", [("trip", PORT)]),
        ("uploaded", [("trip", UP), ("trip", PORT)]),
        ("in_doubt", [("trip", UP), ("trip", PORT)]),
    ],
)
def test_another_port_is_another_server_once_anything_may_be_at_the_first(
    journal: Journal, state: str, then: list[tuple[str, str]]
) -> None:
    push_to(journal, "trip", said(UP), state)
    with journal.transaction():
        add_album(journal, "trip", "", said(PORT))
    assert [(album.name, url_of(journal, album.target)) for album in runs.albums(journal)] == then


def test_another_host_is_another_album(journal: Journal) -> None:
    push_to(journal, "trip", said(UP))
    with journal.transaction():
        add_album(journal, "trip", "", said("https://other.example/up"))
    assert [album.target for album in runs.albums(journal)] == [HOST, "other.example"]


def test_a_kept_target_makes_room_for_one_of_the_config(journal: Journal) -> None:
    push_to(journal, "trip", said(UP))
    with journal.transaction():
        definitions.keep_apart(journal, {HOST})
    assert targets(journal) == {"trip": SECOND}
    assert url_of(journal, SECOND) == UP


# Bodies and definitions.


def define(journal: Journal, fingerprint: str) -> int:
    with journal.transaction():
        return framing.define(journal, "home", fingerprint, "{}")


def stages(journal: Journal) -> list[int]:
    return [row["stage"] for row in journal.rows("select stage from task order by id")]


def test_what_is_ready_is_stale_once_the_definition_is_another(journal: Journal) -> None:
    push(journal, [arrival(b"1.jpg"), arrival(b"2.jpg"), arrival(b"3.jpg")])
    one = define(journal, "one")
    for task_id in (1, 2):
        with journal.transaction():
            journal.prepared(task_id, replace(body_for(100), definition=one), "x.jpg")
    assert define(journal, "one") == one
    assert stages(journal) == [Stage.READY, Stage.READY, Stage.UNREAD]
    two = define(journal, "two")
    assert stages(journal) == [Stage.STALE, Stage.STALE, Stage.UNREAD]
    assert [task.id for task in framing.stale(journal, 1, 1, 10)] == [1, 2]
    with journal.transaction():
        journal.prepared(1, replace(body_for(100), definition=two), "x.jpg")
    assert define(journal, "one") == one
    assert stages(journal) == [Stage.STALE, Stage.STALE, Stage.UNREAD]


def test_doubts_about_the_same_bytes_outlive_their_framing(journal: Journal) -> None:
    push(journal, [arrival(b"1.jpg")])
    prepare_all(journal)
    with journal.transaction():
        attempt = journal.start(1, 1, BOUNDARY, whole=True)
        journal.end_attempt(attempt, "in_doubt")
        journal.try_later(1, "", tries=1, refunds=0, next_at=0, maybe_twice=True)
        framing.make_stale(journal, [1])
        journal.prepared(1, replace(body_for(100), boundary="another"), "x.jpg")
    assert journal.has_doubts(1)
    with journal.transaction():
        framing.make_stale(journal, [1])
        journal.prepared(1, replace(body_for(100, "bb"), boundary="a third"), "x.jpg")
    assert not journal.has_doubts(1)


def test_a_journal_of_an_older_version_knows_no_definitions_and_keeps_its_doubts(
    tmp_path: Path,
) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        for migration in MIGRATIONS[:3]:
            migration(old.execute)
        old.execute(f"pragma application_id = {APPLICATION_ID}")
        old.execute("pragma user_version = 3")
        old.executescript(
            "insert into target (id, name) values (1, 'home');"
            "insert into album (id, name, target_id, created, changed) values (1, 'trip', 1, 0, 0);"
            "insert into root values (1, x'2f', '', 7, 1);"
            "insert into photo values (1, 1, 1, x'2f61', '', null, x'61', 'image/jpeg', 9, 5, 7);"
            "insert into task (id, photo_id, album_id, root_id, size, prepared, position, total, "
            "attempts, updated)"
            " values (1, 1, 1, 1, 9, 1, 1, 2, 3, 0), (2, 1, 1, 1, 9, 1, 2, 2, 0, 0);"
            "insert into attempt (task_id, run_id, boundary, number, started, outcome) values"
            " (1, 1, 'other bytes', 1, 0, 'in_doubt'), (1, 1, 'b', 2, 0, 'not_taken'), "
            "(1, 1, 'b', 3, 0, 'in_doubt');"
        )
        for task_id in (1, 2):
            body = (
                task_id, b"head", b"tail", "b", "multipart/form-data", 17, 9, 5, 11, 7, 0, "aa",
                *[None] * 4,
            )  # fmt: skip
            old.execute(f"insert into body values ({', '.join('?' * len(body))})", body)
    journal = Journal(str(path))
    assert [
        (row["definition_id"], row["earlier"]) for row in journal.rows("select * from body")
    ] == [
        (None, 1),
        (None, 0),
    ]
    assert journal.has_doubts(1)
    define(journal, "one")
    assert stages(journal) == [Stage.STALE] * 2
    journal.close()


def test_definitions_that_nobody_uses_are_forgotten(journal: Journal) -> None:
    push(journal, [arrival(b"1.jpg")])
    one = define(journal, "one")
    with journal.transaction():
        journal.prepared(1, replace(body_for(100), definition=one), "x.jpg")
    two = define(journal, "two")
    with journal.transaction():
        definitions.drop_unused(journal)
    assert [row["id"] for row in journal.rows("select id from definition order by id")] == [
        one,
        two,
    ]
    with journal.transaction():
        forget(journal, 1)
    assert [row["id"] for row in journal.rows("select id from definition")] == [two]
