"""schedule: printed, installed, removed, with programs in place of crontab, systemctl and
launchctl."""

from __future__ import annotations

import os
import plistlib
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from servers import FormServer

from .conftest import Home

FAKES = Path(__file__).parent.parent / "scheduling" / "fakes"


class Computer:
    """What schedulers a home has, and what state they are in."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.tools, self.state = home.folder / "tools", home.folder / "fakes"
        self.tools.mkdir()
        self.state.mkdir()
        home.env |= {"FAKES": str(self.state), "PATH": f"{self.tools}:{_system(home.folder)}"}

    def has(self, *tools: str) -> None:
        for tool in tools:
            shutil.copy(FAKES / tool, self.tools)

    def manner(self, word: str) -> None:
        (self.state / "manner").write_text(word)

    @property
    def crontab(self) -> bytes | None:
        tab = self.state / "tab"
        return tab.read_bytes() if tab.exists() else None

    @crontab.setter
    def crontab(self, text: bytes) -> None:
        (self.state / "tab").write_bytes(text)

    def cron_runs(self) -> list[subprocess.CompletedProcess[bytes]]:
        """Have cron run what is due, with the little that it gives a command."""
        lines = [line for line in (self.crontab or b"").decode().splitlines() if line[:1] != "#"]
        env = {"HOME": str(self.home.folder), "PATH": "/usr/bin:/bin", "LOGNAME": "anna"}
        return [
            subprocess.run(
                ["sh", "-c", line.split(" ", 5)[5].replace("\\%", "%")],
                env=env, cwd=self.home.folder, capture_output=True, stdin=subprocess.DEVNULL,
            )
            for line in lines
        ]  # fmt: skip

    @property
    def files(self) -> dict[str, str]:
        """Unit files and agents by name."""
        folders = (
            self.home.folder / "config/systemd/user",
            self.home.folder / "Library/LaunchAgents",
        )
        paths = [path for folder in folders if folder.is_dir() for path in folder.iterdir()]
        return {path.name: path.read_text() for path in paths if path.is_file()}

    @property
    def started(self) -> list[str]:
        """Timers that are active, agents that are loaded."""
        kinds = ("active.", "loaded.albumup-")
        names = sorted(path.name for path in self.state.iterdir() if path.name.startswith(kinds))
        return [name for name in names if not name.startswith("loaded.") or "timer" not in name]


def _system(home: Path) -> str:
    """A folder of what the programs in place of others need, and of no scheduler."""
    folder = home / "system"
    folder.mkdir()
    for tool in ("sh", "cat", "mv", "rm", "awk", "tail", "basename", "cp", "mkdir", "ln", "touch"):
        (folder / tool).symlink_to(shutil.which(tool) or tool)
    return str(folder)


@pytest.fixture
def computer(home: Home) -> Computer:
    return Computer(home)


def schedule(home: Home, *words: object, code: int = 0) -> tuple[str, str]:
    done = home.run("schedule", *words)
    assert done.returncode == code, done.stderr
    return done.stdout, done.stderr


# Printed.


def test_a_line_for_cron_is_printed_and_nothing_installed(home: Home, computer: Computer) -> None:
    computer.has("crontab")
    config = home.config("")
    out, err = schedule(home, "cron")
    *times, command = out.split(" ", 5)
    assert times[1:] == ["*"] * 4
    minutes = [int(minute) for minute in times[0].split(",")]
    assert [minute - minutes[0] for minute in minutes] == [0, 15, 30, 45]
    program, *words = shlex.split(command, comments=True)
    assert program == "XDG_DATA_HOME=" + home.env["XDG_DATA_HOME"]
    assert os.path.isabs(words[0]) and os.access(words[0], os.X_OK)
    assert words[1:] == ["--journal", str(home.journal), "--config", str(config), "retry-failed"]
    assert "albumup schedule cron --install" in err
    assert computer.crontab is None
    assert not home.journal.exists()


def test_units_and_agents_are_printed(home: Home, computer: Computer) -> None:
    out, _ = schedule(home, "systemd")
    first, second = out.split("\n\n# ")
    assert first.startswith(f"# {home.folder}/config/systemd/user/albumup-retry-failed-")
    assert "[Service]" in first and "[Timer]" in second
    out, _ = schedule(home, "launchd")
    assert plistlib.loads(out.encode())["ProgramArguments"][-1] == "retry-failed"
    assert computer.files == {}


def test_paths_of_a_command_are_absolute(home: Home) -> None:
    home.photos(1)
    (home.folder / "list").write_text(f"{home.folder}/trip/IMG_1.JPG\n")
    words = ("push", "trip", "~/trip", "--files-from", "list", "--album", "a b", "--spool-dir", "s")
    out, _ = schedule(home, "cron", "--", *words, "-v", "-v", "--include", "*.jpg", "--include=x")
    made = shlex.split(out, comments=True)
    here = str(home.folder)
    assert made[made.index("push") :] == [
        *("push", "--include", "*.jpg", "--include", "x", "--files-from", f"{here}/list"),
        *("--album", "a b", "--spool-dir", f"{here}/s", "--verbose", "--verbose"),
        *(f"{here}/trip", f"{here}/trip"),
    ]


def test_journal_and_config_of_the_command_are_its_own(home: Home) -> None:
    home.photos(1)
    for name in ("a.toml", "b.toml"):
        (home.folder / name).write_text("")
    words = ("--", "--config", "b.toml", "push", "trip", "--journal", "b.db")
    out, _ = schedule(home, "--journal", "a.db", "--config", "a.toml", "cron", *words)
    made = shlex.split(out, comments=True)
    here = str(home.folder)
    assert made[made.index("--journal") :] == [
        *("--journal", f"{here}/b.db", "--config", f"{here}/b.toml", "push", f"{here}/trip")
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["psuh", "trip"], "there is no command 'psuh'; did you mean push?"),
        (["status"], "albumup status makes no sense in a schedule"),
        ([""], "there is no command ''"),
        (["push"], "nothing to push"),
        (["push", "nowhere"], "there is no file or folder"),
        (["push", "trip", "--albun", "x"], "did you mean --album?"),
        (["push", "trip", "--jobs", "many"], "whole number"),
        (["push", "trip", "--limit-rate", "fast"], "--limit-rate"),
        (["push", "trip", "--since", "then"], "--since"),
        (["push", "trip", "--dry-run"], "sends nothing"),
        (["push", "trip", "--detach"], "in the background already"),
        (["push", "trip", "-h"], "only shows the help"),
        (["--version"], "only shows the version"),
        (["push", "--files-from", "-"], "nobody writes into it"),
        (["push", "--files-from", "relative", "--album", "x"], "relative"),
        (["push", "trip", "--field", "a=b"], "--field goes with --url"),
        (["push", "trip", "--url", "http://x.example/", "--field", "a"], "NAME=VALUE"),
        (["retry-failed", "nowhere"], "there is no album 'nowhere'"),
        (["retry-failed", "--target", "nowhere"], "no album goes to"),
        (["push", b"/tmp/a\xffb"], "no file or folder"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_a_command_that_could_not_run_is_an_error_now(
    home: Home, computer: Computer, words: list[str], said: str
) -> None:
    computer.has("crontab")
    home.photos(1)
    (home.folder / "relative").write_text("trip/IMG_1.JPG\n")
    for option in ([], ["--install"]):
        _, err = schedule(home, "cron", *option, "--", *words, code=2)
        assert said in err
    assert computer.crontab is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cron", "--install", "--remove"], "one of them"),
        (["--install"], "cron, systemd, launchd"),
        (["anacron"], "none of cron, systemd, launchd"),
        (["cron", "push", "trip", "--album", "x"], "stand behind --"),
    ],
)
def test_what_schedule_itself_does_not_understand(home: Home, words: list[str], said: str) -> None:
    _, err = schedule(home, *words, code=2)
    assert said in err


@pytest.mark.process
def test_a_name_that_is_no_text_is_refused(home: Home, computer: Computer) -> None:
    computer.has("crontab")
    folder = home.photos(1).rename(os.fsdecode(bytes(home.folder) + b"/a\xffb"))
    _, err = schedule(home, "cron", "--install", "--", "push", os.fsencode(folder), code=2)
    assert "no UTF-8 text" in err
    assert computer.crontab is None


# Tokens in variables.

TARGETS = """
default_target = "{default}"
[targets.home]
kind = "form"
url = "http://photos.example.org/"
token_env = "HOME_TOKEN"
[targets.club]
kind = "form"
url = "http://club.example.org/"
token_file = "token"
"""


@pytest.mark.parametrize("kind", ["cron", "systemd", "launchd"])
def test_a_token_in_a_variable_is_refused(home: Home, computer: Computer, kind: str) -> None:
    computer.has("crontab", "systemctl", "launchctl")
    home.photos(1)
    home.config(TARGETS.format(default="home"))
    for words in ([], ["--", "push", "trip"], ["--install"], ["--install", "--", "resume"]):
        _, err = schedule(home, kind, *words, code=4)
        assert "home takes its token from the variable HOME_TOKEN" in err
        assert "token_file" in err and "[targets.home]" in err
    assert (computer.crontab, computer.files) == (None, {})
    schedule(home, kind, "--install", "--", "push", "trip", "--target", "club")
    schedule(home, kind, "--remove")


def test_albums_and_options_decide_which_targets_are_used(home: Home, server: FormServer) -> None:
    home.photos(1)
    home.photos(1, "other", first=2)
    home.run("push", "trip", "--url", server.url, "--token-env", "CLUB_TOKEN", CLUB_TOKEN="x")
    home.config(TARGETS.format(default="club"))
    _, err = schedule(home, "cron", code=4)
    assert "CLUB_TOKEN" in err and "--token-file" in err
    _, err = schedule(home, "cron", "--", "push", "trip", code=4)
    assert "CLUB_TOKEN" in err
    schedule(home, "cron", "--", "push", "other")
    words = ("--url", "http://x.example.org/", "--token-env", "X_TOKEN")
    _, err = schedule(home, "cron", "--", "push", "other", *words, code=4)
    assert "--token-env X_TOKEN" in err


# cron.


def test_cron_runs_what_was_installed_from_a_short_environment(
    home: Home, computer: Computer
) -> None:
    computer.has("crontab")
    home.photos(2, "my 100% photos")
    _, err = schedule(home, "cron", "--install", "--", "push", "my 100% photos", "--album", "it's")
    assert "Installed: albumup push --album" in err and "every hour, by cron" in err
    home.config("[defaults]\nstable_for = 0\n")  # the journal and the inbox are still found
    (done,) = computer.cron_runs()
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"2 of 2 copied" in done.stderr
    assert home.album()["album"] == "it's"
    assert len(list(home.inbox.glob("it's/*"))) == 2


@pytest.mark.parametrize("manner", ["debian", "busybox", "macos"])
def test_installing_twice_leaves_one_line_and_removing_none(
    home: Home, computer: Computer, manner: str
) -> None:
    computer.has("crontab")
    computer.manner(manner)
    schedule(home, "cron", "--install")
    once = computer.crontab
    assert once is not None and once.count(b"\n") == 1
    _, err = schedule(home, "cron", "--install")
    assert "Installed before, and as it was" in err
    assert computer.crontab == once
    _, err = schedule(home, "cron", "--remove")
    assert "albumup retry-failed is no longer run by cron" in err
    assert computer.crontab is None
    _, err = schedule(home, "cron", "--remove")
    assert "is not run by cron" in err


def test_others_lines_stay_and_an_edit_is_replaced_with_a_word(
    home: Home, computer: Computer
) -> None:
    computer.has("crontab")
    mine = b"# caf\xe9\r\nMAILTO=anna\n\n\t\n0 5 * * * albumup retry-failed"
    computer.crontab = mine
    schedule(home, "cron", "--install")
    made = computer.crontab
    line = made.removeprefix(mine + b"\n")
    edited = b"*/2" + line[line.index(b" ") :]
    computer.crontab = mine + b"\n" + edited + b"5 5 * * * last\n"
    _, err = schedule(home, "cron", "--install")
    assert "It was edited since" in err and edited.decode().strip() in err
    assert computer.crontab == mine + b"\n" + line + b"5 5 * * * last\n"
    schedule(home, "cron", "--remove")
    assert computer.crontab == mine + b"\n5 5 * * * last\n"


def test_several_commands_and_journals_live_side_by_side(home: Home, computer: Computer) -> None:
    computer.has("crontab")
    home.photos(1)
    every = [
        ["cron"],
        ["cron", "--", "push", "trip"],
        ["cron", "--", "push", "trip", "--album", "x"],
        ["cron", "--journal", "other.db"],
    ]
    for words in every:
        schedule(home, words[0], "--install", *words[1:])
    assert (computer.crontab or b"").count(b"\n") == 4
    out, _ = schedule(home)
    assert len(out.splitlines()) == 4
    for command in ("albumup retry-failed", f"albumup push {home.folder}/trip", "--album x"):
        assert command in out
    _, err = schedule(home, "cron", "--remove", *every[1][1:])
    assert f"albumup push {home.folder}/trip is no longer run" in err
    out, _ = schedule(home, "--journal", "other.db")
    assert len(out.splitlines()) == 2
    assert (computer.crontab or b"").count(b"\n") == 3


@pytest.mark.parametrize(
    ("manner", "said"),
    [
        ("denied", "not allowed to use this program (crontab); See crontab(1)"),
        ("unreadable", "Permission denied"),
        ("full", "No space left on device"),
        ("forgetful", "does not show it"),
    ],
)
def test_a_crontab_that_fails_is_left_as_it_was(
    home: Home, computer: Computer, manner: str, said: str
) -> None:
    computer.has("crontab")
    computer.crontab = b"1 1 * * * mine\n"
    computer.manner(manner)
    _, err = schedule(home, "cron", "--install", code=1)
    assert said in err
    assert computer.crontab == b"1 1 * * * mine\n"


def test_a_crontab_that_cannot_be_read_is_named_by_the_list(home: Home, computer: Computer) -> None:
    computer.has("crontab")
    computer.manner("unreadable")
    out, err = schedule(home)
    assert out == "" and "Permission denied" in err
    schedule(home, "cron", "--remove", code=1)


def test_what_cron_finds_too_long_is_said(home: Home, computer: Computer) -> None:
    computer.has("crontab")
    home.photos(1)
    excluded = [word for number in range(99) for word in ("--exclude", f"IMG_{number:04}.JPG")]
    _, err = schedule(home, "cron", "--install", "--", "push", "trip", *excluded, code=1)
    assert "command too long" in err
    assert computer.crontab is None


@pytest.mark.parametrize(
    ("kind", "said"),
    [("cron", "no crontab"), ("systemd", "no systemctl"), ("launchd", "no launchctl")],
)
def test_without_a_scheduler_the_others_are_named(
    home: Home, computer: Computer, kind: str, said: str
) -> None:
    _, err = schedule(home, kind, "--install", code=1)
    assert said in err and "man albumup-cron" in err
    assert "install cron" in err.lower() and "albumup retry-failed" in err
    assert "schedule systemd" not in err and "schedule launchd" not in err, "none is here"
    tools = {"cron": "crontab", "systemd": "systemctl", "launchd": "launchctl"}
    first, second = [one for one in tools if one != kind]
    computer.has(tools[first])
    _, err = schedule(home, kind, "--install", code=1)
    assert f"albumup schedule {first};" in err
    computer.has(tools[second])
    _, err = schedule(home, kind, "--install", code=1)
    assert f"albumup schedule {first} or albumup schedule {second};" in err
    assert computer.files == {}


# systemd.


def test_a_timer_is_installed_once_and_removed(home: Home, computer: Computer) -> None:
    computer.has("systemctl")
    schedule(home, "systemd", "--install")
    names = sorted(computer.files)
    assert [os.path.splitext(name)[1] for name in names] == [".service", ".timer"]
    assert computer.started == [f"active.{names[1]}"]
    before = computer.files
    _, err = schedule(home, "systemd", "--install")
    assert "Installed before" in err
    assert computer.files == before
    out, _ = schedule(home)
    assert "systemd" in out and "albumup retry-failed" in out and names[1][:-6] in out
    schedule(home, "systemd", "--remove")
    assert (computer.files, computer.started) == ({}, [])
    _, err = schedule(home, "systemd", "--remove")
    assert "is not run by systemd" in err


def test_an_edited_timer_is_replaced_with_a_word(home: Home, computer: Computer) -> None:
    computer.has("systemctl")
    schedule(home, "systemd", "--install")
    made = computer.files
    (timer,) = home.folder.glob("config/systemd/user/*.timer")
    timer.write_text(timer.read_text().replace("Persistent=true", "OnCalendar=daily"))
    _, err = schedule(home, "systemd", "--install")
    assert "It was edited since" in err and "OnCalendar=daily" in err
    assert "WantedBy" not in err
    assert computer.files == made


@pytest.mark.parametrize("word", ["daemon-reload", "enable"])
def test_a_step_that_fails_is_undone(home: Home, computer: Computer, word: str) -> None:
    computer.has("systemctl")
    computer.manner(word)
    _, err = schedule(home, "systemd", "--install", code=1)
    assert f"Failed to {word}: Access denied" in err
    assert (computer.files, computer.started) == ({}, [])
    computer.manner("")
    schedule(home, "systemd", "--install")
    (timer,) = home.folder.glob("config/systemd/user/*.timer")
    timer.write_text(timer.read_text() + "# mine\n")
    before, started = computer.files, computer.started
    computer.manner(word)
    schedule(home, "systemd", "--install", code=1)
    assert (computer.files, computer.started) == (before, started)


def test_without_a_manager_nothing_is_written(home: Home, computer: Computer) -> None:
    computer.has("systemctl")
    computer.manner("offline")
    _, err = schedule(home, "systemd", "--install", code=1)
    assert "No medium found" in err and "albumup schedule cron" in err
    assert computer.files == {}


@pytest.mark.parametrize(("lingers", "is_said"), [("no", True), ("yes", False), (None, False)])
def test_that_timers_end_with_the_last_logout_is_said(
    home: Home, computer: Computer, lingers: str | None, is_said: bool
) -> None:
    computer.has("systemctl", "loginctl")
    if lingers is not None:
        (computer.state / "linger").write_text(f"{lingers}\n")
    _, err = schedule(home, "systemd", "--install")
    assert ("loginctl enable-linger" in err) is is_said


# launchd.


def test_an_agent_is_installed_once_and_removed(home: Home, computer: Computer) -> None:
    computer.has("launchctl")
    schedule(home, "launchd", "--install")
    (name,) = computer.files
    assert computer.started == [f"loaded.{name.removesuffix('.plist')}"]
    _, err = schedule(home, "launchd", "--install")
    assert "Installed before" in err
    agent = home.folder / "Library/LaunchAgents" / name
    made = agent.read_text()
    agent.write_text(made.replace("<integer>10</integer>", "<integer>19</integer>"))
    _, err = schedule(home, "launchd", "--install")
    assert "<integer>19</integer>" in err
    assert agent.read_text() == made
    out, _ = schedule(home)
    assert "launchd" in out and "albumup retry-failed" in out
    schedule(home, "launchd", "--remove")
    assert (computer.files, computer.started) == ({}, [])


def test_an_agent_that_is_not_taken_is_undone(home: Home, computer: Computer) -> None:
    computer.has("launchctl")
    computer.manner("bootstrap")
    _, err = schedule(home, "launchd", "--install", code=1)
    assert "Input/output error" in err
    assert (computer.files, computer.started) == ({}, [])
    computer.manner("")
    schedule(home, "launchd", "--install")
    (agent,) = home.folder.glob("Library/LaunchAgents/*")
    agent.write_text(agent.read_text() + "<!-- mine -->\n")
    before = computer.files, computer.started
    computer.manner("bootout")
    schedule(home, "launchd", "--install", code=1)
    assert (computer.files, computer.started) == before


# What is installed.


def test_nothing_is_said_to_be_installed_and_how_to_do_that(home: Home, computer: Computer) -> None:
    out, err = schedule(home)
    assert out == ""
    assert "Nothing is run regularly" in err and "albumup schedule cron" in err
    assert "install cron (" in err
    computer.has("crontab", "systemctl")
    _, err = schedule(home)
    command = "albumup schedule cron --install or albumup schedule systemd --install\n"
    assert err.replace("\n  ", " ").endswith(f"To have that: {command}")


def test_all_kinds_are_listed_and_two_of_the_same_command_are_named(
    home: Home, computer: Computer
) -> None:
    computer.has("crontab", "systemctl", "launchctl")
    schedule(home, "cron", "--install")
    _, err = schedule(home, "systemd", "--install")
    assert "It is also run by cron" in err and "albumup schedule cron --remove" in err
    schedule(home, "launchd", "--install")
    computer.crontab = b"#" + (computer.crontab or b"")
    out, _ = schedule(home)
    assert [line.split("  ")[0] for line in out.splitlines()[1:]] == [
        *("cron (off)", "systemd", "launchd")
    ]


@pytest.mark.parametrize("words", [["resume"], ["retry-failed", "trip"], ["retry-failed", "--all"]])
def test_what_a_command_does_each_time_is_said(
    home: Home, computer: Computer, words: list[str]
) -> None:
    computer.has("crontab")
    home.run("push", home.photos(1))
    _, err = schedule(home, "cron", "--install", "--", *words)
    assert "Each run" in err
    _, err = schedule(home, "cron", "--install")
    assert "Each run" not in err


def test_what_the_shell_has_and_cron_has_not_is_named(home: Home, computer: Computer) -> None:
    computer.has("crontab")
    for tool in ("pass", "told"):
        (computer.tools / tool).write_text("#!/bin/sh\necho hush\n")
        (computer.tools / tool).chmod(0o755)
    home.config(
        '[defaults]\non_done = ["told", "x"]\nmay_run = ["sh", "-c", "true"]\n'
        '[targets.home]\nkind = "form"\nurl = "http://x.example.org/"\n'
        'token_command = ["pass", "show"]\n'
    )
    done = home.run("schedule", "cron", "--install", https_proxy="http://u:secret@127.0.0.1:1")
    assert done.returncode == 0
    for tool in ("pass", "told"):
        assert f"cron does not find {tool}, whose PATH is short: name it as" in done.stderr
        assert str(computer.tools / tool) in done.stderr
    assert "cron does not find sh" not in done.stderr
    assert "cron may not have https_proxy" in done.stderr and "secret" not in done.stderr
    assert "https_proxy" not in schedule(home, "cron", "--install")[1]


def test_a_schedule_is_removed_whatever_the_config_says_by_then(
    home: Home, computer: Computer
) -> None:
    computer.has("crontab")
    schedule(home, "cron", "--install")
    home.config("no = [toml")
    schedule(home, "cron", code=4)
    schedule(home, "cron", "--remove")
    assert computer.crontab is None


def test_a_terminal_is_sent_no_path_that_it_would_obey(home: Home, computer: Computer) -> None:
    computer.has("crontab")
    trip = home.photos(1).rename(home.folder / "gpj.\N{RIGHT-TO-LEFT OVERRIDE}x")
    assert "\N{RIGHT-TO-LEFT OVERRIDE}x" in schedule(home, "cron", "--", "push", trip)[0]
    _, lines = home.on_terminal("schedule", "cron", "--", "push", trip)
    assert "gpj." in "".join(lines)
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in "".join(lines)


def test_screens_of_80_columns(home: Home, computer: Computer) -> None:
    """On a terminal, where all is broken and fitted."""
    computer.has("crontab")
    schedule(home, "cron", "--install", "--", "resume", "--jobs", "2", "--limit-rate", "2M")
    schedule(home, "cron", "--install")
    _, lines = home.on_terminal("schedule")
    assert any("albumup-retry-failed-" in line for line in lines)
    assert max(map(len, lines)) <= 80
