"""What a notice says, in each of its forms, and the ways by which it goes."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from albumup import processes
from albumup.cli.late import line_of
from albumup.config.file import Config, TargetTable
from albumup.config.unattended import DESKTOP, Unattended
from albumup.journal.notices import Cause, Message, Notice
from albumup.journal.states import State
from albumup.session.channels import (
    NO_APPRISE,
    Handed,
    Means,
    as_json,
    desktop_command,
    hand_over,
)
from albumup.session.late import Late
from albumup.session.notifying import token_names

COUNTS = {state.value: 0 for state in State} | {"uploaded": 290, "duplicate": 2}
WELL = Notice(
    7, "8d87", Cause.SETTLED, 1, "home", 1_800_000_000.0,
    Message(
        album="trip", title="photos.example.org", exit=0, counts=COUNTS,
        bytes={"total": 10, "sent": 10}, words="trip: 292 photos sent", run=3,
    ),
    "",
)  # fmt: skip
WANTING = Notice(
    8, "9e98", Cause.SETTLED, 1, "home", 1_800_000_000.0,
    Message(
        album="trip", exit=3, counts=COUNTS | {"failed": 1, "in_doubt": 1},
        words="trip: 292 photos sent, 2 not", command="albumup retry-failed trip",
    ),
    "",
)  # fmt: skip
STOPPED = Notice(
    9, "af09", Cause.STOPPED, 1, "home", 1_800_000_000.0,
    Message(
        album="trip", exit=4, words="home: refused: 401 Unauthorized", hint="see to its token",
        command="albumup target check home",
    ),
    "",
)  # fmt: skip
SICK = Notice(
    10, "b01a", Cause.UNREACHABLE, None, "home", 1_800_000_000.0,
    Message(
        exit=75, words="photos.example.org has not worked for 24 h: 502 Bad Gateway",
        command="albumup target check home",
    ),
    "",
)  # fmt: skip
BETTER = Notice(
    11, "c12b", Cause.WELL, None, "home", 1_800_000_000.0,
    Message(words="photos.example.org works again, after 3 days"), "",
)  # fmt: skip


def test_all_causes_have_one_json() -> None:
    found = [as_json(one) for one in (WELL, WANTING, STOPPED, SICK, BETTER)]
    assert found[0] == {
        "id": "8d87",
        "cause": "settled",
        "album": "trip",
        "target": "home",
        "title": "photos.example.org",
        "exit": 0,
        "counts": COUNTS,
        "bytes": {"total": 10, "sent": 10},
        "words": "trip: 292 photos sent",
        "hint": "",
        "command": "",
        "created": "2027-01-15T08:00:00.000Z",
    }
    assert len({tuple(one) for one in found}) == 1


@pytest.mark.parametrize(
    ("notice", "line"),
    [
        (WELL, "trip: finished 3 h ago: 292 photos sent"),
        (WANTING, "trip: finished 3 h ago: 292 photos sent, 2 not. Again: "
            "albumup retry-failed trip"),
        (STOPPED, "trip: stopped 3 h ago: home: refused: 401 Unauthorized. See to its token"),
        (SICK, "3 h ago: photos.example.org has not worked for 24 h: 502 Bad Gateway. See: "
            "albumup target check home"),
        (BETTER, "3 h ago: photos.example.org works again, after 3 days"),
    ],
)  # fmt: skip
def test_a_notice_is_a_line_of_a_screen(notice: Notice, line: str) -> None:
    now = notice.created + 3 * 3600
    assert line_of(Late(notice), now) == line
    failed = replace(notice, fault="on_done failed: exit 3; \x1b[2J")
    assert line_of(Late(failed), now) == rf"{line} (on_done failed: exit 3; \x1b[2J)"


def test_a_line_tells_two_albums_of_one_name_apart() -> None:
    assert line_of(Late(WELL, has_twin=True), WELL.created).startswith("trip (photos.example.org):")


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("albumup resume trip --jobs 2", "albumup resume trip --jobs 2 --target home"),
        ("albumup resume -- -f", "albumup resume --target home -- -f"),
        ("albumup resume trip --target nas", "albumup resume trip --target nas"),
        ("albumup resume", "albumup resume"),
        ("albumup target check home", "albumup target check home"),
    ],
)  # fmt: skip
def test_a_command_names_the_target_if_another_album_has_got_the_name(
    before: str, now: str
) -> None:
    notice = replace(STOPPED, message=replace(STOPPED.message, hint="", command=before))
    for has_twin, typed in ((False, before), (True, now)):
        line = line_of(Late(notice, has_twin=has_twin), notice.created)
        assert line.endswith(f". Go on with: {typed}")


def test_a_run_of_several_albums_that_stopped_says_so() -> None:
    several = replace(STOPPED, message=replace(STOPPED.message, album=None, hint=""))
    assert line_of(Late(several), STOPPED.created) == (
        "A run: stopped 0 s ago: home: refused: 401 Unauthorized. Go on with: "
        "albumup target check home"
    )


# The command.


@pytest.fixture
def tell(tmp_path: Path) -> Path:
    """A command that keeps what it is given."""
    script = tmp_path / "tell"
    script.write_text(f"#!/bin/sh\ncat > {tmp_path}/given; env > {tmp_path}/env\n")
    script.chmod(0o755)
    return script


def test_a_command_gets_json_and_variables(tell: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME_TOKEN", "fake-token-1")
    monkeypatch.setenv("HOME_PLACE", "here")
    monkeypatch.setattr(processes, "_withheld", set())
    processes.withhold({"HOME_TOKEN"})
    means = Means(processes.environment())
    handed = hand_over(Unattended(on_done=(str(tell),)), WANTING, means)
    assert handed == Handed(is_taken=True)
    assert json.loads((tell.parent / "given").read_bytes()) == as_json(WANTING)
    lines = (tell.parent / "env").read_text().splitlines()
    wanted = {
        "ALBUMUP_NOTICE_ID=9e98",
        "ALBUMUP_NOTICE_CAUSE=settled",
        "ALBUMUP_ALBUM=trip",
        "ALBUMUP_SENT=292",
        "ALBUMUP_FAILED=2",
        "ALBUMUP_EXIT=3",
        "HOME_PLACE=here",
    }
    assert wanted <= set(lines)
    assert not [line for line in lines if "fake-token" in line]


def test_an_albums_name_may_hold_what_no_environment_can(tell: Path) -> None:
    odd = replace(WELL, message=replace(WELL.message, album="\ud83d half"))
    assert hand_over(Unattended(on_done=(str(tell),)), odd, Means(os.environ)).is_taken
    assert json.loads((tell.parent / "given").read_bytes())["album"] == "\ud83d half"


def test_the_variables_with_tokens_are_those_that_targets_name() -> None:
    kept = TargetTable("shed", "form", {"url": "https://shed.example.org", "token_env": "SHED"}, "")
    tables = {
        "home": TargetTable("home", "form", {"token_env": "HOME_TOKEN"}, ""),
        "club": TargetTable("club", "form", {"token_env": 3, "token_file": "x"}, ""),
    }
    assert token_names(Config("c", targets=tables), [kept.to_json()]) == {"SHED", "HOME_TOKEN"}


# The desktop.

DESK = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/bus", "DISPLAY": ":0"}


@pytest.fixture
def programs(tmp_path: Path) -> str:
    """A PATH with what shows notifications, and keeps how it was called."""
    for name in ("notify-send", "osascript"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/called\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return f"{tmp_path}:{os.environ['PATH']}"


def test_a_desktop_shows_words_and_obeys_none(programs: str) -> None:
    told = desktop_command("-t", "<b>a & b", DESK | {"PATH": programs}, "linux")
    assert told == ["notify-send", "--app-name=albumup", "--", "-t", "&lt;b&gt;a &amp; b"]
    mac = desktop_command('a" & quit', "b", {"PATH": programs}, "darwin")
    assert mac is not None
    assert mac[0] == "osascript"
    assert mac[-2:] == ['a" & quit', "b"]
    assert not [part for part in mac[1:-2] if "quit" in part]


@pytest.mark.parametrize(
    "lacking", ["DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "PATH"],
)  # fmt: skip
def test_without_a_desktop_nothing_is_shown_and_nothing_said(programs: str, lacking: str) -> None:
    env = DESK | {"PATH": programs, lacking: ""}
    assert desktop_command("a", "b", env, "linux") is None
    wayland = env | {"WAYLAND_DISPLAY": "wayland-0"}
    assert (desktop_command("a", "b", wayland, "linux") is None) is (lacking != "DISPLAY")
    settings = Unattended(on_done=(DESKTOP,))
    if sys.platform == "linux":
        assert hand_over(settings, WELL, Means(env)) == Handed()


@pytest.mark.skipif(sys.platform != "linux", reason="it is called otherwise elsewhere")
def test_a_desktop_is_told_what_happened_and_what_helps(programs: str, tmp_path: Path) -> None:
    settings = Unattended(on_done=(DESKTOP,))
    env = DESK | {"PATH": programs}
    assert hand_over(settings, STOPPED, Means(env)) == Handed(is_taken=True)
    assert (tmp_path / "called").read_text().splitlines()[2:] == [
        "albumup: trip",
        "home: refused: 401 Unauthorized",
        "see to its token",
    ]
    odd = replace(STOPPED, message=replace(STOPPED.message, words="half \ud83d\0 a pair"))
    assert hand_over(settings, odd, Means(env)) == Handed(is_taken=True)
    assert (tmp_path / "called").read_text().splitlines()[3] == "half \\ud83d a pair"
    (tmp_path / "notify-send").write_text("#!/bin/sh\necho no server; exit 1\n")
    fault = 'on_done = "desktop" failed: exit 1; no server'
    assert hand_over(settings, STOPPED, Means(env)) == Handed(fault=fault)


# apprise, as a module of that name.

FAKE = """
import json, sys
class Apprise:
    def __init__(self): self.urls = []
    def add(self, url): self.urls.append(url); return not url.startswith("odd")
    def notify(self, title, body):
        print("to", self.urls)  # a log that nobody must see
        json.dump([self.urls, title, body, sys.argv], open({place!r}, "w"))
        return not any("down" in url for url in self.urls)
