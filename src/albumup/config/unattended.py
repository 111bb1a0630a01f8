"""The keys for runs that nobody watches: whom to tell, when to run, which files to leave for later.

They stand in ``[defaults]``, or in a target's table, which wins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from albumup.config.shown_address import has_secret_path, holds_secret
from albumup.config.template import parse_duration

DESKTOP = "desktop"
"""``on_done = "desktop"``: the notification of this computer's desktop."""


@dataclass(frozen=True)
class Unattended:
    """Settings of runs that nobody watches. Durations in seconds."""

    on_done: tuple[str, ...] = field(default=(), repr=False)
    """The command (argv) that gets each notice; ``(DESKTOP,)``: a desktop notification."""
    notify: tuple[str, ...] = field(default=(), repr=False)
    """URLs for apprise. They may hold secrets: never shown, never journaled."""
    notify_on: str = "all"
    """``all``, or ``trouble``: every notice but that of an album that settled well."""
    ping: str = field(default="", repr=False)
    """A URL that is fetched at a run's start (URL/start), after success (URL) and failure
    (URL/fail)."""
    tell_after: float = 24 * 3600.0
    """How long a target does not work before a notice says so."""
    may_run: tuple[str, ...] = field(default=(), repr=False)
    """The command (argv) that is asked whether uploads may start: 0 is yes."""
    stable_for: float = 10.0
    """How long a file has not changed before a push off a terminal takes it."""


def of_target(defaults: Unattended, settings: Mapping[str, object]) -> Unattended:
    """The settings for a target: its table's own keys, else the defaults.

    Raises ValueError whose text begins with the key that has a bad value.
    """
    own: dict[str, object] = {}
    for key, read in KEYS.items():
        if key in settings:
            try:
                own[key] = read(settings[key])
            except ValueError as error:
                raise ValueError(f"{key}: {error}") from None
    return replace(defaults, **own)  # type: ignore[arg-type]  # KEYS reads each as its field's type


def secret_keys(settings: Mapping[str, object]) -> list[str]:
    """The keys whose values hold secrets: apprise's addresses always do, others if they hold a
    password or a key. The path of a ping is as good as one."""
    found = [key for key in ("on_done", "ping", "may_run") if is_secret(settings.get(key))]
    ping = settings.get("ping")
    if "ping" not in found and isinstance(ping, str) and has_secret_path(ping):
        found.append("ping")
    return [*found, *(["notify"] if settings.get("notify") else [])]


def is_secret(value: object) -> bool:
    """Is a value, or a word of it, an address with a secret?"""
    words = value if isinstance(value, list) else [value]
    return any(isinstance(one, str) and holds_secret(one) for one in words)


def _command(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise ValueError('expected a command as a list, such as ["notify-send", "albumup"]')
    if not value[0] or any("\0" in one for one in value):
        raise ValueError("expected a command that begins with a program")
    return tuple(value)


def _on_done(value: object) -> tuple[str, ...]:
    if value == DESKTOP:
        return (DESKTOP,)
    if isinstance(value, str):
        words = 'expected "desktop", or a command as a list, such as ["notify-send", "albumup"]'
        raise ValueError(words)
    return _command(value)


def _urls(value: object) -> tuple[str, ...]:
    # A message never quotes a value: it may hold a password.
    if not isinstance(value, list) or not all(
        isinstance(one, str) and "://" in one for one in value
    ):
        raise ValueError('expected a list of URLs for apprise, such as ["ntfy://topic"]')
    return tuple(value)


def _notify_on(value: object) -> str:
    if value not in ("all", "trouble"):
        raise ValueError('expected "all" or "trouble"')
    return str(value)


def _ping(value: object) -> str:
    try:
        is_web = isinstance(value, str) and urlsplit(value).scheme in ("http", "https")
        has_host = is_web and bool(urlsplit(str(value)).hostname)
    except ValueError:
        has_host = False
    if not has_host:
        raise ValueError("expected a URL that begins with https:// or http://")
    return str(value).rstrip("/")


def duration(value: object) -> float:
    """Seconds, from a number or a text such as 90s, 5m or 24h. Raises ValueError."""
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError("expected seconds, or a duration such as 90s, 5m or 24h")
    return float(value)


KEYS: Mapping[str, Callable[[object], object]] = {
    "on_done": _on_done,
    "notify": _urls,
    "notify_on": _notify_on,
    "ping": _ping,
    "tell_after": duration,
    "may_run": _command,
    "stable_for": duration,
}
"""The keys, each with the function that checks its value; it raises ValueError."""
