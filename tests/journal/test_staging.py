"""What a push found is taken into the journal: new photos, second pushes, and many of them in
little memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest
from msgspec.structs import replace

from albumup.journal import media
from albumup.journal.admin import forget
from albumup.journal.journal import Journal
from albumup.journal.known import Known, album_id_of, known_photos
from albumup.journal.rows import Body, Task
from albumup.journal.runs import roots_of
from albumup.journal.staging import Action, Arrival, RootFound, Staging, add_album, shown
from albumup.journal.states import State
from albumup.journal.summary import summary_of
from albumup.photos.cards import Medium
from albumup.photos.pins import Pins

ROOT = RootFound(b"/photos/trip", "UUID-1", 0, True)


def arrival(
    name: bytes = b"1.jpg", action: Action = Action.NEW, task_id: int = 0, *, size: int = 100,
    error: str = "", mtime_ns: int = 5, root: int = 0, folder: bytes = ROOT.path,
    volume: str = ROOT.volume, card: int = 0,
) -> Arrival:  # fmt: skip
    pins = Pins(size, mtime_ns, 11)
    medium = Medium(volume, card)
    return Arrival(
        action, task_id, root, folder + b"/" + name, medium, name, "image/jpeg", pins, error
    )


def push(
    journal: Journal, arrivals: Iterable[Arrival], album: str = "trip", *, target: str = "home",
    roots: tuple[RootFound, ...] = (ROOT,), spool: bool = False,
) -> int:  # fmt: skip
    """Take arrivals in as one push does; the album's id."""
    staging = Staging(journal)
    for one in arrivals:
        staging.add(one)
    with journal.transaction():
        album_id = add_album(journal, album, target, None)
        staging.take_in(album_id, roots, spool=spool)
    return album_id


BOUNDARY = "boundary"


def body_for(size: int, sha256: str = "aa") -> Body:
    pins = Pins(size, 5, 11)
    digests = {"sha256": sha256}
    return Body(
        b"head", b"tail", BOUNDARY, "multipart/form-data", size + 8, pins, digests, None, None
    )


def prepare(journal: Journal, task_id: int, sha256: str = "aa") -> None:
    with journal.transaction():
        _prepare(journal, task_id, sha256)


def _prepare(journal: Journal, task_id: int, sha256: str = "aa") -> None:
    task = journal.task(task_id)
    assert task is not None
    journal.prepared(task_id, body_for(task.size, sha256), "1.jpg")


def prepare_all(journal: Journal) -> None:
    with journal.transaction():
        for row in journal.rows("select id from task where stage = 0"):
            _prepare(journal, row["id"])


def settle(journal: Journal, task_id: int, state: State) -> None:
    """Bring a pending task to a settled state by the shortest way."""
    if not journal.rows("select 1 from body where task_id = ?", task_id):
        prepare(journal, task_id)
    with journal.transaction():
        if state is not State.PENDING:
            journal.start(task_id, 1, BOUNDARY)
        if state is State.IN_DOUBT:
            journal.doubt(task_id, "the answer was lost", tries=1, ask_at=None)
        elif state not in (State.PENDING, State.SENDING):
            journal.settle_task(task_id, state, "words")


def only_task(journal: Journal) -> int:
    (row,) = journal.rows("select id from task")
    return int(row["id"])


def known(journal: Journal, name: bytes = b"1.jpg") -> Known:
    album_id = album_id_of(journal.connection, "trip", "home")
    assert album_id is not None
    return known_photos(journal.connection, album_id, ROOT.path + b"/" + name)[0]


# The first push.


def test_new_photos_are_queued_in_the_order_they_were_found(journal: Journal) -> None:
    staging = Staging(journal)
    for name in (b"10.jpg", b"2.jpg", b"1.jpg"):
        staging.add(arrival(name, size=50))
    assert (staging.queued, staging.bytes) == (3, 150)
    with journal.transaction():
        staging.take_in(add_album(journal, "trip", "home", None), [ROOT], spool=False)
    rows = journal.rows("select path, state, size, attempts from v_tasks order by id")
    assert [tuple(row) for row in rows] == [
        (f"/photos/trip/{name}.jpg", "pending", 50, 0) for name in ("10", "2", "1")
    ]  # fmt: skip


