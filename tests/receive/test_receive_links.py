"""Links in a receiver's folder: none below the folder that was named is followed, whenever it is
put there."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from receiving import OTHER, PHOTO, Client, files, parts, receiving, sha256

from albumup.errors import LocalError
from albumup.receive import Store, store_id


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """Somebody else's folder, with a photo in it."""
    place = tmp_path / "elsewhere"
    place.mkdir()
    (place / "theirs.jpg").write_bytes(OTHER)
    return place


def seen(folder: Path) -> set[str]:
    return set(os.listdir(folder))


def test_an_album_folder_that_is_a_link_is_neither_written_nor_read(
    root: Path, client: Client, elsewhere: Path
) -> None:
    (root / "trip").symlink_to(elsewhere)
    refused = (403, {"error": "trip is a link, and links are not followed"})
    assert client.send("trip", PHOTO) == refused
    for read in (b"false", b"true"):
        question = b'{"sha256": ["%s"], "read": %s}' % (sha256(OTHER).encode(), read)
        assert client.request("POST", "/albums/trip/ask", question) == refused
    assert seen(elsewhere) == {"theirs.jpg"}
    assert parts(root) == []
    assert (
        sha256(OTHER)
        not in b"".join(path.read_bytes() for path in (root / ".albumup").iterdir()).decode()
    )


def test_a_dangling_link_makes_no_folder(root: Path, client: Client, tmp_path: Path) -> None:
    (root / "trip").symlink_to(tmp_path / "not there")
    assert client.send("trip", PHOTO)[0] == 403
    assert not (tmp_path / "not there").exists()


def test_an_album_that_becomes_a_link_is_not_followed_any_more(
    root: Path, client: Client, elsewhere: Path
) -> None:
    assert client.send("trip", PHOTO)[0] == 201
    (root / "trip").rename(root / "away")
    (root / "trip").symlink_to(elsewhere)
    assert client.send("trip", OTHER)[0] == 403
    assert client.send("trip", PHOTO)[0] == 403
    assert seen(elsewhere) == {"theirs.jpg"}


