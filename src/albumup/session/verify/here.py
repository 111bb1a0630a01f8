"""Examines every file in the pushed folders, whatever its name; reads photos again."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from albumup.disk import drop_from_cache
from albumup.journal import there
from albumup.journal.journal import Journal
from albumup.journal.rows import Album
from albumup.photos.file_names import text_of
from albumup.photos.leftovers import (
    STORE_FOLDERS,
    Makers,
    is_apple_double,
    is_bin,
    is_nas_thumbnail,
    is_store,
    may_be_made,
)
from albumup.photos.sidecars import SUFFIXES
from albumup.photos.sniffing import HEAD_BYTES, is_source, may_be_media, media_type, suffix_in
from albumup.photos.source import SourceChanged, SourceGone, read_source
from albumup.photos.spelling import Spelling
from albumup.session.verify.findings import Finding, Kind, Outcome
from albumup.session.verify.there import Copies

_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.0)
"""Seconds to wait for bytes that are still on their way to the disk."""
_MOST_REMEMBERED = 3
"""After so many files in a row that stay cached, waiting is no use, as on tmpfs."""
_SNAPSHOTS = b"#snapshot"


def is_by_name(journal: Journal, album: Album) -> bool:
    """Were single files pushed, whose folders do not belong to the album?"""
    return there.has_files_by_name(journal, album.id)


def pushed_folders(journal: Journal, album: Album) -> list[bytes]:
    paths = there.pushed_folders(journal, album.id)
    spelling = Spelling()
    # If a folder was pushed in two spellings, take the disk's.
    found = {spelling.of(path): path for path in paths} | {
        path: path for path in paths if spelling.of(path) == path
    }
    return sorted(found.values())


def look_here(copies: Copies, folders: Sequence[bytes], outcome: Outcome) -> Iterator[Finding]:
    """Examine every file in the pushed folders, and each file that was pushed singly; ``outcome``
    counts them.

    Raises LocalError.
    """
    for folder in folders:
        outcome.stores += [above for above in _above(folder) if _holds_store(above)]
    for finding in _Look(copies, outcome).all(folders):
        outcome.note(finding)
        yield finding
    outcome.sum_up(copies.photos)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An unproven file that a camera may have made for a proven photo. ``why_not``: "" if it is no
    photo itself."""

    path: bytes
    size: int
    why_not: str
    is_new: bool = False
    pattern: str = ""


