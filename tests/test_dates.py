"""Dates as cameras write them, and the containers that we read ourselves: AVI, Matroska, AVCHD,
XMP."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albumup.photos.metadata import avchd, avi, matroska, xmp
from albumup.photos.metadata.bounded_file import BoundedFile
from albumup.photos.metadata.reader import MetadataReader
from albumup.photos.metadata.values import Metadata, moment

pytestmark = pytest.mark.usefixtures("no_exiftool")
EAST = timezone(timedelta(hours=2))


@pytest.fixture
def no_exiftool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")


def taken(folder: Path, content: bytes, mime: str = "image/jpeg") -> datetime | None:
    path = folder / "file"
    path.write_bytes(content)
    with MetadataReader() as reader:
        return reader.read(os.fsencode(path), mime).taken


def same(one: datetime | None, other: datetime | None) -> bool:
    return one == other and (one and one.utcoffset()) == (other and other.utcoffset())


# --- words ----------------------------------------------------------------------------------------

WHEN = datetime(2003, 8, 7, 18, 48, 3)
WORDS = {
    "2003:08:07 18:48:03": WHEN,
    "2003:08:07 18:48:03\0\0": WHEN,
    "2003:08:07 18:48:03\0junk": WHEN,
    " 2003:08:07 18:48:03 ": WHEN,
    "2003:08:07:18:48:03": WHEN,
    "2003:8:7 18:48:3": WHEN,
    "2003: 8: 7 18:48: 3": WHEN,
    "2003/08/07 18:48:03": WHEN,
    "2003/ 8/ 7  6:48:03PM": WHEN,
    "2003/08/07/ 18:48:03": WHEN,
    "2003-08-07 18:48:03": WHEN,
    "2003.08.07 18.48.03": WHEN,
    "2003-08-07T18:48:03": WHEN,
    "20030807T184803": WHEN,
    "2003:08:07 06:48:03 PM": WHEN,
    "2003:08:07 06:48:03 p.m.": WHEN,
    "2003:08:07 18:48:03 PM": WHEN,
    "2003:08:07 18:48": WHEN.replace(second=0),
    "2003:08:07 18:48:": WHEN.replace(second=0),
    "2003:08:07 12:48:03 AM": WHEN.replace(hour=0),
    "2003:08:07 12:48:03 PM": WHEN.replace(hour=12),
    "2003:08:07 24:48:03": WHEN.replace(hour=0),
    "2003:08:07 18:48:03.25": WHEN.replace(microsecond=250_000),
    "2003:08:07 18:48:03Z": WHEN.replace(tzinfo=UTC),
    "2003:08:07 18:48:03 UTC": WHEN.replace(tzinfo=UTC),
    "2003:08:07 18:48:03+02:00": WHEN.replace(tzinfo=EAST),
    "2003:08:07 18:48:03 +0200": WHEN.replace(tzinfo=EAST),
    "2003-08-07T18:48:03.000+02": WHEN.replace(tzinfo=EAST),
    "2003-08-07T18:48:03GMT+02:00": WHEN.replace(tzinfo=EAST),
    "2003:08:07 18:48:03+99:00": WHEN,
    "2003:08:07 18:48:03+02:75": WHEN,
    "2003:08:07 18:48:03 CEST": WHEN,
    "1970:01:01 00:00:01": datetime(1970, 1, 1, 0, 0, 1),
}
NO_MOMENT = [
    "", " ", "\0" * 20, "    :  :     :  :  ", "0000:00:00 00:00:00", "1970:01:01 00:00:00",
    "1904:01:01 00:00:00", "1970-01-01T02:00:00+02:00", "1970:01:01 00:00:00.5", "2003", "2003:08",
    "2003:08:07", "2003:08:07 18", "2003:02:31 18:48:03", "2003:13:07 18:48:03",
    "2003:00:07 18:48:03", "2003:08:07 25:48:03", "2003:08:07 18:60:03", "2003:08:07 18:48:60",
    "2003:08:07 24:48:03 PM", "2003:08:07 06:48:03 P", "2003:08:07 06:48:03 오후",
    "2003:08:07 18:48:03 and more", "2003:08:0718:48:03", "03:08:07 18:48:03",
    "07/08/2003 18:48:03", "2003:08-07 18:48:03", "9999:12:31 23:59:59", "1825:12:31 23:59:59",
    "0001:01:01 00:00:00+16:00", "٢٠٠٣:08:07 18:48:03", "2003:0?:07 18:48:03",
    "2003:08:07 18:48:03" + " " * 99_999 + "x",
]  # fmt: skip


@pytest.mark.parametrize("words", WORDS)
def test_dates_as_cameras_write_them(words: str) -> None:
    assert same(moment(words), WORDS[words])


@pytest.mark.parametrize("words", NO_MOMENT)
def test_a_date_half_read_is_none(words: str) -> None:
    assert moment(words) is None


@pytest.mark.parametrize(
    "offset", ["+99:00", "  :  ", "02:00", "+02:75", "+16:01", "\xff", "PM", "+"]
)
def test_a_broken_offset_leaves_the_date(offset: str) -> None:
    assert same(moment("2003:08:07 18:48:03", "", offset), WHEN)


# --- pictures -------------------------------------------------------------------------------------

ORIGINAL, DIGITIZED, CHANGED = 0x9003, 0x9004, 0x132


def tiff(first: dict[int, str], inner: dict[int, str] | None = None) -> bytes:
    """A TIFF of texts, and of a directory for EXIF if there is ``inner``."""
    entries, data = [*first.items()], b""
    count = len(entries) + (inner is not None)
    at = 8 + 2 + 12 * count + 4
    directory = struct.pack(">H", count)
    for tag, text in sorted(entries):
        directory += struct.pack(">HHII", tag, 2, len(text) + 1, at + len(data))
        data += text.encode() + b"\0"
    if inner is not None:
        directory += struct.pack(">HHII", 0x8769, 4, 1, at + len(data))
        texts = b""
        after = at + len(data) + 2 + 12 * len(inner) + 4
        data += struct.pack(">H", len(inner))
        for tag, text in sorted(inner.items()):
            data += struct.pack(">HHII", tag, 2, len(text) + 1, after + len(texts))
            texts += text.encode() + b"\0"
        data += bytes(4) + texts
    return b"MM\0*\0\0\0\x08" + directory + bytes(4) + data


def jpeg(*parts: bytes) -> bytes:
    """A JPEG with these application segments."""
    from io import BytesIO

    from PIL import Image

    whole = BytesIO()
    Image.new("L", (8, 8)).save(whole, "JPEG")
    segments = b"".join(b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part for part in parts)
    return b"\xff\xd8" + segments + whole.getvalue()[2:]


def exif(first: dict[int, str], inner: dict[int, str] | None = None) -> bytes:
    return b"Exif\0\0" + tiff(first, inner)


def packet(**said: str) -> bytes:
    attributes = " ".join(f'{name.replace("_", ":")}="{text}"' for name, text in said.items())
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description {attributes}/></x:xmpmeta>'.encode()
    )


def in_jpeg(**said: str) -> bytes:
    return b"http://ns.adobe.com/xap/1.0/\0" + packet(**said)


THIS, OTHER = "2003:08:07 18:48:03", "2001:01:01 01:01:01"
PICTURES: dict[str, tuple[bytes, datetime | None]] = {
    "both": (exif({}, {ORIGINAL: THIS, DIGITIZED: OTHER}), WHEN),
    "digitized alone": (exif({CHANGED: OTHER}, {DIGITIZED: THIS}), WHEN),
    "digitized, with its own offset": (
        exif({}, {DIGITIZED: THIS, 0x9011: "+05:00", 0x9012: "+02:00"}), WHEN.replace(tzinfo=EAST)
    ),
    "original in blanks": (exif({}, {ORIGINAL: "    :  :     :  :  ", DIGITIZED: THIS}), WHEN),
    "original half written": (exif({}, {ORIGINAL: "2004:06", DIGITIZED: THIS}), WHEN),
    "beside the model": (exif({ORIGINAL: THIS}), WHEN),
    "changed": (exif({CHANGED: THIS}, {}), None),
    "XMP": (in_jpeg(exif_DateTimeOriginal="2003-08-07T18:48:03+02:00"), WHEN.replace(tzinfo=EAST)),
    "XMP of Photoshop": (
        in_jpeg(xmp_CreateDate="2001-01-01T01:01:01", photoshop_DateCreated="2003-08-07T18:48:03"),
        WHEN,
    ),
    "XMP, made": (
        in_jpeg(xmp_CreateDate="2003-08-07T18:48:03", xmp_ModifyDate="2001-01-01T01:01:01"), WHEN
    ),
    "XMP, a month": (in_jpeg(photoshop_DateCreated="2003-08"), None),
}  # fmt: skip


@pytest.mark.parametrize("what", PICTURES)
def test_which_of_the_dates_counts(tmp_path: Path, what: str) -> None:
    part, expected = PICTURES[what]
    assert same(taken(tmp_path, jpeg(part)), expected)


def test_what_was_taken_goes_before_what_was_digitized(tmp_path: Path) -> None:
    parts = exif({}, {DIGITIZED: OTHER}), in_jpeg(exif_DateTimeOriginal="2003-08-07T18:48:03")
    assert same(taken(tmp_path, jpeg(*parts)), WHEN)


@pytest.mark.parametrize(
    "head", [b"8BPS\0\1" + bytes(20), b"GIF89a" + bytes(20), b"\0\0\0\x0cjP  \r\n\x87\n"]
)
def test_xmp_is_found_where_no_library_looks(tmp_path: Path, head: bytes) -> None:
    assert same(
        taken(tmp_path, head + packet(xmp_CreateDate="2003-08-07T18:48:03") + bytes(20)), WHEN
    )
    element = b"<x:xmpmeta><exif:DateTimeOriginal>2003-08-07T18:48:03</exif:DateTimeOriginal>"
    assert same(taken(tmp_path, head + element), WHEN)


def test_packets_without_end_take_no_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"<x:xmpmeta exif:DateTimeOriginal>" * 40_000)
    start = time.process_time()
    with BoundedFile(os.fsencode(tmp_path / "file")) as file:
        assert xmp.read(file) is None
    assert time.process_time() - start < 2  # a search for each one's end took minutes


# --- AVI ------------------------------------------------------------------------------------------


def chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def listed(kind: bytes, *chunks: bytes) -> bytes:
    return chunk(b"LIST", kind + b"".join(chunks))


def riff(*chunks: bytes) -> bytes:
    whole = b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(whole) + 4) + b"AVI " + whole


def idit(text: bytes) -> bytes:
    return riff(listed(b"hdrl", chunk(b"avih", bytes(56)), chunk(b"IDIT", text)))


AVIS: dict[str, tuple[bytes, datetime | None]] = {
    "as C prints it": (idit(b"Thu Aug 07 18:48:03 2003\n\0"), WHEN),
    "in capitals": (idit(b"THU AUG 07 18:48:03 2003"), WHEN),
    "without a zero": (idit(b"Thu Aug  7 18:48:03 2003\n"), WHEN),
    "as EXIF": (idit(b"2003:08:07 18:48:03"), WHEN),
    "with slashes": (idit(b"2003/08/07 18:48:03\0"), WHEN),
    "Casio's": (idit(b"2003/ 8/ 7  6:48PM"), WHEN.replace(second=0)),
    "Konica's": (idit(b"2003-08-07  18:48:03\0\0"), WHEN),
    "beside the header": (
        riff(listed(b"hdrl", chunk(b"avih", bytes(56))), chunk(b"IDIT", THIS.encode())), WHEN
    ),
    "after an odd chunk and the movie": (
        riff(
            chunk(b"JUNK", b"odd"), listed(b"movi", bytes(1000)),
            listed(b"INFO", chunk(b"ICRD", THIS.encode())),
        ),
        WHEN,
    ),
    "Nikon's": (
        riff(
            listed(
                b"ncdt", chunk(b"nctg", b"\x03\0\2\0xx" + b"\x13\0\x14\0" + THIS.encode() + b"\0")
            )
        ),
        WHEN,
    ),
    "beside a stream": (
        riff(
            listed(
                b"hdrl",
                listed(b"strl", chunk(b"strd", b"AVIF" + bytes(4) + tiff({}, {ORIGINAL: THIS}))),
            )
        ),
        WHEN,
    ),
    "IDIT goes first": (
        riff(listed(b"INFO", chunk(b"ICRD", OTHER.encode())), chunk(b"IDIT", THIS.encode())), WHEN
    ),
    "a day": (riff(listed(b"INFO", chunk(b"ICRD", b"2003-08-07"))), None),
    "no month": (idit(b"Thu Abc 07 18:48:03 2003"), None),
    "no date": (idit(b"Thu Aug 37 18:48:03 2003"), None),
    "none": (riff(listed(b"hdrl", chunk(b"avih", bytes(56)))), None),
}  # fmt: skip


@pytest.mark.parametrize("what", AVIS)
def test_avi(tmp_path: Path, what: str) -> None:
    content, expected = AVIS[what]
    assert same(taken(tmp_path, content, "video/x-msvideo"), expected)


# --- Matroska -------------------------------------------------------------------------------------


def element(kind: int, content: bytes, *, endless: bool = False) -> bytes:
    length = b"\x01" + b"\xff" * 7 if endless else struct.pack(">Q", len(content) | 1 << 56)
    return kind.to_bytes((kind.bit_length() + 7) // 8, "big") + length + content


EBML = element(0x1A45DFA3, element(0x4282, b"matroska"))
DATE = element(
    0x4461, struct.pack(">q", (WHEN - datetime(2001, 1, 1)) // timedelta(microseconds=1) * 1000)
)
INFO = element(0x1549A966, element(0x2AD7B1, b"\x0f\x42\x40") + DATE)
SEGMENT, CLUSTER, VOID, CUES = 0x18538067, 0x1F43B675, 0xEC, 0x1C53BB6B
UTC_WHEN = WHEN.replace(tzinfo=UTC)
MATROSKAS: dict[str, tuple[bytes, datetime | None]] = {
    "plain": (element(SEGMENT, INFO), UTC_WHEN),
    "short lengths": (
        b"\x18\x53\x80\x67\x90\x15\x49\xa9\x66\x8b\x44\x61\x88" + DATE[10:],
        UTC_WHEN,
    ),
    "a live stream": (
        element(SEGMENT, INFO + element(CLUSTER, bytes(99), endless=True), endless=True),
        UTC_WHEN,
    ),
    "after other elements": (
        element(
            SEGMENT,
            element(0x114D9B74, bytes(9))
            + element(VOID, bytes(5000))
            + element(CUES, bytes(9))
            + INFO,
        ),
        UTC_WHEN,
    ),
    "after clusters": (element(SEGMENT, element(CLUSTER, bytes(9000)) * 50 + INFO), UTC_WHEN),
    "in a torn file": (element(SEGMENT, INFO + bytes(9000))[:-5000], UTC_WHEN),
    "behind a cluster without end": (element(SEGMENT, element(CLUSTER, INFO, endless=True)), None),
    "no clock": (element(SEGMENT, element(0x1549A966, element(0x4461, bytes(8)))), None),
    "before the calendar": (
        element(SEGMENT, element(0x1549A966, element(0x4461, b"\x80" + bytes(7)))),
        None,
    ),
    "four bytes": (element(SEGMENT, element(0x1549A966, element(0x4461, bytes(4)))), None),
    "zeros": (bytes(100), None),
    "voids without end": (element(SEGMENT, b"\xec\x80" * 100_000 + INFO), None),
}


@pytest.mark.parametrize("what", MATROSKAS)
def test_matroska(tmp_path: Path, what: str) -> None:
    content, expected = MATROSKAS[what]
    assert same(taken(tmp_path, EBML + content, "video/x-matroska"), expected)


# --- AVCHD ----------------------------------------------------------------------------------------

MARK = bytes.fromhex("17ee8c60f84d11d98cd60800200c9a66") + b"MDPM"


def message(zone: int, date: bytes = b"\x20\x03\x08\x07\x18\x48\x03") -> bytes:
    """The camera's message, with entries before and after the clock."""
    entries = [
        b"\x13\x01\x02\x03\x04",
        b"\x18%c%b" % (zone, date[:3]),
        b"\x19" + date[3:],
        b"\x70" + bytes(4),
    ]
    return MARK + bytes([len(entries)]) + b"".join(entries)


