"""The commands that screens, the log and notices name: pasted into a shell, they work."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from background import gone, log_of, pid_in
from servers import FormServer

from albumup.cli.layout import TYPED

from .conftest import Home

NAMES = ("trip", "-f", "--all trips", 'it\'s a "trip"; $HOME')


def commands(said: str) -> list[list[str]]:
    """The words after "albumup" of all commands to type, as a shell reads them."""
    lines = [found[0] for line in said.splitlines() for found in TYPED.finditer(line)]
    return [shlex.split(line)[1:] for line in lines if line.startswith("albumup ")]


def named(said: str, name: str) -> list[str]:
    """The only command of that name."""
    (found,) = [words for words in commands(said) if name in words]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_what_a_run_names_is_about_its_album(home: Home, server: FormServer, name: str) -> None:
    home.form(server)
    assert home.run("push", home.photos(2), f"--album={name}").returncode == 0
    server.says(413)
    rejected = home.run("push", home.photos(1, first=3), f"--album={name}")
    assert rejected.returncode == 3
    assert "IMG_3.JPG" in home.run(*named(rejected.stderr, "list")).stdout
    again = named(rejected.stderr, "retry-failed")
    assert (home.run(*again).returncode, home.states()["IMG_3.JPG"]) == (3, "rejected")
    server.says(201)
    assert home.run(*again).returncode == 0

    home.photos(1, first=4)
    server.says(503)
    waiting = home.run("push", "trip", f"--album={name}", "--patience", "0")
    assert waiting.returncode == 75
    held = home.run("stop", "--", name)
    server.says(201)
    resumed = home.run(*named(held.stderr, "resume"))
    assert (resumed.returncode, home.states()["IMG_4.JPG"]) == (0, "uploaded")


def test_a_typed_journal_and_config_are_typed_again(home: Home, server: FormServer) -> None:
    config = home.form(server).rename(home.folder / "my config.toml")
    (home.folder / "my disk").mkdir()
    typed = ("--journal", "my disk/j.db", "--config", config.name)
    places = ["--journal", f"{home.folder}/my disk/j.db", "--config", str(config)]
    server.says(503)
    pushed = home.run("push", home.photos(1), *typed, "--patience", "0")
    assert [words[:4] for words in commands(pushed.stderr)] == [places]
    code, alone = home.on_terminal(*typed, columns=60)
    assert (code, named("\n".join(alone), "resume")) == (0, [*places, "resume"])
    forget = home.run("forget", "trip", *typed)
    assert [words[:5] for words in commands(forget.stderr)] == [
        [*places, "resume"],
        [*places, "cancel"],
    ]
    # The same from the environment, which the shell still has.
    variables = {"ALBUMUP_JOURNAL": typed[1], "ALBUMUP_CONFIG": typed[3]}
    for more in ((), typed):
        stopped = home.run("stop", *more, **variables)
        assert commands(stopped.stderr) == [["resume", "trip"]]

    server.says(201)
    resume = named(pushed.stderr, "resume")
    assert home.run(*resume, ALBUMUP_JOURNAL="another.db").returncode == 0
    listed = home.run("list", "--json", *places).stdout
    assert json.loads(listed)["state"] == "uploaded"
    assert not home.journal.exists()
    assert not (home.folder / "another.db").exists()


def test_a_schedule_is_removed_where_it_was_made(home: Home, server: FormServer) -> None:
    config = home.form(server).rename(home.folder / "c.toml")
    command = ("push", home.photos(1))
    shown = home.run("--config", config, "schedule", "cron", "--", *command)
    assert commands(shown.stderr) == commands(
        home.run("schedule", "cron", "--", "--config", config, *command).stderr
    )
    assert named(shown.stderr, "schedule") == [
        *("--config", str(config), "schedule", "cron", "--install"),
        *("--", "push", f"{home.folder}/trip"),
    ]


@pytest.mark.process
def test_the_log_and_notices_are_read_in_other_shells(
    home: Home, server: FormServer, tmp_path: Path
) -> None:
    got = tmp_path / "got"
    hook = ["sh", "-c", f"cat >> {got}"]
    home.form(server, f"on_done = {json.dumps(hook)}\n")
    server.says(413)
    home.photos(1)
    elsewhere = f"{home.folder}/my journal.db"
    for journal, places in (
        (str(home.journal), []),
        (elsewhere, ["--journal", elsewhere]),
    ):
        variables = {"ALBUMUP_JOURNAL": journal}
        home.journal = Path(journal)
        begun = home.run("push", "trip", "--detach", **variables)
        assert named(begun.stderr, "watch") == ["watch", "trip"]
        gone(pid_in(begun.stderr), home)
        assert [words[: len(places) + 1] for words in commands(log_of(home))] == [
            [*places, "retry-failed"],
            [*places, "list"],
        ]
        notice = json.loads(got.read_text().splitlines()[-1])
        assert commands(notice["command"]) == [[*places, "retry-failed", "trip", "--rejected"]]
