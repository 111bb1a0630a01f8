"""The command on a terminal, whose window is changed while it paints."""

from __future__ import annotations

import subprocess

import pytest
from servers import FormServer, answer
from terminal import Terminal

from .conftest import Home, finish, until

pytestmark = pytest.mark.process


def window(home: Home, columns: int, *words: str) -> Terminal:
    """A terminal on which a command runs that nobody can type to."""
    return home.at_terminal(*words, columns=columns, stdin=subprocess.DEVNULL)


def test_a_window_that_is_narrowed_during_a_push_leaves_no_broken_bars(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    home.photos(3)
    server.may_answer.clear()
    terminal = window(home, 100, "push", "trip", "-j2")
    terminal.until(lambda: "IMG_1.JPG" in "".join(terminal.lines()[-1:]))
    for columns in (40, 20, 120):
        terminal.resize(columns)
        width = min(columns, 80) - 1
        terminal.until(lambda width=width: _is_painted(terminal.lines(), width))  # type: ignore[misc]
    server.may_answer.set()
    assert terminal.end() == 0
    lines = terminal.lines()
    assert not [line for line in lines if "%" in line or "|" in line], lines
    assert lines[-1].startswith("trip: 3 of 3 sent in ")
    assert home.sql("select watched from run") == [(1,)]


def _is_painted(lines: list[str], width: int) -> bool:
    """Is there one line for the run and one for the upload, with bars that fill the width, or too
    narrow for bars?"""
    bars = [line for line in lines if "%" in line]
    fits = len(bars) == 2 and all(len(line) <= width for line in bars)
    return fits and (len(bars[0]) == width if width > 30 else "|" not in bars[0])


def test_a_list_of_nothing_says_so_where_somebody_looks(home: Home) -> None:
    terminal = window(home, 80, "list", "--state", "failed", "--state", "in_doubt")
    assert terminal.end() == 0
    assert terminal.lines() == ["no photo that is failed or in doubt (~/state/albumup/journal.db)"]
    done = home.run("list")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_list_of_one_kind_of_failure_names_the_others_that_there_are(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    server.answer = lambda one: answer(413 if one.filename == "IMG_2.JPG" else 200, {})
    assert home.run("push", home.photos(3)).returncode == 3
    terminal = window(home, 80, "list", "trip", "--state", "failed")
    assert terminal.end() == 0
    late, _, *lines = terminal.lines()
    assert late.startswith("trip: finished ")
    assert lines == [
        "no photo that is failed (~/state/albumup/journal.db)",
        "Others did not get there: albumup list trip --state rejected",
    ]
    terminal = window(home, 80, "list", "trip", "--state", "pending")
    assert terminal.end() == 0
    assert terminal.lines() == ["no photo that is pending (~/state/albumup/journal.db)"]


@pytest.mark.long
def test_retry_failed_that_hands_over_says_so_where_somebody_looks(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    home.photos(2)
    server.may_answer.clear()
    first = home.start("push", "trip")
    until(lambda: server.ledger)
    terminal = window(home, 80, "retry-failed")
    assert terminal.end() == 0
    assert terminal.lines() == [
        f"Process {first.pid} is uploading, and has these photos too: albumup watch"
    ]
    off_it = home.run("retry-failed")
    assert (off_it.returncode, off_it.stderr) == (0, "")
    server.may_answer.set()
    assert finish(first).returncode == 0


def test_the_bare_command_says_where_things_stand_and_what_to_type_next(
    home: Home, server: FormServer
) -> None:
    def said() -> list[str]:
        terminal = window(home, 80)
        assert terminal.end() == 0
        return terminal.lines()

    last = "    (all commands: albumup --help)"
    assert said() == [
        "nothing to do (~/state/albumup/journal.db)",
        f"Next: albumup push FOLDER{last}",
    ]
    home.form(server)
    server.answer = lambda one: answer(413 if one.filename == "IMG_2.JPG" else 401, {})
    home.run("push", home.photos(3), "-j1")
    assert said()[-1] == f"Next: albumup target check club{last}"
    assert "club: refused: 401 Unauthorized" in said()
    server.answer = lambda one: answer(413 if one.filename == "IMG_2.JPG" else 200, {})
    home.run("resume")
    late, command, head, line, after = said()
    assert late.startswith("trip: finished ")
    assert late.endswith(" ago: 2 photos sent, 1 not. Again:")
    assert command.strip() == "albumup retry-failed trip --rejected"
    assert head.split()[:3] == ["ALBUM", "TARGET", "STATE"]
    assert line.split()[:4] == ["trip", "club", "settled", "2/3"]
    assert after == f"Next: albumup retry-failed trip --rejected{last}"
    home.run("cancel", "trip")
    assert said()[-1] == f"Next: albumup push FOLDER{last}"
    off_it = home.run()
    assert (off_it.returncode, off_it.stdout) == (2, "")
    assert off_it.stderr.startswith("Usage: albumup ")


def test_on_a_terminal_photos_of_several_albums_stand_under_their_albums(home: Home) -> None:
    for album in ("first", "second"):
        home.run("push", home.photos(1), "--album", album)
    terminal = window(home, 100, "list")
    terminal.end()
    assert [line for line in terminal.lines() if "--target" in line] == [
        "first, --target inbox:",
        "second, --target inbox:",
    ]
    terminal = window(home, 100, "list", "second")
    terminal.end()
    assert not [line for line in terminal.lines() if "--target" in line]
