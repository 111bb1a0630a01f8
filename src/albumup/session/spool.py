"""The spool folder of a push: checked before anything is queued, and made if it is missing."""

from __future__ import annotations

import os

from albumup.config.file import Config, place_of, shown
from albumup.disk import make_folder, missing_disk
from albumup.errors import ConfigError, UsageError
from albumup.journal import copies
from albumup.journal.journal import Journal
from albumup.journal.opening import local_faults
from albumup.photos.file_names import quoted
from albumup.uploader.spooling import look_at_place


def look_at_spool(journal: Journal | None, folder: str, config: Config, *, is_typed: bool) -> None:
    """Raise TryLater, UsageError or ConfigError if the disk for copies is not there.

    ``folder``: the journal's own folder within the one that ``--spool-dir`` (``is_typed``) or the
    config names.
    """
    look_at_place(folder, was_used=journal is not None and copies.was_used(journal, folder))
    named = os.path.dirname(folder)
    above = os.path.dirname(named)
    disk = missing_disk(named)
    can_be_made = os.path.isdir(above) and not os.path.lexists(named) and not disk
    if os.path.isdir(named) or can_be_made:
        return
    hint = f"nothing was queued; mount its disk, or: mkdir -p {quoted(named)}; then push again"
    name = os.path.basename(named)
    words = f"there is no folder {above!r} in which {name!r} could be made; is its disk mounted?"
    if disk:
        words = f"there is no folder {disk!r}; is its disk mounted?"
    elif os.path.lexists(named):
        words = f"{named!r} is there, and is no folder"
        hint = "nothing was queued; name another one"
    if is_typed:
        raise UsageError(f"--spool-dir: {words}", hint)
    raise ConfigError(f"{place_of(f'{shown(config.path)}: defaults', 'spool_dir')}: {words}", hint)


def make_spool(folder: str) -> str:
    """Make the folder that the user named if it is missing; return its path then, else "". Raises
    LocalError."""
    named = os.path.dirname(folder)
    if os.path.isdir(named):
        return ""
    with local_faults(named):
        make_folder(named)
    return named
