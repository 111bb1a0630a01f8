"""Commands to type that are completed with a journal and a config file."""

from __future__ import annotations

import pytest

from albumup.cli.layout import wrapped
from albumup.cli.pasted import completed, options_of
from albumup.photos.file_names import command

J = "--journal '/my disk/j.db'"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Go on with: albumup resume", f"Go on with: albumup {J} resume"),
        ("albumup watch 'albumup resume'", f"albumup {J} watch 'albumup resume'"),
        ("(albumup target add), so", f"(albumup {J} target add), so"),
        ("albumup cancel a, then albumup push b", f"albumup {J} cancel a, then albumup {J} push b"),
        ("albumup --journal x resume", "albumup --journal x resume"),
        ("albumup receive DIR; albumup demo", "albumup receive DIR; albumup demo"),
        ("albumup 0.1.0 begins; albumup: no", "albumup 0.1.0 begins; albumup: no"),
        ("/bin/albumup resume, my-albumup list", "/bin/albumup resume, my-albumup list"),
        ("albumup resumed; chmod 600 x", "albumup resumed; chmod 600 x"),
        (f"albumup {J} list trip", f"albumup {J} list trip"),
    ],
)
def test_commands_are_completed_once_and_nothing_else_is(text: str, expected: str) -> None:
    assert completed(text, J) == expected
    assert completed(text, "") == text


def test_a_completed_command_stays_on_one_line() -> None:
    line = completed("trip: 0 of 3 sent, 3 waiting. Go on with: albumup resume trip", J)
    assert wrapped(line, 60).splitlines()[-1].strip() == f"albumup {J} resume trip"


def test_only_what_a_bare_command_would_not_find_is_named() -> None:
    usual = {"journal": "/s/j.db", "config": "/c/c.toml"}
    assert options_of({"journal": "/s/../s/j.db", "config": None}, usual) == ""
    assert options_of({"journal": "/a b/j.db", "config": ""}, usual) == "--journal '/a b/j.db'"
    named = options_of({"journal": "/j.db", "config": "/d/c.toml"}, usual)
    assert named == "--journal /j.db --config /d/c.toml"


@pytest.mark.parametrize(
    ("arguments", "options", "expected"),
    [
        ([], (), "albumup list"),
        (["my trip"], ("--state failed",), "albumup list 'my trip' --state failed"),
        (["-f"], ("--state failed",), "albumup list --state failed -- -f"),
        (["a", "--all"], (), "albumup list -- a --all"),
        (["it's"], (), "albumup list 'it'\"'\"'s'"),
        (["-\u200bx"], ("--now",), "albumup list --now -- $'-\\u200bx'"),
    ],
)
def test_an_argument_is_never_taken_for_an_option(
    arguments: list[str], options: tuple[str, ...], expected: str
) -> None:
    assert command("list", arguments, *options) == expected
