"""Which of the journal's cards and disks lies at a path now."""

from __future__ import annotations

import sqlite3

from msgspec import Struct

from albumup.journal import media
from albumup.photos.cards import Medium, look_at
from albumup.photos.volumes import is_full


class Place(Struct, frozen=True):
    """What is known of the card or disk at a pushed path: the media it is, and as which its new photos are noted."""

    known: frozenset[Medium]
    new: Medium


def find(
    connection: sqlite3.Connection | None, path: bytes, volume: str, *, edited: bool, device: int | None = None
) -> Place:
    """Which of the journal's media lies at ``path``, where the system calls it ``volume``.

    ``device``: on this file system below it, as in ``look_at``.

    ``edited``: somebody says that the photos there are those of the newest, edited.
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
    """As which new photos are noted: the card that is known, best by an id, or one that nobody has seen before."""
    if is_full(volume):
        return Medium(volume, 0)
    named = [medium for medium in known if medium.volume] or known
    if not named:
        return Medium(volume, media.next_card(connection))
    return Medium(volume or named[0].volume, named[0].card)
