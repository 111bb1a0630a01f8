"""Files that are still being written: left out by a push that nobody watches, and taken by the
next."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from albumup.config.file import Config, Defaults
from albumup.config.unattended import Unattended
from albumup.errors import UsageError
from albumup.journal.journal import Journal
from albumup.photos.filters import Filters, SkipReason
from albumup.photos.scan import open_roots
from albumup.session.destination import Destination
from albumup.session.intake import Intake
from albumup.session.settling import Settling, settling_of

JPEG = b"\xff\xd8\xff\xe0 a photo"
SECONDS = 10.0


class Folder:
    """A folder that is pushed while others write into it, on a clock of its own."""

    def __init__(self, folder: Path) -> None:
        self.place = folder / "trip"
        self.place.mkdir()
        self.journal = Journal(str(folder / "journal.db"))
        self.ahead = 1000.0
        """Seconds by which the clock of the push is ahead of that of the disk."""
        self.waits: list[float] = []
        self.meanwhile: Callable[[], object] = lambda: None
        """Happens between both looks."""
        self.told: list[str] = []
        """The reasons of which a push told, file by file."""

    def put(self, name: str, content: bytes = JPEG) -> Path:
        path = self.place / name
        path.write_bytes(content)
        return path

    def push(self, *, is_settling: bool = True) -> Intake:
        """One push; what it found is in its survey."""
        settling = Settling(SECONDS, clock=self._clock, sleep=self._sleep) if is_settling else None
        intake = Intake(
            open_roots([str(self.place)]),
            Filters(),
            "trip",
            Destination("home", None),
            on_skip=lambda skipped: self.told.append(str(skipped.reason)),
            settling=settling,
        )
        intake.take_in(self.journal, None, None)
        return intake

    def queued(self, **how: bool) -> tuple[int, int]:
        """How many photos a push queued, and how many files it left for later."""
        survey = self.push(**how).survey
        return survey.queued, survey.skipped[SkipReason.YOUNG]

    def states(self) -> list[str]:
        return [row["state"] for row in self.journal.rows("select state from task order by id")]

    def _clock(self) -> float:
        return os.stat(self.place / ".clock").st_mtime + self.ahead

    def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.ahead += seconds
        self.meanwhile()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    (made.place / ".clock").touch()
    return made


def test_what_is_written_and_left_alone_is_taken_after_a_wait(folder: Folder) -> None:
    folder.put("a.jpg")
    folder.put("b.jpg")
    assert folder.queued() == (2, 0)
    assert folder.waits == [SECONDS]
    assert folder.states() == ["pending", "pending"]


def test_where_nothing_is_new_nothing_is_waited_for(folder: Folder) -> None:
    folder.put("a.jpg")
    folder.put("words.txt", b"words")
    folder.queued()
    folder.waits.clear()
    assert folder.queued() == (0, 0)
    assert folder.waits == []


def test_a_person_is_not_kept_waiting(folder: Folder) -> None:
    folder.ahead = 1.0
    folder.put("a.jpg")
    assert folder.queued(is_settling=False) == (1, 0)
    assert folder.waits == []


@pytest.mark.parametrize("size", [0, len(JPEG) // 2, len(JPEG)], ids=["empty", "half", "whole"])
def test_what_is_written_to_between_the_looks_waits_for_the_next_push(
    folder: Folder, size: int
) -> None:
    folder.put("a.jpg")
    path = folder.put("b.jpg", JPEG[:size])
    folder.meanwhile = lambda: path.write_bytes(JPEG + b"more")
    folder.ahead = 1.0
    assert folder.queued() == (1, 1)
    folder.meanwhile, folder.ahead = lambda: None, 1000.0
    assert folder.queued() == (1, 0)
    assert folder.states() == ["pending", "pending"]


def test_what_differs_between_the_looks_is_left_whatever_the_clock_says(folder: Folder) -> None:
    """On another computer's disk, whose clock is behind, all looks old."""
    path = folder.put("a.jpg")
    folder.meanwhile = lambda: path.write_bytes(JPEG * 2)
    folder.ahead = 5000.0
    folder.put("b.jpg")
    assert folder.queued() == (1, 1)


def test_a_copy_with_the_times_of_its_original_is_young_by_its_ctime(folder: Folder) -> None:
    """``cp -p`` sets the mtime at its end; the size was the whole one all the time."""
    path = folder.put("a.jpg")
    folder.ahead = 1.0
    folder.meanwhile = lambda: os.utime(path, (1_000_000, 1_000_000))
    folder.put("old.jpg")
    assert folder.queued() == (1, 1)


