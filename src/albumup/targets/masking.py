"""The token in every form in which a server may say it again."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable
from functools import partial
from urllib.parse import quote, quote_plus

_SHORTEST = 6
"""Characters of a token's Base64 or hex that are masked: fewer are in every other text."""
_QUOTED = (str, partial(quote, safe=""), quote, quote_plus, json.dumps, ascii, repr, html.escape)


def mask_for(token: str, headers: Iterable[tuple[str, str]], user: str) -> re.Pattern[str]:
    """Finds a token, and what the ``headers`` that carry it say, in plain text, percent-encoded, as JSON or HTML, in
    Base64 and in hex; also in Base64 of more than that."""
    values = [value for _, value in headers]
    said = {token, *values, *(value.split()[-1] for value in values), f"Bearer {token}", f"{user}:{token}"}
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
    """What Base64 of any text makes of these bytes within it: by where they begin, without the letters at either end
    that depend on what stands beside them (RFC 4648 section 4)."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):
            letters = encode(bytes(before) + data).decode().rstrip("=")
            first = -(-8 * before // 6)
            last = 8 * (before + len(data)) // 6
            if last - first >= _SHORTEST:
                yield letters[first:last]
