"""One folder in two spellings: some disks do not tell Trip from TRIP (macOS, NTFS, exFAT, FAT, SMB, ext4's casefold),
or one Unicode form from the other (macOS). They have one name of each file all the same, which their listings show.

A disk is asked, never guessed: a name is looked up in another spelling, and where that is there its folder is listed.
On a disk that tells names apart this costs a look-up or two for a folder, and changes nothing.
"""

from __future__ import annotations

import functools
import os
import unicodedata
from collections.abc import Iterator, Sequence

from albumup.photos.file_names import bytes_of, text_of
from albumup.photos.volumes import file_system_of

_FOLDERS = 1 << 14
"""Folders whose names are remembered."""
_LISTINGS = 16


def folded(path: bytes) -> str:
    """Equal for all spellings of a path that some disk may take for one; for some that it tells apart, too."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text_of(path)).casefold())


class Spelling:
    """Names as the disk has them, while one command looks."""

    def __init__(self) -> None:
        self._folder = functools.lru_cache(_FOLDERS)(self._on_disk)
        self._names_in = functools.lru_cache(_LISTINGS)(_listing)
        self._mounts = functools.lru_cache(_FOLDERS)(_mounts_what_is_looked_up)

    def of(self, path: bytes) -> bytes:
        """An absolute path as the disk spells it, its links as they were named; as it is where nothing is there."""
        return self._on_disk(path)[0]

    def is_ambiguous(self, folder: bytes) -> bool:
        """Does another spelling of a folder's absolute path lead to the same?"""
        return self._folder(folder)[1]

    def _on_disk(self, path: bytes) -> tuple[bytes, bool]:
        folder, name = os.path.split(path)
        if not name:
            return path, False
        folder, is_ambiguous = self._folder(folder)
        others = [] if self._mounts(folder) else list(resolved(folder, name))
        if not others:
            return os.path.join(folder, name), is_ambiguous
        likely = self._names_in(folder)[0].get(folded(name), [])
        if name in likely:  # and where the others are in the listing, too, they are other files
            return os.path.join(folder, name), is_ambiguous or not set(others) <= set(likely)
        return os.path.join(folder, self._name(folder, name, likely)), True

    def _name(self, folder: bytes, name: bytes, likely: Sequence[bytes]) -> bytes:
        """The name by which a folder's listing has a file that is there, but not listed under ``name``.

        By inode, and where those are made up for each spelling (some FUSE, some CIFS), by what is the only likely one.
        """
        path = os.path.join(folder, name)
        try:
            inode = os.lstat(path).st_ino
        except OSError:
            return name
        # A short name of FAT's, HOLIDA~1 for Holidays, is like the long one in nothing but the file.
        names = [*likely, *self._names_in(folder)[1].get(inode, [])]
        only = likely[0] if len(likely) == 1 else name
        return next((other for other in names if is_same(path, os.path.join(folder, other))), only)


def _mounts_what_is_looked_up(folder: bytes) -> bool:
    """Is each name in a folder that of a server, so that another spelling would be looked for on the network?"""
    return file_system_of(folder) == "autofs"


def resolved(folder: bytes, name: bytes) -> Iterator[bytes]:
    """Other spellings of a file's name under which a folder has a file as well: that one, or another one."""
    if os.path.lexists(os.path.join(folder, name)):
        yield from (other for other in _others(name) if os.path.lexists(os.path.join(folder, other)))


def is_same(path: bytes, other: bytes) -> bool:
    """Do two names lead to one file, or to one link?"""
    try:
        return os.path.samestat(os.lstat(path), os.lstat(other))
    except OSError:
        return False


def _others(name: bytes) -> Iterator[bytes]:
    """Other spellings of a name, one for each way in which a disk may be blind."""
    text = text_of(name)
    forms = [bytes_of(text.swapcase())]
    if not name.isascii():
        forms += [bytes_of(unicodedata.normalize(form, text)) for form in ("NFC", "NFD")]
    yield from dict.fromkeys(form for form in (name.swapcase(), *forms) if form != name)


_Names = tuple[dict[str, list[bytes]], dict[int, list[bytes]]]


def _listing(folder: bytes) -> _Names:
    """The names in a folder, by what their spellings have in common, and by inode."""
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
