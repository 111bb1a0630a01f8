"""Power cuts: what is on the disk when only what was fsynced is there, at every moment of a push.

    python tests/faults/power.py [--every 1] [--scenes form,spool,built-in] [--seed 1]

The real command runs under strace once per scene. Its writes, renames, links, unlinks and fsyncs
are replayed into a model of the disk that a file system is allowed to be: a file has the bytes of
its last fsync, a folder the names of its own last fsync; of what came later, each write and each
name may be there or not. At every step the power is cut: once with nothing of that on the disk and
once with some of it, by chance. What is then there is laid out and judged:

- after "queued" every photo is in the journal, and the journal is whole;
- no more is called uploaded than was answered, and what lies in the built-in inbox under its name
  is whole;
- an attempt whose last bytes had left is known to have been whole;
- every copy in the spool that the journal names is there, whole;
- `resume` on it sends the rest: every photo is there in the end.

The last line of output sums it up; exit 1 if anything of that does not hold.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import random
import re
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from crash_points import SCENES, Scene
from kill_loop import COMMAND, Club

_CALLS = (
    "openat,write,pwrite64,ftruncate,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,"
    "fsync,fdatasync,sendto,sendmsg,recvfrom"
)
_PATIENCE = 60.0
_LINE = re.compile(r"^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$", re.DOTALL)
_WRITTEN = r"(?:[^<>]|\\x3[ce])*"
"""How strace writes the path of a descriptor."""
_ANSWER = b"HTTP/1.1 20"


@dataclass(frozen=True, slots=True)
class Event:
    """One call that ended well: its name, its arguments as strace wrote them, and what it
    returned."""

    name: str
    arguments: str
    result: int

    def texts(self) -> list[bytes]:
        """The strings among the arguments."""
        return [_bytes(text) for text in re.findall(r'"((?:\\x[0-9a-f]{2})*)"', self.arguments)]

    def paths(self, folder: str) -> list[str]:
        """The paths among the arguments, each from the descriptor before it, if there is one, else
        from ``folder``."""
        found = re.findall(
            rf'(?:(?:AT_FDCWD|\d+)<({_WRITTEN})>, )?"((?:\\x[0-9a-f]{{2}})*)"', self.arguments
        )
        return [
            os.path.join(folder, os.fsdecode(_bytes(above)), os.fsdecode(_bytes(name)))
            for above, name in found
        ]

    def path(self) -> str:
        """The path of the descriptor that is the first argument."""
        found = re.match(rf"(?:AT_FDCWD|-?\d+)<({_WRITTEN})>", self.arguments)
        return os.fsdecode(_bytes(found[1])) if found else ""

    def number(self, index: int) -> int:
        """The plain number that is the argument counted from the end."""
        return int(self.arguments.rsplit(", ", -index)[index].rstrip(")"), 0)


def _bytes(text: str) -> bytes:
    return re.sub(
        rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), text.encode("latin-1")
    )


def events_of(log: str) -> Iterator[Event]:
    """The calls in an strace log, in the order in which they ended."""
    begun: dict[str, str] = {}
    with open(log, encoding="latin-1") as lines:
        for line in lines:
            found = _LINE.match(line.rstrip("\n"))
            if not found:
                continue
            pid, resumed, name, rest = found.groups()
            if rest.endswith("<unfinished ...>"):
                begun[pid] = rest.removesuffix("<unfinished ...>").rstrip()
                continue
            if resumed:
                name, rest = resumed, begun.pop(pid, "") + rest
            arguments, _, result = rest.rpartition(" = ")
            value = re.match(r"-?\d+", result)
            if value and not result.startswith("-"):
                yield Event(name, arguments.rstrip().removesuffix(")"), int(value[0]))


@dataclass(slots=True)
class Inode:
    """A file: what was written, what was fsynced, and the writes in between, as (offset, bytes) or
    a new length."""

    now: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    pending: list[tuple[int, bytes] | int] = field(default_factory=list)
    offset: int = 0

    def write(self, offset: int, data: bytes) -> None:
        _apply(self.now, (offset, data))
        self.pending.append((offset, data))

    def truncate(self, size: int) -> None:
        _apply(self.now, size)
        self.pending.append(size)

    def sync(self) -> None:
        self.durable = bytes(self.now)
        self.pending.clear()

    def after_cut(self, rng: random.Random | None) -> bytes:
        """The bytes after a power cut: the durable ones, and with ``rng`` each later write or
        not."""
        found = bytearray(self.durable)
        for change in self.pending if rng else ():
            if rng is not None and rng.random() < 0.5:
                _apply(found, change)
        return bytes(found)


def _apply(content: bytearray, change: tuple[int, bytes] | int) -> None:
    if isinstance(change, int):
        del content[change:]
        content.extend(bytes(change - len(content)))
        return
    offset, data = change
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


class Disk:
    """What lies below one folder, now and after a power cut."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.names: dict[str, Inode | None] = {}
        """Paths now; None is a folder."""
        self.durable: dict[str, Inode | None] = {}

    def take(self, event: Event) -> bool:
        """Follow one call; whether it changed or fsynced anything here."""
        match event.name:
            case "openat":
                return self._open(event)
            case "write" | "pwrite64" | "ftruncate":
                return self._write(event)
            case "fsync" | "fdatasync":
                return self._sync(event.path())
            case "rename" | "renameat" | "renameat2":
                return self._move(*event.paths(self.folder), keep=False)
            case "link" | "linkat":
                return self._move(*event.paths(self.folder), keep=True)
            case "unlink" | "unlinkat" | "rmdir":
                return self.names.pop(event.paths(self.folder)[0], self) is not self
            case "mkdir" | "mkdirat":
                (path,) = event.paths(self.folder)
                return self._here(path) and self.names.setdefault(path, None) is None
        return False

    def _here(self, path: str) -> bool:
        # The index of the write-ahead log is shared memory: made anew after a crash.
        return path.startswith(self.folder + "/") and not path.endswith("-shm")

    def _open(self, event: Event) -> bool:
        path = event.paths(self.folder)[0]
        if not self._here(path) or "O_CREAT" not in event.arguments or path in self.names:
            return False
        self.names[path] = Inode()
        return True

    def _write(self, event: Event) -> bool:
        inode = self.names.get(event.path())
        if inode is None:
            return False
        if event.name == "ftruncate":
            inode.truncate(event.number(-1))
            return True
        data = event.texts()[0][: event.result]
        if event.name == "pwrite64":
            inode.write(event.number(-1), data)
        else:
            inode.write(len(inode.now), data)  # all that write without an offset append here
        return True

    def _sync(self, path: str) -> bool:
        inode = self.names.get(path)
        if inode is not None:
            inode.sync()
            return True
        if path in self.names or path == self.folder:
            for name in {*self.names, *self.durable}:
                if os.path.dirname(name) == path:
                    if name in self.names:
                        self.durable[name] = self.names[name]
                    else:
                        del self.durable[name]
            return True
        return False

    def _move(self, old: str, new: str, *, keep: bool) -> bool:
        if old not in self.names:
            return False
        self.names[new] = self.names[old] if keep else self.names.pop(old)
        return True

    def after_cut(self, rng: random.Random | None) -> dict[str, bytes | None]:
        """Paths and contents after a power cut; folders are None."""
        names = dict(self.durable)
        for path in sorted({*self.names, *self.durable}) if rng else ():
            if (
                self.names.get(path, self) is not self.durable.get(path, self)
                and rng
                and rng.random() < 0.5
            ):
                if path in self.names:
                    names[path] = self.names[path]
                else:
                    names.pop(path, None)
        found: dict[str, bytes | None] = {}
        for path, inode in sorted(names.items()):
            parent = os.path.dirname(path)
            if (
                parent == self.folder or parent in found
            ):  # what lies in a folder that is gone is gone
                found[path] = None if inode is None else inode.after_cut(rng)
        return found


