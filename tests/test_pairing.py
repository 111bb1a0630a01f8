"""Live photos by what stills and clips say of themselves, in one push and in several."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from live import clip, still

from albumup.config.settings import ImmichSettings
from albumup.journal import framing
from albumup.journal.journal import Journal
from albumup.journal.live import matched
from albumup.journal.rows import Body
from albumup.journal.states import Membership, Stage, State, Together
from albumup.photos.pins import Pins
from albumup.photos.scan import Filters, open_root
from albumup.session import pairing
from albumup.session.destination import Destination
from albumup.session.intake import Intake
from albumup.session.survey import Survey
from albumup.targets.immich import ImmichTarget

SERVER = ImmichTarget("home", ImmichSettings(url="http://127.0.0.1:9"), "key", "")


@pytest.mark.parametrize(
    "stills, clips, pairs",
    [
        ("IMG_2.JPG", "IMG_2_HEVC.MOV", "IMG_2.JPG=IMG_2_HEVC.MOV"),
        ("IMG_2 (1).HEIC", "img_2(1).mov", "IMG_2 (1).HEIC=img_2(1).mov"),
        ("IMG_2.HEIC", "holiday.mp4", "IMG_2.HEIC=holiday.mp4"),
        ("IMG_2.HEIC IMG_2.JPG", "IMG_2.MOV", "IMG_2.HEIC=IMG_2.MOV IMG_2.JPG=IMG_2.MOV"),
        (
            "IMG_1.HEIC IMG_E1.JPG",
            "IMG_E1.MOV IMG_1.MOV",
            "IMG_1.HEIC=IMG_1.MOV IMG_E1.JPG=IMG_E1.MOV",
        ),
        ("b.HEIC a.HEIC", "a_HEVC.MOV x.MOV", "b.HEIC=x.MOV a.HEIC=a_HEVC.MOV"),
        ("IMG_1.HEIC", "IMG_1_HEVC.MOV IMG_1.MOV", "IMG_1.HEIC=IMG_1.MOV"),
        ("x.JPG IMG_1.JPG", "a.MOV IMG_1.MOV IMG_1_HEVC.MOV", "x.JPG=a.MOV IMG_1.JPG=IMG_1.MOV"),
        ("IMG_1.HEIC", "", ""),
        ("", "IMG_1.MOV", ""),
    ],
)
def test_among_files_of_one_identifier_names_choose(stills: str, clips: str, pairs: str) -> None:
    some, others = (
        [name.encode() for name in names.replace(" (", "_(").split()] for names in (stills, clips)
    )
    found = [
        f"{some[one].decode()}={others[other].decode()}" for one, other in matched(some, others)
    ]
    assert found == pairs.replace(" (", "_(").split()


class Pushes:
    """A folder, the journal, and what of the album is one live photo by it."""

    def __init__(self, folder: Path) -> None:
        self.trip = folder / "trip"
        self.trip.mkdir()
        self.journal = Journal(str(folder / "journal.db"))

    def push(self, **names: str) -> Survey:
        """Files by name, ``still`` or ``clip`` and an identifier: ``IMG_1__JPG="still ID"``; then a
        push."""
        for name, what in names.items():
            kind, _, identifier = what.partition(" ")
            path = self.trip / name.replace("__", ".").replace("_in_", "/")
            path.parent.mkdir(exist_ok=True)
            number = sum(map(ord, name))
            path.write_bytes(
                still(identifier, number) if kind == "still" else clip(identifier, number=number)
            )
        intake = Intake(
            [open_root(str(self.trip))],
            Filters(),
            "trip",
            Destination("home", SERVER),
            on_skip=lambda _: None,
        )
        intake.take_in(self.journal, None, None)
        return intake.survey

    def pairs(self) -> dict[str, str]:
        """The names of stills and of their clips."""
        rows = self.journal.rows(
            "select still.path as still, clip.path as clip from photo still join task on task.id ="
            " (select max(id) from task where photo_id = still.id)"
            " join task other on other.id = task.clip_id "
            "join photo clip on clip.id = other.photo_id"
        )
        return {
            os.path.basename(row["still"]).decode(): os.path.basename(row["clip"]).decode()
            for row in rows
        }

    def task(self, name: str) -> int:
        rows = self.journal.rows(
            "select task.id, path from task join photo on photo.id = photo_id order by task.id"
        )
        return int(
            [row["id"] for row in rows if os.path.basename(row["path"]) == name.encode()][-1]
        )

    def prepare(self, name: str, then: Stage) -> int:
        task = self.journal.task(self.task(name))
        assert task is not None
        is_now = os.stat(task.path)
        pins = Pins(is_now.st_size, is_now.st_mtime_ns, is_now.st_ino)
        body = Body(
            b"head", b"tail", "b", "type", task.size + 8, pins, {"sha256": name}, None, None
        )
        is_stale = then is Stage.STALE
        with self.journal.transaction():
            self.journal.prepared(task.id, body, name, then=Stage.READY if is_stale else then)
            framing.make_stale(self.journal, [task.id] if is_stale else [])
        return task.id

    def store(self, name: str, state: State = State.UPLOADED) -> None:
        """It is on the server, and in the album there."""
        task_id = self.prepare(name, Stage.UNASKED)
        with self.journal.transaction():
            if state is State.UPLOADED:
                self.journal.asked(task_id)
                self.journal.connection.execute(
                    "update task set stage = 1 where id = ?", (task_id,)
                )
                self.journal.start(task_id, 1, "b")
            self.journal.settle_task(
                task_id, state, remote_id=f"id of {name}", membership=Membership.PENDING
            )
            for placed, _ in self.journal.members_pending(1, 9):
                self.journal.placed(placed)

    def together(self, name: str) -> tuple[str | None, Together]:
        """The clip of a still, and how they become one."""
        row = self.journal.rows("select alone from task where id = ?", self.task(name))[0]
        return self.pairs().get(name), Together(row["alone"])

    def parted(self) -> list[tuple[str, str]]:
        return [(still, clip) for _, still, clip in self.journal.parted(1, 9)]


@pytest.fixture
def pushes(tmp_path: Path) -> Iterator[Pushes]:
    pushes = Pushes(tmp_path)
    yield pushes
    pushes.journal.close()


def test_the_identifier_decides_and_the_stem_does_not(pushes: Pushes) -> None:
    survey = pushes.push(
        IMG_1__JPG="still ID-1", IMG_1_HEVC__MOV="clip ID-1",
        IMG_2__JPG="still ID-2", renamed__mp4="clip ID-2",
        IMG_3__JPG="still ID-3", IMG_3__MOV="clip ID-OTHER",
        IMG_4__JPG="still", IMG_4__MOV="clip",
        IMG_5__JPG="still ID-5", sub_in_IMG_5__MOV="clip ID-5",
    )  # fmt: skip
    assert pushes.pairs() == {"IMG_1.JPG": "IMG_1_HEVC.MOV", "IMG_2.JPG": "renamed.mp4"}
    assert (survey.live.stills, survey.live.clips, survey.live.late) == (2, 2, 0)


def test_two_stills_of_one_shot_share_its_clip(pushes: Pushes) -> None:
    survey = pushes.push(IMG_1__JPG="still ID-1", IMG_1__HEIC="still ID-1", IMG_1__MOV="clip ID-1")
    assert pushes.pairs() == {"IMG_1.JPG": "IMG_1.MOV", "IMG_1.HEIC": "IMG_1.MOV"}
    assert (survey.live.stills, survey.live.clips) == (2, 1)


@pytest.mark.parametrize("state", [State.UPLOADED, State.DUPLICATE])
def test_a_clip_that_comes_later_is_joined_to_its_still(pushes: Pushes, state: State) -> None:
    pushes.push(IMG_1__JPG="still ID-1")
    pushes.store("IMG_1.JPG", state)
    assert pushes.push(IMG_1_HEVC__MOV="clip ID-1").live.late == 1
    assert pushes.together("IMG_1.JPG") == ("IMG_1_HEVC.MOV", Together.NOT_YET)
    assert pushes.parted() == []
    pushes.store("IMG_1_HEVC.MOV")
    assert pushes.parted() == [("id of IMG_1.JPG", "id of IMG_1_HEVC.MOV")]
    assert (
        pushes.journal.members_pending(1, 9) == []
    )  # not before the server has said what became of it
    with pushes.journal.transaction():
        pushes.journal.joined(pushes.task("IMG_1.JPG"), well=True)
        pushes.journal.drop_clips(1)
    assert pushes.parted() == []
    assert pushes.journal.members_pending_count(1, 9) == 0


def test_a_still_that_comes_later_goes_with_its_clip(pushes: Pushes) -> None:
    pushes.push(IMG_1_HEVC__MOV="clip ID-1")
    pushes.store("IMG_1_HEVC.MOV")
    pushes.push(IMG_1__JPG="still ID-1")
    assert pushes.together("IMG_1.JPG") == ("IMG_1_HEVC.MOV", Together.BY_SENDING)
    task_id = pushes.prepare("IMG_1.JPG", Stage.UNASKED)
    with pushes.journal.transaction():
        pushes.journal.asked(task_id)
    (waiting,) = pushes.journal.unpaired(1, 9)
    assert waiting.clip_id == "id of IMG_1_HEVC.MOV"


def test_a_still_that_comes_later_and_was_there_is_joined_to_its_clip(pushes: Pushes) -> None:
    pushes.push(IMG_1_HEVC__MOV="clip ID-1")
    pushes.store("IMG_1_HEVC.MOV")
    pushes.push(IMG_1__JPG="still ID-1")
    assert (
        pushes.journal.members_pending_count(1, 9) == 0
    )  # the clip is in the album, should its still never get there
    pushes.store("IMG_1.JPG", State.DUPLICATE)
    assert pushes.journal.members_pending_count(1, 9) == 1
    assert pushes.parted() == [("id of IMG_1.JPG", "id of IMG_1_HEVC.MOV")]


def test_a_still_that_was_there_is_joined_to_a_clip_from_here(pushes: Pushes) -> None:
    """Pushed together, the clip sent, and the still found on the server."""
    pushes.push(IMG_1__JPG="still ID-1", IMG_1__MOV="clip ID-1")
    pushes.store("IMG_1.MOV")
    pushes.store("IMG_1.JPG", State.DUPLICATE)
    assert pushes.parted() == [("id of IMG_1.JPG", "id of IMG_1.MOV")]
    with pushes.journal.transaction():
        pushes.journal.joined(pushes.task("IMG_1.JPG"), well=False)
    assert pushes.journal.members_pending(1, 9) == [(pushes.task("IMG_1.MOV"), "id of IMG_1.MOV")]
    with pushes.journal.transaction():
        pushes.journal.renew_refused(1)
    assert pushes.parted() == [("id of IMG_1.JPG", "id of IMG_1.MOV")]


@pytest.mark.parametrize(
    "stage, together",
    [
        (Stage.READY, Together.NOT_YET),  # an uploader may have taken it up
        (Stage.UNASKED, Together.BY_SENDING),
        (Stage.STALE, Together.BY_SENDING),
    ],
)
def test_a_clip_that_comes_while_its_still_waits(
    pushes: Pushes, stage: Stage, together: Together
) -> None:
    pushes.push(IMG_1__JPG="still ID-1")
    pushes.prepare("IMG_1.JPG", stage)
    pushes.push(IMG_1__MOV="clip ID-1")
    assert pushes.together("IMG_1.JPG") == ("IMG_1.MOV", together)


def test_halves_that_nothing_could_read_are_joined_once_something_can(
    pushes: Pushes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.setattr(pairing, "can_read", lambda mime: not mime.startswith("image/"))
        survey = pushes.push(
            IMG_1__JPG="still ID-1", IMG_1_HEVC__MOV="clip ID-1", IMG_2__JPG="still"
        )
    assert (survey.maybe_live, pushes.pairs()) == (1, {})
    pushes.store("IMG_1.JPG")
    pushes.store("IMG_1_HEVC.MOV")
    survey = pushes.push()
    assert (survey.queued, survey.maybe_live, survey.live.late) == (0, 0, 1)
    assert pushes.parted() == [("id of IMG_1.JPG", "id of IMG_1_HEVC.MOV")]


def test_photos_of_an_older_journal_are_read_when_their_other_half_comes(pushes: Pushes) -> None:
    pushes.push(IMG_1__JPG="still ID-1", B__MOV="clip ID-2")
    with pushes.journal.transaction():
        pushes.journal.connection.execute("update photo set content_id = null")
    pushes.push(A__MOV="clip ID-1", IMG_2__JPG="still ID-2")
    assert pushes.pairs() == {"IMG_1.JPG": "A.MOV", "IMG_2.JPG": "B.MOV"}


def test_a_still_that_was_edited_stays_with_its_clip(pushes: Pushes) -> None:
    pushes.push(
        IMG_1__JPG="still ID-1", IMG_1__MOV="clip ID-1", IMG_2__JPG="still", IMG_3__JPG="still"
    )
    pushes.store("IMG_1.MOV")
    pushes.store("IMG_1.JPG")
    (pushes.trip / "IMG_1.JPG").write_bytes(still("ID-1", 4711) + b"edited")
    assert pushes.push().changed == 1
    assert pushes.together("IMG_1.JPG") == ("IMG_1.MOV", Together.BY_SENDING)


def test_only_stills_beside_a_clip_that_wants_one_are_read(
    pushes: Pushes, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = watched(monkeypatch)
    pushes.push(
        IMG_1__JPG="still ID-1", IMG_1_HEVC__MOV="clip ID-1", IMG_2__JPG="still ID-2",
        IMG_3__JPG="still", sub_in_IMG_4__JPG="still ID-4", sub_in_IMG_5__MOV="clip",
    )  # fmt: skip
    assert sorted(read) == ["IMG_1.JPG", "IMG_1_HEVC.MOV", "IMG_5.MOV"]
    read.clear()
    pushes.push(IMG_6__JPG="still ID-6")
    assert read == []


def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files whose metadata is read from now on."""
    read: list[str] = []
    usual: Callable[..., object] = pairing.MetadataReader.content_id

    def noted(self: object, path: bytes, mime: str) -> object:
        read.append(os.path.basename(path).decode())
        return usual(self, path, mime)

    monkeypatch.setattr(pairing.MetadataReader, "content_id", noted)
    return read
