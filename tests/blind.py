"""A disk that does not tell Trip from TRIP, nor one Unicode form from the other, as macOS has it:
made of any other."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest

from albumup.photos.spelling import folded


class BlindDisk:
    """All below a folder, for what looks at it by ``os``. Listings show names as they were given
    first."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self._root = root, os.fsencode(root)
        self._scandir = os.scandir
        self.listed: list[bytes] = []
        for name in ("stat", "lstat", "open"):
            monkeypatch.setattr(os, name, self._finding(getattr(os, name)))
        monkeypatch.setattr(os, "scandir", self._listing)

    def found(self, path: bytes) -> bytes:
        """The path as the disk below has it; as it is if nothing is there."""
        inside = os.path.join(self._root, b"")
        if not path.startswith(inside):
            return path
        at = self._root
        for part in path[len(inside) :].split(b"/"):
            with self._scandir(at) as entries:
                names = [entry.name for entry in entries if folded(entry.name) == folded(part)]
            if not names:
                return path
            at = os.path.join(at, part if part in names else names[0])
        return at

    def _finding(self, usual: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *more: Any, **named: Any) -> Any:
            is_path = isinstance(path, (bytes, str, os.PathLike)) and not named.get("dir_fd")
            return usual(self.found(os.fsencode(path)) if is_path else path, *more, **named)

        return call

    def _listing(self, path: Any = ".") -> Any:
        if isinstance(path, int):
            return self._scandir(path)
        self.listed.append(os.fsencode(path))
        return _Listing(self._scandir(self.found(os.fsencode(path))), os.fsencode(path))


class _Entry:
    """An entry of a folder, with the path by which the folder was asked for."""

    def __init__(self, entry: os.DirEntry[bytes], folder: bytes) -> None:
        self._entry = entry
        self.name, self.path = entry.name, os.path.join(folder, entry.name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._entry, name)


class _Listing:
    def __init__(self, entries: Any, folder: bytes) -> None:
        self._entries, self._folder = entries, folder

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._entries.close()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> _Entry:
        return _Entry(next(self._entries), self._folder)
