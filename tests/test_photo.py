"""What albumup.photos says of a file: its type and its digests."""

from __future__ import annotations

import hashlib
import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albumup.photos import digests, sniffing, types

PHOTOS = Path(__file__).parent / "photos"

TYPES = {
    "photo.jpg": "image/jpeg",
    "photo.heic": "image/heic",
    "photo.heif": "image/heif",
    "photo.png": "image/png",
    "photo.webp": "image/webp",
    "photo.avif": "image/avif",
    "photo.gif": "image/gif",
    "photo.tif": "image/tiff",
    "photo.dng": "image/x-adobe-dng",
    "photo.cr2": "image/x-canon-cr2",
    "photo.cr3": "image/x-canon-cr3",
    "photo.nef": "image/x-nikon-nef",
    "photo.arw": "image/x-sony-arw",
    "photo.raf": "image/x-fuji-raf",
    "photo.orf": "image/x-olympus-orf",
    "photo.rw2": "image/x-panasonic-rw2",
    "video.mp4": "video/mp4",
    "video.mov": "video/quicktime",
    "old.mov": "video/quicktime",
    "video.m4v": "video/x-m4v",
    "video.avi": "video/x-msvideo",
    "video.mts": "video/mp2t",
    "video.m2ts": "video/mp2t",
    "video.3gp": "video/3gpp",
    "video.3g2": "video/3gpp2",
    "video.mkv": "video/x-matroska",
    "video.webm": "video/webm",
}
TOLD_BY_NAME = {"photo.dng", "photo.nef", "photo.arw"}

ROWS = list(types.rows())
EVERY = {f"{row.kind}.{row.suffixes[0][1:]}": row for row in ROWS}


def head_of(name: str) -> bytes:
    return (PHOTOS / name).read_bytes()[: sniffing.HEAD_BYTES]


def ftyp(*brands: bytes) -> bytes:
    """The start of a file whose major brand comes first, the compatible ones after it."""
    content = brands[0] + bytes(4) + b"".join(brands[1:])
    return (8 + len(content)).to_bytes(4, "big") + b"ftyp" + content + b"\0\0\0\x08mdat"


@pytest.mark.parametrize(("name", "mime"), TYPES.items())
def test_every_type_is_told_with_its_own_name(name: str, mime: str) -> None:
    assert sniffing.media_type(head_of(name), name.upper().encode()) == mime


@pytest.mark.parametrize("name", sorted(TYPES.keys() - TOLD_BY_NAME))
def test_content_decides_without_a_name_and_against_it(name: str) -> None:
    assert sniffing.media_type(head_of(name), b"IMG_0001") == TYPES[name]
    other = b"IMG_0001.GIF" if name != "photo.gif" else b"IMG_0001.PNG"
    assert sniffing.media_type(head_of(name), other) == TYPES[name]


@pytest.mark.parametrize("name", EVERY)
def test_there_is_a_file_of_every_type_and_it_is_told_as_the_table_says(name: str) -> None:
    row, head = EVERY[name], head_of(name)
    assert sniffing.media_type(head, f"IMG_1{row.suffixes[0]}".encode()) == row.mime
    assert sniffing.judged(head, name.encode())[1] == ""
    by_content = sniffing.media_type(head, b"IMG_0001")
    match row.told_by:
        case "content":
            assert by_content == row.mime
        case "suffix":
            assert by_content is None
        case _:
            assert by_content is not None
            assert (by_content == row.mime) is (
                name == "photo.raw"
            )  # Kyocera's has a head of its own


def test_every_fixture_is_in_the_table() -> None:
    fixtures = {
        path.name
        for path in PHOTOS.iterdir()
        if path.is_file() and path.suffix not in (".py", ".md")
    }
    assert fixtures == TYPES.keys() | EVERY.keys() | {"no_date.jpg", "no_offset.jpg"}


