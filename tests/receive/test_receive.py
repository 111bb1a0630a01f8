"""The receiving server over real sockets: what it stores, what it knows, and many clients at
once."""

from __future__ import annotations

import concurrent.futures
import contextlib
import errno
import fcntl
import json
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receiving import (
    BOUNDARY,
    OTHER,
    PATIENCE,
    PHOTO,
    TOKEN,
    Client,
    eventually,
    everything,
    files,
    form,
    parts,
    photos,
    receiving,
    sha256,
)

from albumup.errors import LocalError
from albumup.receive import Receiver, Store, album_folder_name
from albumup.receive.names import photo_name

# Storing.


def test_a_photo_is_stored_with_its_name_and_date(root: Path, client: Client) -> None:
    answer = client.send("trip", PHOTO, "DSC_0001.JPG", mtime_ns=1_700_000_000_123_456_789)
    expected = {
        "id": "trip/DSC_0001.JPG",
        "name": "DSC_0001.JPG",
        "sha256": sha256(PHOTO),
        "status": "created",
    }
    assert answer == (201, expected)
    assert files(root) == {"trip/DSC_0001.JPG": PHOTO}
    assert os.stat(root / "trip/DSC_0001.JPG").st_mtime_ns == 1_700_000_000_123_456_789
    assert parts(root) == []


def test_nothing_is_readable_by_others(root: Path, client: Client) -> None:
    client.send("trip", PHOTO)
    for path in (root, root / ".incoming", root / ".albumup", root / "trip", *root.glob("*/*")):
        assert os.stat(path).st_mode & 0o077 == 0, path


def test_declarations_are_optional(root: Path, client: Client) -> None:
    assert client.request("POST", photos("trip"), form({}, PHOTO))[0] == 201
    assert files(root) == {"trip/sent.jpg": PHOTO}


def test_a_big_photo_that_resembles_a_form_comes_through_whole(root: Path, client: Client) -> None:
    data = (os.urandom(100_000) + f"\r\n--{BOUNDARY[:-1]}\r\n".encode()) * 50
    assert client.send("trip", data)[0] == 201
    assert files(root) == {"trip/DSC_0001.JPG": data}


def test_bytes_the_album_has_are_a_duplicate_under_any_name(root: Path, client: Client) -> None:
    client.send("trip", PHOTO, "first.jpg")
    status, answer = client.send("trip", PHOTO, "second.jpg")
    assert (status, answer["status"], answer["id"]) == (200, "duplicate", "trip/first.jpg")
    assert client.send("other", PHOTO, "second.jpg")[0] == 201
    assert files(root) == {"trip/first.jpg": PHOTO, "other/second.jpg": PHOTO}


def test_other_bytes_under_a_taken_name_get_a_mark(root: Path, client: Client) -> None:
    client.send("trip", PHOTO)
    status, answer = client.send("trip", OTHER)
    marked = f"DSC_0001~{sha256(OTHER)[:8]}.JPG"
    assert (status, answer["name"]) == (201, marked)
    assert files(root) == {"trip/DSC_0001.JPG": PHOTO, f"trip/{marked}": OTHER}


def test_a_taken_mark_grows(root: Path, client: Client) -> None:
    client.send("trip", PHOTO)
    (root / f"trip/DSC_0001~{sha256(OTHER)[:8]}.JPG").write_bytes(b"by hand")
    assert client.send("trip", OTHER)[1]["name"] == f"DSC_0001~{sha256(OTHER)[:16]}.JPG"


def test_a_link_in_the_way_is_neither_followed_nor_replaced(
    root: Path, client: Client, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(PHOTO)
    (root / "trip").mkdir()
    (root / "trip/DSC_0001.JPG").symlink_to(outside)
    assert client.send("trip", PHOTO)[1]["name"] == f"DSC_0001~{sha256(PHOTO)[:8]}.JPG"
    assert outside.read_bytes() == PHOTO
    assert (root / "trip/DSC_0001.JPG").is_symlink()


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("/etc/passwd", "passwd"),
        ("..", "%2E."),
        (".", "%2E"),
        (".htaccess", "%2Ehtaccess"),
        ("a/", "photo"),
        ("", "photo"),
        ("a\0b.jpg", "a%00b.jpg"),
        ("a\r\nb\x1b[2J.jpg", "a%0D%0Ab%1B[2J.jpg"),
        ("\x85.jpg", "%C2%85.jpg"),
        ("..\\..\\x.jpg", "%2E.\\..\\x.jpg"),
        ("-rf ü 100%.jpg", "-rf ü 100%.jpg"),
        ("ü" * 300 + ".jpeg", "ü" * 125 + ".jpeg"),
        ("x." + "y" * 300, "x." + "y" * 253),
    ],
)
def test_names_stay_in_the_album_and_visible(
    root: Path, client: Client, wanted: str, name: str
) -> None:
    status, answer = client.send("trip", PHOTO, wanted)
    assert (status, answer["name"]) == (201, name)
    assert files(root) == {f"trip/{name}": PHOTO}