"""
URLS = ("ntfy://anna:hunter2@ntfy.example.org/topic",)


@pytest.fixture
def apprise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "apprise.py").write_text(FAKE.format(place=str(tmp_path / "told")))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "told"


def test_apprise_gets_the_addresses_by_a_pipe(
    apprise: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "json.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path / "here")
    assert hand_over(Unattended(notify=URLS), STOPPED, Means(os.environ)) == Handed(is_taken=True)
    urls, title, body, argv = json.loads(apprise.read_text())
    assert (urls, title) == (list(URLS), "albumup: trip")
    assert body == "home: refused: 401 Unauthorized\nsee to its token"
    assert "hunter2" not in " ".join(argv)


@pytest.mark.usefixtures("apprise")
@pytest.mark.parametrize("url", ["odd://hunter2", "ntfy://down:hunter2@ntfy.example.org/topic"])
def test_apprise_that_fails_shows_no_address(url: str) -> None:
    handed = hand_over(Unattended(notify=(*URLS, url)), STOPPED, Means(os.environ))
    assert handed == Handed(fault="notify failed: exit 1")


def test_without_apprise_that_is_what_is_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert hand_over(Unattended(notify=URLS), STOPPED, Means(os.environ)) == Handed(lack=NO_APPRISE)


def test_one_channel_that_fails_is_named_beside_one_that_takes_it(
    apprise: Path, tell: Path
) -> None:
    settings = Unattended(on_done=("sh", "-c", "exit 3"), notify=URLS)
    handed = hand_over(settings, STOPPED, Means(os.environ))
    assert handed == Handed(is_taken=True, fault="on_done failed: exit 3")
    assert apprise.exists()
    assert not (tell.parent / "given").exists()
