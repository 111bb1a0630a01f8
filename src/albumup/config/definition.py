"""What of a target's settings goes into its requests and bodies, told apart from all else that they say.

A body is framed under a definition. When that changes, what has not left whole is framed anew.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec

from albumup.config.settings import TOKEN_KEYS, CommonSettings, fields_of

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
"""Keys that say where the token is, how long to wait, and how to read an answer. A key that is not here frames: a kind
of a third party is better framed anew once too often."""


def told(settings: CommonSettings) -> dict[str, Any]:
    """The settings that differ from their defaults, in the order of the Struct; tables keep their own order.

    ``msgspec.to_builtins`` of them: dicts, lists, text and numbers.
    """
    found = {}
    for info in fields_of(type(settings)):
        value = getattr(settings, info.name)
        makes_default = info.default_factory is not msgspec.NODEFAULT
        default = info.default_factory() if makes_default else info.default
        if value != default:
            found[info.name] = msgspec.to_builtins(value)
    return found


def fingerprint(kind: str, settings: CommonSettings) -> str:
    """A digest (hex) of what goes into request and body: of kind, URL, method, fields, headers, names, auth."""
    framing = {key: value for key, value in told(settings).items() if key not in FRAMES_NOTHING}
    return hashlib.sha256(json.dumps([kind, framing]).encode()).hexdigest()[:32]


def kept(kind: str, settings: CommonSettings, where: str) -> str:
    """JSON (ASCII) for the journal, to ask about what is in doubt when the target is defined otherwise.

    Neither the token nor the command that prints it, whose words may be confidential, is in it; ``has_token`` says that
    there was one of them.
    """
    values = told(settings)
    secrets = [values.pop(key) for key in ("token", "token_command") if key in values]
    return json.dumps({"kind": kind, "settings": values, "where": where, "has_token": bool(secrets)})
