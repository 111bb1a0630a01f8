"""One folder in two spellings, on a disk that takes both: NTFS, as lowntfs-3g mounts it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import FormServer

from .conftest import Home, jpeg

pytestmark = pytest.mark.process


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0 or not all(map(shutil.which, ("mkfs.ntfs", "lowntfs-3g"))):
        pytest.skip("needs root, mkfs.ntfs and lowntfs-3g")
    image, mount = tmp_path / "image", tmp_path / "disk"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ntfs", "-F", "-q", image], check=True, capture_output=True)
    if subprocess.run(
        ["lowntfs-3g", "-o", "ignore_case", image, mount], capture_output=True, check=False
    ).returncode:
        pytest.skip("cannot mount")
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", mount], check=True)


@pytest.mark.long
def test_both_spellings_are_one_folder_and_one_album(
    home: Home, server: FormServer, disk: Path
) -> None:
    home.form(server)
    (disk / "Trip").mkdir()
    for number in range(3):
        (disk / f"Trip/IMG_{number}.JPG").write_bytes(jpeg(number))
    assert home.run("push", disk / "TRIP").returncode == 0
    (name,) = os.listdir(disk)  # lowntfs-3g shows small letters
    assert (home.album()["album"], home.album()["counts"]["uploaded"]) == (name, 3)
    (disk / "Trip").rename(disk / "away")
    (disk / "away").rename(disk / "TRIP")
    (disk / "TRIP/IMG_0.JPG").rename(disk / "TRIP/img_0.jpg")
    done = home.run("push", disk / "trip", disk / "Trip/img_1.jpg", "--album", name, "-v")
    assert (done.returncode, "3 already there" in done.stderr) == (0, True)
    (disk / "TRIP/IMG_3.JPG").write_bytes(jpeg(3))
    assert home.run("push", disk / "trip").returncode == 0
    assert home.album()["counts"]["uploaded"] == 4
    assert len(server.digests) == 4
    assert "4 of 4 were accepted" in home.run("verify", name).stdout
