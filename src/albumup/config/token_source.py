"""Reads a target's token from the file, variable, command or key that its settings name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from albumup.config.file import absolute, closed_again, place_of, shown
from albumup.config.known_secrets import know
from albumup.config.shown_address import MASK
from albumup.errors import ConfigError
from albumup.processes import why_not_run

if TYPE_CHECKING:
    from albumup.config.settings import CommonSettings

COMMAND_LIMIT = 60.0  # seconds that a token_command may take
TOKEN_LIMIT = 65536  # the most bytes of a token's file

_printed: dict[tuple[str, ...], str] = {}
"""What each command has printed: it may ask a person, who is asked once by one of our commands."""


def ask_again() -> None:
    """Have each command that prints a token run again when its token is wanted next."""
    _printed.clear()


def printed() -> dict[tuple[str, ...], str]:
    """What the commands that were asked for tokens have printed."""
    return dict(_printed)


def know_printed(known: Mapping[tuple[str, ...], str]) -> None:
    """Take over what another process of albumup was told: these commands need not be asked."""
    _printed.update(known)


def read_token(settings: CommonSettings, where: str, config_dir: str) -> str | None:
    """Read the target's token from the source that its settings name; None if they name none.

    ``where`` is the TargetTable's and begins each message; relative paths start from
    ``config_dir``. Raises ConfigError if the source has no token, or others can read it. No message
    quotes the token or a command's output.
    """
    if settings.token_file is not None:
        place = place_of(where, "token_file")
        text = _token_from_file(absolute(settings.token_file, config_dir), place)
    elif settings.token_env is not None:
        place = place_of(where, "token_env")
        if (text := os.environ.get(settings.token_env, "")) == "":
            raise ConfigError(
                f"{place}: the environment variable {settings.token_env} is not set",
                "cron and systemd do not know a shell's variables; token_file works everywhere",
            )
    elif settings.token_command is not None:
        place = place_of(where, "token_command")
        command = tuple(settings.token_command)
        if command not in _printed:
            _printed[command] = _token_from_command(command, place)
        text = _printed[command]
    elif settings.token is not None:
        place = place_of(where, "token")
        text = settings.token  # load() has checked that nobody else can read the file
    else:
        return None
    token = text.strip()
    if not token:
        raise ConfigError(f"{place}: the token there is empty")
    if not token.isprintable() or "\ufffd" in token:
        raise ConfigError(f"{place}: the token there is not a single line of text")
    know(token)
    return token


def masked(token: str | None) -> str:
    """A text in place of a token, which tells only whether there is one."""
    return "none" if token is None else MASK


def _token_from_file(path: str, where: str) -> str:
    try:
        with open(path, "rb") as source:
            if os.fstat(source.fileno()).st_mode & 0o077:
                raise ConfigError(f"{where}: others can read {shown(path)}", closed_again(path))
            data = source.read(TOKEN_LIMIT + 1)
    except OSError as error:
        raise ConfigError(f"{where}: {shown(path)} cannot be read: {error.strerror}") from None
    if len(data) > TOKEN_LIMIT:
        raise ConfigError(f"{where}: {shown(path)} is too long for a token")
    return data.decode("utf-8", "replace")


def _token_from_command(command: Sequence[str], where: str) -> str:
    """The first line of the command's output. Messages name only its first word: the others may be
    confidential."""
    import subprocess

    quiet = subprocess.DEVNULL
    try:
        done = subprocess.run(
            command, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet, timeout=COMMAND_LIMIT
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(
            f"{where}: {command[0]} has not answered within {COMMAND_LIMIT:g} s"
        ) from None
    except (OSError, ValueError) as error:
        reason = why_not_run(command[0], error)
        raise ConfigError(f"{where}: {command[0]} cannot be run: {reason}") from None
    if done.returncode != 0:
        raise ConfigError(f"{where}: {command[0]} ended with exit status {done.returncode}")
    return done.stdout.decode("utf-8", "replace").partition("\n")[0]
