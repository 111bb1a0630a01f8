"""Sets a damaged journal aside under another name, and says which pushes to repeat. It is never
deleted."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator

from albumup.config.file import shown
from albumup.errors import AlbumupError, LocalError
from albumup.journal.lock import FileLock
from albumup.journal.opening import CorruptJournal, is_damaged, journal_fault, paths_of, set_aside
from albumup.journal.salvage import pushes
from albumup.photos.file_names import command, quoted, text_of

_MOST = 10
_NOT_QUEUED = "nothing of this push is in the journal yet"
_RESUME = "albumup resume"


@contextlib.contextmanager
def nothing_queued(path: str) -> Iterator[None]:
    """Turn local errors into errors that say to push again: no photo was acknowledged yet, so
    resuming is no use."""
    try:
        yield
    except sqlite3.Error as error:
        raise _not_queued(journal_fault(path, error)) from error
    except LocalError as error:
        raise _not_queued(error) from error


def _not_queued(fault: AlbumupError) -> AlbumupError:
    if not isinstance(fault, LocalError) or not fault.hint.endswith(_RESUME):
        return fault
    return LocalError(str(fault), f"{_NOT_QUEUED}; {to_do_again(fault, 'push again').hint}")


def to_do_again(fault: AlbumupError, again: str) -> AlbumupError:
    """A local fault with other words for what to do once it is mended, if that is to resume."""
    hint = fault.hint
    if not isinstance(fault, LocalError) or not hint.endswith(_RESUME):
        return fault
    mend, is_then, _ = hint.rpartition(f"then: {_RESUME}")
    return LocalError(str(fault), f"{mend}then {again}" if is_then else again)


def put_aside(path: str, damage: CorruptJournal) -> LocalError:
    """Rename the journal with its side files; return the error to end with. The caller does not
    hold the lock."""
    lock = FileLock(paths_of(path)["lock"])
    if not lock.take():
        return LocalError(
            f"{damage}", "another albumup is using it; stop that first, then try again"
        )
    try:
        if not os.path.exists(path):
            return LocalError(
                f"{damage}", "it was set aside meanwhile; push again what was not finished"
            )
        if not is_damaged(path):
            return LocalError(
                f"{damage}", "at a second look it is whole, and stays: albumup resume"
            )
        pushes = pushes_of(path)
        aside = set_aside(path)
    finally:
        lock.release()
    again = "; ".join(pushes) or "every push that was not finished"
    return LocalError(
        f"{damage}. It was set aside as {shown(aside)}; nothing was deleted",
        f"push again what was not finished (what is on the server already is not lost): {again}",
    )


def pushes_of(path: str) -> list[str]:
    """The commands that repeat the pushes of a damaged journal, as far as it can be read."""
    with contextlib.suppress(sqlite3.Error):
        return [_push(text_of(root), album, target) for album, root, target in pushes(path, _MOST)]
    return []


def _push(root: str, album: str, target: str) -> str:
    """The command of a push. ``target``: one that the config names, or ""."""
    where = [f"--target {quoted(target)}"] if target else []
    return command("push", [root], f"--album {quoted(album)}", *where)
