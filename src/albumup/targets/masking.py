"""Finds a token in every form in which a server may echo it."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable
from functools import partial
from urllib.parse import quote, quote_plus

_SHORTEST = 6
"""The fewest characters of Base64 or hex that are masked: shorter ones occur in any text."""
_QUOTED = (str, partial(quote, safe=""), quote, quote_plus, json.dumps, ascii, repr, html.escape)


def mask_for(token: str, headers: Iterable[tuple[str, str]], user: str) -> re.Pattern[str]:
    """A pattern for a token and for the values of the ``headers`` that carry it.

    It matches them in plain text, percent-encoded, as JSON or HTML, in hex, and in Base64, also
    within a longer text.
    """
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
    plain |= set(_within_base64(token.encode(errors="surrogateescape")))
    found = {form(text) for text in plain for form in _QUOTED}
    found |= {text[1:-1] for text in found if text[:1] in "\"'" and text[-1:] == text[:1]}
    longest_first = sorted(found - {""}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)


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
