"""Tables: whole in a pipe, fitted to a terminal."""

import re

import pytest

from albumup.cli.figures import ago
from albumup.cli.layout import cells
from albumup.cli.tables import table

HEADERS = ("ALBUM", "TARGET", "STATE", "SENT", "WAITING", "FAILED", "CANCELLED", "LEFT", "CHANGED")
SHORT = ("trip", "home", "running pid 4121", "117/294", 176, 1, 3, "2.5 GB", "now")
LONG = (
    "Sommer 2026 in den Bergen",
    "https://photos.example.org",
    "waiting",
    "1/90",
    88,
    2,
    0,
    "61.2 MB",
    "3 h 5 min ago",
)
WIDE = ("旅行の写真アルバム二〇二六年夏", "home", "settled", "88/88", 0, 0, 0, "0 B", "4 days ago")


def status(*rows: tuple[object, ...], width: int | None) -> str:
    return table(HEADERS, rows, width, cut=("ALBUM", "TARGET"), broken=("STATE", "CHANGED"))


def test_a_table_that_fits_is_as_wide_as_it_is() -> None:
    text = status(SHORT, width=90)
    assert text == status(SHORT, width=None)
    assert text.splitlines() == [
        "ALBUM  TARGET  STATE             SENT     WAITING  FAILED  CANCELLED  LEFT    CHANGED",
        "trip   home    running pid 4121  117/294  176      1       3          2.5 GB  now",
    ]


@pytest.mark.parametrize(
    "rows", [(SHORT,), (LONG,), (WIDE,), (SHORT, LONG, WIDE)], ids=["short", "long", "wide", "all"]
)
@pytest.mark.parametrize("width", [120, 100, 90, 80, 60, 40, 30])
def test_a_table_fits_and_no_number_is_broken(
    rows: tuple[tuple[object, ...], ...], width: int
) -> None:
    lines = status(*rows, width=width).splitlines()
    assert all(cells(line) <= width for line in lines)
    for row in rows:
        for number in row[3:8]:
            assert any(
                re.search(rf"(^|\s){re.escape(str(number))}(,|\s|$)", line) for line in lines
            ), number


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "now"), (4.9, "now"), (5, "5 s ago"), (59.9, "59 s ago"), (60, "1 min ago"),
     (1044, "17 min ago"), (3599, "59 min ago"), (3600, "1 h ago"), (47.9 * 3600, "47 h ago"),
     (172800, "2 days ago")],
)  # fmt: skip
def test_how_long_ago_stays_on_its_line(seconds: float, said: str) -> None:
    assert ago(seconds) == said
    row = ("few-nocreate", "nocreate", "settled", "336/336", 0, 0, "635.0 kB", said)
    assert (
        len(
            table(
                (*HEADERS[:6], *HEADERS[7:]), [row], 80, cut=("ALBUM",), broken=("STATE", "CHANGED")
            ).splitlines()
        )
        == 2
    )


def test_in_a_pipe_a_table_is_whole() -> None:
    text = status(SHORT, LONG, WIDE, width=None)
    assert all(str(cell) in text for row in (SHORT, LONG, WIDE) for cell in row)
    assert len(text.splitlines()) == 4


def test_names_lose_their_middle_and_words_go_on_below() -> None:
    rows = [(LONG[0], "running pid 4121", "1/90")]
    assert table(
        ("ALBUM", "STATE", "SENT"), rows, 34, cut=("ALBUM",), broken=("STATE",)
    ).splitlines() == [
        "ALBUM               STATE     SENT",
        "Sommer 2…en Bergen  running   1/90",
        "                    pid 4121",
    ]


def test_an_age_is_broken_only_where_shorter_names_do_not_help() -> None:
    url = "http://127.0.0.1:8090/albums/{album}/photos"
    rows = [
        (url, "settled", "23/23", 0, 0, "0 B", "59 min ago"),
        (url, "waiting", "0/23", 23, 0, "14.2 MB", "4 s ago"),
    ]
    headers = ("TARGET", "STATE", "SENT", "WAITING", "FAILED", "LEFT", "CHANGED")
    assert table(headers, rows, 66, cut=("TARGET",), broken=("STATE", "CHANGED")).splitlines() == [
        "TARGET        STATE    SENT   WAITING  FAILED  LEFT     CHANGED",
        "http:…photos  settled  23/23  0        0       0 B      59 min ago",
        "http:…photos  waiting  0/23   23       0       14.2 MB  4 s ago",
    ]


def test_where_columns_do_not_fit_a_row_is_a_paragraph() -> None:
    assert status(SHORT, width=40).splitlines() == [
        "trip: target home, state running",
        "  pid 4121, sent 117/294, waiting 176,",
        "  failed 1, cancelled 3, left 2.5 GB,",
        "  changed now",
    ]
