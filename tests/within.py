"""A command within the process of its test, where a test is about what is sent, journaled and said.

All of the command runs, from the words typed to the exit code, as ``albumup.__main__`` runs it; its
sockets, files and streams are real ones. What a process has for itself is lent to it and taken
back: the environment, the folder, the umask, the descriptors 0 to 2, Python's streams and hooks.
Signals, kills, terminals, locales and several processes at once need a process each: ``zygote``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import pytest
import zygote

from albumup import __main__ as program
from albumup.config import known_secrets, token_source
from albumup.photos import source, volumes
from albumup.session import settling

Run = Callable[..., Any]
"""Runs a command, as ``zygote.run``."""

_STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
_ENDING_SECONDS = 10.0
"""Until the threads of a command that is over must have come to their end."""


def runner(request: pytest.FixtureRequest) -> Run:
    """How a test's commands are run: marked ``process``, each in a process of its own."""
    return run if request.node.get_closest_marker("process") is None else zygote.run


def run(
    args: list[str | bytes], *, env: dict[str, str], cwd: Any, stdin: bytes = b"", timeout: float
) -> Any:
    """As ``zygote.run``; in a process all the same where only a process can be as it is asked
    for."""
    if not _is_possible(env):
        return zygote.run(args, env=env, cwd=cwd, stdin=stdin, timeout=timeout)
    before = set(threading.enumerate())
    with ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile()) for _ in _STREAMS]
        files[0].write(stdin)
        files[0].seek(0)
        with _environment(env, cwd), _descriptors([file.fileno() for file in files]), _streams():
            code = _code_of([os.fsdecode(word) for word in args])
        said = [os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0) for file in files[1:]]
    _check_ended(
        {thread for thread in threading.enumerate() if thread not in before and _is_named(thread)}
    )
    if code > 128:
        os.kill(os.getpid(), code - 128)  # the signal that ended it was meant for the tests
    return subprocess.CompletedProcess([*zygote.COMMAND, *args], code, *said)


def _is_possible(env: dict[str, str]) -> bool:
    """Can it be had without another interpreter or locale than ours, and is nobody else running
    one?"""
    of_the_interpreter = {
        name: text for name, text in env.items() if name.startswith(zygote.OF_THE_INTERPRETER)
    }
    return (
        threading.current_thread() is threading.main_thread()
        and sys.getfilesystemencoding() == "utf-8"
        and all(
            text == os.environ.get(name, "")
            for name, text in of_the_interpreter.items()
            if name != "LC_ALL"
        )
        and env.get("LC_ALL") == "C.UTF-8"
    )


def _code_of(words: list[str]) -> int:
    hook = sys.unraisablehook
    try:
        # A signal is the tests' own until a run hears it.
        with (
            patch.object(sys, "argv", ["albumup", *words]),
            patch.object(program, "_hear", lambda _: None),
        ):
            code = program._run()
        sys.stdout.flush()
        sys.stderr.flush()
        return code
    finally:
        sys.unraisablehook = hook


@contextmanager
def _environment(env: dict[str, str], cwd: Any) -> Iterator[None]:
    """Variables, folder and umask, and what is known of disks: their numbers are given again."""
    variables, folder, mask = dict(os.environ), os.getcwd(), os.umask(0o022)
    volume = env.get(zygote.VOLUME)
    uuid_of = volumes._uuid_of if volume is None else lambda *_: volume
    try:
        os.umask(mask)
        os.chdir(cwd)
        _become({name: text for name, text in env.items() if name != zygote.VOLUME})
        settles = settling.settling_of if zygote.SETTLES in env else lambda *_, **__: None
        with (
            patch.object(volumes, "_uuid_of", uuid_of),
            patch.object(settling, "settling_of", settles),
            patch.dict(source._kinds, clear=True),
            patch.dict(token_source._printed, clear=True),
            patch.object(known_secrets, "_known", set()),
        ):
            yield
    finally:
        _become(variables)
        os.chdir(folder)
        os.umask(mask)


def _become(env: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(env)
    time.tzset()


@contextmanager
def _descriptors(files: list[int]) -> Iterator[None]:
    """0, 1 and 2 are these: also for what the command starts."""
    ours = [os.dup(number) for number in range(3)]
    try:
        for number, file in enumerate(files):
            os.dup2(file, number)
        yield
    finally:
        for number, our in enumerate(ours):
            os.dup2(our, number)
            os.close(our)


@contextmanager
def _streams() -> Iterator[None]:
    """Python's streams on 0, 1 and 2, as an interpreter makes them."""
    names = [name for stream, _ in _STREAMS for name in (stream, f"__{stream}__")]
    ours = {name: getattr(sys, name) for name in names}
    try:
        for number, (name, mode) in enumerate(_STREAMS):
            stream = zygote.stream(number, mode)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
        yield
    finally:
        for name, stream in ours.items():
            setattr(sys, name, stream)


def _is_named(thread: threading.Thread) -> bool:
    """Has somebody given it a name? The program names its threads, and the tests' servers do
    not."""
    return not thread.name.startswith("Thread-")


def _check_ended(threads: set[threading.Thread]) -> None:
    """A command leaves no thread behind that would go on within the next one."""
    deadline = time.monotonic() + _ENDING_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    left = [thread.name for thread in threads if thread.is_alive()]
    assert not left, f"threads of a command that is over: {left}"
