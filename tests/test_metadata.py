"""What files say of themselves: by the libraries, by exiftool, and by broken and hostile ones of
either."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from albumup.config.file import load
from albumup.errors import ConfigError
from albumup.photos.metadata import bounded_file, exiftool, pictures, raws, reader
from albumup.photos.metadata.reader import MetadataReader, can_read, what_reads
from albumup.photos.metadata.values import Metadata, moment
from albumup.photos.sniffing import HEAD_BYTES, media_type
from albumup.photos.source import SourceGone
from albumup.photos.types import TYPES
from albumup.targets.base import Target
from albumup.targets.bodies import taken_of
from albumup.targets.registry import build

PHOTOS = Path(__file__).parent / "photos"
SAID = PHOTOS / "metadata"
ID = "8F1C2F0E-5B6D-4C55-9C5B-0A7D6B1E2F30"
SUMMER = timezone(timedelta(hours=2))
TAKEN = datetime(2026, 7, 14, 18, 3, 22, 250_000, SUMMER)

needs_exiftool = pytest.mark.skipif(
    exiftool.program() is None, reason="no exiftool (12.38 or newer) on PATH"
)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """No test leaves another without its libraries, nor with a filter for warnings."""
    caches = (pictures._pillow, raws._exifread, exiftool._version)
    for cache in caches:
        cache.cache_clear()
    with warnings.catch_warnings():
        yield
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def no_exiftool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")


@pytest.fixture
def no_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIL", "pillow_heif", "exifread"):
        monkeypatch.setitem(sys.modules, name, None)


def metadata_of(path: Path | bytes, mime: str | None = None) -> Metadata:
    path = os.fsencode(path)
    if mime is None:
        with open(path, "rb") as file:
            mime = media_type(file.read(HEAD_BYTES), path) or ""
    with MetadataReader() as reading:
        return reading.read(path, mime)


def same(one: Metadata, other: Metadata) -> bool:
    """Equal, and of one mind about the offset: equal moments may have different ones."""
    return one == other and (one.taken and one.taken.utcoffset()) == (
        other.taken and other.taken.utcoffset()
    )


# --- what the libraries find ----------------------------------------------------------------------

BY_LIBRARIES = {
    **{
        f"photo.{suffix}": Metadata(TAKEN)
        for suffix in ("jpg", "heic", "heif", "png", "webp", "tif")
    },
    **{
        f"metadata/dated.{suffix}": Metadata(TAKEN)
        for suffix in ("dng", "cr2", "nef", "arw", "orf", "rw2")
    },
    **{f"metadata/{name}": Metadata(TAKEN, ID) for name in ("live.jpg", "live.heic", "dated.avif")},
    "no_offset.jpg": Metadata(datetime(2026, 7, 14, 18, 3, 22)),
}
BY_BOXES = {
    "metadata/live.mov": Metadata(datetime(2026, 7, 14, 18, 3, 22, tzinfo=SUMMER), ID),
    "metadata/utc.mov": Metadata(datetime(2026, 7, 14, 16, 3, 22, tzinfo=UTC)),
    "metadata/utc.mp4": Metadata(datetime(2026, 7, 14, 16, 3, 22, tzinfo=UTC)),
}
WITHOUT = [
    "no_date.jpg", "photo.gif", "photo.nef", "photo.cr3", "photo.raf", "video.mp4", "old.mov",
    "video.3gp", "README.md", "metadata/unset.mp4", "metadata/unix.mp4",
]  # fmt: skip


@pytest.mark.usefixtures("no_exiftool")
@pytest.mark.parametrize("name", BY_LIBRARIES)
def test_libraries_read_pictures(name: str) -> None:
    assert same(metadata_of(PHOTOS / name), BY_LIBRARIES[name])


@pytest.mark.usefixtures("no_exiftool", "no_libraries")
@pytest.mark.parametrize("name", BY_BOXES)
def test_clips_need_neither_library_nor_exiftool(name: str) -> None:
    assert same(metadata_of(PHOTOS / name), BY_BOXES[name])


@pytest.mark.parametrize("name", WITHOUT)
def test_files_that_say_nothing(name: str) -> None:
    assert metadata_of(PHOTOS / name) == Metadata()


def exif_jpeg(
    folder: Path, date: str, offset: str = "+02:00", fraction: str = "", note: bytes = b""
) -> Path:
    from PIL import Image

    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0x9003: date, 0x9011: offset, 0x9291: fraction})
    if note:
        exif.get_ifd(0x8769)[0x927C] = note
    path = folder / "exif.jpg"
    Image.new("RGB", (8, 8)).save(path, exif=exif.tobytes())
    return path


@pytest.mark.parametrize(
    ("date", "offset", "fraction", "expected"),
    [
        (
            "2026:01:02 03:04:05", "-09:30", "",
            datetime(2026, 1, 2, 3, 4, 5, 0, timezone(-timedelta(hours=9.5))),
        ),
        ("2026:01:02 03:04:05", "Z", "7", datetime(2026, 1, 2, 3, 4, 5, 700_000, UTC)),
        ("2026-01-02T03:04:05", "  :  ", "123456789", datetime(2026, 1, 2, 3, 4, 5, 123_456)),
        ("2026:01:02 03:04:05", "+99:00", "x", datetime(2026, 1, 2, 3, 4, 5)),
        ("2026:01:02 03:04:05.5-01:00", "+02:00", "7",
         datetime(2026, 1, 2, 3, 4, 5, 500_000, timezone(-timedelta(hours=1)))),
        ("0000:00:00 00:00:00", "+02:00", "", None),
        ("0001:01:01 00:00:00", "", "", None),
        ("9999:12:31 23:59:59", "", "", None),
        ("    :  :     :  :  ", "", "", None),
        ("2026:13:40 25:61:61", "", "", None),
        ("yesterday", "", "", None),
    ],
)  # fmt: skip
def test_odd_dates(
    tmp_path: Path, date: str, offset: str, fraction: str, expected: datetime | None
) -> None:
    assert same(metadata_of(exif_jpeg(tmp_path, date, offset, fraction)), Metadata(expected))


@given(
    st.text(max_size=40) | st.from_regex(r"\d{4}:\d\d:\d\d \d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d)?"),
    st.text(),
    st.text(),
)
def test_a_moment_can_be_used_wherever_it_is(words: str, subsecond: str, offset: str) -> None:
    when = moment(words, subsecond, offset)
    assert (
        when is None or when.astimezone(UTC).astimezone(timezone(timedelta(hours=14))).isoformat()
    )


def note(
    count: int = 1,
    tag: int = 0x11,
    kind: int = 2,
    length: int = 37,
    at: int = 32,
    text: bytes = b"",
) -> bytes:
    entry = b"".join(n.to_bytes(w, "big") for n, w in ((tag, 2), (kind, 2), (length, 4), (at, 4)))
    return (
        b"Apple iOS\0\0\1MM"
        + count.to_bytes(2, "big")
        + entry
        + bytes(4)
        + (text or ID.encode() + b"\0")
    )


@pytest.mark.parametrize(
    ("bytes_", "expected"),
    [
        (note(), ID),
        (note(count=65535), ID),
        (note(length=3, at=int.from_bytes(b"AB\0\0", "big")), "AB"),
        (note(count=0), ""),
        (note(tag=0x12), ""),
        (note(kind=4), ""),
        (note(at=0xFFFFFFFF), ""),
        (note(length=0xFFFFFFFF, text=b"\xff" * 40), ""),
        (note(text=b"a b\x1b[31m".ljust(37)), ""),
        (note(text=b"x" * 4000, length=4000), ""),
        (note()[:20], ""),
        (b"Apple iOS\0", ""),
        (b"Nikon\0" + note()[6:], ""),
    ],
)
def test_apples_note(tmp_path: Path, bytes_: bytes, expected: str) -> None:
    assert (
        metadata_of(exif_jpeg(tmp_path, "2026:01:02 03:04:05", note=bytes_)).content_id == expected
    )


def test_a_png_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image, ImageFile

    seen = []

    def decoded(_: object) -> None:
        seen.append(1)

    path = tmp_path / "screenshot.png"
    Image.new("RGB", (8, 8)).save(path)
    monkeypatch.setattr(ImageFile.ImageFile, "load", decoded)
    assert metadata_of(path) == Metadata()
    pictures.read(
        bounded_file.BoundedFile(os.fsencode(path))
    )  # as for a type that was told by a wrong name
    assert seen == []


@pytest.mark.usefixtures("no_exiftool")
def test_a_panorama_is_no_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    monkeypatch.setattr(
        Image, "MAX_IMAGE_PIXELS", 10
    )  # as a picture of ten times the limit would meet it
    assert metadata_of(exif_jpeg(tmp_path, "2026:01:02 03:04:05")).taken is not None


@pytest.mark.usefixtures("no_exiftool")
def test_without_pillow_heif_jpegs_still_have_dates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert metadata_of(PHOTOS / "photo.jpg").taken is not None


# --- what can be read here ------------------------------------------------------------------------


@pytest.mark.usefixtures("no_exiftool", "no_libraries")
def test_what_is_missing_is_said() -> None:
    assert metadata_of(PHOTOS / "photo.jpg") == Metadata()
    for mime in reader._BY_PILLOW | reader._BY_EXIFREAD | {"image/x-nikon-nef"}:
        assert not can_read(mime)
        assert reader.INSTALL_PHOTOS in what_reads(mime)
    for mime in reader._BY_EXIFTOOL_ALONE:
        assert not can_read(mime)
        assert what_reads(mime) == "install exiftool, which reads this type"
    assert can_read("video/quicktime") and what_reads("video/quicktime") == ""
    assert not can_read("image/gif") and what_reads("image/gif") == ""


@pytest.mark.usefixtures("no_exiftool")
def test_what_is_there_is_known() -> None:
    every = {one.mime for one in TYPES}
    dateless = {"image/gif", "image/bmp", "video/mpeg", "video/x-r3d", "video/ogg"}
    assert {mime for mime in every if not can_read(mime)} == reader._BY_EXIFTOOL_ALONE | dateless


WANTS_DATES = """
[targets.club]
kind = "form"
url = "https://club.example.org/photos"
[targets.club.fields]
taken = "{taken}"
"""


@pytest.fixture
def club(tmp_path: Path) -> Target:
    """A target that wants dates."""
    config = tmp_path / "config.toml"
    config.write_text(WANTS_DATES)
    return build("club", load(str(config)), {})


@pytest.mark.usefixtures("no_exiftool")
@pytest.mark.parametrize(
    ("name", "mime", "step"),
    [
        ("no_date.jpg", "image/jpeg", '"mtime"'),
        ("photo.raf", "image/x-fuji-raf", "install exiftool, which reads this type"),
        ("photo.gif", "image/gif", '"mtime"'),
    ],
)
def test_a_photo_without_a_date_says_what_to_do(
    club: Target, name: str, mime: str, step: str
) -> None:
    with MetadataReader() as reading, pytest.raises(ConfigError, match=name) as error:
        taken_of(os.fsencode(PHOTOS / name), mime, club, reading)
    assert "taken_fallback" in str(error.value.hint) and str(error.value.hint).endswith(step)


def test_a_photo_that_went_away_is_gone_rather_than_dateless(club: Target, tmp_path: Path) -> None:
    with MetadataReader() as reading, pytest.raises(SourceGone):
        taken_of(os.fsencode(tmp_path / "gone.jpg"), "image/jpeg", club, reading)


# --- broken and hostile files ---------------------------------------------------------------------

WHOLE = [
    (path.read_bytes(), media_type(path.read_bytes()[:HEAD_BYTES], os.fsencode(path)) or "")
    for path in sorted([*PHOTOS.glob("photo.*"), *SAID.iterdir(), *PHOTOS.glob("video.m*")])
]


@pytest.mark.long
@pytest.mark.usefixtures("no_exiftool")
@settings(
    max_examples=400, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_broken_files_raise_nothing_and_take_no_time(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    data: st.DataObject,
) -> None:
    whole, mime = data.draw(st.sampled_from(WHOLE))
    torn = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 6)) if torn else 0):
        at = data.draw(st.integers(0, len(torn) - 1))
        value = data.draw(
            st.sampled_from([b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\x80"])
            | st.binary(max_size=4)
        )
        torn[at : at + len(value)] = value
    path = tmp_path / "torn"
    path.write_bytes(torn)
    with warnings.catch_warnings(record=True) as printed:
        assert isinstance(metadata_of(path, mime), Metadata)
    assert printed == caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_a_tiff_of_more_samples_than_there_are_prints_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Pillow complains of it to its log, and with nobody there to hear it a log goes to stderr."""
    entries = [
        (256, 3, 8),
        (257, 3, 8),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 27_582),
        (279, 4, 64),
    ]
    directory = b"".join(
        struct.pack("<HHIHH", tag, kind, 1, value, 0) for tag, kind, value in entries
    )
    (tmp_path / "odd.tif").write_bytes(
        struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + directory + bytes(4) + bytes(64)
    )
    assert metadata_of(tmp_path / "odd.tif", "image/tiff") == Metadata()
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_warnings_stay_away_when_a_thread_takes_their_filter_with_it(tmp_path: Path) -> None:
    whole, torn = bytearray((PHOTOS / "photo.jpg").read_bytes()), tmp_path / "torn.jpg"
    whole[whole.index(b"Exif") + 10] = 0xFF  # its first directory lies behind its end
    torn.write_bytes(whole)
    with warnings.catch_warnings():
        metadata_of(torn)
    with warnings.catch_warnings(record=True) as printed:
        warnings.simplefilter("always")
        metadata_of(torn)
    assert [str(one.message) for one in printed if one.category is not ResourceWarning] == []


