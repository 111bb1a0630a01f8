"""push: what is queued, what is sent, and what a second push does."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess

import pytest
from servers import FormServer, answer

from .conftest import DISK, PATIENCE, Home, finish, jpeg, sha256, until


def dry(home: Home, *args: object) -> list[str]:
    """What a push would queue, relative to the home."""
    done = home.run("push", "--dry-run", "--json", *args)
    assert done.returncode == 0, done.stderr
    return [os.path.relpath(path, home.folder) for path in queued(done)]


def queued(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The paths of a push's events."""
    *events, last = [json.loads(line) for line in done.stdout.splitlines()]
    assert {event["event"] for event in events} <= {"queued"}
    assert last["event"] == "summary"
    return [event["path"] for event in events]


# Without any configuration.


@pytest.mark.process
def test_without_configuration_photos_are_copied_to_the_inbox_and_no_server_is_spoken_of(
    home: Home,
) -> None:
    trip = home.photos(3)
    done = home.run("push", trip)
    assert done.returncode == 0
    copies = {path.name: path.read_bytes() for path in (home.inbox / "trip").iterdir()}
    assert copies == {path.name: path.read_bytes() for path in trip.iterdir()}
    assert re.search(
        r"copied to ~/data/albumup/inbox/trip on this computer", done.stderr, re.IGNORECASE
    )
    assert "no server is set up" in done.stderr.lower()
    assert "on the server" not in done.stderr
    assert "3 photos queued" in done.stderr
    assert done.stdout == ""


def test_the_inbox_keeps_both_photos_of_one_name(home: Home) -> None:
    trip = home.photos(1)
    other = home.photos(1, "trip/sub", first=1)
    (other / "IMG_1.JPG").write_bytes(jpeg(77))
    assert home.run("push", trip).returncode == 0
    digest = sha256(other / "IMG_1.JPG")[:8]
    assert sorted(path.name for path in (home.inbox / "trip").iterdir()) == [
        "IMG_1.JPG",
        f"IMG_1~{digest}.JPG",
    ]


# The album and the target.


def test_the_album_is_called_like_the_folder_unless_it_is_named(home: Home) -> None:
    trip = home.photos(1)
    home.run("push", trip)
    home.run("push", f"{trip}/", "--album", "Trip 2026 / Süd")
    assert {album["album"] for album in home.status()["albums"]} == {"trip", "Trip 2026 / Süd"}


def test_several_folders_need_an_album_name(home: Home) -> None:
    done = home.run("push", home.photos(1), home.photos(1, "more", first=5))
    assert done.returncode == 2
    assert "--album" in done.stderr
    assert home.run("push", "trip", "more", "--album", "both").returncode == 0
    assert home.album()["counts"]["uploaded"] == 2


def test_the_only_configured_target_is_the_default(home: Home, server: FormServer) -> None:
    home.form(server)
    assert home.run("push", home.photos(1)).returncode == 0
    assert server.names == ["IMG_1.JPG"]
    assert home.album()["target"] == "club"


def test_default_target_and_target_option_choose(home: Home, server: FormServer) -> None:
    other = FormServer()
    try:
        home.config(
            f'default_target = "a"\n[targets.a]\nkind = "form"\nurl = "{server.url}"\n'
            f'[targets.b]\nkind = "form"\nurl = "{other.url}"\n'
        )
        trip = home.photos(1)
        home.run("push", trip)
        home.run("push", trip, "--target", "b")
        assert (server.names, other.names) == (["IMG_1.JPG"], ["IMG_1.JPG"])
    finally:
        other.close()


# What is sent, and how.


@pytest.mark.process
def test_bytes_fields_and_names_arrive_as_configured(home: Home, server: FormServer) -> None:
    home.form(
        server,
        'file_field = "photo"\nvars = { club = "Ski" }\n[targets.club.fields]\n'
        'title = "{stem} of {album}"\nplace = "{index}/{total} {path} {club}"\n'
        'sum = "{sha256}"\nbytes = "{size}"\n',
    )
    trip = home.photos(1, "trip/sub")
    assert home.run("push", trip.parent).returncode == 0
    (received,) = server.ledger
    digest = sha256(trip / "IMG_1.JPG")
    assert received.sha256 == digest
    assert list(received.fields.items()) == [
        ("title", "IMG_1 of trip"),
        ("place", "1/1 sub/IMG_1.JPG Ski"),
        ("sum", digest),
        ("bytes", str((trip / "IMG_1.JPG").stat().st_size)),
    ]


