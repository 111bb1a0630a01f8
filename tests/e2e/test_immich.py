"""Albums on an Immich server: asked first, sent once, put into their album, shared; and what goes
wrong on the way."""

from __future__ import annotations

import hashlib
import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from immich.fake import KEY, VERSIONS, Immich
from live import clip, still
from servers import FormServer, answer
from short import short_form

from .conftest import Home, Start, configure, finish, jpeg, sha256, until

NEWEST_IN_SHORT = [
    *(pytest.param(one, marks=pytest.mark.long) for one in VERSIONS[:-1]),
    VERSIONS[-1],
]


def uploads(server: Immich) -> list[int]:
    """Bytes of each photo that was sent."""
    return [one["received"] for one in server.requests("POST", "/api/assets")]


def names(count: int) -> list[str]:
    return sorted(f"IMG_{number}.JPG" for number in range(1, count + 1))


@pytest.mark.process
@pytest.mark.parametrize("version", NEWEST_IN_SHORT)
def test_every_version_gets_the_album_and_a_second_push_sends_no_photo(
    home: Home, start: Start, version: str
) -> None:
    server = start(version)
    configure(home, server.url)
    trip = home.photos(12)
    assert home.run("push", trip).returncode == 0
    assert server.album("trip") == names(12)
    assert server.digests() == {task["sha256"] for task in home.tasks()}
    assert all(
        task["remote_id"] and task["url"].startswith(f"{server.url}/photos/")
        for task in home.tasks()
    )
    server.tell("clear_requests")
    assert home.run("push", trip).returncode == 0
    # Is it all still there? The album is looked at once, and its photos asked about; nothing is
    # changed.
    (album,) = server.albums()
    assert [one["path"] for one in server.requests("GET") if "/albums" in one["path"]] == [
        f"/api/albums/{album['id']}"
    ]
    assert [one["path"] for one in server.requests("POST")] == ["/api/assets/bulk-upload-check"]
    done = home.run("--journal", home.folder / "other.db", "push", trip, "--album", "again")
    assert done.returncode == 0
    assert "again: nothing to send; 12 already there" in done.stderr
    assert uploads(server) == []
    assert server.album("again") == names(12)


def test_what_is_there_is_not_sent_and_what_is_in_the_trash_is_said(
    home: Home, immich: Immich
) -> None:
    trip = home.photos(4)
    immich.put(jpeg(1), "elsewhere.jpg")
    trashed = immich.put(jpeg(2), "thrown away.jpg", trashed=True)
    done = home.run("push", trip)
    assert done.returncode == 3
    assert "in the trash of 127.0.0.1: restore it there, or empty the trash" in done.stderr
    assert home.states() == {
        "IMG_1.JPG": "duplicate", "IMG_2.JPG": "rejected", "IMG_3.JPG": "uploaded",
        "IMG_4.JPG": "uploaded",
    }  # fmt: skip
    assert len(uploads(immich)) == 2
    immich.tell("restore", id=trashed)
    assert home.run("retry-failed", "trip", "--rejected").returncode == 0
    assert home.states()["IMG_2.JPG"] == "duplicate"
    assert len(immich.album("trip")) == 4
    assert all(one["received"] <= 1 for one in immich.assets())


@pytest.mark.process
def test_what_was_edited_during_the_question_is_not_called_there(
    home: Home, immich: Immich
) -> None:
    trip = home.photos(2)
    photo = trip / "IMG_1.JPG"
    immich.put(photo.read_bytes(), photo.name)
    immich.tell("hold", method="POST", path="bulk-upload-check$")
    first = home.start("push", trip)
    until(lambda: immich.tell("waiting"), "the question")
    photo.write_bytes(jpeg(77, 3333))
    second = home.start("push", "trip")
    time.sleep(2)  # until it is read and framed again
    immich.tell("release")
    assert [finish(one).returncode for one in (first, second)] == [0, 0]
    assert home.states() == {photo.name: "uploaded", "IMG_2.JPG": "uploaded"}
    assert sha256(photo) in immich.digests()


def test_a_duplicate_that_is_unconfirmed_counts_once_it_was_found(
    home: Home, immich: Immich
) -> None:
    """Between the question and the sending, twins came: one is there, one is in the trash."""
    accepts = {"results": [{"id": str(number), "action": "accept"} for number in range(9)]}
    immich.fault("POST", "bulk-upload-check", "status", status=200, times=2, body=accepts)
    immich.put(jpeg(1), "there.jpg")
    immich.put(jpeg(2), "thrown away.jpg", trashed=True)
    assert home.run("push", home.photos(2)).returncode == 3
    assert home.states() == {"IMG_1.JPG": "duplicate", "IMG_2.JPG": "rejected"}
    assert len(immich.album("trip")) == 1


def test_a_type_that_it_does_not_take_is_not_sent(home: Home, immich: Immich) -> None:
    trip = home.photos(1)
    (trip / "clip.MOV").write_bytes(b"\x00\x00\x00\x14ftypqt  " + bytes(2000))
    immich.tell("set_types", video=[".mp4"])
    done = home.run("push", trip)
    assert done.returncode == 3
    assert "127.0.0.1 takes no .mov" in done.stderr
    assert len(uploads(immich)) == 1


def test_a_photo_without_a_suffix_is_sent_with_one(home: Home, immich: Immich) -> None:
    trip = home.photos(0)
    (trip / "photo").write_bytes(jpeg(1))
    assert home.run("push", trip).returncode == 0
    assert immich.album("trip") == ["photo.jpg"]


# Albums.