class _Look:
    def __init__(self, copies: Copies, outcome: Outcome) -> None:
        self._copies, self._outcome = copies, outcome
        self._sizes = {copy.size for copy in copies.by_digest.values()}
        self._makers = Makers()
        self._candidates: list[_Candidate] = []
        self._seen: set[bytes] = set()
        self._spelling = Spelling()
        self._remembered = 0
        """Files in a row that stayed in the page cache."""
        self._inodes: set[tuple[int, int]] = set()

    def all(self, roots: Sequence[bytes]) -> Iterator[Finding]:
        for root in roots:
            yield from self._below(root)
        for path in self._copies.by_path:
            if path in self._seen or not os.path.exists(path):
                continue
            if not self._was_seen(path, roots):  # pushed singly, or through a link
                yield from self._file(path)
        for path, copy in self._copies.photos:
            if copy.is_proven and path not in self._seen:  # erased; thumbnails of it may be left
                self._makers.add(path)
        for one in self._candidates:
            if self._makers.made(one.path):
                yield Finding(Kind.MADE, one.path, _suffix(one.path), one.size)
            elif one.why_not:
                self._note_bin(one.path)
                yield Finding(
                    Kind.UNPROVEN,
                    one.path,
                    one.why_not,
                    one.size,
                    is_new=one.is_new,
                    pattern=one.pattern,
                )
            else:
                yield Finding(Kind.OTHER, one.path, _suffix(one.path), one.size)

    def _was_seen(self, path: bytes, roots: Sequence[bytes]) -> bool:
        """Was the photo seen under another spelling of its path?"""
        true = self._spelling.of(path)
        places = {
            os.path.join(self._spelling.of(root), b""): os.path.join(root, b"") for root in roots
        }
        known = (
            root + true[len(place) :] for place, root in places.items() if true.startswith(place)
        )
        return any(place in self._seen for place in (true, *known))

    def _below(self, root: bytes) -> Iterator[Finding]:
        unread: list[OSError] = []
        for place, folders, names in os.walk(root, onerror=unread.append):
            if is_store(folders):
                self._outcome.stores.append(place)
            for name in [name for name in folders if name.lower() == _SNAPSHOTS]:
                folders.remove(name)
                yield Finding(Kind.MADE, os.path.join(place, name), text_of(name))
            folders.sort()
            links = [name for name in folders if os.path.islink(os.path.join(place, name))]
            for name in sorted([*names, *links]):
                path = os.path.join(place, name)
                if path not in self._seen:
                    yield from self._file(path)
        for error in unread:
            path = os.fsencode(error.filename or root)
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                yield Finding(Kind.UNPROVEN, path, f"cannot be looked into: {error.strerror}")

    def _file(self, path: bytes) -> Iterator[Finding]:
        self._seen.add(path)
        try:
            yield from self._examined(path, os.lstat(path))
        except SourceGone as gone:
            yield Finding(Kind.UNPROVEN, path, f"it cannot be read here: {gone}")
        except SourceChanged:
            yield Finding(Kind.UNPROVEN, path, "it is being written to")
        except OSError as error:
            yield Finding(Kind.UNPROVEN, path, f"it cannot be read here: {error.strerror}")

    def _examined(self, path: bytes, info: os.stat_result) -> Iterator[Finding]:
        """Find out what a file is. Raises SourceGone, SourceChanged, OSError, LocalError."""
        was_pushed = path in self._copies.by_path
        if stat.S_ISLNK(info.st_mode):
            if not was_pushed or not os.path.isfile(path):
                yield Finding(Kind.OTHER, path, "links")
                return
            info = os.stat(path)
        if not stat.S_ISREG(info.st_mode):
            yield Finding(Kind.OTHER, path, "no files")
        elif path.lower().endswith(SUFFIXES):
            yield self._sidecar(path)
        elif info.st_size and (found := self._proof(path, info)) is not None:
            yield found
        else:
            yield from self._without_proof(path, info, was_pushed)

    def _proof(self, path: bytes, info: os.stat_result) -> Finding | None:
        """The finding for a file whose digest is that of a photo of the album, else None."""
        if info.st_size not in self._sizes:
            return None
        self._drop(path)
        digest = bytes.fromhex(read_source(path, ["sha256"], from_disk=True)[1]["sha256"])
        copy = self._copies.by_digest.get(digest)
        if copy is None:
            return None
        copy.here = True
        if not copy.is_proven:
            self._note_bin(path)
            return Finding(Kind.UNPROVEN, path, copy.why_not, info.st_size)
        self._makers.add(path)
        is_another_name = (info.st_dev, info.st_ino) in self._inodes
        if info.st_nlink > 1:
            self._inodes.add((info.st_dev, info.st_ino))
        return Finding(Kind.PROVEN, path, "", 0 if is_another_name else info.st_size, copy.level)

    def _drop(self, path: bytes) -> None:
        """Drop the file from the page cache. For a file just written that takes a moment."""
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            for pause in _PAUSES if self._remembered < _MOST_REMEMBERED else _PAUSES[-1:]:
                if drop_from_cache(descriptor):
                    self._remembered = 0
                    return
                time.sleep(pause)
        finally:
            os.close(descriptor)
        self._remembered += 1
        self._outcome.from_memory += 1

    def _without_proof(
        self, path: bytes, info: os.stat_result, was_pushed: bool
    ) -> Iterator[Finding]:
        name = os.path.basename(path)
        if not info.st_size and not was_pushed and may_be_media(name):
            yield Finding(Kind.UNPROVEN, path, "it is empty: there may have been a photo")
            return
        head = _head(path) if info.st_size else b""
        if is_apple_double(head, name):
            yield Finding(Kind.OTHER, path, "._*")
        elif is_nas_thumbnail(path):
            yield Finding(Kind.MADE, path, "thumbnails", info.st_size)
        elif was_pushed or _may_be_media(head, name):
            why_not = self._copies.by_path.get(path, "not in the album")
            why_not = why_not or "it has changed here since it was sent"
            pattern = "" if media_type(head, name) else _pattern(name)
            self._candidates.append(
                _Candidate(path, info.st_size, why_not, not was_pushed, pattern)
            )
        elif may_be_made(name):
            self._candidates.append(_Candidate(path, info.st_size, ""))
        else:
            yield Finding(Kind.OTHER, path, _suffix(path), info.st_size)

    def _sidecar(self, path: bytes) -> Finding:
        sent = self._copies.sidecars.get(path)
        if sent is None:
            return Finding(Kind.SIDECAR, path, "a sidecar that was not sent")
        if read_source(path, ["sha256"], from_disk=True)[1]["sha256"] == sent:
            return Finding(Kind.SENT, path, _suffix(path))
        return Finding(Kind.SIDECAR, path, "a sidecar that has changed since it was sent")

    def _note_bin(self, path: bytes) -> None:
        parts = path.split(b"/")
        depth = next((number for number, part in enumerate(parts[:-1]) if is_bin(part)), None)
        if depth is not None:
            self._outcome.bins[b"/".join(parts[: depth + 1])] += 1


def _above(folder: bytes) -> Iterator[bytes]:
    """The folders above ``folder``, the nearest first."""
    while (above := os.path.dirname(folder)) != folder:
        yield above
        folder = above


def _holds_store(folder: bytes) -> bool:
    return all(os.path.isdir(os.path.join(folder, name)) for name in STORE_FOLDERS)


def _may_be_media(head: bytes, name: bytes) -> bool:
    """May a file be a picture or a clip, by the rules of push or by other programs' names?"""
    if head and media_type(head, name):
        return True
    return may_be_media(name) and not is_source(head, name)


def _head(path: bytes) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, HEAD_BYTES)
    finally:
        os.close(descriptor)


def _pattern(name: bytes) -> str:
    """The glob with which ``push --include`` takes a file."""
    suffix = text_of(suffix_in(name))
    return f"*{suffix}" if suffix else text_of(name)


def _suffix(path: bytes) -> str:
    """The words by which a file is counted: its suffix, or a name that begins with its only dot."""
    name = os.path.basename(path)
    suffix = suffix_in(name)
    return text_of(suffix or (name if name.startswith(b".") else b"")) or "without suffix"