def box(kind: bytes, content: bytes) -> bytes:
    return (8 + len(content)).to_bytes(4, "big") + kind + content


@pytest.mark.parametrize(
    "movie",
    [
        box(b"free", b"") * 50_000,
        box(
            b"moov",
            box(
                b"meta",
                box(b"hdlr", b"") + box(b"ilst", box(b"\0\0\0\1", box(b"data", b"")) * 50_000),
            ),
        ),
        box(b"moov", b"\0\0\0\1mvhd" + b"\xff" * 8 + bytes(100)),
        box(b"moov", box(b"mvhd", b"\1\0\0\0" + b"\xff" * 8)),
        box(b"moov", box(b"mvhd", b"")),
        b"\0\0\0\0moov" * 1000,
        b"\0\0\0\1moov" + bytes(8),
        b"\0\0\0\4" + (SAID / "utc.mp4").read_bytes(),
    ],
)
def test_boxes_without_end(tmp_path: Path, movie: bytes) -> None:
    (tmp_path / "clip.mov").write_bytes(movie)
    assert metadata_of(tmp_path / "clip.mov", "video/quicktime") == Metadata()


def test_texts_without_end_take_no_memory(tmp_path: Path) -> None:
    names, letters = 2000, 1 << 15
    pairs = [(f"{number:04}" + "n" * letters, "2026-07-14T18:03:22Z") for number in range(names)]
    (tmp_path / "clip.mov").write_bytes(box(b"moov", keyed(*pairs, *APPLE_KEYS)))
    tracemalloc.start()
    try:
        assert metadata_of(tmp_path / "clip.mov", "video/quicktime").taken is None
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_what_comes_before_the_damage_counts(tmp_path: Path) -> None:
    whole = (SAID / "utc.mov").read_bytes()
    at = whole.index(b"moov") - 4
    torn = whole[:at] + box(b"moov", whole[at + 8 :] + box(b"meta", b"\xff" * 20))
    (tmp_path / "clip.mov").write_bytes(torn)
    assert metadata_of(tmp_path / "clip.mov") == BY_BOXES["metadata/utc.mov"]


