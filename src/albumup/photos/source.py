"""The file of a photo while it is read and sent: opened, digested, and looked at again at every step."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from albumup.disk import drop_from_cache
from albumup.errors import LocalError
from albumup.photos.digests import CopyFault, digest
from albumup.photos.pins import Pins, read_pins, same_pins
from albumup.photos.volumes import mount_of, volume_of

_MEMORY_SYSTEMS = frozenset({"tmpfs", "ramfs"})
_QUICK_SYSTEMS = _MEMORY_SYSTEMS | {
    "ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "overlay", "vfat", "exfat", "ntfs3", "apfs",
    "hfs",
}  # fmt: skip
"""What the kernel itself keeps: it knows of an open file what fstat asks, and asks nobody else."""
SMALL = 64 << 10
"""Bytes of a photo that is read whole and kept until it is sent."""


ANOTHER_VOLUME = "another card or disk is there"


class SourceGone(Exception):
    """The source cannot be opened or read; the text says why, as the system put it."""


class SourceChanged(Exception):
    """The source's bytes are no longer the journaled ones."""


class AnotherVolume(Exception):
    """Another card or disk is where the source was."""


@dataclass(frozen=True, slots=True)
class Place:
    """The file system that a photo lies on, by its id; "" where that is unknown."""

    volume: str

    def expect(self, device: int, place: bytes | int) -> None:
        """Raise AnotherVolume if what ``place`` (a path, a descriptor) is on ``device`` lies elsewhere.

        An id that is unknown, then or now, is no other one.
        """
        if self.volume and volume_of(device, place) not in ("", self.volume):
            raise AnotherVolume(ANOTHER_VOLUME)


def open_source(path: bytes, place: Place | None = None) -> tuple[int, os.stat_result]:
    """A descriptor of a regular file and its fstat; never blocks on a FIFO.

    Raises SourceGone, LocalError, and AnotherVolume if it does not lie in its ``place``.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise _source_fault(error) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise SourceGone("no longer a regular file")
        if place is not None:
            place.expect(status.st_dev, descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, status


def read_source(
    path: bytes,
    algorithms: Iterable[str],
    *,
    place: Place | None = None,
    copy_to: int | None = None,
    on_block: Callable[[int], None] | None = None,
    from_disk: bool = False,
) -> tuple[Pins, dict[str, str]]:
    """Pins and digests of a file that kept still while it was read; ``from_disk``: what the system remembers of it is
    dropped first.

    Raises SourceGone, SourceChanged, AnotherVolume, LocalError.
    """
    descriptor, before = open_source(path, place)
    try:
        if from_disk:
            drop_from_cache(descriptor)
        size, digests = _digest(descriptor, algorithms, before.st_size, copy_to, on_block)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    if size != after.st_size or _while_open(before) != _while_open(after):
        raise SourceChanged("it was written to while it was read")
    return read_pins(after), digests


class Pinned(Protocol):
    """What a source is compared with: a body, as it is journaled."""

    @property
    def pins(self) -> Pins: ...

    @property
    def digests(self) -> dict[str, str]: ...


class Kept(Struct, frozen=True):
    """All of a small file, and its status when it was read."""

    content: bytes
    status: os.stat_result


def read_at_once(path: bytes, algorithms: Iterable[str], device: int) -> tuple[Kept, dict[str, str]] | None:
    """A small file that the system has in memory, and its digests; None for any other, or one that is odd.

    ``device``: the file system it is expected on, of a kind that answers at once (``is_quick``). Waits for no disk.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not (status.st_dev == device and stat.S_ISREG(status.st_mode) and 0 < status.st_size <= SMALL):
            return None
        content = _at_hand(descriptor, status)
        if content is None or _while_open(os.fstat(descriptor)) != _while_open(status):
            return None
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return Kept(content, status), {name: _digest_of(name, content) for name in algorithms}


def _digest_of(algorithm: str, content: bytes) -> str:
    """As ``photo.digest`` makes it; ``hashlib.new`` takes longer to find an algorithm than to digest a kilobyte."""
    return str(getattr(hashlib, algorithm)(content, usedforsecurity=False).hexdigest())


def _at_hand(descriptor: int, status: os.stat_result) -> bytes | None:
    """All of an open file, if the system has it in memory."""
    if _kind_of(status.st_dev, descriptor) in _MEMORY_SYSTEMS:
        content = os.pread(descriptor, status.st_size + 1, 0)
    elif hasattr(os, "RWF_NOWAIT"):
        buffer = bytearray(status.st_size + 1)
        content = bytes(buffer[: os.preadv(descriptor, [buffer], 0, os.RWF_NOWAIT)])
    else:
        return None
    return content if len(content) == status.st_size else None


