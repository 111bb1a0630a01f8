"""Folders -> photos: what is found, in which order, and what is left out for which reason."""

from __future__ import annotations

import errno
import os
import re
import socket
import time
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from albumup.errors import LocalError, UsageError
from albumup.photos import scan as module
from albumup.photos.order import natural_key
from albumup.photos.scan import (
    Filters,
    Found,
    Item,
    Root,
    Skipped,
    SkipReason,
    Unreadable,
    open_root,
)

JPEG = b"\xff\xd8\xff\xe0 a photo"


def put(folder: Path, *names: str, content: bytes = JPEG) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def unknown(*_photo: object) -> str | None:
    return None


def look(*roots: Path, **filters: object) -> list[Item]:
    opened = [open_root(os.fsencode(root)) for root in roots]
    return list(module.scan(opened, Filters(**filters), unknown))  # type: ignore[arg-type]


def found(items: list[Item]) -> list[str]:
    return [os.fsdecode(item.relative) for item in items if isinstance(item, Found)]


def skipped(items: list[Item], root: Path) -> dict[str, SkipReason]:
    reasons = {
        os.path.relpath(os.fsdecode(item.path), root): item.reason
        for item in items
        if isinstance(item, Skipped)
    }
    assert len(reasons) == sum(isinstance(item, Skipped) for item in items)
    return reasons


# --- what a photo is ------------------------------------------------------------------------------


def test_a_photo_is_told_in_full(tmp_path: Path) -> None:
    put(tmp_path, "day 1/IMG_1.JPG")
    root = open_root(str(tmp_path))
    info = os.stat(tmp_path / "day 1/IMG_1.JPG")
    (item,) = module.scan([root], Filters(), unknown)
    assert item == Found(
        root=root,
        path=os.fsencode(tmp_path / "day 1/IMG_1.JPG"),
        relative=b"day 1/IMG_1.JPG",
        size=len(JPEG),
        mtime_ns=info.st_mtime_ns,
        inode=info.st_ino,
        volume=root.volume,
        mime="image/jpeg",
        known=False,
        error="",
    )


def test_type_is_by_content_then_by_name(tmp_path: Path) -> None:
    put(tmp_path, "without_suffix", "wrong.png")
    put(tmp_path, "odd.jpg", "notes.txt", content=b"no signature")
    items = look(tmp_path)
    types = {item.relative: item.mime for item in items if isinstance(item, Found)}
    assert types == {
        b"odd.jpg": "image/jpeg",
        b"without_suffix": "image/jpeg",
        b"wrong.png": "image/jpeg",
    }
    assert skipped(items, tmp_path) == {"notes.txt": SkipReason.NO_MEDIA}


def test_what_the_journal_knows_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    opened: list[bytes] = []
    asked: list[tuple[bytes, str, os.stat_result]] = []
    real_open = os.open

    def counted(path: bytes, flags: int) -> int:
        opened.append(path)
        return real_open(path, flags)

    def journal(*photo: object) -> str | None:
        asked.append(photo)  # type: ignore[arg-type]
        return None if photo[1] == path_of["b"] else "image/x-journaled"

    path_of = {name: os.fsencode(tmp_path / f"{name}.jpg") for name in "abc"}
    monkeypatch.setattr(os, "open", counted)
    root = Root(os.fsencode(tmp_path), os.stat(tmp_path).st_dev, "CARD-1", True)
    items = list(module.scan([root], Filters(), journal))
    assert opened == [path_of["b"]]
    assert [(item.mime, item.known) for item in items if isinstance(item, Found)] == [
        ("image/x-journaled", True),
        ("image/jpeg", False),
        ("image/x-journaled", True),
    ]
    stats = {path: os.stat(path) for path in path_of.values()}
    assert asked == [(root, path, "CARD-1", info) for path, info in stats.items()]
    assert {item.volume for item in items if isinstance(item, Found)} == {"CARD-1"}


def test_a_known_file_costs_one_stat_and_no_other_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, *(f"{number}.jpg" for number in range(20)))
    root = open_root(str(tmp_path))
    calls: list[object] = []
    for name in ("stat", "lstat", "open", "readlink", "access"):
        monkeypatch.setattr(os, name, lambda *args, **_options: calls.append(args))
    items = list(module.scan([root], Filters(), lambda *_photo: "image/jpeg"))
    monkeypatch.undo()
    assert len(items) == 20
    assert calls == []  # each entry's own stat, which is not os.stat, is the one


