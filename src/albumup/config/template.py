"""Parses the values of the config: templates, addresses, durations, sizes and rates.

A template is a format string of plain names, each with an optional format spec. All else in
``str.format`` (attributes, indexes, conversions, positions) could reach values that must not be
sent. It is refused when the template is read: an error shows before anything is queued, not in the
middle of an album.
"""

from __future__ import annotations

import re
import string
import sys
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from urllib.parse import quote, urlsplit

from albumup.errors import ConfigError, UsageError

NAMES: Mapping[str, object] = MappingProxyType(
    {
        "album": "trip",
        "name": "IMG_4101.HEIC",
        "stem": "IMG_4101",
        "suffix": ".HEIC",
        "path": "day 1/IMG_4101.HEIC",
        "size": 3_400_000,
        "mime": "image/heic",
        "taken": datetime(2024, 7, 1, 12, 30, tzinfo=UTC),
        "modified": datetime(2024, 7, 1, 12, 30, tzinfo=UTC),
        "sha256": "9f" * 32,
        "sha1": "9f" * 20,
        "md5": "9f" * 16,
        "index": 1,
        "total": 312,
        "token": "token",
    }
)
"""Every built-in name with a sample value of its type: str, int (``size`` in bytes) or datetime
with an offset."""

# The codes that Python documents, and those that every libc adds with the same meaning. Not %s,
# which takes the computer's offset for the photo's. Of the flags, only "-" (no padding) means the
# same on Linux and macOS.
_DATE_CODE = re.compile(
    r"%(?:-?[aAbBcCdeDfFGhHIjmMpRSTuUVwWxXyYzZ]|%"
    + ("|:z)" if sys.version_info >= (3, 12) else ")")
)

_MOST_AWAY = 1 / 3
"""The part of a word that may be mistyped: "d3" is not a near miss of "wed3"."""
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 24 * 60  # minutes
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that was probably meant, in any case; None if none is near.

    It begins with ``word`` (of three letters at least), else differs in at most a third of the
    letters, else contains ``word`` (of four letters at least).
    """
    lowered = {choice.lower(): choice for choice in sorted(choices)}
    wanted = word.lower()
    begins = [one for one in lowered if one.startswith(wanted) and len(wanted) >= 3]
    holds = [one for one in lowered if wanted in one and len(wanted) >= 4]
    away = {one: _distance(wanted, one) / max(len(wanted), len(one), 1) for one in lowered}
    close = [one for one in lowered if away[one] <= _MOST_AWAY]
    found = min(begins, key=len, default="") or min(close, key=away.__getitem__, default="")
    return lowered.get(found or min(holds, key=len, default=""))


def _distance(one: str, other: str) -> int:
    """How many letters to drop, insert, change or swap with the next, from one to the other
    (optimal alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, last, row = row, before, [i]
        for j, there in enumerate(other, 1):
            steps = min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != there))
            if i > 1 and j > 1 and letter == other[j - 2] and there == one[i - 2]:
                steps = min(steps, last[j - 2] + 1)
            row.append(steps)
    return row[-1]


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """``"; did you mean X?"``, the end of a message about a word; "" if no choice is near."""
    found = nearest(word, choices)
    return f"; did you mean {found}?" if found else ""