def test_index_and_total_are_those_of_the_push_that_queued_it(journal: Journal) -> None:
    push(journal, [arrival(b"1.jpg"), arrival(b"2.jpg")])
    push(journal, [arrival(b"3.jpg")])
    rows = journal.rows("select position, total from task order by id")
    assert [tuple(row) for row in rows] == [(1, 2), (2, 2), (1, 1)]


def test_an_unreadable_photo_is_missing_with_its_reason(journal: Journal) -> None:
    push(journal, [arrival(error="Permission denied")])
    (row,) = journal.rows("select state, error from v_failed")
    assert tuple(row) == ("missing", "Permission denied")


def test_nothing_is_queued_when_the_push_ends_before_its_commit(journal: Journal) -> None:
    staging = Staging(journal)
    staging.add(arrival())
    with pytest.raises(KeyboardInterrupt), journal.transaction():
        staging.take_in(add_album(journal, "trip", "home", None), [ROOT], spool=False)
        raise KeyboardInterrupt
    assert [
        journal.rows(f"select * from {table}")
        for table in ("album", "photo", "task", "tally", "root")
    ] == [[]] * 5


def test_photos_of_two_roots_keep_theirs(journal: Journal) -> None:
    other = RootFound(b"/card", "UUID-2", 8, True)
    album_id = push(
        journal,
        [arrival(), arrival(b"2.jpg", root=1, folder=other.path, volume=other.volume)],
        roots=(ROOT, other),
    )
    assert {(root.path, root.volume, root.card) for root in roots_of(journal, album_id)} == {
        (ROOT.path, "UUID-1", 0),
        (other.path, "UUID-2", 8),
    }
    rows = journal.rows("select photo.path, root.path from task join photo on photo.id = photo_id"
                        " join root on root.id = task.root_id order by task.id")  # fmt: skip
    assert [tuple(row) for row in rows] == [
        (b"/photos/trip/1.jpg", ROOT.path),
        (b"/card/2.jpg", other.path),
    ]


def test_cards_that_share_an_id_or_have_none_are_told_apart(journal: Journal) -> None:
    for volume in "", "1234-ABCD":
        for card in 1, 2:
            album = push(
                journal,
                [arrival(volume=volume, card=card)],
                roots=(RootFound(ROOT.path, volume, card, True),),
            )
    tasks = known_photos(journal.connection, album, ROOT.path + b"/1.jpg")
    assert [task.medium for task in tasks] == [
        Medium("1234-ABCD", 2), Medium("1234-ABCD", 1), Medium("", 2), Medium("", 1)
    ]  # fmt: skip
    assert len({root.id for root in roots_of(journal, album)}) == 4
    assert media.under(journal.connection, b"/photos") == [task.medium for task in tasks]
    assert media.under(journal.connection, b"/photos/trip2") == []
    assert [seen.id for seen in media.photos_of(journal.connection, b"/photos", Medium("", 2))] == [
        2
    ]
    assert media.next_card(journal.connection) == 3


def test_an_id_that_is_known_by_now_is_written_in(journal: Journal) -> None:
    push(journal, [arrival(volume="")], roots=(RootFound(ROOT.path, "", 4, True),))
    again = replace(
        arrival(action=Action.REPIN, task_id=only_task(journal), volume=""), volume="UUID-1"
    )
    push(journal, [again])
    assert known(journal).medium == Medium("UUID-1", 0)
    assert len(journal.rows("select 1 from photo")) == 1


def test_another_volume_at_the_same_path_is_another_photo(journal: Journal) -> None:
    push(journal, [arrival()])
    push(journal, [arrival(volume="UUID-9")], roots=(RootFound(ROOT.path, "UUID-9", 7, True),))
    rows = journal.rows(
        "select photo.volume, task.state from task join photo on photo.id = photo_id "
        "order by task.id"
    )
    assert [tuple(row) for row in rows] == [("UUID-1", "pending"), ("UUID-9", "pending")]