@dataclass(slots=True)
class Verdict:
    """What all power cuts came to."""

    cuts: int = 0
    states: int = 0
    """Different disks among them."""
    resumed: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        disks = f"{self.states} different disks, {self.resumed} resumed"
        return f"{self.cuts} power cuts, {disks}: {len(self.problems)} faults"


class Cuts:
    """One scene: recorded once, then cut at every step."""

    def __init__(self, scene_name: str, verdict: Verdict, seed: int) -> None:
        self.scene = Scene(scene_name, seed)
        self.verdict = verdict
        self.rng = random.Random(seed)
        self.place = os.path.join(self.scene.folder, "disk")
        os.mkdir(self.place)
        self.scene.loop.journal = os.path.join(self.place, "state", "journal.db")
        self.scene.loop.data = os.path.join(self.place, "data")
        self.inbox = os.path.join(self.scene.loop.data, "albumup", "inbox", "trip")
        self._seen: set[str] = set()

    def close(self) -> None:
        self.scene.close()

    def record(self) -> list[Event]:
        """Push once, under strace."""
        log = os.path.join(self.scene.folder, "strace")
        line = (
            "strace", "-f", "-qq", "-y", "-xx", "-s", "1000000", "-e",
            f"trace={_CALLS}", "-e", "signal=none",
        )  # fmt: skip
        command = self.scene.start("push", (*line, "-o", log, *COMMAND))
        assert command.process.wait(_PATIENCE) == 0, command.said()
        return list(events_of(log))

    def run(self, every: int) -> None:
        disk, acknowledged, answers = Disk(self.place), False, 0
        ended: set[str] = set()
        events = self.record()
        shutil.rmtree(self.place)
        steps = 0
        for event in events:
            touched = disk.take(event)
            if (
                event.name == "write"
                and event.result
                and b"safe to interrupt from here" in event.texts()[0]
            ):
                acknowledged = touched = True
            if event.name in ("sendto", "sendmsg") and (
                end := re.search(rb"--(\S+)--\r\n$", b"".join(event.texts()))
            ):
                ended.add(end[1].decode())
                touched = True
            if event.name == "recvfrom" and (text := event.texts()) and text[0].startswith(_ANSWER):
                answers += 1
                touched = True
            steps += touched
            if touched and steps % every == 0:
                for rng in None, self.rng:
                    self._cut(
                        disk.after_cut(rng),
                        acknowledged,
                        answers,
                        ended,
                        f"{self.scene.name}, step {steps}",
                    )
        assert acknowledged, "the push was never acknowledged: is its message another one now?"
        assert len(ended) == len(self.scene.push.photos), "the ends of the bodies were not seen"

    def _cut(
        self,
        content: dict[str, bytes | None],
        acknowledged: bool,
        answers: int,
        ended: set[str],
        when: str,
    ) -> None:
        self.verdict.cuts += 1
        facts = repr((sorted(content.items()), acknowledged, answers, sorted(ended)))
        key = hashlib.sha256(facts.encode()).hexdigest()
        if key in self._seen:
            return
        self._seen.add(key)
        self.verdict.states += 1
        self._lay_out(content)
        try:
            self._resume(acknowledged, self._judge(acknowledged, answers, ended, when), when)
        finally:
            shutil.rmtree(self.place)

    def _lay_out(self, content: dict[str, bytes | None]) -> None:
        os.mkdir(self.place)
        for path, data in content.items():
            if data is None:
                os.mkdir(path, 0o700)
            else:
                with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(data)

    def _complain(self, when: str, words: str) -> None:
        self.verdict.problems.append(f"{when}: {words}")

    def _judge(self, acknowledged: bool, answers: int, ended: set[str], when: str) -> set[str]:
        """What is called uploaded, as digests."""
        photos = self.scene.push.photos
        journal = self.scene.loop.journal
        if not os.path.exists(journal):
            if acknowledged:
                self._complain(when, "the journal is gone after the push was acknowledged")
            return set()
        with contextlib.closing(sqlite3.connect(journal)) as connection:
            try:
                verdict = connection.execute("pragma integrity_check").fetchone()[0]
                rows = connection.execute("select path, state, sha256 from v_tasks").fetchall()
                copies = connection.execute(
                    "select body.spool, body.sha256 from body join task on task.id = body.task_id"
                    " where body.spool is not null and task.state not in ('uploaded', 'duplicate')"
                ).fetchall()
                wholes = {
                    row[0]
                    for row in connection.execute(
                        "select boundary from attempt where whole_at is not null"
                    )
                }
            except sqlite3.Error as error:
                self._complain(when, f"the journal cannot be read: {error}")
                return set()
        if verdict != "ok":
            self._complain(when, f"the journal is damaged: {verdict}")
        if acknowledged and {row[0] for row in rows} != photos.keys():
            self._complain(when, f"acknowledged, and the journal knows only {len(rows)} photos")
        done = [row for row in rows if row[1] in ("uploaded", "duplicate")]
        if len(done) > answers:
            self._complain(when, f"{len(done)} are called uploaded, and {answers} were answered")
        if missing := ended - wholes:
            self._complain(
                when,
                f"{len(missing)} bodies were sent to their end, and the journal does not know it",
            )
        spooled = _digests(journal + ".spool")
        for copy, sha256 in copies:
            if spooled.get(os.path.basename(copy)) != sha256:
                self._complain(
                    when, f"the journal names the copy {copy}, which is not whole on the disk"
                )
        if self.scene.name == "built-in":
            stored = _digests(self.inbox)
            for path, _, sha256 in done:
                if sha256 not in stored.values():
                    self._complain(
                        when, f"{path} is called uploaded and its copy is not on the disk"
                    )
            for name, sha256 in stored.items():
                if sha256 not in photos.values():
                    self._complain(when, f"{name} in the inbox is no whole photo")
        return {row[2] for row in done}

    def _resume(self, acknowledged: bool, done: set[str], when: str) -> None:
        """Go on, as a person would: resume; or the push again, if it never said that the photos are
        queued."""
        loop = self.scene.loop
        before = len(loop.server.ledger) if isinstance(loop.server, Club) else 0
        command = loop.start("resume") if acknowledged else self.scene.start("push")
        if (code := command.process.wait(_PATIENCE)) != 0:
            self._complain(when, f"{command.verb} ends with {code}: {command.said()}")
            return
        self.verdict.resumed += 1
        if isinstance(loop.server, Club):
            held = done | {one.sha256 for one in loop.server.ledger[before:] if one.kept}
        else:
            held = set(_digests(self.inbox).values())
        if lost := set(self.scene.push.photos.values()) - held:
            self._complain(when, f"{len(lost)} photos are not there in the end")


def _digests(folder: str) -> dict[str, str]:
    """The SHA-256 of each file in a folder, by name."""
    found = {}
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(folder):
            with open(entry.path, "rb") as file:
                found[entry.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--every", type=int, default=1, help="cut at every N-th step only")
    parser.add_argument("--scenes", default=",".join(SCENES))
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    verdict, began = Verdict(), time.monotonic()
    for name in given.scenes.split(","):
        cuts = Cuts(name, verdict, given.seed)
        try:
            cuts.run(given.every)
        finally:
            cuts.close()
    for problem in verdict.problems:
        print(problem)
    print(f"{verdict}, {time.monotonic() - began:.0f} s")
    return 1 if verdict.problems else 0


if __name__ == "__main__":
    sys.exit(main())
