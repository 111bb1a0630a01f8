"""Units for systemd and agents for launchd: what they say, and that systemd takes them."""

from __future__ import annotations

import os
import plistlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from albumup.session.scheduling import kinds, launchd, systemd, units
from albumup.session.scheduling.schedule import Schedule

AWKWARD = [
    "plain",
    "/home/anna/My Pictures",
    "100% %h",
    "$HOME ${HOME} $$",
    "a\\",
    "\\\\n \\x41",
    "it's",
    '"quoted"',
    ";",
    "# no comment",
    "",
    "été ☃ <&>",
]


def schedule(*words: str, **more: object) -> Schedule:
    made = {"journal": "/j.db", "config": "/c.toml", "program": ("/bin/albumup",), **more}
    return Schedule(words or ("retry-failed",), **made)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("plain", "plain"),
        ("a b", '"a b"'),
        ("100%", '"100%%"'),
        ("$HOME", '"$$HOME"'),
        ("a\\b", '"a\\\\b"'),
        ('a"b', '"a\\"b"'),
        ("it's", '"it\'s"'),
        (";", '";"'),
        ("", '""'),
    ],
)
def test_words_are_quoted_as_systemd_reads_them(word: str, written: str) -> None:
    assert units.quoted(word) == written


def test_a_dollar_sign_is_one_outside_commands() -> None:
    made = units.service_of(schedule(environment={"XDG_DATA_HOME": "/a $b 5%"}))
    assert 'Environment="XDG_DATA_HOME=/a $b 5%%"\n' in made


@pytest.mark.parametrize("word", AWKWARD)
def test_a_service_is_read_again(word: str) -> None:
    for program in ("/bin/albumup", "/home/o'brien/$x/albumup"):
        made = schedule("push", word, program=(program,))
        assert units.words_of(units.service_of(made)) == made.words


def test_a_service_without_its_command_is_read_as_none() -> None:
    assert units.words_of("[Service]\nType=oneshot\n") == []


def test_the_units_are_what_the_contract_says() -> None:
    service, timer = units.service_of(schedule()), units.timer_of(schedule("push", "/x"))
    assert {"Type=oneshot", "SuccessExitStatus=75", "Nice=10"} <= set(service.splitlines())
    assert "SuccessExitStatus=143" in service.splitlines(), "a shutdown is no failure"
    assert {"Persistent=true", "RandomizedDelaySec=720"} <= set(timer.splitlines())
    assert units.when_of(timer) == f"*:{schedule('push', '/x').minutes[0]}"


@pytest.mark.parametrize("place", ["plain", "a b", "o'brien", "100%", "$x \\y", 'a"b', "été"])
def test_systemd_finds_nothing_to_say(tmp_path: Path, place: str) -> None:
    """It looks for the program, too, so that its path was read well."""
    if (tool := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd-analyze is not installed")
    program = tmp_path / place / "albumup"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    made = schedule("push", *AWKWARD, program=(str(program),), environment={"XDG_DATA_HOME": "/%"})
    for unit, text in (("service", units.service_of(made)), ("timer", units.timer_of(made))):
        (tmp_path / f"{made.name}.{unit}").write_text(text)
    done = subprocess.run(
        [tool, "--user", "verify", "--man=no", *tmp_path.glob("albumup-*")],
        env={"XDG_RUNTIME_DIR": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("word", AWKWARD)
def test_an_agent_is_what_was_meant(word: str) -> None:
    made = schedule("push", word, environment={"XDG_DATA_HOME": "/d"})
    agent = plistlib.loads(launchd.text_of(made).encode())
    assert agent["ProgramArguments"] == made.words
    assert agent["StartCalendarInterval"] == [{"Minute": made.minutes[0]}]
    assert agent["EnvironmentVariables"] == {"XDG_DATA_HOME": "/d"}
    assert re.fullmatch(r"albumup-push-[0-9a-f]{8}", agent["Label"])


@pytest.mark.parametrize("spoiled", ["", "no plist", '<?xml version="1.0"?><plist><dict>'])
def test_an_agent_that_an_edit_has_spoiled_is_still_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoiled: str
) -> None:
    monkeypatch.setattr(launchd, "folder", lambda: str(tmp_path))
    (tmp_path / "albumup-push-01234567.plist").write_text(spoiled)
    assert [(one.name, one.words) for one in launchd.installed()] == [("albumup-push-01234567", [])]


def test_a_folder_that_cannot_be_read_is_a_fault_of_its_kind_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def forbidden() -> list[object]:
        raise PermissionError(13, "Permission denied", "/units")

    for module in (launchd, systemd):
        monkeypatch.setattr(module, "installed", forbidden)
    monkeypatch.setattr("albumup.session.scheduling.cron.installed", list)
    assert kinds.installed_for("/j") == ([], ["/units: cannot be read: Permission denied"] * 2)
