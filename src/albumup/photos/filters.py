"""Decides by name and status which files of a folder are taken: the options of ``push``, and
leftovers to skip."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

from msgspec import Struct

from albumup.photos.leftovers import (
    is_leftover,
    is_leftover_by_suffix,
    is_leftover_folder,
    is_made_by_library,
)
from albumup.photos.sidecars import SUFFIXES, XMP
from albumup.photos.sniffing import suffix_in


class Filters(Struct, frozen=True):
    """Which files below a root to take; the options of ``push`` of the same names.

    ``include``: globs; one with a suffix of its own (``*.psd``) also takes files that are not
    media. ``since``: seconds since the epoch. ``no_skip``: also take leftovers of cameras, servers
    and tools. ``sidecars_go_along``: XMP files are sent with their photos, and never as files of
    their own.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    since: float | None = None
    recursive: bool = True
    follow_symlinks: bool = False
    hidden: bool = False
    no_skip: bool = False
    sidecars_go_along: bool = False


class SkipReason(StrEnum):
    """Why a file, or a folder with all its content, is left out; the values are the words on
    screens."""

    HIDDEN = "hidden"
    EMPTY = "empty"
    NO_MEDIA = "no media"
    LINK = "link out of the tree"
    SIDECAR = "sidecar"
    LEFTOVER = "leftover"
    EXCLUDED = "excluded"
    OLDER = "older"
    SPECIAL = "special"
    YOUNG = "changed just now"


class Rules:
    """The filters, compiled once."""

    def __init__(self, filters: Filters) -> None:
        self.filters = filters
        self._includes = _matcher(filters.include) if filters.include else None
        self._excludes = _matcher(filters.exclude) if filters.exclude else None
        named = [glob for glob in filters.include if _names_suffix(glob)]
        self._takes_anything = _matcher(named) if named else None

    def takes_anything(self, name: bytes, relative: bytes) -> bool:
        """Does ``--include`` name the file's suffix, so that it is taken whatever it holds?"""
        return self._takes_anything is not None and self._takes_anything(name, relative)

    def on_entry(
        self, folder: bytes, name: bytes, relative: bytes, *, is_folder: bool
    ) -> SkipReason | None:
        """Why a file or folder in ``folder``, below a root, is left out because of its name; None
        if it is not."""
        if name.startswith(b".") and not self.filters.hidden:
            return SkipReason.HIDDEN
        if self.filters.no_skip:
            return None
        if is_made_by_library(folder, name):
            return SkipReason.LEFTOVER
        if is_folder:
            return SkipReason.LEFTOVER if is_leftover_folder(name) else None
        if not is_leftover(name):
            return None
        asked_for = is_leftover_by_suffix(name) and self.takes_anything(name, relative)
        return None if asked_for else SkipReason.LEFTOVER

    def on_folder(self, name: bytes, relative: bytes) -> SkipReason | None:
        """Why a folder that passed ``on_entry`` is not entered; None if it is."""
        return SkipReason.EXCLUDED if self._excludes and self._excludes(name, relative) else None

    def on_file(self, name: bytes, relative: bytes) -> SkipReason | None:
        """Why a root, or a file that passed ``on_entry``, is left out because of its name; None if
        it is not."""
        if self._is_sidecar(name, relative):
            return SkipReason.SIDECAR
        if self._includes and not self._includes(name, relative):
            return SkipReason.EXCLUDED
        return self.on_folder(name, relative)

    def _is_sidecar(self, name: bytes, relative: bytes) -> bool:
        if name[-4:].lower() not in SUFFIXES:  # a quick test, enough for most names
            return False
        suffix = suffix_in(name)
        if not suffix:
            return False
        goes_along = self.filters.sidecars_go_along and suffix == XMP
        return goes_along or not self.takes_anything(name, relative)

    def on_stat(self, info: os.stat_result) -> SkipReason | None:
        """Why a file is left out because of its status; None if it is not."""
        if not stat.S_ISREG(info.st_mode):
            return SkipReason.SPECIAL
        if info.st_size == 0:
            return SkipReason.EMPTY
        if self.filters.since is not None and info.st_mtime < self.filters.since:
            return SkipReason.OLDER
        return None


def _names_suffix(glob: str) -> bool:
    """Does a glob ask for one suffix, as ``*.psd`` does, unlike ``*`` and ``IMG_1.*``?"""
    suffix = os.path.splitext(glob)[1]
    return len(suffix) > 1 and not set(suffix) & set("*?[")


def _matcher(globs: Sequence[str]) -> Callable[[bytes, bytes], bool]:
    """A test of base name and relative path. A glob is matched with the base name, or the path if
    it has a slash."""
    by_name = _compiled(glob for glob in globs if "/" not in glob)
    by_path = _compiled(glob for glob in globs if "/" in glob)
    return lambda name, path: bool(
        by_name.match(os.fsdecode(name)) or by_path.match(os.fsdecode(path))
    )


def _compiled(globs: Iterable[str]) -> re.Pattern[str]:
    # Without globs, a pattern that never matches: an empty one always would.
    return re.compile("|".join(map(fnmatch.translate, globs)) or r"(?!)", re.IGNORECASE)