def test_two_albums_of_the_name_are_named_and_nothing_is_sent(home: Home, immich: Immich) -> None:
    ids = [immich.tell("add_album", name="trip") for _ in range(2)]
    done = home.run("push", home.photos(3))
    assert done.returncode == 4
    assert all(f"{immich.url}/albums/{one}" in done.stderr for one in ids)
    assert uploads(immich) == []
    immich.tell("rename_album", id=ids[0], name="another trip")
    assert home.run("resume").returncode == 0
    assert immich.album("trip") == names(3)


def test_the_one_that_is_ours_by_the_journal_is_taken(home: Home, immich: Immich) -> None:
    assert home.run("push", home.photos(1)).returncode == 0
    immich.tell("add_album", name="trip")
    assert home.run("push", home.photos(2)).returncode == 0
    assert sorted(len(one["assets"]) for one in immich.albums()) == [0, 2]


def test_an_album_that_was_there_is_added_to(home: Home, immich: Immich) -> None:
    other = immich.put(b"other", "other.jpg")
    immich.tell("add_album", name="trip", assets=[other])
    immich.tell("add_album", name="trip 2")
    assert home.run("push", home.photos(2)).returncode == 0
    assert immich.album("trip") == [*names(2), "other.jpg"]


def test_an_album_deleted_between_push_and_resume_is_made_again(home: Home, immich: Immich) -> None:
    immich.fault("PUT", "/assets$", "status", status=403, skip=0)
    trip = home.photos(2)
    assert home.run("push", trip).returncode == 4
    assert home.album()["settled"] is False
    assert home.run("resume").returncode == 0
    immich.tell("delete_album", id=immich.albums()[0]["id"])
    done = home.run("push", home.photos(3))
    assert done.returncode == 0
    assert "deleted there" in done.stderr
    assert immich.album("trip") == names(3)


@pytest.mark.long
@pytest.mark.parametrize(
    ("method", "path", "what"),
    [
        ("GET", "/api/albums$", "cut_before"),
        ("POST", "/api/albums$", "cut_before"),
        ("POST", "/api/albums$", "cut_after"),
        ("PUT", "/assets$", "cut_before"),
        ("PUT", "/assets$", "cut_after"),
        ("POST", "bulk-upload-check$", "cut_after"),
        ("POST", "/api/assets$", "cut_after"),
        ("GET", "media-types$", "cut_before"),
        ("GET", "well-known", "cut_before"),
    ],
)
def test_a_call_that_is_cut_off_is_done_again(
    home: Home, immich: Immich, method: str, path: str, what: str
) -> None:
    immich.fault(method, path, what)
    configure(home, immich.url, "settle = 0.1\n")
    assert home.run("push", home.photos(6), "--jobs", "1").returncode == 0
    assert immich.album("trip") == names(6)
    assert all(one["received"] == 1 for one in immich.assets())
    assert home.album()["settled"] is True


@pytest.mark.parametrize("path", ["/api/albums$", "/assets$", "/api/shared-links$"])
def test_a_kill_in_the_middle_of_album_work_loses_nothing(
    home: Home, immich: Immich, path: str
) -> None:
    method = "PUT" if path == "/assets$" else "POST"
    configure(home, immich.url, "settle = 0.1\n")
    immich.tell("hold", method=method, path=path)
    process = home.start("push", home.photos(5), "--share")
    until(lambda: immich.tell("waiting"), "the call")
    process.kill()
    process.wait()
    immich.tell("release")
    assert home.album()["settled"] is False
    assert home.run("resume").returncode == 0
    assert immich.album("trip") == names(5)
    assert len(immich.links()) == 1
    assert home.album()["settled"] is True


@pytest.mark.process
def test_what_is_in_flight_while_its_target_is_redefined_gets_into_the_album(
    home: Home, immich: Immich
) -> None:
    configure(home, immich.url)
    immich.tell("hold", method="POST", path="/api/assets$")
    first = home.start("push", home.photos(2), "-j1")
    until(lambda: immich.tell("waiting"), "the upload")
    configure(home, immich.url.replace("127.0.0.1", "localhost"))
    second = home.start("push", "trip")
    until(lambda: home.sql("select count(*) from definition") == [(2,)], "redefined")
    time.sleep(0.3)  # until the uploader knows it, and has not built the target anew
    immich.tell("release")
    assert [finish(one).returncode for one in (first, second)] == [0, 0]
    assert immich.album("trip") == names(2)


@pytest.mark.process
def test_after_a_move_to_another_server_photos_get_into_the_album_there(
    home: Home, immich: Immich, start: Start
) -> None:
    other = start()
    immich.tell("hold", method="POST", path="/api/assets$")
    first = home.start("push", home.photos(2), "-j1")
    until(lambda: immich.tell("waiting"), "the upload")
    configure(home, other.url)
    second = home.start("push", "trip")
    until(lambda: other.requests("POST", "bulk-upload-check"), "the other server is asked")
    immich.tell("release")
    done = finish(first)
    assert done.returncode == finish(second).returncode == 3
    assert "IMG_1.JPG  not put into the album" in done.stderr, "the other server does not have it"
    assert "IMG_2.JPG" not in done.stderr
    assert other.album("trip") == ["IMG_2.JPG"]


# Share links.


def test_push_share_makes_one_link_and_share_shows_it(home: Home, immich: Immich) -> None:
    immich.fault("POST", "/api/shared-links$", "cut_after")
    done = home.run("push", home.photos(2), "--share")
    assert done.returncode == 0
    (link,) = immich.links()
    assert f"{immich.url}/share/{link['key']}" in done.stderr
    assert home.run("share", "trip").stdout == f"{immich.url}/share/{link['key']}\n"
    assert home.album()["share"] == f"{immich.url}/share/{link['key']}"
    assert home.run("push", home.photos(3)).returncode == 0
    assert home.album()["share"] == f"{immich.url}/share/{link['key']}"


def test_share_is_never_made_unasked(home: Home, immich: Immich) -> None:
    assert home.run("push", home.photos(2)).returncode == 0
    assert immich.links() == []
    assert home.run("share", "trip").stdout.startswith(f"{immich.url}/share/")
    assert len(immich.links()) == 1


