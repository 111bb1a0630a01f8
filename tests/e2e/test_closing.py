"""The closing words: what did not get there and why, in few lines, and last what to type."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from immich.fake import Immich
from servers import FormServer, Received, Step, answer

from .conftest import Home, configure, jpeg


@pytest.mark.process
def test_a_run_ends_with_reasons_then_its_summary_then_what_to_type(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    for number, folder in enumerate(("100", "101")):
        home.photos(20, f"trip/{folder}", first=1 + number)
        (home.folder / f"trip/{folder}/CLASH.JPG").write_bytes(jpeg(100 + number))

    def said(one: Received) -> Step:
        if one.filename.startswith("CLASH"):
            return answer(418, {})
        is_even = int(re.findall(r"\d+", one.filename)[0]) % 2 == 0
        return answer(
            413 if is_even else 200, b'{"message": "%s is too large"}' % one.filename.encode()
        )

    server.answer = said
    done = home.run("push", "trip", "--retries", "0")
    assert done.returncode == 3
    lines = done.stderr.splitlines()[-9:]
    assert lines[0].startswith("  20 photos rejected: 413 Request Entity Too Large: IMG_")
    assert lines[1].startswith("    100/IMG_2.JPG, ")
    assert re.fullmatch(r"    .* and \d more", lines[3])
    assert lines[4:6] == [
        "  2 photos failed: 418 I'm a Teapot, gave up after 1 try",
        "    100/CLASH.JPG, 101/CLASH.JPG",
    ]
    assert re.fullmatch(r"trip: 20 of 42 sent in .* \(40\.4 kB, .*/s\), 22 not", lines[6])
    assert lines[7:] == [
        "Again: albumup retry-failed trip --rejected",
        "Details: albumup list trip --state failed --state rejected    (exit 3)",
    ]
    assert done.stderr.count("(exit ") == 1
    assert "  ! 100/CLASH.JPG  failed: 418" in done.stderr
    left = (
        "22 photos did not get there earlier and did not change since: "
        "albumup retry-failed trip --rejected\n"
    )
    assert left in home.run("push", home.photos(1, "trip/102", first=99).parent).stderr


def twins(home: Home) -> Path:
    """Two photos, and a second file with the bytes of one."""
    trip = home.photos(2)
    (trip / "COPY.JPG").write_bytes(jpeg(1))
    return trip


@pytest.mark.parametrize("jobs", [1, 4])
def test_equal_bytes_in_one_folder_are_said_to_be_twice_there(home: Home, jobs: int) -> None:
    done = home.run("push", twins(home), "-j", jobs)
    assert done.returncode == 0
    assert re.search(
        r"^trip: 2 of 2 copied in .*\); 1 twice in the folder$", done.stderr, re.MULTILINE
    )
    assert "already" not in done.stderr


def test_a_twin_that_is_pushed_later_was_there_already(home: Home) -> None:
    trip = home.photos(2)
    assert home.run("push", trip).returncode == 0
    (trip / "again.jpg").write_bytes((trip / "IMG_1.JPG").read_bytes())
    done = home.run("push", trip)
    said = r"^trip: 1 of 1 copied in .*; 1 of them was there already; 2 were there before$"
    assert re.search(said, done.stderr, re.MULTILINE)


def test_a_form_is_sent_both(home: Home, server: FormServer) -> None:
    home.form(server)
    done = home.run("push", twins(home))
    assert re.search(r"^trip: 3 of 3 sent in .*/s\)$", done.stderr, re.MULTILINE)


@pytest.mark.long
@pytest.mark.parametrize("was_there", [False, True])
def test_twins_on_a_server_that_is_asked_first(home: Home, immich: Immich, was_there: bool) -> None:
    configure(home, immich.url)
    if was_there:
        immich.put(jpeg(1), "from another device.jpg")
    done = home.run("push", twins(home))
    sent = "1 of 1 sent in .*; 1 already there" if was_there else r"2 of 2 sent in .*\)"
    assert re.search(rf"^trip: {sent}; 1 twice in the folder$", done.stderr, re.MULTILINE)
    again = home.run("push", home.photos(1, "trip", first=9))
    assert re.search(r"^trip: 1 of 1 sent in .*; 3 were there before$", again.stderr, re.MULTILINE)
