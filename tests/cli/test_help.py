"""Help texts, in-process: their groups, their width, and what leads to them."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from albumup import __version__
from albumup.cli import cli
from albumup.cli.app import App
from albumup.cli.help import GENERAL, HOW, NO_CONFIG, OPTIONS, WHAT, WHERE, Command, Group, grouped


def run(*words: str, columns: int = 80) -> str:
    done = CliRunner().invoke(
        cli, words, prog_name="albumup", obj=App(), env={"COLUMNS": str(columns)}
    )
    return done.output


def commands() -> Iterator[tuple[str, ...]]:
    context = click.Context(cli, **cli.context_settings)
    for name in cli.list_commands(context):
        found = cli.get_command(context, name)
        yield (name,)
        if isinstance(found, click.Group):
            yield from ((name, inner) for inner in found.list_commands(context))


def of(*words: str) -> click.Command:
    found: click.Command = cli
    for word in words:
        assert isinstance(found, click.Group)
        inner = found.get_command(click.Context(found, **cli.context_settings), word)
        assert inner is not None
        found = inner
    return found


@pytest.mark.parametrize("words", [(), *commands()], ids=" ".join)
@pytest.mark.parametrize("columns", [80, 40])
def test_each_help_text_fits_the_terminal_and_shows_an_example(
    words: tuple[str, ...], columns: int
) -> None:
    text = run(*words, "-h", columns=columns)
    # What is typed stays whole: at 40 columns an example may be wider.
    wide = [
        line
        for line in text.splitlines()
        if len(line) > columns and not line.startswith("    albumup ")
    ]
    assert wide == []
    if columns == 80:
        assert [line for line in text.splitlines() if len(line) > columns] == []
        assert f"\n    albumup {words[0] if words else 'push'}" in text


def test_the_options_of_push_stand_in_groups() -> None:
    headings = [
        line for line in run("push", "-h").splitlines() if line.endswith(":") and line[0] != " "
    ]
    assert headings == [f"{one}:" for one in (WHAT, WHERE, HOW, NO_CONFIG, GENERAL)]


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_the_options_that_all_commands_have_are_the_general_ones(words: tuple[str, ...]) -> None:
    found = of(*words)
    assert isinstance(found, Command | Group)
    context = click.Context(found, **cli.context_settings)
    general = dict(grouped(found, context))[GENERAL]
    assert [one.opts[-1] for one in general] == [
        "--journal", "--config", "--quiet", "--verbose", "--progress", "--version", "--color",
        "--help",
    ]  # fmt: skip
    if words in {("push",), ("resume",), ("retry-failed",)}:
        assert OPTIONS not in dict(grouped(found, context))


@pytest.mark.parametrize("words", [("push",), ("target",), ("target", "add"), ()], ids=" ".join)
def test_help_is_a_command_too(words: tuple[str, ...]) -> None:
    assert run("help", *words) == run(*words, "--help")
    assert run("help", *words).startswith(" ".join(("Usage: albumup", *words)))


def test_help_before_the_command_is_that_of_the_command() -> None:
    assert run("--help", "push") == run("push", "--help")
    assert run("-h", "target", "add") == run("target", "add", "-h")
    assert run("--help", "no-command") == run("--help")


def test_help_of_no_command_says_so() -> None:
    assert "there is no command 'psuh'; did you mean push?" in run("help", "psuh")
    assert "albumup target has no command" not in run("help", "target", "add")
    assert "albumup push has no commands of its own" in run("help", "push", "twice")


def test_version_is_a_command_too() -> None:
    assert run("version") == run("-V") == f"albumup {__version__}\n"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("psh", "push"),
        ("pusj", "push"),
        ("lst", "list"),
        ("stat", "status"),
        ("retry", "retry-failed"),
        ("halp", "help"),
    ],
)
def test_a_near_miss_of_a_command_is_said(typed: str, meant: str) -> None:
    assert f"there is no command '{typed}'; did you mean {meant}?" in run(typed, "./trip")


@pytest.mark.parametrize(
    "typed", ["forgt", "forge", "forg", "fotget", "for", "forgets", "frget", "orget"]
)
def test_no_near_miss_leads_to_forget(typed: str) -> None:
    assert f"there is no command '{typed}'\n" in run(typed, "trip")


@pytest.mark.parametrize("typed", ["d3", "rm", "upload", "delete", "xyzzy"])
def test_a_word_that_is_near_no_command_gets_no_guess(typed: str) -> None:
    assert f"there is no command '{typed}'\n" in run(typed)


def test_a_near_miss_within_target_is_said() -> None:
    assert "there is no command 'chek'; did you mean check?" in run("target", "chek", "home")


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_a_near_miss_of_an_option_leads_to_nothing_that_gives_photos_up(
    words: tuple[str, ...],
) -> None:
    """click guesses among a command's options: none of them deletes, forgets or gives up."""
    found = of(*words)
    options = {
        name
        for one in found.get_params(click.Context(found, **cli.context_settings))
        for name in one.opts
        if name[:2] == "--"
    }
    if words == ("schedule",):
        options.remove("--remove")  # of a schedule, which holds no photos
    assert not {
        name
        for name in options
        if any(word in name for word in ("delet", "forget", "remov", "cancel", "force"))
    }


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("--albun", "there is no option '--albun'; did you mean --album?\n"),
        ("--dry", "there is no option '--dry'; did you mean --dry-run?\n"),
        ("--n", "there is no option '--n'\n"),
        ("--force", "there is no option '--force'\n"),
        ("--abc", "there is no option '--abc'\n"),
    ],
)
def test_a_near_miss_of_an_option_has_a_cut_off(typed: str, said: str) -> None:
    assert run("push", "./trip", typed, "x").endswith(said)