class Template:
    """A template, parsed once and filled for each photo.

    ``allowed`` are the names it may use: some of NAMES, and the target's ``vars``, whose values are
    str. ``where`` is its place, file and key, which begins every ConfigError.
    """

    __slots__ = ("_parts", "_text", "names", "where")

    names: frozenset[str]
    """The names in the template."""

    def __init__(self, text: str, allowed: Collection[str], where: str) -> None:
        self.where, self._text = where, text
        try:
            fields = list(string.Formatter().parse(text))
        except ValueError as error:
            # Python's text does not quote the template, which may hold a secret.
            raise ConfigError(
                f"{where}: the braces do not match: {error}",
                "A brace that is to be sent is written twice: {{ or }}",
            ) from None
        self._parts: list[tuple[str, str | None, str]] = []
        for literal, name, spec, conversion in fields:
            if name is not None:
                _check_name(name, conversion, allowed, where)
                _check_spec(name, spec or "", where)
            self._parts.append((literal, name, spec or ""))
        self.names = frozenset(name for _, name, _ in self._parts if name is not None)

    def fill(self, values: Mapping[str, object]) -> str:
        """Fill in ``values``, which hold all ``names`` with the types of NAMES. Raises KeyError for
        a missing one."""
        return self._text.format_map(values)

    def fill_url(self, values: Mapping[str, object]) -> str:
        """``fill`` for an address: values are percent-encoded (RFC 3986, also ``/``), the
        template's own text is not.

        Undecodable bytes of a file name (surrogates) are encoded as the original bytes. Raises
        UsageError for a value ``.`` or ``..``: no encoding keeps an HTTP library from resolving it.
        """
        text = ""
        for literal, name, spec in self._parts:
            text += literal
            if name is not None:
                value = format(values[name], spec)
                if value in (".", ".."):
                    raise UsageError(
                        f"{self.where}: {{{name}}} is {value!r}, which cannot stand in an address"
                    )
                text += quote(value, safe="", errors="surrogateescape")
        return text


def _check_name(name: str, conversion: str | None, allowed: Collection[str], where: str) -> None:
    """Raise ConfigError unless ``name`` is plain and allowed here."""
    listing = f"Names for this key: {', '.join(sorted(allowed)) or 'none'}"
    if conversion is not None or not name or any(mark in name for mark in ".["):
        written = f"{{{name}!{conversion}}}" if conversion is not None else f"{{{name}}}"
        raise ConfigError(
            f"{where}: {written}: only a plain name and a format spec can stand in braces, "
            "no attribute, index, conversion or position",
            listing,
        )
    if name in allowed:
        return
    if name in NAMES:
        raise ConfigError(f"{where}: {{{name}}} cannot be used here", listing)
    raise ConfigError(f"{where}: unknown name {{{name}}}{did_you_mean(name, allowed)}", listing)


def _check_spec(name: str, spec: str, where: str) -> None:
    """Raise ConfigError unless ``spec`` fits the type of ``name``; names not in NAMES are str."""
    sample = NAMES.get(name, "text")
    if "{" in spec:
        raise ConfigError(f"{where}: {{{name}:{spec}}}: a format spec cannot hold a name itself")
    if isinstance(sample, datetime):
        # strftime accepts any nonsense, and it would be sent with every photo.
        if spec and "%" in _DATE_CODE.sub("", spec):
            raise ConfigError(f"{where}: {{{name}:{spec}}}: the date format has an unknown % code")
        if spec and not _DATE_CODE.search(spec):
            raise ConfigError(
                f"{where}: {{{name}:{spec}}}: a date format needs % codes, such as %Y-%m-%d"
            )
        return
    try:
        format(sample, spec)
    except ValueError:
        kind = "a number" if isinstance(sample, int) else "text"
        raise ConfigError(f"{where}: {{{name}:{spec}}}: this format does not fit {kind}") from None


def check_address(url: str, where: str) -> None:
    """Raise ConfigError unless ``url``, an address or its template, is http(s) with a host and
    without credentials.

    The message never quotes the address, which may hold a password.
    """
    if not url.lower().startswith(("http://", "https://")):
        raise ConfigError(f"{where}: must begin with https:// (or http://)")
    if re.search(r"[\x00-\x20\x7f]", url):
        raise ConfigError(f"{where}: an address cannot hold spaces or control characters")
    try:
        parts = urlsplit(url)
        netloc, host, _ = parts.netloc, parts.hostname, parts.port
    except ValueError:
        # Python's text quotes the bad part: for "user:pass/word@", a part of the password.
        netloc, host = url.split("/")[2], None
    if "@" in netloc:
        raise ConfigError(
            f"{where}: no user:password@ in an address",
            'With auth = "basic", user is the user\'s name and the token is the password',
        )
    if not host:
        raise ConfigError(f"{where}: it names no host, or a port that is no number")
    if "{" in netloc:
        raise ConfigError(f"{where}: the host must be written out, without names in braces")


