"""The kind of a reason: the words that stay when the varying parts are left out."""

from __future__ import annotations

import os
import re

_VARYING = re.compile(
    r"""(?<!\w)'[^']*'(?!\w)|"[^"]*"|«[^»]*»|„[^“”]*[“”]|“[^”]*”|\bhttps?://\S+"""
    r"""|\b(?=[0-9a-fA-F-]*\d)[0-9a-fA-F]{6,}(?:-[0-9a-fA-F]+)*\b|\d+(?:[.,:]\d+)*"""
)
"""The varying parts: quoted text, URLs, ids, numbers."""
_STATUS = re.compile(
    r"(?:^|\b(?:answered|code|http\S*|status):? )([1-5]\d\d)(?![\w.])", re.IGNORECASE
)
_SHORTEST_STEM = 3


def kind_of(reason: str, *names: str) -> str:
    """A reason with "#" for the parts that vary: its ``names``, ids, numbers, quoted text.

    The status of the server's answer stays: 403 and 413 are two reasons.
    """
    status = _STATUS.search(reason)
    for name in sorted(filter(None, names), key=len, reverse=True):
        stem = os.path.splitext(name)[0]
        is_telling = len(stem) >= _SHORTEST_STEM and any(letter.isdigit() for letter in stem)
        reason = reason.replace(name, "#")
        if is_telling:
            reason = reason.replace(stem, "#")
    kind = _VARYING.sub("#", reason)
    return f"{status[1] if status is not None else ''} {kind}"
