"""verify: is the copy proven, and what lies in the folder now safe to erase? Against a receiver
that is elsewhere."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator

import pytest

from albumup.receive import Receiver, Store
from albumup.receive.handler import Answer, Handler

from .conftest import Home, jpeg

TOKEN = "a-long-random-line-of-some-club"
ELSEWHERE = "elsewhere = true\n"


@pytest.fixture
def nas(home: Home) -> Iterator[Receiver]:
    """A receiver that the config calls another computer's."""
    with Receiver(Store(str(home.folder / "received")), token=TOKEN) as receiver:
        configure(home, receiver, ELSEWHERE)
        yield receiver


def configure(home: Home, receiver: Receiver, more: str = "") -> None:
    file = home.secret(TOKEN, "client-token")
    home.config(
        f'[targets.nas]\nkind = "inbox"\nurl = "{receiver.url}"\ntoken_file = "{file}"\n{more}'
    )


def proven(home: Home, *args: str) -> tuple[int, list[str], str]:
    """Exit code, the paths that ``verify -0`` prints, nothing but whole ones, and what it says
    besides."""
    done = home.run("verify", "trip", "-0", *args)
    assert not done.stdout or done.stdout.endswith("\0")
    return done.returncode, done.stdout.split("\0")[:-1], done.stderr


@pytest.mark.process
@pytest.mark.usefixtures("nas")
def test_what_is_proven_is_said_with_its_proof_its_size_and_what_was_left(home: Home) -> None:
    trip = home.photos(3)
    assert home.run("push", trip).returncode == 0
    (trip / "IMG_1.THM").write_bytes(jpeg(51))
    (trip / "notes.txt").write_text("words")
    (trip / "IMG_2.AAE").write_text("<x/>")
    done = home.run("verify", "trip")
    assert done.returncode == 0
    *said, last = done.stdout.splitlines()
    assert said[:3] == [
        f"  {trip}/IMG_2.AAE  a sidecar that was not sent",
        "  made by a camera or a NAS for what is proven: 1 .thm",
        "  not sent, and no photos: 1 .txt",
    ]
    assert said[3].startswith("  proof: 3 readable there; 3 read again here; 20")
    summary = "trip: 3 of 3 are on 127.0.0.1 and read again here"
    assert last == f"{summary}; 1 sidecar, named above, was not sent: safe to erase (6.1 kB)"
    photos = [str(trip / f"IMG_{number}.JPG") for number in (1, 2, 3)]
    code, found, said_besides = proven(home, "--deep", "-v")
    assert (code, found) == (0, photos)
    assert "  proof: 3 read back there; 3 read again here" in said_besides
    assert all(f"  {path}  read back there, read again here" in said_besides for path in photos)
    shutil.rmtree(trip)
    done = home.run("verify", "trip")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (
        0,
        "trip: 3 of 3 are on 127.0.0.1; 3 are gone here",
    )


@pytest.mark.usefixtures("nas")
def test_what_push_does_not_take_is_named_with_what_makes_it_take_it(home: Home) -> None:
    trip = home.photos(1)
    assert home.run("push", trip).returncode == 0
    (trip / "IMG_1.xcf").write_bytes(b"gimp xcf v011" + bytes(50))
    (trip / ".Trash").mkdir()
    (trip / ".Trash" / "IMG_2.JPG").write_bytes(jpeg(2))
    (trip / "IMG_3.JPG").write_bytes(jpeg(3))
    done = home.run("verify", "trip")
    assert done.returncode == 3
    named = [
        line
        for line in done.stdout.splitlines()
        if line.startswith("To send what is not in the album: ")
    ]
    commands = [line.partition(": albumup ")[2] for line in named]
    assert sorted(commands) == [
        f"push {trip} --album trip --hidden",
        f"push {trip} --album trip --include '*.xcf'",
    ]
    assert [home.run(*shlex.split(command)).returncode for command in commands] == [0, 0]
    assert home.run("verify", "trip").returncode == 0


