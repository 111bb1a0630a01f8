"""A photo's file while it is read and sent: opened, digested, and checked at every step."""

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
    "ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "overlay",
    "vfat", "exfat", "ntfs3", "apfs", "hfs",
}  # fmt: skip
"""File systems within the kernel: fstat of an open file asks no server and no daemon."""
SMALL = 64 << 10
"""The most bytes of a photo that is read whole and kept until it is sent."""


ANOTHER_VOLUME = "another card or disk is there"


class SourceGone(Exception):
    """The source cannot be opened or read; the text is the system's reason."""


class SourceChanged(Exception):
    """The source no longer has the journaled bytes."""


class AnotherVolume(Exception):
    """Another card or disk is where the source was."""


@dataclass(frozen=True, slots=True)
class Place:
    """The file system of a photo, by its volume id, "" if unknown."""

    volume: str

    def expect(self, device: int, place: bytes | int) -> None:
        """Raise AnotherVolume if ``place`` (a path or a descriptor, on ``device``) lies on another
        volume.

        An id that is unknown, then or now, is not another one.
        """
        if self.volume and volume_of(device, place) not in ("", self.volume):
            raise AnotherVolume(ANOTHER_VOLUME)


def open_source(path: bytes, place: Place | None = None) -> tuple[int, os.stat_result]:
    """Open a regular file: its descriptor and its fstat. Never blocks on a FIFO.

    Raises SourceGone, LocalError, and AnotherVolume if the file is not in ``place``.
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
    """Pins and digests of a file that did not change while it was read.

    ``from_disk``: drop the file from the page cache first.
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
    """A journaled body, with which a source is compared."""

    @property
    def pins(self) -> Pins: ...

    @property
    def digests(self) -> dict[str, str]: ...


class Kept(Struct, frozen=True):
    """The whole content of a small file, and its status at that time."""

    content: bytes
    status: os.stat_result


