"""What an Immich server says it has counts, after a doubt, once its original was seen there."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest
from immich.fake import KEY, VERSIONS, Immich

from .conftest import Home, Start, configure, finish, jpeg, until

pytestmark = pytest.mark.long

NEEDED = ["asset.upload", "album.read", "album.create", "albumAsset.create"]
SETTLE = 0.2
LOOK = "/original"


def quick(home: Home, server: Immich) -> None:
    """What is two minutes by default is short here."""
    configure(home, server.url, f"settle = {SETTLE}\n")


@pytest.mark.parametrize(
    "version", [*(pytest.param(one, marks=pytest.mark.long) for one in VERSIONS[:-1]), VERSIONS[-1]]
)
def test_a_row_without_its_file_is_in_doubt_for_good(
    home: Home, start: Start, version: str
) -> None:
    """The database goes away in the middle: 500, the row stays, and a job deletes the file
    later."""
    server = start(version)
    quick(home, server)
    server.fault("POST", "/api/assets$", "status_after", status=500)
    process = home.start("push", home.photos(1))
    until(lambda: server.requests("GET", LOOK), "the first look")
    (there,) = server.assets()
    server.tell("lose_file", id=there["id"])
    done = finish(process)
    assert done.returncode == 3
    assert home.states() == {"IMG_1.JPG": "in_doubt"}
    assert (
        "has no original of it, unless it is in the locked folder: delete it there" in done.stderr
    )
    assert f"/photos/{there['id']}" in done.stderr
    again = home.run("retry-failed", "trip")
    assert again.returncode == 3
    assert "has no original of it" in again.stderr
    server.tell("delete_asset", id=there["id"])
    assert home.run("retry-failed", "trip").returncode == 0
    assert home.states() == {"IMG_1.JPG": "uploaded"}
    assert all(one["hasFile"] for one in server.assets())


def test_after_a_fault_it_is_seen_twice(home: Home, immich: Immich) -> None:
    quick(home, immich)
    immich.fault("POST", "/api/assets$", "status_after", status=500)
    done = home.run("push", home.photos(3))
    assert done.returncode == 0
    assert "it is there; after a fault of the server it is looked at once more" in done.stderr
    assert set(home.states().values()) == {"uploaded"}
    first, second = immich.requests("GET", LOOK)
    assert second["at"] - first["at"] >= 4 * SETTLE
    assert len(immich.album("trip")) == 3


def test_a_run_that_ends_between_the_two_looks_leaves_the_second_to_the_next(
    home: Home, immich: Immich
) -> None:
    quick(home, immich)
    immich.fault("POST", "/api/assets$", "status_after", status=500)
    process = home.start("push", home.photos(1))
    until(lambda: immich.requests("GET", LOOK), "the first look")
    until(lambda: home.sql("select 1 from task where seen_at is not null"), "its record")
    process.kill()
    process.wait()
    assert home.states() == {"IMG_1.JPG": "in_doubt"}
    line = home.run("status").stdout.splitlines()[1].split()
    assert line[2:6] == ["waiting", "0/1", "1", "0"]  # it waits, and has not failed
    assert home.run("list").stdout.endswith("; still to be asked about\n")
    assert (
        "did not get there" not in home.run("push", "trip", "--patience", "0", "--jobs", "1").stderr
    )
    assert home.states() == {"IMG_1.JPG": "uploaded"}
    assert len(immich.requests("GET", LOOK)) == 2


@pytest.mark.process
def test_after_a_lost_answer_it_is_seen_once(home: Home, immich: Immich) -> None:
    quick(home, immich)
    immich.fault("POST", "/api/assets$", "cut_after")
    assert home.run("push", home.photos(2)).returncode == 0
    assert len(immich.requests("GET", LOOK)) == 1
    assert set(home.states().values()) == {"uploaded"}


def test_a_duplicate_to_the_body_sent_is_looked_at(home: Home, immich: Immich) -> None:
    """Between the question and the sending, twins came; one of them has no file."""
    accepts = {"results": [{"id": str(number), "action": "accept"} for number in range(9)]}
    immich.fault("POST", "bulk-upload-check", "status", status=200, times=2, body=accepts)
    immich.put(jpeg(1), "there.jpg")
    immich.tell("lose_file", id=immich.put(jpeg(2), "a row.jpg"))
    done = home.run("push", home.photos(2))
    assert done.returncode == 3
    assert home.states() == {"IMG_1.JPG": "duplicate", "IMG_2.JPG": "in_doubt"}


def test_each_doubt_is_told_with_its_reason(home: Home, immich: Immich) -> None:
    quick(home, immich)
    immich.fault("POST", "/api/assets$", "cut_after", times=9)
    immich.fault("POST", "bulk-upload-check", "status", status=200, times=9,
                 body={"results": [{"id": "0", "action": "accept"}]})  # fmt: skip
    done = home.run("push", home.photos(1), "--retries", "0")
    assert done.returncode == 3
    doubts = [line for line in done.stderr.splitlines() if line.startswith("  ? IMG_1.JPG  ")]
    assert re.search(r"; the server is asked (in \d+ s|now)$", doubts[0])
    assert doubts[1] == "  ? IMG_1.JPG  127.0.0.1 does not have it; gave up after 1 try"


def test_an_original_of_another_size_is_none(home: Home, immich: Immich) -> None:
    quick(home, immich)
    immich.fault("POST", "/api/assets$", "cut_after")
    immich.fault(
        "GET", LOOK, "status", status=206, body="x", headers={"content-range": "bytes 0-0/7"}
    )
    done = home.run("push", home.photos(1))
    assert done.returncode == 3
    assert "has 7 bytes, not" in done.stderr


def test_an_original_that_is_being_moved_is_looked_at_again(home: Home, immich: Immich) -> None:
    quick(home, immich)
    immich.fault("POST", "/api/assets$", "cut_after")
    immich.fault("GET", LOOK, "status", status=404)
    assert home.run("push", home.photos(1)).returncode == 0
    assert home.states() == {"IMG_1.JPG": "uploaded"}


@pytest.mark.long
@pytest.mark.parametrize("what", ["cut_before", "page"])
def test_a_look_without_an_answer_is_made_again(home: Home, immich: Immich, what: str) -> None:
    quick(home, immich)
    immich.fault("POST", "/api/assets$", "cut_after")
    immich.fault("GET", LOOK, what, status=502)
    assert home.run("push", home.photos(1)).returncode == 0
    assert home.states() == {"IMG_1.JPG": "uploaded"}


def test_a_key_that_may_not_look_leaves_it_in_doubt(home: Home, immich: Immich) -> None:
    quick(home, immich)
    immich.tell("set_key", key=KEY, permissions=NEEDED)
    immich.fault("POST", "/api/assets$", "cut_after")
    done = home.run("push", home.photos(3))
    assert done.returncode == 3
    assert sorted(home.states().values()) == ["in_doubt", "uploaded", "uploaded"]
    assert "Missing required permission: asset.download" in done.stderr
    verified = home.run("verify", "trip").stdout
    assert verified.count("asset.download") == 1, "a reason that two photos share is said once"
    assert "albumup retry-failed trip" in verified and "albumup forget" not in verified
    check = home.run("target", "check")
    assert check.returncode == 0
    assert (
        "permission asset.download: missing; without it a photo in doubt stays so" in check.stdout
    )
    immich.tell("set_key", key=KEY, permissions=[*NEEDED, "asset.download"])
    assert home.run("retry-failed", "trip").returncode == 0
    assert set(home.states().values()) == {"uploaded"}
    assert all(one["received"] == 1 for one in immich.assets())


def test_a_key_that_may_not_ask_sends_unasked(home: Home, start: Start) -> None:
    """From 1.138 to 1.140 only a key with all permissions may ask; sending needs asset.upload
    alone."""
    server = start("1.138.1")
    quick(home, server)
    server.tell("set_key", key=KEY, permissions=[*NEEDED, "asset.download"])
    server.fault("POST", "/api/assets$", "cut_after", skip=1)
    done = home.run("push", home.photos(3), "--jobs", "1")
    assert done.returncode == 3
    assert sorted(home.states().values()) == ["in_doubt", "uploaded", "uploaded"]
    assert "Missing required permission: all" in done.stderr
    server.tell("set_key", key=KEY, permissions=["all"])
    assert home.run("retry-failed", "trip").returncode == 0
    assert len(server.album("trip")) == 3


def test_a_key_that_may_not_see_albums_sends_and_says_so(home: Home, immich: Immich) -> None:
    immich.tell(
        "set_key", key=KEY, permissions=["asset.upload", "album.create", "albumAsset.create"]
    )
    done = home.run("push", home.photos(2))
    assert done.returncode == 4
    assert "Missing required permission: album.read" in done.stderr
    assert set(home.states().values()) == {"uploaded"}
    assert home.album()["settled"] is False
    immich.tell("set_key", key=KEY, permissions=NEEDED)
    assert home.run("resume").returncode == 0
    assert len(immich.album("trip")) == 2


@pytest.mark.parametrize(
    "question", ["/assets/bulk-upload-check$", "/server/media-types$", "/albums$"]
)
def test_a_firewall_that_lets_no_question_through_closes_nothing(
    home: Home, immich: Immich, question: str
) -> None:
    """A 403 with a page is not the server's; what only reads is done without."""
    configure(home, immich.url)
    immich.fault("POST" if "check" in question else "GET", question, "page", status=403, times=None)
    home.run("push", home.photos(2), "--patience", "1s")
    assert set(home.states().values()) == {"uploaded"}


