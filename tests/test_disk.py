"""Where disks are mounted, and are not."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from albumup import disk
from albumup.disk import missing_disk, open_own, unmounted
from albumup.errors import LocalError
from albumup.session import intake

FSTAB = """# a comment /mnt/comment
UUID=1 / ext4 defaults 0 1
UUID=2 /mnt/usb ext4 noauto 0 0
UUID=3 /mnt/usb/deep ext4 noauto 0 0
UUID=4 /mnt/with\\040space ext4 noauto 0 0
UUID=5 /mnt/there ext4 defaults 0 0
UUID=6 none swap sw 0 0
"""
MOUNTS = """22 1 8:1 / / rw - ext4 /dev/sda1 rw
23 22 8:2 / /mnt/there rw - ext4 /dev/sdb1 rw
"""


@pytest.mark.parametrize(
    ("path", "away"),
    [
        ("/mnt/usb", "/mnt/usb"),
        ("/mnt/usb/spool/x", "/mnt/usb"),
        ("/mnt/usb/deep/x", "/mnt/usb/deep"),
        ("/mnt/usbstick", ""),
        ("/mnt/with space/x", "/mnt/with space"),
        ("/mnt/there/x", ""),
        ("/mnt/comment/x", ""),
        ("/home/x", ""),
    ],
)
def test_what_fstab_names_and_is_not_mounted_is_away(tmp_path: Path, path: str, away: str) -> None:
    (tmp_path / "fstab").write_text(FSTAB)
    (tmp_path / "mounts").write_text(MOUNTS)
    assert unmounted(path, str(tmp_path / "fstab"), str(tmp_path / "mounts")) == away
    assert unmounted(path, str(tmp_path / "none"), str(tmp_path / "mounts")) == ""


def test_a_removable_disk_is_missed_where_it_would_be_mounted(tmp_path: Path) -> None:
    media = tmp_path / "media"
    (media / "there").mkdir(parents=True)
    places = (str(media),)
    assert (
        missing_disk(f"{media}/card/spool", places)
        == missing_disk(f"{media}/card", places)
        == f"{media}/card"
    )
    assert missing_disk(f"{media}/there/spool", places) == missing_disk(str(media), places) == ""
    assert missing_disk(f"{tmp_path}/elsewhere/spool", places) == ""


@pytest.mark.parametrize(
    ("wanted", "free", "says"),
    [
        (14_900_000, 5_200_000, "14.9 MB are needed and 5.2 MB are free, 9.7 MB too few"),
        (64_000_000_000, 900_000_000, "64.0 GB are needed and 900.0 MB are free, 63.1 GB too few"),
    ],
)
def test_what_a_disk_lacks_is_said_in_units_that_tell(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wanted: int, free: int, says: str
) -> None:
    monkeypatch.setattr(intake, "room_in", lambda _: free)
    with pytest.raises(LocalError, match=says):
        intake._check_room(str(tmp_path), wanted)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EMFILE])
def test_a_file_that_cannot_be_made_is_said_with_its_own_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(path: str, *_: object) -> int:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(disk.os, "open", refuse)
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        open_own(str(tmp_path / "journal.db.lock"), os.O_RDWR | os.O_CREAT)
    assert caught.value.errno == number