def test_undecodable_names(tmp_path: Path) -> None:
    for name in (b"b\xff.JPG", b"a\x1b[2J.JPG", b"-rf.jpg"):
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            file.write(JPEG)
    items = look(tmp_path, include=("*.jpg",))
    assert [item.relative for item in items if isinstance(item, Found)] == [
        b"-rf.jpg",
        b"a\x1b[2J.JPG",
        b"b\xff.JPG",
    ]


# --- order ----------------------------------------------------------------------------------------


def test_files_first_then_folders_each_in_natural_order(tmp_path: Path) -> None:
    put(
        tmp_path,
        "IMG_10.JPG",
        "img_9.jpg",
        "IMG_2.JPG",
        "day 10/a.jpg",
        "day 9/x/b.jpg",
        "day 9/y.jpg",
        "Z.jpg",
    )
    assert found(look(tmp_path)) == [
        "IMG_2.JPG",
        "img_9.jpg",
        "IMG_10.JPG",
        "Z.jpg",
        "day 9/y.jpg",
        "day 9/x/b.jpg",
        "day 10/a.jpg",
    ]


@pytest.mark.parametrize(
    "names",
    [
        [b"IMG_2.JPG", b"IMG_10.JPG"],
        [b"img_2.jpg", b"IMG_3.JPG", b"img_4.jpg"],
        [b"1", b"2", b"10", b"a"],
        [b"a", b"a0", b"a1", b"ab"],
        [b"a-1", b"a1", b"aa"],
        [b"x1y2", b"x1y10", b"x2y1"],
        [b"2" * 40, b"1" * 41],
        [b"\xc3\xa4.jpg", b"\xc3\x84b.jpg", b"\xc3\xa4c.jpg"],
        [b"a\xfe1", b"a\xfe2", b"a\xfe10"],
    ],
)
def test_natural_order(names: list[bytes]) -> None:
    backwards = names[::-1]
    assert sorted(backwards, key=natural_key) == names


NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: b"\0" not in name) | st.text(
    "aA0129_.", min_size=1, max_size=8
).map(str.encode)


@given(NAMES, NAMES)
@example(b"IMG_1.JPG", b"img_1.jpg")
@example(b"IMG_1.JPG", b"IMG_01.JPG")
@example(b"1", b"\x01")
def test_no_two_names_sort_alike(one: bytes, other: bytes) -> None:
    assert (natural_key(one) == natural_key(other)) == (one == other)


@given(
    st.text("abZ._-"),
    st.integers(0, 10**30),
    st.integers(0, 10**30),
    st.integers(0, 3),
    st.text("abZ._-"),
)
def test_numbers_sort_by_value_wherever_they_are(
    stem: str, one: int, other: int, zeros: int, rest: str
) -> None:
    first, second = f"{stem}{'0' * zeros}{one}{rest}".encode(), f"{stem}{other}{rest}".encode()
    if one != other:
        assert (natural_key(first) < natural_key(second)) == (one < other)


@given(st.text("aAbBzZ09_.", max_size=8), st.text("aAbBzZ09_.", max_size=8))
def test_case_only_decides_between_names_equal_without_it(one: str, other: str) -> None:
    def alike(text: str) -> str:
        return re.sub("0+([0-9])", r"\1", text.casefold())

    if alike(one) != alike(other):
        lower = natural_key(one.lower().encode()) < natural_key(other.lower().encode())
        assert (natural_key(one.encode()) < natural_key(other.encode())) == lower


# --- what is left out -----------------------------------------------------------------------------


def test_hidden(tmp_path: Path) -> None:
    root = tmp_path / ".card"
    put(root, ".a.jpg", ".trash/b.jpg", "c.jpg")
    items = look(root)
    assert found(items) == ["c.jpg"]  # the root's own name is no obstacle
    assert skipped(items, root) == {".a.jpg": SkipReason.HIDDEN, ".trash": SkipReason.HIDDEN}
    assert found(look(root, hidden=True)) == [".a.jpg", "c.jpg", ".trash/b.jpg"]


