"""A command of the config, run with limits, as real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from home import until

from albumup.hooks import MOST_OUTPUT, HookEnd, run_hook

SOON = 0.3
"""The limit, in seconds, for what never ends."""


def run(*command: str, given: bytes = b"", limit: float = 30.0) -> HookEnd:
    return run_hook(command, given, dict(os.environ), limit=limit)


def is_alive(pid: int) -> bool:
    """A zombie is not, whoever has to reap it."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_a_command_gets_its_input_and_environment_whole() -> None:
    given = bytes(range(256)) * 1000  # more than a pipe holds
    end = run_hook(["sh", "-c", "wc -c; echo $MARK"], given, {**os.environ, "MARK": "here"})
    assert (end.fault, end.output.split()) == ("", [b"256000", b"here"])


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 3", "exit 3"),
        ("echo first; echo no server >&2; echo; exit 4", "exit 4; no server"),
        ("kill -9 $$", "killed by SIGKILL"),
        ("exec <&-; exit 5", "exit 5"),
        (r"printf 'half \377'; exit 1", "exit 1; half \ufffd"),
    ],
)
def test_a_command_that_fails_says_so(script: str, words: str) -> None:
    assert run("sh", "-c", script, given=b"x" * 1_000_000).words == words


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "No such file or directory"),
        ("folder", "it is a folder"),
        ("fifo", "it is no file"),
        ("plain", "it is not executable: chmod +x"),
        ("stray", "what its first line names (#!) is not there"),
        ("text", "it is no program, and begins with no line such as #!/bin/sh"),
    ],
)
def test_what_is_no_program_is_called_what_it_is(tmp_path: Path, kind: str, words: str) -> None:
    path = tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path, 0o755)
    elif kind != "missing":
        path.write_text("#!/nowhere/sh\n" if kind == "stray" else "echo\n")
        path.chmod(0o644 if kind == "plain" else 0o755)
    assert run(str(path)).fault == f"{path} cannot be run: {words}"


def test_the_keys_in_its_addresses_are_not_told() -> None:
    url = "https://anna:hunter2@example.org/up?k=hush-7f"
    end = run("sh", "-c", 'echo "no answer: $1" >&2; exit 7', "sh", url)
    assert end.words == "exit 7; no answer: https://********@example.org/up?********"


KILLED = """
import os, signal, subprocess, sys
from albumup import hooks

start = subprocess.Popen

def killed(*args, **more):
    start(*args, **more)
    os.kill(os.getpid(), signal.SIGKILL)

subprocess.Popen = killed
hooks.run_hook(["sh", "-c", 'cat > part; mv part whole'], b"notice " * 1000, dict(os.environ))
"""


def test_a_command_that_was_started_gets_its_input_whatever_becomes_of_us(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, check=False)
    assert done.returncode == -signal.SIGKILL
    until((tmp_path / "whole").exists)
    assert (tmp_path / "whole").read_bytes() == b"notice " * 1000


def test_a_command_that_does_not_read_its_input_is_no_fault() -> None:
    assert run("true", given=b"x" * 1_000_000) == HookEnd("")


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("no-such-command", "No such file or directory"),
        ("/", "it is a folder"),
        ("nul\0byte", "not a command"),
    ],
)
def test_a_command_that_cannot_be_run_is_named(command: str, why: str) -> None:
    assert run(command).fault == f"{command} cannot be run: {why}"


def test_what_hangs_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    script = f"sleep 600 & echo $! > {tmp_path}/child; sleep 600"
    began = time.monotonic()
    end = run("sh", "-c", script, limit=SOON)
    assert end.fault == "not done after 0.3 s"
    assert time.monotonic() - began >= SOON
    child = int((tmp_path / "child").read_text())
    until(lambda: not is_alive(child), "the end of what it had started")


def test_what_hangs_is_cut_off_when_nobody_waits_any_more() -> None:
    looks = iter((False, False, True))
    end = run_hook(["sleep", "600"], b"", dict(os.environ), gives_up=lambda: next(looks))
    assert end.fault == "cut off"


def test_a_flood_is_read_and_forgotten_but_for_its_end() -> None:
    flood = "import sys; sys.stdout.write('x' * 500_000); print('\\nlast'); sys.exit(1)"
    end = run(sys.executable, "-c", flood)
    assert (end.words, len(end.output)) == ("exit 1; last", MOST_OUTPUT)
    endless = run("yes", limit=SOON)
    assert (endless.fault, len(endless.output)) == ("not done after 0.3 s", MOST_OUTPUT)


def test_a_process_left_behind_that_holds_the_output_open_is_not_waited_for(
    tmp_path: Path,
) -> None:
    script = f"sleep 600 & echo $! > {tmp_path}/child; echo done"
    end = run("sh", "-c", script)
    child = int((tmp_path / "child").read_text())
    try:
        assert end == HookEnd("", b"done\n")
        assert is_alive(child), "it did nothing wrong"
    finally:
        os.kill(child, 9)
