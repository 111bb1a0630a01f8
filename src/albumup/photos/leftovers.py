"""Recognises the leftovers of cameras, servers and tools beside photos: by name, or by content
where names mislead.

``push`` skips them all. ``verify`` trusts names less: it accepts a camera's file only beside a
proven photo, and wants proof for every other file that may be a photo.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator

_BINS = rb"#recycle|@recycle|\$recycle\.bin|recycler"
_FOLDERS = re.compile(
    rb"(?is)@eaDir|\.?@__thumb|#snapshot|System Volume "
    rb"Information|THMBNL|thumbnails|(?-i:SUB)|.*\.lrdata|" + _BINS
)
_BY_SUFFIX = re.compile(
    rb"(?is).*\.(?:LRV|GLV|LRF|THM|SCR)"  # low resolution copies, thumbnails
    rb"|.*\.(?:part|partial|filepart|crdownload|opdownload|tmp)"  # unfinished downloads
    rb"|.*\.[^.]*(?:_original|_exiftool_tmp|~)"  # backups that tools make before they write
)
_BY_NAME = re.compile(rb"(?is)LRV_.*|SYNOFILE_THUMB_.*|.*_original|.*_exiftool_tmp|.*~")
_BIN = re.compile(rb"(?is)\.trash(?:es|-\d+)?|" + _BINS)
_NAS_THUMBNAILS = {
    b"@eadir": re.compile(rb"(?is)SYNO(?:FILE|PHOTO|VIDEO|INDEX)_.*"),
    b"@__thumb": re.compile(rb"(?is)(?:s\d+|default).*"),
    b".@__thumb": re.compile(rb"(?is)(?:s\d+|default).*"),
}
_LIBRARIES = (b".photoslibrary", b".photolibrary", b".migratedphotolibrary")
"""Suffixes of the libraries of Apple's Photos, and of iPhoto before it."""
_ORIGINALS = (b"originals", b"masters")
"""Folders of imported pictures in a library of Apple's Photos; the second before macOS 10.15."""

STORE_FOLDERS = (b".albumup", b".incoming")
"""Folders that mark the root of a receiver's store; the first holds an index, ALBUM.sha256, for
each album folder."""
STORE_INDEX = b".sha256"

_APPLE_DOUBLE = b"\0\5\x16\7"
"""The first bytes of an AppleDouble file, ``._NAME``, for metadata that a file system cannot hold
(RFC 1740)."""


def is_leftover(name: bytes) -> bool:
    """Is a file of this name a leftover of a camera, a server or a tool?"""
    return is_leftover_by_suffix(name) or _BY_NAME.fullmatch(name) is not None


def is_leftover_by_suffix(name: bytes) -> bool:
    """Is the file a leftover by its suffix alone, so that ``--include`` may ask for it?"""
    return _BY_SUFFIX.fullmatch(name) is not None


def is_leftover_folder(name: bytes) -> bool:
    """Is a folder of this name a leftover of a camera, a server or a tool?"""
    return _FOLDERS.fullmatch(name) is not None


def is_bin(name: bytes) -> bool:
    """Is a folder of this name one for deleted files?"""
    return _BIN.fullmatch(name) is not None


def is_apple_double(head: bytes, name: bytes) -> bool:
    """Is this an AppleDouble file of macOS, by name and by content?"""
    return name.startswith(b"._") and head.startswith(_APPLE_DOUBLE)


def is_made_by_library(folder: bytes, name: bytes) -> bool:
    """Is ``folder`` a library of Apple's Photos, and ``name`` not its folder of originals?"""
    return folder.lower().endswith(_LIBRARIES) and name.lower() not in _ORIGINALS


def is_store(names: Iterable[bytes]) -> bool:
    """Are these the names in the root of a receiver's store?"""
    return set(STORE_FOLDERS) <= set(names)


def is_stored_album(root: bytes, name: bytes) -> bool:
    """Has the receiver whose store is at ``root`` stored photos in its folder ``name``?"""
    return os.path.exists(os.path.join(root, STORE_FOLDERS[0], name + STORE_INDEX))


_MADE = (b".thm", b".scr", b".lrv", b".lrf")


def may_be_made(name: bytes) -> bool:
    """May this be a camera's companion file of a photo or clip with the same stem, by its
    suffix?"""
    return name.lower().endswith(_MADE)


class Makers:
    """Recognises the companion files that a camera made for the photos and clips that are
    ``add``-ed."""

    def __init__(self) -> None:
        self._stems: set[tuple[bytes, bytes]] = set()
        self._anywhere: set[bytes] = set()

    def add(self, path: bytes) -> None:
        """Add a proven photo or clip."""
        folder, stem = _place(path)
        for key in _keys(stem):
            self._stems.add((folder, key))
            self._stems.add((os.path.dirname(folder) + b"/*", key))
        self._anywhere.add(stem)

    def made(self, path: bytes) -> bool:
        """Was this file made for one of them, by the naming of DCF, GoPro, Insta360, DJI or Sony
        (M4ROOT)?"""
        folder, stem = _place(path)
        name = os.path.basename(path).lower()
        is_of_stem = (folder, stem) in self._stems or (_is_dji(folder) and stem in self._anywhere)
        if is_of_stem and may_be_made(name):
            return True
        return any((place, key) in self._stems for place, key in _owners(folder, name, stem))


def _place(path: bytes) -> tuple[bytes, bytes]:
    folder, name = os.path.split(path)
    return folder, os.path.splitext(name)[0].lower()


def _is_dji(folder: bytes) -> bool:
    return b"/misc/thm/" in folder.lower() + b"/"


_GOPRO = re.compile(rb"g[a-z](\d{6})")
_INSTA360 = re.compile(rb"(?:vid|lrv)_(\d{8}_\d{6})(?:_.*)?", re.DOTALL)
_CLIPS = (b".insv", b".lrv", b".mp4")
_SONY = {
    b"thmbnl": re.compile(rb"(.+)t01\.jpe?g", re.DOTALL),
    b"sub": re.compile(rb"(.+)s0[1-9]\.mp4", re.DOTALL),
}


def _keys(stem: bytes) -> Iterator[bytes]:
    """The keys under which a photo with this stem is found."""
    yield stem
    if number := _GOPRO.fullmatch(stem):
        yield b"gopro:" + number[1]
    if stem.startswith(b"vid_") and (time := _INSTA360.fullmatch(stem)):
        yield b"insta360:" + time[1]


def _owners(folder: bytes, name: bytes, stem: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Folder and key of the clip for which a file of this name was made."""
    if name.endswith(b".lrv") and name.startswith(b"gl") and (number := _GOPRO.fullmatch(stem)):
        yield folder, b"gopro:" + number[1]
    if name.startswith(b"lrv_") and name.endswith(_CLIPS) and (time := _INSTA360.fullmatch(stem)):
        yield folder, b"insta360:" + time[1]
    above, kind = os.path.split(folder)
    pattern = _SONY.get(kind.lower())
    if pattern is not None and (clip := pattern.fullmatch(name)):
        yield above, clip[1]
        yield above + b"/*", clip[1]


def is_nas_thumbnail(path: bytes) -> bool:
    """Is this a thumbnail that a NAS made of a photo?"""
    folder, name = os.path.split(path)
    if name.upper().startswith(b"SYNOFILE_THUMB_"):
        return True
    patterns = [
        _NAS_THUMBNAILS[part] for part in folder.lower().split(b"/") if part in _NAS_THUMBNAILS
    ]
    return any(pattern.fullmatch(name) for pattern in patterns)