@pytest.mark.parametrize("name", sorted(TOLD_BY_NAME))
def test_raw_built_on_tiff_is_a_tiff_by_any_other_name(name: str) -> None:
    assert sniffing.media_type(head_of(name), b"scan.tif") == "image/tiff"
    assert sniffing.media_type(head_of(name), b"scan") == "image/tiff"
    assert sniffing.media_type(head_of(name), b"scan.jpg") == "image/tiff"


def test_big_endian_and_big_tiff() -> None:
    assert sniffing.media_type(b"MM\0*\0\0\0\x08", b"a.NEF") == "image/x-nikon-nef"
    assert sniffing.media_type(b"MM\0*\0\0\0\x08", b"a") == "image/tiff"
    assert sniffing.media_type(b"II+\0\x08\0\0\0", b"a") == "image/tiff"


@pytest.mark.parametrize(
    ("brands", "mime"),
    [
        *(
            ((brand,), "image/heic")
            for brand in (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis")
        ),
        ((b"mif1",), "image/heif"),
        ((b"msf1",), "image/heif"),
        ((b"mif1", b"mif1", b"heic"), "image/heic"),
        ((b"mif1", b"miaf", b"avif"), "image/avif"),
        ((b"msf1", b"iso8", b"hevc"), "image/heic"),
        ((b"avis", b"msf1", b"iso8"), "image/avif"),
        ((b"heic", b"mif1", b"avif"), "image/heic"),
        ((b"XAVC",), "video/mp4"),
        ((b"iso9",), "video/mp4"),
        ((b"NEW!", b"mp42"), "video/mp4"),
        ((b"qt  ", b"qt  "), "video/quicktime"),
        ((b"isom", b"iso2", b"mp41"), "video/mp4"),
        ((b"3gp5", b"isom"), "video/3gpp"),
        ((b"3g2a", b"isom"), "video/3gpp2"),
        ((b"M4A ", b"mp42", b"isom"), None),
        ((b"????", b"!!!!"), None),
    ],
)
def test_brands(brands: tuple[bytes, ...], mime: str | None) -> None:
    assert sniffing.media_type(ftyp(*brands), b"IMG_0001") == mime


def test_brands_end_with_their_box() -> None:
    beyond = ftyp(b"????") + b"heicheicheic"
    assert sniffing.media_type(beyond, b"IMG_0001") is None


@pytest.mark.parametrize(
    "head",
    [b"\0\0\0\x08wide", b"\0\0\x02\0moov", b"\0\0\0\x08free", b"\0\0\0\x08skip", b"1234mdat"],
)
def test_quicktime_before_ftyp(head: bytes) -> None:
    assert sniffing.media_type(head, b"IMG_0001") == "video/quicktime"


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"The free software definition",
        b"So, skip this",
        b"MMORPG guide",
        b"Good day\n" * 100,
        b"GIF89 is a format",
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"%PDF-1.7",
        b"PK\x03\x04",
        b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84none",
    ],
)
def test_what_is_no_media(head: bytes) -> None:
    assert sniffing.media_type(head, b"notes.txt") is None


def test_odd_content_goes_by_its_name() -> None:
    assert sniffing.media_type(b"\0" * 64, b"IMG_0001.JPG") == "image/jpeg"
    assert sniffing.media_type(b"", b"CLIP.Mp4") == "video/mp4"
    assert sniffing.media_type(ftyp(b"????"), b"CLIP.MOV") == "video/quicktime"


@pytest.mark.parametrize(
    ("name", "mime"),
    [
        (b"a.jpeg", "image/jpeg"),
        (b"a.JPE", "image/jpeg"),
        (b"a.HIF", "image/heif"),
        (b"a.tiff", "image/tiff"),
        (b"b\xff.m2TS", "video/mp2t"),
        (b"main.ts", None),
        (b"a.jpg.txt", None),
        (b".jpg", None),
        (b"jpg", None),
        (b"/trip/IMG.JPG", "image/jpeg"),
    ],
)
def test_type_by_name(name: bytes, mime: str | None) -> None:
    assert sniffing.media_type_by_name(name) == mime


