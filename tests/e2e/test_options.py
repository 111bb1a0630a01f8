"""Global options and the terminal."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from servers import FormServer, answer
from terminal import Terminal

from .conftest import Home, finish, until

COMMANDS = (
    "push",
    "resume",
    "retry-failed",
    "status",
    "watch",
    "wait",
    "stop",
    "list",
    "log",
    "cancel",
    "forget",
    "share",
    "verify",
    "target",
    "receive",
    "schedule",
    "demo",
    "help",
    "version",
)


def test_help_lists_what_there_is_and_nothing_that_comes_later(home: Home) -> None:
    helped = home.run("-h")
    assert helped.returncode == 0
    assert helped.stdout == home.run("--help").stdout
    assert re.findall(
        r"^  ([a-z-]+)  ", helped.stdout.partition("Commands:")[2], re.MULTILINE
    ) == list(COMMANDS)
    options = {
        option
        for command in COMMANDS
        for option in re.findall(r"--[a-z-]+", home.run(command, "-h").stdout)
    }
    assert not options & {"--in-background", "--album-id"}
    assert re.findall(r"^  ([a-z]+)  ", home.run("target", "-h").stdout, re.MULTILINE) == [
        "add",
        "check",
        "list",
        "show",
        "try",
    ]


NO = b'{"success": false, "message": "no file"}'


@pytest.mark.parametrize(
    ("status", "said", "names"),
    [
        (200, NO, {"--url", "--file-field", "--field", "--success-text"}),
        (400, b"<title>Bad</title>", {"--url", "--file-field", "--field"}),
        (401, b"{}", {"--url", "--token-file", "--token-env", "--auth", "--header"}),
        (413, b"{}", {"--url", "--file-field", "--field"}),
        (200, b"<p>Danke</p>", {"--url", "--success-text"}),
    ],
    ids=["a no in a 2xx", "400 with a page", "401", "413", "a page"],
)
def test_a_refusal_names_options_that_there_are(
    home: Home, server: FormServer, status: int, said: bytes, names: set[str]
) -> None:
    mime = "text/html" if said.startswith(b"<") else "application/json"
    server.answer = lambda _: answer(status, said, mime=mime)
    done = home.run("push", home.photos(3), "--url", server.url)
    assert done.returncode == 4
    assert set(re.findall(r"--[a-z-]+", done.stderr)) == names
    assert re.search(
        rf"^{server.url}\S* ?[^\n]*\n[A-Z]", done.stderr, re.MULTILINE
    )  # what happened, and what to do
    assert ("Raise the limit" in done.stderr) == (status == 413)
    assert "in push --url" not in done.stderr
    assert ("all it says: albumup target try 127.0.0.1 " in done.stderr) == (
        names == {"--url", "--success-text"}
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_commands_help_fits_80_columns(home: Home, command: str) -> None:
    done = home.run(command, "-h", COLUMNS="80")
    assert done.returncode == 0
    assert [line for line in done.stdout.splitlines() if len(line) > 80] == []
    about = done.stdout.partition("Options:")[0].partition("\n")[2]
    assert command == "demo" or f"albumup {command}" in about  # an example; demo is one itself


def test_the_version_before_and_after_a_command(home: Home) -> None:
    versions = {
        home.run(*line).stdout
        for line in (["-V"], ["--version"], ["status", "-V"], ["-V", "status"])
    }
    assert len(versions) == 1
    assert re.fullmatch(r"albumup \d+\.\d+\.\d+\S*\n", versions.pop())


def test_a_journal_is_not_made_where_its_disk_is_not_mounted(home: Home) -> None:
    done = home.run("push", home.photos(1), "--journal", "/mnt/no such disk/albumup/j.db")
    assert done.returncode == 2
    assert "mkdir -p '/mnt/no such disk/albumup'" in done.stderr
    assert home.run("push", home.photos(1), "--journal", "not/there/yet/j.db").returncode == 0


def test_global_options_stand_before_and_after_the_command_and_after_wins(home: Home) -> None:
    photo = home.photos(1)
    home.run("push", photo, "--journal", "a.db")
    assert home.run("--journal", "a.db", "list").stdout
    assert home.run("list", "--journal", "a.db").stdout
    assert home.run("--journal", "b.db", "list", "--journal", "a.db").stdout
    assert home.run("--journal", "a.db", "list", "--journal", "b.db").stdout == ""
    assert not home.journal.exists()


@pytest.mark.process
def test_journal_and_config_come_from_the_environment_and_options_win(
    home: Home, server: FormServer
) -> None:
    config = home.form(server).rename(home.folder / "other.toml")
    named = {"ALBUMUP_JOURNAL": str(home.folder / "a.db"), "ALBUMUP_CONFIG": str(config)}
    assert home.run("push", home.photos(1), **named).returncode == 0
    assert server.names == ["IMG_1.JPG"]
    assert (home.folder / "a.db").exists()
    assert not home.journal.exists()
    assert home.run("list", **named).stdout
    assert home.run("list", "--journal", "b.db", **named).stdout == ""
    (home.folder / "empty.toml").touch()
    assert "club" not in home.run("target", "list", "--config", "empty.toml", **named).stdout


def test_quiet_says_only_what_went_wrong(home: Home, server: FormServer) -> None:
    home.form(server)
    home.photos(2)
    server.answer = lambda one: answer(413 if one.filename == "IMG_2.JPG" else 200, {})
    failed = home.run("push", "trip", "-q")
    assert failed.returncode == 3
    assert "IMG_2.JPG" in failed.stderr
    assert "queued" not in failed.stderr
    well = home.run("push", home.photos(1, "more", first=9), "-q")
    assert (well.returncode, well.stdout, well.stderr) == (0, "", "")
    again = home.run("-q", "push", "more")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_off_a_terminal_there_are_no_bars_and_no_colours(home: Home) -> None:
    said = home.run("push", home.photos(3)).stderr
    assert not set(said) & {"\r", "\x1b"}
    assert "%" not in said


def test_plain_progress_is_lines(home: Home, server: FormServer) -> None:
    home.form(server)
    server.may_answer.clear()
    process = home.start("push", home.photos(3), "--progress", "plain")
    assert process.stderr is not None
    until(lambda: re.match(r"trip: 0 of 3 photos, ", process.stderr.readline()))
    server.may_answer.set()
    done = finish(process)
    assert done.returncode == 0
    assert not set(done.stderr) & {"\r", "\x1b"}


def test_a_disabled_progress_and_wrong_choices(home: Home) -> None:
    assert home.run("push", home.photos(1), "--progress", "none").returncode == 0
    done = home.run("status", "--progress", "fancy")
    assert done.returncode == 2
    assert "plain" in done.stderr


# On a terminal.


def painted_by(terminal: Terminal) -> str:
    """All that a command sends to its terminal, up to its end."""
    assert terminal.end() == 0, terminal.said
    return terminal.painted.decode()


def bare(painted: str) -> str:
    """What is painted, without colours and moves."""
    return re.sub(r"\x1b(?:[78]|\[[0-9;?]*[A-Za-z])", "", painted)


def widths(painted: str) -> list[int]:
    """The columns that each painted line takes."""
    return [
        sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)
        for line in re.split(r"[\r\n]+", bare(painted))
    ]


def pushing(home: Home, server: FormServer, columns: int = 80, **env: str) -> str:
    """What is painted while a server holds its answer until the bars stand there."""
    home.form(server)
    trip = home.photos(2)
    (trip / "IMG_1.JPG").rename(trip / ("夏休みの思い出の写真" * 4 + ".JPG"))
    server.may_answer.clear()
    terminal = home.at_terminal("push", trip, columns=columns, **env)
    terminal.until(lambda: "| 2.02k/" in terminal.said or "| 2.0" in terminal.said)
    server.may_answer.set()
    return painted_by(terminal)


@pytest.mark.parametrize("columns", [80, 50])
def test_bars_never_exceed_the_terminal(home: Home, server: FormServer, columns: int) -> None:
    painted = pushing(home, server, columns)
    bars = [line for line in re.split(r"[\r\n]+", painted) if "%" in line and "|" in line]
    assert bars
    assert max(widths("\r".join(bars))) <= columns


def test_100_percent_shows_only_after_the_answer(home: Home, server: FormServer) -> None:
    home.form(server)
    home.photos(1)
    server.may_answer.clear()
    terminal = home.at_terminal("push", "trip")
    # It was painted some times since its last byte went.
    terminal.until(lambda: terminal.said.count("IMG_1.JPG") >= 3 and server.ledger)
    before = terminal.said
    server.may_answer.set()
    painted_by(terminal)
    assert "%" in before
    assert "100%" not in before


@pytest.mark.long
def test_bars_are_gone_when_it_ends(home: Home, server: FormServer) -> None:
    last = re.split(r"[\r\n]+", pushing(home, server).rstrip())[-1]
    assert bare(last).startswith("trip: 2 of 2 sent")


@pytest.mark.long
@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_no_colour_where_none_is_wanted(home: Home, env: dict[str, str]) -> None:
    painted = painted_by(home.at_terminal("push", home.photos(1), **env))
    assert not re.search(r"\x1b\[[0-9;]*m", painted)
    if env.get("TERM") == "dumb":
        assert "\x1b" not in painted


@pytest.mark.long
def test_no_bars_on_a_terminal_when_quiet(home: Home) -> None:
    assert painted_by(home.at_terminal("push", home.photos(1), "-q")) == ""


@pytest.mark.long
def test_the_bars_never_count_more_photos_than_there_are(home: Home, server: FormServer) -> None:
    home.form(server)
    server.may_answer.clear()
    terminal = home.at_terminal("push", home.photos(900))

    def totals() -> list[int]:
        return [int(total) for total in re.findall(r"trip \d+/(\d+)", terminal.said)]

    # A fast run may paint no more than its first and its last line.
    terminal.until(lambda: len(totals()) > 3)
    server.may_answer.set()
    painted_by(terminal)
    assert set(totals()) <= {0, 900}, totals()


@pytest.mark.long
def test_a_terminal_that_goes_away_hangs_up(home: Home, server: FormServer) -> None:
    """The work outlives it: what is not sent is still pending."""
    home.form(server)
    trip: Path = home.photos(2)
    server.may_answer.clear()
    terminal = home.at_terminal("push", trip, "-j1", is_controlling=True)
    until(lambda: server.in_flight)
    terminal.close()
    assert terminal.process.wait(60) == 129
    server.may_answer.set()
    assert home.run("resume").returncode == 0
    assert sorted(set(server.names)) == ["IMG_1.JPG", "IMG_2.JPG"]


@pytest.mark.parametrize(
    "option",
    [
        "--field=a=b",
        "--file-field=f",
        "--header=A: b",
        "--auth=none",
        "--token-file=f",
        "--token-env=V",
    ],
)
def test_options_that_describe_a_target_go_with_url_only(home: Home, option: str) -> None:
    done = home.run("push", home.photos(1), option)
    assert done.returncode == 2
    assert f"{option.partition('=')[0]} goes with --url" in done.stderr
    assert not home.journal.exists()


def test_a_token_for_an_album_with_an_address_wants_that_again(
    home: Home, server: FormServer
) -> None:
    home.run("push", home.photos(1), "--url", server.url)
    done = home.run("push", home.photos(1), "--token-file=f")
    assert done.returncode == 2
    assert f"Name the address again, too: --url {server.url}" in done.stderr


def test_the_built_in_inbox_is_reached_past_any_proxy(home: Home) -> None:
    done = home.run(
        "push", home.photos(1), http_proxy="http://127.0.0.1:9", all_proxy="socks5://127.0.0.1:9"
    )
    assert done.returncode == 0, done.stderr
    assert len(list((home.inbox / "trip").iterdir())) == 1


def test_a_photo_that_the_server_wants_much_later_ends_the_run(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    late = answer(408, {}, headers=(("Retry-After", "86400"),))
    server.answer = lambda received: late if received.filename == "IMG_2.JPG" else answer(200, {})
    done = home.run("push", home.photos(3))
    assert done.returncode == 75, done.stderr
    assert sorted(home.states().values()) == ["pending", "uploaded", "uploaded"]
    server.answer = lambda _: answer(200, {})
    assert home.run("resume").returncode == 0


def test_a_clock_that_was_set_back_makes_nobody_wait(home: Home, server: FormServer) -> None:
    home.form(server)
    server.answer = lambda _: answer(408, {})
    assert home.run("push", home.photos(1), "--retries", "0").returncode == 3
    server.answer = lambda _: answer(200, {})
    home.sql("update task set state = 'pending', tries = 0, next_at = unixepoch() + 30000000")
    assert home.run("resume").returncode == 0
