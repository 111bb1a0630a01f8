"""Makes the picture files that are committed here and in src/albumup/demo_photos; run it by hand,
tests never do.

Needs Pillow, pillow-heif and ffmpeg (with libx264 and libvpx). Pictures come out of a seeded
generator, so another run changes a byte only where an encoder did.
"""

from __future__ import annotations

import io
import math
import random
import struct
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pillow_heif
from PIL import ExifTags, Image, ImageChops, ImageDraw, ImageFilter

HERE = Path(__file__).parent
METADATA = HERE / "metadata"
DEMO = HERE.parents[1] / "src" / "albumup" / "demo_photos"

Colour = tuple[int, int, int]


def main() -> None:
    pillow_heif.register_heif_opener()
    make_pictures()
    make_raw_headers()
    make_more_pictures()
    make_videos()
    make_more_videos()
    make_facts()
    make_demo()
    total = 0
    for folder in (HERE, METADATA, DEMO):
        for path in sorted(folder.iterdir()):
            if path.is_file():
                print(f"{path.stat().st_size:8}  {path.relative_to(folder.parent)}")
                total += path.stat().st_size
    print(f"{total:8}  altogether")


# --- one tiny file of every type ------------------------------------------------------------------


def make_pictures() -> None:
    tile = Image.linear_gradient("L").resize((16, 16)).convert("RGB")
    dated = exif("2026:07:14 18:03:22", "+02:00", "250").tobytes()
    tile.save(HERE / "photo.jpg", quality=60, exif=dated)
    tile.save(HERE / "no_date.jpg", quality=60)
    tile.save(HERE / "no_offset.jpg", quality=60, exif=exif("2026:07:14 18:03:22").tobytes())
    tile.save(HERE / "photo.heic", quality=40, exif=dated)
    tile.save(HERE / "photo.png", exif=dated)
    tile.save(HERE / "photo.webp", quality=40, exif=dated)
    tile.save(HERE / "photo.avif", quality=40)
    tile.save(HERE / "photo.gif")
    tile.save(HERE / "photo.tif", exif=dated)
    heic = (HERE / "photo.heic").read_bytes()
    # The same boxes under the brand that names only their structure, as some phones write them.
    size = int.from_bytes(heic[:4], "big")
    brands = b"mif1" + heic[12:16] + b"mif1".ljust(size - 16, b"\0")
    (HERE / "photo.heif").write_bytes(heic[:8] + brands + heic[size:])


def exif(taken: str, offset: str = "", subsecond: str = "") -> Image.Exif:
    """EXIF with DateTimeOriginal, and the other two where given (CIPA DC-008, section 4.6.6)."""
    block = Image.Exif()
    block[ExifTags.Base.Make] = "albumup"
    block[ExifTags.Base.Model] = "generated"
    block[ExifTags.Base.DateTime] = taken
    inner = block.get_ifd(ExifTags.IFD.Exif)
    inner[ExifTags.Base.DateTimeOriginal] = taken
    if offset:
        inner[ExifTags.Base.OffsetTimeOriginal] = offset
    if subsecond:
        inner[ExifTags.Base.SubsecTimeOriginal] = subsecond
    return block


def make_raw_headers() -> None:
    """Just enough of each RAW format to be told by: nobody could develop these."""
    for name, make, model in (
        ("photo.nef", "NIKON CORPORATION", "NIKON Z 6"),
        ("photo.arw", "SONY", "ILCE-7M3"),
        ("photo.dng", "Google", "Pixel 8"),
    ):
        (HERE / name).write_bytes(tiff(make, model))
    plain = tiff("Canon", "Canon EOS 80D", first_ifd=16)
    (HERE / "photo.cr2").write_bytes(plain[:8] + b"CR\x02\0" + bytes(4) + plain[16:])
    olympus = tiff("OLYMPUS CORPORATION", "E-M1")
    (HERE / "photo.orf").write_bytes(b"IIRO" + olympus[4:])
    panasonic = tiff("Panasonic", "DC-G9", first_ifd=24)
    (HERE / "photo.rw2").write_bytes(b"IIU\0" + panasonic[4:])
    fuji = b"FUJIFILMCCD-RAW 0201FF129502X-T3".ljust(60, b"\0") + b"0100"
    (HERE / "photo.raf").write_bytes(fuji.ljust(160, b"\0"))
    crx = b"crx \0\0\0\x01crx isom"
    (HERE / "photo.cr3").write_bytes(
        box(b"ftyp", crx) + box(b"moov", box(b"free", bytes(32))) + box(b"mdat", bytes(32))
    )


