"""What a target's definition has to do with what was made ready before: it never goes with other
words."""

from __future__ import annotations

from pathlib import Path

import pytest
from servers import FormServer

from albumup.receive import Receiver, Store
from albumup.receive.faults import parse_faults

from .conftest import Home, finish, sha256, until


def cut_off(home: Home, server: FormServer, *line: object) -> None:
    """Push, and kill it when all is made ready; what it has sent by then is in doubt."""
    server.may_answer.clear()
    process = home.start("push", *line)
    until(lambda: server.in_flight and not home.sql("select 1 from task where stage = 0"))
    process.kill()
    process.wait()
    server.may_answer.set()
    until(lambda: not server.in_flight)
    server.ledger.clear()


def test_what_waits_goes_by_the_fields_of_an_edited_config(home: Home, server: FormServer) -> None:
    home.form(server, 'fields = { title = "old" }')
    cut_off(home, server, home.photos(3))
    home.form(
        server,
        'file_field = "photo"\nfilename = "{index}-{name}"\nfields = '
        '{ title = "new", sum = "{md5}" }',
    )
    done = home.run("resume")
    assert done.returncode == 0, done.stderr
    assert sorted(server.names) == ["1-IMG_1.JPG", "2-IMG_2.JPG", "3-IMG_3.JPG"]
    assert {one.fields["title"] for one in server.ledger} == {"new"}
    assert {len(one.fields["sum"]) for one in server.ledger} == {32}
    assert "has other settings now: what was ready for it is made ready anew" in done.stderr
    assert {task["sent_as"] for task in home.tasks()} == set(server.names)


def test_what_does_not_frame_frames_nothing_anew(home: Home, server: FormServer) -> None:
    home.form(server, 'token_file = "one"')
    home.secret("one", "config/albumup/one")
    home.secret("two", "config/albumup/two")
    cut_off(home, server, home.photos(2))
    before = home.sql("select boundary from body order by task_id")
    home.form(server, 'token_file = "two"\nsuccess = [200]\nsettle = 1')
    done = home.run("resume")
    assert done.returncode == 0, done.stderr
    assert {one.headers["authorization"] for one in server.ledger} == {"Bearer two"}
    assert home.sql("select boundary from body order by task_id") == before
    assert "made ready anew" not in done.stderr


@pytest.mark.long
def test_a_copy_is_framed_anew_without_its_card(home: Home, server: FormServer) -> None:
    home.form(server, 'fields = { title = "old" }')
    trip = home.photos(1, "trip/one").parent
    home.photos(1, "trip/two")
    cut_off(home, server, trip, "--spool")
    trip.rename(home.folder / "pocket")
    home.form(
        server,
        'taken_fallback = "mtime"\nfields = { sum = "{sha1}", '
        'taken = "{taken:%Y}", at = "{modified:%Y}" }',
    )
    done = home.run("resume")
    assert done.returncode == 0, done.stderr
    assert {len(one.fields["sum"]) for one in server.ledger} == {40}
    assert all(one.fields["taken"] == one.fields["at"] for one in server.ledger)
    assert sorted(server.names) == ["IMG_1-2.JPG", "IMG_1.JPG"]


@pytest.mark.long
def test_a_photo_edited_meanwhile_goes_with_its_new_bytes(home: Home, server: FormServer) -> None:
    home.form(server)
    trip = home.photos(3)
    cut_off(home, server, trip)
    (trip / "IMG_1.JPG").write_bytes((home.photos(1, "other", 7) / "IMG_7.JPG").read_bytes())
    home.form(server, 'fields = { sum = "{sha256}", md5 = "{md5}" }')
    done = home.run("resume")
    assert done.returncode == 0, done.stderr
    assert all(one.fields["sum"] == one.sha256 for one in server.ledger)
    assert sha256(trip / "IMG_1.JPG") in server.digests


