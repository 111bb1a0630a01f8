"""The errors that end a command: each has an exit code, and its text is shown to the user.

The message names the thing and the cause; ``hint`` is the next command to type, or what to check.
The codes are the contract of the command line; ``worst`` says which of several ends a command.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar

KNOWN_TARGETS = "targets: "
"""How the hint begins of an error about a target that the config does not have."""


class AlbumupError(Exception):
    """Ends the command with ``exit_code``; ``str(error)`` is the message, ``hint`` what to do."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class LocalError(AlbumupError):
    """This machine failed: disk full, input/output error, no descriptors, a corrupt journal.
    Nothing is lost."""

    exit_code = 1


class UsageError(AlbumupError):
    """The command as typed is impossible: no such folder, no photo in it, an unknown album."""

    exit_code = 2


class ConfigError(AlbumupError):
    """The configuration, a credential, a permission or an address is wrong, or the journal cannot
    be used."""

    exit_code = 4


class TryLater(AlbumupError):
    """The target is down or busy, or the card is away; everything unsent waits."""

    exit_code = 75


_BY_WEIGHT = (1, 2, 4, 75, 3)


def worst(codes: Collection[int]) -> int:
    """The exit code of a command that has several reasons for one; 0 without any.

    The first of these that is among them: 128 and a signal's number; 1, this machine or program; 2,
    what was typed; 4, the configuration, a credential, an address; 75, later; 3, photos that did
    not get there and wait for somebody.
    """
    signals = [code for code in codes if code > 128]
    return next((code for code in (*signals, *_BY_WEIGHT) if code in codes), 0)