RAW_ON_TIFF = {
    "3fr": ("Hasselblad", "CFV-50c"), "bay": ("CASIO", "EX-P600"), "cap": ("Phase One", "P 25"),
    "dcr": ("Kodak", "DCS Pro 14N"), "erf": ("SEIKO EPSON CORP.", "R-D1"),
    "fff": ("Imacon", "Ixpress"), "gpr": ("GoPro", "HERO9 Black"), "iiq": ("Phase One", "IQ3"),
    "k25": ("Kodak", "DC25"), "kdc": ("Kodak", "DC120"), "mef": ("Mamiya", "ZD"),
    "mos": ("Leaf", "Aptus 22"), "nrw": ("NIKON", "COOLPIX P7000"), "pef": ("PENTAX", "K-3"),
    "sr2": ("SONY", "DSC-R1"), "srf": ("SONY", "DSC-F828"), "srw": ("SAMSUNG", "NX1"),
}  # fmt: skip
RAW_BY_HEAD = {
    "photo.ari": b"ARRI\x12\x34\x56\x78".ljust(64, b"\0"),
    "photo.cin": b"CI,\0".ljust(64, b"\0"),
    "photo.crw": b"II\x1a\0\0\0HEAPCCDR\2\0\1\0".ljust(64, b"\0"),
    "photo.eip": b"PK\x03\x04\x0a".ljust(64, b"\0"),
    "photo.fpx": bytes.fromhex("d0cf11e0a1b11ae1").ljust(64, b"\0"),
    "photo.lfp": b"\x89LFP\r\n\x1a\n\0\0\0\1".ljust(64, b"\0"),
    "photo.mrw": b"\0MRM\0\0\0\x18\0PRD".ljust(64, b"\0"),
    "photo.pcd": b"\xff" * 64,
    "photo.pmp": bytes(8) + b"\0\0\0\x7c" + bytes(112) + b"\xff\xd8\xff\xdb",
    "photo.psd": b"8BPS\0\1"
    + bytes(6)
    + struct.pack(">HIIHH", 3, 1, 1, 8, 3)
    + bytes(14)
    + b"\x80\x80\x80",
    "photo.pxn": b"XP".ljust(64, b"\0"),
    "photo.raw": bytes(25) + b"ARECOYK".ljust(39, b"\0"),
    "photo.rwz": b"rawzor".ljust(64, b"\0"),
    "photo.x3f": b"FOVb\2\0\2\0".ljust(64, b"\0"),
}


def make_more_pictures() -> None:
    """What fewer cameras and programs write; the RAW types are heads again."""
    tile = Image.linear_gradient("L").resize((16, 16)).convert("RGB")
    tile.save(HERE / "photo.bmp")
    tile.save(HERE / "photo.jp2")
    plain = (HERE / "photo.jp2").read_bytes()
    (HERE / "photo.jpx").write_bytes(plain.replace(b"ftypjp2 ", b"ftypjpx ", 1))
    ffmpeg(
        "-i",
        str(HERE / "photo.png"),
        "-c:v",
        "libjxl",
        "-fflags",
        "+bitexact",
        str(HERE / "photo.jxl"),
    )
    for suffix, (make, model) in RAW_ON_TIFF.items():
        (HERE / f"photo.{suffix}").write_bytes(tiff(make, model))
    (HERE / "photo.ori").write_bytes(b"IIRO" + tiff("OM Digital Solutions", "OM-1")[4:])
    (HERE / "photo.rwl").write_bytes(
        b"IIU\0" + tiff("LEICA CAMERA AG", "V-LUX 5", first_ifd=24)[4:]
    )
    for name, head in RAW_BY_HEAD.items():
        (HERE / name).write_bytes(head)


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def tiff(make: str, model: str, first_ifd: int = 8) -> bytes:
    """A little-endian TIFF of one grey pixel, with the camera's make and model, and DNGVersion."""
    strings = [text.encode() + b"\0" for text in (make, model)]
    count = 10
    data_at = first_ifd + 2 + 12 * count + 4
    model_at = data_at + len(strings[0])
    pixel_at = model_at + len(strings[1])
    short, long, ascii_, byte = 3, 4, 2, 1
    entries = [
        (256, short, 1, 1),  # width
        (257, short, 1, 1),  # height
        (258, short, 1, 8),  # bits
        (259, short, 1, 1),  # no compression
        (262, short, 1, 1),  # black is zero
        (271, ascii_, len(strings[0]), data_at),
        (272, ascii_, len(strings[1]), model_at),
        (273, long, 1, pixel_at),
        (279, long, 1, 1),
        (50706, byte, 4, 0x00000401),  # DNG 1.4.0.0
    ]
    head = b"II*\0" + struct.pack("<I", first_ifd)
    ifd = (
        struct.pack("<H", count)
        + b"".join(struct.pack("<HHII", *entry) for entry in entries)
        + bytes(4)
    )
    return head.ljust(first_ifd, b"\0") + ifd + b"".join(strings) + b"\x80"