# A second push.


def test_two_pushes_that_looked_at_the_same_time_make_one_task_a_photo(
    journal: Journal, tmp_path: Path
) -> None:
    other = Journal(str(tmp_path / "journal.db"))
    both = [Staging(journal), Staging(other)]
    for staging in both:
        staging.add(arrival())
    for staging, its in zip(both, (journal, other), strict=True):
        with its.transaction():
            staging.take_in(add_album(its, "trip", "home", None), [ROOT], spool=False)
    other.close()
    assert len(journal.rows("select 1 from task")) == 1


@pytest.mark.parametrize("action", [Action.REPIN, Action.REDO, Action.BACK, Action.AGAIN])
def test_a_photo_that_was_forgotten_while_the_push_looked_is_new(
    journal: Journal, action: Action
) -> None:
    album_id = push(journal, [arrival()])
    staging = Staging(journal)
    staging.add(arrival(action=action, task_id=only_task(journal)))
    with journal.transaction():
        forget(journal, album_id)
    with journal.transaction():
        staging.take_in(add_album(journal, "trip", "home", None), [ROOT], spool=False)
    assert [row["state"] for row in journal.rows("select state from task")] == ["pending"]


def test_new_bytes_of_a_sent_photo_are_a_second_task(journal: Journal) -> None:
    album_id = push(journal, [arrival()])
    first = only_task(journal)
    prepare(journal, first)
    settle(journal, first, State.UPLOADED)
    push(journal, [arrival(action=Action.AGAIN, task_id=first, size=200, mtime_ns=9)])
    rows = journal.rows("select state, size from v_tasks order by id")
    assert [tuple(row) for row in rows] == [("uploaded", 100), ("pending", 200)]
    assert (known(journal).state, known(journal).size, known(journal).mtime_ns) == (
        State.PENDING,
        200,
        9,
    )
    assert summary_of(journal, album_id).bytes == {"sending": 0, "uploaded": 100, "pending": 200}


@pytest.mark.parametrize("state", [State.FAILED, State.REJECTED, State.MISSING, State.PENDING])
def test_new_bytes_of_an_unsent_photo_are_prepared_again_with_fresh_tries(
    journal: Journal, state: State
) -> None:
    album_id = push(journal, [arrival()])
    task_id = only_task(journal)
    prepare(journal, task_id)
    settle(journal, task_id, state)
    with journal.transaction():
        journal.connection.execute("update task set tries = 4")
    push(journal, [arrival(action=Action.REDO, task_id=task_id, size=300)], spool=True)
    task = journal.task(task_id)
    assert task is not None
    assert (task.tries, task.body, task.size, task.spool) == (0, None, 300, True)
    assert (known(journal).state, known(journal).sha256) == (State.PENDING, None)
    assert summary_of(journal, album_id).size("pending") == 300


def as_seen_then(task: Task | None, before: Task | None) -> Task:
    """The task, as if its photo was looked at when it was ``before``."""
    assert task is not None and before is not None
    return replace(task, seen=before.seen)


@pytest.mark.parametrize("state", [State.UPLOADED, State.DUPLICATE, State.IN_DOUBT])
def test_other_bytes_of_a_photo_that_was_sent_while_the_push_looked_are_a_second_task(
    journal: Journal, state: State
) -> None:
    push(journal, [arrival()])
    task_id = only_task(journal)
    prepare(journal, task_id)
    settle(journal, task_id, state)
    before = journal.task(task_id)
    push(journal, [arrival(action=Action.REDO, task_id=task_id, size=300)])
    assert as_seen_then(journal.task(task_id), before) == before
    rows = journal.rows("select state, size from task order by id")
    assert [tuple(row) for row in rows] == [(state, 100), (State.PENDING, 300)]


