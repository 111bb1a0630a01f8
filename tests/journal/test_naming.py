"""The names under which photos are sent: unique in a folder of the server, as far as the journal
can tell folders."""

from __future__ import annotations

import pytest
from test_staging import BOUNDARY, arrival, body_for, push

from albumup.journal import runs
from albumup.journal.admin import forget
from albumup.journal.journal import Journal
from albumup.journal.naming import Folder
from albumup.targets.sent_names import sent_name


def name_of(
    journal: Journal,
    album_id: int,
    task_id: int,
    name: bytes,
    had: str | None = None,
    folder: Folder | None = None,
    sha256: str = "",
) -> str:
    with journal.transaction():
        return journal.name_photo(
            task_id, album_id, lambda number: sent_name(name, number), had, folder, sha256
        )


def test_names_sent_within_an_album_are_unique_without_regard_to_case(journal: Journal) -> None:
    album_id = push(journal, [arrival(b"%d.jpg" % number) for number in range(4)])
    other = push(journal, [arrival()], "other")
    assert name_of(journal, album_id, 1, b"DSC_0001.JPG") == "DSC_0001.JPG"
    assert name_of(journal, album_id, 2, b"dsc_0001.jpg") == "dsc_0001-2.jpg"
    assert name_of(journal, album_id, 3, b"DSC_0001.JPG") == "DSC_0001-3.JPG"
    assert name_of(journal, album_id, 4, b"DSC_0001-2.JPG") == "DSC_0001-2-2.JPG"
    assert name_of(journal, other, 5, b"DSC_0001.JPG") == "DSC_0001.JPG"


def test_a_task_keeps_its_name(journal: Journal) -> None:
    album_id = push(journal, [arrival(b"%d.jpg" % number) for number in range(1, 4)])
    name_of(journal, album_id, 1, b"A.jpg")
    assert [name_of(journal, album_id, task_id, b"A.jpg") for task_id in (2, 3)] == [
        "A-2.jpg",
        "A-3.jpg",
    ]
    assert name_of(journal, album_id, 1, b"A.jpg") == "A.jpg"
    for task_id in (2, 3):
        had = f"A-{task_id}.jpg"
        assert name_of(journal, album_id, task_id, b"A.jpg", had) == had
    # Killed between the naming and the journaling of the body, it has a name that only the names'
    # table knows.
    assert name_of(journal, album_id, 2, b"A.jpg") == "A-2.jpg"


FLAT = Folder("https://club.example/up", is_shared=True)


def test_names_are_unique_in_a_folder_that_albums_share(journal: Journal) -> None:
    """Also where it is known of another target, or by another key, and as the album's own are."""
    trip, wedding = push(journal, [arrival()], "trip"), push(journal, [arrival()], "wedding")
    abroad = push(journal, [arrival()], "abroad", target="by-url")
    assert name_of(journal, trip, 1, b"A.JPG", folder=FLAT) == "A.JPG"
    assert name_of(journal, wedding, 2, b"a.jpg", folder=FLAT) == "a-2.jpg"
    assert name_of(journal, abroad, 3, b"A.JPG", folder=FLAT) == "A-3.JPG"
    assert name_of(journal, trip, 1, b"A.JPG", "A.JPG", FLAT) == "A.JPG"
    corrected = Folder("https://club.example/up/", is_shared=True)
    later = push(journal, [arrival()], "later")
    assert name_of(journal, later, 4, b"A.JPG", folder=corrected) == "A-3.JPG"


def test_a_shared_folder_is_not_all_there_is_where_its_target_has_other_albums(
    journal: Journal,
) -> None:
    """They may know the same folder by another key."""
    trip = push(journal, [arrival(b"1.jpg")], "trip")
    later = push(journal, [arrival(b"%d.jpg" % number) for number in (2, 3)], "later")
    corrected = Folder("https://club.example/up/", is_shared=True)
    assert name_of(journal, trip, 1, b"A.JPG", folder=FLAT) == "A.JPG"
    assert name_of(journal, later, 2, b"B.JPG", folder=corrected) == "B.JPG"
    assert name_of(journal, later, 3, b"a.jpg", folder=corrected) == "a-2.jpg"


def test_albums_with_folders_of_their_own_do_not_share_names(journal: Journal) -> None:
    albums = {name: push(journal, [arrival()], name) for name in ("trip", "wedding")}
    for task_id, (name, album_id) in enumerate(albums.items(), 1):
        own = Folder(f"https://club.example/{name}", is_shared=False)
        assert name_of(journal, album_id, task_id, b"A.JPG", folder=own) == "A.JPG"