def test_the_iso_form_of_metadata(tmp_path: Path) -> None:
    whole = (SAID / "live.mov").read_bytes()
    moov, meta = whole.index(b"moov"), whole.index(b"meta")
    mvhd, inside = whole[moov + 4 : meta - 4], whole[meta + 4 :]
    (tmp_path / "clip.mov").write_bytes(
        whole[: moov - 4] + box(b"moov", mvhd + box(b"meta", bytes(4) + inside))
    )
    assert same(metadata_of(tmp_path / "clip.mov"), BY_BOXES["metadata/live.mov"])


def data(text: str) -> bytes:
    return box(b"data", b"\0\0\0\1\0\0\0\0" + text.encode())


def keyed(*pairs: tuple[str, str]) -> bytes:
    """A ``meta`` box as Apple and ffmpeg write it."""
    names = b"".join(box(b"mdta", name.encode()) for name, _ in pairs)
    values = b"".join(box(struct.pack(">I", n), data(text)) for n, (_, text) in enumerate(pairs, 1))
    handler = box(b"hdlr", bytes(8) + b"mdta" + bytes(13))
    keys = box(b"keys", struct.pack(">II", 0, len(pairs)) + names)
    return box(b"meta", handler + keys + box(b"ilst", values))


def day(text: str) -> bytes:
    return box(b"\xa9day", struct.pack(">HH", len(text), 0x15C7) + text.encode())


