"""The real command in a real process, without a new interpreter for each: most of a short command
is its start.

One process a test run has albumup and its libraries loaded. For each command it forks; the child
has its own pid, its own environment, folder, streams and signals, and is handed to the test's
process as its own child, to be waited for, signalled and killed like any other. Tests about the
start itself take ``COMMAND``, an interpreter of their own.
"""

from __future__ import annotations

import array
import ctypes
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

COMMAND = [sys.executable, "-m", "albumup"]
VOLUME = "VOLUME_OF_THE_TESTS"
"""A variable: what the system calls the file system that everything lies on, whatever it really
says."""
SETTLES = "SETTLING_OF_THE_TESTS"
"""A variable, to be set where files must settle before a push takes them. Tests have just written
theirs, and do not wait for that."""
SCREEN = "ALBUMUP_SCREEN"
"""A variable: what is fixed in the process of a command that makes a screen
(tests/screens/process.py)."""

_SUBREAPER = 36
_SIGNALS = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
OF_THE_INTERPRETER = ("PYTHON", "LD_", "LC_", "LANG", "LOCPATH", "MALLOC_")
"""Variables that an interpreter, or what it links to, reads when it starts."""
_PRELOADED = (
    "albumup.__main__", "albumup.cli.options.push", "albumup.cli.options.target",
    "albumup.cli.push", "albumup.cli.resume", "albumup.cli.retry_failed", "albumup.cli.cancel",
    "albumup.cli.list_", "albumup.cli.share", "albumup.cli.status", "albumup.cli.target",
    "albumup.cli.wait", "albumup.cli.watch",
    "albumup.cli.verify", "albumup.cli.telling", "albumup.cli.receive", "albumup.uploader.engine",
    "albumup.uploader.trial", "albumup.config.writing", "albumup.session.intake", "albumup.receive",
    "albumup.targets.form", "albumup.targets.immich", "albumup.targets.inbox",
    "albumup.session.verify.here", "requests", "requests_toolbelt", "sqlite_utils", "tqdm",
    "truststore", "humanize", "tabulate", "jmespath", "multipart", "platformdirs", "tomlkit",
    "idna", "encodings.idna", "PIL.Image", "exifread",
)  # fmt: skip


class Started(subprocess.Popen[Any]):
    """``subprocess.Popen`` of albumup with the words ``args``, forked where that does as well as a
    start. ``launch`` begins another line: COMMAND an interpreter's own, or strace's."""

    def __init__(
        self,
        args: Sequence[str | bytes],
        *,
        env: dict[str, str],
        launch: Sequence[str | os.PathLike[str]] | None = None,
        **more: Any,
    ) -> None:
        self._words = list(args)
        is_forked = launch is None and more.get("preexec_fn") is None
        self._zygote = _zygote_for(env) if is_forked else None
        command = launch or COMMAND
        if VOLUME in env and launch is None:
            named = (
                f"from albumup.photos import volumes; volumes._uuid_of = lambda *_: {env[VOLUME]!r}"
            )
            command = [sys.executable, "-c", f"{named}; from albumup.__main__ import main; main()"]
        super().__init__([*command, *args], env=env, **more)

    def _execute_child(self, args: Any, executable: Any, *rest: Any) -> None:
        if self._zygote is None:
            super()._execute_child(args, executable, *rest)  # type: ignore[misc]
            return
        _, _, _, cwd, env, _, _, _, stdin, stdin_ours, stdout_ours, stdout, stderr_ours, stderr = (
            rest[:14]
        )
        descriptors = [
            own if given == -1 else given
            for given, own in zip((stdin, stdout, stderr), (0, 1, 2), strict=True)
        ]
        self.pid = self._zygote.fork(
            self._words, env, os.fspath(cwd or os.getcwd()), descriptors, bool(rest[19])
        )
        self._child_created = True
        for theirs, ours in ((stdin, stdin_ours), (stdout, stdout_ours), (stderr, stderr_ours)):
            if (
                ours != -1
            ):  # a pipe, whose other end we keep; what was given as it is stays the giver's
                os.close(theirs)
        if getattr(self, "_devnull", None) is not None:
            os.close(self._devnull)


def run(
    args: Sequence[str | bytes],
    *,
    env: dict[str, str],
    stdin: bytes = b"",
    timeout: float,
    **more: Any,
) -> Any:
    """``subprocess.run`` of albumup, its output captured as bytes."""
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with Started(args, env=env, **streams | more) as process:
        try:
            out, err = process.communicate(stdin, timeout)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess([*COMMAND, *args], process.returncode, out, err)


