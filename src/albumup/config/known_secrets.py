"""The secrets that this process has read, which nothing that it writes may hold."""

from __future__ import annotations

_known: set[str] = set()


def know(secret: str) -> None:
    """Remember a secret that was read."""
    _known.add(secret)


def known() -> frozenset[str]:
    """All secrets that were read."""
    return frozenset(_known)
