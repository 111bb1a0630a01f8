"""One folder in two spellings, on disks that take both and on disks that tell them apart."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from blind import BlindDisk

from albumup.journal import media
from albumup.journal.journal import Journal
from albumup.journal.runs import albums
from albumup.photos import spelling
from albumup.photos.scan import Filters, open_roots
from albumup.photos.spelling import Spelling
from albumup.session.destination import Destination
from albumup.session.intake import Intake
from albumup.session.journaled import Journaled
from albumup.session.survey import Survey
from albumup.session.verify.findings import Outcome
from albumup.session.verify.here import look_here, pushed_folders
from albumup.session.verify.there import Copies

NFC, NFD = (unicodedata.normalize(form, "Übermut").encode() for form in ("NFC", "NFD"))


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BlindDisk:
    (tmp_path / "disk").mkdir()
    return BlindDisk(tmp_path / "disk", monkeypatch)


@pytest.mark.parametrize(
    "there, typed",
    [
        (b"Trip", b"TRIP"),
        (b"Trip/Day 1", b"trip/DAY 1"),
        (b"Trip/2026/a", b"TRIP/2026/A"),
        (b"2026", b"2026"),
        (NFD, NFC),
        (NFC, NFD),
        (NFD + b"/a", NFC + b"/A"),
        ("Поездка".encode(), "ПОЕЗДКА".encode()),
        (b"not text \xff", b"NOT text \xff"),
    ],
)
def test_the_listing_says_how_a_folder_is_spelled(
    disk: BlindDisk, there: bytes, typed: bytes
) -> None:
    folder = os.fsencode(disk.root)
    os.makedirs(os.path.join(folder, there))
    assert Spelling().of(os.path.join(folder, typed)) == os.path.join(folder, there)


def test_on_a_disk_that_tells_names_apart_nothing_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Trip").mkdir()
    monkeypatch.setattr(os, "scandir", refuse)
    for name in ("Trip", "TRIP", "trip/Day"):
        assert Spelling().of(os.fsencode(tmp_path / name)) == os.fsencode(tmp_path / name)


def test_servers_are_not_looked_for_in_other_spellings(
    disk: BlindDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (disk.root / "net/host/Trip").mkdir(parents=True)
    net = os.fsencode(disk.root / "net")
    monkeypatch.setattr(
        spelling, "file_system_of", lambda folder: "autofs" if folder == net else "nfs4"
    )
    asked: list[str] = []
    monkeypatch.setattr(
        disk,
        "found",
        lambda path, find=disk.found: (asked.append(os.fsdecode(path)), find(path))[1],
    )
    assert Spelling().of(net + b"/host/TRIP") == net + b"/host/Trip"
    assert not [path for path in asked if "HOST" in path]


def test_two_folders_are_two(tmp_path: Path) -> None:
    for name in ("trip", "TRIP"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Day").mkdir()
    for name in ("trip", "TRIP", "TRIP/Day", "Trip"):
        assert Spelling().of(os.fsencode(tmp_path / name)) == os.fsencode(tmp_path / name)
        assert not Spelling().is_ambiguous(os.fsencode(tmp_path / name))


def test_two_names_of_one_file_are_two(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"photo")
    (tmp_path / "A.JPG").hardlink_to(tmp_path / "a.jpg")
    for name in ("a.jpg", "A.JPG"):
        assert Spelling().of(os.fsencode(tmp_path / name)) == os.fsencode(tmp_path / name)


def test_inodes_may_be_made_up_for_each_spelling(
    disk: BlindDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (disk.root / "Trip").mkdir()
    monkeypatch.setattr(os.path, "samestat", lambda _one, _other: False)
    assert Spelling().of(os.fsencode(disk.root / "TRIP")) == os.fsencode(disk.root / "Trip")


def test_a_short_name_is_known_by_its_file(
    disk: BlindDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (disk.root / "Holidays 2026").mkdir()
    find = disk.found
    monkeypatch.setattr(
        disk,
        "found",
        lambda path: find(
            path.replace(b"HOLIDA~1", b"Holidays 2026").replace(b"holida~1", b"Holidays 2026")
        ),
    )
    assert Spelling().of(os.fsencode(disk.root / "HOLIDA~1")) == os.fsencode(
        disk.root / "Holidays 2026"
    )


def test_a_folder_of_many_named_files_is_listed_once(disk: BlindDisk) -> None:
    (disk.root / "Trip").mkdir()
    for number in range(30):
        (disk.root / f"Trip/{number}.jpg").write_bytes(b"\xff\xd8\xff")
    disk.listed.clear()
    roots = open_roots(
        [
            str(disk.root / f"TRIP/{number}.{suffix}")
            for number in range(30)
            for suffix in ("jpg", "JPG")
        ]
    )
    assert [os.path.basename(root.path) for root in roots] == [
        b"%d.jpg" % number for number in range(30)
    ]
    assert disk.listed.count(os.fsencode(disk.root / "Trip")) == 1


def refuse(path: object = ".") -> None:
    raise AssertionError(f"{path!r} was listed")


class Pushes:
    """A journal, and pushes of what lies below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = Journal(str(folder.parent / "journal.db"))

    def add(self, *names: str) -> None:
        for name in names:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"\xff\xd8\xff" + name.encode())

    def push(self, *names: str) -> Survey:
        roots = open_roots([str(self.folder / name) for name in names])
        intake = Intake(roots, Filters(), "trip", Destination("home", None), on_skip=lambda _: None)
        intake.take_in(self.journal, None, None)
        return intake.survey

    def photos(self) -> list[str]:
        rows = self.journal.rows("select path from photo order by path")
        return [os.fsdecode(os.path.relpath(row["path"], os.fsencode(self.folder))) for row in rows]

    def respell(self, *pairs: tuple[str, str]) -> None:
        """As an older version has journaled it that was told another spelling."""
        with self.journal.transaction():
            for table in ("photo", "root"):
                for was, now in pairs:
                    self.journal.connection.execute(
                        f"update {table} set path = cast(replace(cast(path as text), ?, ?) "
                        "as blob)",
                        (was, now),
                    )