def test_share_of_what_has_no_links_says_so(home: Home) -> None:
    home.run("push", home.photos(1))
    done = home.run("share", "trip")
    assert done.returncode == 2
    assert "inbox makes no share links" in done.stderr
    assert "its key share" in done.stderr
    assert home.run("push", home.photos(2), "--share").returncode == 2


# Bad input.


@pytest.mark.parametrize(
    "missing",
    short_form(
        ["asset.upload", "albumAsset.create", "album.read", "album.create", "sharedLink.create"], 2
    ),
)
def test_a_key_without_one_permission(home: Home, immich: Immich, missing: str) -> None:
    every = ["asset.upload", "album.read", "album.create", "albumAsset.create", "sharedLink.create"]
    immich.tell("set_key", key=KEY, permissions=[one for one in every if one != missing])
    done = home.run("push", home.photos(3), "--share")
    assert done.returncode == 4
    assert f"Missing required permission: {missing}" in done.stderr
    assert "albumup resume" in done.stderr
    assert home.album()["settled"] is False
    check = home.run("target", "check")
    assert f"permission {missing}: missing" in check.stdout
    assert check.returncode == (0 if missing == "sharedLink.create" else 4)
    immich.tell("set_key", key=KEY, permissions=every)
    assert home.run("target", "check").returncode == 0
    assert home.run("resume").returncode == 0
    assert immich.album("trip") == names(3)
    assert len(immich.links()) == 1


def test_a_wrong_key(home: Home, immich: Immich) -> None:
    configure(home, immich.url)
    home.secret("another-fake-key")
    done = home.run("push", home.photos(2))
    assert done.returncode == 4
    assert "Invalid API key" in done.stderr
    assert "another-fake-key" not in done.stderr
    assert set(home.states().values()) == {"pending"}
    assert home.run("target", "check").returncode == 4


def test_a_key_revoked_in_the_middle(home: Home, immich: Immich) -> None:
    process = home.start("push", home.photos(30), "--jobs", "2")
    until(lambda: len(immich.assets()) > 3, "photos")
    immich.tell("set_key", key=KEY, permissions=None)
    done = finish(process)
    assert done.returncode == 4
    assert "Invalid API key" in done.stderr
    immich.tell("set_key", key=KEY, permissions=["all"])
    assert home.run("resume").returncode == 0
    assert immich.album("trip") == names(30)


def test_no_room_is_a_refusal_not_the_photos_fault(home: Home, immich: Immich) -> None:
    immich.tell("set_quota", bytes=5000)
    done = home.run("push", home.photos(4), "--jobs", "1")
    assert done.returncode == 4
    assert "Quota has been exceeded" in done.stderr
    assert sorted(home.states().values()) == ["pending", "pending", "uploaded", "uploaded"]
    immich.tell("set_quota", bytes=None)
    assert home.run("resume").returncode == 0
    assert immich.album("trip") == names(4)


def test_a_proxy_that_takes_no_large_bodies(home: Home, immich: Immich) -> None:
    immich.fault("POST", "/api/assets$", "page", status=413)
    done = home.run("push", home.photos(2), "--jobs", "1")
    assert done.returncode == 3
    assert "a proxy in front of the server lets nothing this large through" in done.stderr
    assert sorted(home.states().values()) == ["rejected", "uploaded"]


@pytest.mark.parametrize(
    ("path", "status"), [("bulk-upload-check$", 200), ("/api/albums$", 302), ("media-types$", 404)]
)
def test_a_page_where_an_answer_should_be_ends_with_4(
    home: Home, immich: Immich, path: str, status: int
) -> None:
    immich.fault("POST" if "bulk" in path else "GET", path, "page", status=status, times=None)
    done = home.run("push", home.photos(2))
    assert done.returncode == 4
    assert "targets.home.url" in done.stderr
    assert set(home.states().values()) == {"pending"}
    assert uploads(immich) == []


@pytest.mark.parametrize("version", NEWEST_IN_SHORT)
def test_target_check_asks_every_version_what_it_can_answer(
    home: Home, start: Start, version: str
) -> None:
    server = start(version)
    configure(home, server.url)
    done = home.run("target", "check")
    assert done.returncode == 0, done.stdout
    assert "key: accepted" in done.stdout
    needed = ["asset.upload", "album.read", "album.create", "albumAsset.create", "asset.download"]
    server.tell("set_key", key=KEY, permissions=needed)
    done = home.run("target", "check")
    wants_all = version.startswith("1.138")
    assert done.returncode == (4 if wants_all else 0), done.stdout
    assert ("before 1.141 only a key with all permissions may ask" in done.stdout) == wants_all
    assert "permission asset.download: granted" in done.stdout
    server.tell("set_key", key=KEY, permissions=needed[:-1])
    assert "permission asset.download: missing" in home.run("target", "check").stdout


def test_target_check_calls_no_key_good_that_nobody_looked_at(home: Home, immich: Immich) -> None:
    immich.fault("POST", "bulk-upload-check$", "status", status=404, times=None)
    done = home.run("target", "check")
    assert done.returncode == 4
    assert "key: accepted" not in done.stdout
    assert "granted" not in done.stdout


def test_target_check_names_what_a_proxy_lets_through(home: Home, start: Start) -> None:
    configure(home, start(server="cloudflare").url)
    done = home.run("target", "check")
    assert done.returncode == 0
    assert "bodies over 100 MB do not get through" in done.stdout