def test_a_marked_name_is_no_longer_than_the_file_system_allows(client: Client) -> None:
    name = "n" * 300 + ".JPG"
    client.send("trip", PHOTO, name)
    assert client.send("trip", OTHER, name)[1]["name"] == "n" * 242 + f"~{sha256(OTHER)[:8]}.JPG"


@pytest.mark.parametrize(
    ("album", "folder"),
    [
        ("Crete 2026", "Crete 2026"),
        ("a/b", "a%2Fb"),
        ("../up", "%2E.%2Fup"),
        ("..", "%2E."),
        (".incoming", "%2Eincoming"),
        ("100%", "100%25"),
        ("a%2Fb", "a%252Fb"),
        ("tab\tnul\0", "tab%09nul%00"),
        ("undecodable\udcff", "undecodable%ED%B3%BF"),
        ("ü" * 100, "ü" * 100),
        ("ü" * 101, "ü" * 100 + sha256(("ü" * 101).encode())[:8]),
        ("a" + "/" * 99, "a" + "%2F" * 66 + sha256(("a" + "/" * 99).encode())[:8]),
    ],
)
def test_an_album_is_one_folder(root: Path, client: Client, album: str, folder: str) -> None:
    assert client.send(album, PHOTO)[1]["id"] == f"{folder}/DSC_0001.JPG"
    assert files(root) == {f"{folder}/DSC_0001.JPG": PHOTO}
    assert client.ask(album, sha256(PHOTO)) == {sha256(PHOTO): "DSC_0001.JPG"}


@given(st.text(min_size=1), st.text(min_size=1))
def test_different_albums_have_different_safe_folders(one: str, two: str) -> None:
    folder = album_folder_name(one)
    assert len(folder.encode()) <= 209
    assert folder.isprintable() or not any(ord(character) < 32 for character in folder)
    assert not folder.startswith(".") and "/" not in folder
    assert (album_folder_name(two) == folder) == (one == two)


@given(st.text(st.characters(), max_size=300))
def test_photo_names_are_safe_whatever_is_wanted(wanted: str) -> None:
    name = photo_name(wanted)
    assert 1 <= len(name.encode()) <= 255
    assert not name.startswith(".") and "/" not in name and "\0" not in name
    assert photo_name(name) == name


def test_an_album_needs_a_name() -> None:
    with pytest.raises(ValueError, match="needs a name"):
        album_folder_name("")


# Asking.


def test_asking_tells_what_is_there(root: Path, client: Client) -> None:
    client.send("trip", PHOTO, "a.jpg")
    assert client.ask("trip", sha256(PHOTO), sha256(OTHER)) == {sha256(PHOTO): "a.jpg"}
    assert client.ask("trip") == {}
    assert client.ask("never heard of", sha256(PHOTO)) == {}
    assert sorted(path.name for path in root.iterdir()) == [".albumup", ".incoming", "trip"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b"{"),
        (400, b"\xff"),
        (400, b"[" * 200_000),
        (422, b"[]"),
        (422, b'{"sha256": "x"}'),
        (422, b'{"sha256": ["x"]}'),
        (422, b'{"sha256": [["x"]]}'),
        (422, json.dumps({"sha256": [sha256(PHOTO)] * 5001}).encode()),
        (413, b" " * (1024 * 1024 + 1)),
    ],
)
def test_a_question_has_its_form(client: Client, status: int, body: bytes) -> None:
    assert client.request("POST", "/albums/trip/ask", body)[0] == status


def test_what_was_changed_by_hand_is_not_vouched_for(root: Path, client: Client) -> None:
    for name, data in (
        ("deleted", b"1"),
        ("edited", b"2"),
        ("renamed", b"3"),
        ("replaced", b"4"),
        ("kept", b"5"),
    ):
        client.send("trip", data, name)
    trip = root / "trip"
    (trip / "deleted").unlink()
    (trip / "edited").write_bytes(b"changed")
    (trip / "renamed").rename(trip / "new name")
    (trip / "replaced").unlink()
    (trip / "replaced").mkdir()
    assert client.ask("trip", *(sha256(b"%d" % n) for n in range(1, 6))) == {sha256(b"5"): "kept"}
    assert client.send("trip", b"1", "deleted")[0] == 201
    assert client.send("trip", b"changed", "any")[1]["id"] == "trip/edited"
    assert client.send("trip", b"3", "new name")[1] | {"id": ""} == {
        "id": "",
        "name": "new name",
        "sha256": sha256(b"3"),
        "status": "duplicate",
    }