# --- what files say of themselves -----------------------------------------------------------------

CONTENT_ID = b"8F1C2F0E-5B6D-4C55-9C5B-0A7D6B1E2F30"
TAKEN = datetime(2026, 7, 14, 16, 3, 22, tzinfo=UTC)  # 18:03:22 where it was taken


def make_facts() -> None:
    tile = Image.linear_gradient("L").resize((16, 16)).convert("RGB")
    live = exif("2026:07:14 18:03:22", "+02:00", "250")
    live[ExifTags.Base.Make] = "Apple"
    live.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = apple_note(CONTENT_ID)
    tile.save(METADATA / "live.jpg", quality=60, exif=live.tobytes())
    tile.save(METADATA / "live.heic", quality=40, exif=live.tobytes())
    tile.save(METADATA / "dated.avif", quality=40, exif=live.tobytes())
    seconds = int((TAKEN - datetime(1904, 1, 1, tzinfo=UTC)).total_seconds())
    apple = metadata(
        {
            b"com.apple.quicktime.make": b"Apple",
            b"com.apple.quicktime.content.identifier": CONTENT_ID,
            b"com.apple.quicktime.creationdate": b"2026-07-14T18:03:22+0200",
        }
    )
    picture = box(b"mdat", bytes(32))
    quicktime, mp4 = box(b"ftyp", b"qt  \0\0\0\0qt  "), box(b"ftyp", b"mp42\0\0\0\0isommp42")
    # An hour later in the header: there it is when the file was written.
    (METADATA / "live.mov").write_bytes(
        quicktime + picture + box(b"moov", mvhd(seconds + 3600) + apple)
    )
    (METADATA / "utc.mov").write_bytes(quicktime + picture + box(b"moov", mvhd(seconds)))
    (METADATA / "utc.mp4").write_bytes(mp4 + box(b"moov", mvhd(seconds, version=1)) + picture)
    (METADATA / "unset.mp4").write_bytes(mp4 + box(b"moov", mvhd(0)) + picture)
    (METADATA / "unix.mp4").write_bytes(mp4 + box(b"moov", mvhd(2_082_844_800)) + picture)
    for name, start in (
        ("nef", b"II*\0"),
        ("arw", b"II*\0"),
        ("dng", b"II*\0"),
        ("orf", b"IIRO"),
        ("rw2", b"IIU\0"),
    ):
        (METADATA / f"dated.{name}").write_bytes(start + dated_tiff("camera maker", 8)[4:])
    canon = dated_tiff("Canon", 16)
    (METADATA / "dated.cr2").write_bytes(canon[:8] + b"CR\x02\0" + bytes(4) + canon[16:])
    jpeg = io.BytesIO()
    tile.save(jpeg, "JPEG", quality=60, exif=exif("2026:07:14 18:03:22", "+02:00", "250").tobytes())
    fuji = b"FUJIFILMCCD-RAW 0201FF129502X-T3".ljust(60, b"\0") + b"0100"
    fuji = fuji.ljust(84, b"\0") + struct.pack(">II", 160, len(jpeg.getvalue()))
    (METADATA / "dated.raf").write_bytes(fuji.ljust(160, b"\0") + jpeg.getvalue())
    canon_uuid = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
    inner = box(
        b"uuid", canon_uuid + box(b"CMT1", tiff("Canon", "Canon EOS R")) + box(b"CMT2", exif_tiff())
    )
    head = box(b"ftyp", b"crx \0\0\0\x01crx isom")
    (METADATA / "dated.cr3").write_bytes(
        head + box(b"moov", inner + mvhd(seconds)) + box(b"mdat", bytes(32))
    )