@pytest.mark.long
def test_maintenance_is_for_later(home: Home, immich: Immich) -> None:
    trip = home.photos(2)
    immich.tell("set_maintenance", on=True)
    check = home.run("target", "check")
    assert check.returncode == 75
    assert "in maintenance mode" in check.stdout
    done = home.run("push", trip, "--patience", "1s")
    assert done.returncode == 75
    assert "in maintenance mode" in done.stderr
    assert set(home.states().values()) == {"pending"}
    immich.tell("set_maintenance", on=False)
    assert home.run("resume").returncode == 0
    assert immich.album("trip") == names(2)


@pytest.mark.long
def test_maintenance_that_begins_before_the_first_photo_is_for_later_too(
    home: Home, immich: Immich
) -> None:
    immich.fault(
        "POST", "/api/assets$", "status", status=404, body={"message": "Cannot POST /api/assets"}
    )
    assert home.run("push", home.photos(2)).returncode == 0
    assert immich.album("trip") == names(2)


def test_a_server_that_is_no_immich(home: Home, server: FormServer) -> None:
    configure(home, server.url.removesuffix("/upload"))
    done = home.run("push", home.photos(2))
    assert done.returncode == 4
    assert server.ledger == []
    assert home.run("target", "check").returncode == 4


@pytest.mark.parametrize(
    ("told", "code", "words"), [("1.90.0", 4, "older than 1.138"), ("9.0.0", 0, "newer than any")]
)
def test_versions_that_are_not_known(
    home: Home, immich: Immich, told: str, code: int, words: str
) -> None:
    immich.tell("set_version", version=told)
    done = home.run("target", "check")
    assert done.returncode == code
    assert words in done.stdout


@pytest.mark.long
@pytest.mark.parametrize("address", ["", "/", "/api", "/api/"])
def test_a_path_behind_a_proxy(home: Home, start: Start, address: str) -> None:
    server = start(base="/photos")
    configure(home, server.url + address)
    assert home.run("target", "check").returncode == 0
    assert home.run("push", home.photos(2), "--share").returncode == 0
    assert server.album("trip") == names(2)
    assert home.album()["share"].startswith(f"{server.url}/share/")


def test_an_api_elsewhere_gets_no_key_unasked(home: Home, start: Start) -> None:
    elsewhere = start()
    server = start(base="/photos", endpoint=f"{elsewhere.url}/api")
    configure(home, server.url.removesuffix("/photos"))
    done = home.run("push", home.photos(1))
    assert done.returncode == 4
    server_says = start(endpoint=f"{elsewhere.url}/api", base="/x")
    configure(home, server_says.url)
    assert (
        home.run("push", home.photos(1)).returncode == 0
    )  # its own API answers at the usual place
    assert elsewhere.requests() == []


def test_events_tell_of_the_link(home: Home, immich: Immich) -> None:
    done = home.run("push", home.photos(1), "--share", "--json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    (event,) = [one for one in events if one["event"] == "shared"]
    assert event["url"] == events[-1]["albums"][0]["share"]
    assert Path(event["url"]).name == immich.links()[0]["key"]


# verify.


def test_verify_proves_by_the_originals_and_changes_nothing(home: Home, immich: Immich) -> None:
    trip = home.photos(3)
    assert home.run("push", trip).returncode == 0
    immich.tell("clear_requests")
    done = home.run("verify", "trip")
    assert done.returncode == 0
    assert (
        done.stdout.splitlines()[-1]
        == "trip: 3 of 3 are on 127.0.0.1 and read again here: safe to erase (6.1 kB)"
    )
    assert "  proof: 3 readable there; 3 read again here" in done.stdout
    deep = home.run("verify", "trip", "-0", "--deep")
    assert deep.stdout.split("\0") == [*(str(trip / name) for name in names(3)), ""]
    assert "  proof: 3 read back there" in deep.stderr
    assert uploads(immich) == []


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda server, _: server.tell("trash", id=server.assets()[0]["id"]), "in the trash"),
        (
            lambda server, _: server.tell("delete_asset", id=server.assets()[0]["id"]),
            "does not have it",
        ),
        (
            lambda server, _: server.tell("lose_file", id=server.assets()[0]["id"]),
            "has no original of it",
        ),
        (lambda _, trip: (trip / "IMG_1.JPG").write_bytes(jpeg(1)[::-1]), "has changed here"),
        (lambda _, trip: (trip / "IMG_9.JPG").write_bytes(jpeg(9)), "not in the album"),
    ],
    ids=["trash", "deleted", "row without file", "changed", "new"],
)
def test_verify_names_what_would_be_lost(
    home: Home, immich: Immich, harm: Callable[[Immich, Path], object], words: str
) -> None:
    trip = home.photos(3)
    assert home.run("push", trip, "--jobs", "1").returncode == 0
    harm(immich, trip)
    done = home.run("verify", "trip", "-0")
    assert done.returncode == 3
    assert words in done.stderr
    assert done.stderr.splitlines()[-1].endswith("not safe to erase    (exit 3)")
    assert str(trip / "IMG_3.JPG") in done.stdout.split("\0")
    assert (str(trip / "IMG_1.JPG") in done.stdout.split("\0")) == (words == "not in the album")


def test_verify_of_what_was_not_sent_yet_is_not_safe(home: Home, immich: Immich) -> None:
    immich.fault("POST", "/api/assets$", "status", status=401, times=None)
    trip = home.photos(2)
    assert home.run("push", trip).returncode == 4
    assert home.run("verify", "trip").returncode == 3
    immich.put(jpeg(1), "a.jpg")
    immich.put(jpeg(2), "b.jpg")  # there by other ways, and yet not in the album
    done = home.run("verify", "trip")
    assert done.returncode == 3
    assert "not all done yet" in done.stdout


def test_verify_without_an_answer_proves_nothing(home: Home, immich: Immich) -> None:
    assert home.run("push", home.photos(1)).returncode == 0
    immich.fault("POST", "bulk-upload-check", "status", status=503, times=None)
    assert home.run("verify", "trip").returncode == 75
    immich.tell("clear_faults")
    immich.tell("set_key", key=KEY, permissions=None)
    assert home.run("verify", "trip").returncode == 4


