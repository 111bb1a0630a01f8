"""What becomes of an album on its server after it settled, and what is said of it then."""

from __future__ import annotations

import pytest
from immich.fake import KEY, Immich

from .conftest import Home, Start, configure, finish, until

pytestmark = pytest.mark.long


def names(count: int) -> list[str]:
    return sorted(f"IMG_{number}.JPG" for number in range(1, count + 1))


@pytest.mark.parametrize("fate", ["delete_album", "empty_album"])
@pytest.mark.parametrize("more", [0, 1])
def test_an_album_that_was_deleted_or_emptied_is_made_again_by_a_push(
    home: Home, immich: Immich, fate: str, more: int
) -> None:
    trip = home.photos(2)
    assert home.run("push", trip).returncode == 0
    immich.tell(fate, id=immich.albums()[0]["id"])
    verified = home.run("verify", "trip")
    assert (
        f"the album is {'gone' if fate == 'delete_album' else 'empty'} on 127.0.0.1"
        in verified.stdout
    )
    immich.tell("clear_requests")
    done = home.run("push", home.photos(2 + more))
    assert done.returncode == 0
    assert ("deleted there" if fate == "delete_album" else "emptied there") in done.stderr
    assert immich.album("trip") == names(2 + more)
    assert len(immich.requests("POST", "/api/assets")) == more
    assert "the album is" not in home.run("verify", "trip").stdout


def test_an_album_that_is_made_again_is_shared_only_when_asked(home: Home, immich: Immich) -> None:
    """Whoever deleted an album there may have wanted its link gone, too."""
    trip = home.photos(2)
    assert home.run("push", trip, "--share").returncode == 0
    link = home.album()["share"]
    immich.tell("delete_album", id=immich.albums()[0]["id"])
    done = home.run("push", trip)
    assert done.returncode == 0
    assert f"its share link is no more: {link}" in done.stderr
    assert immich.album("trip") == names(2)
    assert not [one for one in immich.links() if one["albumId"] == immich.albums()[0]["id"]]
    assert home.album()["share"] is None
    assert home.run("push", trip, "--share").returncode == 0
    assert home.album()["share"] not in (None, link)


def test_what_was_trashed_or_deleted_after_it_was_sent_is_said_by_the_next_push(
    home: Home, immich: Immich
) -> None:
    trip = home.photos(4)
    assert home.run("push", trip).returncode == 0
    by_name = {one["name"]: one["id"] for one in immich.assets()}
    immich.tell("trash", id=by_name["IMG_1.JPG"])
    immich.tell("delete_asset", id=by_name["IMG_2.JPG"])
    done = home.run("push", trip, "-v")
    assert done.returncode == 3
    assert "trip: 2 photos sent before are gone there" in done.stderr
    assert "IMG_1.JPG  it is in the trash of 127.0.0.1: restore it there" in done.stderr
    assert "IMG_2.JPG  127.0.0.1 does not have it any more" in done.stderr
    last = (
        "trip: nothing to do; 4 sent before, 2 of them gone there "
        "(~/state/albumup/journal.db)    (exit 3)"
    )
    assert done.stderr.splitlines()[-1] == last, "the code is said once, and at the end"
    assert done.stderr.count("(exit ") == 1
    again = "  To send again what was deleted there: albumup forget trip, then push\n"
    verified = home.run("verify", "trip").stdout
    assert again.strip() in verified and "retry-failed" not in verified
    immich.tell("restore", id=by_name["IMG_1.JPG"])
    assert "1 photo sent before is gone there" in home.run("push", home.photos(5)).stderr
    assert home.run("forget", "trip").returncode == 0
    assert home.run("push", trip).returncode == 0
    assert immich.album("trip") == names(5)


