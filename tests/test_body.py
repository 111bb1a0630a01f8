"""A body is what the encoder would have streamed, its name one that servers take, its source
watched all the while."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from requests_toolbelt import MultipartEncoder

from albumup.errors import LocalError
from albumup.journal.rows import Body
from albumup.photos import pins as pins_module
from albumup.photos import source as source_module
from albumup.photos.pins import Pins, as_pinned, read_pins, same_pins, same_time
from albumup.photos.source import (
    AnotherVolume,
    Place,
    Source,
    SourceChanged,
    SourceGone,
    open_source,
    read_source,
    root_is_away,
)
from albumup.targets.multipart import frame, new_boundary
from albumup.targets.sent_names import sent_name

SECOND = 10**9
HOUR = 3600 * SECOND
PHOTO = b"\xff\xd8 a photo " + bytes(range(256)) * 8

# Framing.

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.one_of(st.binary(min_size=1, max_size=80), text.filter(bool))
mimes = st.sampled_from(["image/jpeg", "video/quicktime", "application/octet-stream"])


@given(
    fields=st.lists(st.tuples(text, text), max_size=4),
    parts=st.lists(st.tuples(text, names, st.binary(max_size=300), mimes), max_size=2),
    file_field=text,
    name=names,
    mime=mimes,
    payload=st.one_of(st.binary(max_size=300), st.integers(0, 100_000).map(bytes)),
    block=st.sampled_from([1, 7, 333, 8191, 65537]),
)
def test_a_body_is_what_the_encoder_would_have_streamed(
    fields: list[tuple[str, str]], parts: list[tuple[str, bytes | str, bytes, str]],
    file_field: str, name: bytes | str, mime: str, payload: bytes, block: int,
) -> None:  # fmt: skip
    boundary, safe = new_boundary(), sent_name(name)
    besides = [(field, (sent_name(part), content, kind)) for field, part, content, kind in parts]
    file = file_field, (safe, io.BytesIO(payload), mime)
    encoder = MultipartEncoder([*fields, *besides, file], boundary=boundary)
    length = encoder.len
    block = max(block, length // 500)
    streamed = b"".join(iter(lambda: encoder.read(block), b""))
    framed = frame(fields, file_field, safe, mime, boundary, besides)
    assert framed.head + payload + framed.tail == streamed
    assert len(framed.head) + len(payload) + len(framed.tail) == length
    assert framed.content_type == encoder.content_type


def test_the_file_part_comes_last_with_a_raw_utf8_name() -> None:
    framed = frame(
        [("title", "Grüße"), ("album", "trip")], "photo", "größer.jpg", "image/jpeg", "BOUNDARY"
    )
    assert framed.head.decode() == (
        '--BOUNDARY\r\nContent-Disposition: form-data; name="title"\r\n\r\nGrüße\r\n'
        '--BOUNDARY\r\nContent-Disposition: form-data; name="album"\r\n\r\ntrip\r\n'
        '--BOUNDARY\r\nContent-Disposition: form-data; name="photo"; filename="größer.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    assert framed.tail == b"\r\n--BOUNDARY--\r\n"


def test_framing_and_looking_for_a_proxy_load_no_requests() -> None:
    lines = (
        "import sys",
        "from albumup.targets.multipart import frame",
        "from albumup.transfer.proxies import proxy_for",
        'frame([("a", "b")], "file", "1.jpg", "image/jpeg", "BOUNDARY", '
        '[("x", ("1.xmp", b"", "text/xml"))])',
        'proxy_for("http://club.example.org/")',
        'print([name for name in ("requests", "requests_toolbelt", "urllib3") '
        "if name in sys.modules])",
    )
    env = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


def test_boundaries_differ() -> None:
    assert len({new_boundary() for _ in range(100)}) == 100
    assert len(new_boundary()) <= 70  # RFC 2046 section 5.1.1


# The name a photo is sent as.


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        (b"DSC_0001.JPG", "DSC_0001.JPG"),
        ("Grüße 💐.jpg".encode(), "Grüße 💐.jpg"),
        (b'a"b.jpg', "a_b.jpg"),
        (b"a\\b.jpg", "a_b.jpg"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        (b"a\r\nX: y\x00\x7f\x1b.jpg", "a__X: y___.jpg"),
        ("a\x85b.jpg", "a_b.jpg"),  # a control of C1
        (b"%41%zz%2f.jpg", "_41%zz_2f.jpg"),
        (b"100%.jpg", "100%.jpg"),
        (b"\xffa\xfe.jpg", "_a_.jpg"),
        ("\ud800.jpg", "_.jpg"),
        ("u\u0308.jpg".encode(), "ü.jpg"),  # as macOS names it
        (b".hidden", ".hidden"),
        (b"-rf", "-rf"),
    ],
)
def test_a_name_is_sent_so_that_every_server_reads_it_alike(name: bytes | str, sent: str) -> None:
    assert sent_name(name) == sent


@pytest.mark.parametrize(
    ("name", "number", "sent"),
    [
        ("DSC_0001.JPG", 2, "DSC_0001-2.JPG"),
        ("DSC_0001.JPG", 12, "DSC_0001-12.JPG"),
        ("archive.tar.gz", 2, "archive.tar-2.gz"),
        ("photo", 3, "photo-3"),
        (".hidden", 2, ".hidden-2"),
    ],
)
def test_a_number_goes_before_the_extension(name: str, number: int, sent: str) -> None:
    assert sent_name(name, number) == sent


@pytest.mark.parametrize(
    "letter", ["a", "ü", "💐", "\u0958"]
)  # of 1, 2, 4 bytes, and one that NFC makes longer
@pytest.mark.parametrize("number", [1, 2, 1000])
def test_a_long_name_is_cut_and_its_extension_survives(letter: str, number: int) -> None:
    sent = sent_name(letter * 300 + ".JPEG", number)
    assert 245 < len(sent.encode()) <= 255
    assert sent.endswith(".JPEG" if number == 1 else f"-{number}.JPEG")


parts = st.tuples(text, st.integers(0, 300)).map(lambda pair: pair[0][:1] * pair[1])
long_names = st.one_of(st.binary(max_size=300), st.tuples(parts, parts).map(".".join))


@given(name=long_names, number=st.sampled_from([1, 2, 2000]))
def test_whatever_the_name_it_is_safe(name: bytes | str, number: int) -> None:
    sent = sent_name(name, number)
    assert len(sent.encode()) <= 255
    assert not set('"\\/\r\n\0').intersection(sent)
    assert not any(unicodedata.category(letter) in ("Cc", "Cs") for letter in sent)
    assert sent_name(sent) == sent


@given(name=long_names)
def test_numbers_tell_names_apart(name: bytes | str) -> None:
    assert len({sent_name(name, number) for number in (1, 2, 3, 11, 12)}) == 5


# The source of a body.


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "DSC_0001.JPG"
    path.write_bytes(PHOTO)
    return path


HERE = Place("")
"""Where a file lies, as a push notes it where the file system has no UUID."""


def body_of(path: Path) -> Body:
    pins, digests = read_source(os.fsencode(path), ["sha256"])
    return Body(b"", b"", "b", "image/jpeg", pins.size, pins, digests, None, None)


def opened(
    path: Path, body: Body, *, trusts_pins: bool = True, place: Place | None = HERE
) -> Source:
    """Open and compared, as before an attempt."""
    source = Source(os.fsencode(path), body, place)
    try:
        source.verify(trusts_pins=trusts_pins)
    except BaseException:
        source.close()
        raise
    return source


def edit(path: Path, content: bytes, offset: int = 5) -> None:
    """Write into a file in place, and set its modification time back: what a careful editor
    leaves."""
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.fixture
def source(photo: Path) -> Iterator[Source]:
    with closing(opened(photo, body_of(photo))) as source:
        yield source


def test_reading_pins_and_digests_in_one_pass(photo: Path) -> None:
    blocks: list[int] = []
    pins, digests = read_source(
        os.fsencode(photo), ["sha256", "md5", "sha1"], on_block=blocks.append
    )
    status = photo.stat()
    assert pins == read_pins(status)
    assert pins == Pins(len(PHOTO), status.st_mtime_ns, status.st_ino, status.st_ctime_ns)
    assert digests == {
        name: hashlib.new(name, PHOTO).hexdigest() for name in ("sha256", "md5", "sha1")
    }
    assert sum(blocks) == len(PHOTO)


def test_reading_copies_in_the_same_pass(photo: Path, tmp_path: Path) -> None:
    with (tmp_path / "copy").open("wb") as copy:
        read_source(os.fsencode(photo), ["sha256"], copy_to=copy.fileno())
    assert (tmp_path / "copy").read_bytes() == PHOTO


def failing(number: int):  # type: ignore[no-untyped-def]
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("copies", [False, True])
def test_a_card_that_is_pulled_while_it_is_read_is_the_sources_fault(
    photo: Path, tmp_path: Path, copies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "preadv", failing(errno.EIO))
    with (
        (tmp_path / "copy").open("wb") as copy,
        pytest.raises(SourceGone, match="Input/output error"),
    ):
        read_source(os.fsencode(photo), ["sha256"], copy_to=copy.fileno() if copies else None)


def test_a_full_disk_under_the_copy_is_this_machines_fault(photo: Path) -> None:
    with (
        open("/dev/full", "wb") as full,
        pytest.raises(LocalError, match="cannot copy: No space left"),
    ):
        read_source(os.fsencode(photo), ["sha256"], copy_to=full.fileno())


def test_reading_leaves_nothing_open(photo: Path) -> None:
    before = os.listdir("/proc/self/fd")
    read_source(os.fsencode(photo), ["sha256"])
    assert os.listdir("/proc/self/fd") == before


@pytest.mark.parametrize("content", [b"changed", b"longer" * 1000])
def test_a_file_that_is_written_to_while_it_is_read_is_not_taken(
    photo: Path, content: bytes
) -> None:
    with pytest.raises(SourceChanged, match="while it was read"):
        read_source(os.fsencode(photo), ["sha256"], on_block=lambda _: edit(photo, content))


def test_an_untouched_source_is_not_read_again(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = body_of(photo)
    monkeypatch.delattr(source_module, "digest")
    with closing(opened(photo, body)) as source:
        source.check()
        source.check()
        assert (source.repinned, source.pins) == (False, body.pins)


def test_an_edit_in_place_is_caught_though_its_time_was_set_back(
    source: Source, photo: Path
) -> None:
    source.check()
    edit(photo, b"changed")
    with pytest.raises(SourceChanged, match="its bytes changed"):
        source.check()


def test_an_edit_between_two_attempts_is_caught_by_its_time(photo: Path) -> None:
    body = body_of(photo)
    photo.write_bytes(PHOTO.swapcase())
    os.utime(photo, ns=(0, body.pins.mtime_ns + SECOND))
    with pytest.raises(SourceChanged, match="its bytes changed"):
        opened(photo, body)


def test_a_look_that_finds_the_same_bytes_is_not_repeated(
    source: Source, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.utime(photo, ns=(0, 1_000 * SECOND))
    source.check()
    assert (source.repinned, source.pins.mtime_ns) == (True, 1_000 * SECOND)
    monkeypatch.delattr(source_module, "digest")
    source.check()


def test_a_change_of_mode_only_is_no_change(source: Source, photo: Path) -> None:
    photo.chmod(0o600)
    source.check()
    assert source.repinned
    source.check()


def test_other_metadata_with_the_same_bytes_is_noted(photo: Path) -> None:
    body = body_of(photo)
    os.utime(photo, ns=(0, 1_000 * SECOND))
    with closing(opened(photo, body)) as source:
        assert (source.repinned, source.pins.mtime_ns) == (True, 1_000 * SECOND)


def test_a_copy_put_in_its_place_with_the_same_bytes_is_no_change(photo: Path) -> None:
    body = body_of(photo)
    other = photo.with_name("other")
    other.write_bytes(PHOTO)
    os.utime(other, ns=(0, body.pins.mtime_ns))
    other.rename(photo)
    with closing(opened(photo, body)) as source:
        assert (source.repinned, source.pins.inode) == (True, photo.stat().st_ino)


def test_another_file_put_in_its_place_is_a_change_though_size_and_time_agree(photo: Path) -> None:
    body = body_of(photo)
    other = photo.with_name("other")
    other.write_bytes(PHOTO.swapcase())
    os.utime(other, ns=(0, body.pins.mtime_ns))
    other.rename(photo)
    with pytest.raises(SourceChanged, match="its bytes changed"):
        opened(photo, body)


@pytest.mark.parametrize("size", [0, 10, len(PHOTO) - 1, len(PHOTO) + 1])
def test_a_source_that_shrank_or_grew_is_noticed_at_once_and_while_open(
    photo: Path, size: int
) -> None:
    body = body_of(photo)
    with closing(opened(photo, body)) as source:
        os.truncate(photo, size)
        with pytest.raises(SourceChanged, match="its size changed"):
            source.check()
    with pytest.raises(SourceChanged, match="its size changed"):
        opened(photo, body)


def test_a_source_removed_while_open_is_sent_to_its_end(source: Source, photo: Path) -> None:
    photo.unlink()
    source.check()
    assert os.pread(source.descriptor, 10_000, 0) == PHOTO


def test_a_vanished_source_is_gone(photo: Path) -> None:
    body = body_of(photo)
    photo.unlink()
    with pytest.raises(SourceGone, match="No such file"):
        opened(photo, body)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_gone_and_blocks_nobody(photo: Path, make) -> None:  # type: ignore[no-untyped-def]
    body = body_of(photo)
    photo.unlink()
    make(photo)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(SourceGone, match="no longer a regular file"):
        opened(photo, body)
    with pytest.raises(SourceGone):
        read_source(os.fsencode(photo), ["sha256"])
    assert os.listdir("/proc/self/fd") == before


def test_every_refusal_closes_what_it_opened(photo: Path, volumes: dict[int, str]) -> None:
    body = body_of(photo)
    photo.write_bytes(b"other")
    before = os.listdir("/proc/self/fd")
    with pytest.raises(SourceChanged):
        opened(photo, body)
    volumes[photo.stat().st_dev] = "UUID-2"
    with pytest.raises(AnotherVolume):
        open_source(os.fsencode(photo), Place("UUID-1"))
    assert os.listdir("/proc/self/fd") == before


def test_no_descriptors_left_is_this_machines_fault_not_the_photos(
    photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "open", failing(errno.EMFILE))
    with pytest.raises(LocalError, match="Too many open files"):
        open_source(os.fsencode(photo))


def test_a_copy_of_our_own_is_compared_by_size_alone(photo: Path, tmp_path: Path) -> None:
    body, copy = body_of(photo), tmp_path / "copy"
    copy.write_bytes(PHOTO)
    with closing(opened(copy, body, trusts_pins=False, place=None)) as source:
        assert not source.repinned
        source.check()
    copy.write_bytes(PHOTO[:-1])
    with pytest.raises(SourceChanged, match="its size changed"):
        opened(copy, body, trusts_pins=False, place=None)


# File systems that keep times loosely, and volumes.


@pytest.fixture
def file_system(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The one that everything lies on: ext4 until a test puts another one in."""
    kind = ["ext4"]
    monkeypatch.setattr(pins_module, "file_system_of", lambda _: kind[0])
    yield kind


