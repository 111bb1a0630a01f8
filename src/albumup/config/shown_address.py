"""Addresses without the parts that are secrets by their place.

These are user name and password, each value of the query, and the fragment. Names of templates
(``{album}``) are no secrets, and neither is a short word without a value (``?upload``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote, unquote_plus, urlsplit

MASK = "********"

_USER = re.compile(r"(?<=://)[^/\s?#]*(?=@)")
_PASSWORD = re.compile(r"://[^/\s@]*:[^/\s@]+@")
_NAME = re.compile(r"\{[^{}]*\}")
_LONGEST_WORD = 12
"""The most characters of a word in a query that counts as its own name."""
_SHORTEST = 6
"""The fewest characters of a value that is masked wherever it occurs: others occur in any text."""
_PART = 4
"""The fewest characters of a path, or of a part of it, that is masked."""
_KEY = 8
"""The fewest characters of a key in a path."""
_PLAIN = re.compile(r"[a-z]{,11}")
"""Values that are words of other texts, too: upload, photos."""


def shown_address(url: str) -> str:
    """An address, or its template, as screens, files and the journal may have it."""
    rest, fragment_mark, fragment = url.partition("#")
    before, query_mark, query = rest.partition("?")
    shown = _USER.sub(MASK, before) + query_mark
    shown += "&".join(_shown_part(part) for part in query.split("&"))
    return shown + fragment_mark + MASK * bool(fragment)


def holds_secret(url: str) -> bool:
    """Does an address hold a secret that others must not read: a password, or a value that looks
    like one?"""
    query = url.partition("#")[0].partition("?")[2] if "://" in url else ""
    hidden = [part for part in query.split("&") if _shown_part(part) != part]
    return bool(_PASSWORD.search(url)) or any(any(_telling(part)) for part in hidden)


def has_secret_path(url: str) -> bool:
    """Does the path of an address hold a part that looks like a secret?"""
    return any(len(one) >= _KEY and not _PLAIN.fullmatch(one) for one in secrets_of_path(url))


def secrets_of_path(url: str) -> set[str]:
    """The path of an address and its parts, but those that are too short for a secret."""
    path = urlsplit(url).path.strip("/")
    return {one for one in (path, unquote(path), *path.split("/")) if len(one) >= _PART}


def identity_of(url: str) -> str:
    """A text that stands for one address in the journal, without its secrets."""
    shown = shown_address(url)
    if shown == url:
        return url
    import hashlib  # screens, which are to come at once, need no digest

    return f"{shown} {hashlib.sha256(url.encode(errors='surrogateescape')).hexdigest()[:16]}"


def secrets_in(url: str) -> set[str]:
    """The secrets of an address, as a server may repeat them.

    A value that is short or a plain word is found only together with its name. A text that is no
    address has none.
    """
    if "://" not in url:
        return set()
    rest, _, fragment = url.partition("#")
    before, _, query = rest.partition("?")
    users = [word for user in _USER.findall(before) for word in (user, *user.split(":"))]
    found = {text for text in (*users, fragment) if len(text) >= _SHORTEST}
    for part in query.split("&"):
        if _shown_part(part) != part:
            found.update(_secrets_of(part))
    return found | {decode(text) for text in found for decode in (unquote, unquote_plus)}


def _shown_part(part: str) -> str:
    name, mark, value = part.partition("=")
    if not mark:
        return part if len(part) <= _LONGEST_WORD or _NAME.fullmatch(part) else MASK
    return part if not value or _NAME.fullmatch(value) else f"{name}={MASK}"


def _secrets_of(part: str) -> Iterator[str]:
    """The literal texts of one part of a query that has a secret."""
    name, mark, value = part.partition("=")
    yield from _telling(part)
    if mark and (first := _NAME.split(value)[0]):
        yield f"{name}={first}"


def _telling(part: str) -> Iterator[str]:
    """Those that are a secret also without their names."""
    _, mark, value = part.partition("=")
    texts = _NAME.split(value if mark else part)
    yield from (one for one in texts if len(one) >= _SHORTEST and not _PLAIN.fullmatch(one))
