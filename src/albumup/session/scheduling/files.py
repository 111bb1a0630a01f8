"""Files that schedulers read: written whole or not at all, and put back as they were."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress

from albumup.disk import fsync_folder, make_folder
from albumup.errors import LocalError


def read(path: str) -> bytes | None:
    """A file's content; None if there is none. Raises LocalError."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LocalError(f"{path}: cannot be read: {error.strerror}") from None


def put(files: Mapping[str, bytes | None]) -> None:
    """Write files by path; a content of None removes the file. Raises LocalError."""
    for path, content in files.items():
        try:
            if content is None:
                with suppress(FileNotFoundError):
                    os.unlink(path)
            else:
                _write(path, content)
        except OSError as error:
            raise LocalError(f"{path}: cannot be written: {error.strerror}") from None


def _write(path: str, content: bytes) -> None:
    make_folder(os.path.dirname(path))
    new = f"{path}.new"
    with open(new, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
    fsync_folder(os.path.dirname(path))