def test_verify_never_calls_a_form_safe(home: Home, server: FormServer) -> None:
    home.form(server)
    assert home.run("push", home.photos(1)).returncode == 0
    done = home.run("verify", "trip")
    assert done.returncode == 3
    assert (
        "1 of 1 were accepted by 127.0.0.1, which cannot be asked: cannot be proven" in done.stdout
    )


def test_verify_of_a_form_says_what_it_has_not_accepted_and_what_to_type(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    server.answer = lambda one: answer(413 if one.filename == "IMG_2.JPG" else 200, {})
    assert home.run("push", home.photos(3)).returncode == 3
    *said, last = home.run("verify", "trip").stdout.splitlines()
    assert said == [
        "  not accepted: 1 rejected",
        "To try again what did not get there: albumup retry-failed trip --rejected",
    ]
    assert last.startswith("trip: 2 of 3 were accepted by 127.0.0.1, which cannot be asked")
    server.question = lambda: (answer(503),)
    server.answer = lambda _: answer(503, {})
    assert home.run("push", home.photos(1, "later"), "--patience", "0").returncode == 75
    said = home.run("verify", "later").stdout.splitlines()
    assert said[:-1] == ["  not accepted: 1 pending", "Not all done yet: albumup resume later"]
    home.run("cancel", "later")
    assert home.run("verify", "later").stdout.splitlines()[:-1] == ["  not accepted: 1 cancelled"]


# Live photos and sidecars.


def live(folder: Path, stem: str, number: int, suffix: str = ".JPG", identifier: str = "") -> None:
    folder.mkdir(exist_ok=True)
    name = identifier or f"ID-{number}-0000"
    (folder / f"{stem}{suffix}").write_bytes(
        still(name, number, "HEIF" if suffix == ".HEIC" else "JPEG")
    )
    (folder / f"{stem}.MOV").write_bytes(clip(name, number=number))


@pytest.mark.long
@pytest.mark.parametrize("version", (VERSIONS[0], VERSIONS[-1]))
def test_live_photos_go_as_one_and_only_the_still_is_in_the_album(
    home: Home, start: Start, version: str
) -> None:
    server = start(version)
    configure(home, server.url)
    trip = home.photos(2)
    for number in range(1, 6):
        live(trip, f"LIVE_{number}", number, ".HEIC" if number % 2 else ".JPG")
    (trip / "VIDEO.MOV").write_bytes(clip(number=99))
    (trip / "VIDEO.JPG").write_bytes(jpeg(77))  # of the same name, and nothing to do with it
    done = home.run("push", trip, "--jobs", "4")
    assert done.returncode == 0
    assert "8 photos (5 live), 1 video queued" in done.stderr
    by_name = {one["name"]: one for one in server.assets()}
    assert len(by_name) == 14
    for number in range(1, 6):
        still_of = by_name[f"LIVE_{number}.{'HEIC' if number % 2 else 'JPG'}"]
        assert by_name[f"LIVE_{number}.MOV"]["id"] == still_of["livePhotoVideoId"]
        assert by_name[f"LIVE_{number}.MOV"]["visibility"] == "hidden"
    assert len(server.album("trip")) == 9
    assert not [
        name for name in server.album("trip") if name.startswith("LIVE") and name.endswith(".MOV")
    ]
    assert home.album()["settled"] is True
    assert home.run("verify", "trip").returncode == 0


def test_equal_names_without_equal_identifiers_are_no_live_photo(
    home: Home, immich: Immich
) -> None:
    trip = home.photos(0)
    live(trip, "A", 1)
    (trip / "A.MOV").write_bytes(clip("ANOTHER-ID", number=1))
    done = home.run("push", trip)
    assert "2 photos queued" in done.stderr
    assert immich.album("trip") == ["A.JPG", "A.MOV"]


def test_a_still_whose_clip_is_not_taken_goes_alone_until_it_is(home: Home, immich: Immich) -> None:
    live(home.photos(0), "A", 1)
    immich.tell("set_types", video=[".mp4"])
    assert home.run("push", home.folder / "trip").returncode == 3
    assert home.states() == {"A.JPG": "uploaded", "A.MOV": "rejected"}
    assert immich.album("trip") == ["A.JPG"]
    immich.tell("set_types", video=[".mov"])
    assert home.run("retry-failed", "trip", "--rejected").returncode == 0
    by_name = {one["name"]: one for one in immich.assets()}
    assert by_name["A.JPG"]["livePhotoVideoId"] == by_name["A.MOV"]["id"]
    assert by_name["A.JPG"]["received"] == 1
    assert immich.album("trip") == ["A.JPG"]


def test_a_still_goes_in_the_same_run_when_its_clip_is_refused_as_the_first_of_all(
    home: Home, immich: Immich
) -> None:
    """Until a server has accepted a photo, what it refused is held back up to the end of the
    run."""
    live(home.photos(0), "A", 1)
    immich.fault(
        "POST", "/api/assets$", "status", status=400, body={"message": "Unsupported file type"}
    )
    assert home.run("push", home.folder / "trip").returncode == 3
    assert home.states() == {"A.JPG": "uploaded", "A.MOV": "rejected"}


@pytest.mark.long
def test_a_key_that_may_join_nothing_leaves_two_files_and_says_so(
    home: Home, immich: Immich
) -> None:
    live(home.photos(0), "A", 1)
    immich.tell(
        "set_key",
        key=KEY,
        permissions=["asset.upload", "album.read", "album.create", "albumAsset.create"],
    )
    immich.tell("set_types", video=[".mp4"])
    assert home.run("push", home.folder / "trip").returncode == 3
    immich.tell("set_types", video=[".mov"])
    done = home.run("retry-failed", "trip", "--rejected")
    assert done.returncode == 0
    assert "cannot be joined: Missing required permission: asset.update" in " ".join(
        done.stderr.split()
    )
    assert immich.album("trip") == ["A.JPG", "A.MOV"]


@pytest.mark.long
def test_a_clip_whose_still_was_rejected_waits_for_it_outside_the_album(
    home: Home, immich: Immich
) -> None:
    live(home.photos(1), "A", 1)
    immich.fault("POST", "/api/assets$", "status", status=415, times=None, skip=2)
    done = home.run("push", home.folder / "trip", "--jobs", "1")
    assert done.returncode == 3
    assert home.states() == {"IMG_1.JPG": "uploaded", "A.JPG": "rejected", "A.MOV": "uploaded"}
    assert immich.album("trip") == ["IMG_1.JPG"]
    assert "1 clip of a live photo is there, and outside the album" in done.stderr
    assert home.album()["settled"] is True
    immich.tell("clear_faults")
    assert home.run("retry-failed", "trip", "--rejected").returncode == 0
    by_name = {one["name"]: one for one in immich.assets()}
    assert by_name["A.JPG"]["livePhotoVideoId"] == by_name["A.MOV"]["id"]
    assert immich.album("trip") == ["A.JPG", "IMG_1.JPG"]


@pytest.mark.long
def test_a_clip_whose_still_was_cancelled_is_a_photo_of_its_own(home: Home, immich: Immich) -> None:
    live(home.photos(0), "A", 1)
    immich.fault("POST", "/api/assets$", "status", status=415, skip=1)
    assert home.run("push", home.folder / "trip").returncode == 3
    assert immich.albums() == []
    assert home.run("cancel", "trip", "A.JPG").returncode == 0
    assert home.run("resume").returncode == 0
    assert immich.album("trip") == ["A.MOV"]


@pytest.mark.long
def test_a_still_and_a_clip_that_both_gave_up_go_as_one_when_asked_again(
    home: Home, immich: Immich
) -> None:
    live(home.photos(1), "Z", 1)
    immich.fault("POST", "/api/assets$", "status", status=415, times=2, skip=1)
    assert home.run("push", home.folder / "trip", "--jobs", "1").returncode == 3
    assert home.states() == {"IMG_1.JPG": "uploaded", "Z.JPG": "rejected", "Z.MOV": "rejected"}
    assert home.run("retry-failed", "trip", "--rejected").returncode == 0
    by_name = {one["name"]: one for one in immich.assets()}
    assert by_name["Z.JPG"]["livePhotoVideoId"] == by_name["Z.MOV"]["id"]
    assert immich.album("trip") == ["IMG_1.JPG", "Z.JPG"]
    assert immich.requests("PUT", by_name["Z.JPG"]["id"]) == []


def test_a_clip_whose_still_is_gone_is_in_the_album_itself(home: Home, immich: Immich) -> None:
    trip = home.photos(0)
    live(trip, "A", 1)
    immich.fault("GET", "/api/albums$", "status", status=401)
    assert home.run("push", trip).returncode == 4
    home.sql("update task set stage = 0 where id in (select id from task)")
    (trip / "A.JPG").unlink()
    assert home.run("resume").returncode == 3
    assert home.states() == {"A.JPG": "missing", "A.MOV": "uploaded"}
    assert immich.album("trip") == ["A.MOV"]


def test_a_kill_between_clip_and_still_keeps_them_together(home: Home, immich: Immich) -> None:
    live(home.photos(0), "A", 1)
    immich.tell("hold", method="POST", path="/api/assets$")
    process = home.start("push", home.folder / "trip")
    until(lambda: immich.tell("waiting"), "the clip")
    process.kill()
    process.wait()
    immich.tell("release")
    configure(home, immich.url, "settle = 0\n")
    assert home.run("resume").returncode == 0
    by_name = {one["name"]: one for one in immich.assets()}
    assert by_name["A.JPG"]["livePhotoVideoId"] == by_name["A.MOV"]["id"]
    assert immich.album("trip") == ["A.JPG"]


def test_halves_that_come_in_two_pushes_are_one_also_after_a_kill(
    home: Home, immich: Immich
) -> None:
    trip = home.photos(0)
    (trip / "A.JPG").write_bytes(still("ID-A", 1))
    (trip / "B_HEVC.MOV").write_bytes(clip("ID-B", number=2))
    assert home.run("push", trip).returncode == 0
    assert immich.album("trip") == ["A.JPG", "B_HEVC.MOV"]
    (trip / "A_HEVC.MOV").write_bytes(clip("ID-A", number=1))
    (trip / "B.JPG").write_bytes(still("ID-B", 2))
    (still_there,) = [one for one in immich.assets() if one["name"] == "A.JPG"]
    immich.tell("hold", method="PUT", path=f"/api/assets/{still_there['id']}$")
    process = home.start("push", trip)
    until(lambda: immich.tell("waiting"), "the joining")
    process.kill()
    process.wait()
    immich.tell("release")
    assert home.album()["settled"] is False
    assert home.run("resume").returncode == 0
    by_name = {one["name"]: one for one in immich.assets()}
    for number in "AB":
        assert by_name[f"{number}.JPG"]["livePhotoVideoId"] == by_name[f"{number}_HEVC.MOV"]["id"]
        assert by_name[f"{number}_HEVC.MOV"]["visibility"] == "hidden"
    assert "A_HEVC.MOV" not in immich.album("trip")
    assert home.album()["settled"] is True


@pytest.mark.long
@pytest.mark.parametrize("version", (VERSIONS[0], VERSIONS[-1]))
def test_sidecars_go_along_and_aae_is_counted(home: Home, start: Start, version: str) -> None:
    server = start(version)
    configure(home, server.url)
    trip = home.photos(3)
    (trip / "IMG_1.JPG.xmp").write_bytes(b"<one/>")
    (trip / "IMG_2.XMP").write_bytes(b"<two/>")
    (trip / "IMG_3.AAE").write_bytes(b"<three/>")
    (trip / "alone.xmp").write_bytes(b"<none/>")
    (trip / "IMG_9.CR2").write_bytes(b"II*\0\x10\0\0\0CR\2" + bytes(100))
    (trip / "IMG_9.JPG").write_bytes(jpeg(9))
    (trip / "IMG_9.xmp").write_bytes(b"<nine/>")
    done = home.run("push", trip)
    assert done.returncode == 0
    assert "3 sidecars go along" in done.stderr
    assert "2 not sent: sidecar" in done.stderr
    sent = {one["name"]: one["sidecar"] for one in server.assets() if one["sidecar"]}
    wanted = {"IMG_1.JPG": b"<one/>", "IMG_2.JPG": b"<two/>", "IMG_9.CR2": b"<nine/>"}
    assert sent == {name: hashlib.sha256(data).hexdigest() for name, data in wanted.items()}
    (trip / "IMG_2.XMP").write_bytes(b"<changed/>")
    verified = home.run("verify", "trip")
    assert verified.returncode == 0
    assert "IMG_3.AAE  a sidecar that was not sent" in verified.stdout
    assert "alone.xmp  a sidecar that was not sent" in verified.stdout
    assert "IMG_2.XMP  a sidecar that has changed" in verified.stdout
    assert "3 sidecars, named above, were not sent: safe to erase" in verified.stdout


def test_a_sidecar_of_what_was_there_already_was_not_sent(home: Home, immich: Immich) -> None:
    trip = home.photos(1)
    (trip / "IMG_1.xmp").write_bytes(b"<one/>")
    immich.put(jpeg(1), "there.jpg")
    assert home.run("push", trip).returncode == 0
    done = home.run("verify", "trip")
    assert done.returncode == 0
    assert "IMG_1.xmp  a sidecar that was not sent" in done.stdout


def test_cancel_gives_up_what_is_to_be_put_into_the_album(home: Home, immich: Immich) -> None:
    immich.fault("PUT", "/assets$", "status", status=403, times=None)
    assert home.run("push", home.photos(2), "--share").returncode == 4
    assert home.album()["settled"] is False
    assert home.run("forget", "trip").returncode == 2
    assert home.run("cancel", "trip").returncode == 0
    assert home.album()["settled"] is True
    assert home.run("resume").returncode == 0
    assert home.run("forget", "trip").returncode == 0


# Found by trying to break it.


@pytest.mark.long
def test_verify_looks_into_every_folder_that_was_pushed(home: Home, immich: Immich) -> None:
    inner = home.photos(2, "trip/a")
    assert home.run("push", inner, "--album", "trip").returncode == 0
    assert home.run("verify", "trip").returncode == 0
    assert len(immich.assets()) == 2
    (home.folder / "trip" / "BEACH.JPG").write_bytes(jpeg(50))
    assert (
        home.run("push", home.folder / "trip", "--album", "trip", "--exclude", "B*").returncode == 0
    )
    done = home.run("verify", "trip")
    assert done.returncode == 3
    assert "BEACH.JPG  not in the album" in done.stdout


def test_verify_of_files_pushed_by_name_says_nothing_of_their_folder(
    home: Home, immich: Immich
) -> None:
    trip = home.photos(3)
    assert (
        home.run("push", trip / "IMG_1.JPG", trip / "IMG_2.JPG", "--album", "trip").returncode == 0
    )
    assert len(immich.assets()) == 2
    done = home.run("verify", "trip")
    assert done.returncode == 0
    assert (
        "these files are safe to erase, not the folders they lie in" in done.stdout.splitlines()[-1]
    )


def test_verify_names_photos_in_bins_and_folders_of_thumbnails(home: Home, immich: Immich) -> None:
    trip = home.photos(1)
    for folder in ("#recycle", "thumbnails", "@eaDir"):
        (trip / folder).mkdir()
        (trip / folder / "REAL.JPG").write_bytes(jpeg(60))
    (trip / "@eaDir" / "SYNOFILE_THUMB_M.jpg").write_bytes(jpeg(61))
    assert home.run("push", trip).returncode == 0
    done = home.run("verify", "trip")
    assert done.returncode == 3
    assert len(immich.assets()) == 1
    assert done.stdout.count("REAL.JPG  not in the album") == 3
    assert "SYNOFILE" not in done.stdout
    assert f"{trip}/#recycle is a bin, with 1 photo that was not sent" in done.stdout


def test_two_shares_at_once_make_one_link(home: Home, immich: Immich) -> None:
    assert home.run("push", home.photos(1)).returncode == 0
    immich.tell("hold", method="GET", path="/api/shared-links$")
    both = [home.start("share", "trip") for _ in range(2)]
    until(lambda: immich.tell("waiting"), "the question")
    immich.tell("release")
    links = {finish(process).stdout for process in both}
    assert len(links) == 1
    assert len(immich.links()) == 1


@pytest.mark.long
def test_a_still_whose_clip_was_deleted_there_goes_alone(home: Home, immich: Immich) -> None:
    live(home.photos(0), "A", 1)
    immich.fault("POST", "/api/assets$", "status", status=401, skip=1)
    assert home.run("push", home.folder / "trip").returncode == 4
    (clip_there,) = immich.assets()
    immich.tell("delete_asset", id=clip_there["id"])
    done = home.run("resume")
    assert done.returncode == 3  # the clip cannot be put into the album: that is said
    assert "other settings" not in done.stderr, (
        "its still is framed anew, and nobody changed a setting"
    )
    assert home.states()["A.JPG"] == "uploaded"
    assert "A.JPG" in immich.album("trip")


@pytest.mark.long
def test_what_was_deleted_there_before_it_was_in_the_album_is_named(
    home: Home, immich: Immich
) -> None:
    immich.tell("hold", method="PUT", path="/assets$")
    process = home.start("push", home.photos(2))
    until(lambda: immich.tell("waiting"), "the album's call")
    immich.tell("delete_asset", id=immich.assets()[0]["id"])
    immich.tell("release")
    done = finish(process)
    assert done.returncode == 3
    assert "the server does not have it any more" in done.stderr
    assert "albumup forget trip, then push" in done.stderr
    again = home.run("resume")
    assert again.returncode == 3
    assert "the server does not have it any more" in again.stderr
    assert home.run("forget", "trip").returncode == 0
    assert home.run("push", home.folder / "trip").returncode == 0
    assert len(immich.album("trip")) == 2


@pytest.mark.long
@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("GET", "/api/albums$", [{"albumName": "trip"}]),
        ("PUT", "/assets$", [{"id": []}]),
        ("GET", "media-types$", {"image": 5}),
        ("POST", "bulk-upload-check$", {"results": [{"id": {}}]}),
        ("POST", "/api/albums$", {"id": 7}),
    ],
    ids=["albums", "placing", "types", "asking", "album"],
)
def test_answers_of_any_shape_are_tried_again(
    home: Home, immich: Immich, method: str, path: str, said: object
) -> None:
    immich.fault(method, path, "status", status=200, body=said)
    assert home.run("push", home.photos(2)).returncode in (0, 4)
    assert home.run("resume").returncode == 0
    assert immich.album("trip") == names(2)


