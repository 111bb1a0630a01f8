"""What a target's definition has to do with what was made ready before: it never goes with other words."""

from __future__ import annotations

from .conftest import Home
from .server import Answer, FormServer


def refuse_first(home: Home, server: FormServer, *line: object) -> None:
    """Push while the server is down for a while: everything is made ready, and nothing is taken."""
    server.answer = lambda _: Answer(503)
    done = home.run("push", *line, "--patience", "0")
    assert done.returncode == 75, done.stderr
    server.answer = lambda _: Answer()
    server.ledger.clear()


def test_what_waits_goes_by_the_fields_of_an_edited_config(home: Home, server: FormServer) -> None:
    home.form(server, 'fields = { title = "old" }')
    refuse_first(home, server, home.photos(3))
    home.form(server, 'file_field = "photo"\nfilename = "{index}-{name}"\nfields = { title = "new", sum = "{md5}" }')
    done = home.run("resume")
    assert done.returncode == 0, done.stderr
    assert sorted(server.names) == ["1-IMG_1.JPG", "2-IMG_2.JPG", "3-IMG_3.JPG"]
    assert {one.fields["title"] for one in server.ledger} == {"new"}
    assert {len(one.fields["sum"]) for one in server.ledger} == {32}
    assert "framed anew" in done.stderr
    assert {task["sent_as"] for task in home.tasks()} == set(server.names)


def test_what_does_not_frame_frames_nothing_anew(home: Home, server: FormServer) -> None:
    home.form(server, 'token_file = "one"')
    home.secret("one", "config/albumup/one")
    home.secret("two", "config/albumup/two")
    refuse_first(home, server, home.photos(2))
    before = home.sql("select boundary from body order by task_id")
    home.form(server, 'token_file = "two"\nsuccess = [200]\nsettle = 1')
    done = home.run("resume")
    assert done.returncode == 0, done.stderr
    assert {one.headers["authorization"] for one in server.ledger} == {"Bearer two"}
    assert home.sql("select boundary from body order by task_id") == before
    assert "framed anew" not in done.stderr


def test_a_copy_is_framed_anew_without_its_card(home: Home, server: FormServer) -> None:
    home.form(server, 'fields = { title = "old" }')
    trip = home.photos(2)
    refuse_first(home, server, trip, "--spool")
    trip.rename(home.folder / "pocket")
    home.form(
        server, 'taken_fallback = "mtime"\nfields = { sum = "{sha1}", taken = "{taken:%Y}", at = "{modified:%Y}" }'
    )
    done = home.run("resume")
    assert done.returncode == 0, done.stderr
    assert {len(one.fields["sum"]) for one in server.ledger} == {40}
    assert all(one.fields["taken"] == one.fields["at"] for one in server.ledger)
    assert len(server.ledger) == 2


def test_a_photo_edited_meanwhile_goes_with_its_new_bytes(home: Home, server: FormServer) -> None:
    home.form(server)
    trip = home.photos(1)
    refuse_first(home, server, trip)
    (trip / "IMG_1.JPG").write_bytes((home.photos(1, "other", 7) / "IMG_7.JPG").read_bytes())
    home.form(server, 'fields = { sum = "{sha256}", md5 = "{md5}" }')
    done = home.run("resume")
    assert done.returncode == 0, done.stderr
    (received,) = server.ledger
    assert received.fields["sum"] == received.sha256