class Source:
    """An open payload, from its first check until the answer is in. Close it.

    What reads may wait for a disk: only ``is_as_pinned`` never does, nor ``is_untouched`` where it ``is_quick``.
    """

    def __init__(self, path: bytes, body: Pinned, place: Place | None) -> None:
        """Open it; ``place`` None for a copy of our own. Raises SourceGone, AnotherVolume, LocalError."""
        descriptor, status = open_source(path, place)
        self._become(path, body, status, descriptor)
        self._is_copy = place is None
        self.is_kept = False
        """It was read whole before, and is opened only if something happens to it."""
        kind = _kind_of(self._seen.st_dev, self.descriptor)
        self.is_quick = kind in _QUICK_SYSTEMS
        """Its file system answers at once about what is open."""
        self.is_in_memory = kind in _MEMORY_SYSTEMS

    @classmethod
    def of(cls, path: bytes, body: Pinned, kept: Kept) -> Source:
        """One that was read whole before. It is opened only if something happens to it."""
        source = cls.__new__(cls)
        source._become(path, body, kept.status, -1)
        source._is_copy = False
        source.is_kept = True
        source.is_quick = source.is_in_memory = True
        source.content = kept.content
        return source

    def _become(self, path: bytes, body: Pinned, status: os.stat_result, descriptor: int) -> None:
        self.descriptor, self._seen = descriptor, status
        self._path, self._body = path, body
        self.pins = read_pins(status)
        self.content: bytes | None = None
        """All of it, where it was read."""
        self.repinned = False
        """The photo has other times or another inode than journaled, and the journaled bytes."""
        self.touched = False
        """Something about it changed while it was open, though its bytes are the same again: those that were sent may
        have been others for a while. Never of what was read whole before: that is sent."""

    def is_as_pinned(self) -> bool:
        """Does nothing at all hint at a change?"""
        return self._body.pins == self.pins

    def verify(self, *, believes: bool = False) -> None:
        """Compare it with the journaled digest; ``believes``: only if something hints at a change.

        Without it, size and times may be like those of another card's photo. Raises SourceChanged if the bytes differ,
        SourceGone.
        """
        if believes and same_pins(self._body.pins, self.pins, self._path):
            return
        self._expect_size(self._body.pins.size)
        self._compare()
        self.repinned = not self._is_copy and self._body.pins != self.pins

    def read_if_small(self, limit: int) -> None:
        """Read it whole, if it is no larger than ``limit`` bytes; what cannot be read is found out when it is sent."""
        if self.pins.size <= limit:
            with contextlib.suppress(OSError):
                content = os.pread(self.descriptor, limit + 1, 0)
                self.content = content if len(content) == self.pins.size else None

    def is_untouched(self) -> bool:
        """Is its metadata as it was when it was last looked at?"""
        if self.descriptor < 0:
            return self.is_still_there()
        return _while_open(os.fstat(self.descriptor)) == _while_open(self._seen)

    def is_still_there(self) -> bool:
        """Does its path lead to it still, untouched?"""
        try:
            now = os.stat(self._path)
        except OSError:
            return False
        seen = self._seen
        return (
            now.st_mtime_ns == seen.st_mtime_ns
            and now.st_ctime_ns == seen.st_ctime_ns
            and now.st_size == seen.st_size
            and now.st_ino == seen.st_ino
            and now.st_dev == seen.st_dev
        )

    def check(self, *, is_sent: bool = False) -> None:
        """Before the tail, and when the answer is in (``is_sent``): raises SourceChanged unless the bytes are still the
        journaled ones, and SourceGone."""
        if self.is_untouched():
            return
        try:
            if self.descriptor < 0:
                self.descriptor, _ = open_source(self._path)
        except SourceGone:
            if is_sent:
                return  # what was sent are the very bytes that were digested
            raise
        self._expect_size(os.fstat(self.descriptor).st_size)
        self._compare()
        self._seen = os.fstat(self.descriptor)
        self.pins = read_pins(self._seen)
        self.touched = not self.is_kept
        self.repinned = not self._is_copy

    def digests(self, names: Collection[str]) -> dict[str, str]:
        """More digests of it (lower-case hex), from reading it once more. Raises SourceGone."""
        if self.descriptor < 0:
            return {name: _digest_of(name, self.content or b"") for name in names}
        return _digest(self.descriptor, names, self._seen.st_size, None, None)[1]

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)

    def _expect_size(self, size: int) -> None:
        if size != self._seen.st_size:
            raise SourceChanged("its size changed")

    def _compare(self) -> None:
        _, digests = _digest(self.descriptor, ["sha256"], self._seen.st_size, None, None)
        if digests["sha256"] != self._body.digests["sha256"]:
            raise SourceChanged("its bytes changed")


def root_is_away(path: bytes, place: Place, *, is_folder: bool) -> str:
    """Why a pushed root is away ("does not exist"), or "" when it is there."""
    try:
        status = os.stat(path)
        place.expect(status.st_dev, path)
        if is_folder and stat.S_ISDIR(status.st_mode):
            with os.scandir(path) as entries:
                if next(entries, None) is None:
                    return "the folder is empty"
    except FileNotFoundError:
        return "it does not exist"
    except AnotherVolume as other:
        return str(other)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _digest(
    descriptor: int,
    algorithms: Iterable[str],
    size: int,
    copy_to: int | None,
    on_block: Callable[[int], None] | None,
) -> tuple[int, dict[str, str]]:
    try:
        return digest(descriptor, algorithms, size_hint=size, copy_to=copy_to, on_block=on_block)
    except CopyFault as error:
        raise LocalError(f"cannot copy: {error.strerror or error}") from error
    except OSError as error:
        raise _source_fault(error) from error


def is_quick(device: int, descriptor: int) -> bool:
    """Does the file system that an open file or folder lies on ask nobody else, such as a server or a daemon?"""
    return _kind_of(device, descriptor) in _QUICK_SYSTEMS


_kinds: dict[int, str] = {}


def _kind_of(device: int, descriptor: int) -> str:
    """The type of the file system that an open file lies on; asked once for each."""
    kind = _kinds.get(device)
    if kind is None:
        kind = _kinds[device] = mount_of(descriptor)[0]
    return kind


def _while_open(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _source_fault(error: OSError) -> SourceGone | LocalError:
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        return LocalError(f"cannot open another file: {error.strerror}", "everything unsent waits: albumup resume")
    return SourceGone(error.strerror or str(error))
