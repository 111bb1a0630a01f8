"""Capture dates of movies, and Apple's content identifiers, from files made here and from broken ones."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live import clip, still

from albumup import facts

ID = "6F1B6F0C-0B9C-4B7D-9A44-5F0B6C3C2E11"
MOV = "video/quicktime"
PHOTOS = Path(__file__).parent / "photos"


def written(folder: Path, data: bytes) -> bytes:
    path = folder / "a file"
    path.write_bytes(data)
    return os.fsencode(path)


@pytest.mark.parametrize(("form", "mime"), [("JPEG", "image/jpeg"), ("HEIF", "image/heic")])
def test_the_identifier_of_a_still(tmp_path: Path, form: str, mime: str) -> None:
    assert facts.content_id(written(tmp_path, still(ID, form=form)), mime) == ID


def test_the_identifier_of_a_clip(tmp_path: Path) -> None:
    assert facts.content_id(written(tmp_path, clip(ID)), MOV) == ID
    assert facts.content_id(written(tmp_path, clip(ID, "2026-07-14T18:03:22+0200")), MOV) == ID
    assert facts.content_id(written(tmp_path, clip()), MOV) == ""


def test_pictures_without_one(tmp_path: Path) -> None:
    assert facts.content_id(os.fsencode(PHOTOS / "photo.jpg"), "image/jpeg") == ""
    assert facts.content_id(os.fsencode(tmp_path / "none"), "image/jpeg") == ""
    assert facts.content_id(os.fsencode(tmp_path / "none"), MOV) == ""


@pytest.mark.parametrize("wide", [False, True])
def test_the_date_of_a_movie(tmp_path: Path, wide: bool) -> None:
    moment = datetime(2026, 7, 14, 16, 3, 22, tzinfo=UTC)
    seconds = int((moment - datetime(1904, 1, 1, tzinfo=UTC)).total_seconds())
    path = written(tmp_path, clip(created=seconds, wide=wide))
    assert facts.capture_date(path, MOV) == moment
    path = written(tmp_path, clip(date="2026-07-14T18:03:22+0200", created=5, wide=wide))
    found = facts.capture_date(path, MOV)
    assert found == moment
    assert found is not None
    assert found.tzinfo == timezone(timedelta(hours=2))


@pytest.mark.parametrize("created", [0, 1, 2_082_844_800, 2**32 - 1])
def test_a_movie_whose_clock_was_never_set_has_no_date(tmp_path: Path, created: int) -> None:
    found = facts.capture_date(written(tmp_path, clip(created=created)), MOV)
    assert found is None or created == 2**32 - 1


def test_a_date_beyond_time_is_none(tmp_path: Path) -> None:
    assert facts.capture_date(written(tmp_path, clip(created=2**64 - 1, wide=True)), MOV) is None


@given(where=st.integers(0, 2000), data=st.binary(min_size=1, max_size=8), keep=st.integers(0, 2000))
def test_a_broken_file_raises_nothing(
    tmp_path_factory: pytest.TempPathFactory, where: int, data: bytes, keep: int
) -> None:
    folder = tmp_path_factory.mktemp("broken")
    for whole, mime in ((clip(ID, "2026-07-14T18:03:22+0200", 5), MOV), (still(ID), "image/jpeg")):
        broken = (whole[:where] + data + whole[where + len(data) :])[: max(keep, 10)]
        path = written(folder, broken)
        assert isinstance(facts.content_id(path, mime), str)
        assert facts.capture_date(path, mime) is None or mime == MOV