def itunes(text: str) -> bytes:
    return box(
        b"meta", bytes(4) + box(b"hdlr", bytes(25)) + box(b"ilst", box(b"\xa9day", data(text)))
    )


def header(kind: bytes, seconds: int, version: int = 0) -> bytes:
    return box(kind, struct.pack(">IQ" if version else ">II", version << 24, seconds) + bytes(92))


APPLE_KEYS = (
    ("com.apple.quicktime.content.identifier", ID),
    ("com.apple.quicktime.creationdate", "2026-07-14T18:03:22+0200"),
)
SECONDS_1904 = 3_866_889_802  # 2026-07-14 16:03:22 UTC
SECOND = TAKEN.replace(microsecond=0)
BY_MOVIE = {
    "Apple's keys": (keyed(*APPLE_KEYS), BY_BOXES["metadata/live.mov"]),
    "ffmpeg's place": (
        box(b"udta", day("2001") + keyed(*APPLE_KEYS)), BY_BOXES["metadata/live.mov"]
    ),
    "a day in user data": (box(b"udta", day("2026-07-14T18:03:22+0200")), Metadata(SECOND)),
    "a day of iTunes": (
        box(b"udta", itunes("2026-07-14T18:03:22Z")),
        Metadata(datetime(2026, 7, 14, 18, 3, 22, 0, UTC)),
    ),
    "a day after damage": (
        box(b"udta", box(b"meta", b"\xff" * 20) + day("2026-07-14 18:03:22")),
        Metadata(SECOND.replace(tzinfo=None)),
    ),
    "the day of a release": (
        header(b"mvhd", SECONDS_1904) + box(b"udta", day("2001")), BY_BOXES["metadata/utc.mov"]
    ),
    "a long header": (header(b"mvhd", SECONDS_1904, 1), BY_BOXES["metadata/utc.mov"]),
    "a header from 1970": (
        header(b"mvhd", 1_420_070_400), Metadata(datetime(2015, 1, 1, tzinfo=UTC))
    ),
    "a long header from 1970": (
        header(b"mvhd", 1_420_070_400, 1), Metadata(datetime(2015, 1, 1, tzinfo=UTC))
    ),
    "a clock that was not set": (header(b"mvhd", 86_400), Metadata()),
    "a clock of 1970 that was not set": (header(b"mvhd", 2_082_844_800 + 86_400), Metadata()),
    "a track's header": (
        header(b"mvhd", 0) + box(b"trak", header(b"tkhd", SECONDS_1904)),
        BY_BOXES["metadata/utc.mov"],
    ),
    "a medium's header": (
        box(b"trak", box(b"mdia", header(b"mdhd", SECONDS_1904))), BY_BOXES["metadata/utc.mov"]
    ),
    "tracks in tracks": (box(b"trak", box(b"trak", header(b"tkhd", SECONDS_1904))), Metadata()),
}  # fmt: skip


