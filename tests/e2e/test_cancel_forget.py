"""cancel and forget: neither deletes anything anywhere."""

from __future__ import annotations

import pytest
from servers import FormServer, answer

from .conftest import Home, finish, until


@pytest.fixture
def waiting(home: Home, server: FormServer) -> Home:
    """An album of three photos that a server would not take yet."""
    home.form(server)
    server.answer = lambda _: answer(401, {})
    assert home.run("push", home.photos(3)).returncode == 4
    server.answer = lambda _: answer(200, {})
    server.ledger.clear()
    return home


@pytest.mark.process
def test_cancel_gives_up_what_is_not_sent_and_it_counts_against_nothing(
    waiting: Home, server: FormServer
) -> None:
    done = waiting.run("cancel", "trip")
    assert done.returncode == 0
    assert "3 photos cancelled" in done.stderr
    assert set(waiting.states().values()) == {"cancelled"}
    assert {task["error"] for task in waiting.tasks()} == {"given up: albumup cancel"}
    assert waiting.album()["settled"] is True
    head, line = waiting.run("status").stdout.splitlines()
    shown = dict(zip(head.split(), line.split(), strict=False))
    assert {name: shown[name] for name in ("SENT", "WAITING", "FAILED", "CANCELLED")} == {
        "SENT": "0/0", "WAITING": "0", "FAILED": "0", "CANCELLED": "3",
    }  # fmt: skip
    assert waiting.run("resume").returncode == 0
    assert waiting.run("push", "trip").returncode == 0
    assert server.ledger == []
    assert len(list((waiting.folder / "trip").iterdir())) == 3


