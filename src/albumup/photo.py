"""What we know of one media file: its MIME type and its digests.

The type comes from a constant table, decided by the file's first bytes and, where they do not settle it, by its name;
nothing a file says about itself ever reaches a request header. Sources of the signatures: each format's specification,
and the brands registered at mp4ra.org for files that begin with an ``ftyp`` box (ISO/IEC 14496-12).
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
from collections.abc import Callable, Generator, Iterable

HEAD_BYTES = 1024
"""How many of a file's first bytes ``media_type`` wants; fewer are fine when the file is shorter."""

BLOCK_BYTES = 1 << 20
"""How much ``digest`` reads at once. Larger blocks are no faster; smaller ones cost calls."""

_AHEAD_BYTES = 16 << 20
"""From this size on a file is worth a thread that reads the next block while this one is digested."""

# The first suffix is the usual one for the type. RAW types are those whose names registries never agreed on; these are
# the ones that servers' own tables use.
_SUFFIXES: dict[str, tuple[bytes, ...]] = {
    "image/jpeg": (b".jpg", b".jpeg", b".jpe"),
    "image/heic": (b".heic",),
    "image/heif": (b".heif", b".hif"),
    "image/png": (b".png",),
    "image/webp": (b".webp",),
    "image/avif": (b".avif",),
    "image/gif": (b".gif",),
    "image/tiff": (b".tif", b".tiff"),
    "image/x-adobe-dng": (b".dng",),
    "image/x-canon-cr2": (b".cr2",),
    "image/x-canon-cr3": (b".cr3",),
    "image/x-nikon-nef": (b".nef",),
    "image/x-sony-arw": (b".arw",),
    "image/x-fuji-raf": (b".raf",),
    "image/x-olympus-orf": (b".orf",),
    "image/x-panasonic-rw2": (b".rw2",),
    "video/mp4": (b".mp4",),
    "video/quicktime": (b".mov", b".qt"),
    "video/x-m4v": (b".m4v",),
    "video/x-msvideo": (b".avi",),
    "video/mp2t": (b".mts", b".m2ts"),  # not .ts: by name alone that is a source file as often as a video
    "video/3gpp": (b".3gp",),
    "video/3gpp2": (b".3g2",),
    "video/x-matroska": (b".mkv",),
    "video/webm": (b".webm",),
}
_BY_SUFFIX = {suffix: mime for mime, suffixes in _SUFFIXES.items() for suffix in suffixes}

# Cameras build these on TIFF, and only the name tells one from another.
_RAW_IN_TIFF = {"image/x-adobe-dng", "image/x-canon-cr2", "image/x-nikon-nef", "image/x-sony-arw"}

# In order: CR2 is a TIFF too. A pattern has no groups of its own: the number of the one that matched is the row's.
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (rb"\xff\xd8\xff", "image/jpeg"),
    (rb"\x89PNG\r\n\x1a\n", "image/png"),
    (rb"GIF8[79]a", "image/gif"),
    (rb"RIFF....WEBP", "image/webp"),
    (rb"II\*\0....CR\x02", "image/x-canon-cr2"),
    (rb"II[*+]\0|MM\0[*+]", "image/tiff"),
    (rb"FUJIFILMCCD-RAW ", "image/x-fuji-raf"),
    (rb"II(?:RO|RS)..\0\0|MMOR\0\0", "image/x-olympus-orf"),
    (rb"IIU\0", "image/x-panasonic-rw2"),
    (rb"RIFF....AVI ", "video/x-msvideo"),
    (rb"\x1aE\xdf\xa3.{1,64}?B\x82.{1,8}?webm", "video/webm"),  # EBML, and its DocType element (RFC 8794)
    (rb"\x1aE\xdf\xa3.{1,64}?B\x82.{1,8}?matroska", "video/x-matroska"),
    (rb"(?:G.{187}){4}G|(?:....G.{187}){4}....G", "video/mp2t"),  # a sync byte every 188, or with a time code 192
    # QuickTime before it had ftyp. The zero is the top byte of the length, which a letter beginning "The free" lacks.
    (rb"\0...(?:moov|wide|free|skip|pnot)|....mdat", "video/quicktime"),
)
_SIGNATURE = re.compile(b"|".join(b"(%s)" % pattern for pattern, _ in _SIGNATURES), re.DOTALL)

