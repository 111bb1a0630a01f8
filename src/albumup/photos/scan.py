"""Finds the photos in folders, one at a time, in the order a person expects, and reports everything
left out.

Nothing here writes. Memory holds only the folder being listed and the names of those to come, so a
million photos cost no more than a thousand. Paths are absolute bytes; their symbolic links are not
resolved.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from albumup.errors import LocalError, UsageError
from albumup.photos.file_names import text_of
from albumup.photos.filters import Filters, Rules, SkipReason
from albumup.photos.leftovers import is_apple_double, is_store, is_stored_album
from albumup.photos.order import natural_key
from albumup.photos.sniffing import (
    ANYTHING,
    HEAD_BYTES,
    judged,
    media_type_by_name,
    needs_content,
    suffix_in,
)
from albumup.photos.spelling import Spelling
from albumup.photos.volumes import volume_of


class Root(Struct, frozen=True):
    """A folder or file named to be pushed, with its device (``st_dev``) and volume."""

    path: bytes
    device: int
    volume: str
    is_folder: bool


class Found(Struct, frozen=True):
    """A photo. ``relative`` is its path below the root, or its base name if that is the root.

    ``size`` is in bytes, ``mtime_ns`` in nanoseconds since the epoch. ``known``: the photo was not
    opened, ``mime`` comes from the journal. ``error``: why the photo cannot be read, or "";
    ``mime`` is then by name, and numbers may be
    0. ``oddity``: how the content contradicts the name, in words, or "".
    """

    root: Root
    path: bytes
    relative: bytes
    size: int
    mtime_ns: int
    inode: int
    volume: str
    mime: str
    known: bool
    error: str
    oddity: str = ""


class Skipped(Struct, frozen=True):
    """A file or folder that is left out."""

    path: bytes
    reason: SkipReason


class Unreadable(Struct, frozen=True):
    """A folder that cannot be listed, or not completely."""

    path: bytes
    reason: str


Item = Found | Skipped | Unreadable
Takes = Callable[[bytes], bool]
IsKnown = Callable[[Root, bytes, str, os.stat_result], str | None]
IsSettled = Callable[[bytes, os.stat_result | None], bool]


def open_roots(paths: Iterable[str | bytes]) -> list[Root]:
    """The named roots, each once, in whatever spelling. Raises UsageError as ``open_root`` does."""
    spelling = Spelling()
    roots = (open_root(path, spelling) for path in dict.fromkeys(map(os.fsencode, paths)))
    return list({root.path: root for root in roots}.values())


def open_root(path: str | bytes, spelling: Spelling | None = None) -> Root:
    """The root at ``path`` (absolute or relative to the working directory), as the disk spells it.

    It may be a symbolic link. Raises UsageError if there is no file or folder.
    """
    if not path:
        raise UsageError(
            "an empty path was given", "name a folder or a photo; the current folder is ."
        )
    absolute = os.path.abspath(os.fsencode(path))
    # repr escapes what a terminal might obey, and undecodable bytes.
    shown = repr(text_of(absolute))
    try:
        info = os.stat(absolute)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            f"there is no file or folder {shown}", "check the spelling, or insert its card"
        ) from None
    except OSError as error:
        raise UsageError(
            f"{shown} cannot be looked at: {_cause(error)}", "check who may read it: ls -ld"
        ) from None
    is_folder = stat.S_ISDIR(info.st_mode)
    if not is_folder and not stat.S_ISREG(info.st_mode):
        raise UsageError(f"{shown} is neither a file nor a folder", "name a folder or a photo")
    absolute = (spelling or Spelling()).of(absolute)
    return Root(absolute, info.st_dev, volume_of(info.st_dev, absolute), is_folder)


def scan(
    roots: Sequence[Root],
    filters: Filters,
    is_known: IsKnown,
    takes: Takes = lambda _: False,
    is_settled: IsSettled = lambda *_: True,
) -> Iterator[Item]:
    """Every photo below ``roots``, and everything left out, once each: a folder's files, then its
    sub-folders.

    ``is_known(root, path, volume, status)`` returns the MIME type journaled for an unchanged photo,
    which is then not opened. ``takes(suffix)``: does the target take files of this suffix (lower
    case, with its dot), which is not in our table? ``is_settled(path, status)``: has a file that is
    not known been written to its end? ``status`` None: it has vanished. A root that is a file is
    taken even if it is hidden or looks like a leftover. Raises LocalError when no more files can be
    opened.
    """
    rules = Rules(filters)
    volumes = {root.device: root.volume for root in roots}
    seen: set[tuple[bytes, bool]] | None = set() if _overlap(roots) else None
    for root in roots:
        look = _Look(root, rules, is_known, takes, is_settled, volumes)
        for item in look.below() if root.is_folder else (look.alone(),):
            if seen is not None:
                key = (item.path, isinstance(item, Found))
                if key in seen or (item.path, True) in seen:
                    continue
                seen.add(key)
            yield item


def _overlap(roots: Sequence[Root]) -> bool:
    """Does one root lie in another, or equal it? Only then can a path come up twice and has to be
    remembered."""
    paths = sorted(os.path.join(root.path, b"") for root in roots)
    return any(lower.startswith(upper) for upper, lower in pairwise(paths))


class _Folder(Struct, frozen=True):
    """A folder still to be listed. ``relative`` ends in a slash, or is empty for the root.

    ``above``: device and inode of the folders it was reached through, kept only where links may
    form a loop.
    """

    path: bytes
    relative: bytes
    above: tuple[tuple[int, int], ...] = ()


class _Look(Struct, frozen=True):
    """The scan of one root. ``volumes``: the volume of each device met so far."""

    root: Root
    rules: Rules
    is_known: IsKnown
    takes: Takes
    is_settled: IsSettled
    volumes: dict[int, str]

    def alone(self) -> Item:
        """A root that is a file: neither hidden nor a leftover, since somebody named it."""
        name = os.path.basename(self.root.path)
        return self._file(self.root.path, name, name, lambda: os.stat(self.root.path))

    def below(self) -> Iterator[Item]:
        """A root that is a folder."""
        pending = [_Folder(self.root.path, b"")]
        while pending:
            folder = pending.pop()
            entries: list[os.DirEntry[bytes]] = []
            try:
                if self.rules.filters.follow_symlinks:
                    info = os.stat(folder.path)
                    here = (info.st_dev, info.st_ino)
                    if here in folder.above:
                        yield Skipped(folder.path, SkipReason.LINK)
                        continue
                    folder = replace(folder, above=(*folder.above, here))
                with os.scandir(folder.path) as listing:
                    entries.extend(listing)
            except OSError as error:
                # The entries listed before the error are still taken.
                yield Unreadable(folder.path, _cause(error))
            entries.sort(key=lambda entry: natural_key(entry.name))
            folders = []
            holds_store = not self.rules.filters.no_skip and is_store(
                entry.name for entry in entries
            )
            for entry in entries:
                if holds_store and is_stored_album(folder.path, entry.name):
                    yield Skipped(entry.path, SkipReason.LEFTOVER)
                    continue
                item = self._entry(entry, folder)
                if isinstance(item, _Folder):
                    folders.append(item)
                elif item is not None:
                    yield item
            pending.extend(reversed(folders))

    def _entry(self, entry: os.DirEntry[bytes], folder: _Folder) -> Item | _Folder | None:
        """The item or folder for one entry of ``folder``; None for a folder that is not to be
        entered."""
        filters, relative = self.rules.filters, folder.relative + entry.name
        is_folder, is_link = _kind_of(entry)
        if reason := self.rules.on_entry(folder.path, entry.name, relative, is_folder=is_folder):
            return Skipped(entry.path, reason)
        if is_link and not filters.follow_symlinks and not self._leads_to_own_file(entry.path):
            return Skipped(entry.path, SkipReason.LINK)
        if not is_folder:
            return self._file(entry.path, entry.name, relative, entry.stat)
        if reason := self.rules.on_folder(entry.name, relative):
            return Skipped(entry.path, reason)
        return _Folder(entry.path, relative + b"/", folder.above) if filters.recursive else None

    def _leads_to_own_file(self, link: bytes) -> bool:
        """Does a symbolic link lead to an existing file within the root's tree?"""
        tree = os.path.join(os.path.realpath(self.root.path), b"")
        try:
            real = os.path.realpath(link, strict=True)
        except OSError:
            return False
        return real.startswith(tree) and not os.path.isdir(real)

    def _file(
        self, path: bytes, name: bytes, relative: bytes, status: Callable[[], os.stat_result]
    ) -> Item:
        if reason := self.rules.on_file(name, relative):
            return Skipped(path, reason)
        try:
            info = status()
        except OSError as error:
            is_gone = isinstance(error, FileNotFoundError) and not os.path.lexists(path)
            if is_gone and not self.is_settled(path, None):
                return Skipped(path, SkipReason.YOUNG)
            return self._unreadable(path, relative, error)
        reason = self.rules.on_stat(info)
        mime = None
        if reason is None:
            mime = self.is_known(self.root, path, self._volume(info.st_dev, path), info)
        if mime is not None:
            return self._found(path, relative, info, mime, known=True)
        if reason in (None, SkipReason.EMPTY) and not self.is_settled(path, info):
            return Skipped(path, SkipReason.YOUNG)
        if reason is not None:
            return Skipped(path, reason)
        try:
            info, head = _opened(path)
        except OSError as error:
            return self._unreadable(path, relative, error, info)
        # The file may have been replaced since it was listed.
        if reason := self.rules.on_stat(info):
            return Skipped(path, reason)
        if is_apple_double(head, name) and not self.rules.filters.no_skip:
            return Skipped(path, SkipReason.LEFTOVER)
        mime, oddity = judged(head, name)
        if mime is not None:
            return self._found(path, relative, info, mime, oddity=oddity)
        if (mime := self._asked_for(name, relative)) is not None:
            return self._found(path, relative, info, mime)
        return Skipped(path, SkipReason.NO_MEDIA)

    def _asked_for(self, name: bytes, relative: bytes) -> str | None:
        """The type of an unknown or unreadable file, if ``--include`` or the target asks for it;
        else None."""
        if self.rules.takes_anything(name, relative):
            return media_type_by_name(name) or ANYTHING
        suffix = suffix_in(name)
        is_taken = suffix and not needs_content(name) and self.takes(suffix)
        return ANYTHING if is_taken else None

    def _found(
        self,
        path: bytes,
        relative: bytes,
        info: os.stat_result,
        mime: str,
        *,
        known: bool = False,
        oddity: str = "",
    ) -> Found:
        pins = (info.st_size, info.st_mtime_ns, info.st_ino, self._volume(info.st_dev, path))
        return Found(self.root, path, relative, *pins, mime, known, "", oddity)

    def _unreadable(
        self, path: bytes, relative: bytes, error: OSError, info: os.stat_result | None = None
    ) -> Item:
        """A file that cannot be read: a photo by its name, to be reported, or else skipped."""
        cause = _cause(error)
        mime = media_type_by_name(path) or self._asked_for(os.path.basename(path), relative)
        if mime is None:
            return Skipped(path, SkipReason.NO_MEDIA)
        if info is not None:
            return replace(self._found(path, relative, info, mime), error=cause)
        return Found(self.root, path, relative, 0, 0, 0, self.root.volume, mime, False, cause)

    def _volume(self, device: int, path: bytes) -> str:
        if device not in self.volumes:
            self.volumes[device] = volume_of(device, path)
        return self.volumes[device]