def read_at_once(
    path: bytes, algorithms: Iterable[str], device: int
) -> tuple[Kept, dict[str, str]] | None:
    """Read a small file that is in the page cache, and digest it; None for any other file, and on
    any error.

    ``device``: the file system it is expected on, of a kind that answers at once (``is_quick``).
    Waits for no disk.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not (
            status.st_dev == device and stat.S_ISREG(status.st_mode) and 0 < status.st_size <= SMALL
        ):
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
    """A digest, without ``hashlib.new``, which takes longer to find an algorithm than to digest a
    kilobyte."""
    return str(getattr(hashlib, algorithm)(content, usedforsecurity=False).hexdigest())


def _at_hand(descriptor: int, status: os.stat_result) -> bytes | None:
    """The whole content of an open file, if it is in the page cache; else None."""
    if _kind_of(status.st_dev, descriptor) in _MEMORY_SYSTEMS:
        content = os.pread(descriptor, status.st_size + 1, 0)
    elif hasattr(os, "RWF_NOWAIT"):
        buffer = bytearray(status.st_size + 1)
        size = os.preadv(descriptor, [buffer], 0, os.RWF_NOWAIT)
        content = bytes(memoryview(buffer)[:size])
    else:
        return None
    return content if len(content) == status.st_size else None


class Source:
    """An open payload, from the first check until the answer is in. The caller closes it.

    Methods may wait for a disk, except ``is_as_pinned``, and ``is_untouched`` where ``is_quick``.
    """

    def __init__(self, path: bytes, body: Pinned, place: Place | None) -> None:
        """Open the file; ``place`` is None for a spooled copy. Raises SourceGone, AnotherVolume,
        LocalError."""
        descriptor, status = open_source(path, place)
        self._set_up(path, body, status, descriptor)
        self._is_copy = place is None
        self.is_kept = False
        """The file was read whole before, and is opened only if it changes."""
        kind = _kind_of(self._seen.st_dev, self.descriptor)
        self.is_quick = kind in _QUICK_SYSTEMS
        """The file system answers fstat at once."""
        self.is_in_memory = kind in _MEMORY_SYSTEMS

    @classmethod
    def of(cls, path: bytes, body: Pinned, kept: Kept) -> Source:
        """A source that was read whole before. It is opened only if it changes."""
        source = cls.__new__(cls)
        source._set_up(path, body, kept.status, -1)
        source._is_copy = False
        source.is_kept = True
        source.is_quick = source.is_in_memory = True
        source.content = kept.content
        return source

    def _set_up(self, path: bytes, body: Pinned, status: os.stat_result, descriptor: int) -> None:
        self.descriptor, self._seen = descriptor, status
        self._path, self._body = path, body
        self.pins = read_pins(status)
        self.content: bytes | None = None
        """The whole content, if it was read."""
        self.repinned = False
        """The photo has the journaled bytes, but other times or another inode."""
        self.touched = False
        """The file changed while it was open, and has the same bytes again: other bytes may have
        been sent meanwhile. Never true of a file that was read whole before, as its content in
        memory is sent."""

    def is_as_pinned(self) -> bool:
        """Are all pins as journaled?"""
        return self._body.pins == self.pins

    def verify(self, *, trusts_pins: bool = False) -> None:
        """Compare the file with the journaled digest. ``trusts_pins``: only if the pins hint at a
        change.

        Pins prove nothing while another card may be there, whose photos have similar ones. Raises
        SourceChanged if the bytes differ, SourceGone.
        """
        if trusts_pins and same_pins(self._body.pins, self.pins, self._path):
            return
        self._expect_size(self._body.pins.size)
        self._compare()
        self.repinned = not self._is_copy and self._body.pins != self.pins

    def read_if_small(self, limit: int) -> None:
        """Read the file whole if it has at most ``limit`` bytes. An error is left to show when the
        file is sent."""
        if self.pins.size <= limit:
            with contextlib.suppress(OSError):
                content = os.pread(self.descriptor, limit + 1, 0)
                self.content = content if len(content) == self.pins.size else None

    def is_untouched(self) -> bool:
        """Is the file's metadata as of the last look?"""
        if self.descriptor < 0:
            return self.is_still_there()
        return _while_open(os.fstat(self.descriptor)) == _while_open(self._seen)

    def is_still_there(self) -> bool:
        """Does the path still lead to this file, with its metadata unchanged?"""
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
        """Check the file before the tail, and again when the answer is in (``is_sent``).

        Raises SourceChanged unless the file still has the journaled bytes, SourceGone.
        """
        if self.is_untouched():
            return
        try:
            if self.descriptor < 0:
                self.descriptor, _ = open_source(self._path)
        except SourceGone:
            if is_sent:
                return  # the bytes sent came from memory, and are those that were digested
            raise
        self._expect_size(os.fstat(self.descriptor).st_size)
        self._compare()
        self._seen = os.fstat(self.descriptor)
        self.pins = read_pins(self._seen)
        self.touched = not self.is_kept
        self.repinned = not self._is_copy

    def digests(self, names: Collection[str]) -> dict[str, str]:
        """Read the file once more for further digests (lower-case hex). Raises SourceGone."""
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
    """Why a pushed root is away ("it does not exist"); "" if it is there."""
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
    """Is the file system of an open file or folder one that asks no server and no daemon?"""
    return _kind_of(device, descriptor) in _QUICK_SYSTEMS


_kinds: dict[int, str] = {}


def _kind_of(device: int, descriptor: int) -> str:
    """The type of an open file's file system, looked up once for each device."""
    kind = _kinds.get(device)
    if kind is None:
        kind = _kinds[device] = mount_of(descriptor)[0]
    return kind


def _while_open(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def no_more_files(error: BaseException) -> LocalError | None:
    """The error for the user, if this process or machine can open no more files; None for any other
    reason."""
    if not isinstance(error, OSError) or error.errno not in (
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
    ):
        return None
    return LocalError(
        f"cannot open another file: {error.strerror}", "everything unsent waits: albumup resume"
    )


def _source_fault(error: OSError) -> SourceGone | LocalError:
    return no_more_files(error) or SourceGone(error.strerror or str(error))
