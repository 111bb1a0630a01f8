"""The disks: photos and the journal are real files, in memory; what is not committed, or not
fsynced, can be lost."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sqlite3
import tempfile
from contextlib import suppress
from functools import cache

from albumup.journal.opening import open_writer

PLACE = "/dev/shm" if os.path.isdir("/dev/shm") else None
_JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"


def emptied(folder: str) -> str:
    """A folder for the next story, without what the last one left, open files and all."""
    _close_all(folder)
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
    return folder


def _close_all(folder: str) -> None:
    """Descriptors of lives that were killed are closed by nobody else. SQLite's are not ours to
    close."""
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            path = os.readlink(f"/proc/self/fd/{name}")
            if path.startswith((f"{folder}/trip", f"{folder}/party", f"{folder}/spool")):
                os.close(int(name))


@cache
def _new_journal() -> bytes:
    """A journal as a first push makes it."""
    with tempfile.TemporaryDirectory(dir=PLACE) as folder:
        path = os.path.join(folder, "journal.db")
        connection = open_writer(path)
        connection.execute("pragma wal_checkpoint(truncate)").fetchall()
        connection.close()
        with open(path, "rb") as file:
            return file.read()


class JournalDisk:
    """Where the journal and the spool lie."""

    def __init__(self, folder: str) -> None:
        self.journal = os.path.join(folder, "journal.db")
        self.spool = os.path.join(folder, "spool")
        self.lives = 0
        self._fsynced: set[int] = set()
        self._named: set[str] = set()
        """Copies whose names are durable."""
        self._dead: list[sqlite3.Connection] = []
        with open(self.journal, "wb") as file:
            file.write(_new_journal())

    def fsync(self, descriptor: int) -> None:
        """What stands in for os.fsync."""
        self._fsynced.add(os.fstat(descriptor).st_ino)
        with suppress(OSError):
            if os.readlink(f"/proc/self/fd/{descriptor}") == self.spool:
                self._named.update(os.listdir(self.spool))

    def crash(self, dead: sqlite3.Connection, *, power: bool) -> None:
        """Leave what a crash leaves at this instant. ``dead`` is never used again."""
        self._dead.append(dead)
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(self.journal + suffix, f"{self.journal}{suffix}.left")
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.unlink(self.journal + suffix)
        for suffix in ("", "-wal"):
            with suppress(FileNotFoundError):
                os.rename(f"{self.journal}{suffix}.left", self.journal + suffix)
        if power:
            self._lose_copies()

    def tear_snapshot(self, chance: random.Random) -> bool:
        """A writing of the run's snapshot was cut off; False if there is none."""
        try:
            with open(f"{self.journal}.live", "r+b") as file:
                file.seek(int(chance.random() * 600))
                file.write(chance.randbytes(20))
        except FileNotFoundError:
            return False
        return True

    def lose_copies(self, most: int) -> int:
        """So many copies at most are away; how many there were."""
        if not os.path.isdir(self.spool):
            return 0
        names = sorted(os.listdir(self.spool))[:most]
        os.makedirs(f"{self.spool}.away", exist_ok=True)
        for name in names:
            os.rename(os.path.join(self.spool, name), os.path.join(f"{self.spool}.away", name))
        return len(names)

    def bring_back(self) -> None:
        """The copies that were away are there again."""
        with suppress(FileNotFoundError):
            for name in os.listdir(f"{self.spool}.away"):
                os.rename(os.path.join(f"{self.spool}.away", name), os.path.join(self.spool, name))

    def close(self) -> None:
        """The story is over."""
        for connection in self._dead:
            connection.close()

    def _lose_copies(self) -> None:
        """Of the spool a power cut keeps what was fsynced, with its name."""
        with suppress(FileNotFoundError):
            for name in os.listdir(self.spool):
                path = os.path.join(self.spool, name)
                if os.stat(path).st_ino not in self._fsynced:
                    os.truncate(path, 0)
                if name not in self._named:
                    os.unlink(path)