def transport(stream: bytes, *, before: int = 0, time_code: bytes = b"") -> bytes:
    """Packets of 188 bytes with a picture's stream, another stream's between them; ``before``:
    bytes ahead of it."""
    stream = b"\xaa" * before + stream + b"\xaa" * 2000
    packets = b""
    for number, start in enumerate(range(0, len(stream), 184)):
        for kind, payload in (
            (0x1011, stream[start : start + 184]),
            (0x1100, MARK[:9] + bytes(175)),
        ):
            fill = 184 - len(payload)
            control = b"\x30" + bytes([fill - 1]) + bytes(fill - 1) if fill else b"\x10"
            packets += (
                time_code + b"G" + struct.pack(">H", kind) + control[:1] + control[1:] + payload
            )
        assert number < 1000
    return packets


STREAMS: dict[str, tuple[bytes, datetime | None]] = {
    "east": (transport(message(0x04)), WHEN.replace(tzinfo=EAST)),
    "west, and a half": (
        transport(message(0x27)),
        WHEN.replace(tzinfo=timezone(-timedelta(hours=3, minutes=30))),
    ),
    "unknown": (transport(message(0xFF)), WHEN),
    "summer": (transport(message(0x42)), WHEN),
    "with time codes": (transport(message(0x04), time_code=b"\1\2\3\4"), WHEN.replace(tzinfo=EAST)),
    "across packets": (transport(message(0x04), before=175), WHEN.replace(tzinfo=EAST)),
    "across packets, later": (transport(message(0x04), before=155), WHEN.replace(tzinfo=EAST)),
    "with a 3 between": (
        transport(
            message(0x04, b"\x20\x03\x08\x07\x00\x00\x03").replace(b"\x07\0\0\3", b"\x07\0\0\3\3")
        ),
        datetime(2003, 8, 7, 0, 0, 3, tzinfo=EAST),
    ),
    "no digits": (transport(message(0x04, b"\xff" * 7)), None),
    "out of order": (transport(MARK + b"\2\x19" + bytes(4) + b"\x18" + bytes(4)), None),
    "cut": (transport(b"") + transport(MARK)[:188], None),
    "none": (transport(b""), None),
}


