"""Finds the MIME type of a media file.

The type comes from a constant table (:mod:`albumup.photos.types`). The file's first bytes decide
and, where they do not suffice, its suffix. No text from within a file ever reaches a request
header.
"""

from __future__ import annotations

import re

from albumup.photos.types import (
    ALIKE,
    AUDIO_BRANDS,
    AUDIO_SUFFIXES,
    LOOSE_SUFFIXES,
    MAYBE,
    NOT_BY_SUFFIX,
    TEXT_SUFFIXES,
    TYPES,
    Kind,
)

HEAD_BYTES = 1024
"""How many of a file's first bytes ``media_type`` wants; fewer if the file is shorter."""

_BY_SUFFIX = {suffix.encode(): one.mime for one in reversed(TYPES) for suffix in one.suffixes}
_WORDS = {one.mime: one.words for one in reversed(TYPES)}
_VIDEOS = frozenset(one.mime for one in TYPES if one.kind is Kind.VIDEO)
_WITHIN = frozenset((outer, one.mime) for one in TYPES for outer in one.within)
_BY_SUFFIX_ALONE = frozenset(
    one.mime for one in TYPES if not (one.content or one.brands or one.within)
)
_CONTENTS = [one for one in TYPES if one.content]
_CONTENT = re.compile(b"|".join(b"(%s)" % one.content for one in _CONTENTS), re.DOTALL)
_USUAL = {one.mime: one.suffixes[0] for one in reversed(TYPES)}
_BRANDS = {brand: one.mime for one in TYPES for brand in one.brands}
_BOXED = frozenset(_BRANDS.values()) | {"video/3gpp", "video/3gpp2"}
_AUDIO = frozenset(suffix.encode() for suffix in AUDIO_SUFFIXES)
_TEXT = frozenset(suffix.encode() for suffix in TEXT_SUFFIXES)
_NOT_BY_SUFFIX = frozenset(suffix.encode() for suffix in NOT_BY_SUFFIX)
_LOOSE = frozenset(suffix.encode() for suffix in LOOSE_SUFFIXES)
_MAYBE = frozenset(suffix.encode() for suffix in MAYBE)
_ALIKE = frozenset((one, other) for some in ALIKE for one in some for other in some)

ANYTHING = "application/octet-stream"
"""The type of a file that is taken although its type is unknown."""

_LETTERS = bytes(range(0x20, 0x7F)) + b"\t\n\r\f\b\x1b" + bytes(range(0x80, 0x100))
"""The bytes of text in any charset that includes ASCII."""
_HIGH = bytes(range(0x80, 0x100))
_MARKS = (b"\xff\xfe", b"\xfe\xff")
"""Byte order marks of UTF-16."""


def media_type(head: bytes, name: bytes) -> str | None:
    """The MIME type of a file called ``name`` that begins with ``head`` (``HEAD_BYTES`` bytes);
    None if unknown.

    Content comes first. The suffix decides between types that share their content (RAW formats are
    TIFFs), and where the content is unknown (cameras write odd things).
    """
    return judged(head, name)[0]


def judged(head: bytes, name: bytes) -> tuple[str | None, str]:
    """``media_type`` of a file, and how its content contradicts its name, in words, or ""."""
    suffix = suffix_in(name)
    by_content, by_name = _by_content(head, suffix), _BY_SUFFIX.get(suffix)
    if by_content is not None and by_content == by_name:
        return by_content, ""
    return _media_type(head, name, suffix, by_content, by_name), _oddity(
        head, suffix, by_content, by_name
    )


def _media_type(
    head: bytes, name: bytes, suffix: bytes, by_content: str | None, by_name: str | None
) -> str | None:
    if by_content is None:
        return None if is_source(head, name) else by_name
    if suffix in _AUDIO and by_content in _VIDEOS:
        return None
    return by_name if (by_content, by_name) in _WITHIN else by_content


def media_type_by_name(name: bytes) -> str | None:
    """The MIME type for the suffix of ``name``, in any case; None if there is none."""
    return _BY_SUFFIX.get(suffix_in(name))


def may_be_media(name: bytes) -> bool:
    """May the file be a picture or a clip by its suffix, whether ``push`` takes that or not?"""
    suffix = suffix_in(name)
    return suffix in _BY_SUFFIX or suffix in _MAYBE


def needs_content(name: bytes) -> bool:
    """Is the suffix as frequent among other files, so that it proves nothing without the
    content?"""
    suffix = suffix_in(name)
    return suffix in _NOT_BY_SUFFIX or suffix in _TEXT


def suffix_in(name: bytes) -> bytes:
    """The suffix of a name, with its dot, in lower case; b"" if there is none."""
    stem, dot, suffix = name.rpartition(b".")
    # Like os.path.splitext, in half the time.
    if b"/" in suffix or not stem.rpartition(b"/")[2].strip(b"."):
        return b""
    return (dot + suffix).lower()


def suffix_of(mime: str) -> str:
    """The usual suffix, with its dot, of one of our MIME types; KeyError for any other."""
    return _USUAL[mime]


def is_video(mime: str) -> bool:
    return mime in _VIDEOS


def is_text(head: bytes) -> bool:
    """Does a file with these first bytes hold text?"""
    return head.startswith(_MARKS) or not (
        head.translate(None, _LETTERS) or not head.translate(None, _HIGH)
    )


def is_source(head: bytes, name: bytes) -> bool:
    """Is this text, under a suffix that is as frequent among texts as among videos?"""
    return suffix_in(name) in _TEXT and is_text(head)


def _oddity(head: bytes, suffix: bytes, by_content: str | None, by_name: str | None) -> str:
    if by_name is None:
        return ""
    if by_content is not None:
        pair = (by_content, by_name)
        is_kin = pair in _ALIKE or pair in _WITHIN or pair[::-1] in _WITHIN
        return "" if is_kin else f"it holds {_WORDS[by_content]}"
    if not head.strip(b"\0"):
        return "it holds zeros"
    if is_text(head):
        return "it holds text"
    is_boxed = by_name in _BOXED and head[4:8].isalnum()  # whatever the name of its first box
    is_untold = by_name in _BY_SUFFIX_ALONE or suffix in _LOOSE or is_boxed
    return "" if is_untold else f"it holds no {_WORDS[by_name]}"


def _by_content(head: bytes, suffix: bytes) -> str | None:
    if head[4:8] == b"ftyp":
        return _by_brands(head)
    match = _CONTENT.match(head)
    if match is None or match.lastindex is None:
        return None
    found = _CONTENTS[match.lastindex - 1]
    is_doubtful = found.weak and suffix and suffix not in _BY_SUFFIX
    return None if is_doubtful else found.mime


def _by_brands(head: bytes) -> str | None:
    """Read the ``ftyp`` box: its length (4 bytes), ``ftyp``, the major brand, a version, then the
    compatible brands."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    major = head[8:12]
    compatible = [head[start : start + 4] for start in range(16, end, 4)]
    if major in AUDIO_BRANDS:
        return None  # audio, though compatible with mp42
    if major.startswith(b"3g"):
        return "video/3gpp2" if major.startswith(b"3g2") else "video/3gpp"
    if _BRANDS.get(major) == "image/heif":
        # mif1 and msf1 name the structure only; other image brands name the codec.
        codecs = [
            brand for brand in compatible if _BRANDS.get(brand) in ("image/heic", "image/avif")
        ]
        return _BRANDS[(codecs or [major])[0]]
    return next((_BRANDS[brand] for brand in (major, *compatible) if brand in _BRANDS), None)
