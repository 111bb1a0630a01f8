"""What is said of each file in a pushed folder, whatever its name; levels of proof by a target that
is made up."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from disk_reads import read_from_disk
from short import short_form

from albumup.session.verify import here
from albumup.session.verify.findings import Copy, Finding, Kind, Outcome, There
from albumup.session.verify.here import look_here
from albumup.session.verify.there import Copies
from albumup.session.verify.there import _enter as enter

JPEG = b"\xff\xd8\xff\xe0 a photo"
OTHER = b"\xff\xd8\xff\xe1 never sent"
FORK = b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(40)


def known(*contents: bytes, level: There = There.READABLE, why_not: str = "") -> Copies:
    """An album with photos of these bytes."""
    copies = Copies()
    for content in contents:
        copy = Copy(len(content), level, why_not)
        copies.by_digest[hashlib.sha256(content).digest()] = copy
        copies.photos.append((b"/pushed", copy))
    return copies


def put(folder: Path, name: str, content: bytes = JPEG) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def look(copies: Copies, *folders: Path) -> tuple[Outcome, list[Finding]]:
    outcome = Outcome()
    return outcome, list(look_here(copies, [os.fsencode(folder) for folder in folders], outcome))


def kinds(findings: Sequence[Finding], folder: Path) -> dict[str, Kind]:
    return {os.path.relpath(os.fsdecode(one.path), folder): one.kind for one in findings}


SAFE = (
    # what macOS and others leave, and what is no photo
    ("._IMG_1.JPG", FORK), (".DS_Store", b"x"), ("notes.txt", b"words"), ("C0001M01.XML", b"<x/>"),
    (".hidden", b"x"), ("index.d.mts", b"export {};\n"),
    ("song.wma", bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")),
    # what a camera made for a photo that is proven
    ("IMG_1.THM", OTHER), ("IMG_1.SCR", OTHER), ("img_1.lrv", OTHER), ("IMG_1.LRF", OTHER),
    ("IMG_1.THM", b""), ("GX010123.LRV", b"of its own kind"),
    ("MISC/THM/100/IMG_1.THM", OTHER), ("MISC/THM/100/IMG_1.SCR", OTHER), ("GL010123.LRV", OTHER),
    ("LRV_20240101_101010_01_001.insv", OTHER), ("M4ROOT/THMBNL/C0001T01.JPG", OTHER),
    ("M4ROOT/SUB/C0001S03.MP4", OTHER),
    # what a NAS made
    ("@eaDir/IMG_1.JPG/SYNOPHOTO_THUMB_XL.jpg", OTHER), ("@eaDir/SYNOFILE_THUMB_M.jpg", OTHER),
    (".@__thumb/s800IMG_1.JPG", OTHER), ("#snapshot/2024/IMG_1.JPG", OTHER),
    # proven, whatever its name
    ("copy of it.dat", JPEG), ("._IMG_9.jpg", JPEG), (".Trashes/501/IMG_1.JPG", JPEG),
    # named, and counted
    ("IMG_1.AAE", b"<x/>"), ("IMG_1.xmp", b"<x/>"),
)  # fmt: skip
UNSAFE = (
    ("IMG_9.JPG", OTHER), ("._IMG_9.jpg", OTHER), (".hidden.jpg", OTHER), ("no suffix", OTHER),
    ("IMG_9.dat", OTHER), ("IMG_1.JPG_original", OTHER), ("IMG_1.JPG~", OTHER),
    ("IMG_2.jpg.part", OTHER), ("#recycle/REAL.JPG", OTHER), ("$RECYCLE.BIN/REAL.JPG", OTHER),
    ("thumbnails/REAL.JPG", OTHER), ("@eaDir/REAL.JPG", OTHER), ("IMG_9.THM", OTHER),
    ("other/IMG_1.THM", OTHER), ("GL010999.LRV", OTHER), ("GX010123.THM", OTHER),
    ("LRV_20240101_111111_01_001.insv", OTHER), ("M4ROOT/THMBNL/C0002T01.JPG", OTHER),
    ("M4ROOT/SUB/C0001S11.MP4", OTHER), ("M4ROOT/SUB/C0001.MP4", OTHER),
    ("elsewhere/SUB/X/C0001S03.MP4", OTHER), ("unknown.X3F", b"FOVb"),
    ("A001_C001.R3D", b"\0\0\1\0RED2"), ("IMG_9.livp", b"PK\3\4"), ("C0001.ari", b"ARRI"),
    ("MOV001.MOD", b"clip"), ("MOV001", b"\0\0\1\xba clip"), ("MOV002", b"\0\0\1\xb3 clip"),
    ("scan.tga", b"x"), ("text.jpg", b"words"), ("empty.jpg", b""), ("00001.MTS", bytes(9)),
    ("old.kc2", b"x"), ("LRV_20240101_101010.jpg", OTHER),
)  # fmt: skip


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """A folder of which everything is proven."""
    for name in (
        "IMG_1.JPG", "GX010123.MP4", "VID_20240101_101010_00_001.insv", "M4ROOT/CLIP/C0001.MP4"
    ):  # fmt: skip
        put(tmp_path, name)
    return tmp_path


@pytest.mark.parametrize(("name", "content"), short_form(SAFE, 12))
def test_what_is_no_photo_or_proven_counts_against_nothing(
    card: Path, name: str, content: bytes
) -> None:
    put(card, name, content)
    outcome, findings = look(known(JPEG), card)
    assert outcome.is_safe, kinds(findings, card)
    is_sidecar = name.endswith((".AAE", ".xmp"))
    assert (outcome.sidecars == 1) == is_sidecar
    assert outcome.proven + outcome.sidecars + outcome.made.total() + outcome.others.total() == 5


@pytest.mark.parametrize(("name", "content"), short_form(UNSAFE, 12))
def test_what_may_be_a_photo_has_to_be_proven_whatever_its_name(
    card: Path, name: str, content: bytes
) -> None:
    if name == "GX010123.THM":
        (card / "GX010123.MP4").unlink()
    put(card, name, content)
    outcome, findings = look(known(JPEG), card)
    assert not outcome.is_safe
    assert [one for one, kind in kinds(findings, card).items() if kind is Kind.UNPROVEN] == [name]
    bin_name = os.path.dirname(name)
    assert list(outcome.bins) == (
        [os.fsencode(card / bin_name)] if bin_name[:1] in ("#", "$") else []
    )


@pytest.mark.parametrize("level", [There.NOTHING, There.ACCEPTED, There.HELD])
def test_less_than_readable_is_no_proof(card: Path, level: There) -> None:
    outcome, findings = look(known(JPEG, level=level, why_not="not seen"), card)
    assert (outcome.proven, outcome.unproven, outcome.on_server) == (0, 4, 0)
    assert {one.words for one in findings} == {"not seen"}


def test_a_file_under_another_name_than_pushed_is_proven_by_its_bytes(tmp_path: Path) -> None:
    put(tmp_path, "renamed.jpg")
    copies = known(JPEG, OTHER)
    copies.by_path[os.fsencode(tmp_path / "renamed.jpg")] = ""
    outcome, _ = look(copies, tmp_path)
    assert outcome.is_safe
    assert (outcome.photos, outcome.on_server, outcome.gone, outcome.lost) == (2, 2, 1, [])
    assert outcome.frees == len(JPEG)


def test_what_is_neither_here_nor_there_is_named_and_keeps_nothing_from_being_erased(
    tmp_path: Path,
) -> None:
    put(tmp_path, "a.jpg")
    copies = known(JPEG)
    copies.photos.append((b"/another/card.jpg", Copy(5, There.NOTHING, "it is not sent yet")))
    outcome, _ = look(copies, tmp_path)
    assert outcome.is_safe
    assert outcome.lost == [(b"/another/card.jpg", "it is not sent yet")]


def test_what_changed_since_it_was_sent_says_so(tmp_path: Path) -> None:
    path = put(tmp_path, "a.jpg", OTHER)
    copies = known(JPEG)
    copies.by_path[os.fsencode(path)] = ""
    outcome, (finding,) = look(copies, tmp_path)
    assert (outcome.unproven, finding.words) == (1, "it has changed here since it was sent")


def test_a_file_that_cannot_be_read_is_not_safe_whatever_it_is(
    card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = os.fsencode(put(card, "notes.txt", b"words"))
    really = os.open

    def broken(path: bytes, *more: int) -> int:
        if path == bad:
            raise OSError(5, "Input/output error")
        return really(path, *more)

    monkeypatch.setattr(os, "open", broken)
    outcome, findings = look(known(JPEG), card)
    assert outcome.unproven == 1
    assert [one.words for one in findings if one.path == bad] == [
        "it cannot be read here: Input/output error"
    ]


def test_links_and_what_is_no_file_are_counted_and_never_followed(
    card: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    far = tmp_path_factory.mktemp("far")
    put(far, "far.jpg", OTHER)
    (card / "link.jpg").symlink_to(far / "far.jpg")
    (card / "folder").symlink_to(far)
    os.mkfifo(card / "pipe.jpg")
    outcome, _ = look(known(JPEG), card)
    assert outcome.is_safe
    assert outcome.others == {"links": 2, "no files": 1}


def test_two_names_of_one_file_free_its_room_once(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    (tmp_path / "b.jpg").hardlink_to(tmp_path / "a.jpg")
    outcome, _ = look(known(JPEG), tmp_path)
    assert (outcome.proven, outcome.frees) == (2, len(JPEG))


@pytest.mark.parametrize("went_first", [True, False])
def test_a_sidecar_that_went_once_is_not_one_that_was_not_sent(went_first: bool) -> None:
    copies = Copies()
    for went in (went_first, not went_first):
        row = {"state": "uploaded", "path": b"/t/A.JPG", "size": 9, "sha256": "aa", "reason": ""}
        beside = {"beside": b"/t/A.xmp", "beside_sha256": "bb", "beside_sent": went}
        enter(copies, row | beside)  # type: ignore[arg-type]
    assert copies.sidecars == {b"/t/A.xmp": "bb"}


def test_sidecars_that_went_along_are_compared(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    same, changed = put(tmp_path, "a.xmp", b"<one/>"), put(tmp_path, "b.xmp", b"<two/>")
    copies = known(JPEG)
    for path in (same, changed):
        copies.sidecars[os.fsencode(path)] = hashlib.sha256(b"<one/>").hexdigest()
    outcome, findings = look(copies, tmp_path)
    assert [(one.kind, one.words) for one in findings if one.kind is Kind.SIDECAR] == [
        (Kind.SIDECAR, "a sidecar that has changed since it was sent")
    ]
    assert (outcome.is_safe, outcome.sidecars) == (True, 1)


def test_stores_of_receivers_are_found_in_and_around_a_pushed_folder(tmp_path: Path) -> None:
    for store in ("around", "around/pushed/inside", "beside"):
        for name in (".albumup", ".incoming"):
            (tmp_path / store / name).mkdir(parents=True)
    outcome, _ = look(Copies(), tmp_path / "around" / "pushed")
    assert outcome.stores == [
        os.fsencode(tmp_path / "around"),
        os.fsencode(tmp_path / "around/pushed/inside"),
    ]


def test_an_erased_folder_leaves_what_is_there(tmp_path: Path) -> None:
    outcome, findings = look(known(JPEG, OTHER), tmp_path / "gone")
    assert findings == []
    assert (outcome.is_erased, outcome.is_safe, outcome.on_server, outcome.gone) == (
        True,
        False,
        2,
        2,
    )


def test_what_a_camera_makes_is_counted_whatever_it_holds(card: Path) -> None:
    put(card, "IMG_1.THM", b"of its own kind")
    put(card, "IMG_9.SCR", b"of its own kind")
    outcome, _ = look(known(JPEG), card)
    assert (outcome.made, outcome.others) == ({".thm": 1}, {".scr": 1})


def test_what_a_camera_made_may_go_after_its_photo(tmp_path: Path) -> None:
    put(tmp_path, "IMG_1.THM", OTHER)
    copies = known(JPEG)
    assert look(copies, tmp_path)[0].unproven == 1
    copies.photos.append((os.fsencode(tmp_path / "IMG_1.JPG"), copies.photos[0][1]))
    assert look(copies, tmp_path)[0].is_erased


@pytest.mark.parametrize("is_on_disk", [True, False], ids=["fsynced", "just written"])
def test_the_second_reading_is_of_the_disk(tmp_path: Path, is_on_disk: bool) -> None:
    data = JPEG + os.urandom(4 << 20)
    with open(put(tmp_path, "a.jpg", data), "rb") as file:
        if is_on_disk:
            os.fsync(file.fileno())
        file.read()
    before = read_from_disk(tmp_path)
    outcome, _ = look(known(data), tmp_path)
    assert outcome.is_safe
    assert read_from_disk(tmp_path) - before >= len(data) * (not outcome.from_memory)


def test_what_lies_in_memory_alone_is_counted_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        put(tmp_path, f"{number}.jpg")
    slept: list[float] = []
    monkeypatch.setattr(here, "drop_from_cache", lambda _: False)
    monkeypatch.setattr(time, "sleep", slept.append)
    outcome, _ = look(known(JPEG), tmp_path)
    assert (outcome.proven, outcome.from_memory) == (20, 20)
    assert sum(slept) < 4