def _kind_of(entry: os.DirEntry[bytes]) -> tuple[bool, bool]:
    """Is the entry a folder, or a link to one; and is it a symbolic link? On an error, it counts as
    a file: its stat will report the error."""
    is_folder = is_link = False
    with suppress(OSError):
        is_link = entry.is_symlink()
        is_folder = entry.is_dir()
    return is_folder, is_link


def _opened(path: bytes) -> tuple[os.stat_result, bytes]:
    """Status and first bytes of a file; does not wait even if the file is a FIFO by now."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        info = os.fstat(fd)
        return info, os.read(fd, HEAD_BYTES) if stat.S_ISREG(info.st_mode) else b""
    finally:
        os.close(fd)


def _cause(error: OSError) -> str:
    """Why a file or folder cannot be read, in words. Raises LocalError if this machine fails, not
    the file."""
    words = error.strerror or str(error)
    if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
        raise LocalError(
            f"no more files can be opened: {words}",
            "close some, or raise the limit: ulimit -n 4096",
        )
    return words


_AGE = re.compile(r"([0-9]+)([mhdw])")
_UNIT_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_since(text: str, now: float) -> float:
    """Seconds since the epoch for ``--since``: an age before ``now`` (``30m 12h 7d 2w``), or an ISO
    date or date-time.

    A date without an offset is local time. Raises ValueError, with a message for the user, for any
    other text.
    """
    try:
        if age := _AGE.fullmatch(text.strip()):
            return now - int(age[1]) * _UNIT_SECONDS[age[2]]
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"{text!r} is neither a date (2026-07-14T18:30) nor an age (30m, 12h, 7d, 2w)"
        ) from None


def read_list(data: bytes) -> list[bytes]:
    """The paths in a ``--files-from`` list: separated by NUL if there is one, else a path a line
    (LF or CR LF)."""
    if b"\0" in data:
        return [path for path in data.split(b"\0") if path]
    lines = (line.removesuffix(b"\r") for line in data.split(b"\n"))
    return [line for line in lines if line.strip()]