@pytest.mark.parametrize(
    "words", [("--jornal", "x", "status"), ("target", "--jornal", "x", "list")], ids=" ".join
)
def test_a_near_miss_of_an_option_before_the_command_is_said_alike(words: tuple[str, ...]) -> None:
    assert run(*words).endswith("there is no option '--jornal'; did you mean --journal?\n")


def test_what_help_alone_needs_is_loaded_for_help_alone() -> None:
    # The shell runs the program at each Tab. shutil brings three compressors.
    code = "import sys; sys.argv = ['albumup', '-V']; from albumup.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True
    )
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "albumup.cli.help" in loaded
    assert (
        loaded
        & {"shutil", "textwrap", "albumup.cli.layout", "albumup.cli.screen", "albumup.config.file"}
        == set()
    )


def test_no_help_text_is_broken_within_a_command() -> None:
    for columns in range(30, 81, 5):
        assert "albumup resume goes on" in " ".join(run("push", "-h", columns=columns).split())
        assert "albumup\n" not in run("push", "-h", columns=columns)


@pytest.mark.parametrize(
    "words", [("push", "-j", "many"), ("resume", "--retries", "1.5"), ("receive", "--port", "x")]
)
def test_what_is_no_number_is_said_in_plain_words(words: tuple[str, ...]) -> None:
    assert run(*words).endswith(f"'{words[-1]}' is not a valid whole number.\n")


def test_a_folder_without_a_command_is_pushed_by_push(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my trip").mkdir()
    assert "there is no command 'my trip'; did you mean push 'my trip'?\n" in run("my trip")
    assert "there is no command './my trip'; did you mean push './my trip'?\n" in run("./my trip")
    assert "there is no command './trip'\n" in run("./trip")
    assert "there is no command 'my trip'\n" in run("target", "my trip")


@pytest.mark.parametrize(
    ("name", "wait"), [("push", "5m"), ("resume", "5m"), ("retry-failed", "not at all")]
)
def test_help_says_how_long_a_command_waits_for_a_server(name: str, wait: str) -> None:
    assert f"How long to wait for a server that is down ({wait})." in run(name, "-h")


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (("list", "--state", "rejcted"), "; did you mean rejected?"),
        (("list", "--state", "in-doubt"), "; did you mean in_doubt?"),
        (("list", "--state", "zz"), ""),
        (("status", "--progress", "plan"), "; did you mean plain?"),
        (("status", "--color", "nevr"), "; did you mean never?"),
    ],
)
def test_a_near_miss_of_a_word_that_an_option_takes_is_said(
    words: tuple[str, ...], near: str
) -> None:
    choices = next(one.type.choices for one in of(words[0]).params if words[1] in one.opts)
    assert run(*words).endswith(f"'{words[2]}' is none of {', '.join(choices)}{near}\n")