def test_an_altered_copy_is_made_up_for_by_its_photo_only_if_that_is_the_same(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    trip = home.photos(3)
    cut_off(home, server, trip, "--spool")
    for copy in home.journal.with_name("journal.db.spool").iterdir():
        copy.write_bytes(b"damaged")
    (trip / "IMG_3.JPG").write_bytes(b"another card's")
    home.form(server, 'fields = { sum = "{sha1}" }')
    done = home.run("resume")
    assert done.returncode == 3, done.stderr
    assert home.states() == {
        "IMG_1.JPG": "uploaded",
        "IMG_2.JPG": "uploaded",
        "IMG_3.JPG": "missing",
    }


# Without a config: an album keeps the definition it was pushed with.


@pytest.mark.long
def test_another_path_on_the_same_host_is_another_definition(
    home: Home, server: FormServer
) -> None:
    other = server.url.replace("/upload", "/other")
    cut_off(home, server, home.photos(2), "--url", server.url, "--field", "a=trip")
    done = home.run("push", home.photos(3, "wedding", 11), "--url", other, "--field", "a=wedding")
    assert done.returncode == 0, done.stderr
    assert {(one.path, one.fields["a"]) for one in server.ledger} == {("/other", "wedding")}
    assert len(server.ledger) == 3
    assert {one["album"]: one["target"] for one in home.status()["albums"]} == {
        "trip": "127.0.0.1",
        "wedding": "127.0.0.1-2",
    }
    assert server.url in home.run("status").stdout
    server.ledger.clear()
    assert home.run("resume").returncode == 0
    assert {(one.path, one.fields["a"]) for one in server.ledger} == {("/upload", "trip")}
    assert len(server.ledger) == 2


def test_options_given_again_change_their_album_alone_and_as_a_whole(
    home: Home, server: FormServer
) -> None:
    line = ("--url", server.url, "--field", "a=old")
    assert home.run("push", home.photos(1), *line).returncode == 0
    cut_off(home, server, home.photos(2), *line)
    cut_off(home, server, home.photos(1, "wedding", 11), *line)
    done = home.run("push", "trip", "--url", server.url, "--field", "a=new")
    assert done.returncode == 0, done.stderr
    assert "with the fields given now" in done.stderr
    assert "has other settings now" not in done.stderr, "it is said twice"
    assert [(one.filename, one.fields["a"]) for one in server.ledger] == [("IMG_2.JPG", "new")]
    found = {one["album"]: one for one in home.status()["albums"]}
    assert found["trip"]["counts"]["uploaded"] == 2
    assert found["wedding"]["counts"]["pending"] == 1
    server.ledger.clear()
    assert home.run("resume").returncode == 0
    assert [(one.filename, one.fields["a"]) for one in server.ledger] == [("IMG_11.JPG", "old")]
    home.photos(1, first=3)
    assert home.run("push", "trip").returncode == 0
    assert server.ledger[-1].fields["a"] == "new"
    assert home.run("forget", "trip").returncode == 0
    assert home.sql("select name from target") == [("127.0.0.1",)]


@pytest.mark.process
def test_each_album_goes_with_its_own_token(home: Home, server: FormServer) -> None:
    home.secret("one", "one")
    home.secret("two", "two")
    cut_off(home, server, home.photos(1), "--url", server.url, "--token-file", "one")
    cut_off(home, server, home.photos(1, "wedding", 11), "--url", server.url, "--token-file", "two")
    done = home.run("resume")
    assert done.returncode == 0, done.stderr
    assert {one.filename: one.headers["authorization"] for one in server.ledger} == {
        "IMG_1.JPG": "Bearer one",
        "IMG_11.JPG": "Bearer two",
    }
    assert "made ready anew" not in done.stderr


@pytest.mark.long
def test_a_target_of_the_config_keeps_clear_of_what_url_described(
    home: Home, server: FormServer
) -> None:
    cut_off(home, server, home.photos(1), "--url", server.url, "--field", "a=options")
    home.form(server, 'fields = { a = "config" }', '"127.0.0.1"')
    done = home.run("push", home.photos(1, "wedding", 11), "--target", "127.0.0.1")
    assert done.returncode == 0, done.stderr
    assert [(one.filename, one.fields["a"]) for one in server.ledger] == [("IMG_11.JPG", "config")]
    assert home.run("resume").returncode == 0
    assert [(one.filename, one.fields["a"]) for one in server.ledger[1:]] == [
        ("IMG_1.JPG", "options")
    ]


def test_an_uploader_at_work_goes_by_what_a_joiner_says(home: Home, server: FormServer) -> None:
    server.may_answer.clear()
    first = home.start("push", home.photos(3), "--url", server.url, "--field", "a=old")
    until(lambda: server.in_flight)
    second = home.start(
        "push", "trip", "--url", server.url.replace("/upload", "/other"), "--field", "a=new"
    )
    assert second.stderr is not None
    assert any("is uploading" in line for line in second.stderr)
    until(
        lambda: home.sql(
            "select 1 from task where stage = 1 and state = 'pending' "
            "and id in (select task_id from body where instr(head, 'new'))"
        )
    )
    server.may_answer.set()
    assert finish(first).returncode == 0
    assert finish(second).returncode == 0
    assert [one.fields["a"] for one in server.ledger] == ["old", "new", "new"]
    assert [one.path for one in server.ledger] == ["/upload", "/other", "/other"]


# Without --target and --url.


def test_a_push_goes_where_its_album_is(home: Home, server: FormServer) -> None:
    trip = home.photos(1)
    assert home.run("push", trip, "--album", "here").returncode == 0
    cut_off(home, server, trip, "--url", server.url, "--field", "a=trip")
    home.photos(1, first=2)
    done = home.run("push", trip)
    assert done.returncode == 0, done.stderr
    assert sorted(server.names) == ["IMG_1.JPG", "IMG_2.JPG"]
    assert not (home.inbox / "trip").exists()
    home.form(server)
    done = home.run("push", trip, "--album", "here")
    assert done.returncode == 0, done.stderr
    assert "is also in ~/data/albumup/inbox/here on this computer" in done.stderr
    assert home.run("push", trip, "--target", "club").returncode == 0
    done = home.run("push", trip)
    assert done.returncode == 2
    assert "club" in done.stderr
    assert f"127.0.0.1 ({server.url})" in done.stderr


# What is in doubt.


def test_a_doubt_is_asked_about_by_its_own_definition(home: Home, tmp_path: Path) -> None:
    def config(receiver: Receiver, settle: int) -> None:
        home.config(f'[targets.nas]\nkind = "inbox"\nurl = "{receiver.url}"\nsettle = {settle}\n')

    with (
        Receiver(
            Store(tmp_path / "one"), token=None, faults=parse_faults("lost-answer=100%")
        ) as one,
        Receiver(Store(tmp_path / "two"), token=None) as two,
    ):
        config(one, 3600)
        process = home.start("push", home.photos(1))
        until(
            lambda: (
                home.journal.exists() and home.sql("select 1 from task where state = 'in_doubt'")
            )
        )
        process.kill()
        process.wait()
        config(two, 0)
        done = home.run("resume")
        assert done.returncode == 0, done.stderr
        assert home.states() == {"IMG_1.JPG": "uploaded"}
        assert not (tmp_path / "two" / "trip").exists()


@pytest.mark.long
def test_a_doubt_whose_server_is_gone_is_final_and_goes_to_the_new_one(
    home: Home, tmp_path: Path
) -> None:
    def config(receiver: Receiver, settle: int) -> None:
        home.config(f'[targets.nas]\nkind = "inbox"\nurl = "{receiver.url}"\nsettle = {settle}\n')

    with Receiver(
        Store(tmp_path / "one"), token=None, faults=parse_faults("lost-answer=100%")
    ) as one:
        config(one, 3600)
        process = home.start("push", home.photos(1))
        until(
            lambda: (
                home.journal.exists() and home.sql("select 1 from task where state = 'in_doubt'")
            )
        )
        process.kill()
        process.wait()
    with Receiver(Store(tmp_path / "two"), token=None) as two:
        config(two, 0)
        done = home.run("resume", "--patience", "0")
        assert done.returncode == 3, done.stderr
        assert "cannot be asked" in done.stderr
        assert "albumup retry-failed trip --in-doubt" in done.stderr
        done = home.run("retry-failed", "trip", "--in-doubt")
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "two" / "trip" / "IMG_1.JPG").exists()


