"""Decodes the body of an answer: first its Content-Encoding, then its characters.

Servers compress although they were asked not to, and write in Latin-1 or UTF-16. A rule that looks
at the raw bytes misses a "no" as well as a "yes".
"""

from __future__ import annotations

import codecs
import contextlib
import functools
import html
import re
import unicodedata
import zlib
from collections.abc import Iterable

_MOST_ENCODINGS = 3
"""The most encodings that are undone; a server that stacks more of them means harm."""
_NO_ENCODINGS = ("", "identity", "none", "utf-8", "utf8")
"""Names for no encoding. The last three are wrong, but servers use them so."""
_GZIP = b"\x1f\x8b\x08"
_WINDOW = zlib.MAX_WBITS
_BOMS = (  # UTF-32's first: in little-endian order it begins with UTF-16's
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NO_CHARSETS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined"})
"""Codecs of Python that are no charsets."""
_CHARSET = re.compile(r"""charset\s*=\s*["']?\s*([^\s"';,]+)""", re.IGNORECASE)
_SAID_WITHIN = re.compile(
    rb"""<(?:meta\b[^>]*?\bcharset|\?xml\b[^>]*?\bencoding)\s*=\s*["']?\s*([\w.:-]+)""",
    re.IGNORECASE,
)
"""The charset that an HTML page or XML names itself."""
_ESCAPE = re.compile(
    r'\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(["\\/bfnrt]))'
)
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def decoded(raw: bytes, encoding: str, most: int) -> tuple[bytes, bool] | None:
    """The first ``most`` bytes of a decoded body, and whether that is all of it.

    ``encoding`` is the Content-Encoding, a comma-separated list (RFC 9110 section 8.4). None if it
    is unknown, or if the body is not encoded so. Never produces more than ``most`` + 1 bytes, so a
    zip bomb costs no more than an honest answer.
    """
    if not encoding and len(raw) <= most and not raw.startswith(_GZIP):
        return raw, True  # nearly every answer
    names = [
        name for part in encoding.lower().split(",") if (name := part.strip()) not in _NO_ENCODINGS
    ]
    if not names and raw.startswith(_GZIP):
        names = ["gzip"]  # servers send files stored compressed without saying so
    if len(names) > _MOST_ENCODINGS:
        return None
    data, is_all = raw, True
    for name in reversed(names):
        if name not in ("gzip", "x-gzip", "deflate"):
            return (b"", True) if not raw else None
        undone = _undone(data, name, most) if data else (b"", True)
        if undone is None:
            return None
        data, is_all = undone[0], undone[1] and is_all
    return data[:most], is_all and len(data) <= most


def _undone(data: bytes, name: str, most: int) -> tuple[bytes, bool] | None:
    """Undo one encoding. ``deflate`` is zlib's format (RFC 1950), from many servers the bare stream
    (RFC 1951)."""
    for window in (_WINDOW, -_WINDOW) if name == "deflate" else (_WINDOW | 16,):
        with contextlib.suppress(zlib.error):
            return _inflated(data, window, most)
    return None


def _inflated(data: bytes, window: int, most: int) -> tuple[bytes, bool]:
    """At most ``most`` + 1 bytes, of all members in a row (RFC 1952), and whether they are all.
    Raises zlib.error."""
    whole = b""
    while True:
        stream = zlib.decompressobj(window)
        whole += stream.decompress(data, most + 1 - len(whole))
        if not stream.eof:
            return whole, False
        data = stream.unused_data.lstrip(b"\0")
        if not data or window != _WINDOW | 16 or len(whole) > most:
            return whole, not data


@functools.lru_cache(maxsize=4)
def text_of(body: bytes, content_type: str, *, is_all: bool) -> str | None:
    """The text of a body; None if its charset is unknown, or is not the one it names.

    The charset is that of the byte order mark, else the Content-Type's, else the one a page names
    itself, else UTF-8 if the bytes are valid, else Windows-1252, which is what Latin-1 means on the
    web (encoding.spec.whatwg.org). JSON that is valid UTF-8 is UTF-8, whatever charset is named
    (RFC 8259 section 8.1). ``is_all`` False: the last character may be cut.
    """
    found = _CHARSET.search(content_type)
    named = found[1] if found else ""
    # Other charsets than UTF-8 are named, by a page within its tags, or have zero bytes.
    is_plain = body.isascii() and b"\0" not in body and b"<" not in body
    if is_plain and named.lower() in ("", "utf-8"):
        return body.decode()  # nearly every answer
    for mark, codec in _BOMS:
        if body.startswith(mark):
            return _strict(body[len(mark) :], codec, is_all=is_all)
    if not named:
        if (wide := _wide_json(body)) is not None:
            return _strict(body, wide, is_all=is_all)
        within = _SAID_WITHIN.search(body[:1024])
        named = within[1].decode() if within else ""
    narrow = None if b"\0" in body else _strict(body, "utf-8", is_all=is_all)
    if narrow is not None and (not named or "json" in content_type.lower()):
        return narrow
    if not named:
        return _western(body)
    try:
        b"a".decode(named, "replace")  # raises for codecs that are no charsets, such as zlib
        codec = codecs.lookup(named).name
    except (LookupError, ValueError):
        return narrow
    if codec in _NO_CHARSETS:
        return narrow
    if codec in ("iso8859-1", "ascii", "cp1252"):
        return narrow if codec == "ascii" and narrow is not None else _western(body)
    if codec in ("utf-8", "utf-8-sig"):
        return _western(body) if narrow is None else narrow
    return _strict(body, codec, is_all=is_all)


def _wide_json(body: bytes) -> str | None:
    """The codec of JSON in UTF-16 or UTF-32 without a mark, told by its zero bytes (RFC 4627
    section 3)."""
    match [byte == 0 for byte in body[:4]]:
        case [True, True, True, False]:
            return "utf-32-be"
        case [False, True, True, True]:
            return "utf-32-le"
        case [True, False, *_]:
            return "utf-16-be"
        case [False, True, *_]:
            return "utf-16-le"
    return None


def _strict(body: bytes, codec: str, *, is_all: bool) -> str | None:
    try:
        return body.decode(codec) if is_all else codecs.getincrementaldecoder(codec)().decode(body)
    except UnicodeError:
        return None


def _western(body: bytes) -> str:
    """Decode Windows-1252; the five bytes it does not define become control characters."""
    return body.decode("cp1252", "albumup.latin-1")


def _as_latin(error: UnicodeError) -> tuple[str, int]:
    """An error handler: each byte that the codec does not define becomes the code point of its
    number."""
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("albumup.latin-1", _as_latin)


def readings(text: str, *, is_page: bool) -> Iterable[str]:
    """The spellings of a text for rules to search: as it stands, with escapes of JSON or of a page
    resolved, composed.

    An escape, or a character of two code points, is only another spelling of the text a person
    wrote into a rule.
    """
    found = [text, _ESCAPE.sub(_resolved, text)]
    if is_page or text.lstrip().startswith("<"):
        found.append(html.unescape(text))
    return dict.fromkeys([*found, *(unicodedata.normalize("NFC", one) for one in found)])


def _resolved(escape: re.Match[str]) -> str:
    """The character that an escape of JSON stands for (RFC 8259 section 7)."""
    high, low, single, short = escape.groups()
    if high:
        return chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF))
    return chr(int(single, 16)) if single else _SHORT.get(short, short)