@pytest.mark.long
def test_ctrl_c_does_not_wait_for_a_question(home: Home, immich: Immich) -> None:
    immich.tell("hold", method="POST", path="bulk-upload-check$")
    process = home.start("push", home.photos(2))
    until(lambda: immich.tell("waiting"), "the question")
    process.send_signal(signal.SIGINT)
    assert finish(process).returncode == 130
    assert immich.tell("waiting") == 1  # it is not answered yet
    immich.tell("release")
    assert home.run("resume").returncode == 0


def test_push_share_of_a_settled_album_shows_the_link(home: Home, immich: Immich) -> None:
    """Also where there is nothing to send; and only while the server says that it has it."""
    home.run("push", home.photos(2), "--share")
    link = home.album()["share"]
    code, lines = home.on_terminal("push", "trip", "--share")
    assert code == 0
    assert "nothing to do" in "\n".join(lines)
    assert "\n".join(lines).count(link) == 1
    assert link not in "\n".join(home.on_terminal("push", "trip")[1])
    immich.close()
    _, away = home.on_terminal("push", "trip", "--share")
    assert link not in "\n".join(away)
    assert "albumup share trip" in "\n".join(away)


@pytest.mark.parametrize(
    "told", ["https://x\x1b[2J.example", "javascript:alert(1)", "https://ours@evil.example"]
)
def test_an_address_that_is_none_is_in_no_share_link(home: Home, start: Start, told: str) -> None:
    server = start(externalDomain=told)
    configure(home, server.url)
    done = home.run("push", home.photos(1), "--share")
    link = home.album()["share"]
    assert done.returncode == 0
    assert link.startswith(f"{server.url}/share/")
    assert link in done.stderr
    assert "externalDomain" in done.stderr
    shown = home.run("share", "trip")
    assert shown.stdout == f"{link}\n"
    assert "\x1b" not in done.stderr + shown.stderr


