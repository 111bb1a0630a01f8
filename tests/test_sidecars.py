"""Whose is a sidecar? A table of folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from albumup.photos.sidecars import MOST_SIDECAR, Folders, fits, gives_way, owner_of


@pytest.mark.parametrize(
    ("sidecar", "names", "owner"),
    [
        ("IMG_1.xmp", "IMG_1.JPG IMG_1.PEF", "IMG_1.PEF"),
        ("IMG_1.xmp", "IMG_1.JPG IMG_1.SRW", "IMG_1.SRW"),
        ("IMG_1.XMP", "IMG_1.jpg IMG_1.iiq", "IMG_1.iiq"),
        ("IMG_1.xmp", "IMG_1.x3f IMG_1.TIF", "IMG_1.x3f"),
        ("IMG_1.xmp", "IMG_1.HEIC IMG_1.JPG IMG_1.MOV", "IMG_1.HEIC"),
        ("IMG_1.xmp", "IMG_1.JPG IMG_1.MOV", "IMG_1.JPG"),
        ("IMG_1.xmp", "IMG_1.png IMG_1.MOV", "IMG_1.png"),
        ("IMG_1.xmp", "IMG_1.MOV", "IMG_1.MOV"),
        ("IMG_1.JPG.xmp", "IMG_1.JPG IMG_1.PEF", "IMG_1.JPG"),
        ("IMG_1.JPG.xmp", "IMG_1.PEF IMG_2.JPG", None),
        ("IMG_1.xmp", "IMG_1.txt IMG_1.aae IMG_1.xmp", None),
        ("IMG_1.xmp", "IMG_10.PEF IMG_1_edited.JPG", None),
        ("a.b.xmp", "a.b.JPG a.PEF", "a.b.JPG"),
    ],
)
def test_the_owner_is_told_by_suffix(sidecar: str, names: str, owner: str | None) -> None:
    for order in (names.split(), names.split()[::-1]):
        found = owner_of(sidecar.encode(), [name.encode() for name in order])
        assert found == (None if owner is None else owner.encode())


@pytest.mark.parametrize(
    ("sidecar", "names", "gives"),
    [
        ("IMG_1.xmp", "IMG_1.JPG IMG_1.JPG.xmp IMG_1.xmp", True),
        ("IMG_1.xmp", "IMG_1.JPG IMG_1.JPG.XMP IMG_1.xmp", True),
        ("IMG_1.JPG.xmp", "IMG_1.JPG IMG_1.JPG.xmp IMG_1.xmp", False),
        ("IMG_1.xmp", "IMG_1.JPG IMG_1.PEF.xmp IMG_1.xmp", False),
        ("IMG_1.xmp", "IMG_1.JPG IMG_1.xmp", False),
    ],
)
def test_of_two_sidecars_of_one_photo_the_one_with_its_whole_name_goes(
    sidecar: str, names: str, gives: bool
) -> None:
    assert (
        gives_way(sidecar.encode(), b"IMG_1.JPG", [name.encode() for name in names.split()])
        == gives
    )


def test_only_what_can_go_along_fits(tmp_path: Path) -> None:
    for name, size in (("none", 0), ("one", 1), ("most", MOST_SIDECAR), ("more", MOST_SIDECAR + 1)):
        (tmp_path / name).write_bytes(bytes(size))
    assert [
        name for name in ("none", "one", "most", "more", "gone") if fits(bytes(tmp_path / name))
    ] == ["one", "most"]


def test_names_beside_a_file(tmp_path: Path) -> None:
    for name in ("a.JPG", "a.xmp", "b.JPG"):
        (tmp_path / name).touch()
    folders = Folders()
    assert sorted(folders.beside(bytes(tmp_path / "a.xmp"))) == [b"a.JPG", b"a.xmp"]
    assert folders.beside(bytes(tmp_path / "c.xmp")) == []
    assert folders.beside(bytes(tmp_path / "gone" / "c.xmp")) == []