LEFT_FOLDERS = [
    "@eaDir",
    "@__thumb",
    "#recycle",
    "@Recycle",
    "$RECYCLE.BIN",
    "RECYCLER",
    "#snapshot",
    "THMBNL",
    "thumbnails",
    "M4ROOT/SUB",
    "trip Smart Previews.lrdata",
]
LEFT_FILES = [
    "GX01.LRV",
    "gx01.thm",
    "DJI_0001.LRF",
    "LRV_20240101_101010_01_001.insv",
    "SYNOFILE_THUMB_M.jpg",
    "synofile_thumb_s.png",
    "a.JPG_original",
    "b.jpg~",
    "c.jpg.part",
    "c.jpg.filepart",
    "d.jpg.crdownload",
    "d.jpg.opdownload",
    "d.jpg.partial",
    "e.jpg.tmp",
    "e.jpg_exiftool_tmp",
    "VIRB0001.GLV",
    "DJI_0001.SCR",
]


def test_leftovers_of_cameras_servers_and_tools(tmp_path: Path) -> None:
    folders = [*LEFT_FOLDERS, "System Volume Information", "ThumbNails2/thumbnails"]
    kept = [
        "a.jpg",
        "ThumbNails2/b.jpg",
        "by day~/c.jpg",
        "shoot_original/d.jpg",
        "sub/e.jpg",
        "x.tmp/f.jpg",
    ]
    put(tmp_path, *(f"{folder}/a.jpg" for folder in folders), *LEFT_FILES, *kept)
    items = look(tmp_path)
    assert sorted(found(items)) == sorted(kept)
    assert skipped(items, tmp_path) == dict.fromkeys([*folders, *LEFT_FILES], SkipReason.LEFTOVER)
    assert len(found(look(tmp_path, no_skip=True))) == len(folders) + len(LEFT_FILES) + len(kept)


def test_apple_double_is_told_by_its_magic_wherever_it_is_named(tmp_path: Path) -> None:
    put(tmp_path, "._fork.jpg", content=b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(40))
    put(tmp_path, "._photo.jpg", "a.jpg")
    items = look(tmp_path, hidden=True)
    assert found(items) == ["._photo.jpg", "a.jpg"]
    assert skipped(items, tmp_path) == {"._fork.jpg": SkipReason.LEFTOVER}
    (alone,) = look(tmp_path / "._fork.jpg")
    assert isinstance(alone, Skipped)
    assert found(look(tmp_path, hidden=True, no_skip=True)) == [
        "._fork.jpg",
        "._photo.jpg",
        "a.jpg",
    ]


def test_of_a_library_of_apple_photos_its_originals_are_taken(tmp_path: Path) -> None:
    library = "Photos Library.photoslibrary"
    put(
        tmp_path, f"{library}/originals/0/A.heic", f"{library}/resources/derivatives/A.jpg", "a.jpg"
    )
    assert found(look(tmp_path)) == ["a.jpg", f"{library}/originals/0/A.heic"]
    assert found(look(tmp_path / library)) == ["originals/0/A.heic"]
    assert len(found(look(tmp_path, no_skip=True))) == 3


def test_of_a_library_of_iphoto_its_masters_are_taken(tmp_path: Path) -> None:
    library = "iPhoto Library.photolibrary"
    put(tmp_path, f"{library}/Masters/2012/A.jpg", f"{library}/Previews/2012/A.jpg")
    assert found(look(tmp_path)) == [f"{library}/Masters/2012/A.jpg"]


def test_what_a_receiver_has_stored_is_not_taken_in(tmp_path: Path) -> None:
    put(tmp_path, "pics/P1.jpg", "pics/mine/P2.jpg", "pics/trip/stored.jpg", "trip/P3.jpg")
    put(tmp_path, "pics/.albumup/trip.sha256", "pics/.incoming/x.part", content=b"")
    for root in (tmp_path, tmp_path / "pics"):
        items = look(root)
        assert not [path for path in found(items) if "stored" in path]
        assert SkipReason.LEFTOVER in skipped(items, root).values()
    assert found(look(tmp_path / "pics")) == ["P1.jpg", "mine/P2.jpg"]
    assert found(look(tmp_path / "pics" / "trip")) == ["stored.jpg"], "somebody named it"
    assert "trip/stored.jpg" in found(look(tmp_path / "pics", no_skip=True))


def test_sidecars_and_empty_files_and_no_media(tmp_path: Path) -> None:
    put(tmp_path, "a.JPG.XMP", "b.aae", "c.txt", content=b"text")
    put(tmp_path, "empty.jpg", "empty.txt", content=b"")
    assert skipped(look(tmp_path), tmp_path) == {
        "a.JPG.XMP": SkipReason.SIDECAR,
        "b.aae": SkipReason.SIDECAR,
        "c.txt": SkipReason.NO_MEDIA,
        "empty.jpg": SkipReason.EMPTY,
        "empty.txt": SkipReason.EMPTY,
    }