@pytest.mark.usefixtures("no_exiftool")
@pytest.mark.parametrize("what", BY_MOVIE)
def test_where_movies_say_when(tmp_path: Path, what: str) -> None:
    inside, expected = BY_MOVIE[what]
    (tmp_path / "clip.mov").write_bytes(box(b"moov", inside))
    assert same(metadata_of(tmp_path / "clip.mov", "video/quicktime"), expected)


def test_a_reader_that_goes_on_and_on_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_file, "SECONDS", 0.2)
    with (
        bounded_file.BoundedFile(os.fsencode(PHOTOS / "photo.jpg")) as file,
        pytest.raises(bounded_file.OutOfBounds),
    ):
        while True:
            file.seek(0)
            file.read(1)
    monkeypatch.setattr(bounded_file, "MOST_BYTES", 1000)
    (tmp_path / "long").write_bytes(bytes(5000))
    with bounded_file.BoundedFile(os.fsencode(tmp_path / "long")) as file:
        assert len(file.read()) == 1000
        with pytest.raises(bounded_file.OutOfBounds):
            file.read(1)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path / "pipe.jpg", tmp_path / "missing.jpg", tmp_path):
        assert metadata_of(path, "image/jpeg") == Metadata()
    assert metadata_of(b"a\0b", "image/jpeg") == Metadata()