def host_of(url: str) -> str:
    """The host name of an address that ``check_address`` accepted."""
    return urlsplit(url).hostname or ""


def parse_duration(text: str) -> float:
    """Seconds of ``"300"``, ``"90s"``, ``"5m"``, ``"1h30m"``, ``"7d"``. Raises ValueError with a
    text for people."""
    text = text.strip().lower()
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]+)?", text):
        return float(text)
    if not re.fullmatch(r"([0-9]{1,12}(\.[0-9]+)?[smhdw])+", text):
        raise ValueError("expected a duration such as 90s, 5m, 24h or 7d")
    return sum(
        float(amount) * _SECONDS[unit] for amount, unit in re.findall(r"([0-9.]+)([smhdw])", text)
    )


def parse_size(text: str) -> int:
    """Bytes of ``"2M"``, as in curl: K, M, G and T are powers of 1024, a B after them is ignored.

    Raises ValueError with a text for people.
    """
    found = re.fullmatch(r"([0-9]{1,18}(?:\.[0-9]+)?) ?([kmgt]?)i?b?", text.strip().lower())
    if not found:
        raise ValueError("expected a size such as 500K, 2M or 1.5G")
    return int(float(found[1]) * 1024 ** " kmgt".index(found[2] or " "))


@dataclass(frozen=True)
class Timetable:
    """A limit on the rate of sending that may change during the week.

    ``slots`` are pairs of a minute of the week (0 is Monday 00:00, local time) and the bytes per
    second from then on (None: no limit), ascending; the last slot lasts until the first one of the
    next week.
    """

    slots: tuple[tuple[int, int | None], ...]

    def at(self, local: datetime) -> int | None:
        """Bytes per second at a local time, None for no limit."""
        minute = local.weekday() * _DAY + local.hour * 60 + local.minute
        return self.slots[bisect_right(self.slots, minute, key=lambda slot: slot[0]) - 1][1]


def parse_rate(text: str) -> Timetable:
    """A rate such as ``"2M"`` (bytes per second, as in parse_size) or ``"off"``, or a timetable in
    rclone's form.

    ``"08:00,1M 23:00,off"`` holds for each day, ``"Sat-10:00,2M"`` for one day, where it overrides
    the daily entry of the same minute (https://rclone.org/docs/#bwlimit-bwtimetable). Raises
    ValueError with a text for people.
    """
    entries = text.split()
    if len(entries) == 1 and "," not in text:
        return Timetable(((0, _rate_of(entries[0])),))
    daily: dict[int, int | None] = {}
    single: dict[int, int | None] = {}
    for entry in entries:
        found = re.fullmatch(r"(?:([a-z]{3})-)?([0-9]{1,2}):([0-5][0-9]),(\S+)", entry.lower())
        if not found or int(found[2]) > 23 or (found[1] and found[1] not in _DAYS):
            raise ValueError(
                f"expected a time and a rate such as 08:00,1M or Sat-08:00,1M, not {entry}"
            )
        minute, rate = int(found[2]) * 60 + int(found[3]), _rate_of(found[4])
        slots, at = (single, minute + _DAYS.index(found[1]) * _DAY) if found[1] else (daily, minute)
        if at in slots:
            raise ValueError(f"two rates for the same time: {entry}")
        slots[at] = rate
    if not entries:
        raise ValueError("expected a rate such as 2M, off, or 08:00,1M 23:00,off")
    week = {
        day * _DAY + minute: rate for minute, rate in daily.items() for day in range(7)
    } | single
    return Timetable(tuple(sorted(week.items(), key=lambda slot: slot[0])))


def _rate_of(text: str) -> int | None:
    """Bytes per second; None for "off"."""
    if text.lower() == "off":
        return None
    try:
        rate = parse_size(text)
    except ValueError:
        raise ValueError(
            f"expected a rate such as 500K or 2M (bytes a second), or off, not {text}"
        ) from None
    if rate < 1:
        raise ValueError("a rate of 0 would never send anything; off means no limit")
    return rate
