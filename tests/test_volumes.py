"""File systems by the name that the system has for them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from albumup.photos import volumes as module
from albumup.photos.volumes import file_system_of, is_full, mount_of, volume_of


def device_of(path: str) -> int:
    return os.stat(path).st_rdev


def test_volume_of(tmp_path: Path) -> None:
    folder = str(tmp_path)
    (tmp_path / "A1B2-C3D4").symlink_to("/dev/null")
    (tmp_path / "gone").symlink_to("nowhere")
    assert volume_of(device_of("/dev/null"), folder=folder) == "A1B2-C3D4"
    assert volume_of(device_of("/dev/zero"), folder=folder) == ""
    before = os.stat(tmp_path).st_mtime_ns
    (tmp_path / "0000-FFFF").symlink_to("/dev/zero")
    os.utime(tmp_path, ns=(before, before))  # as a coarse clock would have it
    assert volume_of(device_of("/dev/zero"), folder=folder) == "0000-FFFF"


def test_another_card_at_the_same_device_number(tmp_path: Path) -> None:
    folder = str(tmp_path)
    (tmp_path / "CARD-1").symlink_to("/dev/null")
    assert volume_of(device_of("/dev/null"), folder=folder) == "CARD-1"
    (tmp_path / "CARD-1").unlink()
    (tmp_path / "CARD-2").symlink_to("/dev/null")
    os.utime(tmp_path, ns=(0, 1))  # whatever the clock's grain
    assert volume_of(device_of("/dev/null"), folder=folder) == "CARD-2"


def test_unchanged_links_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "CARD-1").symlink_to("/dev/null")
    assert volume_of(device_of("/dev/null"), folder=str(tmp_path)) == "CARD-1"

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "scandir", refused)
    assert volume_of(device_of("/dev/null"), folder=str(tmp_path)) == "CARD-1"


def test_volumes_come_from_the_constant_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BY_UUID", str(tmp_path / "missing"))
    assert volume_of(device_of("/dev/null")) == ""
    monkeypatch.setattr(module, "BY_UUID", str(tmp_path))
    (tmp_path / "CARD-1").symlink_to("/dev/null")
    assert volume_of(device_of("/dev/null")) == "CARD-1"


def test_the_type_of_a_file_system_is_what_the_system_calls_it(tmp_path: Path) -> None:
    mounted = {line.split()[2] for line in Path("/proc/mounts").read_text().splitlines()}
    assert file_system_of("/proc") == file_system_of(b"/proc") == "proc"
    assert file_system_of(str(tmp_path)) in mounted
    assert file_system_of(str(tmp_path / "nowhere")) == ""
    with open("/proc/self/status") as file:
        assert mount_of(file.fileno())[0] == "proc"


ANONYMOUS = os.makedev(0, 4711)
"""What btrfs numbers a subvolume, and the system what lies on no block device."""
UUID = "0b0a1c9e-21a6-4a1b-8f0b-5d2e2d5f6a11"


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[object, tuple[str, str]]:
    """What is mounted where, as mountinfo would say; links by UUID and btrfs' own list below
    ``tmp_path``."""
    found: dict[object, tuple[str, str]] = {}
    monkeypatch.setattr(module, "mount_of", lambda place: found.get(place, ("", "")))
    for name in "BY_UUID", "BTRFS":
        (tmp_path / name).mkdir()
        monkeypatch.setattr(module, name, str(tmp_path / name))
    return found


def test_a_subvolume_has_the_id_of_the_device_that_it_is_mounted_from(
    mounted: dict[object, tuple[str, str]], tmp_path: Path
) -> None:
    (tmp_path / "BY_UUID" / UUID).symlink_to("/dev/null")
    mounted[b"/photos"] = ("btrfs", "/dev/null")
    assert volume_of(ANONYMOUS, b"/photos") == UUID
    assert volume_of(ANONYMOUS) == "", "nobody says where it is"


def test_a_file_system_of_several_devices_is_known_by_each_of_them(
    mounted: dict[object, tuple[str, str]], tmp_path: Path
) -> None:
    """udev links to the last one of btrfs only; a mount may name any."""
    (tmp_path / "BTRFS" / UUID / "devices" / "null").mkdir(parents=True)
    mounted[b"/photos"] = ("btrfs", "/dev/null")
    assert volume_of(ANONYMOUS, b"/photos") == UUID
    mounted[b"/photos"] = ("btrfs", "/dev/zero")
    assert volume_of(ANONYMOUS, b"/photos") == ""


@pytest.mark.parametrize(
    "mount", [("nfs4", "nas:/photos"), ("fuse.mergerfs", "a:b"), ("zfs", "tank/photos"), ("", "")]
)
def test_what_lies_on_no_device_has_no_id(
    mounted: dict[object, tuple[str, str]], mount: tuple[str, str]
) -> None:
    mounted[b"/photos"] = mount
    assert volume_of(ANONYMOUS, b"/photos") == ""


@pytest.mark.parametrize(
    ("volume", "full"),
    [
        (UUID, True),  # ext4, btrfs, XFS, APFS
        ("01D8A4C2E5B3F790", True),  # NTFS
        ("1234-ABCD", False),  # FAT, exFAT
        ("2024-07-01-12-30-00-00", False),  # ISO 9660
        ("", False),
    ],
)
def test_a_serial_number_of_a_card_is_no_name(volume: str, full: bool) -> None:
    assert is_full(volume) == full
