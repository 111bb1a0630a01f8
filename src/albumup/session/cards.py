"""Finds out which of the journal's cards and disks is at a path now."""

from __future__ import annotations

import sqlite3

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
    known: list[Medium] = []
    others: list[tuple[int, Medium]] = []
    for medium in media.under(connection, path):  # the newest first
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
    return Place(frozenset(known), _new(connection, known, volume))


def _new(connection: sqlite3.Connection, known: list[Medium], volume: str) -> Medium:
    """The medium for new photos: a known one, if possible one with an id, else a new number."""
    if is_full(volume):
        return Medium(volume, 0)
    named = [medium for medium in known if medium.volume] or known
    if not named:
        return Medium(volume, media.next_card(connection))
    return Medium(volume or named[0].volume, named[0].card)
