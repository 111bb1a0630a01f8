"""What a benchmark stands on: a scratch folder, photos, sinks, and runs of whole commands with what
they cost."""

from __future__ import annotations

import atexit
import contextlib
import copy
import json
import os
import random
import shutil
import signal
import socket
import ssl
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import trustme

HERE = Path(__file__).parent
TOKEN = "not-a-secret"


class Failed(Exception):
    """A command did not do what was to be measured."""


@dataclass(frozen=True, slots=True)
class Program:
    """A version of albumup: what tables call it, and the path of its command."""

    name: str
    command: str

    @classmethod
    def of(cls, name: str, checkout: Path) -> Program:
        """The one that ``uv sync`` has put into the environment of a checkout."""
        command = checkout.resolve() / ".venv" / "bin" / "albumup"
        if not command.exists():
            raise Failed(f"{command} is missing: type 'uv sync' in {checkout}")
        return cls(name, str(command))

    @property
    def python(self) -> str:
        """The interpreter that runs it."""
        return str(Path(self.command).with_name("python"))

    @property
    def defaults(self) -> str:
        """What its config begins with: it takes files that were just made. Versions that always do
        refuse the key."""
        look = "import albumup.config.unattended as it; print('stable_for' in vars(it.Unattended))"
        found = subprocess.run([self.python, "-c", look], capture_output=True, check=False)
        has_key = found.stdout.strip() == b"True"
        return "[defaults]\nstable_for = 0\n" if has_key else ""


OURS = Program("now", str(Path(sys.executable).with_name("albumup")))
"""The one beside the interpreter that runs the benchmarks."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one run of a command: wall-clock and processor seconds, its peak memory in bytes, its
    fsyncs if counted."""

    seconds: float
    processor: float = 0.0
    memory: int = 0
    fsyncs: float = 0.0


def interleaved(runs: int, contestants: dict[str, Callable[[], Cost]]) -> dict[str, Cost]:
    """The median costs of each contestant, run in turn."""
    costs: dict[str, list[Cost]] = {name: [] for name in contestants}
    for _ in range(runs):
        for name, contestant in contestants.items():
            costs[name].append(contestant())
    return {name: _median(found) for name, found in costs.items()}


def _median(costs: list[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.seconds for cost in costs),
        statistics.median(cost.processor for cost in costs),
        max(cost.memory for cost in costs),
        statistics.median(cost.fsyncs for cost in costs),
    )


