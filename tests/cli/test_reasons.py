"""What did not get there is grouped by reason, and photos of one name are told apart by their
folders."""

from __future__ import annotations

import os

import pytest

from albumup.cli.endings import Ending, Note, _noted, composed, with_code
from albumup.cli.layout import cells
from albumup.cli.names import Names, telling
from albumup.cli.reasons import MOST_LINES, lines_of, named, rows
from albumup.session.reasons import Group
from albumup.uploader.kinds import kind_of


class BaseNames(Names):
    """Names without a journal: photos are called by their base names."""

    def __init__(self) -> None:
        """Nothing is known."""

    def of(self, path: bytes, most: int = 0) -> str:  # noqa: ARG002
        return os.path.basename(path).decode()


@pytest.mark.parametrize(
    ("path", "others", "told"),
    [
        (b"/c/DCIM/100/A.JPG", [], b"A.JPG"),
        (b"/c/DCIM/100/A.JPG", [b"/c/DCIM/100/A.JPG", b"/c/DCIM/100/BA.JPG"], b"A.JPG"),
        (b"/c/DCIM/100/A.JPG", [b"/c/DCIM/101/A.JPG"], b"100/A.JPG"),
        (b"/c/DCIM/100/A.JPG", [b"/c/DCIM/101/A.JPG", b"/d/DCIM/100/A.JPG"], b"c/DCIM/100/A.JPG"),
        (b"/trip/A.JPG", [b"/trip/100/A.JPG"], b"trip/A.JPG"),
        (b"/A.JPG", [b"/trip/A.JPG"], b"/A.JPG"),
    ],
)
def test_a_name_has_as_much_of_its_folder_as_tells_it_apart(
    path: bytes, others: list[bytes], told: bytes
) -> None:
    assert telling(path, others) == told


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        (
            ("413 IMG_1.JPG is too large", "IMG_1.JPG"),
            ("413 sunset.jpg is too large", "sunset.jpg"),
            True,
        ),
        (
            ("422 IMG_1-2.JPG was refused", "IMG_1-2.JPG"),
            ("422 IMG_7.JPG was refused", "IMG_7.JPG"),
            True,
        ),
        (("415 'a.jpg' is no photo", ""), ("415 'b c.jpg' is no photo", ""), True),
        (
            ("422 IMG_1 exists as 0b0a1c9e-21a6", "IMG_1.JPG"),
            ("422 DSC9 exists as 77e0aa01-0001", "DSC9.JPG"),
            True,
        ),
        (("413 has 5.2 MB, 4 MB at most", ""), ("413 has 17 MB, 4 MB at most", ""), True),
        (
            ("500 see https://example.org/e/abc", ""),
            ("500 see https://example.org/e/xyz", ""),
            True,
        ),
        (("503 busy, gave up after 4 tries", ""), ("503 busy, gave up after 2 tries", ""), True),
        (("413 refused", ""), ("415 refused", ""), False),
        (("example.org answered 403", ""), ("example.org answered 404", ""), False),
        (("413 too large", "1.JPG"), ("413 too large", "413.JPG"), True),
        (("418 no", ""), ("418 never", ""), False),
        (("can't be read, and isn't sent", ""), ("can't be found, and isn't sent", ""), False),
    ],
)
def test_reasons_that_differ_in_names_and_figures_are_one(
    one: tuple[str, str], other: tuple[str, str], are_one: bool
) -> None:
    assert (kind_of(*one) == kind_of(*other)) is are_one


def test_a_photo_alone_with_its_reason_has_a_line_and_others_a_heading() -> None:
    groups = [
        Group("rejected", "413 too large", 3, [b"/t/A.JPG", b"/t/B.JPG", b"/t/C.JPG"]),
        Group("failed", "503 Service Unavailable", 1, [b"/t/IMG_4107.HEIC"]),
    ]
    assert lines_of(groups, BaseNames(), 10) == [
        "  3 photos rejected: 413 too large",
        "    A.JPG, B.JPG, C.JPG",
        "  IMG_4107.HEIC  failed    503 Service Unavailable",
    ]