def test_a_firewall_before_the_originals_leaves_it_in_doubt(home: Home, immich: Immich) -> None:
    quick(home, immich)
    immich.fault("POST", "/api/assets$", "cut_after")
    immich.fault("GET", LOOK, "page", status=403, times=None)
    done = home.run("push", home.photos(2), "--patience", "1s")
    assert done.returncode == 3
    assert sorted(home.states().values()) == ["in_doubt", "uploaded"]
    assert "cannot be seen: a firewall" in done.stderr


def test_a_question_that_is_refused_in_the_middle_of_looking_is_about_one_photo(
    home: Home, immich: Immich
) -> None:
    """The second look at an original asks once more; the photo that comes after is looked at all
    the same."""
    configure(home, immich.url, "settle = 600\n")
    immich.fault("POST", "/api/assets$", "cut_after", times=2)
    process = home.start("push", home.photos(2))
    until(lambda: sorted(home.states().values()) == ["in_doubt", "in_doubt"])
    process.kill()
    process.wait()
    with (
        closing(sqlite3.connect(home.journal)) as journal,
        journal,
    ):  # both are due, in one question
        journal.execute("update task set ask_at = 1")
        journal.execute("update target set sick_since = null")
    immich.fault("GET", LOOK, "status", status=404)
    immich.fault("POST", "bulk-upload-check", "status", status=403, skip=1)
    assert home.run("resume").returncode == 3
    assert sorted(home.states().values()) == ["in_doubt", "uploaded"]