def test_bytes_that_come_back_may_be_there_as_those_in_doubt_before(journal: Journal) -> None:
    push(journal, [arrival()])
    task_id = only_task(journal)
    prepare(journal, task_id)
    settle(journal, task_id, State.UPLOADED)
    push(journal, [arrival(action=Action.AGAIN, task_id=task_id, size=300)])
    marks = "select maybe_twice from task order by id"
    assert [row[0] for row in journal.rows(marks)] == [0, 0]
    journal.connection.execute("update task set maybe_twice = 1 where id = ?", (task_id,))
    push(journal, [arrival(action=Action.AGAIN, task_id=task_id + 1)])
    assert [row[0] for row in journal.rows(marks)] == [1, 0, 1]


def test_a_photo_that_may_be_there_twice_says_so_by_each_task_with_these_bytes(
    journal: Journal,
) -> None:
    push(journal, [arrival(), arrival(b"2.jpg")])
    first, other = (row[0] for row in journal.rows("select id from task order by id"))
    settle(journal, first, State.UPLOADED)
    prepare(journal, other)
    push(journal, [arrival(action=Action.AGAIN, task_id=first, size=300)])

    def marked(task_id: int) -> list[int]:
        with journal.transaction():
            journal.connection.execute("update task set maybe_twice = 0")
            journal.mark_twice(task_id)
        return [row[0] for row in journal.rows("select id from task where maybe_twice order by id")]

    second = other + 1  # perhaps it was edited back: nobody has read it yet
    assert marked(first) == [first, second]
    assert marked(other) == [other]
    prepare(journal, second)
    assert marked(second) == [first, second]
    journal.connection.execute("update body set sha256 = 'bb' where task_id = ?", (second,))
    assert marked(first) == [first]


def test_other_bytes_of_a_photo_whose_copy_is_being_sent_are_a_second_task(
    journal: Journal,
) -> None:
    push(journal, [arrival()], spool=True)
    prepare_all(journal)
    settle(journal, 1, State.SENDING)
    push(journal, [arrival(action=Action.REDO, task_id=1, size=300)], spool=True)
    assert [tuple(row) for row in journal.rows("select state, size from task")] == [
        ("sending", 100),
        ("pending", 300),
    ]


@pytest.mark.parametrize("state", [State.SENDING, State.CANCELLED])
def test_a_photo_that_went_on_while_the_push_looked_is_left_as_it_is(
    journal: Journal, state: State
) -> None:
    push(journal, [arrival()])
    task_id = only_task(journal)
    prepare(journal, task_id)
    settle(journal, task_id, state)
    before = journal.task(task_id)
    push(journal, [arrival(action=Action.REDO, task_id=task_id, size=300)])
    assert known(journal).state is state
    assert as_seen_then(journal.task(task_id), before) == before


def test_a_missing_photo_that_is_back_is_pending_and_prepared_again(journal: Journal) -> None:
    push(journal, [arrival(error="No such file")])
    task_id = only_task(journal)
    push(journal, [arrival(action=Action.BACK, task_id=task_id)])
    (row,) = journal.rows("select state, error from v_tasks")
    assert tuple(row) == ("pending", None)
    assert [task.id for task in journal.unprepared(1, 1, 10)] == [task_id]


@pytest.mark.parametrize("state", [State.UPLOADED, State.FAILED, State.PENDING])
def test_other_metadata_and_the_same_bytes_change_the_pins_and_nothing_else(
    journal: Journal, state: State
) -> None:
    push(journal, [arrival()])
    task_id = only_task(journal)
    prepare(journal, task_id)
    settle(journal, task_id, state)
    staging = Staging(journal)
    staging.add(arrival(action=Action.REPIN, task_id=task_id, mtime_ns=77))
    assert (staging.queued, staging.bytes) == (0, 0)
    push(journal, [arrival(action=Action.REPIN, task_id=task_id, mtime_ns=77)])
    task = journal.task(task_id)
    assert task is not None
    assert task.body is not None
    assert (task.body.pins.mtime_ns, task.body.digests) == (77, {"sha256": "aa"})
    assert (known(journal).state, known(journal).mtime_ns) == (state, 77)


