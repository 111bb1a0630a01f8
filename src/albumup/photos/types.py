"""The table of photo and video types, with their suffixes and signatures.

Sources of the signatures: each format's specification; for RAW formats, ExifTool, dcraw and libraw,
which document what cameras write; for ISO/IEC 14496-12 files, the brands registered at mp4ra.org.
RAW types have no registered names: these are the names in servers' own tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct


class Kind(StrEnum):
    """The kinds of media."""

    RAW = "RAW"
    PICTURE = "picture"
    VIDEO = "video"


class MediaType(Struct, frozen=True):
    """One type, in one row of the table.

    ``suffixes``: the usual one first. ``content``: a regular expression for the first bytes.
    ``brands``: of the ``ftyp`` box. ``within``: types whose content looks the same, so that only
    the suffix tells this one apart. ``weak``: the content proves nothing under an unknown suffix.
    """

    mime: str
    kind: Kind
    words: str
    suffixes: tuple[str, ...]
    content: bytes = b""
    brands: tuple[bytes, ...] = ()
    within: tuple[str, ...] = ()
    weak: bool = False


def _type(
    mime: str,
    kind: Kind,
    words: str,
    suffixes: str,
    content: bytes = b"",
    *,
    brands: bytes = b"",
    within: str = "",
    weak: bool = False,
) -> MediaType:
    padded = tuple(brand.ljust(4) for brand in brands.split())
    return MediaType(
        mime, kind, words, tuple(suffixes.split()), content, padded, tuple(within.split()), weak
    )


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_TIFF, _PANASONIC, _OLYMPUS = "image/tiff", "image/x-panasonic-rw2", "image/x-olympus-orf"
_RAW, _PICTURE, _VIDEO = Kind.RAW, Kind.PICTURE, Kind.VIDEO

# Where two patterns match, the upper row counts (CR2 is a TIFF, too). Patterns must not have
# capturing groups.
TYPES: tuple[MediaType, ...] = (
    _type("image/jpeg", _PICTURE, "JPEG", ".jpg .jpeg .jpe .mpo .insp", rb"\xff\xd8\xff"),
    _type(
        "image/heic", _PICTURE, "HEIC", ".heic .heics",
        brands=b"heic heix heim heis hevc hevx hevm hevs",
    ),
    _type("image/heif", _PICTURE, "HEIF", ".heif .hif .heifs", brands=b"mif1 msf1 mif2 miaf MiHE"),
    _type("image/avif", _PICTURE, "AVIF", ".avif .avifs", brands=b"avif avis"),
    _type("image/png", _PICTURE, "PNG", ".png", rb"\x89PNG\r\n\x1a\n"),
    _type("image/webp", _PICTURE, "WebP", ".webp", rb"RIFF....WEBP"),
    _type("image/gif", _PICTURE, "GIF", ".gif", rb"GIF8[79]a"),
    _type("image/jxl", _PICTURE, "JPEG XL", ".jxl", rb"\0\0\0\x0cJXL \r\n\x87\n"),
    _type("image/jxl", _PICTURE, "JPEG XL", ".jxl", rb"\xff\x0a", weak=True),
    _type(
        "image/jpx", _PICTURE, "JPEG 2000, extended", ".jpx .jpf",
        rb"\0\0\0\x0cjP(?:  |\x1a\x1a)\r\n\x87\n....ftypjpx ", brands=b"jpx",
    ),
    _type(
        "video/mj2", _VIDEO, "Motion JPEG 2000", ".mj2 .mjp2",
        rb"\0\0\0\x0cjP  \r\n\x87\n....ftypmjp2",
    ),
    _type(
        "image/jp2", _PICTURE, "JPEG 2000", ".jp2 .j2k .j2c .jpc .jpm",
        rb"\0\0\0\x0cjP(?:  |\x1a\x1a)\r\n\x87\n|\xffO\xffQ\0",
    ),
    _type(
        "image/bmp", _PICTURE, "BMP", ".bmp .dib",
        # The last bytes are the size of a known header.
        rb"BM.{8}...\0[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    ),
    _type("image/vnd.adobe.photoshop", _PICTURE, "Photoshop", ".psd .psb", rb"8BPS\0[\x01\x02]"),
    _type("image/vnd.fpx", _PICTURE, "FlashPix", ".fpx"),
    _type("image/x-photo-cd", _PICTURE, "Photo CD", ".pcd"),
    _type(
        "image/x-sony-pmp", _PICTURE, "Sony before 1998", ".pmp",
        rb".{8}\0\0\0\x7c.{112}\xff\xd8\xff",
    ),
    _type("image/x-lytro-lfp", _PICTURE, "Lytro", ".lfp .lfr", rb"\x89LFP\r\n\x1a\n"),
    # Cameras' RAW formats.
    _type("image/x-canon-cr2", _RAW, "Canon RAW", ".cr2", rb"II\*\0....CR\x02", within=_TIFF),
    _type("image/x-canon-cr3", _RAW, "Canon RAW", ".cr3", brands=b"crx"),
    _type("image/x-canon-crw", _RAW, "Canon RAW", ".crw", rb"(?:II|MM).{4}HEAPCCDR"),
    _type(_PANASONIC, _RAW, "Panasonic RAW", ".rw2", rb"IIU\0"),
    _type(
        "image/x-panasonic-raw", _RAW, "Panasonic, Leica, Kyocera RAW", ".raw",
        rb".{25}ARECOYK", within=f"{_PANASONIC} {_TIFF}",
    ),
    _type("image/x-leica-rwl", _RAW, "Leica RAW", ".rwl", within=f"{_PANASONIC} {_TIFF}"),
    _type("image/x-adobe-dng", _RAW, "DNG", ".dng", within=_TIFF),
    _type("image/x-gopro-gpr", _RAW, "GoPro RAW", ".gpr", within=_TIFF),
    _type("image/x-nikon-nef", _RAW, "Nikon RAW", ".nef", within=_TIFF),
    _type("image/x-nikon-nrw", _RAW, "Nikon RAW", ".nrw", within=_TIFF),
    _type("image/x-sony-arw", _RAW, "Sony RAW", ".arw", within=_TIFF),
    _type("image/x-sony-sr2", _RAW, "Sony RAW", ".sr2", within=_TIFF),
    _type("image/x-sony-srf", _RAW, "Sony RAW", ".srf", within=_TIFF),
    _type("image/x-samsung-srw", _RAW, "Samsung RAW", ".srw", within=_TIFF),
    _type("image/x-pentax-pef", _RAW, "Pentax RAW", ".pef .ptx", within=_TIFF),
    _type("image/x-fuji-raf", _RAW, "Fujifilm RAW", ".raf", rb"FUJIFILMCCD-RAW "),
    _type(
        _OLYMPUS, _RAW, "Olympus, OM System RAW", ".orf",
        rb"II(?:RO|RS)..\0\0|MMOR\0\0", within=_TIFF,
    ),
    _type(
        "image/x-olympus-ori", _RAW, "Olympus, OM System RAW", ".ori",
        within=f"{_OLYMPUS} {_TIFF}",
    ),
    _type("image/x-minolta-mrw", _RAW, "Minolta RAW", ".mrw .mdc", rb"\0MR[MI]"),
    _type("image/x-sigma-x3f", _RAW, "Sigma RAW", ".x3f", rb"FOVb"),
    _type("image/x-hasselblad-3fr", _RAW, "Hasselblad RAW", ".3fr", within=_TIFF),
    _type("image/x-hasselblad-fff", _RAW, "Hasselblad, Imacon RAW", ".fff", within=_TIFF),
    _type("image/x-phaseone-iiq", _RAW, "Phase One RAW", ".iiq", within=_TIFF),
    _type("image/x-phaseone-cap", _RAW, "Phase One RAW", ".cap", within=_TIFF),
    _type("image/x-phaseone-eip", _RAW, "Phase One RAW", ".eip"),
    _type("image/x-leaf-mos", _RAW, "Leaf RAW", ".mos", within=_TIFF),
    _type("image/x-mamiya-mef", _RAW, "Mamiya RAW", ".mef", within=_TIFF),
    _type("image/x-epson-erf", _RAW, "Epson RAW", ".erf", within=_TIFF),
    _type("image/x-kodak-dcr", _RAW, "Kodak RAW", ".dcr .dcs .drf", within=_TIFF),
    _type("image/x-kodak-k25", _RAW, "Kodak RAW", ".k25", within=_TIFF),
    _type("image/x-kodak-kdc", _RAW, "Kodak RAW", ".kdc .kc2", within=_TIFF),
    _type("image/x-casio-bay", _RAW, "Casio RAW", ".bay", within=_TIFF),
    _type("image/x-logitech-pxn", _RAW, "Logitech RAW", ".pxn"),
    _type("image/x-rawzor", _RAW, "Rawzor RAW", ".rwz", rb"rawzor"),
    _type(
        "image/x-arriflex-ari", _RAW, "ARRI RAW", ".ari .arx",
        rb"ARRI\x12\x34\x56\x78|ARRI\x78\x56\x34\x12",
    ),
    _type("image/x-phantom-cin", _RAW, "Phantom RAW", ".cin"),
    _type(_TIFF, _PICTURE, "TIFF", ".tif .tiff", rb"II[*+]\0|MM\0[*+]"),
    # Videos.
    _type(
        "video/mp4", _VIDEO, "MPEG-4", ".mp4 .insv .360 .mp4v",
        brands=b"isom iso2 iso3 iso4 iso5 iso6 iso7 iso8 iso9 isoa isob isoc mp41 mp42 avc1 hvc1"
        b" dash mmp4 MSNV XAVC SDV piff isml caqv pana niko"
        b" NDSC NDSH NDSM NDSP NDSS NDXC NDXH NDXM NDXP NDXS",
    ),
    _type("video/x-m4v", _VIDEO, "MPEG-4 (Apple)", ".m4v", brands=b"M4V M4VH M4VP"),
    _type("video/x-f4v", _VIDEO, "Flash MPEG-4", ".f4v", brands=b"F4V f4v F4P"),
    _type(
        "video/quicktime", _VIDEO, "QuickTime", ".mov .qt",
        # QuickTime without ftyp. The zero is the top byte of the box's length, and keeps out texts
        # ("The free ...").
        rb"\0...(?:moov|wide|free|skip|pnot)|....mdat", brands=b"qt mqt",
    ),
    _type(
        "video/x-canon-crm", _VIDEO, "Canon Cinema RAW Light", ".crm",
        within="image/x-canon-cr3",
    ),
    _type("video/x-braw", _VIDEO, "Blackmagic RAW", ".braw", within="video/quicktime"),
    _type("video/x-r3d", _VIDEO, "RED RAW", ".r3d", rb"\0\0..RED[12]"),
    _type("video/3gpp2", _VIDEO, "3GPP2", ".3g2 .3gp2"),
    _type("video/3gpp", _VIDEO, "3GPP", ".3gp .3gpp"),
    _type("video/x-msvideo", _VIDEO, "AVI", ".avi .divx", rb"RIFF....AVI[ X]"),
    # EBML (RFC 8794), with its document type.
    _type("video/webm", _VIDEO, "WebM", ".webm", rb"\x1aE\xdf\xa3.{1,64}?B\x82.{1,8}?webm"),
    _type(
        "video/x-matroska", _VIDEO, "Matroska", ".mkv .mk3d",
        rb"\x1aE\xdf\xa3.{1,64}?B\x82.{1,8}?matroska",
    ),
    _type(
        "video/mp2t", _VIDEO, "MPEG-2 transport stream, AVCHD", ".mts .m2ts .m2t",
        # A sync byte every 188 bytes, or 192 with time codes.
        rb"(?:G.{187}){4}G|(?:....G.{187}){4}....G",
    ),
    _type(
        "video/mpeg", _VIDEO, "MPEG-1, MPEG-2, DVD", ".mpg .mpeg .mpe .vob .m2v .m1v .m2p .mpv",
        rb"\0\0\x01\xba[\x20-\x2f\x40-\x7f]|\0\0\x01\xb3|RIFF....CDXA",
    ),
    _type(
        "application/mxf", _VIDEO, "MXF", ".mxf",
        rb"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02",
    ),
    _type("video/x-ms-wmv", _VIDEO, "Windows Media", ".wmv", within="video/x-ms-asf"),
    _type(
        "video/x-ms-asf", _VIDEO, "Windows Media", ".asf",
        rb"0&\xb2u\x8ef\xcf\x11\xa6\xd9\0\xaa\0b\xcel",
    ),
    _type("video/x-flv", _VIDEO, "Flash", ".flv", rb"FLV\x01"),
    _type("video/x-dv", _VIDEO, "DV", ".dv", rb"\x1f\x07\0[\x3f\xbf]"),
    _type("video/ogg", _VIDEO, "Ogg Theora", ".ogv .ogm", rb"OggS.{24}\x80theora"),
)  # fmt: skip

NOT_BY_SUFFIX = _set(".ts .mod .tod")
"""Suffixes of videos that are as frequent among other files (TypeScript, music, text): only the
content decides."""

TEXT_SUFFIXES = _set(".mts .m2ts .m2t .cap")
"""Suffixes that texts have, too (TypeScript's modules, captions): such a text is not media."""

LOOSE_SUFFIXES = _set(".raw .bay .cap .mos")
"""Suffixes of RAW files of several makers and formats, which may begin with any bytes."""

AUDIO_SUFFIXES = _set(
    ".3ga .aac .aif .aiff .amr .asx .au .flac .m4a .m4b .m4p .m4r .mka .mp2 .mp3 .oga .ogg .opus "
    ".ra .wav .weba .wma"
)
"""Files with these suffixes are not videos, whatever their content looks like: audio and video
share containers."""

AUDIO_BRANDS = frozenset({b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B "})
"""Brands of audio files, which name a video's brand, too."""

MAYBE = _set(".amv .cine .dpx .exr .jng .jxr .livp .mng .mod .qtk .rm .rmvb .tga .tod .wdp .xcf")
"""Suffixes of other pictures and clips: not taken by name; verify wants proof of them."""

ALIKE: tuple[frozenset[str], ...] = (
    frozenset({"image/heic", "image/heif", "image/avif"}),
    frozenset({"image/jp2", "image/jpx", "video/mj2"}),
    _set(
        "video/mp4 video/x-m4v video/quicktime video/3gpp video/3gpp2 video/x-f4v video/x-braw"
        " image/x-canon-cr3 video/x-canon-crm"
    ),
    frozenset({"video/webm", "video/x-matroska"}),
    frozenset({"video/mpeg", "video/mp2t"}),
    frozenset({"video/x-ms-asf", "video/x-ms-wmv"}),
)
"""Types that share a container: a file of one type with a suffix of another is not odd."""


class Row(NamedTuple):
    """A row of the table in the manual."""

    words: str
    suffixes: tuple[str, ...]
    mime: str
    kind: str
    """``photo`` or ``video``."""
    told_by: str
    """``content``, ``suffix``, or both if the type shares its content with another."""


def rows() -> Iterator[Row]:
    """The manual's table: pictures, RAW types, then videos, each sorted by suffix."""
    first = {kind: number for number, kind in enumerate((Kind.PICTURE, Kind.RAW, Kind.VIDEO))}
    for one in sorted(TYPES, key=lambda one: (first[one.kind], one.suffixes)):
        if not one.weak:
            kind = "video" if one.kind is Kind.VIDEO else "photo"
            yield Row(one.words, one.suffixes, one.mime, kind, _told_by(one))


def _told_by(one: MediaType) -> str:
    by_content = bool(one.content or one.brands) or one.mime in ("video/3gpp", "video/3gpp2")
    if by_content and one.within in ((), (_TIFF,)):  # the first Olympus cameras write plain TIFF
        return "content"
    return "content and suffix" if one.within else "suffix"