@pytest.mark.parametrize("step", ["link", "fsync", "lstat"])
def test_a_folder_that_is_replaced_while_a_photo_arrives_is_not_followed(
    root: Path, client: Client, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """At each step that looks at it or writes there, somebody else is quicker."""
    assert client.send("trip", PHOTO)[0] == 201
    real: Callable[..., Any] = getattr(os, step)
    swapped: list[str] = []

    def swap(*given: Any, **more: Any) -> Any:
        if not swapped:
            swapped.append(step)
            (root / "trip").rename(root / "away")
            (root / "trip").symlink_to(elsewhere)
        return real(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, step, swap)
        status, answer = client.send("trip", b"a third photo", "third.jpg")
    assert swapped
    assert status in (403, 500), "it is not called stored: there is no such photo in that album"
    assert "error" in answer
    assert seen(elsewhere) == {"theirs.jpg"}
    assert parts(root) == []


@pytest.mark.parametrize("name", [".incoming", ".albumup"])
def test_a_folder_of_the_stores_own_that_is_a_link_is_named_at_the_start(
    root: Path, elsewhere: Path, name: str
) -> None:
    (elsewhere / "old.part").touch()
    root.mkdir()
    (root / name).symlink_to(elsewhere)
    with pytest.raises(LocalError, match=rf"{name} is a link") as found:
        Store(str(root))
    assert found.value.hint == "remove that link"
    assert seen(elsewhere) == {"theirs.jpg", "old.part"}, (
        "nothing is swept there, and no id is left"
    )


@pytest.mark.parametrize("name", [".incoming", ".albumup"])
def test_a_folder_of_the_stores_own_that_becomes_a_link_is_not_followed(
    root: Path, client: Client, elsewhere: Path, name: str
) -> None:
    (root / name).rename(root / "away")
    (root / name).symlink_to(elsewhere)
    assert client.send("trip", PHOTO) == (
        403,
        {"error": f"{name} is a link, and links are not followed"},
    )
    assert seen(elsewhere) == {"theirs.jpg"}
    assert b"".join(files(root).values()).count(PHOTO) == 0


def test_links_to_files_are_not_read(root: Path, client: Client, elsewhere: Path) -> None:
    """Under a photo's name, as an index, as the store's id, as a part."""
    (root / "trip").mkdir()
    theirs = elsewhere / "theirs.jpg"
    (root / "trip/linked.jpg").symlink_to(theirs)
    assert client.ask("trip", sha256(OTHER)) == {}
    assert client.send("trip", OTHER, "linked.jpg")[1]["name"] == f"linked~{sha256(OTHER)[:8]}.jpg"
    (root / ".albumup/other.sha256").symlink_to(theirs)
    assert client.send("other", PHOTO)[0] == 403
    (root / ".albumup/id").unlink()
    (root / ".albumup/id").symlink_to(theirs)
    assert store_id(os.fsencode(root)) is None
    (root / ".incoming/x.part").symlink_to(theirs)
    Store(str(root))
    assert theirs.read_bytes() == OTHER


def test_an_index_that_is_no_file_holds_nobody_up(root: Path, client: Client) -> None:
    os.mkfifo(root / ".albumup/trip.sha256")
    assert client.send("trip", PHOTO)[0] == 500


def test_the_folder_that_was_named_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    root.symlink_to(tmp_path / "disk")
    with receiving(root) as client:
        assert client.send("trip", PHOTO)[0] == 201
        assert client.ask("trip", sha256(PHOTO), read=True) == {sha256(PHOTO): "DSC_0001.JPG"}
    assert (tmp_path / "disk/trip/DSC_0001.JPG").read_bytes() == PHOTO


# An album on another file system.


@pytest.fixture
def is_other_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The album's folder is a mount point: nothing of .incoming can be linked or moved there."""

    def refused(real: Callable[..., Any]) -> Callable[..., Any]:
        def move(source: Any, to: Any, *, src_dir_fd: int, dst_dir_fd: int, **more: Any) -> None:
            if not os.path.samestat(os.fstat(src_dir_fd), os.fstat(dst_dir_fd)):
                raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
            real(source, to, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd, **more)

        return move

    monkeypatch.setattr(os, "link", refused(os.link))
    monkeypatch.setattr(os, "replace", refused(os.replace))


@pytest.mark.usefixtures("is_other_disk")
def test_an_album_may_lie_on_another_disk(root: Path, client: Client) -> None:
    assert client.send("trip", PHOTO, mtime_ns=10**18)[0] == 201
    assert client.send("trip", PHOTO)[0] == 200
    assert client.send("trip", OTHER)[0] == 201
    assert files(root) == {
        "trip/DSC_0001.JPG": PHOTO,
        f"trip/DSC_0001~{sha256(OTHER)[:8]}.JPG": OTHER,
    }
    placed = (root / "trip/DSC_0001.JPG").stat()
    assert (placed.st_mtime_ns, stat.S_IMODE(placed.st_mode)) == (10**18, 0o600)
    assert parts(root) == []


@pytest.mark.usefixtures("is_other_disk")
def test_what_a_crash_left_on_the_other_disk_is_swept(root: Path) -> None:
    (root / "trip").mkdir(parents=True)
    (root / "trip/.0123.part").write_bytes(b"half a ph")
    (root / "trip/.hidden").write_bytes(b"another's")
    with receiving(root) as client:
        assert client.send("trip", PHOTO)[0] == 201
    assert seen(root / "trip") == {".hidden", "DSC_0001.JPG"}


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting is root's")
def test_an_album_on_a_mounted_disk(root: Path, client: Client) -> None:
    (root / "trip").mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "t", root / "trip"], check=False
    ).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        assert client.send("trip", PHOTO)[0] == 201
        assert client.send("trip", OTHER, "other.jpg")[0] == 201
        assert client.send("trip", b"x" * 3_000_000, "too large.jpg")[0] == 507
        assert client.ask("trip", sha256(PHOTO), read=True) == {sha256(PHOTO): "DSC_0001.JPG"}
        assert seen(root / "trip") == {"DSC_0001.JPG", "other.jpg"}
    finally:
        subprocess.run(["umount", root / "trip"], check=True)


def test_a_part_keeps_no_descriptor_when_it_cannot_be_made(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(str(root))
    before = os.dup(0)
    os.close(before)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("albumup.receive.parts._create", full)
    with pytest.raises(OSError, match="full"):
        store.incoming()
    after = os.dup(0)  # the lowest that is free
    os.close(after)
    assert after == before
