"""Whether what lies at a path is the card that photos were queued from: a look at them decides,
where no id does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from albumup.journal.rows import Task
from albumup.photos import cards, pins
from albumup.photos.cards import Look, Seen, device_at, look_at
from albumup.photos.pins import Pins, read_pins
from albumup.uploader.reading import _is_other


@pytest.mark.parametrize(
    ("photos", "edited", "gone", "known"),
    [
        (1, 0, 0, True),
        (1, 1, 0, False),
        (1, 0, 1, False),  # none of them is there
        (2, 1, 0, True),  # the other one was not even touched
        (3, 1, 0, True),
        (3, 2, 0, False),
        (5, 2, 0, True),
        (5, 1, 3, True),
        (5, 2, 2, False),
        (5, 0, 4, True),
    ],
)
def test_most_of_those_that_are_there_decide(
    tmp_path: Path, photos: int, edited: int, gone: int, known: bool
) -> None:
    queued = []
    for number in range(photos):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(b"photo")
        queued.append(Seen(number, os.fsencode(path), "", read_pins(path.stat())))
    for seen in queued[:edited]:
        Path(os.fsdecode(seen.path)).write_bytes(b"edited")
    for seen in queued[photos - gone :]:
        os.unlink(seen.path)
    assert look_at(queued).is_known == known


def test_a_photo_whose_bytes_are_others_is_none_that_is_as_pinned(tmp_path: Path) -> None:
    """Whatever its size and time are: two cards may have one photo each, alike but for the
    bytes."""
    path = tmp_path / "1.jpg"
    path.write_bytes(b"photo")
    seen = Seen(1, os.fsencode(path), "", read_pins(path.stat()))
    assert look_at([seen]).is_known
    assert not look_at([seen], odd=seen.path).is_known


def test_half_of_them_is_too_few_where_one_could_be_another_cards(tmp_path: Path) -> None:
    """Size and time can be equal by chance, or set; the time of the last change of status
    cannot."""
    queued = []
    for number in range(4):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(b"photo")
        os.utime(path, (0, 1000 + number))
        queued.append(Seen(number, os.fsencode(path), "", read_pins(path.stat())))
        path.rename(tmp_path / f"{number}.card-A")
    for number in range(4):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(b"other")
        if number < 2:
            os.link(tmp_path / f"{number}.card-A", tmp_path / "same inode")
            os.replace(tmp_path / "same inode", path)
            os.utime(path, (0, 1000 + number))
    look = look_at(queued)
    assert (look.there, look.same, look.is_untouched, look.is_known) == (4, 2, False, False)


def test_photos_on_one_file_system_say_nothing_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two cards are mounted below the folder that was pushed, and one of them is changed for a
    third."""
    (tmp_path / "reader 1").mkdir()
    (tmp_path / "reader 2").mkdir()
    queued = []
    for number, folder in enumerate(("reader 1",) * 5 + ("reader 2",) * 2):
        path = tmp_path / folder / f"{number}.jpg"
        path.write_bytes(b"photo")
        queued.append(Seen(number, os.fsencode(path), "", read_pins(path.stat())))
    for seen in queued[5:]:
        Path(os.fsdecode(seen.path)).write_bytes(b"of the third card")
    monkeypatch.setattr(cards, "device_at", lambda folder: int(folder[-1:]))
    assert look_at(queued).is_known
    assert look_at(queued, device=1).is_known
    assert look_at(queued, device=2) == Look(there=2, same=0)
    assert look_at(queued, device=3) == Look()


def test_the_device_of_a_folder_that_is_gone_is_what_it_lay_on(tmp_path: Path) -> None:
    assert device_at(os.fsencode(tmp_path / "gone" / "and gone")) == tmp_path.stat().st_dev


@pytest.mark.parametrize(
    ("loose", "is_other"), [(True, (False, False, True, True)), (False, (False, True, True, True))]
)
def test_a_photo_is_another_as_exactly_as_its_disk_keeps_times(
    monkeypatch: pytest.MonkeyPatch, loose: bool, is_other: tuple[bool, ...]
) -> None:
    """A card whose times are read in another time zone has the same photos, also before they were
    read once."""
    monkeypatch.setattr(pins, "is_loose", lambda _: loose)
    hour, then = 3600 * 10**9, 10**18
    now = [
        Pins(9, then, 1),
        Pins(9, then + hour, 2),
        Pins(9, then + hour // 2, 2),
        Pins(8, then, 1),
    ]
    task = Task(1, 1, "trip", 1, b"/card/1.jpg", b"1.jpg", "1A2B-3C4D", 1, "image/jpeg", 9, 1, 1, 0,
                0, 0, False, False, (9, then), None, None)  # fmt: skip
    assert tuple(_is_other(task, pins) for pins in now) == is_other
