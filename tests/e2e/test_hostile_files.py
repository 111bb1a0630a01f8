"""Files with names and natures that no camera gives them, and a machine that is short of
descriptors."""

from __future__ import annotations

import hashlib
import os
import resource
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from servers import FormServer, Line, Server, answer, head

from .conftest import COMMAND, Home, jpeg

pytestmark = [pytest.mark.long, pytest.mark.process]

AWKWARD = [
    b'quo"te.jpg',
    b"line\nbreak\r.jpg",
    b"esc\x1b]0;owned\x07.jpg",
    b"per%00cent.jpg",
    "rtl\u202egpj.jpg".encode(),
    "e\u0301 decomposed.jpg".encode(),
    b"x" * 251 + b".jpg",
    b"undecodable-\xff\xfe.jpg",
    b"-rf.jpg",
    b"--version.jpg",
    b"$(touch owned).jpg",
]


def test_awkward_names_go_up_are_listed_and_do_nothing_to_the_terminal(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    trip = home.folder / "trip"
    trip.mkdir()
    wanted = set()
    for number, name in enumerate(AWKWARD):
        with open(os.path.join(os.fsencode(trip), name), "wb") as file:
            file.write(jpeg(number))
        wanted.add(hashlib.sha256(jpeg(number)).hexdigest())
    done = home.run("push", trip, "-v")
    assert done.returncode == 0, done.stderr
    assert set(server.digests) == wanted
    assert len({name.casefold() for name in server.names}) == len(AWKWARD)
    assert {os.fsencode(os.path.basename(task["path"])) for task in home.tasks()} == set(AWKWARD)
    shown = done.stderr + home.run("list").stdout + home.run("status").stdout
    assert not set(shown) & {"\x1b", "\x07", "\r", "\u202e"}
    assert not (home.folder / "owned").exists()


def test_what_is_no_file_is_left_out_and_nobody_waits_for_it(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    trip = home.photos(1)
    os.mkfifo(trip / "pipe.jpg")
    (trip / "zero.jpg").touch()
    (trip / "null.jpg").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(trip / "socket.jpg"))
        done = home.run("push", trip, "--follow-symlinks")
    assert done.returncode == 0, done.stderr
    assert server.names == ["IMG_1.JPG"]
    assert "4 skipped: 1 empty, 3 special" in done.stderr


@pytest.mark.soak
def test_a_video_of_more_than_4_gib(home: Home) -> None:
    video = home.folder / "big.mp4"
    with video.open("wb") as file:
        file.write(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom")
        file.truncate((4 << 30) + 4321)
    sizes: list[int] = []

    def swallow(line: Line) -> None:
        sizes.append(sum(map(len, line.pieces())))

    with Server([head, swallow, answer(201, {})]) as server:
        home.config("[defaults]\nstable_for = 0\n")
        words = ("push", video, "--album", "long", "--url", f"{server.url}/up")
        done = home.run(*words, launch=COMMAND, patience=300)
    assert done.returncode == 0, done.stderr
    (size,) = sizes
    assert size > video.stat().st_size
    assert home.sql("select body.size, length from body") == [(video.stat().st_size, size)]


def descriptors(limit: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


@pytest.mark.long
@pytest.mark.parametrize("jobs", [1, 8])
def test_64_descriptors_are_enough(home: Home, server: FormServer, jobs: int) -> None:
    home.form(server, "stable_for = 0")
    home.photos(30)
    done = home.run("push", "trip", "--spool", "-j", jobs, preexec_fn=descriptors(64))
    assert done.returncode == 0, done.stderr
    assert len(server.names) == 30


@pytest.mark.parametrize(("limit", "count", "size"), [(12, 5, 2000), (36, 60, 200_000)])
def test_too_few_descriptors_are_a_fault_of_this_machine_and_cost_no_try(
    home: Home, server: FormServer, limit: int, count: int, size: int
) -> None:
    home.form(server, "stable_for = 0")
    home.photos(count, size=size)
    done = home.run("push", "trip", "-j", "32", preexec_fn=descriptors(limit))
    assert done.returncode in (0, 1), done.stderr
    assert (
        home.run("resume" if home.journal.exists() and home.tasks() else "push", "trip").returncode
        == 0
    )
    assert home.sql("select max(tries) from task") == [(1,)]
    assert set(server.names) == {f"IMG_{number}.JPG" for number in range(1, count + 1)}


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="no file system here keeps such dates")
def test_a_date_out_of_range_is_kept_and_its_photo_goes_once(
    home: Home, server: FormServer
) -> None:
    """A copy tool or a clock may leave the year 1601 or 2400: beyond 63 bits of nanoseconds, before
    or after queueing.

    The whole folder goes, once, also where a field wants the date.
    """
    home.form(server, '[targets.club.fields]\nwhen = "{modified:%Y}"\n')
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        for number in (1, 2, 3):
            (Path(folder) / f"IMG_{number}.JPG").write_bytes(jpeg(number))
        server.says(503)
        os.utime(Path(folder) / "IMG_1.JPG", (0, 13_600_000_000))
        assert home.run("push", folder, "--album", "trip", "--patience", "0").returncode == 75
        os.utime(Path(folder) / "IMG_2.JPG", (0, -11_600_000_000))
        server.says(200)
        server.ledger.clear()
        assert home.run("resume").returncode == 0
        assert home.run("push", folder, "--album", "trip", "--since", "1000-01-01").returncode == 0
    assert sorted(server.names) == ["IMG_1.JPG", "IMG_2.JPG", "IMG_3.JPG"]
    assert server.ledger[server.names.index("IMG_1.JPG")].fields["when"] == "2400"
    assert set(home.states().values()) == {"uploaded"}