@pytest.fixture
def pushes(disk: BlindDisk) -> Iterator[Pushes]:
    pushes = Pushes(disk.root)
    yield pushes
    pushes.journal.close()


@pytest.mark.parametrize(
    "first, second",
    [
        (["Trip"], ["TRIP"]),
        (["TRIP"], ["Trip"]),
        (["Trip"], ["trip/day"]),
        (["trip/day"], ["TRIP/Day"]),
        (["trip/DAY/b.jpg"], ["Trip/Day/B.JPG"]),
    ],
)
def test_a_push_of_the_other_spelling_finds_the_same_photos(
    pushes: Pushes, first: list[str], second: list[str]
) -> None:
    pushes.add("Trip/a.jpg", "Trip/Day/b.jpg")
    queued = pushes.push(*first).queued
    survey = pushes.push(*second)
    assert (survey.queued, bool(survey.waiting_before)) == (0, True)
    assert len(pushes.photos()) == queued
    assert set(pushes.photos()) <= {"Trip/a.jpg", "Trip/Day/b.jpg"}


def test_two_spellings_in_one_command_are_one_folder(pushes: Pushes) -> None:
    pushes.add("Trip/a.jpg")
    assert pushes.push("Trip", "TRIP", "trip/A.jpg").queued == 1


@pytest.mark.parametrize("second", ["Trip", "TRIP", "Trip/Day", "tRIP/dAY"])
def test_what_an_older_version_queued_under_another_spelling_is_found(
    pushes: Pushes, second: str
) -> None:
    pushes.add("Trip/Day/a.jpg", "Trip/Day/b.jpg")
    pushes.push("Trip")
    pushes.respell(("Trip/Day", "TRIP/DAY"), ("/Trip", "/TRIP"))
    assert pushes.photos() == ["TRIP/DAY/a.jpg", "TRIP/DAY/b.jpg"]
    survey = pushes.push(second)
    assert (survey.queued, survey.waiting_before) == (0, 2)
    pushes.add("Trip/Day/c.jpg")
    assert pushes.push(second).queued == 1
    assert pushes.push("Trip").queued == 0


def test_what_was_renamed_in_case_alone_is_the_same_photo(pushes: Pushes) -> None:
    pushes.add("Trip/a.JPG", "Trip/Day/b.jpg", "Trip/Day/c.jpg")
    pushes.push("Trip")
    pushes.add("Trip/0001")  # whose name has one spelling alone
    (pushes.folder / "Trip/a.JPG").rename(pushes.folder / "Trip/a.jpg")
    (pushes.folder / "Trip/Day").rename(pushes.folder / "Trip/DAY")
    (pushes.folder / "Trip").rename(pushes.folder / "trip")
    survey = pushes.push("trip")
    assert (survey.queued, survey.waiting_before) == (1, 3)
    assert pushes.photos() == ["Trip/0001", "Trip/Day/b.jpg", "Trip/Day/c.jpg", "Trip/a.JPG"]
    pushes.add("trip/a.jpg 2.jpg")
    assert pushes.push("trip").queued == 1