def adopt_orphans() -> None:
    """Have processes that their parents leave become children of this one."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


class _Zygote:
    """The process that forks, seen from the tests."""

    def __init__(self, env: dict[str, str]) -> None:
        adopt_orphans()  # children of the zygote's children become ours
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        line = [sys.executable, __file__, str(theirs.fileno())]
        self._process = subprocess.Popen(
            line, pass_fds=[theirs.fileno()], env=env | {"PATH": os.environ["PATH"]}
        )
        theirs.close()

    def fork(
        self,
        words: list[str | bytes],
        env: dict[str, str],
        cwd: str,
        descriptors: list[int],
        new_session: bool,
    ) -> int:
        request = {
            "words": [os.fsdecode(word) for word in words],
            "env": env,
            "cwd": cwd,
            "new_session": new_session,
            "ignored": [
                int(number) for number in _SIGNALS if signal.getsignal(number) is signal.SIG_IGN
            ],
        }
        body = json.dumps(request).encode()
        with self._lock:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
            self._ours.sendmsg([body], [rights])
            answer = self._ours.recv(8)
        assert len(answer) == 8, "the zygote has died"
        return int(struct.unpack("q", answer)[0])


_known: dict[tuple[int, frozenset[tuple[str, str]]], _Zygote] = {}


def _zygote_for(env: dict[str, str]) -> _Zygote | None:
    """The one whose interpreter was started as this environment asks; None elsewhere than on
    Linux."""
    if sys.platform != "linux":
        return None
    read = {name: value for name, value in env.items() if name.startswith(OF_THE_INTERPRETER)}
    key = os.getpid(), frozenset(read.items())
    if key not in _known:
        _known[key] = _Zygote(read)
    return _known[key]


# In the zygote.


def _serve(line: socket.socket) -> dict[str, Any] | None:
    """Fork at each request: returns the request in a child; None at the end, in the zygote
    itself."""
    import importlib

    for name in _PRELOADED:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    import gc

    gc.freeze()
    while True:
        body, rights, _, _ = line.recvmsg(1 << 20, socket.CMSG_SPACE(3 * 4))
        if not body:
            return None
        descriptors = array.array("i", rights[0][2])
        told, tells = os.pipe()
        middle = os.fork()
        if middle == 0:
            if os.fork():
                os._exit(
                    0
                )  # only then is the child the tests' own, and only then are they told of it
            request = json.loads(body)
            if request["new_session"]:
                os.setsid()
            os.write(tells, struct.pack("q", os.getpid()))
            os.close(told)
            os.close(tells)
            line.close()
            for target, descriptor in enumerate(descriptors):
                os.dup2(descriptor, target)
            for descriptor in descriptors:
                if descriptor > 2:
                    os.close(descriptor)
            return request  # type: ignore[no-any-return]
        os.waitpid(middle, 0)
        line.send(os.read(told, 8))
        for descriptor in (told, tells, *descriptors):
            os.close(descriptor)


def _become(request: dict[str, Any]) -> None:
    """Be a process that was started as the request says."""
    import random
    import time

    for number in _SIGNALS:
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN if number in request["ignored"] else usual)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    if (volume := os.environ.pop(VOLUME, None)) is not None:
        from albumup.photos import volumes

        volumes._uuid_of = lambda *_: volume
    if os.environ.pop(SETTLES, None) is None:
        from albumup.session import settling

        settling.settling_of = lambda *_, **__: None
    random.seed()
    if (screen := os.environ.pop(SCREEN, None)) is not None:
        from screens.process import set_up

        set_up(json.loads(screen))
    # As its interpreter would have read them.
    words = [os.fsdecode(word.encode("utf-8", "surrogateescape")) for word in request["words"]]
    sys.argv[:] = ["albumup", *words]
    for name, descriptor, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        made = stream(descriptor, mode)
        setattr(sys, name, made)
        setattr(sys, f"__{name}__", made)


def stream(descriptor: int, mode: str) -> Any:
    """A standard stream as an interpreter makes it, in UTF-8."""
    import io

    errors = "backslashreplace" if descriptor == 2 else "surrogateescape"
    raw = io.FileIO(descriptor, mode, closefd=False)
    buffer = io.BufferedReader(raw) if mode == "r" else io.BufferedWriter(raw)
    line_buffering = descriptor == 2 or (mode == "w" and raw.isatty())
    made = io.TextIOWrapper(buffer, "utf-8", errors, line_buffering=line_buffering)
    made.mode = mode  # type: ignore[misc]
    return made


if __name__ == "__main__":
    for _number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(
            _number, signal.SIG_IGN
        )  # a Ctrl-C at the tests' terminal is the tests' business
    if (_request := _serve(socket.socket(fileno=int(sys.argv[1])))) is not None:
        _become(_request)
        from albumup.__main__ import main

        main()
