"""What the closing words take from the journal: names, reasons, and counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_staging import arrival, push, settle

from albumup.cli.endings import commands_for, of_run
from albumup.cli.names import Names
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.reading import text_rows
from albumup.journal.states import Membership, State
from albumup.journal.summary import run_summary_of, summary_of
from albumup.session.reasons import grouped
from albumup.uploader.options import RunEnd


def test_names_are_told_apart_within_the_albums_of_a_run(journal: Journal) -> None:
    trip = push(journal, [arrival(name) for name in (b"100/A.JPG", b"101/A.JPG", b"101/B.JPG")])
    other = push(journal, [arrival(b"B.JPG", folder=b"/photos/other")], "other")
    names = Names(journal, lambda: [trip])
    found = [
        names.of(b"/photos/trip/" + name) for name in (b"100/A.JPG", b"101/A.JPG", b"101/B.JPG")
    ]
    assert found == ["100/A.JPG", "101/A.JPG", "B.JPG"]
    both = Names(journal, lambda: [trip, other])
    assert (both.of(b"/photos/trip/101/B.JPG"), both.of(b"/photos/other/B.JPG")) == (
        "101/B.JPG",
        "other/B.JPG",
    )


def test_when_many_were_asked_for_names_are_told_by_what_no_photo_shares(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    trip = push(journal, [arrival(name) for name in (b"x/100/A.JPG", b"x/101/A.JPG", b"x/B.JPG")])
    monkeypatch.setattr("albumup.cli.names._MOST_LOOKED_UP", 0)
    names = Names(journal, lambda: [trip])
    assert [names.of(b"/photos/trip/x/" + name) for name in (b"100/A.JPG", b"B.JPG")] == [
        "100/A.JPG",
        "B.JPG",
    ]


def test_a_long_name_keeps_its_ends_and_no_control_character(journal: Journal) -> None:
    path = b"/photos/trip/IMG_\x1b[31m" + b"x" * 100 + b".JPG"
    name = Names(journal, list).of(path)
    assert len(name) == 44
    assert name.startswith("IMG_\\x1b") and name.endswith("x.JPG") and "…" in name


def test_the_most_frequent_reason_comes_first_and_what_is_asked_about_is_in_none(
    journal: Journal,
) -> None:
    album_id = push(journal, [arrival(b"%d.jpg" % number) for number in range(5)])
    settle(journal, 1, State.IN_DOUBT)
    for task_id in (2, 3, 4):
        settle(journal, task_id, State.REJECTED)
    settle(journal, 5, State.IN_DOUBT)
    journal.connection.execute("update task set ask_at = 2000 where id = 5")
    journal.connection.execute(
        "update task set reason = '413 ' || id || '.jpg is too large' where id in (2, 3, 4)"
    )
    journal.connection.execute("update task set sent_as = id || '.jpg' where id in (2, 3, 4)")
    found = [(group.state, group.reason, group.count) for group in grouped(journal, album_id)]
    assert found == [
        ("rejected", "413 2.jpg is too large", 3),
        ("in doubt", "the answer was lost", 1),
    ]


def test_the_heading_of_several_photos_has_the_address_of_none(journal: Journal) -> None:
    album_id = push(journal, [arrival(b"%d.jpg" % number) for number in range(3)])
    for task_id, reason in (
        (1, "delete it there (http://nas/photos/1-aa)"),
        (2, "delete it there (http://nas/photos/2-bb)"),
    ):
        settle(journal, task_id, State.REJECTED)
        journal.connection.execute("update task set reason = ? where id = ?", (reason, task_id))
    assert [(group.reason, group.count) for group in grouped(journal, album_id)] == [
        ("delete it there", 2)
    ]
    journal.connection.execute("update task set reason = 'other' where id = 1")
    reasons = {group.reason for group in grouped(journal, album_id)}
    assert reasons == {"other", "delete it there (http://nas/photos/2-bb)"}


def test_of_two_albums_of_one_name_what_to_type_says_which(journal: Journal) -> None:
    first = push(journal, [arrival()])
    settle(journal, 1, State.REJECTED)
    (album,) = runs.albums(journal)
    assert commands_for(journal, summary_of(journal, album.id)) == [
        "Again: albumup retry-failed trip --rejected",
        "Details: albumup list trip --state rejected",
    ]
    push(journal, [arrival(b"2.jpg")], target="elsewhere")
    album = next(one for one in runs.albums(journal) if one.id == first)
    assert commands_for(journal, summary_of(journal, album.id)) == [
        "Again: albumup retry-failed trip --target home --rejected",
        "Details: albumup list trip --target home --state rejected",
    ]


def test_what_an_earlier_run_found_there_is_not_counted_when_it_gets_its_place_in_the_album(
    tmp_path: Path,
) -> None:
    now = 1000.0
    journal = Journal(str(tmp_path / "journal.db"), clock=lambda: now)
    album_id = push(journal, [arrival(b"%d.jpg" % number) for number in range(3)])
    for task_id in (1, 2):
        settle(journal, task_id, State.DUPLICATE)
    with journal.transaction():
        journal.connection.execute(
            "update task set membership = ?, remote_id = 'there' where id < 3",
            (Membership.PENDING,),
        )
    now = 2000.0
    (row,) = journal.rows(
        "insert into run (pid, started, options) values (1, 2000, '{}') returning id"
    )
    with journal.transaction():
        journal.placed(1)
        journal.placed(2, "the server does not have it any more")
    settle(journal, 3, State.UPLOADED)
    (album,) = runs.albums(journal)
    end = RunEnd(0, row["id"], {album_id: (2, 20)}, {}, {}, None, 1.0)
    found = run_summary_of(journal, summary_of(journal, album.id), end.run_id, 2, 20, None)
    said = of_run(journal, found, end, Names(journal, lambda: [album_id]))
    assert said.summary.startswith("trip: 1 of 1 sent in 1 s")
    assert said.summary.endswith("; 2 were there before")
    assert [(note.words, note.count) for note in said.notes] == [
        ("  1 photo could not be put into the album there", 1)
    ]
    journal.close()


def test_only_what_is_in_doubt_is_still_to_be_asked_about(journal: Journal) -> None:
    push(journal, [arrival(b"%d.jpg" % number) for number in range(3)])
    for task_id, state in ((1, State.IN_DOUBT), (2, State.IN_DOUBT), (3, State.DUPLICATE)):
        settle(journal, task_id, state)
    journal.connection.execute("update task set ask_at = 2000 where id in (1, 3)")
    found = [is_asking for *_, is_asking in text_rows(journal.connection, "trip", "home", [])]
    assert found == [True, False, False]
