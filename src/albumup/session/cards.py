"""Finds out which of the journal's cards and disks is at a path now."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from msgspec import Struct

from albumup.journal import media
from albumup.photos.cards import Medium, look_at
from albumup.photos.volumes import is_full


class Place(Struct, frozen=True):
    """The card or disk at a pushed path."""

    known: frozenset[Medium]
    """The media under which the journal has its photos."""
    new: Medium
    """The medium under which new photos are journaled."""


def find(
    connection: sqlite3.Connection | None,
    path: bytes,
    volume: str,
    *,
    edited: bool,
    device: int | None = None,
) -> Place:
    """Find the media at ``path``. ``volume``: the id that the system gives for it, "" for none.

    ``device``: compare only photos on this file system below it, as in ``look_at``. ``edited``: the
    user says that the photos there are the known ones, edited.
    """
    if connection is None:
        return Place(frozenset(), Medium(volume, 0 if is_full(volume) else 1))
    while True:
        there = media.under(connection, path)  # the newest first
        known = _known(connection, there, path, volume, edited=edited, device=device)
        new = _new(connection, known, volume)
        # Another push of this card may have been journaled since: then the number is one too high.
        if known or is_full(volume) or media.under(connection, path) == there:
            return Place(frozenset(known), new)


def _known(
    connection: sqlite3.Connection,
    there: Sequence[Medium],
    path: bytes,
    volume: str,
    *,
    edited: bool,
    device: int | None,
) -> list[Medium]:
    """The media of ``there`` that are at ``path`` now; the other parameters are those of
    ``find``."""
    known: list[Medium] = []
    others: list[tuple[int, Medium]] = []
    for medium in there:
        if medium.volume and volume and medium.volume != volume:
            continue
        if is_full(volume) and medium.volume == volume:
            known.append(medium)
            continue
        look = look_at(media.photos_of(connection, path, medium), device=device)
        if look.is_known:
            known.append(medium)
        else:
            others.append((look.same, medium))
    if edited and not known and others:
        known = [max(others, key=lambda other: other[0])[1]]
    return known


def _new(connection: sqlite3.Connection, known: list[Medium], volume: str) -> Medium:
    """The medium for new photos: a known one, if possible one with an id, else a new number."""
    if is_full(volume):
        return Medium(volume, 0)
    named = [medium for medium in known if medium.volume] or known
    if not named:
        return Medium(volume, media.next_card(connection))
    return Medium(volume or named[0].volume, named[0].card)
