"""Which files a push takes, and under which names: by content, by suffix, as the target says, as
somebody asks."""

from __future__ import annotations

import pytest
from immich.fake import Immich
from servers import FormServer

from .conftest import Home, jpeg

TIFF = b"II*\0\x08\0\0\0\0\0\0\0\0\0"


@pytest.mark.process
def test_an_immich_server_gets_what_it_lists_under_its_own_name(home: Home, immich: Immich) -> None:
    trip = home.photos(0)
    immich.tell("set_types", image=[".pef", ".srw", ".jpg", ".svg", ".xyz", ".ts"])
    raw = ["IMG_1.PEF", "IMG_2.SRW"]
    for name in raw:
        (trip / name).write_bytes(TIFF + name.encode())
    for name in ("plan.svg", "new.XYZ", "index.ts", "index.d.mts", "notes.txt", "IMG_3.jpg"):
        (trip / name).write_text(f"text, {name}\n")
    (trip / "IMG_4.NRW").write_bytes(TIFF + b"4")
    (trip / "IMG_5.JPG").touch()
    (trip / "shot.xyz").write_bytes(jpeg(6))
    (trip / "shot.abc").write_bytes(jpeg(7))
    (trip / "MOV_8.MOD").write_bytes(b"\0\0\x01\xba\x44" + bytes(99))
    (trip / "MOV_9.TOD").write_bytes((b"\x47" + bytes(187)) * 20)
    dry = home.run("push", trip, "-n")
    assert (
        "/trip/plan.svg" in dry.stderr
        and "It would refuse 1 photo: 127.0.0.1 takes no .nrw" in dry.stderr
    )
    assert immich.requests("POST", "/api/assets") == []
    done = home.run("push", trip)
    assert done.returncode == 3, done.stderr
    assert sorted(immich.album("trip")) == [
        *raw,
        "IMG_3.jpg",
        "new.XYZ",
        "plan.svg",
        "shot.abc.jpg",
        "shot.xyz",
    ]
    assert "4 skipped: 1 .mts, 1 .ts, 1 .txt (no media), 1 empty" in done.stderr
    assert "1 photo is empty, and not sent:" in done.stderr and "/trip/IMG_5.JPG\n" in done.stderr
    assert "1 file is not what its name says, and goes as it is:" in done.stderr
    assert "/trip/IMG_3.jpg: it holds text\n" in done.stderr
    for suffix in (".nrw", ".mod", ".tod"):
        assert f"127.0.0.1 takes no {suffix}" in done.stderr


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (404, {}),
        (500, {}),
        (200, {"image": 5, "video": True}),
        (200, {"image": ".jpg", "video": {"x": 1}}),
    ],
    ids=["404", "500", "numbers", "text"],
)
def test_a_server_that_does_not_say_what_it_takes_keeps_no_photo_back(
    home: Home, immich: Immich, status: int, said: object
) -> None:
    trip = home.photos(1)
    (trip / "plan.svg").write_text("<svg/>")
    immich.fault("GET", "media-types$", "status", status=status, body=said, times=None)
    done = home.run("push", trip)
    assert done.returncode == 0, done.stderr
    assert "1 skipped: 1 .svg (no media)" in done.stderr
    assert immich.album("trip") == ["IMG_1.JPG"]


def test_a_suffix_that_is_asked_for_is_sent_whatever_it_holds(
    home: Home, server: FormServer
) -> None:
    home.form(server)
    trip = home.photos(1)
    (trip / "notes.xyz").write_text("notes")
    (trip / "notes.txt").write_text("notes, too")
    dry = home.run("push", trip, "-n")
    assert (
        "1 photo would be queued" in dry.stderr
        and "2 skipped: 1 .txt, 1 .xyz (no media)" in dry.stderr
    )
    done = home.run("push", trip, "--include", "*.xyz", "--include", "*")
    assert done.returncode == 0, done.stderr
    assert sorted(server.names) == ["IMG_1.JPG", "notes.xyz"]
    assert "1 skipped: 1 .txt (no media)" in done.stderr