def test_a_suffix_leads_back_to_its_type() -> None:
    for mime in set(TYPES.values()):
        suffix = sniffing.suffix_of(mime)
        assert suffix.startswith(".")
        assert sniffing.media_type_by_name(b"a" + suffix.encode()) == mime
    assert sniffing.suffix_of("image/jpeg") == ".jpg"
    with pytest.raises(KeyError):
        sniffing.suffix_of("text/plain")


TIFF_HEADS = (b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08")
ON_TIFF = (
    "3fr arw cap cr2 dcr dng erf fff gpr iiq k25 kdc mef mos nef nrw orf ori pef ptx raw rwl "
    "sr2 srf srw"
)
ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
MORE_HEADS = {
    "IMG_1.CRW": (b"II\x1a\0\0\0HEAPCCDR\2\0\1\0", "image/x-canon-crw"),
    "PICT1.MRW": (b"\0MRM\0\0\1\0\0PRD", "image/x-minolta-mrw"),
    "SDIM1.X3F": (b"FOVb\2\0\2\0", "image/x-sigma-x3f"),
    "KICX1.RAW": (bytes(25) + b"ARECOYK\0", "image/x-panasonic-raw"),
    "a.jxl": (b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl ", "image/jxl"),
    "b.jxl": (b"\xff\x0a\xfa\x1f\x01", "image/jxl"),
    "a.jp2": (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ", "image/jp2"),
    "a.jpx": (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjpx ", "image/jpx"),
    "a.mj2": (b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypmjp2", "video/mj2"),
    "a.j2c": (b"\xffO\xffQ\0\x2f\0\0", "image/jp2"),
    "a.bmp": (b"BM\xfe\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", "image/bmp"),
    "a.psd": (b"8BPS\0\1\0\0\0\0\0\0\0\3", "image/vnd.adobe.photoshop"),
    "a.psb": (b"8BPS\0\2\0\0\0\0\0\0\0\3", "image/vnd.adobe.photoshop"),
    "MOV1.MPG": (b"\0\0\1\xba\x44\0\4\0", "video/mpeg"),
    "OLD.MPG": (b"\0\0\1\xba\x21\0\1\0", "video/mpeg"),
    "AVSEQ01.MPG": (b"RIFF\x24\0\0\0CDXAfmt ", "video/mpeg"),
    "a.m2v": (b"\0\0\1\xb3\x2d\x01\xe0\x24", "video/mpeg"),
    "A001.MXF": (bytes.fromhex("060e2b34020501010d01020101020400"), "application/mxf"),
    "a.wmv": (ASF, "video/x-ms-wmv"),
    "a.asf": (ASF, "video/x-ms-asf"),
    "a.ogv": (b"OggS\0\2" + bytes(20) + b"\1\x2a\x80theora\3", "video/ogg"),
    "PSN1.PMP": (bytes(8) + b"\0\0\0\x7c" + bytes(112) + b"\xff\xd8\xff\xdb", "image/x-sony-pmp"),
    "a.lfp": (b"\x89LFP\r\n\x1a\n\0\0\0\1", "image/x-lytro-lfp"),
    "a.flv": (b"FLV\1\5\0\0\0\x09", "video/x-flv"),
    "a.dv": (b"\x1f\7\0\x3f\x68\x78\x78\x78", "video/x-dv"),
    "a.r3d": (b"\0\0\1\0RED1", "video/x-r3d"),
    "P1.RW2": (b"IIU\0\x18\0\0\0", "image/x-panasonic-rw2"),
    "L1.RWL": (b"IIU\0\x18\0\0\0", "image/x-leica-rwl"),
    "P1.RAW": (b"IIU\0\x18\0\0\0", "image/x-panasonic-raw"),
    "IMG.INSP": (b"\xff\xd8\xff\xe1", "image/jpeg"),
    "VID.INSV": (ftyp(b"avc1", b"isom"), "video/mp4"),
    "GS01.360": (ftyp(b"mp41", b"mp41"), "video/mp4"),
    "C.CRM": (ftyp(b"crx ", b"isom"), "video/x-canon-crm"),
    "B.BRAW": (b"\0\0\0\x08wide", "video/x-braw"),
}
SUFFIX_TELLS = {"L1.RWL", "P1.RAW", "C.CRM", "B.BRAW", "a.wmv"}


@pytest.mark.parametrize("suffix", ON_TIFF.split())
@pytest.mark.parametrize("head", TIFF_HEADS)
def test_raw_that_is_a_tiff_by_content_is_told_by_its_suffix(suffix: str, head: bytes) -> None:
    mime = sniffing.media_type(head, b"IMG_1." + suffix.upper().encode())
    assert mime == sniffing.media_type_by_name(b"a." + suffix.encode())
    assert mime not in (None, "image/tiff")
    assert sniffing.judged(head, b"a." + suffix.encode())[1] == ""


@pytest.mark.parametrize("name", MORE_HEADS)
def test_what_else_cameras_and_programs_write(name: str) -> None:
    head, mime = MORE_HEADS[name]
    assert sniffing.media_type(head, name.encode()) == mime
    assert sniffing.judged(head, name.encode())[1] == ""
    if name not in SUFFIX_TELLS:
        assert sniffing.media_type(head, b"IMG_0001") == mime


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\xff\x0a\xfa\x1f\x01", b"data.bin"),
        (b"BMW is a make of cars, and more is written here.", b"cars"),
        (b"8BPS is how it begins", b"a"),
        (b"OggS\0\2" + bytes(20) + b"\1\x1e\1vorbis", b"a.ogg"),
        (b"\0\0\1\xbb\x44", b"a"),
        (b"\x1f\7\0\0", b"a"),
        (b"export const x = 1;\n" * 20, b"index.d.mts"),
        (b"export const x = 1;\n" * 20, b"index.ts"),
        ("import x from 'y' // \u20ac\n".encode() * 20, b"a.M2TS"),
        (b"\xff\xfe/\0/\0 \0h\0i\0", b"a.mts"),
        (ASF, b"song.wma"),
        (ftyp(b"isom", b"mp42"), b"memo.m4a"),
        (ftyp(b"3gp4", b"isom"), b"memo.3ga"),
        (b"ID3\3\0", b"song.mp3"),
        (b"%PDF-1.5", b"drawing.ai"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", b"drawing.eps"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"drawing.svg"),
    ],
)
def test_what_only_looks_like_media(head: bytes, name: bytes) -> None:
    assert sniffing.media_type(head, name) is None


def test_a_transport_stream_is_one_whatever_its_name() -> None:
    stream = (b"G" + bytes(187)) * 6
    assert sniffing.media_type(stream[: sniffing.HEAD_BYTES], b"CLIP.ts") == "video/mp2t"
    assert (
        sniffing.media_type(bytes(sniffing.HEAD_BYTES), b"CLIP.MTS") == "video/mp2t"
    )  # damaged, and no text


@pytest.mark.parametrize(
    ("head", "name", "words"),
    [
        (b"Not found", b"a.jpg", "it holds text"),
        (bytes(900), b"a.MP4", "it holds zeros"),
        (bytes(900), b"a.fpx", "it holds zeros"),
        (b"\x89PNG\r\n\x1a\n", b"DSC.JPG", "it holds PNG"),
        (b"\1\2\3\4", b"a.jpg", "it holds no JPEG"),
        (b"\1\2\3\4", b"a.nef", "it holds no Nikon RAW"),
        (b"\1\2\3\4", b"a.fpx", ""),
        (b"\1\2\3\4", b"a.raw", ""),
        (b"\0\0\0\x20uuid\xff", b"a.mov", ""),
        (b"\0\0\0\x20\1\2\3\4", b"a.mov", "it holds no QuickTime"),
        (b"lines of it", b"a.raw", "it holds text"),
        ("пусто".encode(), b"a.jpg", "it holds no JPEG"),
        ("тут пусто".encode(), b"a.jpg", "it holds text"),
        (b"\xff" * 900, b"a.pcd", ""),
        (b"II*\0\x08\0\0\0", b"a.nef", ""),
        (ftyp(b"qt  "), b"a.mp4", ""),
        (ftyp(b"????"), b"a.mp4", ""),
        (ftyp(b"mif1", b"avif"), b"a.heif", ""),
        (b"anything", b"notes.txt", ""),
    ],
)
def test_content_that_is_not_what_the_name_says_is_told(
    head: bytes, name: bytes, words: str
) -> None:
    assert sniffing.judged(head, name)[1] == words


def test_the_table_has_every_suffix_once_and_says_how_each_type_is_told() -> None:
    listed = [suffix for row in types.rows() for suffix in row.suffixes]
    assert len(listed) == len(set(listed)) > 100
    assert not set(listed) & (types.MAYBE | types.AUDIO_SUFFIXES | types.NOT_BY_SUFFIX)
    assert types.TEXT_SUFFIXES.issubset(listed)
    told_by = {row.mime: row.told_by for row in types.rows()}
    assert (
        told_by["image/jpeg"] == told_by["image/x-canon-cr2"] == told_by["video/3gpp"] == "content"
    )
    assert told_by["image/x-nikon-nef"] == told_by["video/x-ms-wmv"] == "content and suffix"
    assert told_by["image/vnd.fpx"] == "suffix"


# Suffixes of the list that an Immich server gives out (3.0.3, server/src/utils/mime-types.ts), but
# for .svg and .ts.
IMMICH = (
    "3fr ari arw cap cin cr2 cr3 crw dcr dng erf fff iiq k25 kdc mrw nef nrw orf ori pef psd raf "
    "raw rw2 rwl sr2 srf srw x3f "
    "avif bmp gif jpeg jpg png webp heic heif hif insp jp2 jpe jxl mpo tif tiff "
    "3gp 3gpp avi flv insv m2t m2ts m4v mkv mov mp4 mpe mpeg mpg mts mxf vob webm wmv"
)


@pytest.mark.parametrize("suffix", IMMICH.split())
def test_what_immich_takes_is_known(suffix: str) -> None:
    assert sniffing.media_type_by_name(b"a." + suffix.encode()) is not None


# --- digests --------------------------------------------------------------------------------------

MIB = digests.BLOCK_BYTES


@pytest.fixture
def source(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    path = tmp_path / "source"
    path.touch()
    fd = os.open(path, os.O_RDONLY)
    yield path, fd
    os.close(fd)


def expected(data: bytes, *names: str) -> tuple[int, dict[str, str]]:
    return len(data), {name: hashlib.new(name, data).hexdigest() for name in names}


@pytest.mark.parametrize(
    "size", [0, 1, 30_000, (1 << 16) - 1, 1 << 16, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB + 7]
)
@pytest.mark.parametrize("hint", ["exact", "none", "short", "long"])
def test_digests_of_every_length_whatever_the_hint(
    source: tuple[Path, int], size: int, hint: str
) -> None:
    path, fd = source
    data = random.Random(size).randbytes(size)
    path.write_bytes(data)
    size_hint = {"exact": size, "none": 0, "short": size // 2, "long": size * 2 + 1}[hint]
    blocks: list[int] = []
    result = digests.digest(
        fd, ["sha256", "sha1", "md5"], size_hint=size_hint, on_block=blocks.append
    )
    assert result == expected(data, "sha256", "sha1", "md5")
    assert sum(blocks) == size
    assert max(blocks, default=0) <= MIB


@pytest.mark.parametrize("size", [1, MIB - 1, MIB, 2 * MIB, 3 * MIB + 7])
def test_reading_ahead_finds_the_same(
    source: tuple[Path, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(digests, "_AHEAD_BYTES", 1)
    path, fd = source
    data = random.Random(size).randbytes(size)
    path.write_bytes(data)
    blocks: list[int] = []
    with open(tmp_path / "copy", "wb") as copy:
        copy_to = copy.fileno()
        result = digests.digest(
            fd, ["sha256", "md5"], size_hint=size, copy_to=copy_to, on_block=blocks.append
        )
    assert result == expected(data, "sha256", "md5")
    assert (tmp_path / "copy").read_bytes() == data
    assert (sum(blocks), max(blocks) <= MIB) == (size, True)


def test_reading_ahead_ends_with_its_reader(
    source: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the file cannot be read any further, or nobody wants it to be."""
    monkeypatch.setattr(digests, "_AHEAD_BYTES", 1)
    path, fd = source
    path.write_bytes(bytes(3 * MIB))
    preadv = os.preadv

    def broken(fd: int, buffers: list[memoryview], offset: int) -> int:
        if offset >= MIB:
            raise OSError(5, "Input/output error")
        return preadv(fd, buffers, offset)

    def stop(_: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        digests.digest(fd, ["sha256"], size_hint=3 * MIB, on_block=stop)
    monkeypatch.setattr(os, "preadv", broken)
    with pytest.raises(OSError, match="Input/output"):
        digests.digest(fd, ["sha256"], size_hint=3 * MIB)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("reader")]


def test_reads_from_the_start_and_leaves_the_position(source: tuple[Path, int]) -> None:
    path, fd = source
    path.write_bytes(b"0123456789")
    os.lseek(fd, 4, os.SEEK_SET)
    assert digests.digest(fd, ["sha256"]) == expected(b"0123456789", "sha256")
    assert os.lseek(fd, 0, os.SEEK_CUR) == 4


@pytest.mark.parametrize("size", [30_000, 300_000])
def test_a_small_photo_costs_one_read(
    source: tuple[Path, int], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    path, fd = source
    path.write_bytes(b"x" * size)
    calls: list[int] = []
    preadv = os.preadv

    def counted(fd: int, buffers: list[memoryview], offset: int) -> int:
        calls.append(len(buffers[0]))
        return preadv(fd, buffers, offset)

    monkeypatch.setattr(os, "preadv", counted)
    digests.digest(fd, ["sha256"], size_hint=size)
    assert len(calls) == 1
    assert calls[0] < size + 100_000  # and no mebibyte to be zeroed first


def test_short_reads_are_not_the_end(
    source: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, fd = source
    data = random.Random(1).randbytes(50_000)
    path.write_bytes(data)
    preadv = os.preadv
    monkeypatch.setattr(
        os, "preadv", lambda fd, buffers, offset: preadv(fd, [buffers[0][:1000]], offset)
    )
    for size_hint in (0, 50_000):
        assert digests.digest(fd, ["sha256"], size_hint=size_hint) == expected(data, "sha256")


def test_copies_every_block_even_if_written_in_pieces(
    source: tuple[Path, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, fd = source
    data = random.Random(2).randbytes(2 * MIB + 5)
    path.write_bytes(data)
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, block: write(fd, bytes(block[:300_000])))
    with open(tmp_path / "copy", "wb") as copy:
        result = digests.digest(fd, ["sha256"], size_hint=len(data), copy_to=copy.fileno())
    assert result == expected(data, "sha256")
    assert (tmp_path / "copy").read_bytes() == data


def test_on_block_may_abort_after_its_block_was_copied(
    source: tuple[Path, int], tmp_path: Path
) -> None:
    path, fd = source
    path.write_bytes(bytes(3 * MIB))

    def stop(length: int) -> None:
        raise InterruptedError(f"after {length}")

    with open(tmp_path / "copy", "wb") as copy:
        with pytest.raises(InterruptedError, match=f"after {MIB}"):
            digests.digest(fd, ["sha256"], copy_to=copy.fileno(), on_block=stop)
        assert os.fstat(copy.fileno()).st_size == MIB


def test_without_algorithms_it_only_counts(source: tuple[Path, int]) -> None:
    path, fd = source
    path.write_bytes(b"abc")
    assert digests.digest(fd, ()) == (3, {})


@given(st.text("a./\u00fc", max_size=8).map(str.encode))
def test_a_suffix_is_that_of_the_standard_library(name: bytes) -> None:
    assert sniffing.suffix_in(name) == os.path.splitext(name)[1].lower()
