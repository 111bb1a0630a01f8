"""Finds a target's secrets in every form in which a server may echo them."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Collection, Iterable
from functools import partial
from urllib.parse import quote, quote_plus

from albumup.config.settings import CommonSettings
from albumup.config.shown_address import secrets_in

_SHORTEST = 6
"""The fewest characters of Base64 or hex that are masked: shorter ones occur in any text."""
_LONG = 12
"""The fewest characters of another secret whose Base64 and hex are masked, too."""
_QUOTED = (str, partial(quote, safe=""), quote, quote_plus, json.dumps, ascii, repr, html.escape)


def mask_of(
    settings: CommonSettings, token: str, headers: Iterable[tuple[str, str]]
) -> re.Pattern[str] | None:
    """A pattern for the secrets of a target, those of its addresses, too; None if it has none."""
    urls = settings.url, *settings.also, getattr(settings, "check", None) or ""
    others = {one for url in urls for one in secrets_in(url)}
    if not token and not others:
        return None
    return mask_for(token, headers, settings.user or "", others)


def mask_for(
    token: str = "",
    headers: Iterable[tuple[str, str]] = (),
    user: str = "",
    others: Collection[str] = (),
) -> re.Pattern[str]:
    """A pattern for a token, for the values of the ``headers`` that carry it, and for ``others``.

    It matches them in plain text, percent-encoded, as JSON or HTML, in hex, and in Base64, also
    within a longer text. ``token`` "": there is none.
    """
    plain = _forms_of_token(token, headers, user) if token else set()
    plain.update(others)
    for text in others:
        if len(text) >= _LONG:
            data = text.encode(errors="surrogateescape")
            plain.update(_encoded(data), _within_base64(data))
    found = {form(text) for text in plain for form in _QUOTED}
    found |= {text[1:-1] for text in found if text[:1] in "\"'" and text[-1:] == text[:1]}
    longest_first = sorted(found - {""}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)", re.IGNORECASE)


def _forms_of_token(token: str, headers: Iterable[tuple[str, str]], user: str) -> set[str]:
    values = [value for _, value in headers]
    said = {
        token,
        *values,
        *(value.split()[-1] for value in values),
        f"Bearer {token}",
        f"{user}:{token}",
    }
    plain = {token, *(value.split()[-1] for value in values)}
    plain |= {form for text in said for form in _encoded(text.encode(errors="surrogateescape"))}
    return plain | set(_within_base64(token.encode(errors="surrogateescape")))


def _encoded(data: bytes) -> Iterable[str]:
    forms = [data.hex()]
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        padded = encode(data).decode()
        forms += [padded, padded.rstrip("=")]
    return (form for form in forms if len(form.rstrip("=")) >= _SHORTEST)


def _within_base64(data: bytes) -> Iterable[str]:
    """The Base64 of these bytes within any longer text, for each of the three positions (RFC 4648
    section 4).

    The letters at either end, which depend on the neighbouring bytes, are left out.
    """
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            letters = encode(bytes(before) + data).decode().rstrip("=")
            first = -(-8 * before // 6)
            last = 8 * (before + len(data)) // 6
            if last - first >= _SHORTEST:
                yield letters[first:last]