@pytest.mark.parametrize("what", STREAMS)
def test_avchd(tmp_path: Path, what: str) -> None:
    content, expected = STREAMS[what]
    assert same(taken(tmp_path, content, "video/mp2t"), expected)


# --- broken and hostile ones ----------------------------------------------------------------------

READERS: list[tuple[Callable[[BoundedFile], Metadata | None], bytes]] = [
    *((avi.read, content) for content, _ in AVIS.values()),
    *((matroska.read, EBML + content[:3000]) for content, _ in MATROSKAS.values()),
    *((avchd.read, content) for content, _ in STREAMS.values()),
]


@pytest.mark.long
@settings(max_examples=600, deadline=5000)
@given(data=st.data())
def test_broken_clips_raise_nothing(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    read, whole = data.draw(st.sampled_from(READERS))
    torn = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 6)) if torn else 0):
        at = data.draw(st.integers(0, len(torn) - 1))
        value = data.draw(st.sampled_from([b"\xff" * 4, bytes(4), b"\x80"]) | st.binary(max_size=4))
        torn[at : at + len(value)] = value
    path = tmp_path_factory.getbasetemp() / "torn"
    path.write_bytes(torn)
    with BoundedFile(os.fsencode(path)) as file:
        found = read(file)
    assert found is None or found.taken is None or found.taken.year >= 1971


@pytest.mark.parametrize(
    ("mime", "content"),
    [
        ("video/x-msvideo", riff(b"LIST\xff\xff\xff\xffhdrl" * 2000)),
        (
            "video/x-msvideo",
            riff(chunk(b"JUNK", b"") * 200_000 + chunk(b"IDIT", b"2003:08:07 18:48:03")),
        ),
        ("video/x-msvideo", riff(listed(b"strl") * 100_000)),
        ("video/x-msvideo", riff(b"IDIT\xff\xff\xff\xff")),
        ("video/x-matroska", EBML + element(SEGMENT, b"", endless=True) * 20_000),
        ("video/x-matroska", EBML + b"\x18\x53\x80\x67" + b"\x01" + b"\xfe" * 7),
        ("video/mp2t", b"G" * (3 << 20)),
        ("video/mp2t", (b"G\x10\x11\x30\xff" + bytes(183)) * 10_000),
    ],
)
def test_hostile_clips_take_no_time(tmp_path: Path, mime: str, content: bytes) -> None:
    start = time.process_time()
    assert taken(tmp_path, content, mime) is None
    assert time.process_time() - start < 2
