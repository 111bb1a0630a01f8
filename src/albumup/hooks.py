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
    Processes that it left behind are not waited for, even if they hold its output open.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a command"
        return HookEnd(f"{command[0]} cannot be run: {why}")
    with _Pipes(process, given) as pipes:
        deadline = time.monotonic() + limit
        while process.poll() is None:
            is_cut = gives_up()
            if is_cut or time.monotonic() >= deadline:
                _kill(process)
                return HookEnd("cut off" if is_cut else f"not done after {limit:g} s", pipes.output)
            pipes.move(_LOOK)
        pipes.drain()
        return HookEnd(_fault_of(process.returncode), pipes.output)


class _Pipes:
    """The input and output of a command; neither ever blocks."""

    def __init__(self, process: subprocess.Popen[bytes], given: bytes) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout
        self._left = memoryview(given)
        self.output = b""
        self._heard = 0
        self._selector = selectors.DefaultSelector()
        for stream, event in (
            (self._stdin, selectors.EVENT_WRITE),
            (self._stdout, selectors.EVENT_READ),
        ):
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, event)

    def __enter__(self) -> _Pipes:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for stream in (self._stdin, self._stdout):
            with contextlib.suppress(OSError):
                stream.close()

    def move(self, seconds: float) -> None:
        """Write and read as much as is possible now; wait at most ``seconds`` for that."""
        is_flooded = self._heard > MOST_OUTPUT
        if is_flooded or not self._selector.get_map():
            time.sleep(seconds)  # a flood must not take the processor away from the uploads
        for key, _ in self._selector.select(seconds):
            is_over = self._write() if key.fileobj is self._stdin else self._read()
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

    def _write(self) -> bool:
        """Write input; return True at its end: all is written, or the command does not read."""
        try:
            written = os.write(self._stdin.fileno(), self._left[:4096])
        except BlockingIOError:
            return False
        except OSError:
            return True
        self._left = self._left[written:]
        return not self._left

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