@pytest.mark.long
def test_order_is_natural_within_a_folder(home: Home, server: FormServer) -> None:
    home.form(server)
    home.photos(11)
    home.photos(2, "trip/B", first=12)
    home.photos(1, "trip/a", first=14)
    assert home.run("push", "trip", "-j1").returncode == 0
    assert server.names == [f"IMG_{number}.JPG" for number in (*range(1, 12), 14, 12, 13)]


def test_jobs_is_the_most_in_flight_once_the_server_has_taken_one(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    home.run("push", home.photos(1))
    home.photos(8, first=2)
    server.may_answer.clear()
    process = home.start("push", "trip", "--jobs", "3")
    until(lambda: server.in_flight == 3)
    server.may_answer.set()
    assert finish(process).returncode == 0
    assert server.most_in_flight == 3


def test_before_the_first_success_one_body_is_in_flight(home: Home, server: FormServer) -> None:
    home.form(server)
    server.may_answer.clear()
    process = home.start("push", home.photos(6), "--json")
    until(lambda: server.in_flight == 1)
    until(lambda: home.sql("select count(*) from task where stage = 0") == [(0,)])
    assert len(server.requests) == 1
    server.may_answer.set()
    assert finish(process).returncode == 0
    assert len(server.requests) == 6


def test_same_names_in_sub_folders_are_sent_under_names_of_their_own(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    for number, folder in enumerate(("100", "101", "102")):
        (home.folder / "card" / folder).mkdir(parents=True)
        name = "DSC_0001.JPG" if number < 2 else "dsc_0001.jpg"
        (home.folder / "card" / folder / name).write_bytes(jpeg(number))
    assert home.run("push", "card", "-j1").returncode == 0
    assert server.names == ["DSC_0001.JPG", "DSC_0001-2.JPG", "dsc_0001-3.jpg"]
    assert [task["sent_as"] for task in home.tasks()] == server.names


def test_awkward_names_are_sent_in_a_form_every_server_reads(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    folder = os.fsencode(home.folder / "trip")
    os.mkdir(folder)
    names = [
        b"plain.jpg",
        b'quo"te.jpg',
        b"back\\slash.jpg",
        b"line\nfeed.jpg",
        b"bad\xff.jpg",
        "Süd 1.jpg".encode(),
    ]
    for number, name in enumerate(names):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(jpeg(number))
    assert home.run("push", folder).returncode == 0
    sent = set(server.names)
    assert len(sent) == len(names)
    assert {"plain.jpg", "bad_.jpg", "Süd 1.jpg"} <= sent
    assert all(name.endswith(".jpg") and not set('"\\/\n\r%') & set(name) for name in sent)


# A second push.


def test_a_second_push_sends_nothing_and_opens_nothing(home: Home, server: FormServer) -> None:
    home.form(server)
    trip = home.photos(2)
    home.run("push", trip)
    photo = trip / "IMG_1.JPG"
    before = photo.stat()
    photo.write_bytes(
        b"x" * before.st_size
    )  # if it were opened, it would be another photo, or none
    os.utime(photo, ns=(before.st_atime_ns, before.st_mtime_ns))
    code, lines = home.on_terminal("push", trip)
    assert code == 0
    assert "2 already there" in lines
    assert len(server.ledger) == 2


def test_a_touched_photo_is_read_and_not_sent_again(home: Home, server: FormServer) -> None:
    home.form(server)
    trip = home.photos(1)
    home.run("push", trip)
    os.utime(trip / "IMG_1.JPG", (1_600_000_000, 1_600_000_000))
    assert home.run("push", trip).returncode == 0
    assert len(server.ledger) == 1


def test_a_second_push_sends_what_is_new(home: Home, server: FormServer) -> None:
    home.form(server)
    home.run("push", home.photos(2))
    done = home.run("push", home.photos(2, first=3))
    assert done.returncode == 0
    assert sorted(server.names) == [f"IMG_{number}.JPG" for number in (1, 2, 3, 4)]
    assert "2 of 2 sent" in done.stderr


def test_new_bytes_of_a_sent_photo_are_a_second_task_under_another_name(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    trip = home.photos(1)
    home.run("push", trip)
    (trip / "IMG_1.JPG").write_bytes(jpeg(99, 3000))
    assert home.run("push", trip).returncode == 0
    assert server.names == ["IMG_1.JPG", "IMG_1-2.JPG"]
    assert server.digests[1] == sha256(trip / "IMG_1.JPG")
    assert [(task["state"], task["sent_as"]) for task in home.tasks()] == [
        ("uploaded", "IMG_1.JPG"),
        ("uploaded", "IMG_1-2.JPG"),
    ]


@pytest.mark.parametrize("volume", ["", DISK])
def test_a_photo_that_changed_while_it_waited_is_sent_as_it_is_now(
    home: Home, server: FormServer, volume: str
) -> None:
    home.form(server)
    home.lies_on(volume)
    trip = home.photos(2)
    server.may_answer.clear()
    process = home.start("push", trip, "-j1")
    until(lambda: server.in_flight == 1 and home.sql("select count(*) from body") == [(2,)])
    (trip / "IMG_2.JPG").write_bytes(jpeg(99, 3000))
    server.may_answer.set()
    done = finish(process)
    assert done.returncode == 0
    assert "IMG_2.JPG  changed since it was queued" in done.stderr
    assert server.digests == [sha256(trip / "IMG_1.JPG"), sha256(trip / "IMG_2.JPG")]


# What is taken and what is skipped.


def test_include_and_exclude_look_at_names_and_paths_without_regard_to_case(home: Home) -> None:
    home.photos(2)
    home.photos(1, "trip/sub", first=3)
    (home.folder / "trip" / "CLIP.jpeg").write_bytes(jpeg(9))
    assert dry(home, "trip", "--include", "img_*.jpg", "--exclude", "*_2.*") == [
        "trip/IMG_1.JPG",
        "trip/sub/IMG_3.JPG",
    ]
    assert dry(home, "trip", "--include", "SUB/*") == ["trip/sub/IMG_3.JPG"]
    assert dry(home, "trip", "--include", "*.jpeg", "--include", "IMG_1.JPG") == [
        "trip/CLIP.jpeg",
        "trip/IMG_1.JPG",
    ]
    assert dry(
        home, "trip", "--include", "IMG_1*", "--include", "IMG_2*", "--exclude", "IMG_2*"
    ) == ["trip/IMG_1.JPG"]


def test_since_takes_an_age_or_a_date(home: Home) -> None:
    trip = home.photos(2)
    os.utime(trip / "IMG_1.JPG", (1_577_880_000, 1_577_880_000))  # 2020-01-01 12:00 UTC
    assert dry(home, "trip", "--since", "7d") == ["trip/IMG_2.JPG"]
    assert dry(home, "trip", "--since", "2020-01-02") == ["trip/IMG_2.JPG"]
    assert len(dry(home, "trip", "--since", "2020-01-01")) == 2
    assert len(dry(home, "trip", "--since", "2020-01-01T11:59")) == 2
    assert dry(home, "trip", "--since", "2020-01-01T12:01") == ["trip/IMG_2.JPG"]


@pytest.mark.parametrize("mark", ["\n", "\0"], ids=["lines", "NUL"])
@pytest.mark.parametrize("place", ["file", "stdin"])
def test_files_from_reads_a_list(home: Home, mark: str, place: str) -> None:
    home.photos(3)
    listed = mark.join(["trip/IMG_3.JPG", "trip/IMG_1.JPG", ""])
    (home.folder / "list").write_text(listed)
    source = "-" if place == "stdin" else "list"
    done = home.run(
        "push", "--dry-run", "--json", "--album", "some", "--files-from", source, stdin=listed
    )
    assert done.returncode == 0, done.stderr
    assert {os.path.basename(path) for path in queued(done)} == {"IMG_1.JPG", "IMG_3.JPG"}


def test_no_recursive_stays_in_the_folder(home: Home) -> None:
    home.photos(1)
    home.photos(1, "trip/sub", first=2)
    assert dry(home, "trip", "--no-recursive") == ["trip/IMG_1.JPG"]


def test_what_is_skipped_is_counted_by_reason_and_named_with_v(home: Home) -> None:
    trip = home.photos(1)
    left_out = {
        "hidden": ".hidden.jpg",
        "leftover": "@eaDir/thumb.jpg",
        "empty": "empty.jpg",
        "no media": "notes.txt",
        "sidecar": "IMG_1.xmp",
        "link out of the tree": "link.jpg",
    }
    (trip / "@eaDir").mkdir()
    (home.folder / "far.jpg").write_bytes(jpeg(8))
    for reason, name in left_out.items():
        match reason:
            case "link out of the tree":
                (trip / name).symlink_to(home.folder / "far.jpg")
            case "empty":
                (trip / name).touch()
            case _:
                (trip / name).write_bytes(b"text" if reason in ("no media", "sidecar") else jpeg(7))
    said = home.run("push", trip, "--dry-run", "-v").stderr
    for reason, name in left_out.items():
        assert re.search(rf"skipped \({reason}\): .*/trip/{name.split('/')[0]}\n", said), reason
    counted = home.run("push", trip).stderr
    counts = (
        "1 not sent: sidecar; "
        "5 skipped: 1 .txt (no media), 1 empty, 1 hidden, 1 leftover, 1 link out of the tree"
    )
    assert counts in counted
    assert "notes.txt" not in counted
    assert "1 photo is empty, and not sent:\n  " in counted and "/trip/empty.jpg\n" in counted


@pytest.mark.parametrize(
    ("option", "more"),
    [
        ("--hidden", "trip/.hidden.jpg"),
        ("--no-skip", "trip/@eaDir/thumb.jpg"),
        ("--follow-symlinks", "trip/link.jpg"),
    ],
)
def test_what_is_skipped_can_be_asked_for(home: Home, option: str, more: str) -> None:
    trip = home.photos(1)
    (trip / ".hidden.jpg").write_bytes(jpeg(5))
    (trip / "@eaDir").mkdir()
    (trip / "@eaDir" / "thumb.jpg").write_bytes(jpeg(6))
    (home.folder / "far.jpg").write_bytes(jpeg(8))
    (trip / "link.jpg").symlink_to(home.folder / "far.jpg")
    assert dry(home, "trip") == ["trip/IMG_1.JPG"]
    assert set(dry(home, "trip", option)) == {"trip/IMG_1.JPG", more}


def test_a_dry_run_creates_nothing_and_asks_no_form(home: Home, server: FormServer) -> None:
    home.form(server)
    home.photos(2)
    before = sorted(home.folder.rglob("*"))
    assert dry(home, "trip", "--spool") == ["trip/IMG_1.JPG", "trip/IMG_2.JPG"]
    assert sorted(home.folder.rglob("*")) == before
    assert len(server.requests) == 0


def test_a_dry_run_says_what_is_there_already(home: Home) -> None:
    trip = home.photos(2)
    assert home.run("push", trip).returncode == 0
    home.photos(1, first=3)
    done = home.run("push", "-n", trip)
    assert done.stdout == ""
    assert "IMG_3.JPG" in done.stderr and "IMG_1.JPG" not in done.stderr
    assert "1 photo would be queued" in done.stderr and "2 already there" in done.stderr
    assert (
        "trip: 1 photo would be queued (2.0 kB), to be copied to ~/data/albumup/inbox/trip"
        in done.stderr
    )
    assert "The album has 2 photos, by the journal: 2 copied" in done.stderr


def test_a_dry_run_says_where_it_would_go_and_how_what_was_pushed_before_stands(
    home: Home, server: FormServer
) -> None:
    """Where the config is wrong it says that, as a push would."""
    home.form(server)
    trip = home.photos(3)
    new = home.run("push", "-n", trip)
    assert f"trip: 3 photos would be queued (6.1 kB), for club ({server.url})" in new.stderr
    assert "It would be a new album." in new.stderr
    server.answer = lambda one: answer(415 if one.filename == "IMG_1.JPG" else 200, {})
    assert home.run("push", trip, "-j1").returncode == 3
    (trip / "IMG_2.JPG").unlink()
    home.photos(2, first=4)
    home.sql("update task set state = 'pending', stage = 0 where id = 3")
    before, asked = sorted(home.folder.rglob("*")), len(server.requests)
    done = home.run("push", "-n", trip)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"trip: 2 photos would be queued (4.0 kB), for club ({server.url})" in done.stderr
    assert "The album has 3 photos, by the journal: 1 sent, 1 waiting, 1 rejected" in done.stderr
    assert "1 queued before" in done.stderr
    assert "1 photo did not get there earlier: albumup retry-failed trip" in done.stderr
    assert (sorted(home.folder.rglob("*")), len(server.requests)) == (before, asked)
    by_url = home.run("push", "-n", trip, "--url", f"{server.url}?x")
    assert f"for {server.url}?x" in by_url.stderr
    home.config('[targets.club]\nkind = "from"\n')
    wrong = home.run("push", "-n", trip)
    assert wrong.returncode == 4
    assert "did you mean form?" in wrong.stderr


# Copies first.


def test_photos_go_in_the_order_of_their_names(home: Home, server: FormServer) -> None:
    """But for a few that overtake each other while they are read."""
    home.form(server)
    assert home.run("push", home.photos(64, size=100_000), "-j1").returncode == 0
    numbers = [int(name[len("IMG_") : -len(".JPG")]) for name in server.names]
    assert sorted(numbers) == [*range(1, 65)]
    assert all(abs(number - place) < 20 for place, number in enumerate(numbers, 1)), numbers


def test_progress_names_the_album_that_is_sent_and_not_those_that_are_settled(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    for name in ("first", "second"):
        assert home.run("push", home.photos(1, name)).returncode == 0
    server.says(503)
    assert home.run("push", home.photos(2, "third"), "--patience", "0").returncode == 75
    server.says(200)
    server.may_answer.clear()
    process = home.start("resume", "--progress", "plain")
    assert process.stderr is not None
    shown = next(line for line in process.stderr if " of 2 photos, " in line)
    server.may_answer.set()
    assert shown.startswith("third: 0 of 2 photos")
    assert process.wait(PATIENCE) == 0


def test_with_spool_the_card_can_be_taken_out_while_the_server_is_busy(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    trip = home.photos(4)
    digests = {sha256(path) for path in trip.iterdir()}
    server.may_answer.clear()
    process = home.start("push", trip, "--spool")
    assert process.stderr is not None
    for line in process.stderr:
        if "You can take the card out now" in line:
            break
    else:
        pytest.fail("never told to take the card out")
    spool = home.folder / "state" / "albumup" / "journal.db.spool"
    copies = list(spool.iterdir())
    assert {sha256(copy) for copy in copies} == digests
    assert {stat.S_IMODE(copy.stat().st_mode) for copy in copies} == {0o600}
    assert not {copy.name for copy in copies} & {path.name for path in trip.iterdir()}
    for photo in trip.iterdir():
        photo.unlink()
    trip.rmdir()
    server.may_answer.set()
    assert process.wait(60) == 0
    assert set(server.digests) == digests
    assert not list(spool.iterdir())


def test_copies_survive_a_kill_and_resume_finds_them_without_options(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    trip = home.photos(2)
    disk = home.folder / "disk"
    server.may_answer.clear()
    process = home.start("push", trip, "--spool", "--spool-dir", disk)
    until(
        lambda: (
            server.in_flight
            and home.sql("select count(*) from body where spool is not null") == [(2,)]
        )
    )
    process.kill()
    process.wait()
    shutil.rmtree(trip)
    server.may_answer.set()
    assert home.run("resume").returncode == 0
    assert home.album()["counts"]["uploaded"] == 2
    assert [path for path in disk.rglob("*") if path.is_file()] == []


def test_what_a_crash_left_is_swept_and_nothing_else_in_the_spool_folder(home: Home) -> None:
    disk = home.folder / "disk"
    home.run("push", home.photos(1), "--spool", "--spool-dir", disk)
    (spool,) = disk.iterdir()
    (spool / ("0" * 32)).write_bytes(b"copied, and killed before the row that names it")
    (disk / ("1" * 32)).write_bytes(b"somebody's")
    other = disk / "other"
    other.mkdir()
    home.run("push", home.photos(1, first=2), "--spool", "--spool-dir", disk)
    assert sorted(disk.iterdir()) == sorted([disk / ("1" * 32), other, spool])
    assert not list(spool.iterdir())


def test_a_spool_folder_is_never_made_on_another_disk_than_was_meant(
    home: Home, server: FormServer
) -> None:
    """A disk that is not mounted leaves its mount point, or nothing, where copies would fill the
    disk below it."""
    home.form(server)
    trip, disk = home.photos(2), home.folder / "media" / "disk"
    away = home.run("push", trip, "--spool-dir", disk / "spool")
    assert away.returncode == 2
    assert f"mkdir -p {disk / 'spool'}" in away.stderr
    home.config(
        f'[defaults]\nspool = true\nspool_dir = "{disk}/spool"\n{home.config_file.read_text()}'
    )
    config = home.run("push", trip)
    assert config.returncode == 4
    assert "config.toml: defaults.spool_dir: there is no folder" in config.stderr
    assert not disk.parent.exists()
    unplugged = home.run("push", trip, "--spool-dir", "/mnt/no such disk")
    assert unplugged.returncode == 2
    assert "there is no folder '/mnt/no such disk'; is its disk mounted?" in unplugged.stderr
    file = home.run("push", trip, "--spool-dir", home.config_file)
    assert file.returncode == 2
    assert "is there, and is no folder" in file.stderr
    assert not home.journal.exists() or home.tasks() == []
    disk.mkdir(parents=True)
    dry = home.run("push", trip, "-n", "--spool-dir", disk / "spool")
    assert f"They would be copied to {disk}/spool" in dry.stderr
    assert list(disk.iterdir()) == []
    first = home.run("push", trip, "--spool-dir", disk / "spool", "--patience", "0")
    assert first.returncode == 0
    assert "The folder ~/media/disk/spool is new" in first.stderr
    # Unmounted: what was copied there before shows that it was another disk.
    disk.rename(home.folder / "unplugged")
    disk.mkdir()
    again = home.run("push", home.photos(1, first=3), "--spool-dir", disk / "spool")
    assert again.returncode == 75
    assert "Bring back its disk" in again.stderr
    assert list(disk.iterdir()) == []
    assert len(home.tasks()) == 2
    disk.rmdir()
    (home.folder / "unplugged").rename(disk)
    back = home.run("push", trip, "--spool-dir", disk / "spool")
    assert back.returncode == 0
    assert "is new" not in back.stderr
    assert len(server.names) == 3


@pytest.mark.long
def test_a_spool_whose_disk_goes_away_while_photos_are_copied_is_not_made_anew(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    server.answer = lambda _: answer(503, {})
    assert (
        home.run("push", home.photos(2), "--spool-dir", "disk", "--patience", "0").returncode == 75
    )
    home.sql("update task set stage = 0")
    home.sql("delete from body")
    (home.folder / "disk").rename(home.folder / "unplugged")
    server.answer = lambda _: answer(200, {})
    config = home.config_file
    config.write_text(f'[defaults]\nspool_dir = "{home.folder / "disk"}"\n{config.read_text()}')
    done = home.run("resume")
    assert done.returncode == 75
    assert "Bring back its disk" in done.stderr
    assert not (home.folder / "disk").exists()
    (home.folder / "unplugged").rename(home.folder / "disk")
    assert home.run("resume").returncode == 0


def test_two_journals_may_share_a_spool_folder(home: Home, server: FormServer) -> None:
    home.form(server)
    trip = home.photos(2)
    server.may_answer.clear()
    process = home.start("push", trip, "--spool", "--spool-dir", home.folder / "disk")
    until(
        lambda: (
            server.in_flight
            and home.sql("select count(*) from body where spool is not null") == [(2,)]
        )
    )
    process.kill()
    process.wait()
    shutil.rmtree(trip)
    server.may_answer.set()
    home.run(
        "push",
        home.photos(1, "other"),
        "--spool",
        "--spool-dir",
        "disk",
        "--journal",
        home.folder / "j.db",
    )
    assert home.run("resume").returncode == 0
    assert home.album()["counts"]["uploaded"] == 2


def test_no_room_for_the_copies_is_said_before_anything_is_queued(home: Home) -> None:
    trip = home.photos(1)
    with open(trip / "huge.jpg", "wb") as file:
        file.write(jpeg(1))
        try:
            file.truncate(1 << 43)  # sparse: 8 TiB that take no room
        except OSError:
            pytest.skip("this file system has no files that large")
    done = home.run("push", trip, "--spool")
    assert done.returncode == 1
    assert "no room for the copies" in done.stderr
    assert "--spool-dir" in done.stderr
    assert home.status()["albums"] == []


# --url, without any config file.


def test_url_needs_no_config_and_resume_needs_no_options(home: Home, server: FormServer) -> None:
    token = home.secret("s3cr3t-t0ken")
    home.photos(3)
    server.may_answer.clear()
    process = home.start(
        "push", "trip", "--url", server.url, "--field", "album={album}", "--field", "key={token}",
        "--file-field", "photo", "--header", "X-Club: ski", "--token-file", token.name,
    )  # fmt: skip
    until(lambda: server.in_flight)
    process.kill()
    process.wait()
    server.may_answer.set()
    done = home.run("resume")
    assert done.returncode == 0, done.stderr
    assert set(server.names) == {"IMG_1.JPG", "IMG_2.JPG", "IMG_3.JPG"}
    for received in server.ledger:
        assert received.fields == {"album": "trip", "key": "s3cr3t-t0ken"}
        assert received.headers["x-club"] == "ski"
        assert received.headers["authorization"] == "Bearer s3cr3t-t0ken"
    assert home.album()["target"].startswith("127.0.0.1")


def test_field_and_header_go_with_url_only(home: Home, server: FormServer) -> None:
    home.form(server)
    done = home.run("push", home.photos(1), "--field", "title={name}")
    assert done.returncode == 2
    assert "--url" in done.stderr
    assert not home.journal.exists()


# How it ends.


def test_a_rejected_photo_is_named_with_its_cause_and_the_next_command(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    server.answer = lambda one: answer(413 if one.filename == "IMG_2.JPG" else 200, {})
    done = home.run("push", home.photos(3))
    assert done.returncode == 3
    assert re.search(r"IMG_2\.JPG +rejected +413", done.stderr)
    assert "2 of 3 sent" in done.stderr
    assert "albumup retry-failed trip --rejected" in done.stderr
    code, lines = home.on_terminal("push", "trip")
    assert code == 3
    assert "IMG_2.JPG" in "\n".join(lines)
    assert len(server.ledger) == 3


def test_an_unreadable_photo_is_missing_and_the_others_go(home: Home, server: FormServer) -> None:
    home.form(server)
    trip = home.photos(1)
    (trip / "dead.jpg").symlink_to(home.folder / "nowhere.jpg")
    done = home.run("push", trip, "--follow-symlinks", "--json")
    assert done.returncode == 3
    assert home.states() == {"IMG_1.JPG": "uploaded", "dead.jpg": "missing"}
    assert re.search(r"dead\.jpg +missing +No such file", done.stderr)
    assert re.search(r"^trip: 1 of 2 sent in .*\), 1 not$", done.stderr, re.MULTILINE)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [os.path.basename(one["path"]) for one in events if one["event"] == "missing"] == [
        "dead.jpg"
    ]


def test_a_refusal_ends_the_target_and_costs_no_photo_anything(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    server.answer = lambda _: answer(401, {})
    done = home.run("push", home.photos(3))
    assert done.returncode == 4
    assert len(server.requests) == 1
    assert home.album()["counts"]["pending"] == 3
    assert "401" in done.stderr
    server.answer = lambda _: answer(200, {})
    assert home.run("resume").returncode == 0


def test_a_portals_page_is_no_success(home: Home, server: FormServer) -> None:
    home.form(server)
    server.answer = lambda _: answer(200, b"<!doctype html><p>Please log in", mime="text/html")
    done = home.run("push", home.photos(2))
    assert done.returncode == 4
    assert "targets.club.url" in done.stderr
    assert home.album()["counts"]["pending"] == 2


def test_a_card_that_was_pulled_is_a_pause(home: Home, server: FormServer) -> None:
    home.form(server)
    trip = home.photos(3)
    server.may_answer.clear()
    process = home.start("push", trip, "-j1")
    until(lambda: server.in_flight)
    trip.rename(home.folder / "pocket")
    server.may_answer.set()
    done = finish(process)
    assert done.returncode == 75
    assert str(trip) in done.stderr
    assert "Bring back" in done.stderr
    assert home.album()["counts"]["missing"] == 0
    (home.folder / "pocket").rename(trip)
    assert home.run("resume").returncode == 0
    assert set(server.digests) == {sha256(path) for path in trip.iterdir()}