def test_a_doubt_that_nobody_can_be_asked_about_goes_again_by_the_present_fields(
    home: Home, server: FormServer
) -> None:
    home.form(server, 'fields = { a = "old" }')
    server.may_answer.clear()
    process = home.start("push", home.photos(1))
    until(lambda: server.ledger)
    process.kill()
    process.wait()
    server.may_answer.set()
    home.form(server, 'fields = { a = "new" }')
    done = home.run("resume")
    assert done.returncode == 0, done.stderr
    assert [one.fields["a"] for one in server.ledger] == ["old", "new"]
    (task,) = home.tasks()
    assert task["maybe_twice"]


def test_a_body_that_has_not_left_whole_is_cut_and_framed_anew(
    home: Home, server: FormServer
) -> None:
    server.may_read.clear()
    first = home.start(
        "push", home.photos(1, size=30_000_000), "--url", server.url, "--field", "a=old"
    )
    until(lambda: server.in_flight)
    second = home.start("push", "trip", "--url", server.url, "--field", "a=new")
    until(lambda: home.sql("select 1 from body where instr(head, 'new')"))
    server.may_read.set()
    assert finish(first).returncode == 0
    assert finish(second).returncode == 0
    assert [one.fields["a"] for one in server.ledger] == ["new"]
    assert home.tasks()[0]["maybe_twice"] is False


@pytest.mark.long
def test_an_uploader_at_work_reads_the_config_again_for_a_push_after_an_edit(
    home: Home, server: FormServer
) -> None:
    home.form(server, 'fields = { a = "old" }')
    server.may_answer.clear()
    first = home.start("push", home.photos(3))
    until(lambda: server.in_flight)
    home.form(server, 'fields = { a = "new" }')
    second = home.start("push", "trip", "-v")
    assert second.stderr is not None
    assert any("is uploading" in line for line in second.stderr)
    until(lambda: home.sql("select 1 from body where instr(head, 'new')"))
    server.may_answer.set()
    assert finish(first).returncode == 0
    assert finish(second).returncode == 0
    assert [one.fields["a"] for one in server.ledger] == ["old", "new", "new"]
