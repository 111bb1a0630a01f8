"""A target's definition: the settings that go into its requests and bodies.

A body is framed under a definition. When the definition changes, bodies that have not left whole
are framed anew.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec

from albumup.config.settings import TOKEN_KEYS, CommonSettings, fields_of
from albumup.config.shown_address import shown_address

FRAMES_NOTHING = frozenset(TOKEN_KEYS) | {
    "ca_file",
    "resend",
    "timeout",
    "settle",
    "taken_fallback",
    "success",
    "success_text",
    "success_location",
    "failure_text",
    "refused_text",
    "duplicate",
    "duplicate_text",
    "message",
    "proof",
    "id",
    "page",
    "share",
    "check",
    "elsewhere",
}
"""Keys for the token's place, for waiting, and for reading answers, which do not frame. All other
keys frame: a kind of another package is better framed anew once too often."""


ADDRESSES = frozenset({"url", "check"})
"""Keys for addresses that are asked, which may hold secrets. Others are for people to open."""


def shown_addresses(value: object) -> object:
    """The value of one of ``ADDRESSES``, one address or a list of them, as it may be shown."""
    return (
        [shown_address(str(one)) for one in value]
        if isinstance(value, list)
        else shown_address(str(value))
    )


def non_defaults(settings: CommonSettings) -> dict[str, Any]:
    """The settings that differ from their defaults, in the order of the Struct; tables keep their
    own order.

    The values are builtins (``msgspec.to_builtins``): dicts, lists, text and numbers. Several
    addresses are a list under ``url``, as in the config.
    """
    found: dict[str, Any] = {}
    for info in fields_of(type(settings)):
        value = getattr(settings, info.name)
        makes_default = info.default_factory is not msgspec.NODEFAULT
        default = info.default_factory() if makes_default else info.default
        if value != default:
            found[info.name] = msgspec.to_builtins(value)
    if also := found.pop("also", None):
        found["url"] = [found["url"], *also]
    return found


def fingerprint(kind: str, settings: CommonSettings) -> str:
    """A digest (hex) of the settings that go into request and body: kind, URL, method, fields,
    headers, names, auth."""
    framing = {
        key: value for key, value in non_defaults(settings).items() if key not in FRAMES_NOTHING
    }
    if settings.also:  # their order only says which one is preferred
        framing["url"] = sorted(framing["url"])
    return hashlib.sha256(json.dumps([kind, framing]).encode()).hexdigest()[:32]


def kept(kind: str, settings: CommonSettings, where: str) -> str:
    """A definition as JSON (ASCII) for the journal, to ask about photos in doubt after the target
    was redefined.

    It holds neither the token nor the command that prints it, whose arguments may be confidential;
    ``has_token`` says that there was either. Of addresses it holds what may be shown.
    """
    values = non_defaults(settings)
    for key in ADDRESSES & values.keys():
        values[key] = shown_addresses(values[key])
    secrets = [values.pop(key) for key in ("token", "token_command") if key in values]
    return json.dumps(
        {"kind": kind, "settings": values, "where": where, "has_token": bool(secrets)}
    )