def apple_note(content_id: bytes) -> bytes:
    """Apple's MakerNote with a number and the content identifier; offsets count from its start."""
    entries = struct.pack(">HHII", 0x0001, 4, 1, 14) + struct.pack(
        ">HHII", 0x0011, 2, len(content_id) + 1, 44
    )
    return b"Apple iOS\0\0\x01MM" + struct.pack(">H", 2) + entries + bytes(4) + content_id + b"\0"


def mvhd(created: int, version: int = 0) -> bytes:
    """The movie's header: created so many seconds after the start of 1904."""
    times = struct.pack(
        ">IQQIQ" if version else ">IIIII", version << 24, created, created, 600, 1200
    )
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    return box(
        b"mvhd",
        times + struct.pack(">IH10x", 0x10000, 0x100) + matrix + bytes(24) + struct.pack(">I", 2),
    )


def metadata(values: dict[bytes, bytes]) -> bytes:
    """QuickTime's ``meta``: names in ``keys``, texts in ``ilst`` by their numbers."""
    names = b"".join(box(b"mdta", name) for name in values)
    texts = b"".join(
        box(struct.pack(">I", number), box(b"data", struct.pack(">II", 1, 0) + value))
        for number, value in enumerate(values.values(), 1)
    )
    handler = box(b"hdlr", bytes(8) + b"mdta" + bytes(14))
    return box(
        b"meta",
        handler + box(b"keys", struct.pack(">II", 0, len(values)) + names) + box(b"ilst", texts),
    )


def exif_tiff(at: int = 0, first_ifd: int = 8) -> bytes:
    """A TIFF whose first IFD holds what an Exif IFD does; ``at`` is where it stands in the file it
    is put into."""
    values = {0x9003: b"2026:07:14 18:03:22\0", 0x9011: b"+02:00\0", 0x9291: b"250\0"}
    data = b""
    entries = b""
    data_at = at + first_ifd + 2 + 12 * len(values) + 4
    for tag, value in values.items():
        inline = value if len(value) <= 4 else struct.pack("<I", data_at + len(data))
        data += value if len(value) > 4 else b""
        entries += struct.pack("<HHI4s", tag, 2, len(value), inline)
    head = b"II*\0" + struct.pack("<I", first_ifd)
    return head.ljust(first_ifd, b"\0") + struct.pack("<H", len(values)) + entries + bytes(4) + data


def dated_tiff(make: str, first_ifd: int) -> bytes:
    """A TIFF of nothing but its maker and an Exif IFD."""
    text = make.encode() + b"\0"
    text_at = first_ifd + 2 + 24 + 4
    exif_at = text_at + len(text)
    entries = struct.pack("<HHII", 271, 2, len(text), text_at) + struct.pack(
        "<HHII", 0x8769, 4, 1, exif_at
    )
    head = (b"II*\0" + struct.pack("<I", first_ifd)).ljust(first_ifd, b"\0")
    return head + struct.pack("<H", 2) + entries + bytes(4) + text + exif_tiff(exif_at - 8)[8:]


