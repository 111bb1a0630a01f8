"""A push that nobody watches, as from cron: it says what is new, and no more."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator

import pytest
import zygote
from servers import FormServer, answer

from albumup.session.settling import Settling

from .conftest import Home, finish, jpeg, until

SILENT = ("", "")


def push(home: Home, *words: object, code: int = 0) -> tuple[str, str]:
    done = home.run("push", "trip", *words)
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


@pytest.mark.process
def test_it_is_silent_when_nothing_is_new_and_tells_what_is(home: Home, server: FormServer) -> None:
    home.form(server)
    home.photos(2)
    (home.folder / "trip" / "words.txt").write_text("words")
    _, said = push(home)
    assert "2 photos queued" in said and "2 of 2 sent" in said
    connections = server.connections
    assert push(home) == SILENT
    assert server.connections == connections
    home.photos(1, first=3)
    _, said = push(home)
    assert "1 photo queued" in said and "1 of 1 sent" in said
    assert push(home) == SILENT


def test_with_v_it_says_all(home: Home, server: FormServer) -> None:
    home.form(server)
    home.photos(2)
    push(home)
    _, said = push(home, "-v")
    assert "2 already there" in said and "nothing to do; 2 sent" in said


def test_programs_are_told_all_the_same(home: Home, server: FormServer) -> None:
    home.form(server)
    home.photos(1)
    push(home)
    out, said = push(home, "--json")
    (summary,) = map(json.loads, out.splitlines())
    assert (summary["event"], summary["exit"], said) == ("summary", 0, "")
    assert summary["albums"][0]["counts"]["uploaded"] == 1


def test_a_photo_that_was_rejected_is_told_once_and_ends_with_3(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    home.photos(2)
    server.answer = lambda one: answer(413 if one.filename == "IMG_2.JPG" else 200, {})
    _, said = push(home, code=3)
    assert "IMG_2.JPG" in said
    assert push(home, code=3) == SILENT
    home.photos(1, first=3)
    _, said = push(home, code=3)
    assert "1 of 1 sent" in said
    assert push(home, code=3) == SILENT


def test_an_outage_is_told_once_and_so_is_its_end(home: Home, server: FormServer) -> None:
    home.form(server)
    home.photos(2)
    server.says(503)
    impatient = ("--patience", "0s")
    _, said = push(home, *impatient, code=75)
    assert "2 photos queued" in said and "503" in said
    assert push(home, *impatient, code=75) == SILENT
    assert push(home, *impatient, code=75) == SILENT
    server.says(200)
    _, said = push(home)
    assert said == "trip: 2 sent\n"
    assert push(home) == SILENT


def test_what_a_push_has_told_is_news_to_the_reader_of_retry_failed(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    home.photos(1)
    server.says(503)
    push(home, "--patience", "0s", code=75)
    done = home.run("retry-failed")
    assert (done.returncode, "503" in done.stderr) == (75, True)
    done = home.run("retry-failed")
    assert (done.returncode, done.stderr) == (75, "")
    assert push(home, "--patience", "0s", code=75) == SILENT


@pytest.mark.skipif(not os.geteuid(), reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_told_once(home: Home) -> None:
    closed = home.photos(1, "trip/closed", first=9)
    home.photos(1)
    closed.chmod(0)
    try:
        _, said = push(home, code=3)
        assert "closed" in said
        assert push(home, code=3) == SILENT
    finally:
        closed.chmod(0o700)
    _, said = push(home)
    assert "1 photo queued" in said


def test_a_folder_that_cannot_be_listed_is_told_once_and_again_after_it_was_well(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.photos(1, "trip/disk", first=9)
    home.photos(1)
    push(home)
    listed = os.scandir

    def broken(path: bytes) -> contextlib.AbstractContextManager[Iterator[os.DirEntry[bytes]]]:
        if os.path.basename(path) == b"disk":
            raise OSError(5, "Input/output error", path)
        return listed(path)

    with monkeypatch.context() as patched:
        patched.setattr("albumup.photos.scan.os.scandir", broken)
        _, said = push(home, code=3)
        assert "disk: Input/output error" in said
        assert push(home, code=3) == SILENT
    assert push(home) == SILENT
    monkeypatch.setattr("albumup.photos.scan.os.scandir", broken)
    assert "Input/output error" in push(home, code=3)[1]


def test_what_keeps_it_from_looking_is_told_once(home: Home, server: FormServer) -> None:
    token = home.secret("hush")
    home.form(server, f'token_file = "{token}"\n')
    home.photos(1)
    push(home)
    token.chmod(0o644)
    _, said = push(home, code=4)
    assert "others can read" in said
    assert push(home, code=4) == SILENT
    token.unlink()
    _, said = push(home, code=4)
    assert "cannot be read" in said
    home.secret("hush")
    assert push(home) == SILENT
    token.unlink()
    assert "cannot be read" in push(home, code=4)[1]


def test_what_is_typed_wrong_is_always_said(home: Home) -> None:
    home.photos(1)
    push(home)
    for _ in range(2):
        done = home.run("push", "nowhere")
        assert (done.returncode, "there is no file or folder" in done.stderr) == (2, True)


@pytest.mark.parametrize("is_there", [True, False], ids=["empty", "gone"])
def test_that_a_folder_is_away_which_was_pushed_before_is_told_once(
    home: Home, is_there: bool
) -> None:
    """As that of a disk that was taken out."""
    trip = home.photos(1)
    push(home)
    away = trip.rename(home.folder / "away")
    if is_there:
        trip.mkdir()
    _, said = push(home, code=2)
    assert "no photo under" in said if is_there else "there is no file or folder" in said
    assert push(home, code=2) == SILENT
    if is_there:
        trip.rmdir()
    away.rename(trip)
    assert push(home) == SILENT


@pytest.mark.process
@pytest.mark.long
def test_it_follows_an_uploader_silently(home: Home, server: FormServer) -> None:
    home.form(server)
    home.photos(2)
    home.photos(1, "more", first=9)
    server.says(503)
    assert home.run("push", "more", "--patience", "0s").returncode == 75
    server.says(200)
    server.may_answer.clear()
    first = home.start("push", "trip", "-j1")
    until(lambda: server.in_flight)
    second = home.start("push", "more")
    scope = "select count(*) from scope where run_id = (select max(id) from run)"
    until(lambda: home.sql(scope) == [(2,)] or second.poll() is not None)
    server.may_answer.set()
    done = finish(second)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "2 of 2 sent" in finish(first).stderr
    assert set(home.states().values()) == {"uploaded"}


# Files that are still being written.


@pytest.fixture
def settling(home: Home, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home where a film is being written whenever a push waits for files to settle."""
    home.env[zygote.SETTLES] = "1"
    film = home.photos(0) / "IMG_7.MOV"
    film.write_bytes(jpeg(1))

    def wait(_: Settling) -> None:
        with film.open("ab") as file:
            file.write(b"more")

    monkeypatch.setattr(Settling, "wait", wait)
    return home


def test_a_file_that_is_being_written_is_left_for_the_next_push(
    settling: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = settling
    assert push(home) == SILENT
    out, _ = push(home, "--json")
    (summary,) = map(json.loads, out.splitlines())
    assert (summary["event"], summary["exit"], summary["albums"]) == ("summary", 0, [])
    monkeypatch.undo()
    home.config("[defaults]\nstable_for = 0.01\n")
    _, said = push(home)
    assert "1 photo queued" in said
    assert home.states() == {"IMG_7.MOV": "uploaded"}


def test_others_go_meanwhile_and_it_is_counted(
    settling: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    settling.photos(1)
    monkeypatch.setattr(Settling, "_is_young", lambda *_: False)
    _, said = push(settling)
    assert "1 photo queued" in said
    assert "1 still being written, left for the next push" in said
    assert push(settling) == SILENT
    assert settling.states() == {"IMG_1.JPG": "uploaded"}


def test_a_push_by_hand_takes_it(settling: Home) -> None:
    _, lines = settling.on_terminal("push", "trip")
    assert "1 photo queued" in " ".join(lines)


def test_a_dry_run_shows_it(settling: Home) -> None:
    assert "1 photo would be queued" in push(settling, "-n")[1]
