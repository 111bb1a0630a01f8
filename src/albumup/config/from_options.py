"""A target that is defined by options, ``push --url`` and its companions, instead of the file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from msgspec import Struct

from albumup.config.file import OPTIONS, TargetTable, absolute, settings_of
from albumup.config.settings import FormSettings
from albumup.config.template import host_of
from albumup.errors import ConfigError, UsageError


class FormOptions(Struct, frozen=True):
    """What was typed. ``fields`` are ``name=value``, ``headers`` ``Name: value``."""

    url: str
    fields: Sequence[str] = ()
    file_field: str | None = None
    headers: Sequence[str] = ()
    auth: str | None = None
    token_file: str | None = None
    token_env: str | None = None
    ca_file: str | None = None
    success_text: str | None = None
    failure_text: str | None = None


def target_from_options(typed: FormOptions) -> TargetTable:
    """The form target defined by ``push --url``, named after its host. Raises UsageError, which
    names the option.

    Paths are made absolute, because another run reads them.
    """
    given = {
        "url": typed.url,
        "fields": _pairs(typed.fields, "=", "--field"),
        "file_field": typed.file_field,
        "headers": _pairs(typed.headers, ":", "--header"),
        "auth": typed.auth,
        "token_file": typed.token_file and absolute(typed.token_file, os.getcwd()),
        "token_env": typed.token_env,
        "ca_file": typed.ca_file and absolute(typed.ca_file, os.getcwd()),
        "success_text": typed.success_text,
        "failure_text": typed.failure_text,
    }
    table = TargetTable(
        "", "form", {key: value for key, value in given.items() if value not in (None, {})}, OPTIONS
    )
    try:
        settings_of(table, FormSettings)
    except ConfigError as error:
        raise UsageError(str(error), error.hint) from None
    return replace(table, name=host_of(typed.url))


def _pairs(texts: Sequence[str], mark: str, option: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        name, found, value = text.partition(mark)
        if not found:
            # The message does not quote the text: a lone word may well be the secret.
            raise UsageError(f"{option}: expected {'NAME=VALUE' if mark == '=' else 'NAME: VALUE'}")
        if name in pairs:
            raise UsageError(f"{option} {name}: given twice")
        pairs[name] = value if mark == "=" else value.strip()
    return pairs
