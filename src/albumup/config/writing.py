"""Adds a target to the config file, leaving everything else as it was typed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import tomllib
from collections.abc import Iterator, Mapping

from albumup.config.file import absolute, shown
from albumup.disk import fsync_folder, make_folder
from albumup.errors import ConfigError, LocalError

_SECRET = 0o600


def add_target(
    path: str, name: str, kind: str, settings: Mapping[str, str], *, default: bool
) -> None:
    """Add ``[targets.NAME]`` to the config file at ``path``, which is created if need be.

    ``default``: make it the default target. The file, or the one that a link leads to, is replaced
    as a whole, keeping its mode. Raises LocalError, ConfigError.
    """
    import tomlkit

    path = os.path.realpath(path)
    folder = os.path.dirname(path)
    table = {"kind": kind, **settings}
    added = tomlkit.dumps({"targets": {name: table}})
    with _locked(folder):
        try:
            with open(path, encoding="utf-8-sig") as file:
                text, mode = file.read(), os.fstat(file.fileno()).st_mode & 0o777
        except FileNotFoundError:
            text, mode = "", _SECRET
        wanted = tomllib.loads(text)
        if name in wanted.get("targets", {}):
            raise ConfigError(
                f"{shown(path)}: there is a target {name} already", "choose another name"
            )
        wanted.setdefault("targets", {})[name] = table
        if default and "default_target" in wanted:
            document = tomlkit.parse(text)
            document["default_target"] = name
            text = tomlkit.dumps(document)
        elif default:
            text = f'default_target = "{name}"\n{text}'
        if default:
            wanted["default_target"] = name
        new = (text.rstrip() + "\n\n" if text.strip() else "") + added
        try:
            is_well = tomllib.loads(new) == wanted
        except tomllib.TOMLDecodeError:
            is_well = False
        if not is_well:
            lines = added.replace("\n", "\n    ").rstrip()
            raise ConfigError(
                f"{shown(path)}: nothing can be added to it the way it is written; it is unchanged",
                f"add by hand:\n    {lines}",
            )
        _replace(path, new, mode)


@contextlib.contextmanager
def _locked(folder: str) -> Iterator[None]:
    """Keep other processes from adding a target to the config in this folder."""
    try:
        make_folder(folder)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise LocalError(f"{shown(folder)}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def keep_token(path: str, name: str, token: str) -> str:
    """Write a token to a new file beside the config, readable by its owner only; its path for the
    config.

    Raises LocalError, and ConfigError if there is a file of that name already.
    """
    folder = os.path.dirname(os.path.abspath(path))
    file = os.path.join(folder, f"{name}.token")
    try:
        make_folder(folder)
        descriptor = os.open(
            file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _SECRET
        )
    except FileExistsError:
        raise ConfigError(
            f"{shown(file)} is there already, and is not overwritten",
            f"use it with --token-file {shown(file)}, or remove it first",
        ) from None
    except OSError as error:
        raise LocalError(f"{shown(file)}: {error.strerror}") from error
    with open(descriptor, "w", encoding="utf-8") as out:
        out.write(token + "\n")
        out.flush()
        os.fsync(out.fileno())
    return shown(file)


def drop_token(path: str, token_file: str) -> None:
    """Remove a token file that ``keep_token`` made, because the target was not added after all."""
    with contextlib.suppress(OSError):
        os.unlink(absolute(token_file, os.path.dirname(path)))


def _replace(path: str, text: str, mode: int) -> None:
    folder = os.path.dirname(path)
    try:
        descriptor, new = tempfile.mkstemp(prefix=".config-", dir=folder)
        try:
            with open(descriptor, "w", encoding="utf-8") as out:
                os.fchmod(out.fileno(), mode)
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            os.replace(new, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(new)
            raise
        fsync_folder(folder)
    except OSError as error:
        raise LocalError(f"{shown(path)}: {error.strerror}", "the config is unchanged") from error
