"""Judges a target by its answer to a question without a photo."""

from __future__ import annotations

from dataclasses import dataclass

from albumup.retry import status_words
from albumup.transfer import Fault, Sent, retry_after
from albumup.transfer.values import DOWN


@dataclass(frozen=True, slots=True)
class Health:
    """The result of a question without a photo. ``is_reached``: at least a connection was made."""

    is_reached: bool
    is_well: bool
    words: str
    retry_after: float | None = None
    is_answered: bool = True
    """There was an answer, or none is to be had."""


def health_of(sent: Sent, now: float) -> Health:
    """Judge a target by its answer to a question without a photo.

    Any answer is good, except those of a server that is down or busy, or of a proxy in front of it.
    """
    if sent.answer is None:
        is_reached = sent.fault not in (
            Fault.NOT_REACHED,
            Fault.UNKNOWN_HOST,
            Fault.BAD_CERTIFICATE,
        )
        words = sent.detail or str(sent.fault)
        return Health(is_reached, False, words, is_answered=False)
    status = sent.answer.status
    return Health(
        True, status not in DOWN, status_words(sent.answer), retry_after(sent.answer, now)
    )