# --- exiftool -------------------------------------------------------------------------------------

NAMES = [
    b"plain.raf", b"line\n-execute\nbreak.raf", b"-config.raf", b"#[CSTR]a.raf", b"caf\xe9.raf",
    b" space .raf", b"\r.raf", b"touch hacked|", b"$(touch hacked).raf", b"100%d.raf", b"*.raf",
    b"a" * 250,
]  # fmt: skip


@pytest.mark.long
@needs_exiftool
@pytest.mark.usefixtures("no_libraries")
@pytest.mark.parametrize("name", [*BY_LIBRARIES, "metadata/dated.raf", "metadata/dated.cr3"])
def test_exiftool_finds_the_same(name: str) -> None:
    assert same(metadata_of(PHOTOS / name), BY_LIBRARIES.get(name, Metadata(TAKEN)))


@needs_exiftool
def test_no_clock_of_matroska_is_one_by_exiftools_word(tmp_path: Path) -> None:
    """DateUTC counts nanoseconds from 2001; before 1971 nobody filmed it."""
    info = b"\x1aE\xdf\xa3\x8bB\x82\x88matroska\x18S\x80g\x90\x15I\xa9f\x8bDa\x88"
    for name, nanoseconds in {"unset": 0, "before": -(10**18)}.items():
        (tmp_path / f"{name}.mkv").write_bytes(info + struct.pack(">q", nanoseconds))
        assert metadata_of(tmp_path / f"{name}.mkv", "video/x-matroska") == Metadata()


@pytest.mark.long
@needs_exiftool
@pytest.mark.parametrize("name", NAMES)
def test_no_name_is_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(SAID / "dated.raf", os.path.join(os.fsencode(tmp_path), name))
    with MetadataReader() as reading:
        assert reading.read(name, "image/x-fuji-raf") == Metadata(TAKEN)
        assert reading.read(os.fsencode(SAID / "dated.cr3"), "image/x-canon-cr3") == Metadata(TAKEN)
    assert os.listdir(os.fsencode(tmp_path)) == [name]


@needs_exiftool
@pytest.mark.parametrize("name", NAMES)
def test_without_proc_only_plain_names_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    path = os.path.join(os.fsencode(tmp_path), name)
    shutil.copy(SAID / "dated.raf", path)
    monkeypatch.setattr(os.path, "isdir", lambda _: False)
    odd = b"\n" in name or b"\r" in name or name.endswith(b"|")
    assert metadata_of(path, "image/x-fuji-raf") == (Metadata() if odd else Metadata(TAKEN))


