"""The closing words: what did not get there and why, in few lines, and last what to type."""

from __future__ import annotations

import re

from .conftest import Home, jpeg
from .server import Answer, FormServer, Received


def test_a_run_ends_with_reasons_then_its_summary_then_what_to_type(home: Home, server: FormServer) -> None:
    home.form(server)
    for number, folder in enumerate(("100", "101")):
        home.photos(20, f"trip/{folder}", first=1 + number)
        (home.folder / f"trip/{folder}/CLASH.JPG").write_bytes(jpeg(100 + number))

    def answer(one: Received) -> Answer:
        if one.filename.startswith("CLASH"):
            return Answer(418)
        is_even = int(re.findall(r"\d+", one.filename)[0]) % 2 == 0
        return Answer(413 if is_even else 200, b'{"message": "%s is too large"}' % one.filename.encode())

    server.answer = answer
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
