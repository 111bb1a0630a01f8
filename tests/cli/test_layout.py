"""Lines and widths: what a terminal of few columns makes of our sentences."""

import pytest

from albumup.cli.layout import cells, padded, sentence, shortened, wrapped

QUEUED = "trip: 312 photos queued (4.4 GB) for photos.example.org; safe to interrupt from here"
STOPPED = "trip: stopped, 118 of 294 sent, 176 waiting. On hold until: albumup resume    (exit 130)"


@pytest.mark.parametrize("width", [20, 40, 60, 80])
@pytest.mark.parametrize(
    "line", [QUEUED, STOPPED, "  ! IMG_4107.HEIC  " + "503 Service Unavailable " * 8]
)
def test_a_line_is_broken_at_words(line: str, width: int) -> None:
    lines = wrapped(line, width).split("\n")
    assert all(cells(one) <= width for one in lines)
    assert " ".join(" ".join(lines).split()) == " ".join(
        line.split()
    )  # no word is broken, none is lost


def test_a_line_that_fits_and_a_line_of_a_log_stay_as_they_are() -> None:
    assert wrapped(QUEUED, len(QUEUED)) == QUEUED
    assert wrapped(QUEUED * 5, None) == QUEUED * 5


def test_a_broken_line_goes_on_under_its_text() -> None:
    assert wrapped(QUEUED, 60) == (
        "trip: 312 photos queued (4.4 GB) for photos.example.org;\n  safe to interrupt from here"
    )
    assert wrapped("  ! A.JPG  503 Service Unavailable, try 1 of 4", 40) == (
        "  ! A.JPG  503 Service Unavailable, try\n           1 of 4"
    )
    assert wrapped("    A.JPG        the server had its photo already    (exit 3)", 50) == (
        "    A.JPG        the server had its photo already\n                 (exit 3)"
    )


@pytest.mark.parametrize(
    ("line", "typed"),
    [
        (STOPPED, "albumup resume"),
        ("  Again: albumup retry-failed trip --rejected", "albumup retry-failed trip --rejected"),
        ("Again: albumup retry-failed 'a b, c; d'    (exit 3)", "albumup retry-failed 'a b, c; d'"),
        ("No server is set up (albumup target add), so they", "(albumup target add)"),
        ("to send it again: albumup forget trip, then push", "albumup forget trip,"),
        ("disk, then: albumup resume (or push it again)", "albumup resume"),
        ("Left. Process 42 goes on; stop it with: kill -INT 42", "kill -INT 42"),
        (
            "to see that they are, pip install 'albumup[photos]', then push",
            "pip install 'albumup[photos]',",
        ),
        (
            "install what reads dates: pipx inject albumup exifread pillow, or exiftool",
            "pipx inject albumup exifread pillow,",
        ),
        ("Mount it (mount '/mnt/my disk'), then: albumup resume", "mount '/mnt/my disk'"),
        ("mount it, or: mkdir -p /mnt/nas/copies; then try again", "mkdir -p /mnt/nas/copies;"),
        (
            "others can read it: chmod 600 /home/anna/.config/albumup/t",
            "chmod 600 /home/anna/.config/albumup/t",
        ),
    ],
)
def test_a_command_to_type_is_never_broken(line: str, typed: str) -> None:
    for width in range(20, len(line)):
        lines = wrapped(line, width).split("\n")
        assert sum(typed in one for one in lines) == 1, (width, lines)


@pytest.mark.parametrize(
    ("hint", "line"),
    [
        ("check the spelling", "Check the spelling"),
        ("albumup resume", "albumup resume"),
        ("albumup's own log", "Albumup's own log"),
        ("mount /mnt/nas", "mount /mnt/nas"),
        ("mount it, or: mkdir -p /mnt/nas", "Mount it, or: mkdir -p /mnt/nas"),
        ("chmod 600 /home/anna/t", "chmod 600 /home/anna/t"),
        ("", ""),
    ],
)
def test_a_hint_begins_with_a_capital_or_with_a_command(hint: str, line: str) -> None:
    assert sentence(hint) == line


def test_prose_about_the_program_is_no_command() -> None:
    line = "albumup: a fault of albumup itself, which push and resume both met, and rm too"
    assert max(map(len, wrapped(line, 30).split("\n"))) <= 30


@pytest.mark.parametrize(
    "word", ["https://photos.example.org/" + "x" * 60, "/media/card/" + "d/" * 40]
)
def test_an_address_and_a_path_stay_whole(word: str) -> None:
    assert word in wrapped(f"trip: it can be seen at {word} from now on", 40).split("\n  ")


def test_width_is_counted_in_cells() -> None:
    assert [cells(text) for text in ("abc", "写真", "e\u0301", "👨\u200d👩\u200d👧", "ﾊﾝｶｸ")] == [
        3,
        4,
        1,
        2,
        4,
    ]
    assert padded("写真", 6) == "写真  "
    lines = wrapped("写真 " * 30, 40).split("\n")
    assert all(cells(one) <= 40 for one in lines)
    assert len(lines) == 5


@pytest.mark.parametrize(
    "text",
    ["a name that is rather long.jpg", "写真" * 12, "e\u0301" * 30, "👍🏽" * 20],
    ids=["ascii", "wide", "combining", "emoji"],
)
@pytest.mark.parametrize("width", [0, 1, 2, 3, 10, 19])
def test_what_is_too_wide_loses_its_middle(text: str, width: int) -> None:
    found = shortened(text, width)
    assert cells(found) <= width
    assert width - cells(found) <= 2
    assert shortened(text, 200) == text
    if width >= 10:
        head, _, tail = found.partition("…")
        assert text.startswith(head)
        assert text.endswith(tail)
        assert 0 < cells(head) <= cells(tail)


def test_what_is_wider_than_the_terminal_keeps_its_place() -> None:
    line = "    albumup target try club ./trip/IMG_4101.HEIC"
    assert wrapped(line, 30) == line


def test_a_number_keeps_its_unit() -> None:
    line = "trip: 292 of 294 sent in 7 min 52 s (4.1 GB, 8.9 MB/s), 2 not    (exit 3)"
    for width in range(20, len(line)):
        text = wrapped(line, width)
        assert all(
            measure in text for measure in ("7 min", "52 s", "4.1 GB", "8.9 MB/s", "(exit 3)")
        )


@pytest.mark.parametrize("verb", ["kill", "rm", "chmod", "pip", "albumup"])
def test_a_sentence_with_a_verb_is_broken_as_any_other(verb: str) -> None:
    line = (
        f"who is it that shall {verb} something that is said in so many words that they do not fit"
    )
    assert max(map(len, wrapped(line, 30).split("\n"))) <= 30