@pytest.mark.parametrize(
    "kind", ["vfat", "exfat", "cifs", "smb3", "fuseblk", "fuse", "fuse.gvfsd-fuse"]
)
@pytest.mark.parametrize(
    ("off", "same"),
    [(0, True), (2 * SECOND, True), (-2 * SECOND, True), (HOUR, True), (-5 * HOUR + SECOND, True),
     (2 * SECOND + 1, False), (HOUR - 3 * SECOND, False), (HOUR // 2, False)],
)  # fmt: skip
def test_loose_file_systems_keep_times_within_two_seconds_of_whole_hours(
    file_system: list[str], kind: str, off: int, same: bool
) -> None:
    now = 1_700_000_000 * SECOND
    assert same_time(now, now + off, b"/card/1.jpg") == (off == 0), "exactly, on ext4"
    file_system[0] = kind
    assert same_time(now, now + off, b"/card/1.jpg") == same


def test_inodes_are_not_compared_where_they_mean_little(file_system: list[str]) -> None:
    pinned = Pins(100, 5 * SECOND, 11)
    moved = Pins(100, 6 * SECOND, 12)
    assert not same_pins(pinned, moved, b"/card/1.jpg")
    assert not same_pins(pinned, Pins(100, 5 * SECOND, 12), b"/card/1.jpg")
    file_system[0] = "vfat"
    assert same_pins(pinned, moved, b"/card/1.jpg")
    an_hour_later = Pins(100, 5 * SECOND + HOUR, 12)
    assert not same_pins(pinned, an_hour_later, b"/card/1.jpg"), "it may have been edited"
    assert not same_pins(pinned, Pins(101, 6 * SECOND, 12), b"/card/1.jpg")


@pytest.fixture
def volumes(monkeypatch: pytest.MonkeyPatch) -> dict[int, str]:
    """UUIDs by device number, instead of the system's."""
    known: dict[int, str] = {}
    monkeypatch.setattr(source_module, "volume_of", lambda device, _: known.get(device, ""))
    return known


def test_a_disk_is_known_by_its_id_and_not_by_its_number(volumes: dict[int, str]) -> None:
    """An id that is unknown, then or now, is no other one: so it is after a remount of btrfs, ZFS,
    NFS or FUSE."""
    volumes[8] = "UUID-1"
    for place, device in (
        (Place(""), 7),
        (Place(""), 8),
        (Place("UUID-1"), 8),
        (Place("UUID-1"), 7),
    ):
        place.expect(device, b"/card")
    with pytest.raises(AnotherVolume, match="another card or disk"):
        Place("UUID-2").expect(8, b"/card")


@pytest.mark.parametrize("loose", [False, True])
@pytest.mark.parametrize(
    ("pinned", "exactly", "loosely"),
    [
        (lambda now: Pins(now.st_size, now.st_mtime_ns, now.st_ino), True, True),
        (
            lambda now: Pins(now.st_size, now.st_mtime_ns, 0),
            True,
            True,
        ),  # an inode that was never seen
        (lambda now: Pins(now.st_size, now.st_mtime_ns, now.st_ino + 1), False, True),
        (lambda now: Pins(now.st_size, now.st_mtime_ns - HOUR + SECOND, now.st_ino), False, True),
        (lambda now: Pins(now.st_size, now.st_mtime_ns + HOUR // 2, now.st_ino), False, False),
        (lambda now: Pins(now.st_size + 1, now.st_mtime_ns, now.st_ino), False, False),
    ],
)
def test_a_photo_is_as_pinned_as_exactly_as_its_disk_keeps_it(
    photo: Path, pinned: Callable[[os.stat_result], Pins], exactly: bool, loosely: bool, loose: bool
) -> None:
    now = photo.stat()
    assert as_pinned(pinned(now), now, loose=loose) == (loosely if loose else exactly)


def test_what_is_not_believed_is_read_though_nothing_hints_at_a_change(photo: Path) -> None:
    """Another card's photo may have size and time of this one, to the nanosecond."""
    body = body_of(photo)
    opened(photo, body, trusts_pins=False).close()
    other = structs.replace(body, digests={"sha256": "0" * 64})
    opened(photo, other).close()
    with pytest.raises(SourceChanged, match="its bytes changed"):
        opened(photo, other, trusts_pins=False)


def test_another_card_at_the_same_path_is_not_the_photo(
    photo: Path, volumes: dict[int, str]
) -> None:
    body, device = body_of(photo), photo.stat().st_dev
    volumes[device] = "UUID-2"
    with pytest.raises(AnotherVolume):
        Source(os.fsencode(photo), body, Place("UUID-1"))
    with pytest.raises(AnotherVolume):
        read_source(os.fsencode(photo), ["sha256"], place=Place("UUID-1"))
    Source(os.fsencode(photo), body, Place("UUID-2")).close()


def test_a_root_that_is_there_is_not_away(photo: Path) -> None:
    assert root_is_away(os.fsencode(photo.parent), HERE, is_folder=True) == ""


def test_a_root_that_does_not_exist_is_away(tmp_path: Path) -> None:
    assert root_is_away(os.fsencode(tmp_path / "card"), HERE, is_folder=True) == "it does not exist"


def test_an_empty_mount_point_is_away(tmp_path: Path) -> None:
    assert root_is_away(os.fsencode(tmp_path), HERE, is_folder=True) == "the folder is empty"
    # That of a single file that was named is not the root's business.
    assert root_is_away(os.fsencode(tmp_path), HERE, is_folder=False) == ""


def test_a_root_with_another_volume_is_away(photo: Path, volumes: dict[int, str]) -> None:
    folder, device = os.fsencode(photo.parent), photo.stat().st_dev
    volumes[device] = "UUID-1"
    assert root_is_away(folder, Place("UUID-2"), is_folder=True) == "another card or disk is there"
    for place in Place("UUID-1"), Place(""):
        assert root_is_away(folder, place, is_folder=True) == ""


def test_a_root_behind_a_loop_of_links_is_away_with_the_systems_words(tmp_path: Path) -> None:
    (tmp_path / "card").symlink_to("card")
    assert root_is_away(os.fsencode(tmp_path / "card"), HERE, is_folder=True) != ""