def test_a_name_of_an_older_version_counts_in_a_folder_that_albums_share(journal: Journal) -> None:
    """Two photos that have one name already: the first to be named again takes another."""
    albums = [push(journal, [arrival()], name) for name in ("trip", "wedding")]
    for task_id, album_id in enumerate(albums, 1):
        assert name_of(journal, album_id, task_id, b"A.JPG") == "A.JPG"
    assert name_of(journal, albums[1], 2, b"A.JPG", "A.JPG", FLAT) == "A-2.JPG"


@pytest.mark.parametrize(("whole", "then"), [(True, "A-2.JPG"), (False, "A.JPG")])
def test_a_name_outlives_its_album_once_it_was_sent(
    journal: Journal, whole: bool, then: str
) -> None:
    album_id = push(journal, [arrival()])
    with journal.transaction():
        journal.prepared(1, body_for(10), "A.JPG")
    name_of(journal, album_id, 1, b"A.JPG", folder=FLAT)
    with journal.transaction():
        journal.start(1, runs.begin(journal, 1, {}, [album_id]), BOUNDARY, whole=whole)
        forget(journal, album_id)
    again = push(journal, [arrival()])
    task_id = journal.rows("select max(id) from task")[0][0]
    assert name_of(journal, again, task_id, b"a.jpg", folder=FLAT, sha256="other") == then.lower()


def test_the_same_bytes_may_have_the_name_of_a_forgotten_album_again(journal: Journal) -> None:
    album_id = push(journal, [arrival()])
    with journal.transaction():
        journal.prepared(1, body_for(10), "A.JPG")
    name_of(journal, album_id, 1, b"A.JPG", folder=FLAT)
    with journal.transaction():
        journal.start(1, runs.begin(journal, 1, {}, [album_id]), BOUNDARY, whole=True)
        digest = journal.rows("select sha256 from body")[0][0]
        forget(journal, album_id)
    again = push(journal, [arrival()])
    task_id = journal.rows("select max(id) from task")[0][0]
    assert name_of(journal, again, task_id, b"A.JPG", folder=FLAT, sha256=digest) == "A.JPG"


def test_many_photos_of_one_name_take_few_looks_each(journal: Journal) -> None:
    """As when every folder of a long life holds a DSC_0001.JPG."""
    album_id = push(journal, [arrival(b"%03d.jpg" % number) for number in range(300)])
    statements: list[str] = []
    journal.connection.set_trace_callback(statements.append)
    names = [name_of(journal, album_id, task_id, b"DSC_0001.JPG") for task_id in range(1, 301)]
    assert names == ["DSC_0001.JPG", *(f"DSC_0001-{number}.JPG" for number in range(2, 301))]
    assert len(statements) / 300 < 25


OWN = Folder("https://club.example/up/trip", is_shared=False)


def test_names_are_unique_in_a_folder_that_several_albums_have_for_themselves(
    journal: Journal,
) -> None:
    trip = push(journal, [arrival(b"%d.jpg" % number) for number in (1, 2)])
    other = push(journal, [arrival(b"%d.jpg" % number) for number in (3, 4)], "other")
    assert name_of(journal, trip, 1, b"A.jpg", folder=OWN) == "A.jpg"
    assert name_of(journal, trip, 2, b"a.jpg", folder=OWN) == "a-2.jpg"
    assert name_of(journal, other, 3, b"A.jpg", folder=OWN) == "A-3.jpg"
    assert name_of(journal, other, 4, b"B.jpg", folder=OWN) == "B.jpg"


def test_a_name_that_is_forgotten_in_the_same_transaction_stays_taken(journal: Journal) -> None:
    trip = push(journal, [arrival(b"1.jpg")])
    other = push(journal, [arrival(b"%d.jpg" % number) for number in (2, 3)], "other")
    name_of(journal, trip, 1, b"A.jpg", folder=OWN)
    with journal.transaction():
        journal.prepared(1, body_for(100), "A.jpg")
        journal.start(1, 1, BOUNDARY, whole=True)
    with journal.transaction():
        journal.name_photo(2, other, lambda _: "B.jpg", None, OWN)
        forget(journal, trip)
        name = journal.name_photo(3, other, lambda number: sent_name(b"A.jpg", number), None, OWN)
    assert name == "A-2.jpg"
