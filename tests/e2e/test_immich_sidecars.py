"""A sidecar is called sent when its photo's own upload was accepted with it in it, and never
else."""

from __future__ import annotations

import hashlib

import pytest
from immich.fake import Immich

from .conftest import Home, configure, jpeg

pytestmark = pytest.mark.long

RAW = b"II*\0\x08\0\0\0" + bytes(200)


def sidecars(server: Immich) -> dict[str, str]:
    return {one["name"]: one["sidecar"] for one in server.assets() if one["sidecar"]}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.process
def test_what_goes_along_is_counted_and_what_does_not_is_named(home: Home, immich: Immich) -> None:
    """Of five sidecars one goes: the others are too large, of a photo that was there, of a twin,
    and of no photo."""
    trip = home.photos(4)
    (trip / "IMG_5.JPG").write_bytes(jpeg(4))
    immich.put(jpeg(3), "from another device.jpg")
    for name in ("IMG_1", "IMG_3", "IMG_5", "IMG_9"):
        (trip / f"{name}.xmp").write_bytes(name.encode())
    (trip / "IMG_2.xmp").write_bytes(bytes((1 << 20) + 1))
    done = home.run("push", trip, "--jobs", "1")
    assert done.returncode == 0
    assert sidecars(immich) == {"IMG_1.JPG": sha256(b"IMG_1")}
    assert "1 sidecar goes along" in done.stderr
    assert "2 sidecars did not go along" in done.stderr
    assert "IMG_3.xmp  the server had its photo already" in done.stderr
    assert "IMG_5.xmp  the server had its photo already" in done.stderr
    assert "2 not sent: sidecar" in done.stderr
    verified = home.run("verify", "trip")
    for name in ("IMG_2.xmp", "IMG_3.xmp", "IMG_5.xmp", "IMG_9.xmp"):
        assert f"{name}  a sidecar that was not sent" in verified.stdout
    assert "IMG_1.xmp" not in verified.stdout


def test_a_second_push_says_nothing_of_a_sidecar_that_went(home: Home, immich: Immich) -> None:
    trip = home.photos(1)
    (trip / "IMG_1.xmp").write_bytes(b"<one/>")
    assert home.run("push", trip).returncode == 0
    immich.tell("empty_album", id=immich.albums()[0]["id"])
    done = home.run("push", trip)
    assert "sidecar" not in done.stderr
    assert immich.album("trip") == ["IMG_1.JPG"]
    (trip / "IMG_1.xmp").write_bytes(b"<changed/>")
    assert "1 not sent: sidecar" in home.run("push", trip, "-v").stderr


def test_a_photo_found_after_a_doubt_says_nothing_of_its_sidecar(
    home: Home, immich: Immich
) -> None:
    """Another device sent the photo while the answer to our sending, which did not arrive, was
    lost."""
    configure(home, immich.url, "settle = 0.1\n")
    trip = home.photos(1)
    (trip / "IMG_1.xmp").write_bytes(b"<one/>")
    immich.fault("POST", "/api/assets$", "cut_after")
    done = home.run("push", trip)
    assert done.returncode == 0
    assert home.states() == {"IMG_1.JPG": "uploaded"}
    assert "goes along" not in done.stderr
    assert "IMG_1.xmp  nothing shows that its photo was taken from us" in done.stderr
    assert "IMG_1.xmp  a sidecar that was not sent" in home.run("verify", "trip").stdout


def test_a_late_sidecar_goes_with_no_other_photo_of_its_stem(home: Home, immich: Immich) -> None:
    trip = home.photos(0)
    (trip / "IMG_1.PEF").write_bytes(RAW)
    (trip / "IMG_2.PEF").write_bytes(RAW + b"2")
    assert home.run("push", trip).returncode == 0
    for name in ("IMG_1", "IMG_2"):
        (trip / f"{name}.xmp").write_bytes(name.encode())
        (trip / f"{name}.JPG").write_bytes(jpeg(int(name[-1])))
        (trip / f"{name}.MOV").write_bytes(b"\x00\x00\x00\x14ftypqt  " + name.encode() * 300)
    (trip / "IMG_2.PEF").unlink()  # sent, and gone from here: it is its sidecar all the same
    done = home.run("push", trip)
    assert done.returncode == 0
    assert len(immich.assets()) == 6
    assert sidecars(immich) == {}
    assert "2 not sent: sidecar" in done.stderr


def test_a_sidecar_goes_with_the_raw_beside_its_jpeg(home: Home, immich: Immich) -> None:
    trip = home.photos(0)
    for suffix in ("PEF", "SRW", "IIQ", "NEF"):
        (trip / f"A_{suffix}.JPG").write_bytes(jpeg(len(suffix), 100) + suffix.encode())
        (trip / f"A_{suffix}.{suffix}").write_bytes(RAW + suffix.encode())
        (trip / f"A_{suffix}.xmp").write_bytes(suffix.encode())
    immich.tell("set_types", image=[".jpg", ".pef", ".srw", ".iiq", ".nef"])
    done = home.run("push", trip)
    assert done.returncode == 0
    assert sidecars(immich) == {
        f"A_{name}.{name}": sha256(name.encode()) for name in ("PEF", "SRW", "IIQ", "NEF")
    }
    assert "4 sidecars go along" in done.stderr


def test_a_sidecar_that_goes_along_is_nowhere_called_not_sent(home: Home, immich: Immich) -> None:
    """Not in a dry run, not by ``-v``, not while it waits with its photo, not once it went; a lone
    one is, always."""
    trip = home.photos(1)
    for name in ("IMG_1", "IMG_9"):
        (trip / f"{name}.xmp").write_bytes(name.encode())
    said = [home.run("push", trip, "-n", "-v").stderr]
    immich.fault("POST", "/api/assets$", "status", status=401)
    first = home.run("push", trip, "-v")
    assert first.returncode == 4
    said += [
        first.stderr,
        home.run("push", trip, "-n", "-v").stderr,
        home.run("push", trip, "-v").stderr,
    ]
    assert sidecars(immich) == {"IMG_1.JPG": sha256(b"IMG_1")}
    said += [home.run("push", trip, "-v").stderr, home.run("push", trip, "-n", "-v").stderr]
    for text in said:
        assert "IMG_1.xmp" not in text
        assert f"skipped (sidecar): {trip}/IMG_9.xmp" in text
        assert "1 not sent: sidecar" in text
    assert "1 sidecar beside them" in said[0] and "1 sidecar beside them" in said[1]


def test_of_two_sidecars_of_one_photo_a_dry_run_counts_the_one_that_goes(
    home: Home, immich: Immich
) -> None:
    trip = home.photos(1)
    for name in ("IMG_1.xmp", "IMG_1.JPG.xmp"):
        (trip / name).write_bytes(name.encode())
    for done in (home.run("push", trip, "-n"), home.run("push", trip)):
        assert "1 sidecar beside them; 1 not sent: sidecar" in done.stderr
    assert sidecars(immich) == {"IMG_1.JPG": sha256(b"IMG_1.JPG.xmp")}
