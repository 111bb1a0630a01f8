"""Frames request bodies: ``head + payload + tail``.

The framing is multipart/form-data (RFC 7578, with the WHATWG's escaping) with the file part last,
byte-identical to the output of requests-toolbelt's encoder. That encoder is not used: loading it,
with requests, takes as long as all the work of a small push before its first byte.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from msgspec import Struct


class Frame(Struct, frozen=True):
    """The head and tail around a payload, and the Content-Type."""

    head: bytes
    tail: bytes
    content_type: str


def new_boundary() -> str:
    """128 random bits: no payload holds them by accident."""
    return f"albumup-{secrets.token_hex(16)}"


def frame(
    fields: Sequence[tuple[str, str]],
    file_field: str,
    name: str,
    mime: str,
    boundary: str,
    parts: Sequence[tuple[str, tuple[str, bytes, str]]] = (),
) -> Frame:
    """Frame a file part, which comes after ``fields`` and ``parts``, in wire order.

    A part is a field, and its file name, content and type.
    """
    pieces = [_opened(field) + value.encode() for field, value in fields]
    pieces += [
        _opened(field, part_name, kind) + content for field, (part_name, content, kind) in parts
    ]
    pieces.append(_opened(file_field, name, mime))
    between = f"\r\n--{boundary}\r\n".encode()
    head = between[2:] + between.join(pieces)
    return Frame(
        head, f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
    )


def _opened(field: str, name: str | None = None, mime: str = "") -> bytes:
    """The header lines of a part; a part with a ``name`` is a file."""
    words = f'Content-Disposition: form-data; name="{_escaped(field)}"'
    if name is not None:
        words += f'; filename="{_escaped(name)}"\r\nContent-Type: {mime}'
    return f"{words}\r\n\r\n".encode()


def _escaped(name: str) -> str:
    """A name within quotes (WHATWG, multipart/form-data encoding algorithm)."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