def make_videos() -> None:
    for name, *options in (
        ("video.mp4", "-c:v", "mpeg4"),
        ("video.mov", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p"),
        ("video.m4v", "-c:v", "mpeg4", "-f", "ipod"),
        ("video.avi", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p"),
        ("video.mts", "-c:v", "mpeg2video", "-f", "mpegts"),
        ("video.m2ts", "-c:v", "mpeg2video", "-f", "mpegts", "-mpegts_m2ts_mode", "1"),
        ("video.3gp", "-c:v", "h263", "-s", "128x96"),
        ("video.3g2", "-c:v", "mpeg4"),
        ("video.mkv", "-c:v", "mpeg4"),
        ("video.webm", "-c:v", "libvpx"),
    ):
        source = ("-f", "lavfi", "-i", "color=c=0x3366aa:s=32x32:r=25:d=0.2")
        ffmpeg(*source, *options, "-fflags", "+bitexact", "-flags", "+bitexact", str(HERE / name))
    # QuickTime files of the 1990s begin with another box; as long as the one it replaces, so that
    # no offset moves.
    modern = (HERE / "video.mov").read_bytes()
    (HERE / "old.mov").write_bytes(modern[:4] + b"skip" + modern[8:])


def make_more_videos() -> None:
    for name, *options in (
        ("video.mpg", "-c:v", "mpeg2video", "-f", "vob"),
        ("video.wmv", "-c:v", "wmv2"),
        ("video.asf", "-c:v", "wmv2"),
        ("video.flv", "-c:v", "flv"),
        ("video.ogv", "-c:v", "libtheora"),
        ("video.f4v", "-c:v", "libx264", "-f", "f4v"),
        ("video.mxf", "-c:v", "mpeg2video", "-s", "64x64"),
        ("video.dv", "-c:v", "dvvideo", "-s", "720x576", "-pix_fmt", "yuv420p"),
    ):
        source = ("-f", "lavfi", "-i", "color=c=0x3366aa:s=32x32:r=25:d=0.2")
        ffmpeg(*source, *options, "-fflags", "+bitexact", "-flags", "+bitexact", str(HERE / name))
    for name in ("video.dv", "video.mxf"):  # so long that their heads have to do
        (HERE / name).write_bytes((HERE / name).read_bytes()[:2048])
    (HERE / "video.crm").write_bytes((HERE / "photo.cr3").read_bytes())
    (HERE / "video.braw").write_bytes(b"\0\0\0\x08wide" + box(b"mdat", bytes(32)))
    (HERE / "video.r3d").write_bytes(b"\0\0\1\0RED1".ljust(256, b"\0"))
    jp2 = (HERE / "photo.jp2").read_bytes()
    (HERE / "video.mj2").write_bytes(jp2.replace(b"ftypjp2 ", b"ftypmjp2", 1))


def ffmpeg(*arguments: str, feed: bytes | None = None) -> None:
    command = ("ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-y", *arguments)
    if feed is not None:
        command = tuple(word for word in command if word != "-nostdin")
    subprocess.run(command, check=True, input=feed)


# --- the pictures of `albumup demo` ---------------------------------------------------------------

SIZE = (1024, 768)

# What each picture is: sky from top to horizon, sun (colour, x, y, radius as shares of the width),
# the nearest hills.
SCENES: dict[str, tuple[list[Colour], tuple[Colour, float, float, float] | None, Colour]] = {
    "IMG_4101.JPG": (
        [(28, 42, 94), (172, 88, 128), (252, 178, 118)],
        ((255, 228, 180), 0.62, 0.40, 0.05),
        (24, 22, 48),
    ),
    "IMG_4102.JPG": ([(74, 144, 206), (160, 206, 232), (232, 242, 244)], None, (26, 70, 62)),
    "IMG_4103.JPG": (
        [(250, 196, 110), (248, 148, 96), (206, 84, 92)],
        ((255, 246, 214), 0.30, 0.30, 0.08),
        (70, 22, 46),
    ),
    "IMG_4104.JPG": (
        [(12, 16, 40), (26, 50, 92), (62, 116, 142)],
        ((236, 240, 250), 0.78, 0.16, 0.03),
        (6, 12, 26),
    ),
    "IMG_4105.JPG": (
        [(196, 224, 214), (236, 232, 206), (250, 222, 190)],
        ((255, 250, 232), 0.5, 0.34, 0.06),
        (52, 92, 78),
    ),
    "IMG_4106.JPG": (
        [(64, 34, 96), (158, 64, 134), (246, 140, 146)],
        ((255, 214, 196), 0.18, 0.42, 0.07),
        (30, 12, 50),
    ),
    "IMG_4107.HEIC": (
        [(96, 168, 190), (190, 216, 208), (252, 232, 196)],
        ((255, 250, 226), 0.7, 0.2, 0.04),
        (20, 54, 74),
    ),
}


def make_demo() -> None:
    for number, (name, scene) in enumerate(SCENES.items(), 1):
        picture = landscape(random.Random(number), *scene)
        dated = exif(
            f"2026:07:14 {8 + 2 * number:02}:{7 * number:02}:{11 * number % 60:02}", "+02:00"
        ).tobytes()
        encoded = io.BytesIO()
        if name.endswith(".HEIC"):
            picture.save(encoded, "HEIF", quality=45, exif=dated)
        else:
            picture.save(encoded, "JPEG", quality=82, optimize=True, exif=dated)
        (DEMO / name).write_bytes(encoded.getvalue())
    raw = b"".join(frame.tobytes() for frame in film(random.Random(20), seconds=4, rate=25))
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "320x240", "-r", "25", "-i", "-")
    coding = (
        "-c:v", "libx264", "-preset", "slow", "-b:v", "900k", "-pix_fmt", "yuv420p", "-fflags",
        "+bitexact",
    )  # fmt: skip
    ffmpeg(*source, *coding, "-flags", "+bitexact", str(DEMO / "IMG_4120.MOV"), feed=raw)


def landscape(
    rng: random.Random,
    sky: list[Colour],
    sun: tuple[Colour, float, float, float] | None,
    near: Colour,
) -> Image.Image:
    width, height = SIZE
    picture = gradient(sky, SIZE)
    if sun is not None:
        colour, x, y, radius = sun
        for grow, strength in ((6.0, 90), (1.0, 255)):
            disc = Image.new("L", SIZE, 0)
            reach = radius * grow * width
            centre = (x * width, y * height)
            corners = (centre[0] - reach, centre[1] - reach, centre[0] + reach, centre[1] + reach)
            ImageDraw.Draw(disc).ellipse(corners, fill=strength)
            disc = disc.filter(ImageFilter.GaussianBlur(reach / 2 if grow > 1 else 1.5))
            picture.paste(colour, (0, 0), disc)
    layers = 5
    for layer in range(layers):
        share = (layer + 1) / layers
        colour = blend(sky[-1], near, 0.25 + 0.75 * share)
        crest = ridge(
            rng,
            width,
            height * (0.50 + 0.36 * share),
            height * (0.16 - 0.08 * share),
            0.50 + 0.06 * (1 - share),
        )
        hills = Image.new("L", SIZE, 0)
        ImageDraw.Draw(hills).polygon([(0, height), *enumerate(crest), (width, height)], fill=255)
        # Mist gathers at the foot of every range.
        foot = gradient([colour, blend(colour, sky[-1], 0.35)], SIZE)
        picture.paste(foot, (0, 0), hills.filter(ImageFilter.GaussianBlur(0.8)))
    return grained(picture, 4)


def gradient(colours: list[Colour], size: tuple[int, int]) -> Image.Image:
    """The colours from top to bottom."""
    column = Image.new("RGB", (1, len(colours)))
    column.putdata(colours)
    return column.resize(size, Image.Resampling.BICUBIC)


def blend(one: Colour, other: Colour, share: float) -> Colour:
    mixed = [round(a + (b - a) * share) for a, b in zip(one, other, strict=True)]
    return (mixed[0], mixed[1], mixed[2])


def ridge(
    rng: random.Random, width: int, level: float, relief: float, roughness: float
) -> list[float]:
    """Heights of a line of hills, by halving: each middle moves at random, by less the nearer its
    neighbours are."""
    points = [level + rng.uniform(-relief, relief) for _ in range(5)]
    while len(points) < width:
        relief *= roughness
        middles = [(a + b) / 2 + rng.uniform(-relief, relief) for a, b in pairwise(points)]
        points = [point for pair in zip(points, middles, strict=False) for point in pair] + points[
            -1:
        ]
    return points[: width + 1]


def grained(picture: Image.Image, strength: int) -> Image.Image:
    """With a film's grain, which also keeps a gradient from showing bands."""
    rng = random.Random(strength)
    noise = Image.frombytes("L", picture.size, rng.randbytes(picture.width * picture.height))
    grain = noise.point(lambda value: 128 + (value - 128) * strength // 128).filter(
        ImageFilter.GaussianBlur(0.7)
    )
    return ImageChops.add(picture, Image.merge("RGB", [grain] * 3), scale=1, offset=-128)


def film(rng: random.Random, seconds: int, rate: int) -> Iterator[Image.Image]:
    """Hills gliding past under a sky that turns from day to dusk."""
    size = (320, 240)
    ranges = [ridge(rng, 1024, 110 + 40 * layer, 34 - 8 * layer, 0.52) for layer in range(3)]
    for number in range(seconds * rate):
        share = number / (seconds * rate)
        day: list[Colour] = [(74, 144, 206), (232, 242, 244)]
        dusk: list[Colour] = [(40, 30, 92), (252, 150, 110)]
        sky = [blend(one, other, share) for one, other in zip(day, dusk, strict=True)]
        frame = gradient(sky, size)
        draw = ImageDraw.Draw(frame)
        x, y = 60 + 200 * share, 60 + 30 * math.sin(math.pi * share)
        draw.ellipse((x - 14, y - 14, x + 14, y + 14), fill=(255, 238, 206))
        for layer, crest in enumerate(ranges):
            start = round(number * (1.0 + 1.6 * layer))
            colour = blend(sky[-1], (16, 20, 44), 0.4 + 0.28 * layer)
            draw.polygon(
                [(0, 240), *enumerate(crest[start : start + 321]), (320, 240)], fill=colour
            )
        yield grained(frame, 7)


if __name__ == "__main__":
    main()