@pytest.mark.long
def test_a_target_that_was_down_is_asked_no_more_once_all_for_it_is_cancelled(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    server.question = lambda: (answer(502),)
    server.answer = lambda _: answer(502, {})
    assert home.run("push", home.photos(1), "--patience", "1s").returncode == 75
    assert home.run("push", home.photos(1, "later"), "--patience", "1s").returncode == 75
    home.run("cancel", "later")
    assert "has not worked" in home.run("status").stderr
    home.run("cancel", "trip")
    assert home.sql("select count(*) from target where sick_since is not null") == [(0,)]
    assert home.run("cancel", "trip", "no.jpg").stderr.endswith("See: albumup list trip\n")


@pytest.mark.process
def test_a_run_without_a_photo_left_ends_no_pause_that_another_album_waits_for(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    server.says(502)
    assert home.run("push", home.photos(1, "held"), "--patience", "0").returncode == 75
    home.sql("update album set held = 1")
    before = server.connections
    process = home.start("push", home.photos(1, "later", first=2))
    until(lambda: server.connections > before, "its question")
    home.run("cancel", "later")
    assert finish(process).returncode == 0
    assert home.sql("select count(*) from target where sick_since is not null") == [(1,)]


def test_cancel_tells_photos_of_one_name_apart(waiting: Home, server: FormServer) -> None:
    server.answer = lambda _: answer(401, {})
    for folder in ("100", "101", "102"):
        waiting.photos(1, f"trip/{folder}", first=7)
    assert waiting.run("push", "trip").returncode == 4
    assert waiting.run("cancel", "trip", "101/IMG_7.JPG").stderr == "1 photo cancelled\n"
    assert (
        waiting.run("cancel", "trip", "IMG_7.JPG").stderr
        == "2 photos cancelled:\n    100/IMG_7.JPG, 102/IMG_7.JPG\n"
    )


@pytest.mark.parametrize("named", ["IMG_2.JPG", "trip/IMG_2.JPG", "./trip/../trip/IMG_2.JPG"])
def test_cancel_takes_a_file_by_name_or_path(waiting: Home, server: FormServer, named: str) -> None:
    assert "1 photo cancelled" in waiting.run("cancel", "trip", named).stderr
    assert waiting.run("resume").returncode == 0
    assert sorted(server.names) == ["IMG_1.JPG", "IMG_3.JPG"]
    assert waiting.states()["IMG_2.JPG"] == "cancelled"


def test_cancel_of_a_file_that_is_none_of_the_albums_cancels_nothing(waiting: Home) -> None:
    done = waiting.run("cancel", "trip", "IMG_1.JPG", "IMG_9.JPG")
    assert done.returncode == 2
    assert "'IMG_9.JPG'" in done.stderr
    assert waiting.album()["counts"]["pending"] == 3


def test_cancel_leaves_what_was_sent(waiting: Home) -> None:
    waiting.run("resume")
    done = waiting.run("cancel", "trip", "IMG_1.JPG")
    assert done.returncode == 0
    assert "0 photos cancelled" in done.stderr
    assert "sent before" in done.stderr
    assert waiting.album()["counts"]["uploaded"] == 3


def test_cancel_of_an_album_that_is_sent_says_so(waiting: Home) -> None:
    waiting.run("resume")
    done = waiting.run("cancel", "trip")
    assert done.stderr.splitlines() == [
        "0 photos cancelled",
        "3 photos sent before: left as they are",
    ]


def test_cancel_of_what_was_cancelled_before_says_so(waiting: Home) -> None:
    waiting.run("cancel", "trip", "IMG_1.JPG")
    again = waiting.run("cancel", "trip", "IMG_1.JPG")
    assert again.stderr.splitlines() == ["0 photos cancelled", "1 photo cancelled before"]
    assert waiting.run("cancel", "trip").stderr == "2 photos cancelled\n"


def test_cancel_while_an_uploader_sends(home: Home, server: FormServer) -> None:
    home.form(server)
    server.may_answer.clear()
    process = home.start("push", home.photos(3), "-j1")
    until(lambda: server.in_flight)
    done = home.run("cancel", "trip")
    assert done.returncode == 0
    assert "2 photos cancelled" in done.stderr
    assert "1 photo being sent right now" in done.stderr
    server.may_answer.set()
    assert finish(process).returncode == 0
    assert sorted(home.states().values()) == ["cancelled", "cancelled", "uploaded"]
    assert len(server.ledger) == 1


def test_cancel_removes_copies_at_the_next_start(home: Home, server: FormServer) -> None:
    home.form(server)
    server.answer = lambda _: answer(401, {})
    assert home.run("push", home.photos(2), "--spool").returncode == 4
    spool = home.folder / "state" / "albumup" / "journal.db.spool"
    assert len(list(spool.iterdir())) == 2
    home.run("cancel", "trip")
    server.answer = lambda _: answer(200, {})
    home.run("push", home.photos(1, "more", first=9))
    assert list(spool.iterdir()) == []


@pytest.mark.long
def test_target_narrows_to_one_of_two_albums_of_a_name(waiting: Home) -> None:
    waiting.run("push", "trip", "--target", "inbox")
    assert waiting.run("cancel", "trip", "--target", "club").returncode == 0
    assert waiting.run("forget", "trip", "--target", "inbox").returncode == 0
    assert [album["target"] for album in waiting.status()["albums"]] == ["club"]


def test_forget_refuses_an_album_that_is_not_settled(waiting: Home) -> None:
    done = waiting.run("forget", "trip")
    assert done.returncode == 2
    assert "albumup resume trip" in done.stderr
    assert "albumup cancel trip" in done.stderr
    assert waiting.album()["counts"]["pending"] == 3


def test_forget_drops_the_album_and_nothing_else(home: Home) -> None:
    home.run("push", home.photos(2))
    home.run("push", home.photos(1, "more", first=9))
    assert home.run("forget", "trip").returncode == 0
    assert home.album()["album"] == "more"
    assert len(home.tasks()) == 1
    assert len(list((home.inbox / "trip").iterdir())) == 2
    assert len(list((home.folder / "trip").iterdir())) == 2
    again = home.run("push", "trip")
    assert again.returncode == 0
    assert sorted(album["counts"]["duplicate"] for album in home.status()["albums"]) == [0, 2]


def test_cancel_gives_up_what_a_kill_cut_off(home: Home, server: FormServer) -> None:
    home.form(server)
    server.may_read.clear()
    process = home.start("push", home.photos(2))
    until(lambda: server.in_flight)
    until(lambda: home.sql("select 1 from task where state = 'sending'"))
    process.kill()
    process.wait()
    server.may_read.set()
    assert "2 photos cancelled" in home.run("cancel", "trip").stderr
    assert set(home.states().values()) == {"cancelled"}
    assert home.run("forget", "trip").returncode == 0
    assert (
        home.sql("select id from run where ended is null") == []
    )  # else cron hands over to the dead


@pytest.mark.long
@pytest.mark.parametrize("away", [False, True], ids=["spool", "spool-dir"])
def test_cancel_and_forget_leave_no_copies(home: Home, server: FormServer, away: bool) -> None:
    home.form(server)
    server.answer = lambda _: answer(503, {})
    place = home.folder / "elsewhere" if away else home.journal.parent / "journal.db.spool"
    options = ["--spool-dir", place] if away else ["--spool"]
    assert home.run("push", home.photos(2), *options, "--patience", "0").returncode == 75
    assert len([path for path in place.rglob("*") if path.is_file()]) == 2
    home.run("cancel", "trip")
    assert [path for path in place.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "command", [["resume"], ["resume", "trip"], ["retry-failed", "trip"]], ids=" ".join
)
def test_an_album_that_is_forgotten_meanwhile_is_said_and_breaks_nothing(
    home: Home, command: list[str]
) -> None:
    """Forgotten at the instant at which its hold is lifted: after the command has looked for it."""
    home.photos(1)
    assert home.run("push", "trip").returncode == 0
    parts = "; ".join(
        statement.format("where album_id = old.id")
        for statement in ("delete from body", "delete from task {}", "delete from photo {}",
                          "delete from notice {}", "delete from scope {}", "delete from pushed {}",
                          "delete from tally {}")
    )  # fmt: skip
    home.sql(
        f"create trigger meanwhile after update of held on album begin {parts}; "
        "delete from album; end"
    )
    done = home.run(*command)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == ["trip: forgotten meanwhile; nothing of it waits"]


@pytest.mark.long
def test_a_new_album_is_never_taken_for_one_that_was_forgotten(home: Home) -> None:
    """Who looked an album up by its number must not act on another."""
    home.photos(1)
    for name in ("a", "b"):
        assert home.run("push", "trip", "--album", name).returncode == 0
    numbers = home.sql("select id from album")
    for name in ("b", "a"):
        assert home.run("forget", name).returncode == 0
    assert home.run("push", "trip", "--album", "c").returncode == 0
    assert not set(home.sql("select id from album")) & set(numbers)


def test_forget_names_each_album_of_the_name(home: Home, server: FormServer) -> None:
    home.photos(1)
    for more in ([], ["--url", server.url]):
        assert home.run("push", "trip", *more).returncode == 0
    done = home.run("forget", "trip")
    assert (done.returncode, done.stderr.splitlines()) == (
        0,
        [
            "trip (inbox) is forgotten; what was sent stays where it is",
            f"trip ({server.url}) is forgotten; what was sent stays where it is",
        ],
    )


def test_forget_says_what_had_not_got_there(home: Home, server: FormServer) -> None:
    home.form(server)
    server.answer = lambda one: answer(413 if one.filename == "IMG_2.JPG" else 200, {})
    assert home.run("push", home.photos(3)).returncode == 3
    done = home.run("forget", "trip")
    assert (done.returncode, done.stderr.splitlines()) == (
        0,
        [
            "trip is forgotten; what was sent stays where it is",
            "Forgotten too, and not known to be there: 1 rejected",
        ],
    )
