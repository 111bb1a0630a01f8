"""Words that screens share: names, times and last lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from albumup.cli.escaping import escape


def shown_name(album: str) -> str:
    return escape(album, 60)


def utc(seconds: float) -> str:
    """Unix seconds as UTC in ISO 8601, for JSON."""
    return (
        datetime.fromtimestamp(seconds, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def ended(line: str, code: int) -> str:
    """A last line, with the exit code at its end."""
    return f"{line}    (exit {code})"


def ignored(options: Sequence[str]) -> Sequence[str]:
    """A line about typed options that a running uploader does not take over, if there are any."""
    if not options:
        return []
    return [f"Its own options stay in force; ignored here: {', '.join(options)}"]


def title_of_all(names: Iterable[str]) -> str:
    """Several albums in a few words: their name if they share one, else their number."""
    different = set(names)
    return shown_name(different.pop()) if len(different) == 1 else f"{len(different)} albums"


def by_state(counts: Mapping[str, int]) -> str:
    """Photos by state: "1 rejected, 2 in doubt"."""
    return ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in counts.items())


def forgotten(name: str) -> str:
    """The words for a settled album that another albumup has dropped from the journal meanwhile."""
    return f"{escape(name, 60)}: forgotten meanwhile; nothing of it waits"