def test_what_is_no_file_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.jpg"))
        items = look(tmp_path)
    assert skipped(items, tmp_path) == {
        "pipe.jpg": SkipReason.SPECIAL,
        "socket.jpg": SkipReason.SPECIAL,
    }


def test_a_file_that_becomes_a_pipe_while_it_is_looked_at(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")

    def swap(*_photo: object) -> str | None:
        os.unlink(tmp_path / "a.jpg")
        os.mkfifo(tmp_path / "a.jpg")
        return None

    (item,) = module.scan([open_root(str(tmp_path))], Filters(), swap)
    assert item == Skipped(os.fsencode(tmp_path / "a.jpg"), SkipReason.SPECIAL)


def test_the_size_told_is_that_of_the_file_that_was_opened(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")

    def grow(*_photo: object) -> str | None:
        put(tmp_path, "a.jpg", content=JPEG * 2)
        return None

    (item,) = module.scan([open_root(str(tmp_path))], Filters(), grow)
    assert isinstance(item, Found)
    assert item.size == 2 * len(JPEG)


def test_reasons_are_the_words_of_the_screens() -> None:
    assert {str(reason) for reason in SkipReason} == {
        "hidden",
        "empty",
        "no media",
        "link out of the tree",
        "sidecar",
        "leftover",
        "excluded",
        "older",
        "special",
        "changed just now",
    }


# --- filters --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("include", "exclude", "names"),
    [
        ((), (), ["b.png", "IMG_1.JPG", "raw/IMG_2.jpg", "raw/old/IMG_3.jpg"]),
        (("*.jpg",), (), ["IMG_1.JPG", "raw/IMG_2.jpg", "raw/old/IMG_3.jpg"]),
        (("img_[12]*", "B.*"), (), ["b.png", "IMG_1.JPG", "raw/IMG_2.jpg"]),
        (("RAW/*",), (), ["raw/IMG_2.jpg", "raw/old/IMG_3.jpg"]),
        (("*/old/*",), (), ["raw/old/IMG_3.jpg"]),
        (("raw",), (), []),
        ((), ("img_*",), ["b.png"]),
        ((), ("RAW/*", "*.PNG"), ["IMG_1.JPG"]),
        ((), ("raw",), ["b.png", "IMG_1.JPG"]),
        (("*.jpg",), ("IMG_1*",), ["raw/IMG_2.jpg", "raw/old/IMG_3.jpg"]),
    ],
)
def test_include_and_exclude(
    tmp_path: Path, include: tuple[str, ...], exclude: tuple[str, ...], names: list[str]
) -> None:
    put(tmp_path, "IMG_1.JPG", "b.png", "raw/IMG_2.jpg", "raw/old/IMG_3.jpg")
    items = look(tmp_path, include=include, exclude=exclude)
    assert found(items) == names
    assert set(skipped(items, tmp_path).values()) <= {SkipReason.EXCLUDED}


def test_an_excluded_folder_counts_as_one(tmp_path: Path) -> None:
    put(tmp_path, "raw/a.jpg", "raw/b.jpg", "c.jpg")
    assert skipped(look(tmp_path, exclude=("raw",)), tmp_path) == {"raw": SkipReason.EXCLUDED}


@pytest.mark.parametrize(
    ("include", "names"),
    [
        (("*.xyz",), ["a.XYZ", "raw/b.xyz"]),
        (("raw/*.xyz",), ["raw/b.xyz"]),
        (("a.*", "*"), ["a.jpg"]),
        (("*.xy?", "*.[x]yz"), []),
        (("*.ts", "*.LRV", "*.jpg"), ["a.jpg", "index.ts", "low.lrv"]),
        (("*.insv",), []),
        (("*.jpg_original", "*.xmp~"), ["a.jpg_original"]),
        (("*.aae",), ["c.aae"]),
    ],
)
def test_a_suffix_that_is_asked_for_is_taken_whatever_it_holds(
    tmp_path: Path, include: tuple[str, ...], names: list[str]
) -> None:
    put(tmp_path, "a.XYZ", "raw/b.xyz", "index.ts", "c.aae", content=b"text")
    put(tmp_path, "a.jpg", "a.jpg_original", "low.lrv", "LRV_1.insv", ".hidden.xyz")
    put(tmp_path, "empty.xyz", content=b"")
    items = look(tmp_path, include=include)
    assert found(items) == names
    assert not [item for item in items if isinstance(item, Found) and item.oddity]
    assert "a.XYZ" not in found(look(tmp_path, include=include, exclude=("a.*",)))


def test_a_sidecar_that_goes_along_is_no_file_of_its_own(tmp_path: Path) -> None:
    put(tmp_path, "a.xmp", "a.aae", content=b"<x/>")
    include = ("*.xmp", "*.aae")
    assert found(look(tmp_path, include=include)) == ["a.aae", "a.xmp"]
    assert found(look(tmp_path, include=include, sidecars_go_along=True)) == ["a.aae"]
    assert found(look(tmp_path)) == []


def test_what_is_taken_unseen_goes_by_the_tables_type_or_none(tmp_path: Path) -> None:
    put(tmp_path, "a.xyz", "index.mts", content=b"text")
    types = [
        item.mime for item in look(tmp_path, include=("*.xyz", "*.mts")) if isinstance(item, Found)
    ]
    assert types == ["application/octet-stream", "video/mp2t"]


def test_what_the_target_says_it_takes_is_taken(tmp_path: Path) -> None:
    put(tmp_path, "a.SVG", "b.xyz", "index.ts", "types.mts", "none", content=b"<text/>")
    put(tmp_path, "c.nef", content=b"II*\0")
    asked: list[bytes] = []

    def takes(suffix: bytes) -> bool:
        asked.append(suffix)
        return suffix in (b".svg", b".ts", b".mts")

    items = list(module.scan([open_root(os.fsencode(tmp_path))], Filters(), unknown, takes))
    assert found(items) == ["a.SVG", "c.nef"]
    assert asked == [b".svg", b".xyz"], "what other files are called so often, content alone tells"


def test_what_is_not_as_its_name_says_is_taken_and_told(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg")
    put(tmp_path, "b.jpg", content=b"Not found")
    put(tmp_path, "c.HEIC", content=bytes(100))
    odd = {item.relative: item.oddity for item in look(tmp_path) if isinstance(item, Found)}
    assert odd == {b"a.jpg": "", b"b.jpg": "it holds text", b"c.HEIC": "it holds zeros"}


def test_since(tmp_path: Path) -> None:
    put(tmp_path, "old.jpg", "edge.jpg", "new.jpg")
    for name, moment in (("old.jpg", 999.5), ("edge.jpg", 1000), ("new.jpg", 1001)):
        os.utime(tmp_path / name, (0, moment))
    items = look(tmp_path, since=1000.0)
    assert found(items) == ["edge.jpg", "new.jpg"]
    assert skipped(items, tmp_path) == {"old.jpg": SkipReason.OLDER}


def test_not_recursive(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "sub/b.jpg")
    items = look(tmp_path, recursive=False)
    assert found(items) == ["a.jpg"]
    assert len(items) == 1


# --- links ----------------------------------------------------------------------------------------


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A root with links to everything, and a neighbour whose name it begins with."""
    root = tmp_path / "trip"
    put(root, "sub/a.jpg")
    put(tmp_path, "trip2/far.jpg")
    for name, target in (
        ("inside.jpg", "sub/a.jpg"),
        ("outside.jpg", "../trip2/far.jpg"),
        ("broken.jpg", "nowhere.jpg"),
        ("loop.jpg", "loop.jpg"),
        ("folder", "sub"),
        ("far", "../trip2"),
    ):
        (root / name).symlink_to(target)
    (root / "sub" / "up").symlink_to("..")
    return root


def test_links_stay_in_their_tree(linked: Path) -> None:
    items = look(linked)
    assert found(items) == ["inside.jpg", "sub/a.jpg"]
    assert skipped(items, linked) == dict.fromkeys(
        ["outside.jpg", "broken.jpg", "loop.jpg", "folder", "far", "sub/up"], SkipReason.LINK
    )
    link = next(item for item in items if isinstance(item, Found))
    assert link.path == os.fsencode(linked / "inside.jpg")  # a photo of its own, by its own name
    assert (link.inode, link.size) == (os.stat(linked / "sub/a.jpg").st_ino, len(JPEG))


def test_followed_links_reach_everything_and_loop_nowhere(linked: Path) -> None:
    items = look(linked, follow_symlinks=True)
    readable = [item for item in items if isinstance(item, Found) and not item.error]
    names = [os.fsdecode(item.relative) for item in readable]
    assert names == ["inside.jpg", "outside.jpg", "far/far.jpg", "folder/a.jpg", "sub/a.jpg"]
    assert skipped(items, linked) == {"folder/up": SkipReason.LINK, "sub/up": SkipReason.LINK}
    # Following was asked for, so photos that cannot be reached are told.
    assert [item.relative for item in items if isinstance(item, Found) and item.error] == [
        b"broken.jpg",
        b"loop.jpg",
    ]


@pytest.mark.usefixtures("linked")
def test_a_root_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("trip")
    items = look(tmp_path / "link")
    assert found(items) == ["inside.jpg", "sub/a.jpg"]
    assert isinstance(items[-2], Found)
    assert items[-2].path == os.fsencode(tmp_path / "link/sub/a.jpg")
    (tmp_path / "photo").symlink_to("trip2/far.jpg")
    assert found(look(tmp_path / "photo")) == ["photo"]


# --- roots ----------------------------------------------------------------------------------------


def test_named_files_may_be_hidden_or_left_behind_but_must_be_media(tmp_path: Path) -> None:
    put(tmp_path, ".hidden.jpg", "a.THM", "b.xmp", "notes.txt", "ok.jpg", content=JPEG)
    put(tmp_path, "notes.txt", content=b"text")
    roots = [tmp_path / name for name in (".hidden.jpg", "a.THM", "b.xmp", "notes.txt", "ok.jpg")]
    items = look(*roots, exclude=("ok*",))
    assert found(items) == [".hidden.jpg", "a.THM"]
    assert skipped(items, tmp_path) == {
        "b.xmp": SkipReason.SIDECAR,
        "notes.txt": SkipReason.NO_MEDIA,
        "ok.jpg": SkipReason.EXCLUDED,
    }


def test_open_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "sub/a.jpg")
    monkeypatch.chdir(tmp_path)
    info = os.stat(tmp_path)
    assert open_root("sub/../sub/") == Root(
        os.fsencode(tmp_path / "sub"), info.st_dev, open_root(".").volume, True
    )
    assert open_root(b"sub/a.jpg").path == os.fsencode(tmp_path / "sub/a.jpg")
    assert not open_root(b"sub/a.jpg").is_folder


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (b"missing", "no file or folder '.*/missing'"),
        (b"bad\xff\x1b[2J", r"no file or folder '.*/bad\\udcff\\x1b\[2J'"),
        (b"file.jpg/below", "no file or folder"),
        (b"pipe", "neither a file nor a folder"),
        (b"loop", "cannot be looked at: Too many levels"),
        (b"x" * 300, "cannot be looked at: File name too long"),
    ],
)
def test_roots_that_are_not(tmp_path: Path, name: bytes, words: str) -> None:
    put(tmp_path, "file.jpg")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError, match=words) as caught:
        open_root(os.path.join(os.fsencode(tmp_path), name))
    assert caught.value.hint


def test_an_empty_path_is_not_the_current_folder() -> None:
    for path in ("", b""):
        with pytest.raises(UsageError, match="empty path"):
            open_root(path)


def test_a_photo_reached_twice_is_told_once(tmp_path: Path) -> None:
    put(tmp_path, "a/b/1.jpg", "a/b/.2.jpg", "a/3.jpg", "ab/4.jpg")
    a, b = tmp_path / "a", tmp_path / "a/b"
    assert found(look(a, b, tmp_path / "ab")) == ["3.jpg", "b/1.jpg", "4.jpg"]
    assert found(look(b, a)) == ["1.jpg", "3.jpg"]
    assert found(look(a, a)) == ["3.jpg", "b/1.jpg"]
    assert skipped(look(a, b, b), tmp_path) == {"a/b/.2.jpg": SkipReason.HIDDEN}
    # Naming a hidden file is asking for it, before or after its folder.
    assert found(look(b / ".2.jpg", a)) == [".2.jpg", "3.jpg", "b/1.jpg"]
    assert found(look(a, b / ".2.jpg")) == ["3.jpg", "b/1.jpg", ".2.jpg"]
    assert not skipped(look(b / ".2.jpg", a), tmp_path)


# --- what cannot be read --------------------------------------------------------------------------


def refuse(monkeypatch: pytest.MonkeyPatch, call: str, number: int, *names: str) -> None:
    """Let the system call fail for paths that end in one of the names, as chmod would do to anyone
    but root."""
    real = getattr(os, call)

    def refusing(path: bytes, *args: int) -> object:
        if path.endswith(tuple(map(os.fsencode, names))):
            raise OSError(number, os.strerror(number), path)
        return real(path, *args)

    monkeypatch.setattr(os, call, refusing)


def test_a_photo_that_cannot_be_opened_is_still_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a.jpg", "b.HEIC", "notes.txt")
    refuse(monkeypatch, "open", errno.EACCES, "b.HEIC", "notes.txt")
    items = look(tmp_path)
    bad = items[1]
    assert isinstance(bad, Found)
    info = os.stat(tmp_path / "b.HEIC")
    assert (bad.mime, bad.error, bad.known) == ("image/heic", "Permission denied", False)
    assert (bad.size, bad.inode, bad.mtime_ns) == (info.st_size, info.st_ino, info.st_mtime_ns)
    assert found(items) == ["a.jpg", "b.HEIC"]
    assert skipped(items, tmp_path) == {"notes.txt": SkipReason.NO_MEDIA}


def test_a_photo_on_a_bad_sector_is_still_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a.jpg")
    before = len(os.listdir("/dev/fd"))

    def failing(_fd: int, _length: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "read", failing)
    items = look(tmp_path)
    monkeypatch.undo()
    assert [item.error for item in items if isinstance(item, Found)] == ["Input/output error"]
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="chmod does not stop root from reading")
def test_modes_that_forbid_reading(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "closed/b.jpg", "listable/c.jpg")
    os.chmod(tmp_path / "a.jpg", 0)
    os.chmod(tmp_path / "closed", 0)
    os.chmod(tmp_path / "listable", 0o600)
    try:
        items = look(tmp_path)
    finally:
        os.chmod(tmp_path / "closed", 0o700)
        os.chmod(tmp_path / "listable", 0o700)
    assert {item.relative: item.error for item in items if isinstance(item, Found)} == {
        b"a.jpg": "Permission denied",
        b"listable/c.jpg": "Permission denied",
    }
    assert [item for item in items if isinstance(item, Unreadable)] == [
        Unreadable(os.fsencode(tmp_path / "closed"), "Permission denied")
    ]


def test_a_folder_that_cannot_be_listed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a.jpg", "closed/b.jpg", "open/c.jpg")
    refuse(monkeypatch, "scandir", errno.EACCES, "closed")
    items = look(tmp_path)
    assert found(items) == ["a.jpg", "open/c.jpg"]
    assert items[1] == Unreadable(os.fsencode(tmp_path / "closed"), "Permission denied")


def test_a_listing_that_fails_on_its_way_keeps_what_it_gave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a.jpg")
    real = os.scandir

    class Torn:
        def __init__(self, path: bytes) -> None:
            self.listing = real(path)

        def __enter__(self) -> Iterator[os.DirEntry[bytes]]:
            yield from self.listing
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        def __exit__(self, *exc: object) -> None:
            self.listing.close()

    monkeypatch.setattr(os, "scandir", Torn)
    items = look(tmp_path)
    assert items[0] == Unreadable(os.fsencode(tmp_path), "Input/output error")
    assert found(items) == ["a.jpg"]


def test_a_file_that_vanishes_in_front_of_us(tmp_path: Path) -> None:
    put(tmp_path, "a.jpg", "b.jpg", "c.txt", content=JPEG)
    items = module.scan([open_root(str(tmp_path))], Filters(), unknown)
    next(items)
    os.unlink(tmp_path / "b.jpg")
    os.unlink(tmp_path / "c.txt")
    bad, text = items
    assert isinstance(bad, Found)
    assert (bad.relative, bad.error, bad.size, bad.inode) == (
        b"b.jpg",
        "No such file or directory",
        0,
        0,
    )
    assert text == Skipped(os.fsencode(tmp_path / "c.txt"), SkipReason.NO_MEDIA)


def test_roots_that_vanish_before_they_are_scanned(tmp_path: Path) -> None:
    put(tmp_path, "folder/a.jpg", "b.jpg")
    roots = [open_root(str(tmp_path / name)) for name in ("folder", "b.jpg")]
    (tmp_path / "folder").rename(tmp_path / "elsewhere")
    (tmp_path / "b.jpg").unlink()
    for follow in (False, True):
        items = list(module.scan(roots, Filters(follow_symlinks=follow), unknown))
        assert items[0] == Unreadable(roots[0].path, "No such file or directory")
        assert isinstance(items[1], Found)
        assert items[1].error == "No such file or directory"


@pytest.mark.parametrize("call", ["open", "scandir"])
def test_running_out_of_descriptors_is_no_fault_of_a_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    put(tmp_path, "sub/a.jpg")
    refuse(monkeypatch, call, errno.EMFILE, "sub", "a.jpg")
    with pytest.raises(LocalError, match="Too many open files"):
        look(tmp_path)


# --- memory ---------------------------------------------------------------------------------------


def test_memory_does_not_grow_with_the_number_of_folders(tmp_path: Path) -> None:
    put(tmp_path, *(f"{folder}/{number}.jpg" for folder in range(40) for number in range(50)))
    root = open_root(str(tmp_path))

    def peak(recursive: bool) -> int:
        tracemalloc.start()
        for _ in module.scan([root], Filters(recursive=recursive), lambda *_photo: "image/jpeg"):
            pass
        high = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return high

    peak(True)
    # 2,000 entries held at once would come to about 500 kB.
    assert peak(True) - peak(False) < 100_000


def test_depth_is_no_limit(tmp_path: Path) -> None:
    # Deeper than Python's stack, which is also why it is made and removed without os.makedirs.
    depth = 1300
    folders = [os.path.join(tmp_path, *["d"] * level) for level in range(1, depth + 1)]
    for folder in folders:
        os.mkdir(folder)
    put(Path(folders[-1]), "a.jpg")
    try:
        assert found(look(tmp_path)) == ["d/" * depth + "a.jpg"]
    finally:
        os.unlink(os.path.join(folders[-1], "a.jpg"))
        for folder in reversed(folders):
            os.rmdir(folder)


# --- volumes --------------------------------------------------------------------------------------


def test_a_photo_on_another_device_than_its_root_has_that_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a.jpg", "b.jpg")
    asked: list[int] = []

    def volume_of(device: int, _place: bytes) -> str:
        asked.append(device)
        return "MOUNTED"

    monkeypatch.setattr(module, "volume_of", volume_of)
    device = os.stat(tmp_path).st_dev
    root = Root(os.fsencode(tmp_path), device + 1, "ROOT", True)
    items = list(module.scan([root], Filters(), unknown))
    assert {item.volume for item in items if isinstance(item, Found)} == {"MOUNTED"}
    assert asked == [device]


# --- options --------------------------------------------------------------------------------------


@pytest.fixture
def local_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("local_zone")
@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-07-14", datetime(2026, 7, 13, 22, tzinfo=UTC)),
        ("2026-01-14", datetime(2026, 1, 13, 23, tzinfo=UTC)),
        ("2026-07-14T18:30", datetime(2026, 7, 14, 16, 30, tzinfo=UTC)),
        (" 2026-07-14 18:30:05 ", datetime(2026, 7, 14, 16, 30, 5, tzinfo=UTC)),
        ("2026-07-14T18:30Z", datetime(2026, 7, 14, 18, 30, tzinfo=UTC)),
    ],
)
def test_since_a_date(text: str, moment: datetime) -> None:
    assert module.parse_since(text, now=0) == moment.timestamp()


@pytest.mark.parametrize(
    ("text", "seconds"), [("30m", 1800), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600)]
)
def test_since_an_age(text: str, seconds: int) -> None:
    assert module.parse_since(text, now=5e9) == 5e9 - seconds


@pytest.mark.parametrize(
    "text",
    [
        "", "yesterday", "7", "7 d", "-7d", "1.5h", "7y", "2026-13-01", "0001-01-01", "14.7.",
        "9" * 400 + "d",
    ],
)  # fmt: skip
def test_since_neither(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{text!r} is neither a date")):
        module.parse_since(text, now=5e9)


@pytest.mark.parametrize(
    ("data", "paths"),
    [
        (b"", []),
        (b"a.jpg\nb c.jpg\n", [b"a.jpg", b"b c.jpg"]),
        (b"a.jpg\r\n\r\n  \r\nb.jpg", [b"a.jpg", b"b.jpg"]),
        (b" a \n", [b" a "]),
        (b"a\xff\x0bb\n", [b"a\xff\x0bb"]),
        (b"a\nb\r\0c\0\0", [b"a\nb\r", b"c"]),
    ],
)
def test_read_list(data: bytes, paths: list[bytes]) -> None:
    assert module.read_list(data) == paths