def test_a_refused_key_of_a_settled_album_is_named_too(home: Home, immich: Immich) -> None:
    trip = home.photos(1)
    assert home.run("push", trip).returncode == 0
    home.secret("another")
    assert len(immich.assets()) == 1
    again = home.run("push", trip)
    assert "could not be asked" in again.stderr
    assert f"its token is in {home.folder / 'token'}" in again.stderr
    assert "config.toml: targets.home.token_file" in again.stderr


def test_a_dry_run_asks_by_the_names_that_would_be_sent(home: Home, immich: Immich) -> None:
    """A photo without a suffix is sent with that of its type, which the server takes."""
    trip = home.photos(2)
    (trip / "IMG_1.JPG").rename(trip / "plain")
    done = home.run("push", "-n", trip)
    assert "refuse" not in done.stderr
    assert home.run("push", trip).returncode == 0
    assert sorted(one["name"] for one in immich.assets()) == ["IMG_2.JPG", "plain.jpg"]


def test_a_dry_run_asks_what_is_there_and_sends_nothing(home: Home, immich: Immich) -> None:
    trip = home.photos(4)
    immich.put((trip / "IMG_1.JPG").read_bytes(), "other.jpg")
    immich.put((trip / "IMG_2.JPG").read_bytes(), "trashed.jpg", trashed=True)
    before = sorted(home.folder.rglob("*"))
    done = home.run("push", "-n", trip)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "127.0.0.1 has 1 photo of them already; 2 photos would be sent (4.0 kB)." in done.stderr
    assert "It would refuse 1 photo: it is in the trash of 127.0.0.1" in done.stderr
    assert {one["path"] for one in immich.requests("POST")} == {"/api/assets/bulk-upload-check"}
    assert sorted(home.folder.rglob("*")) == before
    immich.tell("clear_requests")
    assert home.run("push", "-n", "-q", trip).returncode == 0
    assert immich.requests("POST") == [], "nobody would hear the answer"
    immich.fault("POST", "bulk-upload-check$", "status", status=502, times=None)
    down = home.run("push", "-n", trip)
    assert down.returncode == 0
    assert "4 photos would be queued" in down.stderr
    assert "What 127.0.0.1 has already could not be asked: 502" in down.stderr