def test_folders_that_are_renamed_between_pushes_of_parts(pushes: Pushes) -> None:
    """What is new below a renamed folder is noted by its new name, what was there by its old
    one."""
    pushes.add("Trip/Day/1.jpg", "Trip/Night/2.jpg")
    assert [pushes.push(name).queued for name in ("Trip/Day", "Trip/Night")] == [1, 1]
    (pushes.folder / "Trip/Day").rename(pushes.folder / "Trip/DAY")
    pushes.add("Trip/DAY/3.jpg")
    assert pushes.push("Trip").queued == 1
    assert pushes.push("Trip/day").queued == 0
    (pushes.folder / "Trip").rename(pushes.folder / "TRIP")
    pushes.add("TRIP/Noon/4.jpg")
    assert pushes.push("TRIP/Noon").queued == 1
    assert pushes.push("TRIP").queued == 0
    assert pushes.photos() == [
        "Trip/DAY/3.jpg",
        "Trip/Day/1.jpg",
        "Trip/Night/2.jpg",
        "Trip/Noon/4.jpg",
    ]


def test_a_photo_can_be_named_by_any_spelling(pushes: Pushes) -> None:
    pushes.add("Trip/a.JPG")
    pushes.push("Trip")
    places, folder = Journaled(pushes.journal.connection, Spelling()), os.fsencode(pushes.folder)
    typed = [folder + b"/trip/A.jpg", folder + b"/Trip/a.JPG", b"a.JPG", folder + b"/trip/b.jpg"]
    assert places.named(1, typed) == [folder + b"/Trip/a.JPG", *typed[1:]]


def test_what_was_renamed_and_edited_is_prepared_again_under_its_name(pushes: Pushes) -> None:
    pushes.add("Trip/a.JPG", "Trip/b.jpg", "Trip/c.jpg")
    pushes.push("Trip")
    (pushes.folder / "Trip/a.JPG").rename(pushes.folder / "Trip/a.jpg")
    (pushes.folder / "Trip/a.jpg").write_bytes(b"\xff\xd8\xff edited")
    assert pushes.push("Trip").changed == 1
    assert len(pushes.photos()) == 3


@pytest.mark.parametrize("root", ["Trip", "TRIP"])
def test_verify_looks_once_at_each_file(disk: BlindDisk, root: str) -> None:
    (disk.root / "Trip").mkdir()
    (disk.root / "Trip/a.jpg").write_bytes(b"\xff\xd8\xff")
    copies, folder = Copies(), os.fsencode(disk.root)
    copies.by_path = dict.fromkeys((folder + b"/TRIP/A.JPG", folder + b"/Trip/A.JPG"), "")
    found = list(look_here(copies, [folder + b"/" + root.encode()], Outcome()))
    assert [one.path for one in found] == [folder + f"/{root}/a.jpg".encode()]


def test_verify_takes_two_spellings_for_one_folder(pushes: Pushes) -> None:
    pushes.add("Trip/a.jpg")
    pushes.push("Trip")
    pushes.respell(("/Trip", "/TRIP"))
    with pushes.journal.transaction():
        pushes.journal.connection.execute(
            "insert into root (path, volume, card, is_folder) "
            "select cast(? as blob), volume, card, 1 from root",
            (os.fsencode(pushes.folder / "Trip"),),
        )
        pushes.journal.connection.execute("insert or ignore into pushed select 1, id from root")
    (album,) = albums(pushes.journal)
    assert pushed_folders(pushes.journal, album) == [os.fsencode(pushes.folder / "Trip")]


def test_the_album_of_a_folder_is_found_by_its_other_spelling(pushes: Pushes) -> None:
    pushes.add("Trip/a.jpg")
    pushes.push("Trip")
    folder = os.fsencode(pushes.folder)
    journaled = Journaled(pushes.journal.connection, Spelling())
    assert media.albums_of_root(pushes.journal.connection, folder + b"/Trip") == ["trip"]
    assert journaled.album("Trip", folder + b"/Trip") == "trip"
    assert journaled.album("Other", folder + b"/Trip") == "Other"
    assert journaled.album("Trip", folder) == "Trip"


def test_a_disk_that_tells_names_apart_has_two_folders(tmp_path: Path) -> None:
    pushes = Pushes(tmp_path / "disk")
    pushes.add("Trip/a.jpg", "TRIP/a.jpg", "Trip/A.JPG", "Trip/b.jpg")
    assert pushes.push("Trip").queued == 3
    assert pushes.push("TRIP").queued == 1
    assert len(pushes.photos()) == 4
    (pushes.folder / "Trip/B.JPG").hardlink_to(pushes.folder / "Trip/b.jpg")
    assert pushes.push("Trip").queued == 1
    pushes.journal.close()