def run(
    command: Sequence[str | Path],
    *,
    environment: dict[str, str] | None = None,
    codes: Sequence[int] = (0,),
) -> Cost:
    """Run a command to its end and tell what it cost. Failed, with its last words, unless its exit
    code is expected."""
    with tempfile.TemporaryFile() as words, tempfile.TemporaryFile("w+") as told:
        subprocess.run(
            [sys.executable, "-I", "-S", HERE / "cost.py", str(told.fileno()), *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=words,
            env={**os.environ, **(environment or {})},
            pass_fds=[told.fileno()],
            check=True,
        )
        told.seek(0)
        code, seconds, processor, memory = json.load(told)
        if code not in codes:
            words.seek(0)
            said = words.read()[-2000:].decode(errors="replace")
            raise Failed(f"{' '.join(map(str, command))[:200]}: exit {code}\n{said}")
        return Cost(seconds, processor, memory)


def ended(process: subprocess.Popen[bytes], began: float, *, codes: Sequence[int] = (0,)) -> Cost:
    """Wait for a process that began at ``began`` (perf_counter); its memory is not told (see
    cost.py)."""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
        raise Failed(f"{' '.join(map(str, process.args))[:200]}: exit {process.returncode}")  # type: ignore[arg-type]
    return Cost(seconds, usage.ru_utime + usage.ru_stime)


class Sink:
    """``sink.c``, started; ``address`` is where it listens on loopback."""

    def __init__(self, program: Path, scheme: str, authority: Path, *arguments: Path) -> None:
        self._authority = authority
        self._process = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE)
        atexit.register(self.close)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.address = f"{scheme}://127.0.0.1:{self.port}"

    def count(self) -> dict[str, int]:
        """What came so far: photos, bytes, equal, different."""
        trusted = ssl.create_default_context(cafile=self._authority)
        with urllib.request.urlopen(f"{self.address}/count", context=trusted) as answer:
            told: dict[str, int] = json.load(answer)
        return told

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class Stage:
    """A scratch folder with all that is made in it; gone at the end. ``program`` is the version
    that runs on it."""

    def __init__(self, folder: Path | None, program: Program = OURS) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="albumup-bench-", dir=folder))
        atexit.register(shutil.rmtree, self.folder, True)
        self.authority = self.folder / "authority.pem"
        chain, key = self._certificate()
        sink = self.compiled("sink.c", "-lssl", "-lcrypto", "-lpthread")
        self.plain = Sink(sink, "http", self.authority)
        self.secure = Sink(sink, "https", self.authority, chain, key)
        self.targets = (
            f'[targets.plain]\nkind = "form"\nurl = "{self.plain.address}/api/assets"\n'
            f'[targets.secure]\nkind = "form"\nurl = "{self.secure.address}/api/assets"\n'
            f'ca_file = "{self.authority}"\n'
            f'[targets.checked]\nkind = "form"\nurl = "{self.plain.address}/checked"\n'
            '[targets.checked.fields]\nsha256 = "{sha256}"\n'
        )
        self._run_by(program)

    def _run_by(self, program: Program) -> None:
        self.program = program
        self.own = self.folder / program.name
        self.journal = self.own / "journal" / "journal.db"
        self.own.mkdir(exist_ok=True)
        self.config = self.own / "config.toml"
        self.config.write_text(program.defaults + self.targets)
        self.environment = {"HOME": str(self.folder), "ALBUMUP_CONFIG": str(self.config)}

    def running(self, program: Program) -> Stage:
        """The same for another version: its photos and servers, other journals."""
        other = copy.copy(self)
        other._run_by(program)
        return other

    def compiled(self, source: str, *options: str) -> Path:
        """A program or library made of a C file that is named from this folder."""
        made = self.folder / Path(source).stem
        compiler = shutil.which("cc") or sys.exit(
            "benchmarks need a C compiler, and OpenSSL's headers (libssl-dev)"
        )
        subprocess.run([compiler, "-O2", "-o", made, HERE / source, *options], check=True)
        return made

    def _certificate(self) -> tuple[Path, Path]:
        """A certificate for 127.0.0.1 that its own authority signed, with that authority."""
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1")
        chain, key = self.folder / "chain.pem", self.folder / "key.pem"
        chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        key.write_bytes(issued.private_key_pem.bytes())
        authority.cert_pem.write_to_path(str(self.authority))
        return chain, key

    def photos(self, name: str, count: int, size: int) -> Path:
        """A folder of ``count`` files of ``size`` bytes that begin as JPEGs do, all different,
        1,000 a folder."""
        folder = self.folder / name
        if folder.exists():
            return folder
        noise = random.Random(name).randbytes(min(size, 1 << 20))
        for number in range(count):
            place = folder / f"{number // 1000:03}"
            if number % 1000 == 0:
                place.mkdir(parents=True)
            start = b"\xff\xd8\xff\xe0" + number.to_bytes(8, "big")
            with open(place / f"IMG_{number:06}.jpg", "wb") as file:
                file.write((start + noise)[:size])
                for offset in range(len(noise), size, len(noise)):
                    file.write(noise[: size - offset])
                file.truncate(size)
        return folder

    def files(self, folder: Path) -> list[Path]:
        return sorted(path for path in folder.rglob("*") if path.is_file())

    def fresh_journal(self) -> Path:
        """``journal``, where none is now."""
        shutil.rmtree(self.journal.parent, ignore_errors=True)
        return self.journal

    def start(
        self,
        *arguments: str | Path,
        journal: Path,
        config: Path | None = None,
        stdout: int | None = None,
    ) -> subprocess.Popen[bytes]:
        """The command, started; what it says is dropped."""
        return subprocess.Popen(
            [
                self.program.command,
                "--journal",
                journal,
                "--config",
                config or self.config,
                *arguments,
            ],
            env={**os.environ, **self.environment},
            stdout=stdout,
            stderr=subprocess.DEVNULL,
        )

    def albumup(
        self,
        *arguments: str | Path,
        journal: Path | None = None,
        codes: Sequence[int] = (0,),
        **environment: str,
    ) -> Cost:
        """A whole run of the command."""
        return run(
            [self.program.command, "--journal", journal or self.journal, *arguments],
            environment=self.environment | environment,
            codes=codes,
        )

    def push(self, folder: Path, target: str = "plain", **environment: str) -> Cost:
        """A first push of a folder, into a journal that does not exist yet; all of it must have
        arrived."""
        sink = self.secure if target == "secure" else self.plain
        wanted, before = len(self.files(folder)), sink.count()
        cost = self.first_push(folder, target, **environment)
        came = sink.count()
        if came["photos"] - before["photos"] != wanted:
            raise Failed(f"{came['photos'] - before['photos']} photos came of {wanted}")
        if came["different"] != before["different"]:
            raise Failed("a photo came with another digest")
        return cost

    def first_push(self, folder: Path, target: str, **environment: str) -> Cost:
        """The same, whatever came."""
        words = ["push", folder, "--album", "bench", "--target", target, "--progress", "none"]
        return self.albumup(*words, journal=self.fresh_journal(), **environment)

    def counted_push(self, folder: Path) -> Cost:
        """``push`` with its fsyncs counted, by a library that goes between it and the system's."""
        counter, library = self.folder / "fsyncs", self.folder / "slow"
        if not library.exists():
            self.compiled("../tests/faults/slow.c", "-shared", "-fPIC")
        counter.write_bytes(bytes(16))
        cost = self.push(folder, LD_PRELOAD=str(library), SLOW_COUNT=str(counter))
        return replace(cost, fsyncs=struct.unpack("qq", counter.read_bytes())[0])

    def push_to_receiver(self, folder: Path) -> Cost:
        """A first push into the program's own receiver, which is started for it.

        What it received is kept to the end of all. For minutes after a file was deleted, ext4
        passes over its inode for each new file (recently_deleted in fs/ext4/ialloc.c): after
        thousands of them a new one costs up to 0.8 ms.
        """
        received = Path(tempfile.mkdtemp(prefix="received-", dir=self.own))
        config, port = self.own / "receiver.toml", free_port()
        target = f'[targets.receiver]\nkind = "inbox"\nurl = "http://127.0.0.1:{port}"\n'
        config.write_text(self.program.defaults + target)
        server = self.start("receive", received, "--port", str(port), journal=self.journal)
        try:
            until_it_listens(f"http://127.0.0.1:{port}")
            cost = self.first_push(folder, "receiver", ALBUMUP_CONFIG=str(config))
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()
        came = sum(path.suffix == ".jpg" for path in self.files(received))
        if came != len(self.files(folder)):
            raise Failed(f"{came} photos were received")
        return cost


def until_it_listens(address: str) -> None:
    """Wait for a server that was started."""
    for _ in range(200):
        try:
            urllib.request.urlopen(address).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise Failed(f"nothing listens at {address}")


@contextlib.contextmanager
def on_a_terminal(
    command: Sequence[str | Path], environment: dict[str, str]
) -> Iterator[Callable[[], Cost]]:
    """A command on a pseudo-terminal of 80 columns; what is yielded waits for its end and tells
    what it cost."""
    import fcntl
    import pty
    import struct
    import termios
    import threading

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    began = time.perf_counter()
    process = subprocess.Popen(
        list(map(str, command)),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, **environment},
    )
    os.close(theirs)

    def drain() -> None:
        with contextlib.suppress(OSError):
            while os.read(ours, 1 << 16):
                pass

    reader = threading.Thread(target=drain)
    reader.start()
    try:
        yield lambda: ended(process, began)
    finally:
        reader.join()
        os.close(ours)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
