"""The family of errors that end a command: each knows its exit code, and its text is what the person reads.

An error's first argument names the thing and the cause; ``hint`` is the next command to type, or what to look at.
Codes are the contract of the command line: 1 this machine or program, 2 usage, 4 configuration, 75 later.
"""

from __future__ import annotations

from typing import ClassVar


class AlbumupError(Exception):
    """Ends the command with ``exit_code``; ``str(error)`` is the message, ``hint`` the way on (may be empty)."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class LocalError(AlbumupError):
    """This machine failed: disk full, input/output error, no descriptors, a corrupt journal. Nothing is lost."""

    exit_code = 1


class UsageError(AlbumupError):
    """What was typed cannot be done: no such folder, no photo in it, an unknown album."""

    exit_code = 2


class ConfigError(AlbumupError):
    """The configuration, a credential, a permission or an address is wrong, or the journal is not one we may use."""

    exit_code = 4


class TryLater(AlbumupError):
    """The target is down or busy, or the card is away; everything unsent waits."""

    exit_code = 75
