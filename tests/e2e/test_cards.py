"""Two memory cards at one path. Where their ids do not tell them apart, their photos do: none
replaces another's."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from servers import FormServer
from short import short_form

from albumup.journal import media

from .conftest import DISK, Home, finish, jpeg, sha256

OTHER_DISK = "9e0c0000-21a6-4a1b-8f0b-5d2e2d5f6a22"
FACTORY = "1234-ABCD"
"""The serial number that a whole batch of cards has."""


class Slot:
    """A place where cards are put in, one at a time, and a person who pushes what is there."""

    def __init__(self, home: Home, server: FormServer) -> None:
        self.home, self.server = home, server
        self.media = home.folder / "media"

    def card(self, name: str, first: int, count: int = 4) -> set[str]:
        """Put in a new card with photos of its own; their digests. Every second one has the size
        that others have."""
        self.eject()
        self.media.mkdir()
        (self.media / ".name").write_text(name)
        for number in range(count):
            (self.media / f"DSC_{number}.JPG").write_bytes(
                jpeg(first + number, 2000 + number % 2 * first)
            )
        return self.digests()

    def insert(self, name: str) -> None:
        self.eject()
        (self.home.folder / f"card {name}").rename(self.media)

    def eject(self) -> None:
        if self.media.exists():
            self.media.rename(self.home.folder / f"card {(self.media / '.name').read_text()}")

    def photos(self) -> list[Path]:
        return sorted(self.media.glob("*.JPG"))

    def digests(self) -> set[str]:
        return {sha256(photo) for photo in self.photos()}

    def edit(self, numbers: Iterable[int]) -> None:
        """As exiftool does: other bytes, another size, another inode."""
        for number in numbers:
            photo = self.photos()[number]
            (self.media / "edited").write_bytes(jpeg(900 + number, 2500))
            os.replace(self.media / "edited", photo)

    def push(self, *more: str) -> subprocess.CompletedProcess[str]:
        return self.home.run("push", self.media, "--album", "trip", "--patience", "0", *more)

    def queue(self) -> None:
        """Push to a server that is down."""
        self.server.says(503)
        assert self.push().returncode == 75
        self.server.says(200)
        self.server.ledger.clear()

    @property
    def sent(self) -> set[str]:
        return set(self.server.digests)


@pytest.fixture
def slot(home: Home, server: FormServer) -> Slot:
    home.form(server)
    return Slot(home, server)


@pytest.fixture(params=["", pytest.param(FACTORY, marks=pytest.mark.long)])
def anywhere(request: pytest.FixtureRequest, home: Home) -> str:
    """What the system calls each card: by no name, or by the same."""
    home.lies_on(request.param)
    return str(request.param)


@pytest.mark.usefixtures("anywhere")
def test_another_cards_photos_never_replace_those_that_wait(home: Home, slot: Slot) -> None:
    """Not with some of equal size and time either; and those of both go once their card is
    there."""
    first = slot.card("A", 1)
    slot.queue()
    before = slot.photos()[0].stat()
    second = slot.card("B", 50)
    os.utime(slot.photos()[0], ns=(0, before.st_mtime_ns))
    done = home.run("resume")
    assert done.returncode == 75
    assert f"albumup push {slot.media} --edited" in done.stderr
    assert "or push it again" not in done.stderr
    assert "albumup cancel trip" in done.stderr
    assert slot.sent == set()

    done = slot.push()
    assert "4 photos queued" in done.stderr
    assert (done.returncode, slot.sent) == (75, second), done.stderr
    slot.insert("A")
    assert home.run("resume").returncode == 0
    assert slot.sent == first | second
    assert len(slot.server.ledger) == 8
    assert slot.push().returncode == 0
    slot.insert("B")
    assert slot.push().returncode == 0
    assert len(slot.server.ledger) == 8


@pytest.mark.long
@pytest.mark.usefixtures("anywhere")
def test_cards_with_one_photo_each_are_told_apart(home: Home, slot: Slot) -> None:
    """Though size and time agree."""
    first = slot.card("A", 1, count=1)
    slot.queue()
    before = slot.photos()[0].stat()
    slot.card("B", 50, count=1)
    os.utime(slot.photos()[0], ns=(0, before.st_mtime_ns))
    assert home.run("resume").returncode == 75
    assert slot.sent == set()
    slot.insert("A")
    assert home.run("resume").returncode == 0
    assert slot.sent == first


@pytest.mark.long
def test_a_card_that_was_copied_anew_is_known_by_its_bytes(home: Home, slot: Slot) -> None:
    """Other times, other inodes: nothing looks as it did, and every photo is the one that was
    queued."""
    home.lies_on("")
    photos = slot.card("A", 1)
    slot.queue()
    for photo in slot.photos():
        (slot.media / "copy").write_bytes(photo.read_bytes())
        os.replace(slot.media / "copy", photo)
        os.utime(photo, (0, 1))
    assert home.run("resume").returncode == 0
    assert slot.sent == photos
    assert "nothing to do" in home.run("resume").stderr


@pytest.mark.process
@pytest.mark.parametrize(
    ("volume", "edited"), short_form([(DISK, [0, 1, 2, 3]), (DISK, [0]), ("", [1]), (FACTORY, [1])])
)
def test_photos_that_were_edited_in_place_go_as_they_are_now(
    home: Home, slot: Slot, volume: str, edited: list[int]
) -> None:
    """All of them on a disk that has a name of its own; elsewhere as long as most are as they
    were."""
    home.lies_on(volume)
    slot.card("A", 1)
    slot.queue()
    slot.edit(edited)
    assert home.run("resume").returncode == 0
    assert slot.sent == slot.digests()
    assert len(home.tasks()) == 4


@pytest.mark.usefixtures("anywhere")
def test_a_card_whose_photos_were_mostly_edited_asks_for_a_word(home: Home, slot: Slot) -> None:
    slot.card("A", 1)
    slot.queue()
    slot.edit([0, 1, 2])
    assert home.run("resume").returncode == 75
    assert slot.push("--edited").returncode == 0
    assert slot.sent == slot.digests()
    assert len(home.tasks()) == 4


@pytest.mark.long
@pytest.mark.parametrize(
    ("volume", "state"), [(DISK, "missing"), ("", "missing"), (FACTORY, "missing")]
)
def test_a_photo_that_was_deleted_is_missing(
    home: Home, slot: Slot, volume: str, state: str
) -> None:
    home.lies_on(volume)
    slot.card("A", 1)
    slot.queue()
    slot.photos()[0].unlink()
    assert home.run("resume").returncode == 3
    assert home.states()["DSC_0.JPG"] == state


@pytest.mark.long
@pytest.mark.parametrize(
    ("then", "now", "code"), [(DISK, "", 0), ("", DISK, 0), (DISK, OTHER_DISK, 75)]
)
def test_a_disk_whose_name_is_not_known_is_known_by_its_photos(
    home: Home, slot: Slot, then: str, now: str, code: int
) -> None:
    """In a container, or after a reboot, the system may not say, or say at last: it is written down
    then."""
    home.lies_on(then)
    photos = slot.card("A", 1)
    slot.queue()
    home.lies_on(now)
    assert home.run("resume").returncode == code
    assert slot.sent == (set() if code else photos)
    assert home.sql("select distinct volume from photo") == [(then or now,)]
    assert home.sql("select distinct volume from root") == [(then or now,)]


@pytest.mark.long
def test_of_several_cards_below_one_folder_each_is_known_by_its_own_photos(
    home: Home, slot: Slot, request: pytest.FixtureRequest
) -> None:
    """Two readers with cards without ids; most photos are on the one, and the other's card is
    changed for a third."""

    def mount(name: str, first: int, count: int) -> set[str]:
        place = slot.media / name
        place.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no tmpfs may be mounted here: {done.stderr.strip()}")
        request.addfinalizer(
            lambda: subprocess.run(["umount", "-l", place], capture_output=True, check=False)
        )
        for number in range(count):
            (place / f"DSC_{number}.JPG").write_bytes(jpeg(first + number, 2000 + first))
        return {sha256(photo) for photo in place.glob("*.JPG")}

    mount("1", 1, 6)
    second = mount("2", 50, 2)
    slot.queue()
    subprocess.run(["umount", slot.media / "2"], check=True)
    third = mount("2", 90, 2)
    done = home.run("resume")
    assert done.returncode == 75, done.stderr
    assert not slot.sent & third
    assert slot.push().returncode == 75
    subprocess.run(["umount", slot.media / "2"], check=True)
    mount("2", 50, 2)
    home.run("resume")
    # The third card's photos are queued, too, and away now: until they are cancelled the second's
    # may wait.
    of_both = [
        task["state"]
        for task in home.tasks()
        if os.path.basename(os.path.dirname(task["path"])) == "2"
    ]
    assert set(of_both) <= {"pending", "uploaded"}, "nothing is replaced, and nothing given up"
    assert second <= slot.sent or "pending" in of_both


def test_a_push_that_ends_while_another_numbers_the_card_is_the_same_card(
    home: Home, server: FormServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.form(server)
    trip = home.photos(3)
    number_of, others = media.next_card, [("push", trip)]

    def numbered(connection: sqlite3.Connection) -> int:
        """The other push is over between the look at the journal and the number."""
        if others:
            assert finish(home.start(*others.pop())).returncode == 0
        return number_of(connection)

    monkeypatch.setattr(media, "next_card", numbered)
    assert home.run("push", trip).returncode == 0
    assert others == []
    assert sorted(server.names) == ["IMG_1.JPG", "IMG_2.JPG", "IMG_3.JPG"]
