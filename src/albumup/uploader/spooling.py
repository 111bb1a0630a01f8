"""Makes copies of photos under names nobody can guess, and removes those no task needs."""

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
    """Raise TryLater if the disk of the spool folder is away. ``was_used``: copies were put there
    before.

    A folder on an unmounted disk must not be made anew: it would lie on another disk, and fill
    that.
    """
    if place := unmounted(folder):
        words = (
            f"{place} is not mounted, and copies of photos are to go to {os.path.dirname(folder)}"
        )
        raise TryLater(
            words, f"Mount it (mount {quoted(place)}), then: albumup resume (or push again)"
        )
    if was_used and not os.path.isdir(folder):
        words = f"{folder}: copies of photos were put there before, and it is not there now"
        again = f"if it was deleted: mkdir -p {quoted(folder)}"
        raise TryLater(words, f"Bring back its disk, then: albumup resume (or push again); {again}")


def open_copy(folder: str, *, was_used: bool = False) -> tuple[str, int]:
    """Create a new file (0600) in the spool folder: its path for the journal, and its descriptor.

    The folder itself is made if it is missing, but not those above it. Raises LocalError, TryLater.
    """
    name = secrets.token_hex(_NAME_DIGITS // 2)
    if not os.path.isdir(folder):
        look_at_place(folder, was_used=was_used or not os.path.isdir(os.path.dirname(folder)))
    with local_faults(folder):
        make_folder(folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        copy = os.path.join(folder, name)
        # The path includes the folder: the next run may be given another --spool-dir.
        return copy if copy.isprintable() else name, os.open(copy, flags, 0o600)


def drop_copies(unneeded: Iterable[str], folder: str) -> int:
    """Remove journaled copies, and return how many were there; ``folder`` is that of names without
    one. The rest is swept later."""
    dropped = 0
    for copy in unneeded:
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(folder, copy))
            dropped += 1
    return dropped


def sweep(journal: Journal, folder: str) -> None:
    """Remove the copies that no task needs, left by a crash or a settled task, in all folders ever
    used for copies.

    The caller holds the uploader's lock. Copies that cannot be removed now stay until a later
    start.
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
    """Why the folder of a copy that cannot be opened is away; "" if the folder is there with other
    copies.

    ``may_be_empty``: this run has removed copies there, perhaps the last one.
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