@pytest.mark.parametrize(
    "number", [2**63 - 1, 2**63, 2**64 - 1, -(2**63) - 1, 11_644_473_600_000_000_001, -(10**20)]
)
def test_numbers_that_sqlite_cannot_hold_are_kept_exactly(journal: Journal, number: int) -> None:
    """Inodes of mergerfs and CIFS; times in nanoseconds before 1677 and after 2262."""
    push(journal, [arrival(mtime_ns=number)])
    task_id, pins = only_task(journal), Pins(100, number, number, number)
    assert known(journal).mtime_ns == number
    with journal.transaction():
        journal.prepared(task_id, replace(body_for(100), pins=pins), "1.jpg")
    task = journal.task(task_id)
    assert task is not None
    assert task.body is not None
    assert (task.body.pins, task.seen) == (pins, (100, number))
    with journal.transaction():
        journal.repin(task_id, replace(pins, mtime_ns=number - 1))
    push(journal, [arrival(action=Action.REPIN, task_id=task_id, mtime_ns=number + 1)])
    assert known(journal).mtime_ns == number + 1


def test_a_known_photo_belongs_to_the_folder_it_was_pushed_by_last(journal: Journal) -> None:
    album_id = push(journal, [arrival()])
    above = RootFound(b"/photos", "UUID-1", 7, True)
    push(journal, [arrival(action=Action.REPIN, task_id=only_task(journal))], roots=(above,))
    assert [root.path for root in roots_of(journal, album_id)] == [b"/photos"]


def test_a_push_lifts_the_hold_of_its_album(journal: Journal) -> None:
    album_id = push(journal, [arrival()])
    with journal.transaction():
        journal.connection.execute("update album set held = 1")
    assert push(journal, []) == album_id
    assert [row["held"] for row in journal.rows("select held from v_albums")] == [0]


def test_a_photo_nobody_pushed_is_unknown(journal: Journal) -> None:
    album_id = push(journal, [arrival()])
    assert known_photos(journal.connection, album_id, b"/photos/trip/2.jpg") == []
    assert known_photos(journal.connection, album_id + 1, b"/photos/trip/1.jpg") == []
    assert album_id_of(journal.connection, "trip", "club") is None


# Paths.


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (b"/photos/1.jpg", None),
        ("/photos/Grüße 💐.jpg".encode(), None),
        (b"/photos/\xff.jpg", "/photos/\\udcff.jpg"),
        (b"/photos/\x1b[31m.jpg", "/photos/\\x1b[31m.jpg"),
        (b"/photos/a\nb.jpg", "/photos/a\\x0ab.jpg"),
        ("/photos/\u202egpj.jpg".encode(), "/photos/\\u202egpj.jpg"),
        ("/photos/\U000e0001.jpg".encode(), "/photos/\\U000e0001.jpg"),
    ],
)
def test_a_path_is_shown_as_text_that_harms_no_terminal(path: bytes, text: str | None) -> None:
    assert shown(path) == text


# Many.


def most_memory(journal: Journal, arrivals: Iterable[Arrival]) -> float:
    """MiB that Python held at most while a push was taken in."""
    tracemalloc.start()
    try:
        push(journal, arrivals)
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.long
def test_50000_arrivals_take_little_memory(journal: Journal) -> None:
    journal.connection.execute("pragma synchronous = off")
    assert most_memory(journal, (arrival(b"%05d.jpg" % number) for number in range(50_000))) < 4
    assert len(journal.rows("select id from task")) == 50_000

    # And as many whose metadata changed, after the card was mounted with another time zone.
    repins = (arrival(b"%05d.jpg" % n, Action.REPIN, n + 1, mtime_ns=6) for n in range(50_000))
    assert most_memory(journal, repins) < 4
    assert journal.rows("select count(*) from photo where mtime_ns = 6")[0][0] == 50_000


def test_a_running_uploader_can_commit_while_a_push_looks(journal: Journal, tmp_path: Path) -> None:
    uploader = Journal(str(tmp_path / "journal.db"))
    uploader.connection.execute("pragma busy_timeout = 0")
    push(journal, [arrival()])
    prepare_all(journal)
    staging = Staging(journal)
    for number in range(3000):
        staging.add(arrival(b"more%d.jpg" % number))
    with uploader.transaction():
        uploader.start(1, 1, BOUNDARY)
    uploader.close()
    assert known(journal).state is State.SENDING
