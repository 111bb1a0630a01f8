"""Two memory cards at one path: file systems without a UUID are told apart by their device, or else by their bytes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from .conftest import Home, jpeg, sha256
from .server import Answer, FormServer


class Slot:
    """A mount point, and cards (tmpfs) to put in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.media = folder / "media"
        self.media.mkdir()
        self._mounted: list[Path] = []

    def card(self, name: str, photos: dict[str, bytes]) -> Path:
        place = self.folder / f"card {name}"
        place.mkdir()
        self._mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", place)
        for photo, data in photos.items():
            (place / photo).write_bytes(data)
        return place

    def insert(self, card: Path) -> None:
        self._mount("--bind", card, self.media)

    def eject(self) -> None:
        self._mounted.remove(self.media)
        subprocess.run(["umount", self.media], check=True)

    def _mount(self, *arguments: object) -> None:
        done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"nothing may be mounted here: {done.stderr.strip()}")
        self._mounted.append(Path(str(arguments[-1])))

    def close(self) -> None:
        for place in reversed(self._mounted):
            with suppress(subprocess.CalledProcessError):
                subprocess.run(["umount", place], check=True)


@pytest.fixture
def slot(tmp_path: Path) -> Iterator[Slot]:
    slot = Slot(tmp_path)
    yield slot
    slot.close()


@pytest.fixture
def push(home: Home, server: FormServer, slot: Slot) -> Callable[[], subprocess.CompletedProcess[str]]:
    home.form(server)
    return lambda: home.run("push", slot.media, "--album", "trip", "--patience", "0")


def test_the_photos_of_two_cards_at_one_path_are_never_mixed(
    home: Home, server: FormServer, slot: Slot, push: Callable[[], subprocess.CompletedProcess[str]]
) -> None:
    first = slot.card("A", {"DSC_0001.JPG": jpeg(1)})
    second = slot.card("B", {"DSC_0001.JPG": jpeg(2, 2100)})
    server.answer = lambda _: Answer(503)
    for card in first, second:
        slot.insert(card)
        assert push().returncode == 75
        slot.eject()
    server.answer = lambda _: Answer()
    server.ledger.clear()

    slot.insert(second)
    done = home.run("resume")
    assert done.returncode == 75, done.stderr
    assert "another card or disk is there" in done.stderr
    assert server.digests == [sha256(second / "DSC_0001.JPG")]
    slot.eject()

    done = home.run("resume")  # an empty mount point
    assert done.returncode == 75, done.stderr

    slot.insert(first)
    assert home.run("resume").returncode == 0
    assert set(server.digests) == {sha256(first / "DSC_0001.JPG"), sha256(second / "DSC_0001.JPG")}
    assert len({name.casefold() for name in server.names}) == 2


def test_a_card_that_the_system_numbers_otherwise_is_known_by_its_bytes(
    home: Home, server: FormServer, slot: Slot, push: Callable[[], subprocess.CompletedProcess[str]]
) -> None:
    slot.insert(slot.card("A", {"DSC_0001.JPG": jpeg(1)}))
    server.answer = lambda _: Answer(503)
    assert push().returncode == 75
    for table in ("photo", "root", "body"):
        home.sql(f"update {table} set device = device + 7")
    server.answer = lambda _: Answer()
    server.ledger.clear()
    done = home.run("resume")
    assert done.returncode == 75
    assert "push it again" in done.stderr
    assert push().returncode == 0
    assert len(home.tasks()) == 1
    assert server.digests == [sha256(slot.media / "DSC_0001.JPG")]