_BRANDS: dict[bytes, str] = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "image/heic"),
    **dict.fromkeys((b"mif1", b"msf1"), "image/heif"),
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    b"crx ": "image/x-canon-cr3",
    b"qt  ": "video/quicktime",
    **dict.fromkeys((b"M4V ", b"M4VH", b"M4VP"), "video/x-m4v"),
    **dict.fromkeys((b"iso%d" % number for number in range(2, 10)), "video/mp4"),
    **dict.fromkeys((b"isom", b"mp41", b"mp42", b"avc1", b"dash", b"mmp4", b"MSNV", b"XAVC"), "video/mp4"),
}
_SOUND_BRANDS = {b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B "}


def media_type(head: bytes, name: bytes) -> str | None:
    """The MIME type of the file that begins with ``head`` (``HEAD_BYTES`` of it) and is called ``name``, or None.

    Content goes first; the name decides between RAW formats that share TIFF's signature, and for content that is none
    of ours (cameras write odd things).
    """
    by_content = _media_type_by_content(head)
    by_name = media_type_by_name(name)
    if by_content is None or (by_content == "image/tiff" and by_name in _RAW_IN_TIFF):
        return by_name
    return by_content


def media_type_by_name(name: bytes) -> str | None:
    """The MIME type that the suffix of ``name`` stands for, without regard to case, or None if there is none."""
    return _BY_SUFFIX.get(os.path.splitext(name)[1].lower())


def suffix_of(mime: str) -> str:
    """The usual suffix, with its dot, of one of our MIME types; KeyError for any other."""
    return _SUFFIXES[mime][0].decode()


def _media_type_by_content(head: bytes) -> str | None:
    if head[4:8] == b"ftyp":
        return _media_type_by_brands(head)
    match = _SIGNATURE.match(head)
    return _SIGNATURES[match.lastindex - 1][1] if match and match.lastindex else None


def _media_type_by_brands(head: bytes) -> str | None:
    """Read the ``ftyp`` box: its length (4 bytes), ``ftyp``, the major brand, a version, then the compatible brands."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    major = head[8:12]
    compatible = [head[start : start + 4] for start in range(16, end, 4)]
    if major in _SOUND_BRANDS:
        return None  # compatible with mp42, yet no video
    if major.startswith(b"3g"):
        return "video/3gpp2" if major.startswith(b"3g2") else "video/3gpp"
    if _BRANDS.get(major) == "image/heif":
        # mif1 and msf1 say how the file is built; any other image brand says with what it is coded.
        codecs = [brand for brand in compatible if _BRANDS.get(brand) in ("image/heic", "image/avif")]
        return _BRANDS[(codecs or [major])[0]]
    return next((_BRANDS[brand] for brand in (major, *compatible) if brand in _BRANDS), None)


class CopyFault(OSError):
    """What was read could not be written to its copy."""


def digest(
    fd: int,
    algorithms: Iterable[str],
    *,
    size_hint: int = 0,
    copy_to: int | None = None,
    on_block: Callable[[int], None] | None = None,
) -> tuple[int, dict[str, str]]:
    """Read a file from its start to its end, once, and return its length in bytes and ``{algorithm: hex digest}``.

    ``fd`` is open for reading and seekable; its position is neither used nor moved. ``algorithms`` are hashlib's names.
    ``size_hint`` is the length in bytes that fstat told (0: unknown): it saves memory and a call for small files, and a
    wrong one changes nothing else. ``copy_to`` is a descriptor that every block is written to. ``on_block`` is called
    with the length of every block once it is digested and written; what it raises comes through, as OSError does
    (CopyFault from writing).
    """
    # A digest here names bytes and guards nothing, so a FIPS build may still make the MD5 that a server asks for.
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    total = 0
    with contextlib.closing(_blocks_ahead(fd) if size_hint >= _AHEAD_BYTES else _blocks(fd, size_hint)) as blocks:
        for block in blocks:
            for running in hashes.values():
                running.update(block)
            if copy_to is not None:
                _write(copy_to, block)
            total += len(block)
            if on_block is not None:
                on_block(len(block))
    return total, {name: running.hexdigest() for name, running in hashes.items()}


def _blocks(fd: int, size_hint: int) -> Generator[memoryview]:
    """What is in a file, each block valid until the next."""
    # One byte more than expected: a read that leaves it empty has also seen the end. Never tiny, should the file grow.
    capacity = min(BLOCK_BYTES, max(size_hint + 1, 1 << 16)) if size_hint else BLOCK_BYTES
    buffer = memoryview(bytearray(capacity))
    total = 0
    while length := os.preadv(fd, [buffer], total):
        total += length
        yield buffer[:length]
        if total == size_hint and length < capacity:
            break


def _blocks_ahead(fd: int) -> Generator[memoryview]:
    """The same, while another thread reads the next one."""
    from concurrent.futures import ThreadPoolExecutor

    buffers = [memoryview(bytearray(BLOCK_BYTES)) for _ in range(2)]
    total = 0
    with ThreadPoolExecutor(1, "reader") as reader:
        ahead = reader.submit(os.preadv, fd, [buffers[0]], 0)
        for turn in itertools.cycle((0, 1)):
            length = ahead.result()
            if not length:
                break
            total += length
            ahead = reader.submit(os.preadv, fd, [buffers[1 - turn]], total)
            yield buffers[turn][:length]


def _write(fd: int, block: memoryview) -> None:
    try:
        while block:
            block = block[os.write(fd, block) :]
    except OSError as error:
        raise CopyFault(error.errno, error.strerror) from error
