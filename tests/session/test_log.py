"""The log of uploaders in the background: rotated, private, and nobody's trouble when it fails."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from albumup.config import known_secrets
from albumup.config.settings import FormSettings
from albumup.config.token_source import read_token
from albumup.session import log as logs
from albumup.session.log import Log, Reader, files_of, hidden

START = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d) \[(\d+)\] (.*)$")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db.log"


@pytest.fixture
def open_log(path: Path) -> Iterator[Callable[..., Log]]:
    opened: list[Log] = []

    def one(**more: object) -> Log:
        opened.append(Log(str(path), **more))  # type: ignore[arg-type]
        return opened[-1]

    yield one
    for each in opened:
        each.close()


def words(path: Path) -> list[str]:
    """The lines of a file without their beginnings, which are all there."""
    found = [START.match(line) for line in path.read_text().splitlines()]
    assert all(found), path.read_text()
    return [one[3] for one in found if one]


def test_a_line_has_local_time_its_offset_and_the_process(
    path: Path, open_log: Callable[..., Log], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        open_log(clock=lambda: 1_764_000_000.0).line("ä line")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert path.read_text() == f"2025-11-24 21:45:00+05:45 [{os.getpid()}] ä line\n"


def test_each_line_of_a_text_is_one_of_the_log(path: Path, open_log: Callable[..., Log]) -> None:
    open_log().line("Traceback:\n  here\nValueError: \udc80")
    assert words(path) == ["Traceback:", "  here", "ValueError: \\udc80"]


def test_it_is_private_also_where_it_was_not(path: Path, open_log: Callable[..., Log]) -> None:
    before = os.umask(0)
    try:
        open_log().line("one")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o644)
        open_log().line("two")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_link_is_followed(path: Path, open_log: Callable[..., Log]) -> None:
    other = path.with_name("other")
    other.write_text("mine\n")
    path.symlink_to(other)
    log = open_log()
    log.line("lost")
    assert other.read_text() == "mine\n"
    assert log.fault
    with pytest.raises(OSError, match="link"):
        Reader(str(path)).close()


def test_a_fifo_holds_nobody_up(path: Path, open_log: Callable[..., Log]) -> None:
    os.mkfifo(path)
    log = open_log()
    log.line("lost")
    assert log.fault


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (os.mkfifo, "it is no file"),
        (os.mkdir, "it is a folder"),
        (lambda path: path.symlink_to("other"), "it is a link"),
    ],
)
def test_a_former_log_that_is_none_is_left_out_and_named(
    path: Path, open_log: Callable[..., Log], make: Callable[[Path], None], what: str
) -> None:
    path.with_name("other").write_text("mine\n")
    path.with_suffix(".log.2").write_text("long ago\n")
    former = path.with_suffix(".log.1")
    make(former)
    open_log().line("now")
    reader = Reader(str(path))
    read = b"".join(reader.read())
    reader.close()
    assert read.startswith(b"long ago\n") and read.endswith(b" now\n") and b"mine" not in read
    assert list(reader.faults) == [str(former)]
    assert reader.faults[str(former)].startswith(what)


def test_three_files_are_kept_of_a_mebibyte_each(path: Path, open_log: Callable[..., Log]) -> None:
    log = open_log()
    log.may_rotate = True
    line = "x" * 100_000
    for number in range(45):
        log.line(f"{number} {line}")
    files = [Path(one) for one in files_of(str(path))]
    assert sorted(path.parent.iterdir()) == sorted(files)
    for file in files:
        assert file.stat().st_size <= logs.MOST_BYTES
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    numbers = [int(one.split()[0]) for file in files for one in words(file)]
    assert numbers == list(range(numbers[0], 45))
    assert [len(words(file)) for file in files[:2]] == [10, 10]  # as many as fit


def test_only_who_may_rotates_and_the_others_write_where_it_goes_on(
    path: Path, open_log: Callable[..., Log], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MOST_BYTES", 200)
    holder, other = open_log(), open_log()
    holder.may_rotate = True
    for number in range(10):
        other.line(f"other {number} {'x' * 50}")
    assert not path.with_suffix(".log.1").exists()
    holder.line("holder")
    other.line("then")
    assert words(path) == ["holder", "then"]
    assert len(words(path.with_suffix(".log.1"))) == 10


def test_one_that_was_deleted_is_begun_anew(path: Path, open_log: Callable[..., Log]) -> None:
    log = open_log()
    log.line("one")
    path.unlink()
    log.line("two")
    assert words(path) == ["two"]


def test_a_full_disk_costs_lines_alone_and_their_number_is_said(
    path: Path, open_log: Callable[..., Log]
) -> None:
    is_full = False

    def write(descriptor: int, data: bytes) -> int:
        if is_full:
            raise OSError(28, "No space left on device")
        return os.write(descriptor, data)

    log = open_log(write=write)
    log.line("one")
    is_full = True
    log.line("two")
    log.line("three")
    assert log.fault == "No space left on device"
    is_full = False
    log.line("four")
    assert words(path) == ["one", "2 lines were lost: No space left on device", "four"]
    assert not log.fault


def test_a_line_that_was_cut_short_does_not_run_into_the_next(
    path: Path, open_log: Callable[..., Log]
) -> None:
    room = 60
    log = open_log(write=lambda descriptor, data: os.write(descriptor, data[:room]))
    log.line("x" * 100)
    room = 1000
    log.line("next")
    assert path.read_text().splitlines()[0].endswith("xxx")
    assert path.read_text().splitlines()[-1].endswith("] next")
    assert len(path.read_text().splitlines()) == 3


def test_a_folder_that_takes_no_file_is_no_trouble(
    path: Path, open_log: Callable[..., Log]
) -> None:
    path.mkdir()
    log = open_log()
    log.line("lost")
    assert log.fault
    path.rmdir()
    log.line("found")
    assert words(path)[-1] == "found"


def test_former_logs_that_cannot_be_moved_do_not_make_it_grow(
    path: Path, open_log: Callable[..., Log], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MOST_BYTES", 200)
    (path.with_suffix(".log.1") / "in the way").mkdir(parents=True)
    (path.with_suffix(".log.2")).write_text("a file")
    log = open_log()
    log.may_rotate = True
    for number in range(20):
        log.line(f"{number} {'x' * 20}")
    assert path.stat().st_size <= 200
    assert log.fault


def test_what_others_write_to_the_descriptors_goes_there_too_after_a_rotation(
    path: Path, open_log: Callable[..., Log], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MOST_BYTES", 200)
    descriptor = os.open(os.devnull, os.O_WRONLY)
    try:
        log = open_log(also=(descriptor,))
        log.may_rotate = True
        os.write(descriptor, b"raw\n")
        log.line("x" * 170)
        os.write(descriptor, b"raw again\n")
    finally:
        os.close(descriptor)
    assert path.with_suffix(".log.1").read_text() == "raw\n"
    assert path.read_text().endswith("\nraw again\n")


# Secrets.


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(known_secrets, "_known", set())
    known_secrets.know("not-a+real/token")
    return "not-a+real/token"


@pytest.mark.parametrize(
    "text",
    [
        "https://photos.example.org/up/not-a+real/token/x",
        "https://photos.example.org/up/not-a%2Breal%2Ftoken",
        "Authorization: Bearer not-a+real/token",
        "Authorization: Basic YW5uYTpub3QtYStyZWFsL3Rva2Vu",
        'name="key"\r\n\r\nnot-a+real/token\r\n--',
        "ValueError: b'X-Api-Key: not-a+real/token'",
    ],
)
def test_a_token_is_hidden_wherever_it_stands(
    path: Path, open_log: Callable[..., Log], token: str, text: str
) -> None:
    open_log().line(text)
    said = path.read_text()
    assert "********" in said
    for form in (token, "not-a%2B", "rZWFsL3Rva2Vu", "StyZWFsL3Rva"):
        assert form not in said


def test_a_token_is_known_once_it_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_secrets, "_known", set())
    monkeypatch.setenv("CLUB_TOKEN", " not-a-real-token ")
    settings = FormSettings(url="https://photos.example.org/up", token_env="CLUB_TOKEN")
    read_token(settings, "targets.club", "/")
    assert hidden("Bearer not-a-real-token") == "Bearer ********"


def test_an_address_keeps_no_password_and_no_query() -> None:
    text = (
        "proxy http://anna:p@ss@proxy.example.org:3128/ to https://s3.example.org/a?X-Sig=abc: no"
    )
    shown = hidden(text)
    assert "anna" not in shown
    assert "p@ss" not in shown
    assert "abc" not in shown
    assert "proxy.example.org:3128" in shown
    assert "https://s3.example.org/a?" in shown


# Reading.


def read(reader: Reader) -> str:
    return b"".join(reader.read()).decode()


def test_a_reader_gets_all_three_in_order_and_follows_across_rotations(
    path: Path, open_log: Callable[..., Log], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MOST_BYTES", 200)
    log = open_log()
    log.may_rotate = True
    for number in range(6):
        log.line(f"{number:03} {'x' * 50}")
    reader = Reader(str(path))
    said = read(reader)
    for number in range(6, 30):
        log.line(f"{number:03} {'x' * 50}")
        if number % 3:
            said += read(reader)
    said += read(reader)
    assert read(reader) == ""
    reader.close()
    numbers = [int(number) for number in re.findall(r"\] (\d{3}) x", said)]
    assert numbers == list(range(numbers[0], 30))
    assert numbers[0] < 4


def test_a_reader_goes_on_with_the_oldest_where_its_own_is_gone(
    path: Path, open_log: Callable[..., Log], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MOST_BYTES", 100)
    log = open_log()
    log.may_rotate = True
    log.line("x" * 60)
    reader = Reader(str(path))
    assert read(reader)
    for number in range(8):
        log.line(f"{number} {'x' * 60}")
    numbers = [int(number) for number in re.findall(r"\] (\d) x", read(reader))]
    reader.close()
    assert numbers == [5, 6, 7]


def test_a_reader_waits_for_the_first_and_for_one_that_was_emptied(
    path: Path, open_log: Callable[..., Log]
) -> None:
    reader = Reader(str(path))
    assert reader.is_empty()
    assert read(reader) == ""
    log = open_log()
    log.line("a first line")
    assert read(reader).endswith("] a first line\n")
    os.truncate(path, 0)
    log.line("new")
    assert read(reader).endswith("] new\n")
    reader.close()


def test_a_file_that_is_moved_while_all_are_opened_is_read_once(
    path: Path, open_log: Callable[..., Log]
) -> None:
    open_log().line("once")
    os.link(path, path.with_suffix(".log.1"))  # as it looks between two steps of the opening
    reader = Reader(str(path))
    assert read(reader).count("once") == 1
    reader.close()