@pytest.mark.usefixtures("nas")
def test_a_copy_that_was_damaged_there_is_not_proven_and_a_new_push_mends_it(home: Home) -> None:
    trip = home.photos(2)
    assert home.run("push", trip).returncode == 0
    stored = home.folder / "received" / "trip" / "IMG_1.JPG"
    stored.write_bytes(jpeg(1)[::-1])
    index = home.folder / "received" / ".albumup" / "trip.sha256"
    (known,) = [
        line.split(" ") for line in index.read_text().splitlines() if line.endswith("IMG_1.JPG")
    ]
    now = stored.stat()  # nothing shows it, as when a disk forgets
    with index.open("a") as lines:
        lines.write(f"{known[0]} {known[1]} {now.st_mtime_ns}:{now.st_ctime_ns} IMG_1.JPG\n")
    code, found, said = proven(home)
    assert (code, found) == (3, [str(trip / "IMG_2.JPG")])
    assert f"  {trip}/IMG_1.JPG  its file at 127.0.0.1 is damaged or gone" in said
    assert "To send again what is damaged there: albumup forget trip, then push\n" in said
    home.run("forget", "trip")
    assert home.run("push", trip).returncode == 0
    assert home.run("verify", "trip").returncode == 0
    assert stored.read_bytes() == jpeg(1)[::-1], "it was overwritten"


@pytest.mark.usefixtures("nas")
def test_a_receiver_too_old_to_read_again_proves_too_little(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def older(handler: Handler, album: str) -> Answer:
        answer = ask(handler, album)
        assert isinstance(answer.body, dict)
        return answer._replace(body={"have": answer.body["have"]})

    ask = Handler._ask
    monkeypatch.setattr(Handler, "_ask", older)
    assert home.run("push", home.photos(1)).returncode == 0
    code, found, said = proven(home)
    assert (code, found) == (3, [])
    assert "is too old to read a photo again" in said
    assert "1 held there" in said


def test_a_copy_on_this_computer_is_never_safe(home: Home, nas: Receiver) -> None:
    trip = home.photos(1)
    assert home.run("push", trip).returncode == 0
    configure(home, nas)
    code, found, said = proven(home)
    assert (code, found) == (3, [])
    assert "that is this computer (if a tunnel leads to another one: " in said
    assert "targets.nas.elsewhere = true" in said
    assert said.endswith("not safe to erase    (exit 3)\n")
    shutil.rmtree(trip)
    done = home.run("verify", "trip")  # there is nothing left of which that could be said
    last = done.stdout.splitlines()[-1]
    assert (done.returncode, last.partition("; that is this computer")[0]) == (
        0, "trip: 1 of 1 are on 127.0.0.1; 1 is gone here",
    )  # fmt: skip


def test_a_copy_in_the_inbox_is_proven_and_never_safe(home: Home) -> None:
    assert home.run("push", home.photos(1)).returncode == 0
    code, found, said = proven(home)
    assert (code, found) == (3, [])
    assert f"1 of 1 are on ~/{home.inbox.relative_to(home.folder)};" in said
    assert "that is this computer: not safe to erase" in said


@pytest.mark.parametrize("store", ["trip", "."])
def test_a_receiver_in_or_around_the_pushed_folder_is_no_second_copy(
    home: Home, store: str
) -> None:
    trip = home.photos(2)
    with Receiver(Store(str(home.folder / store)), token=TOKEN) as receiver:
        configure(home, receiver, ELSEWHERE)
        for _ in range(2):
            assert home.run("push", trip, "--album", "trip").returncode == 0
        assert len(home.tasks()) == 2, "what the receiver has stored was taken in"
        code, found, said = proven(home)
        assert (code, found) == (3, [])
        assert "it keeps them in" in said


@pytest.mark.usefixtures("nas")
def test_the_photos_of_another_card_do_not_count_against_this_one(home: Home) -> None:
    trip = home.photos(3)
    assert home.run("push", trip).returncode == 0
    shutil.rmtree(trip)
    for number in range(1, 4):
        trip.mkdir(exist_ok=True)
        (trip / f"IMG_{number}.JPG").write_bytes(jpeg(100 + number, 3000))
    assert home.run("push", trip).returncode == 0
    assert proven(home)[:2] == (0, [str(trip / f"IMG_{number}.JPG") for number in (1, 2, 3)])
    (
        home.folder / "received" / "trip" / "IMG_2.JPG"
    ).unlink()  # of the first card, which is not here
    done = home.run("verify", "trip")
    assert done.returncode == 0
    assert f"  {trip}/IMG_2.JPG  not here, and 127.0.0.1 does not have it" in done.stdout
    summary = "5 of 6 are on 127.0.0.1 and read again here; 3 are gone here, and 1 not there either"
    assert f"{summary}: safe to erase" in done.stdout
