"""What a benchmark stands on: a scratch folder, photos, sinks, and runs of whole commands with what they cost."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import trustme

HERE = Path(__file__).parent
ALBUMUP = str(Path(sys.executable).with_name("albumup"))
TOKEN = "not-a-secret"


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one run of a command: wall-clock and processor seconds, and its peak memory in bytes."""

    seconds: float
    processor: float = 0.0
    memory: int = 0


class Failed(Exception):
    """A command did not do what was to be measured."""


def run(
    command: Sequence[str | Path], *, environment: dict[str, str] | None = None, codes: Sequence[int] = (0,)
) -> Cost:
    """Run a command to its end and tell what it cost. Failed, with its last words, unless its exit code is expected."""
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
    """Wait for a process that began at ``began`` (perf_counter); its memory is not told (see cost.py)."""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in codes:
        raise Failed(f"{' '.join(map(str, process.args))[:200]}: exit {process.returncode}")  # type: ignore[arg-type]
    return Cost(seconds, usage.ru_utime + usage.ru_stime)


class Sink:
    """``sink.c``, started; ``address`` is where it listens on loopback."""

    def __init__(self, program: Path, scheme: str, *arguments: Path) -> None:
        self._process = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE)
        atexit.register(self.close)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.address = f"{scheme}://127.0.0.1:{self.port}"

    def count(self) -> dict[str, int]:
        """What came so far: photos, bytes, equal, different. Only of a sink without TLS."""
        with urllib.request.urlopen(f"{self.address}/count") as answer:
            told: dict[str, int] = json.load(answer)
        return told

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


class Stage:
    """A scratch folder with all that is made in it; gone at the end."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="albumup-bench-", dir=folder))
        atexit.register(shutil.rmtree, self.folder, True)
        self.authority = self.folder / "authority.pem"
        chain, key = self._certificate()
        program = self.folder / "sink"
        compiler = shutil.which("cc") or sys.exit("benchmarks need a C compiler, and OpenSSL's headers (libssl-dev)")
        subprocess.run([compiler, "-O2", "-o", program, HERE / "sink.c", "-lssl", "-lcrypto", "-lpthread"], check=True)
        self.plain = Sink(program, "http")
        self.secure = Sink(program, "https", chain, key)
        self.journal = self.folder / "journal" / "journal.db"
        self.config = self.folder / "config.toml"
        self.config.write_text(
            f'[targets.plain]\nkind = "form"\nurl = "{self.plain.address}/api/assets"\n'
            f'[targets.secure]\nkind = "form"\nurl = "{self.secure.address}/api/assets"\n'
            f'ca_file = "{self.authority}"\n'
            f'[targets.checked]\nkind = "form"\nurl = "{self.plain.address}/checked"\n'
            '[targets.checked.fields]\nsha256 = "{sha256}"\n'
        )
        self.environment = {"HOME": str(self.folder), "ALBUMUP_CONFIG": str(self.config)}

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
        """A folder of ``count`` files of ``size`` bytes that begin as JPEGs do, all different, 1,000 a folder."""
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

    def start(self, *arguments: str | Path, journal: Path, config: Path | None = None) -> subprocess.Popen[bytes]:
        """The command, started; what it says is dropped."""
        return subprocess.Popen(
            [ALBUMUP, "--journal", journal, "--config", config or self.config, *arguments],
            env={**os.environ, **self.environment},
            stderr=subprocess.DEVNULL,
        )

    def albumup(self, *arguments: str | Path, journal: Path | None = None, codes: Sequence[int] = (0,)) -> Cost:
        """A whole run of the command."""
        return run(
            [ALBUMUP, "--journal", journal or self.journal, *arguments], environment=self.environment, codes=codes
        )

    def push(self, folder: Path, target: str = "plain") -> Cost:
        """A first push of a folder, into a journal that does not exist yet; all of it must have arrived."""
        wanted, before = len(self.files(folder)) if target != "secure" else 0, self.plain.count()
        journal = self.fresh_journal()
        cost = self.albumup(
            "push", folder, "--album", "bench", "--target", target, "--progress", "none", journal=journal
        )
        came = self.plain.count()
        if target != "secure" and came["photos"] - before["photos"] != wanted:
            raise Failed(f"{came['photos'] - before['photos']} photos came of {wanted}")
        if came["different"] != before["different"]:
            raise Failed("a photo came with another digest")
        return cost


@contextlib.contextmanager
def on_a_terminal(command: Sequence[str | Path], environment: dict[str, str]) -> Iterator[Callable[[], Cost]]:
    """A command on a pseudo-terminal of 80 columns; what is yielded waits for its end and tells what it cost."""
    import fcntl
    import pty
    import struct
    import termios
    import threading

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    began = time.perf_counter()
    process = subprocess.Popen(
        list(map(str, command)), stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, **environment}
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