def test_a_disk_whose_clock_is_a_little_ahead_has_young_files(folder: Folder) -> None:
    folder.put("a.jpg")
    folder.ahead = -SECONDS / 2
    assert folder.queued() == (0, 1)
    assert folder.queued() == (1, 0)


@pytest.mark.parametrize("hours", [1, 24 * 3650])
def test_an_mtime_in_the_future_counts_by_the_ctime(folder: Folder, hours: int) -> None:
    path = folder.put("a.jpg")
    os.utime(path, (path.stat().st_ctime + hours * 3600, path.stat().st_ctime + hours * 3600))
    assert folder.queued() == (1, 0)


def test_a_clock_that_is_wrong_keeps_nothing_back(folder: Folder) -> None:
    folder.put("a.jpg")
    folder.ahead = -1_000_000.0
    assert folder.queued() == (1, 0)


@pytest.mark.parametrize("does", ["appears", "goes", "is renamed"])
def test_what_comes_and_goes_between_the_looks_is_called_nothing(folder: Folder, does: str) -> None:
    folder.put("a.jpg")
    other = folder.put("b.jpg") if does != "appears" else folder.place / "b.jpg"
    changes: dict[str, Callable[[], object]] = {
        "appears": lambda: folder.put("b.jpg"),
        "goes": other.unlink,
        "is renamed": lambda: other.rename(folder.place / "c.jpg"),
    }
    folder.meanwhile = changes[does]
    folder.ahead = 1.0
    assert folder.queued() == (1, 0 if does == "goes" else 1)
    assert folder.states() == ["pending"]


def test_what_vanishes_while_it_is_listed_is_not_missing(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = folder.put("b.jpg")
    folder.put("a.jpg")
    entries = os.scandir

    class Listing:
        """A folder whose file goes once its name is known."""

        def __init__(self, path: bytes) -> None:
            with entries(path) as found:
                self._found = list(found)
            gone.unlink(missing_ok=True)

        def __enter__(self) -> list[os.DirEntry[bytes]]:
            return self._found

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr("albumup.photos.scan.os.scandir", Listing)
    folder.meanwhile = lambda: folder.put("b.jpg")
    assert folder.queued()[0] == 1
    assert folder.states() == ["pending"]


def test_a_photo_that_was_sent_and_is_being_edited_waits(folder: Folder) -> None:
    path = folder.put("a.jpg")
    folder.queued()
    folder.journal.connection.execute("update task set state = 'uploaded', stage = 0")
    path.write_bytes(JPEG + b" edited")
    folder.ahead = 1.0
    folder.meanwhile = lambda: path.write_bytes(JPEG + b" edited more")
    assert folder.queued() == (0, 1)
    folder.meanwhile, folder.ahead = lambda: None, 1000.0
    assert folder.queued() == (1, 0)


def test_where_all_is_young_there_is_no_album_and_no_error(folder: Folder) -> None:
    path = folder.put("a.jpg", b"")
    folder.ahead = 1.0
    folder.meanwhile = lambda: path.write_bytes(JPEG)
    assert folder.queued() == (0, 1)
    assert folder.journal.rows("select * from album") == []
    folder.ahead = 1000.0
    folder.meanwhile = lambda: None
    path.write_bytes(b"")
    with pytest.raises(UsageError, match="no photo under"):
        folder.push()


def test_what_is_counted_is_counted_once(folder: Folder) -> None:
    folder.put("a.jpg")
    folder.put("words.txt", b"words")
    folder.put(".hidden.jpg")
    path = folder.put("b.jpg")
    folder.meanwhile = lambda: path.write_bytes(JPEG * 2)
    survey = folder.push().survey
    assert (survey.queued, survey.size) == (1, len(JPEG))
    assert sorted(folder.told) == ["changed just now", "hidden", "hidden", "no media"]
    assert survey.skipped[SkipReason.NO_MEDIA] == 1
    assert survey.skipped[SkipReason.HIDDEN] == 2  # the clock is one


def test_only_a_push_that_nobody_watches_waits_and_only_if_asked_to() -> None:
    config = Config("/c.toml")
    assert settling_of(config, "inbox", is_watched=False) is not None
    assert settling_of(config, "inbox", is_watched=True) is None
    quick = Config("/c.toml", defaults=Defaults(unattended=Unattended(stable_for=0.0)))
    assert settling_of(quick, "inbox", is_watched=False) is None