@pytest.mark.parametrize("most", range(11))
@pytest.mark.parametrize(
    "counts", [[1], [1] * 11, [300], [300, 2, 1], [7] * 9, [9, 1, 1, 1, 1, 1, 1, 1, 1, 1]], ids=str
)
def test_details_keep_to_their_lines_and_every_photo_is_counted(
    counts: list[int], most: int
) -> None:
    groups = [
        Group(
            "failed",
            f"reason {number}",
            count,
            [b"/t/IMG_%d_%d.JPG" % (number, one) for one in range(min(count, 24))],
        )
        for number, count in enumerate(counts)
    ]
    lines = lines_of(groups, BaseNames(), most)
    assert len(lines) == sum(map(rows, lines)) <= most
    assert all(cells(line) <= 79 for line in lines)
    said = sum(int(line.split()[0]) for line in lines if " photos failed: " in line)
    said += sum(1 for line in lines if "  failed    " in line)
    said += sum(int(line.split()[1]) for line in lines if line.startswith("  and "))
    assert said == (sum(counts) if lines else 0)
    assert lines or most < (1 if counts == [1] else 3)


@pytest.mark.parametrize("most", range(11))
def test_a_long_reason_counts_with_all_its_rows(most: int) -> None:
    groups = [
        Group("failed", f"{number} " + "words " * 20, number + 1, [b"/t/A.JPG"] * 2)
        for number in range(9)
    ]
    lines = lines_of(groups, BaseNames(), most)
    assert sum(map(rows, lines)) <= most
    assert bool(lines) == (most >= 3)


def test_notes_are_cut_where_there_is_no_room() -> None:
    notes = [f"  note {number}" for number in range(30)]
    said = [Note(note) for note in notes]
    lines = [line for line, _ in composed([Ending(1, "trip", notes=said)], BaseNames())]
    assert lines == [*notes[:9], "  and 21 more", "trip"]
    assert [line for line, _ in composed([Ending(1, "trip", notes=said[:10])], BaseNames())] == [
        *notes[:10],
        "trip",
    ]


@pytest.mark.parametrize("most", range(14))
@pytest.mark.parametrize("count", (1, 8, 9, 30))
def test_what_a_note_counts_is_named_as_far_as_there_is_room_and_adds_up(
    most: int, count: int
) -> None:
    items = [
        f"    {number}.xmp  the server had its photo already" for number in range(min(count, 8))
    ]
    lines = _noted(
        [Note("  3 sidecars go along"), Note(f"  {count} did not go along", items, count)], most
    )
    named = [line for line in lines if line in items]
    more = [int(line.split()[1]) for line in lines if line.startswith("    and ")]
    assert sum(map(rows, lines)) <= most
    if named:
        assert len(named) + sum(more) == count
        assert lines[1] == f"  {count} did not go along:"
    elif most >= 2:
        assert lines == ["  3 sidecars go along", f"  {count} did not go along"]
    if most >= 2 + min(count, 9):
        assert len(named) == min(count, 8)


def test_names_fill_their_lines_and_the_rest_is_counted() -> None:
    names = [f"IMG_{number:04}.JPG" for number in range(24)]
    for lines in (1, 2, 3):
        said = named(names, 300, lines)
        assert len(said) == lines
        assert all(cells(line) <= 79 for line in said)
        shown = sum(line.count("IMG_") for line in said)
        assert said[-1].endswith(f" and {300 - shown} more")
    assert named(["A.JPG"], 1, 1) == ["    A.JPG"]
    assert named([*"AB"], 3, 3) == ["    A, B and 1 more"]


def ending(number: int, *, photos: int = 0) -> Ending:
    groups = [Group("failed", "503", photos, [b"/t/A.JPG", b"/t/B.JPG"][:photos])] if photos else []
    return Ending(
        number, f"album {number}", not photos, groups, (), ["Again", "Details"] if photos else ()
    )


def test_the_summary_comes_last_with_what_to_type_and_the_code_once() -> None:
    lines = with_code(composed([ending(1, photos=2), ending(2)], BaseNames()), 3)
    assert lines == [
        ("album 2", True),
        ("  2 photos failed: 503", False),
        ("    A.JPG, B.JPG", False),
        ("album 1", False),
        ("Again", False),
        ("Details    (exit 3)", False),
    ]


def test_all_albums_together_have_ten_lines_of_details() -> None:
    lines = [
        line
        for line, _ in composed([ending(number, photos=1) for number in range(20)], BaseNames())
    ]
    assert sum(line.startswith("  ") for line in lines) == MOST_LINES
    assert [line for line in lines if line.startswith("album")] == [
        f"album {number}" for number in range(20)
    ]


def test_a_code_is_not_silenced() -> None:
    assert with_code([("all is well", True)], 3) == [("all is well    (exit 3)", False)]
    assert with_code([("all is well", True)], 0) == [("all is well", True)]
    assert with_code([], 75) == []
