"""Runs a command of the config with limits: it may fail, hang, flood its output, or be missing."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from albumup.config.shown_address import MASK, secrets_in
from albumup.processes import why_not_run

LIMIT_SECONDS = 30.0
MOST_OUTPUT = 65536
"""Bytes of output that are kept: the last ones."""
_LOOK = 0.02
_REAPED_SECONDS = 1.0
"""The longest wait for a killed command to be gone; a disk may hold it longer."""
_LONGEST_LINE = 200


class HookEnd(Struct, frozen=True):
    """The end of a command.

    ``fault``: why it did not do its work, "" if it did; ``output``: its last bytes.
    """

    fault: str
    output: bytes = b""

    @property
    def words(self) -> str:
        """The fault, with the last line of the output."""
        lines = [line.strip() for line in self.output.decode("utf-8", "replace").splitlines()]
        said = next((line for line in reversed(lines) if line), "")
        return f"{self.fault}; {said[:_LONGEST_LINE]}" if said else self.fault


def run_hook(
    command: Sequence[str],
    given: bytes,
    env: Mapping[str, str],
    *,
    limit: float = LIMIT_SECONDS,
    gives_up: Callable[[], bool] = lambda: False,
) -> HookEnd:
    """Run a command (argv, no shell) with ``given`` on its input; return when it has ended.

    After ``limit`` seconds, or once ``gives_up()`` is true, its whole process group is killed.
    Processes that it left behind are not waited for, even if they hold its output open. The command
    outlives a kill of this process, on purpose: it has its whole input, and a message of which half
    has left is better finished.
    """
    with _Input(given) as fed:
        try:
            process = subprocess.Popen(
                command,
                stdin=fed.reader,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=env,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return HookEnd(f"{command[0]} cannot be run: {why_not_run(command[0], error)}")
        fed.hand_over()
        with _Pipes(process, fed) as pipes:
            return _hidden(command, _watched(process, pipes, limit, gives_up))


def _watched(
    process: subprocess.Popen[bytes], pipes: _Pipes, limit: float, gives_up: Callable[[], bool]
) -> HookEnd:
    deadline = time.monotonic() + limit
    while process.poll() is None:
        is_cut = gives_up()
        if is_cut or time.monotonic() >= deadline:
            _kill(process)
            return HookEnd("cut off" if is_cut else f"not done after {limit:g} s", pipes.output)
        pipes.move(_LOOK)
    pipes.drain()
    return HookEnd(_fault_of(process.returncode), pipes.output)


def _hidden(command: Sequence[str], end: HookEnd) -> HookEnd:
    """The end of a command without the secrets of addresses in its arguments."""
    output = end.output
    for secret in sorted({one for word in command for one in secrets_in(word)}, key=len)[::-1]:
        output = output.replace(os.fsencode(secret), MASK.encode())
    return replace(end, output=output)


class _Input:
    """The input of a command: a pipe that is filled before the command is started.

    So the command gets all of it, if that is no more than a pipe holds, even if this process is
    killed meanwhile.
    """

    def __init__(self, given: bytes) -> None:
        self.reader, writer = os.pipe()
        os.set_blocking(writer, False)
        self.stream = os.fdopen(writer, "wb", buffering=0)
        self._left = memoryview(given)
        self._is_ours = True
        self.is_over = self.write()

    def __enter__(self) -> _Input:
        return self

    def __exit__(self, *_: object) -> None:
        self.hand_over()
        self.stream.close()

    def write(self) -> bool:
        """Write what fits; True at the end: all is written, or the command does not read."""
        try:
            written = os.write(self.stream.fileno(), self._left)
        except BlockingIOError:
            return False
        except OSError:
            return True
        self._left = self._left[written:]
        return not self._left

    def hand_over(self) -> None:
        """The command has its end of the pipe; what is written to its end is its whole input."""
        if self._is_ours:
            self._is_ours = False
            os.close(self.reader)
        if self.is_over:
            self.stream.close()


class _Pipes:
    """The input and output of a command; neither ever blocks."""

    def __init__(self, process: subprocess.Popen[bytes], fed: _Input) -> None:
        assert process.stdout is not None
        self._fed, self._stdout = fed, process.stdout
        self.output = b""
        self._heard = 0
        self._selector = selectors.DefaultSelector()
        os.set_blocking(self._stdout.fileno(), False)
        self._selector.register(self._stdout, selectors.EVENT_READ)
        if not fed.is_over:
            self._selector.register(fed.stream, selectors.EVENT_WRITE)

    def __enter__(self) -> _Pipes:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        with contextlib.suppress(OSError):
            self._stdout.close()

    def move(self, seconds: float) -> None:
        """Write and read as much as is possible now; wait at most ``seconds`` for that."""
        is_flooded = self._heard > MOST_OUTPUT
        if is_flooded or not self._selector.get_map():
            time.sleep(seconds)  # a flood must not take the processor away from the uploads
        for key, _ in self._selector.select(seconds):
            is_over = self._fed.write() if key.fileobj is self._fed.stream else self._read()
            if is_over:
                self._selector.unregister(key.fileobj)
                with contextlib.suppress(OSError):
                    key.fileobj.close()  # type: ignore[union-attr]  # the streams, which are files

    def drain(self) -> None:
        """Read the output that a command has left in the pipe, up to a limit.

        A process that the command left behind may write on for ever.
        """
        before = self._heard
        while not self._stdout.closed and self._heard - before < MOST_OUTPUT:
            heard = self._heard
            if self._read() or self._heard == heard:
                return

    def _read(self) -> bool:
        """Read output; return True at its end."""
        try:
            read = os.read(self._stdout.fileno(), MOST_OUTPUT)
        except BlockingIOError:
            return False
        except OSError:
            return True
        self._heard += len(read)
        self.output = (self.output + read)[-MOST_OUTPUT:]
        return not read


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_REAPED_SECONDS)


def _fault_of(code: int) -> str:
    if code == 0:
        return ""
    if code > 0:
        return f"exit {code}"
    with contextlib.suppress(ValueError):
        return f"killed by {signal.Signals(-code).name}"
    return f"killed by signal {-code}"
