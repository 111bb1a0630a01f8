"""Finds the albums that a command names: all of a name, or those on one target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from albumup.config.template import nearest
from albumup.errors import UsageError
from albumup.photos.file_names import quoted

_MOST_NAMED = 10


def chosen(
    known: Sequence[tuple[str, str]], names: Sequence[str], target: str | None = None
) -> list[tuple[str, str]]:
    """The named albums as (album, target) pairs; all albums if no name is given.

    Raises UsageError for an unknown name, with the nearest one.
    """
    for name in names:
        if name not in {album for album, _ in known}:
            names_there = sorted({repr(album) for album, _ in known})
            more = (
                f" and {len(names_there) - _MOST_NAMED} more: albumup status"
                if names_there[_MOST_NAMED:]
                else ""
            )
            there = (
                ", ".join(names_there[:_MOST_NAMED]) or "none yet; albumup push FOLDER makes one"
            ) + more
            raise UsageError(
                f"there is no album {name!r}{_did_you_mean(name, {album for album, _ in known})}",
                f"albums: {there}",
            )
    targets = {one for _, one in known}
    if target is not None and target not in targets:
        raise UsageError(f"no album goes to a target {target!r}{_did_you_mean(target, targets)}")
    found = [
        (album, where)
        for album, where in known
        if (not names or album in names) and target in (None, where)
    ]
    if names and not found:
        raise UsageError(f"no album {', '.join(map(repr, names))} goes to {target}")
    return found


def _did_you_mean(word: str, choices: Iterable[str]) -> str:
    """The end of a message about a name: the nearest one as it is typed, if one is near."""
    found = nearest(word, choices)
    return f"; did you mean {quoted(found)}?" if found else ""
