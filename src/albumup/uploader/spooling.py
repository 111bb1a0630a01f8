"""Copies of photos beside the journal: made under names that nobody can guess, and removed when no task needs them."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable

from albumup.disk import make_folder, unmounted
from albumup.errors import TryLater
from albumup.journal import copies
from albumup.journal.journal import Journal
from albumup.journal.opening import local_faults
from albumup.photos.file_names import quoted

_NAME_DIGITS = 32


def look_at_place(folder: str, *, was_used: bool) -> None:
    """TryLater where the disk of the spool folder is seen to be away. ``was_used``: copies were put there before.

    A folder on a disk that is not mounted must not be made anew: it would lie on another disk, and fill that.
    """
    if place := unmounted(folder):
        words = f"{place} is not mounted, and copies of photos are to go to {os.path.dirname(folder)}"
        raise TryLater(words, f"Mount it (mount {quoted(place)}), then: albumup resume (or push again)")
    if was_used and not os.path.isdir(folder):
        words = f"{folder}: copies of photos were put there before, and it is not there now"
        again = f"if it was deleted: mkdir -p {quoted(folder)}"
        raise TryLater(words, f"Bring back its disk, then: albumup resume (or push again); {again}")


def open_copy(folder: str, *, was_used: bool = False) -> tuple[str, int]:
    """A new file in the spool folder, as it is journaled, and its descriptor: 0600, never an existing one.

    The folder itself is made if it is missing, those above it are not. Raises LocalError, TryLater.
    """
    name = secrets.token_hex(_NAME_DIGITS // 2)
    if not os.path.isdir(folder):
        look_at_place(folder, was_used=was_used or not os.path.isdir(os.path.dirname(folder)))
    with local_faults(folder):
        make_folder(folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        copy = os.path.join(folder, name)
        # Journaled with its folder: the next run may not be given the same --spool-dir.
        return copy if copy.isprintable() else name, os.open(copy, flags, 0o600)


def drop_copies(unneeded: Iterable[str], folder: str) -> None:
    """Remove copies that were named in the journal; ``folder`` for those named without one. What stays is swept."""
    for copy in unneeded:
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(folder, copy))


def sweep(journal: Journal, folder: str) -> None:
    """Remove what no task needs, in every folder that copies were ever put into: left by a crash, or by a settled task.

    The caller holds the uploader's lock. What cannot be removed now stays until a later start.
    """
    needed = copies.needed(journal)
    names = {os.path.basename(copy) for copy in needed}
    for place in {folder, *copies.folders(journal), *map(os.path.dirname, needed)} - {""}:
        try:
            present = os.listdir(place)
        except OSError:
            continue
        for name in present:
            if name not in names and len(name) == _NAME_DIGITS:
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(place, name))


def is_away(copy: str, *, may_be_empty: bool = False) -> str:
    """Why the folder of a copy that cannot be opened is itself away, or "" when it is there with others in it.

    ``may_be_empty``: this run has removed a copy there itself, so that it may have been the last one.
    """
    folder = os.path.dirname(copy)
    try:
        if may_be_empty and os.path.isdir(folder):
            return ""
        if any(len(name) == _NAME_DIGITS for name in os.listdir(folder)):
            return ""
    except OSError as error:
        return error.strerror or str(error)
    return "it is empty"