class Photos:
    """A folder of photos, and who meddles with it. ``truth``: what each path holds, which a person
    alone changes. ``card``: the number of the one that is in; ``card_of``: of that on which bytes
    came to be, by their digest."""

    def __init__(self, folder: str, chance: random.Random, now: float, name: str = "trip") -> None:
        self.folder = os.path.join(folder, name)
        self.truth: dict[str, bytes] = {}
        self.card_of: dict[str, int] = {}
        self.volume = ""
        """The id of the file system that they lie on."""
        self._chance = chance
        self._made = self.card = self._cards = 0
        self._away = self.folder + ".away"
        self._kept: dict[str, bytes] = {}
        self._kept_card = 0
        self._now = now
        os.mkdir(self.folder)

    def path(self, number: int) -> str:
        return os.path.join(self.folder, f"IMG_{number}.JPG")

    def numbers(self) -> list[int]:
        """Those that are there."""
        return sorted(int(os.path.basename(path)[4:-4]) for path in self.truth)

    def take(self, number: int, size: int, mtime: float) -> None:
        """A new photo, or other bytes for one that is there, in place."""
        if not os.path.isdir(self.folder):
            return  # the card is out
        self._made += 1
        path = self.path(number)
        content = _JPEG + b"%d %d " % (self._made, self._chance.getrandbits(64))
        content += bytes([self._made % 251]) * (size - len(content))
        with open(path, "r+b" if path in self.truth else "wb") as file:
            file.write(content)
            file.truncate()
        self._set_time(path, mtime)
        self.truth[path] = content
        self.card_of[hashlib.sha256(content).hexdigest()] = self.card

    def edit(self, number: int, mtime: float, *, in_place: bool, same_size: bool) -> None:
        """A photo editor saves it."""
        path = self.path(number)
        if path not in self.truth:
            return
        size = len(self.truth[path]) + (0 if same_size else 7)
        if not in_place:
            os.unlink(path)
            del self.truth[path]
        self.take(number, size, mtime)

    def touch(self, number: int, mtime: float) -> None:
        """Other times, the same bytes."""
        if self.path(number) in self.truth:
            self._set_time(self.path(number), mtime)

    def remove(self, number: int) -> None:
        path = self.path(number)
        if self.truth.pop(path, None) is not None:
            os.unlink(path)

    def take_out(self, other_card: list[int]) -> None:
        """The card is taken out; ``other_card``: another one is put in, with photos of these
        numbers."""
        if self._kept or not self.truth:
            return
        os.rename(self.folder, self._away)
        self._kept, self.truth = self.truth, {}
        self._cards += 1
        self.card, self._kept_card = self._cards, self.card
        if other_card:
            os.mkdir(self.folder)
            for number in other_card:
                self.take(number, 300 + number, self._now - 777_000 + number)

    def put_back(self) -> None:
        if self._kept:
            shutil.rmtree(self.folder, ignore_errors=True)
            os.rename(self._away, self.folder)
            self.truth, self._kept = self._kept, {}
            self.card = self._kept_card

    def untouched(self) -> list[str]:
        """Paths that do not hold what they should: somebody else than the person changed them."""
        found = []
        for path, content in self.truth.items():
            try:
                with open(path, "rb") as file:
                    is_same = file.read() == content
            except OSError:
                is_same = False
            if not is_same:
                found.append(path)
        there = set(os.listdir(self.folder)) if os.path.isdir(self.folder) else set()
        return found + sorted(there - {os.path.basename(path) for path in self.truth})

    def digest(self, number: int) -> str:
        return hashlib.sha256(self.truth.get(self.path(number), b"")).hexdigest()

    def _set_time(self, path: str, mtime: float) -> None:
        nanoseconds = int(mtime * 1e9)
        os.utime(path, ns=(nanoseconds, nanoseconds))
