"""The sums of an album: a few photos by state, doubt and place in the server's album, and what they
come to."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from test_staging import arrival, prepare, push, settle

from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.states import Membership, State
from albumup.journal.summary import (
    FoundThere,
    Outside,
    outside_of,
    run_summary_of,
    sidecars,
    summaries,
    summary_of,
)


class Photo(NamedTuple):
    """A photo of 100 bytes as the journal has it. ``updated``: the run begins at 1000."""

    state: State = State.UPLOADED
    is_asked: bool = False
    membership: Membership = Membership.SETTLED
    sha256: str = ""
    was_sent: bool = True
    updated: float = 1000.0


PENDING, SENDING, UPLOADED, DUPLICATE, REJECTED, FAILED, IN_DOUBT, MISSING, CANCELLED = map(
    Photo, State
)
ASKED = Photo(State.IN_DOUBT, is_asked=True)
PLACING = Photo(membership=Membership.PENDING)
OUTSIDE = Photo(membership=Membership.REFUSED)
CLIP = Photo(membership=Membership.WAITING)


def album_of(journal: Journal, photos: tuple[Photo, ...]) -> int:
    """An album of these photos, beside one that has a photo of each kind; its id."""
    push(journal, [arrival(b"%d.jpg" % number) for number in range(3)], "other")
    for task_id, state in enumerate((State.PENDING, State.FAILED, State.UPLOADED), 1):
        settle(journal, task_id, state)
    album_id = push(journal, [arrival(b"%d.jpg" % number) for number in range(len(photos))])
    for task_id, photo in enumerate(photos, 4):
        prepare(journal, task_id, photo.sha256 or f"{task_id}")
        settle(journal, task_id, photo.state)
        journal.connection.execute(
            "update task set ask_at = ?, membership = ?, attempts = ?, updated = ? where id = ?",
            (
                5.0 if photo.is_asked else None,
                photo.membership,
                photo.was_sent,
                photo.updated,
                task_id,
            ),
        )
    return album_id


@pytest.mark.parametrize(
    ("photos", "there", "unsent", "wanting", "asked"),
    [
        ((), 0, 0, 0, 0),
        ((UPLOADED, DUPLICATE, CANCELLED), 2, 0, 0, 0),
        ((UPLOADED, PENDING, SENDING), 1, 2, 0, 0),
        ((FAILED, REJECTED, MISSING, IN_DOUBT), 0, 0, 4, 0),
        ((IN_DOUBT, ASKED, ASKED, PENDING, FAILED), 0, 3, 2, 2),
        ((CANCELLED, CANCELLED), 0, 0, 0, 0),
    ],
)
def test_each_photo_is_there_unsent_or_wanting(
    journal: Journal, photos: tuple[Photo, ...], there: int, unsent: int, wanting: int, asked: int
) -> None:
    found = summary_of(journal, album_of(journal, photos))
    assert (found.there, found.unsent, found.wanting, found.asked) == (
        there,
        unsent,
        wanting,
        asked,
    )
    sizes = (found.there_bytes, found.unsent_bytes, found.wanting_bytes, found.asked_bytes)
    assert sizes == (100 * there, 100 * unsent, 100 * wanting, 100 * asked)
    assert (found.total, found.total_bytes) == (
        there + unsent + wanting,
        100 * (there + unsent + wanting),
    )
    assert {state: count for state, count in found.photos.items() if count} == {
        photo.state: sum(one.state == photo.state for one in photos) for photo in photos
    }


@pytest.mark.parametrize(
    ("photos", "is_unfinished", "is_wanting"),
    [
        ((), False, False),
        ((UPLOADED, DUPLICATE, CANCELLED), False, False),
        ((UPLOADED, PENDING), True, False),
        ((UPLOADED, SENDING), True, False),
        ((UPLOADED, FAILED), False, True),
        ((UPLOADED, REJECTED), False, True),
        ((UPLOADED, MISSING), False, True),
        ((UPLOADED, IN_DOUBT), False, True),
        ((UPLOADED, ASKED), True, True),
        ((UPLOADED, PLACING), True, False),
        ((UPLOADED, OUTSIDE), False, True),
        ((UPLOADED, CLIP), False, False),
    ],
)
def test_an_album_is_unfinished_or_wanting(
    journal: Journal, photos: tuple[Photo, ...], is_unfinished: bool, is_wanting: bool
) -> None:
    found = summary_of(journal, album_of(journal, photos))
    assert (found.is_unfinished, found.is_wanting) == (is_unfinished, is_wanting)
    assert runs.is_unfinished(journal, found.album.id) == is_unfinished
    (settled,) = journal.rows("select settled from v_albums where album = 'trip'")
    assert bool(settled[0]) == (not is_unfinished)
    other, mine = summaries(journal.connection)
    assert (other.album.name, mine) == ("other", found)


@pytest.mark.parametrize(
    ("photos", "wants", "share", "is_pending"),
    [
        ((UPLOADED,), 0, None, False),
        ((UPLOADED,), 1, None, True),
        ((UPLOADED,), 1, "http://nas/s/1", False),
        ((FAILED,), 1, None, False),  # nothing is there to be shared
    ],
)
def test_a_share_link_is_made_once_for_an_album_with_photos(
    journal: Journal, photos: tuple[Photo, ...], wants: int, share: str | None, is_pending: bool
) -> None:
    album_id = album_of(journal, photos)
    journal.connection.execute(
        "update album set wants_share = ?, share = ? where id = ?", (wants, share, album_id)
    )
    found = summary_of(journal, album_id)
    assert found.is_share_pending == found.is_pending_there == found.is_unfinished == is_pending
    assert runs.is_share_pending(journal, album_id) == is_pending
    assert found.album.share == share


def test_a_forgotten_album_has_no_photos(journal: Journal) -> None:
    found = summary_of(journal, 77)
    assert (found.there, found.unsent, found.wanting, found.is_unfinished) == (0, 0, 0, False)


def test_photos_outside_the_servers_album_are_counted_by_why(journal: Journal) -> None:
    album_id = album_of(journal, (UPLOADED, PLACING, CLIP, CLIP, OUTSIDE, OUTSIDE, OUTSIDE))
    journal.connection.execute(
        "update task set reason = 'no. ' || id where membership = ?", (Membership.REFUSED,)
    )
    refused = (b"/photos/trip/4.jpg", "no. 8"), (b"/photos/trip/5.jpg", "no. 9")
    assert outside_of(journal, album_id, 2) == Outside(1, 2, 3, refused)


NOW, BEFORE = 1000.0, 900.0
KNOWN = Photo(State.DUPLICATE, was_sent=False)
"""The server had it, and was asked before it was sent."""
TWIN = Photo(sha256="equal")
TWIN_KNOWN = KNOWN._replace(sha256="equal")
TWIN_SENT = Photo(State.DUPLICATE, sha256="equal")


@pytest.mark.parametrize(
    ("photos", "before", "found", "earlier", "sent", "wanting", "total"),
    [
        ((), 0, FoundThere(), 0, 0, 0, 0),
        ((UPLOADED, UPLOADED, FAILED), 0, FoundThere(), 0, 2, 1, 3),
        ((UPLOADED._replace(updated=BEFORE), UPLOADED), 1, FoundThere(), 0, 1, 0, 1),
        ((FAILED._replace(updated=BEFORE), FAILED, UPLOADED), 0, FoundThere(), 1, 1, 1, 2),
        ((ASKED._replace(updated=BEFORE), PENDING, UPLOADED), 0, FoundThere(), 0, 1, 0, 3),
        ((KNOWN, UPLOADED), 0, FoundThere(known=1, photos=1, bytes=100), 0, 1, 0, 1),
        ((KNOWN._replace(updated=BEFORE), UPLOADED), 1, FoundThere(), 0, 1, 0, 1),
        ((DUPLICATE, UPLOADED), 0, FoundThere(sent_to_it=1), 0, 2, 0, 2),
        ((TWIN, TWIN_KNOWN), 0, FoundThere(twins=1, photos=1, bytes=100), 0, 1, 0, 1),
        ((TWIN, TWIN_SENT), 0, FoundThere(twins=1, photos=1), 0, 1, 0, 1),
        (
            (TWIN_KNOWN, TWIN_KNOWN),
            0,
            FoundThere(known=1, twins=1, photos=2, bytes=200),
            0,
            0,
            0,
            0,
        ),
        ((CANCELLED, UPLOADED), 0, FoundThere(), 0, 1, 0, 1),
    ],
)
def test_what_a_run_did_leaves_out_what_was_so_before(
    journal: Journal, photos: tuple[Photo, ...], before: int, found: FoundThere, earlier: int,
    sent: int, wanting: int, total: int,
) -> None:  # fmt: skip
    album_id = album_of(journal, photos)
    (run,) = journal.rows(
        "insert into run (pid, started, options) values (1, ?, '{}') returning id", NOW
    )
    run_summary = run_summary_of(
        journal, summary_of(journal, album_id), run["id"], before, 100 * before, None
    )
    assert (run_summary.found, run_summary.earlier) == (found, earlier)
    assert (run_summary.sent, run_summary.wanting, run_summary.total) == (sent, wanting, total)
    whole = sum(photo.state in (State.UPLOADED, State.DUPLICATE) for photo in photos) - before
    assert run_summary.sent_bytes == 100 * whole - found.bytes


def test_what_was_missing_when_it_was_queued_is_no_earlier_loss(journal: Journal) -> None:
    album_id = album_of(
        journal, (FAILED._replace(updated=BEFORE), MISSING._replace(updated=BEFORE))
    )
    (run,) = journal.rows(
        "insert into run (pid, started, options) values (1, ?, '{}') returning id", NOW
    )
    now = summary_of(journal, album_id)
    assert [
        run_summary_of(journal, now, run["id"], 0, 0, newest).earlier for newest in (4, None)
    ] == [1, 2]


def test_no_sum_goes_through_all_photos(journal: Journal) -> None:
    album_id = album_of(journal, (UPLOADED, FAILED, ASKED))
    statements: list[str] = []
    journal.connection.set_trace_callback(statements.append)
    now = summary_of(journal, album_id)
    summaries(journal.connection)
    run_summary_of(journal, now, 1, 0, 0, None)
    sidecars(journal, album_id, 1)
    journal.connection.set_trace_callback(None)
    plans = [row[3] for one in statements for row in journal.rows(f"explain query plan {one}")]
    assert len(statements) >= 4 and any("task_wanting" in plan for plan in plans)
    assert [plan for plan in plans if plan.startswith("SCAN task")] == []
