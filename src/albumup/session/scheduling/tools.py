"""Runs the programs of schedulers: crontab, systemctl, launchctl."""

from __future__ import annotations

import subprocess

from msgspec import Struct

from albumup.errors import LocalError
from albumup.processes import environment

_LIMIT = 60.0
"""The most seconds that such a program may take."""


class Ran(Struct, frozen=True):
    """The end of a program. ``said``: its error output, in a line."""

    code: int
    out: bytes
    said: str


def run(*words: str, stdin: bytes = b"") -> Ran:
    """Run a program, in English. Raises LocalError if there is none, or it does not end."""
    variables = {**environment(), "LC_ALL": "C"}
    try:
        done = subprocess.run(
            words, input=stdin, capture_output=True, env=variables, timeout=_LIMIT
        )
    except subprocess.TimeoutExpired:
        raise LocalError(f"{words[0]} has not ended within {_LIMIT:g} s") from None
    except OSError as error:
        raise LocalError(f"{words[0]} cannot be run: {error.strerror}") from None
    said = done.stderr.decode("utf-8", "replace").split("\n")
    words_said = "; ".join(line.strip() for line in said if line.strip())
    return Ran(done.returncode, done.stdout, words_said or f"exit status {done.returncode}")


def must(*words: str, stdin: bytes = b"") -> Ran:
    """``run`` a program. Raises LocalError, with the program's words, also if it fails."""
    done = run(*words, stdin=stdin)
    if done.code != 0:
        raise LocalError(f"{' '.join(words)}: {done.said}")
    return done
