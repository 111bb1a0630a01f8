"""Tokens that commands have printed, handed from a command to its uploader in the background.

So whoever types a passphrase types it once, at the terminal. The tokens are in no argument,
variable or file: they wait in a pipe, the standard input of the uploader.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

import msgspec

from albumup.config.token_source import know_printed, printed

_INPUT = 0
_PIECE = 1 << 16
_Printed = list[tuple[tuple[str, ...], str]]


def handed() -> int:
    """A descriptor of which the uploader reads the tokens; the caller closes it."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    # What a pipe does not hold is not handed over: then the uploader asks for itself.
    with os.fdopen(writer, "wb", buffering=0) as file:
        file.write(msgspec.json.encode(list(printed().items())))
    return reader


def take() -> None:
    """Take over the tokens at the standard input, if that is a pipe, and leave it."""
    if not stat.S_ISFIFO(os.fstat(_INPUT).st_mode):
        return
    pieces = iter(lambda: os.read(_INPUT, _PIECE), b"")
    with suppress(msgspec.MsgspecError):
        know_printed(dict(msgspec.json.decode(b"".join(pieces), type=_Printed)))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, _INPUT)
    os.close(nothing)