@needs_exiftool
def test_the_users_exiftool_config_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".ExifTool_config").write_text(f"open(F, '>', '{tmp_path}/ran'); 1;")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("EXIFTOOL_HOME", str(tmp_path))
    assert metadata_of(SAID / "dated.raf") == Metadata(TAKEN)
    assert not (tmp_path / "ran").exists()


@needs_exiftool
def test_threads_take_turns() -> None:
    found: list[Metadata] = []
    with MetadataReader() as reading:

        def read() -> None:
            for suffix, mime in (("raf", "image/x-fuji-raf"), ("cr3", "image/x-canon-cr3")) * 10:
                found.append(reading.read(os.fsencode(SAID / f"dated.{suffix}"), mime))

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [Metadata(TAKEN)] * 80


Fake = Callable[..., Path]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Puts an exiftool on PATH whose answers are lines of shell; each start adds a line to the file
    returned."""

    def make(answer: str, version: str = "12.76") -> Path:
        folder = tmp_path / "bin"
        folder.mkdir()
        script = folder / "exiftool"
        script.write_text(
            f"""#!/bin/sh
[ "$3" = -ver ] && {{ echo {version}; exit; }}
echo $$ >>'{tmp_path}/started'
while read -r path && read -r mark; do
    number=${{mark#-execute}}
    {answer}
done
sleep 60
"""
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        return tmp_path / "started"

    return make


def started(log: Path) -> list[int]:
    return [int(line) for line in log.read_text().split()] if log.exists() else []


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def read_raf(reading: MetadataReader) -> Metadata:
    return reading.read(os.fsencode(SAID / "dated.raf"), "image/x-fuji-raf")


GOOD = (
    """printf '[{"DateTimeOriginal":"2026:07:14 18:03:22","SubSecTimeOriginal":25,"""
    """"OffsetTimeOriginal":"+02:00",'
    printf '"ContentIdentifier":12345}]\\n{ready%s}\\n' $number"""
)


CLIP = """printf '[{"CreateDate":"%s","CreationDate":"%s"}]\\n{ready%%s}\\n'""" + " $number"


@pytest.mark.parametrize(
    ("made", "said", "expected"),
    [
        ("2026:07:14 16:03:22+00:00", "2026:07:14 18:03:22+02:00", SECOND),
        ("2026:07:14 16:03:22+00:00", "", SECOND.astimezone(UTC)),
        ("1904:01:01 15:47:49+00:00", "", None),
        ("0000:00:00 00:00:00", "", None),
    ],
)
def test_exiftool_is_asked_of_clips_too(
    fake: Fake, tmp_path: Path, made: str, said: str, expected: datetime | None
) -> None:
    fake(CLIP % (made, said))
    (tmp_path / "clip.wmv").write_bytes(b"no container of ours")
    assert same(metadata_of(tmp_path / "clip.wmv", "video/x-ms-wmv"), Metadata(expected))


def test_exiftool_is_not_asked_where_there_is_a_date(fake: Fake) -> None:
    log = fake(GOOD)
    for name in ("photo.jpg", "metadata/dated.nef", "metadata/utc.mp4"):
        assert metadata_of(PHOTOS / name).taken is not None
    assert started(log) == []
    with MetadataReader() as reading:
        for name, mime in (
            ("no_date.jpg", "image/jpeg"),
            ("metadata/unset.mp4", "video/mp4"),
            ("photo.png", "image/png"),
        ):
            assert reading.content_id(os.fsencode(PHOTOS / name), mime) == ""
        assert reading.content_id(os.fsencode(SAID / "live.jpg"), "image/jpeg") == ID
    assert started(log) == []
    assert metadata_of(PHOTOS / "no_date.jpg").taken == TAKEN
    assert len(started(log)) == 1


def test_what_exiftool_says_to_the_terminal_is_not_heard(
    fake: Fake, capfd: pytest.CaptureFixture[str]
) -> None:
    fake("echo 'Warning: it is broken' >&2\n" + GOOD)
    with MetadataReader() as reading:
        assert read_raf(reading).taken == TAKEN
    assert capfd.readouterr() == ("", "")


def test_one_process_answers_for_all_and_is_ended(fake: Fake) -> None:
    log = fake(GOOD)
    with MetadataReader() as reading:
        assert started(log) == []
        for _ in range(5):
            assert read_raf(reading) == Metadata(TAKEN, "12345")
        assert len(started(log)) == 1
    assert not is_alive(started(log)[0])
    assert read_raf(reading) == Metadata()
    assert len(started(log)) == 1


@pytest.mark.long
@pytest.mark.parametrize(
    "answer",
    [
        "sleep 60",
        "trap '' TERM; sleep 60",
        "printf '{ready'; sleep 60",
        "exit 1",
        "kill -9 $$",
        'echo garbage; echo "{ready$number}"',
        "printf '\\377\\376'; echo \"{ready$number}\"",
        "echo '[]'; echo \"{ready$number}\"",
        "echo '[1]'; echo \"{ready$number}\"",
        "echo '{}'; echo \"{ready$number}\"",
        "head -c 70000 /dev/zero | tr '\\0' '['; echo \"{ready$number}\"",
        "cat /dev/zero",
    ],
)
def test_a_mad_exiftool_is_given_up(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(exiftool, "SECONDS", 0.5)
    log = fake(answer)
    with MetadataReader() as reading:
        for _ in range(6):
            assert read_raf(reading) == Metadata()
        assert len(started(log)) == 3
        assert not any(map(is_alive, started(log)))


@pytest.mark.long
def test_a_late_answer_is_not_the_next_files(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exiftool, "SECONDS", 1.0)
    fake("if [ $number = 1 ]; then sleep 1.5; fi\n" + GOOD.replace("12345", "\"for'$number'\""))
    with MetadataReader() as reading:
        assert read_raf(reading) == Metadata()
        time.sleep(0.8)
        assert read_raf(reading).content_id == "for2"


def test_it_recovers_from_a_file_that_kills_it(fake: Fake) -> None:
    log = fake("if [ $((number % 2)) = 0 ]; then exit 1; fi\n" + GOOD)
    with MetadataReader() as reading:
        assert [bool(read_raf(reading).taken) for _ in range(10)] == [True, False] * 5
    assert len(started(log)) == 5


def test_one_that_talks_without_end_is_not_listened_to(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake("cat /dev/zero")
    monkeypatch.setattr(
        exiftool, "SECONDS", 1e6
    )  # it is for what was said that it is given up, not for the time
    with MetadataReader() as reading:
        assert read_raf(reading) == Metadata()


def test_a_pipe_is_no_file_for_exiftool_either(fake: Fake, tmp_path: Path) -> None:
    fake(GOOD)
    os.mkfifo(tmp_path / "pipe.raf")
    assert metadata_of(tmp_path / "pipe.raf", "image/x-fuji-raf") == Metadata()


@pytest.mark.parametrize("version", ["12.37", "9.99", "nonsense"])
def test_an_old_exiftool_is_shown_no_file(fake: Fake, version: str) -> None:
    log = fake(GOOD, version)
    with MetadataReader() as reading:
        assert read_raf(reading) == Metadata()
    assert started(log) == []
    assert not can_read("image/x-fuji-raf")


def test_it_does_not_outlive_a_killed_albumup(fake: Fake) -> None:
    log = fake(GOOD)
    script = (
        "import os, sys; from albumup.photos.metadata.reader import MetadataReader\n"
        "MetadataReader().read(os.fsencode(sys.argv[1]), 'image/x-fuji-raf'); "
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, SAID / "dated.raf"], timeout=30, check=False)
    until = time.monotonic() + 60
    while is_alive(started(log)[0]) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_alive(started(log)[0])