def test_an_album_that_was_removed_is_made_again(root: Path, client: Client) -> None:
    client.send("trip", PHOTO)
    (root / "trip/DSC_0001.JPG").unlink()
    (root / "trip").rmdir()
    assert client.ask("trip", sha256(PHOTO)) == {}
    assert client.send("trip", PHOTO)[0] == 201


# Many at once.


def test_200_clients_send_the_same_photo(root: Path, client: Client) -> None:
    gate = threading.Barrier(200)

    def send(number: int) -> str:
        gate.wait(PATIENCE)
        return str(client.send("trip", PHOTO, f"{number}.jpg")[1]["status"])

    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(send, range(200)))
    assert sorted(answers) == ["created"] + ["duplicate"] * 199
    assert list(files(root).values()) == [PHOTO]


def test_threads_take_turns_where_flock_is_missing(
    root: Path, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting, met = threading.Barrier(2), []
    link = os.link

    def link_together(part: bytes, path: bytes, **more: Any) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            met.append(meeting.wait(0.3))
        link(part, path, **more)

    def no_flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(os, "link", link_together)
    monkeypatch.setattr(fcntl, "flock", no_flock)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        statuses = list(pool.map(lambda name: client.send("trip", PHOTO, name)[0], "ab"))
    assert (sorted(statuses), met) == ([200, 201], [])
    assert list(files(root).values()) == [PHOTO]


def test_200_clients_send_different_photos_under_one_name(root: Path, client: Client) -> None:
    gate = threading.Barrier(200)

    def send(number: int) -> str:
        gate.wait(PATIENCE)
        return str(client.send("trip", b"photo %d" % number)[1]["id"])

    with concurrent.futures.ThreadPoolExecutor(200) as pool:
        ids = list(pool.map(send, range(200)))
    assert {id: b"photo %d" % number for number, id in enumerate(ids)} == files(root)


def test_a_slow_client_holds_nobody_up(root: Path, client: Client) -> None:
    body = form({"name": "slow"}, PHOTO)
    with client.raw(client.head("trip", len(body), "Connection: close"), body[:-10]) as slow:
        eventually(lambda: parts(root))
        assert client.send("trip", OTHER)[0] == 201
        slow.sendall(body[-10:])
        assert everything(slow).startswith(b"HTTP/1.1 201 ")


# The receiver itself.


def test_it_listens_only_where_it_is_told(root: Path) -> None:
    with pytest.raises(ValueError, match="token"):
        Receiver(Store(str(root)), token="")
    with pytest.raises(ValueError, match="host"):
        Receiver(Store(str(root)), "", token=TOKEN)
    with Receiver(Store(str(root)), token=TOKEN) as receiver:
        port = int(receiver.url.rsplit(":", 1)[1])
        assert receiver.url == f"http://127.0.0.1:{port}"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port), timeout=PATIENCE)
        with pytest.raises(
            LocalError, match=rf"cannot listen on 127\.0\.0\.1 port {port}: Address already in use"
        ):
            Receiver(Store(str(root)), port=port, token=TOKEN).start()


def test_without_a_token_it_serves_this_computer_but_no_web_page(root: Path) -> None:
    with pytest.raises(ValueError, match="token"):
        Receiver(Store(str(root)), "0.0.0.0", token=None)
    with Receiver(Store(str(root)), token=None) as receiver:
        client = Client(receiver.url)
        assert client.request("GET", "/", headers={"Authorization": ""})[0] == 200
        page = {"Authorization": "", "Origin": receiver.url}
        assert client.request("POST", photos("trip"), form({}, PHOTO), page)[0] == 403
    assert files(root) == {}


def test_it_speaks_ipv6(root: Path) -> None:
    try:
        receiver = Receiver(Store(str(root)), "::1", token=TOKEN)
        receiver.start()
    except LocalError:
        pytest.skip("no IPv6 here")
    assert receiver.url.startswith("http://[::1]:")
    assert Client(receiver.url).request("GET", "/")[0] == 200
    receiver.stop()


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalError, match=f"cannot keep photos in {tmp_path}/file/x: "):
        Store(str(tmp_path / "file/x"))


def test_it_logs_where_it_is_told_and_nowhere_else(
    root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines: list[str] = []
    with receiving(root, log=lines.append) as client:
        client.send("trip", PHOTO)
        client.request("BREW", "/")
        with client.raw(b"\xff\r\n\r\n") as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert "POST /albums/trip/photos: 201" in lines  # each connection has a thread of its own
    assert TOKEN not in "".join(lines)
    assert capfd.readouterr() == ("", "")