def test_an_album_that_shows_none_of_its_photos_was_not_emptied(home: Home, immich: Immich) -> None:
    """Its count leaves out what is in the trash, and clips that the server joined to stills of
    another album."""
    trip = home.photos(2)
    assert home.run("push", trip).returncode == 0
    for one in immich.assets():
        immich.tell("trash", id=one["id"])
    assert "the album is empty on 127.0.0.1, or shows none" in home.run("verify", "trip").stdout
    done = home.run("push", trip)
    assert (done.returncode, "emptied" in done.stderr) == (3, False), done.stderr
    assert "trip: 2 photos sent before are gone there" in done.stderr


def test_a_push_of_what_is_there_while_the_server_is_away_says_so_and_no_more(
    home: Home, immich: Immich
) -> None:
    trip = home.photos(1)
    assert home.run("push", trip).returncode == 0
    immich.fault("GET", "/api/albums/", "status", status=503, times=None)
    done = home.run("push", trip, "-v")
    assert done.returncode == 0
    assert "whether it is all still there could not be asked" in done.stderr


@pytest.mark.process
def test_a_dead_link_is_shown_by_nobody(home: Home, immich: Immich) -> None:
    trip = home.photos(1)
    assert home.run("push", trip, "--share").returncode == 0
    dead = home.album()["share"]
    immich.tell("delete_link", id=immich.links()[0]["id"])
    done = home.run("push", home.photos(2))
    assert done.returncode == 0
    assert f"its share link is no more: {dead}" in done.stderr
    assert home.album()["share"] is None
    assert immich.links() == []  # never without being asked
    link = home.run("share", "trip").stdout.strip()
    assert link.endswith(f"/share/{immich.links()[0]['key']}")
    immich.tell("delete_link", id=immich.links()[0]["id"])
    done = home.run("share", "trip")
    assert done.stdout.strip().endswith(f"/share/{immich.links()[0]['key']}")
    assert done.stdout.strip() != link
    immich.tell("delete_link", id=immich.links()[0]["id"])
    assert home.run("push", trip, "--share").returncode == 0
    assert home.album()["share"].endswith(f"/share/{immich.links()[0]['key']}")


def test_a_server_that_does_not_know_a_link_by_its_key_lists_those_it_has(
    home: Home, immich: Immich
) -> None:
    assert home.run("push", home.photos(1), "--share").returncode == 0
    immich.fault("GET", "/shared-links/me$", "status", status=404, times=None)
    link = home.run("share", "trip").stdout.strip()
    assert link == home.album()["share"]
    immich.tell("delete_link", id=immich.links()[0]["id"])
    assert home.run("share", "trip").stdout.strip() != link


def test_a_link_that_nobody_could_ask_about_is_not_shown(home: Home, immich: Immich) -> None:
    assert home.run("push", home.photos(1), "--share").returncode == 0
    immich.fault("GET", "/shared-links/me$", "status", status=502, times=None)
    done = home.run("share", "trip")
    assert done.returncode == 75
    assert done.stdout == ""


@pytest.mark.parametrize("may_delete", [True, False])
def test_two_computers_that_make_one_album_at_once_settle_on_one(
    home: Home, start: Start, may_delete: bool
) -> None:
    needed = ["asset.upload", "album.read", "album.create", "albumAsset.create"]
    server = start(keys={KEY: [*needed, "album.delete"] if may_delete else needed})
    configure(home, server.url)
    server.tell("hold", method="POST", path="/api/albums$")
    folders = [home.photos(2, f"{number}/trip", first=1 + 2 * number) for number in (0, 1)]
    both = [
        home.start("--journal", home.folder / f"{number}.db", "push", folder)
        for number, folder in enumerate(folders)
    ]
    until(lambda: server.tell("waiting") == 2, "both that make it")
    server.tell("release")
    assert [finish(process).returncode for process in both] == [0, 0]
    filled = [one for one in server.albums() if one["assets"]]
    assert [len(one["assets"]) for one in filled] == [4]
    assert len(server.albums()) == (1 if may_delete else 2)
    third = home.photos(1, "2/trip", first=9)
    assert home.run("--journal", home.folder / "third.db", "push", third).returncode == 0
    assert max(len(one["assets"]) for one in server.albums()) == 5
