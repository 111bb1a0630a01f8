"""Sources that change, shrink, go, or are touched while they wait or are sent; copies that are
altered."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from servers import FormServer, Received, Step, answer

from .conftest import DISK, PATIENCE, Home, finish, jpeg, sha256, until

BIG = 20 << 20  # more than the kernels on both sides hold
LARGE = 100_000  # more than is kept from its reading


@pytest.fixture
def club(home: Home, server: FormServer) -> FormServer:
    home.form(server)
    home.lies_on(DISK)
    return server


def claims(home: Home) -> set[str]:
    """The digests of what is called uploaded."""
    return {task["sha256"] for task in home.tasks() if task["state"] in ("uploaded", "duplicate")}


def down(server: FormServer) -> None:
    server.says(503)


def up(server: FormServer) -> None:
    server.says(200)
    server.ledger.clear()


def write_in_place(file: Path, data: bytes) -> None:
    """The same file with other bytes, its modification time set back."""
    before = file.stat()
    with file.open("r+b") as opened:
        opened.write(data)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.long
def test_an_edit_in_place_with_its_time_set_back_is_noticed_before_sending(
    home: Home, club: FormServer
) -> None:
    file = home.photos(1) / "IMG_1.JPG"
    down(club)
    assert home.run("push", "trip", "--patience", "0").returncode == 75
    write_in_place(file, jpeg(7)[:1000])
    up(club)
    assert home.run("resume").returncode == 0
    assert club.digests == [sha256(file)]
    assert claims(home) == {sha256(file)}


def test_a_photo_that_is_touched_while_it_is_sent_is_sent_again(
    home: Home, club: FormServer
) -> None:
    """Bytes may have been others for a while and put back: the end is withheld, and it costs no
    try."""
    file = home.photos(1, size=BIG) / "IMG_1.JPG"
    club.may_read.clear()
    process = home.start("push", "trip", "--retries", "0")
    until(lambda: club.in_flight)
    until(lambda: home.sql("select 1 from task where state = 'sending'"))
    file.chmod(0o640)
    club.may_read.set()
    assert finish(process).returncode == 0
    assert club.digests == [sha256(file)]
    (task,) = home.tasks()
    assert (task["state"], task["attempts"]) == ("uploaded", 2)
    assert home.sql("select tries from v_tasks") == [(1,)]


@pytest.mark.long
def test_a_photo_that_shrinks_while_it_is_sent_is_sent_as_it_is_then(
    home: Home, club: FormServer
) -> None:
    file = home.photos(1, size=BIG) / "IMG_1.JPG"
    club.may_read.clear()
    process = home.start("push", "trip")
    until(lambda: club.in_flight)
    with file.open("r+b") as opened:
        opened.truncate(BIG // 2)
    club.may_read.set()
    assert finish(process).returncode == 0
    assert club.digests == [sha256(file)]


@pytest.mark.long
def test_a_photo_that_was_emptied_is_missing_and_not_sent_empty(
    home: Home, club: FormServer
) -> None:
    file = home.photos(1) / "IMG_1.JPG"
    down(club)
    assert home.run("push", "trip", "--patience", "0").returncode == 75
    file.write_bytes(b"")
    up(club)
    assert home.run("resume").returncode == 3
    (task,) = home.tasks()
    assert (task["state"], task["error"]) == ("missing", "it is empty now")
    assert club.ledger == []


@pytest.mark.process
def test_other_bytes_after_a_whole_sending_go_under_another_name(
    home: Home, club: FormServer
) -> None:
    """The server may have the first ones under the first name; it may overwrite."""
    file = home.photos(1) / "IMG_1.JPG"
    club.answer = lambda _: answer(408, {})
    assert home.run("push", "trip", "--retries", "0").returncode == 3
    file.write_bytes(jpeg(7))
    up(club)
    assert home.run("push", "trip").returncode == 0
    assert club.names == ["IMG_1-2.JPG"]


@pytest.mark.long
def test_a_copy_that_was_altered_is_not_sent(home: Home, club: FormServer) -> None:
    file = home.photos(1) / "IMG_1.JPG"
    down(club)
    assert home.run("push", "trip", "--spool", "--patience", "0").returncode == 75
    (copy,) = (home.journal.parent / "journal.db.spool").iterdir()
    write_in_place(copy, b"\0" * 512)
    up(club)
    assert home.run("resume").returncode == 0
    assert club.digests == [sha256(file)]
    assert claims(home) == {sha256(file)}


def test_a_copy_that_is_altered_while_it_is_sent_is_not_called_uploaded(
    home: Home, club: FormServer
) -> None:
    """Its end is withheld, free; the photo goes in its place."""
    file = home.photos(1, size=BIG) / "IMG_1.JPG"
    club.may_read.clear()
    process = home.start("push", "trip", "--spool", "--retries", "0")
    until(lambda: club.in_flight)
    until(lambda: home.sql("select 1 from task where state = 'sending'"))
    (copy,) = (home.journal.parent / "journal.db.spool").iterdir()
    write_in_place(copy, b"\0" * 512)
    club.may_read.set()
    assert finish(process).returncode == 0
    assert club.digests == [sha256(file)]
    assert claims(home) == {sha256(file)}
    assert home.sql("select outcome from v_attempts order by number") == [
        ("broken",),
        ("uploaded",),
    ]


@pytest.mark.long
def test_a_copy_that_is_altered_before_the_answer_leaves_a_doubt(
    home: Home, club: FormServer
) -> None:
    """The body was whole, so it may be there twice; the altered copy is kept, for it may be all
    there is."""
    file = home.photos(1) / "IMG_1.JPG"
    club.may_answer.clear()
    process = home.start("push", "trip", "--spool")
    until(lambda: club.in_flight)
    until(lambda: home.sql("select 1 from attempt where whole_at is not null"))
    (copy,) = (home.journal.parent / "journal.db.spool").iterdir()
    write_in_place(copy, b"\0" * 512)
    file.unlink()
    club.may_answer.set()
    assert finish(process).returncode == 3
    (task,) = home.tasks()
    assert (task["state"], task["maybe_twice"]) == ("missing", True)
    assert "its copy cannot be used" in task["error"]
    assert copy.exists()
    assert home.sql("select outcome from v_attempts") == [("in_doubt",)]


@pytest.mark.long
def test_a_copy_that_waits_its_turn_is_not_sent_once_its_photo_has_other_bytes(
    home: Home, club: FormServer
) -> None:
    trip = home.photos(9)
    gate = threading.Event()

    def said(_: Received) -> Step:
        if len(club.ledger) == 4:  # by now the next ones are reserved
            gate.wait(PATIENCE)
        return answer(200, {})

    club.answer = said
    club.may_answer.clear()
    first = home.start("push", trip, "--spool", "-j1")
    until(lambda: club.in_flight)
    until(lambda: home.sql("select count(*) from task where stage = 1")[0][0] == 9)
    club.may_answer.set()
    until(lambda: len(club.ledger) == 4)
    old = sha256(trip / "IMG_8.JPG")
    (trip / "IMG_8.JPG").write_bytes(jpeg(77))
    second = home.start("push", trip, "--spool")
    until(lambda: home.sql("select 1 from body where sha256 = ?", sha256(trip / "IMG_8.JPG")))
    gate.set()
    assert finish(first).returncode == 0
    assert finish(second).returncode == 0
    assert old not in club.digests
    assert claims(home) <= set(club.digests)


def test_other_bytes_of_a_photo_whose_copy_is_being_sent_are_sent_too(
    home: Home, club: FormServer
) -> None:
    file = home.photos(1) / "IMG_1.JPG"
    club.may_answer.clear()
    first = home.start("push", "trip", "--spool")
    until(lambda: club.in_flight)
    until(lambda: home.sql("select 1 from task where state = 'sending'"))
    old = sha256(file)
    file.write_bytes(jpeg(7))
    second = home.start("push", "trip", "--spool")
    until(lambda: home.sql("select 1 where (select count(*) from task) = 2"))
    club.may_answer.set()
    assert finish(first).returncode == 0
    assert finish(second).returncode == 0
    assert set(club.digests) == claims(home) == {old, sha256(file)}


def test_copies_are_sent_while_the_card_is_out(home: Home, club: FormServer) -> None:
    """Also where others from the same folder, which have no copy, wait for it."""
    trip = home.photos(2)
    down(club)
    assert home.run("push", trip, "--patience", "0").returncode == 75
    home.photos(2, first=3)
    assert home.run("push", trip, "--spool", "--patience", "0").returncode == 75
    trip.rename(home.folder / "elsewhere")
    up(club)
    done = home.run("resume")
    assert done.returncode == 75, done.stderr
    assert sorted(set(club.names)) == ["IMG_3.JPG", "IMG_4.JPG"]
    (home.folder / "elsewhere").rename(trip)
    assert home.run("resume").returncode == 0
    assert len(set(club.names)) == 4


@pytest.mark.long
def test_a_spool_whose_disk_is_away_is_waited_for_and_never_swept(
    home: Home, club: FormServer
) -> None:
    """The card may have been erased: these copies are the only ones."""
    trip = home.photos(3)
    wanted = {sha256(file) for file in trip.iterdir()}
    down(club)
    assert home.run("push", trip, "--spool-dir", "usb", "--patience", "0").returncode == 75
    for file in trip.iterdir():
        file.unlink()
    (home.folder / "usb").rename(home.folder / "drawer")
    up(club)
    for _ in range(2):
        done = home.run("resume")
        assert done.returncode == 75, done.stderr
        assert "usb" in done.stderr and "Bring back its disk" in done.stderr
    (home.folder / "drawer").rename(home.folder / "usb")
    assert home.run("resume").returncode == 0
    assert set(club.digests) == wanted


@pytest.mark.long
def test_a_lost_copy_is_made_up_for_by_its_photo_only_if_that_is_the_same(
    home: Home, club: FormServer
) -> None:
    trip = home.photos(3)
    same, other = sha256(trip / "IMG_1.JPG"), sha256(trip / "IMG_2.JPG")
    down(club)
    assert home.run("push", trip, "--spool", "--patience", "0").returncode == 75
    spool = home.journal.parent / "journal.db.spool"
    for copy in spool.iterdir():
        if sha256(copy) in (same, other):
            copy.unlink()
    (trip / "IMG_2.JPG").write_bytes(jpeg(9))
    up(club)
    assert home.run("resume").returncode == 3
    assert home.states() == {
        "IMG_1.JPG": "uploaded",
        "IMG_2.JPG": "missing",
        "IMG_3.JPG": "uploaded",
    }
    assert same in club.digests
    assert sha256(trip / "IMG_2.JPG") not in club.digests


def test_what_was_rejected_for_its_form_goes_by_the_form_as_it_is_configured_then(
    home: Home, club: FormServer
) -> None:
    home.form(club, 'file_field = "wrong"')
    club.answer = lambda received: answer(201 if received.fields.get("sha1") else 422, {})
    assert home.run("push", home.photos(2)).returncode == 3
    home.form(club, '[targets.club.fields]\nsha1 = "{sha1}"')
    assert home.run("retry-failed", "trip", "--rejected").returncode == 0
    assert set(home.states().values()) == {"uploaded"}


@pytest.mark.long
def test_a_photo_that_was_others_after_its_end_left_is_in_doubt(
    home: Home, club: FormServer
) -> None:
    """Bytes in the socket's queue are the file's own pages: an edit that is put back may have been
    sent."""
    file = home.photos(1, size=LARGE) / "IMG_1.JPG"  # a small one is sent as it was read

    def edited_meanwhile(_: Received) -> Step:
        club.answer = lambda _: answer(200, {})
        kept = file.read_bytes()
        write_in_place(file, jpeg(7, LARGE))
        write_in_place(file, kept)
        return answer(200, {})

    club.answer = edited_meanwhile
    assert home.run("push", "trip").returncode == 0
    assert home.sql("select outcome from v_attempts order by number") == [
        ("in_doubt",),
        ("uploaded",),
    ]
    (task,) = home.tasks()
    assert task["maybe_twice"]
