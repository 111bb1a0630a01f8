"""Finds the one spelling of a path on disks that accept several.

Some disks do not distinguish Trip from TRIP (macOS, NTFS, exFAT, FAT, SMB, ext4's casefold), or one
Unicode form from the other (macOS). Their listings still show one name for each file.

The disk is asked, never guessed: a name is looked up in another spelling, and if that exists, the
folder is listed. On other disks this costs a look-up or two for each folder, and changes nothing.
"""

from __future__ import annotations

import functools
import os
import unicodedata
from collections.abc import Iterator, Sequence

from albumup.photos.file_names import bytes_of, text_of
from albumup.photos.volumes import file_system_of

_FOLDERS = 1 << 14
"""The most folders whose spelling is remembered."""
_LISTINGS = 16


def folded(path: bytes) -> str:
    """A key that is equal for all spellings of a path on any disk; some other paths share it."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text_of(path)).casefold())


class Spelling:
    """Finds names as the disk spells them, with caches for the length of one command."""

    def __init__(self) -> None:
        self._folder = functools.lru_cache(_FOLDERS)(self._on_disk)
        self._names_in = functools.lru_cache(_LISTINGS)(_listing)
        self._is_automounted = functools.lru_cache(_FOLDERS)(_is_automounted)

    def of(self, path: bytes) -> bytes:
        """An absolute path as the disk spells it, links unresolved; unchanged if it is missing."""
        return self._on_disk(path)[0]

    def is_ambiguous(self, folder: bytes) -> bool:
        """Does another spelling of a folder's absolute path lead to the same folder?"""
        return self._folder(folder)[1]

    def _on_disk(self, path: bytes) -> tuple[bytes, bool]:
        folder, name = os.path.split(path)
        if not name:
            return path, False
        folder, is_ambiguous = self._folder(folder)
        others = [] if self._is_automounted(folder) else list(resolved(folder, name))
        if not others:
            return os.path.join(folder, name), is_ambiguous
        likely = self._names_in(folder)[0].get(folded(name), [])
        if name in likely:  # spellings that the listing shows, too, are other files
            return os.path.join(folder, name), is_ambiguous or not set(others) <= set(likely)
        return os.path.join(folder, self._name(folder, name, likely)), True

    def _name(self, folder: bytes, name: bytes, likely: Sequence[bytes]) -> bytes:
        """The name in a folder's listing of a file that exists, but is not listed as ``name``.

        The inode tells, or the only likely name where inodes are made up for each spelling (some
        FUSE, some CIFS).
        """
        path = os.path.join(folder, name)
        try:
            inode = os.lstat(path).st_ino
        except OSError:
            return name
        # A short name of FAT, HOLIDA~1 for Holidays, shares nothing but the inode with the long
        # one.
        names = [*likely, *self._names_in(folder)[1].get(inode, [])]
        only = likely[0] if len(likely) == 1 else name
        return next((other for other in names if is_same(path, os.path.join(folder, other))), only)


def _is_automounted(folder: bytes) -> bool:
    """Does looking up a name in this folder mount a server's share, so that other spellings cost
    network time?"""
    return file_system_of(folder) == "autofs"


def resolved(folder: bytes, name: bytes) -> Iterator[bytes]:
    """Other spellings of a file's name that exist in its folder: the same file, or another one."""
    if os.path.lexists(os.path.join(folder, name)):
        yield from (
            other for other in _others(name) if os.path.lexists(os.path.join(folder, other))
        )


def is_same(path: bytes, other: bytes) -> bool:
    """Do two paths name one file, or one link?"""
    try:
        return os.path.samestat(os.lstat(path), os.lstat(other))
    except OSError:
        return False


def _others(name: bytes) -> Iterator[bytes]:
    """Other spellings of a name, one for each distinction that a disk may ignore."""
    text = text_of(name)
    forms = [bytes_of(text.swapcase())]
    if not name.isascii():
        forms += [bytes_of(unicodedata.normalize(form, text)) for form in ("NFC", "NFD")]
    yield from dict.fromkeys(form for form in (name.swapcase(), *forms) if form != name)


_Names = tuple[dict[str, list[bytes]], dict[int, list[bytes]]]


def _listing(folder: bytes) -> _Names:
    """The names in a folder, by ``folded`` name and by inode."""
    by_name: dict[str, list[bytes]] = {}
    by_inode: dict[int, list[bytes]] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                by_name.setdefault(folded(entry.name), []).append(entry.name)
                by_inode.setdefault(entry.inode(), []).append(entry.name)
    except OSError:
        pass
    return by_name, by_inode
